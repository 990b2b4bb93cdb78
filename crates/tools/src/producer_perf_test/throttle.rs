//! The limit of `--throughput`: short sleeps, so that on average so many records a second go out.

use std::time::Duration;

/// Sleeps are not shorter than this; what is less is saved up.
const SLEEP_MIN: Duration = Duration::from_millis(2);

/// How fast records may go out.
pub(super) struct Throttle {
    /// Records a second; negative for no limit, zero for none after the first.
    throughput: f64,
    start_ms: i64,
    owed: Duration,
}

impl Throttle {
    /// A limit that counts from now on.
    pub(super) fn new(throughput: f64, start_ms: i64) -> Throttle {
        Throttle { throughput, start_ms, owed: Duration::ZERO }
    }

    /// How long to sleep after this record, if it is too early for the next; `sent` counts the ones before it.
    pub(super) fn pause(&mut self, sent: u64, now_ms: i64) -> Option<Duration> {
        let elapsed = (now_ms - self.start_ms) as f64 / 1000.0;
        let is_too_fast = self.throughput >= 0.0 && elapsed > 0.0 && sent as f64 / elapsed > self.throughput;
        if !is_too_fast {
            return None;
        }
        // Zero records a second: for ever.
        self.owed += Duration::try_from_secs_f64(1.0 / self.throughput).unwrap_or(Duration::MAX);
        (self.owed >= SLEEP_MIN).then(|| std::mem::take(&mut self.owed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_early_records_are_paid_for_in_sleeps_of_two_milliseconds() {
        let mut throttle = Throttle::new(1_000.0, 0);
        assert_eq!(throttle.pause(50, 100), None, "in time");
        assert_eq!(throttle.pause(101, 100), None, "one is saved up");
        assert_eq!(throttle.pause(102, 100), Some(Duration::from_millis(2)));
        assert_eq!(throttle.pause(103, 100), None);
    }

    #[test]
    fn there_may_be_no_limit_or_nothing_allowed() {
        assert_eq!(Throttle::new(-1.0, 0).pause(1 << 40, 1), None);
        assert_eq!(Throttle::new(0.0, 0).pause(1, 1), Some(Duration::MAX));
    }
}
