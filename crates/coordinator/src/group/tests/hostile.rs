//! Whatever the log holds and whatever a client says, the coordinator goes on.

use super::super::{GroupCoordinator, Input, Settings};
use super::host::Host;
use super::random::{Life, Random};
use bytes::Bytes;
use ottla_protocol::Offset;

#[test]
fn a_damaged_log_is_loaded_as_far_as_it_can_be_read() {
    let mut unreadable = 0;
    let hour = 60 * 60 * 1_000;
    let settings = Settings { offsets_retention_check_interval_ms: 6 * hour, ..Settings::default() };
    for seed in 1..=40 {
        let mut random = Random(seed);
        let log = Life::new(seed, false).log_after(60);
        let mut coordinator = GroupCoordinator::new(settings.clone(), seed);
        let mut effects = Vec::new();
        for (offset, record) in log.into_iter().enumerate() {
            let input = Input::Replay {
                offset: Offset(i64::try_from(offset).expect("the log is short")),
                key: Some(damaged(&mut random, record.key)),
                value: record.value.map(|value| damaged(&mut random, value)),
            };
            coordinator.step(0, input, &mut effects);
        }
        unreadable += effects.len();
        coordinator.step(0, Input::Loaded, &mut effects);
        coordinator.check();
        // Sessions end, rebalances end, offsets expire.
        let mut host = Host::of(coordinator);
        for _ in 0..20 {
            host.advance(host.now + 24 * hour);
            while !host.pending.is_empty() {
                host.commit();
            }
        }
    }
    assert!(unreadable > 100, "damage is found, {unreadable} times");
}

/// Flips, cuts or leaves bytes.
fn damaged(random: &mut Random, bytes: Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    match random.below(6) {
        0 => bytes.truncate(random.below(bytes.len() + 1)),
        1 | 2 if !bytes.is_empty() => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        _ => {}
    }
    bytes.into()
}
