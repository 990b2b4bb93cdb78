//! How many bytes go into one Fetch answer, from which partitions, and when it is time to answer (KIP-74).
//!
//! Partitions are read in the order of the session. Each gets at most its own limit and what is left of the answer's;
//! the first partition that has anything gives at least one batch, however large, so that a reader always advances.

/// The byte budget of one Fetch answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchBudget {
    remaining: u64,
    bytes_read: u64,
}

/// What one partition may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Bytes at most. May be 0.
    pub max_bytes: usize,
    /// Give the first batch even if it is larger.
    pub min_one_batch: bool,
}

impl FetchBudget {
    /// A budget of the request's `max_bytes`, bounded by the broker's `fetch.max.bytes` (for replicas too). Numbers below
    /// zero are no room, here and in [`next`](Self::next); Kafka fails such partitions with UNKNOWN_SERVER_ERROR.
    pub fn new(request_max_bytes: i32, fetch_max_bytes: i32) -> FetchBudget {
        let max_bytes = request_max_bytes.min(fetch_max_bytes);
        FetchBudget { remaining: u64::try_from(max_bytes).unwrap_or(0), bytes_read: 0 }
    }

    /// What the next partition may give; `partition_max_bytes` is from the request.
    pub fn next(&self, partition_max_bytes: i32) -> ReadLimit {
        let partition_max = u64::try_from(partition_max_bytes).unwrap_or(0);
        let max_bytes = partition_max.min(self.remaining);
        // Both limits come from an i32, so they fit.
        ReadLimit { max_bytes: max_bytes as usize, min_one_batch: self.bytes_read == 0 }
    }

    /// The partition gave `bytes`.
    pub fn took(&mut self, bytes: usize) {
        self.bytes_read += bytes as u64;
        self.remaining = self.remaining.saturating_sub(bytes as u64);
    }

    /// Bytes so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Further partitions can give nothing. Their facts are still needed for the answer.
    pub fn is_spent(&self) -> bool {
        self.remaining == 0 && self.bytes_read > 0
    }
}

/// What decides whether a Fetch is answered now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// Partitions that were read. Those refused before that (unknown, not authorised) count neither here nor in
    /// [`has_error`](Self::has_error): where others are read too, their errors wait with the rest.
    pub partitions: usize,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// A partition that was read has an error.
    pub has_error: bool,
    /// A follower's log diverges.
    pub has_diverging_epoch: bool,
    /// The reader was sent to another replica (KIP-392).
    pub has_preferred_read_replica: bool,
}

/// `min_bytes` as it counts: never above what the answer may hold, else it could never be reached.
pub fn effective_min_bytes(request_min_bytes: i32, request_max_bytes: i32, fetch_max_bytes: i32) -> i32 {
    request_min_bytes.min(request_max_bytes).min(fetch_max_bytes)
}

/// Is the Fetch answered with what was just read? Otherwise it waits: until [`FetchWait`] is satisfied, or `max_wait_ms`
/// is over, and then reads once more.
pub fn is_complete(progress: &FetchProgress, max_wait_ms: i32, min_bytes: i32) -> bool {
    max_wait_ms <= 0
        || progress.partitions == 0
        || reaches(progress.bytes_read, min_bytes)
        || progress.has_error
        || progress.has_diverging_epoch
        || progress.has_preferred_read_replica
}

/// A waiting Fetch: counts what has become readable since, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchWait {
    min_bytes: i32,
    available: u64,
    must_answer: bool,
}

/// What became of one partition of a waiting Fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// So many bytes lie between its fetch offset and the end of what the reader may see, in the same segment.
    Available {
        /// The bytes.
        bytes: u64,
        /// The request's limit for the partition.
        partition_max_bytes: i32,
    },
    /// The reader is in an older segment than the end: there is surely a batch to read.
    OlderSegment,
    /// The fetch offset is above the end: the log was truncated.
    Truncated,
    /// The partition cannot be read any more, or not at that epoch, or the follower must truncate.
    Failed,
}

impl FetchWait {
    /// Begins a count for a request with the [`effective_min_bytes`].
    pub fn new(min_bytes: i32) -> FetchWait {
        FetchWait { min_bytes, available: 0, must_answer: false }
    }

