//! What `kafka-producer-perf-test` counts, and how it tells it.

use crate::java::fixed;

/// At most about so many latencies are kept for the percentiles.
const SAMPLES_MAX: u64 = 500_000;

/// Counts of a run or of its steady state.
pub(super) struct Stats {
    is_steady_state: bool,
    /// Whether only the total is printed.
    pub(super) is_silent: bool,
    start_ms: i64,
    reporting_interval_ms: i64,
    /// Every how manieth latency is kept.
    sampling: u64,
    latencies: Vec<i32>,
    all: Counts,
    window: Counts,
    window_start_ms: i64,
}

/// Counts of some time.
#[derive(Clone, Copy, Default)]
struct Counts {
    records: u64,
    bytes: u64,
    total_latency_ms: i64,
    max_latency_ms: i32,
}

impl Counts {
    fn add(&mut self, latency_ms: i32, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.total_latency_ms += i64::from(latency_ms);
        self.max_latency_ms = self.max_latency_ms.max(latency_ms);
    }

    fn average_latency_ms(&self) -> f64 {
        self.total_latency_ms as f64 / self.records as f64
    }

    /// Records and MiB a second.
    fn rates(&self, elapsed_ms: i64) -> (f64, f64) {
        let rate = |count: u64| 1000.0 * count as f64 / elapsed_ms as f64;
        (rate(self.records), rate(self.bytes) / (1024.0 * 1024.0))
    }
}

impl Stats {
    /// Nothing counted yet of so many records, at least one.
    pub(super) fn new(
        num_records: u64,
        reporting_interval_ms: i64,
        is_steady_state: bool,
        now_ms: i64,
    ) -> Stats {
        Stats {
            is_steady_state,
            is_silent: false,
            start_ms: now_ms,
            reporting_interval_ms,
            sampling: num_records / num_records.min(SAMPLES_MAX),
            latencies: Vec::new(),
            all: Counts::default(),
            window: Counts::default(),
            window_start_ms: now_ms,
        }
    }

    /// Counts a record that was written; gives what is to be printed, if it is time for that.
    pub(super) fn record(&mut self, latency_ms: i32, bytes: usize, now_ms: i64) -> Option<String> {
        if self.all.records.is_multiple_of(self.sampling) {
            self.latencies.push(latency_ms);
        }
        self.all.add(latency_ms, bytes);
        self.window.add(latency_ms, bytes);
        if now_ms - self.window_start_ms < self.reporting_interval_ms {
            return None;
        }
        let mut text = String::new();
        if self.is_steady_state && self.all.records == self.window.records {
            text.push_str("In steady state.\n");
        }
        if !self.is_silent {
            text.push_str(&self.window_text(now_ms));
        }
        self.window = Counts::default();
        self.window_start_ms = now_ms;
        (!text.is_empty()).then_some(text)
    }

    fn window_text(&self, now_ms: i64) -> String {
        let (records, mib) = self.window.rates(now_ms - self.window_start_ms);
        format!(
            "{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency.\n",
            self.window.records,
            fixed(records, 1),
            fixed(mib, 2),
            fixed(self.window.average_latency_ms(), 1),
            fixed(f64::from(self.window.max_latency_ms), 1),
        )
    }

    /// The summary.
    pub(super) fn total(&mut self, now_ms: i64) -> String {
        let (records, mib) = self.all.rates(now_ms - self.start_ms);
        self.latencies.sort_unstable();
        let percentile = |part: f64| {
            let at = (part * self.latencies.len() as f64) as usize;
            self.latencies.get(at).copied().unwrap_or_default()
        };
        format!(
            "{}{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency, {} ms 50th, {} ms \
             95th, {} ms 99th, {} ms 99.9th.\n",
            self.all.records,
            if self.is_steady_state { " steady state" } else { "" },
            fixed(records, 6),
            fixed(mib, 2),
            fixed(self.all.average_latency_ms(), 2),
            fixed(f64::from(self.all.max_latency_ms), 2),
            percentile(0.5),
            percentile(0.95),
            percentile(0.99),
            percentile(0.999),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kafka 4.3.1's tool prints for the same counts.
    #[test]
    fn lines_are_kafkas() {
        let mut stats = Stats::new(4, 100, false, 1_000);
        assert_eq!(stats.record(1, 1000, 1_050), None);
        assert_eq!(
            stats.record(4, 1000, 1_100).as_deref(),
            Some("2 records sent, 20.0 records/sec (0.02 MB/sec), 2.5 ms avg latency, 4.0 ms max latency.\n")
        );
        assert_eq!(stats.record(2, 1000, 1_150), None);
        assert_eq!(
            stats.total(1_200),
            "3 records sent, 15.000000 records/sec (0.01 MB/sec), 2.33 ms avg latency, 4.00 ms max latency, 2 ms \
             50th, 4 ms 95th, 4 ms 99th, 4 ms 99.9th.\n"
        );
    }

    #[test]
    fn nothing_sent_is_told_as_java_tells_it() {
        assert_eq!(
            Stats::new(3, 5_000, false, 0).total(10),
            "0 records sent, 0.000000 records/sec (0.00 MB/sec), NaN ms avg latency, 0.00 ms max latency, 0 ms 50th, \
             0 ms 95th, 0 ms 99th, 0 ms 99.9th.\n"
        );
    }

    #[test]
    fn the_steady_state_is_announced_once_and_the_warm_up_falls_silent() {
        let mut steady = Stats::new(9, 10, true, 0);
        let text = steady.record(1, 1, 10).unwrap();
        assert!(text.starts_with("In steady state.\n1 records sent, "), "{text}");
        assert!(!steady.record(1, 1, 20).unwrap().contains("steady"));
        assert!(steady.total(30).starts_with("2 steady state records sent, "));
        let mut warm = Stats { is_silent: true, ..Stats::new(9, 10, false, 0) };
        assert_eq!(warm.record(1, 1, 10), None);
    }

    #[test]
    fn latencies_are_sampled_when_there_are_very_many() {
        let mut stats = Stats::new(1_500_000, i64::MAX, false, 0);
        for latency in 0..30 {
            stats.record(latency, 0, 0);
        }
        assert_eq!(stats.latencies, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
    }
}
