//! Latencies as counts in buckets whose width grows with the value: never more than 1/64 wrong, of constant size.

use serde::{Deserialize, Serialize};

/// Values below this have a bucket each.
const EXACT: u64 = 128;
/// Buckets per doubling above it.
const PER_DOUBLING: u64 = 64;
const BUCKETS: usize = (EXACT + PER_DOUBLING * 34) as usize;

/// Counts of latencies in microseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max_us: u64,
}

/// What a report says of a histogram, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the values are not above.
    pub p50_us: u64,
    /// 99 of 100 are not above.
    pub p99_us: u64,
    /// 999 of 1,000 are not above.
    pub p999_us: u64,
    /// The largest.
    pub max_us: u64,
    /// How many values there are.
    pub count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BUCKETS], count: 0, max_us: 0 }
    }
}

impl Histogram {
    /// Counts a latency.
    pub fn add_ns(&mut self, ns: u64) {
        let us = ns / 1000;
        self.counts[bucket(us)] += 1;
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// The smallest bucket's value that `share` of the values do not exceed.
    pub fn quantile_us(&self, share: f64) -> u64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return lowest(at).min(self.max_us);
            }
        }
        self.max_us
    }

    /// The figures for a report.
    pub fn latency(&self) -> Latency {
        Latency {
            p50_us: self.quantile_us(0.5),
            p99_us: self.quantile_us(0.99),
            p999_us: self.quantile_us(0.999),
            max_us: self.max_us,
            count: self.count,
        }
    }
}

fn bucket(us: u64) -> usize {
    let at = if us < EXACT {
        us
    } else {
        // 128..256 is the first doubling: its values lose their last bit.
        let lost = u64::from(us.ilog2()) - 6;
        EXACT + (lost - 1) * PER_DOUBLING + ((us >> lost) - PER_DOUBLING)
    };
    (at as usize).min(BUCKETS - 1)
}

/// The smallest value of a bucket.
fn lowest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (doubling, within) = ((bucket - EXACT) / PER_DOUBLING, (bucket - EXACT) % PER_DOUBLING);
    (PER_DOUBLING + within) << (doubling + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_value_to_one_in_64() {
        for us in (0..100_000).chain([1 << 30, (1 << 32) + 12345]) {
            let low = lowest(bucket(us));
            assert!(low <= us && (us - low) * 64 <= us, "{us} is kept as {low}");
        }
    }

    #[test]
    fn buckets_follow_each_other() {
        for at in 1..BUCKETS {
            assert_eq!(bucket(lowest(at)), at);
            assert!(lowest(at) > lowest(at - 1));
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        for us in 1..=100 {
            histogram.add_ns(us * 1000);
        }
        let latency = histogram.latency();
        assert_eq!((latency.p50_us, latency.p99_us, latency.p999_us, latency.max_us), (50, 99, 100, 100));
        assert_eq!(Histogram::default().latency(), Latency::default());
    }
}