    /// Takes in one partition.
    pub fn add(&mut self, partition: Waiting) {
        match partition {
            Waiting::Available { bytes, partition_max_bytes } => {
                let partition_max = u64::try_from(partition_max_bytes).unwrap_or(0);
                self.available = self.available.saturating_add(bytes.min(partition_max));
            }
            Waiting::OlderSegment | Waiting::Truncated | Waiting::Failed => self.must_answer = true,
        }
    }

    /// Is it time to read once more and to answer?
    pub fn is_satisfied(&self) -> bool {
        self.must_answer || reaches(self.available, self.min_bytes)
    }
}

fn reaches(bytes: u64, min_bytes: i32) -> bool {
    u64::try_from(min_bytes).map_or(true, |min| bytes >= min)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads partitions of (limit, size of each batch, batches) and gives the bytes taken from each.
    fn check(max_bytes: i32, partitions: &[(i32, usize, usize)], expected: &[usize]) {
        let mut budget = FetchBudget::new(max_bytes, 55 << 20);
        let taken: Vec<usize> = partitions
            .iter()
            .map(|&(partition_max_bytes, batch, batches)| {
                let limit = budget.next(partition_max_bytes);
                let whole = (limit.max_bytes / batch).min(batches);
                let count = if whole == 0 && limit.min_one_batch { batches.min(1) } else { whole };
                budget.took(count * batch);
                count * batch
            })
            .collect();
        assert_eq!(taken, expected);
        assert_eq!(budget.bytes_read(), expected.iter().sum::<usize>() as u64);
    }

    #[test]
    fn first_batch_is_returned_whatever_its_size() {
        check(10, &[(10, 100, 3), (10, 100, 3)], &[100, 0]);
        check(1000, &[(10, 100, 3), (1000, 100, 3)], &[100, 300]);
    }

    #[test]
    fn empty_partitions_do_not_use_up_the_first_batch() {
        check(10, &[(10, 100, 0), (10, 100, 1)], &[0, 100]);
    }

    #[test]
    fn limits_of_request_and_partition_both_hold() {
        check(250, &[(200, 100, 9), (200, 100, 9)], &[200, 0]);
        check(300, &[(200, 100, 9), (200, 100, 9)], &[200, 100]);
    }

    #[test]
    fn numbers_below_zero_are_no_room() {
        check(-1, &[(-5, 100, 2), (i32::MIN, 100, 2)], &[100, 0]);
    }

    #[test]
    fn fetch_waits_only_if_nothing_asks_for_an_answer() {
        let waits = FetchProgress { partitions: 1, bytes_read: 5, ..FetchProgress::default() };
        assert!(!is_complete(&waits, 500, 6));
        assert!(is_complete(&waits, 500, 5));
        assert!(is_complete(&waits, 500, 0));
        assert!(is_complete(&waits, 500, -1));
        assert!(is_complete(&waits, 0, 6));
        assert!(is_complete(&FetchProgress { partitions: 0, ..waits }, 500, 6));
        assert!(is_complete(&FetchProgress { has_error: true, ..waits }, 500, 6));
        assert!(is_complete(&FetchProgress { has_diverging_epoch: true, ..waits }, 500, 6));
        assert!(is_complete(&FetchProgress { has_preferred_read_replica: true, ..waits }, 500, 6));
    }

    #[test]
    fn waiting_fetch_counts_each_partition_up_to_its_limit() {
        let mut wait = FetchWait::new(100);
        wait.add(Waiting::Available { bytes: 1000, partition_max_bytes: 60 });
        assert!(!wait.is_satisfied());
        wait.add(Waiting::Available { bytes: 40, partition_max_bytes: 60 });
        assert!(wait.is_satisfied());
        for partition in [Waiting::OlderSegment, Waiting::Truncated, Waiting::Failed] {
            let mut wait = FetchWait::new(100);
            wait.add(partition);
            assert!(wait.is_satisfied(), "{partition:?}");
        }
    }

    #[test]
    fn min_bytes_above_the_limits_can_be_reached() {
        assert_eq!(effective_min_bytes(100, 50, 1000), 50);
        assert_eq!(effective_min_bytes(100, 500, 70), 70);
        assert_eq!(effective_min_bytes(100, 500, 700), 100);
    }
}
