//! The lines of `kafka-consumer-perf-test`.

use super::date_format::DateFormat;
use crate::java::fixed;

/// What was read so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) records: u64,
    /// Of keys and values.
    pub(super) bytes: u64,
}

impl Counts {
    fn mib(self) -> f64 {
        self.bytes as f64 / (1024.0 * 1024.0)
    }

    fn since(self, before: Counts) -> Counts {
        Counts { records: self.records - before.records, bytes: self.bytes - before.bytes }
    }
}

/// What the columns are.
pub(super) fn header(is_detailed: bool) -> String {
    let first = if is_detailed { "time, threadId" } else { "start.time, end.time" };
    format!(
        "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, \
         fetch.MB.sec, fetch.nMsg.sec\n"
    )
}

/// A line about the time since the last one.
pub(super) fn progress(
    format: &DateFormat,
    counts: Counts,
    before: Counts,
    (start_ms, end_ms): (i64, i64),
    join_ms: i64,
) -> String {
    let elapsed_ms = (end_ms - start_ms) as f64;
    let interval = counts.since(before);
    let fetch_ms = end_ms - start_ms - join_ms;
    let per_fetch_second = |amount: f64| if fetch_ms <= 0 { 0.0 } else { 1000.0 * amount / fetch_ms as f64 };
    format!(
        "{}, 0, {}, {}, {}, {}, {join_ms}, {fetch_ms}, {}, {}\n",
        format.format(end_ms),
        fixed(counts.mib(), 4),
        fixed(1000.0 * interval.mib() / elapsed_ms, 4),
        counts.records,
        fixed(interval.records as f64 / elapsed_ms * 1000.0, 4),
        fixed(per_fetch_second(interval.mib()), 4),
        fixed(per_fetch_second(interval.records as f64), 4),
    )
}

/// The line about everything.
pub(super) fn total(
    format: &DateFormat,
    counts: Counts,
    (start_ms, end_ms): (i64, i64),
    join_ms: i64,
) -> String {
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let elapsed = seconds(end_ms - start_ms);
    let fetch_ms = end_ms - start_ms - join_ms;
    let (mib, records) = (counts.mib(), counts.records as f64);
    format!(
        "{}, {}, {}, {}, {}, {}, {join_ms}, {fetch_ms}, {}, {}\n",
        format.format(start_ms),
        format.format(end_ms),
        fixed(mib, 4),
        fixed(mib / elapsed, 4),
        counts.records,
        fixed(records / elapsed, 4),
        fixed(mib / seconds(fetch_ms), 4),
        fixed(records / seconds(fetch_ms), 4),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kafka 4.3.1's tool prints for the same counts.
    #[test]
    fn lines_are_kafkas() {
        let format = DateFormat::parse("SSS").unwrap();
        let counts = Counts { records: 3_000, bytes: 3 << 20 };
        assert_eq!(
            total(&format, counts, (100, 600), 100),
            "100, 600, 3.0000, 6.0000, 3000, 6000.0000, 100, 400, 7.5000, 7500.0000\n"
        );
        let before = Counts { records: 1_000, bytes: 1 << 20 };
        assert_eq!(
            progress(&format, counts, before, (100, 600), 0),
            "600, 0, 3.0000, 4.0000, 3000, 4000.0000, 0, 500, 4.0000, 4000.0000\n"
        );
        assert_eq!(
            progress(&format, counts, before, (100, 600), 500),
            "600, 0, 3.0000, 4.0000, 3000, 4000.0000, 500, 0, 0.0000, 0.0000\n"
        );
        assert!(total(&format, Counts::default(), (5, 5), 0).ends_with("NaN, 0, NaN, 0, 0, NaN, NaN\n"));
    }
}
