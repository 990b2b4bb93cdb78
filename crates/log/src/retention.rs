//! Which segments a log no longer needs (`cleanup.policy=delete`): a decision about facts, carried out by
//! [`Log::delete_segments`].

use ottla_protocol::Offset;

use crate::error::LogError;
use crate::log::Log;

/// What retention looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Its first offset.
    pub base_offset: Offset,
    /// Where the next segment begins, or the log ends.
    pub end_offset: Offset,
    /// Bytes.
    pub size: u64,
    /// Largest timestamp of its records; without any, the time of its last change. Milliseconds.
    pub largest_timestamp: i64,
}

/// What the topic's configuration says about retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// `cleanup.policy` has `delete`. Without it only what is before the start of the log goes.
    pub delete: bool,
    /// `retention.ms`; negative is without limit.
    pub retention_ms: i64,
    /// `retention.bytes`; negative is without limit.
    pub retention_bytes: i64,
}

/// How many of the first segments go: those before the start of the log, then those by which the log is larger than it
/// may be, then those whose records are all too old. A segment that reaches beyond the high watermark stays, and so
/// does the last one if it is empty.
pub fn deletable_segments(
    segments: &[SegmentFacts],
    policy: &RetentionPolicy,
    log_start_offset: Offset,
    high_watermark: Offset,
    now_ms: i64,
) -> usize {
    let is_deletable = |index: usize| {
        let is_last_and_empty = index + 1 == segments.len() && segments[index].size == 0;
        segments[index].end_offset <= high_watermark && !is_last_and_empty
    };
    let advance = |from: usize, mut is_unwanted: Box<dyn FnMut(&SegmentFacts) -> bool>| {
        let gone = |index: &usize| is_deletable(*index) && is_unwanted(&segments[*index]);
        from + (from..segments.len()).take_while(gone).count()
    };
    // The last segment is not before the start of the log, even where both end at the same offset.
    let before_last = segments.len().saturating_sub(1);
    let by_start =
        advance(0, Box::new(move |segment| segment.end_offset <= log_start_offset)).min(before_last);
    if !policy.delete {
        return by_start;
    }
    let mut by_size = by_start;
    if let Ok(retention_bytes) = u64::try_from(policy.retention_bytes) {
        let size: u64 = segments[by_start..].iter().map(|segment| segment.size).sum();
        if let Some(mut excess) = size.checked_sub(retention_bytes) {
            let takes = move |segment: &SegmentFacts| match excess.checked_sub(segment.size) {
                Some(rest) => {
                    excess = rest;
                    true
                }
                None => false,
            };
            by_size = advance(by_start, Box::new(takes));
        }
    }
    if policy.retention_ms < 0 {
        return by_size;
    }
    let retention_ms = policy.retention_ms;
    let is_old =
        move |segment: &SegmentFacts| now_ms.saturating_sub(segment.largest_timestamp) > retention_ms;
    advance(by_size, Box::new(is_old))
}

impl Log {
    /// What retention looks at, for all segments.
    ///
    /// # Errors
    /// What the disk says.
    pub fn segment_facts(&self) -> Result<Vec<SegmentFacts>, LogError> {
        let segments = self.segments();
        let ends = segments.iter().skip(1).map(|next| next.base_offset).chain([self.log_end_offset()]);
        let facts = segments.iter().zip(ends).map(|(segment, end_offset)| {
            Ok(SegmentFacts {
                base_offset: segment.base_offset,
                end_offset,
                size: segment.size().into(),
                largest_timestamp: segment.largest_timestamp()?,
            })
        });
        facts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: RetentionPolicy = RetentionPolicy { delete: true, retention_ms: -1, retention_bytes: -1 };

    /// Three segments of 100 bytes and 10 records, whose newest records are 30, 20 and 10 ms old.
    fn check(policy: RetentionPolicy, log_start: i64, high_watermark: i64, expected: usize) {
        let segment = |index: i64| SegmentFacts {
            base_offset: Offset(index * 10),
            end_offset: Offset(index * 10 + 10),
            size: 100,
            largest_timestamp: 1000 - (30 - index * 10),
        };
        let segments = [segment(0), segment(1), segment(2)];
        let count = deletable_segments(&segments, &policy, Offset(log_start), Offset(high_watermark), 1000);
        assert_eq!(count, expected, "{policy:?} {log_start} {high_watermark}");
    }

    #[test]
    fn without_limits_nothing_goes() {
        check(KEEP, 0, 30, 0);
    }

    #[test]
    fn segments_before_the_start_go_but_never_the_last() {
        check(KEEP, 9, 30, 0);
        check(KEEP, 10, 30, 1);
        check(KEEP, 29, 30, 2);
        check(KEEP, 30, 30, 2);
        check(RetentionPolicy { delete: false, ..KEEP }, 20, 30, 2);
    }

    #[test]
    fn segments_in_excess_of_the_size_go() {
        let policy = |retention_bytes| RetentionPolicy { retention_bytes, ..KEEP };
        check(policy(300), 0, 30, 0);
        check(policy(201), 0, 30, 0);
        check(policy(200), 0, 30, 1);
        check(policy(0), 0, 30, 3);
        check(policy(100), 10, 30, 2);
        check(RetentionPolicy { delete: false, ..policy(0) }, 0, 30, 0);
    }

    #[test]
    fn old_segments_go() {
        let policy = |retention_ms| RetentionPolicy { retention_ms, ..KEEP };
        check(policy(30), 0, 30, 0);
        check(policy(29), 0, 30, 1);
        check(policy(0), 0, 30, 3);
    }

    #[test]
    fn segments_beyond_the_high_watermark_stay() {
        let policy = RetentionPolicy { retention_ms: 0, ..KEEP };
        check(policy, 0, 29, 2);
        check(policy, 0, 9, 0);
    }

    #[test]
    fn an_empty_last_segment_stays() {
        let full =
            SegmentFacts { base_offset: Offset(0), end_offset: Offset(10), size: 100, largest_timestamp: 0 };
        let empty = SegmentFacts { base_offset: Offset(10), size: 0, ..full };
        let policy = RetentionPolicy { retention_ms: 0, ..KEEP };
        assert_eq!(deletable_segments(&[full, empty], &policy, Offset(0), Offset(10), 1000), 1);
    }
}
