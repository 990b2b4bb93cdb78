//! The power goes at any disk call of a broker's work; what was not synced is lost, zeroed, scrambled, torn or there.
//! Everything up to the last flush that ended is there afterwards, byte for byte; what is there beyond it is a first part
//! of what was appended, or answered with an error; recovery comes to the same whether it runs once or twice, or is
//! itself cut off; and the log goes on from there. One seed is one history of up to three power cuts, kills of the
//! process among them: `OTTLA_POWER_FIRST=seed OTTLA_POWER_CUTS=1` runs one again.

#[path = "../common/mod.rs"]
mod common;
mod host;
mod state;

use common::random::{Random, first_seed, seeds};
use host::Host;
use ottla_log::disk::SimDisk;
use state::State;

#[test]
fn what_was_flushed_survives_any_power_cut() {
    let first = first_seed("OTTLA_POWER_FIRST");
    for seed in first..first + seeds("OTTLA_POWER_CUTS", 1000) {
        let run = std::panic::catch_unwind(|| history(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// What was not synced may be gone.
    Power,
    /// The kernel has all that was written.
    Kill,
}

fn history(seed: u64) {
    let mut random = Random::new(seed);
    let mut disk = common::new_disk();
    let mut states = [State::default(), State::default(), State::default()];
    let config = host::any_config(&mut random);
    for generation in 0..1 + random.below(3) {
        let mut host = Host::start(&disk, config, states);
        host.check();
        let soon = random.percent(30);
        disk.stop_after(random.below(if soon { 30 } else { 400 }));
        host.work(&mut random);
        let mut end = if random.percent(75) { End::Power } else { End::Kill };
        let what = format!("{end:?} in generation {generation}: {}", host.doing);
        disk = after(&disk, end, &mut random);
        states = host.states();
        if random.percent(40) {
            // Recovery is cut off, too, and begins again.
            disk.stop_after(random.below(40));
            drop(host::try_open(&disk, config));
            // Not a kill after a power cut: what recovery took away would be gone for the kernel alone.
            end = if end == End::Power || random.percent(50) { End::Power } else { End::Kill };
            disk = after(&disk, end, &mut random);
        }
        if !host::check_recovered(&disk, config, &mut states, end, &what) {
            // What was damaged beyond the flush stays so, and is told: nothing more to compare with.
            return;
        }
    }
}

fn after(disk: &SimDisk, end: End, random: &mut Random) -> SimDisk {
    match end {
        // Seed 0 is the cleanest cut: nothing that was not synced is there.
        End::Power => disk.after_power_failure(if random.percent(10) { 0 } else { random.bits() }),
        End::Kill => disk.after_process_kill(),
    }
}
