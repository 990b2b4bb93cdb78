//! Gives a log directory up whose disk does not answer (`ottla.disk.stall.max.ms`): clients of its partitions are told so
//! and need not wait, the controller hears of it with the next heartbeat and lets others lead.
//!
//! It is given up only where something is left that goes on: without the directory of the metadata log, or the last one
//! with partitions, the node would end, and whoever waits for the disk is better served by waiting
//! (`docs/decisions/disks-that-fail-or-fill-up.md`).

use super::clock;
use super::dir_state::DirState;
use super::log_dirs::LogDirs;
use super::partitions::Partitions;
use ottla_protocol::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(500);

/// How long each directory's disk has been seen not to answer.
#[derive(Debug, Default)]
struct Stalls {
    /// When what hangs began, in ticks of the clock, and how often it was seen.
    seen: BTreeMap<usize, (u64, u32)>,
}

impl Stalls {
    /// Whether a directory is to be given up, of whose operations the oldest began at `began`. A stall is as long as it was
    /// seen: a process that was itself asleep has not seen one.
    fn is_over(&mut self, index: usize, began: Option<u64>, max: Duration) -> bool {
        let Some(began) = began else {
            self.seen.remove(&index);
            return false;
        };
        let seen = self.seen.entry(index).or_insert((began, 0));
        if seen.0 != began {
            *seen = (began, 0);
        }
        seen.1 += 1;
        PERIOD * seen.1 >= max
    }
}

/// Looks for ever.
pub(super) async fn watch(log_dirs: &Arc<LogDirs>, partitions: &Arc<Partitions>, max_ms: i64) {
    let max = match u64::try_from(max_ms) {
        Err(_) | Ok(0) => return std::future::pending().await,
        Ok(max_ms) => Duration::from_millis(max_ms),
    };
    let mut stalls = Stalls::default();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for dir in log_dirs.online() {
            if stalls.is_over(dir.index(), dir.hangs_since(), max) && log_dirs.goes_on_without(&dir) {
                give_up(&dir, partitions, max);
            }
        }
    }
}

fn give_up(dir: &Arc<DirState>, partitions: &Arc<Partitions>, max: Duration) {
    let ms = clock::ticks_ms().saturating_sub(dir.hangs_since().unwrap_or_default());
    dir.fail(&format_args!(
        "its disk has not answered for {ms} ms, and ottla.disk.stall.max.ms allows {}",
        max.as_millis()
    ));
    // The threads that wait for the disk cannot tell them.
    for partition in partitions.all_in(dir.index()) {
        partition.fail_waiting(ErrorCode::KafkaStorageError);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at these; gives those at which the directory is given up.
    fn given_up(looks: &[Option<u64>], max: Duration) -> Vec<usize> {
        let mut stalls = Stalls::default();
        let over = |(at, began): (usize, &Option<u64>)| stalls.is_over(7, *began, max).then_some(at);
        looks.iter().enumerate().filter_map(over).collect()
    }

    #[test]
    fn a_stall_is_over_when_it_was_seen_for_as_long_as_it_may_last() {
        assert_eq!(given_up(&[Some(1); 4], PERIOD * 3), [2, 3]);
        assert_eq!(given_up(&[None; 4], PERIOD * 3), [0; 0]);
    }

    #[test]
    fn a_disk_that_is_slow_and_answers_is_not_given_up() {
        let looks = [Some(1), Some(1), Some(2), Some(2), None, Some(3), Some(3)];
        assert_eq!(given_up(&looks, PERIOD * 3), [0; 0]);
    }

    #[test]
    fn a_process_that_was_asleep_has_not_seen_a_stall() {
        // Began an hour ago, and this is the first look since.
        assert_eq!(given_up(&[Some(1)], Duration::from_secs(30)), [0; 0]);
    }
}
