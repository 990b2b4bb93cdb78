//! How fast compaction may read and write (`log.cleaner.io.max.bytes.per.second`).

use std::time::Duration;

/// Work is measured over stretches of at least this, as Kafka does it.
const STRETCH: Duration = Duration::from_millis(300);

/// Says how long to wait so that a rate is kept. It reads no clock: `now` is any point of a clock that only goes forwards.
#[derive(Clone, Debug)]
pub struct CleanerThrottle {
    bytes_per_second: f64,
    since: Duration,
    bytes: u64,
}

impl CleanerThrottle {
    /// Keeps to a rate from `now` on.
    pub fn new(bytes_per_second: f64, now: Duration) -> CleanerThrottle {
        CleanerThrottle { bytes_per_second, since: now, bytes: 0 }
    }

    /// Changes the rate.
    pub fn set_rate(&mut self, bytes_per_second: f64) {
        self.bytes_per_second = bytes_per_second;
    }

    /// Bytes have been read or written; gives how long to wait now.
    pub fn pace(&mut self, bytes: usize, now: Duration) -> Duration {
        self.bytes += bytes as u64;
        let elapsed = now.saturating_sub(self.since);
        if elapsed < STRETCH {
            return Duration::ZERO;
        }
        let seconds = self.bytes as f64 / self.bytes_per_second;
        // A rate of nothing, or none at all, is no reason to wait for ever.
        let needed = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
        let wait = needed.saturating_sub(elapsed);
        self.since = now + wait;
        self.bytes = 0;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_time() {
        let mut throttle = CleanerThrottle::new(1_000_000.0, Duration::ZERO);
        let mut now = Duration::ZERO;
        for _ in 0..1000 {
            now += Duration::from_millis(1);
            now += throttle.pace(10_000, now);
        }
        let rate = 10_000_000.0 / now.as_secs_f64();
        assert!((900_000.0..1_100_000.0).contains(&rate), "{rate} bytes a second");
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let mut throttle = CleanerThrottle::new(f64::MAX, Duration::ZERO);
        assert_eq!(throttle.pace(usize::MAX, Duration::from_secs(1)), Duration::ZERO);
        let mut throttle = CleanerThrottle::new(0.0, Duration::ZERO);
        assert_eq!(throttle.pace(5, Duration::from_secs(1)), Duration::ZERO);
    }
}
