//! What is to be compacted: decisions about facts, as Kafka 4.3.1 makes them.
//!
//! ```text
//!  log start        first dirty           first uncleanable        end
//!  ├── clean ───────┼── dirty: its keys ──┼── too young, open, ────┤
//!  │                │   are gathered      │   not flushed, active  │
//!  └── rewritten, some segments together ─┘
//! ```

use std::ops::Range;

use ottla_protocol::Offset;

/// What a topic's configuration says about compaction, by Kafka's names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionPolicy {
    /// `min.cleanable.dirty.ratio`: a log is compacted when a larger share of it is dirty.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: younger records are left alone.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: a log with older dirty records is compacted whatever the share.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: how long tombstones and transaction markers stay after the first compaction that could
    /// have removed them.
    pub delete_retention_ms: i64,
    /// `segment.bytes`: segments are joined up to this size.
    pub segment_bytes: u32,
    /// `segment.index.bytes`: and while each of their indexes stays within this.
    pub segment_index_bytes: u32,
}

/// What is looked at of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionFacts {
    /// By base offset; the last one is appended to.
    pub segments: Vec<CompactionSegment>,
    /// First offset that may be read.
    pub log_start_offset: Offset,
    /// Offset of the next record.
    pub log_end_offset: Offset,
    /// Before it all transactions are decided, and all replicas in sync have everything.
    pub last_stable_offset: Offset,
    /// Before it everything is durable. What is superseded may only go when what supersedes it cannot be lost.
    pub flushed_offset: Offset,
    /// Up to where the log was compacted last, if it ever was.
    pub cleaned_to: Option<Offset>,
}

/// What is looked at of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionSegment {
    /// Its first offset.
    pub base_offset: Offset,
    /// Bytes of batches.
    pub size: u64,
    /// Bytes of the offset index.
    pub offset_index_bytes: u64,
    /// Bytes of the time index.
    pub time_index_bytes: u64,
    /// Largest timestamp of its first batch, if that matters and there is one.
    pub first_timestamp: Option<i64>,
    /// Largest timestamp of its records, if that matters; without any, the time of its last change.
    pub largest_timestamp: Option<i64>,
}

/// What compacting a log would be about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionRange {
    /// Keys are gathered from here on; what is before was compacted earlier.
    pub first_dirty_offset: Offset,
    /// Nothing from here on is touched: the base offset of a segment.
    pub first_uncleanable_offset: Offset,
    /// Bytes of the segments that begin before the first dirty offset.
    pub clean_bytes: u64,
    /// Bytes of the segments between the two.
    pub cleanable_bytes: u64,
    /// Dirty records are older than `max.compaction.lag.ms`.
    pub is_overdue: bool,
}

impl CompactionRange {
    /// The dirty share of what compaction would go through.
    pub fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }

    /// Whether the log is to be compacted.
    pub fn is_due(&self, policy: &CompactionPolicy) -> bool {
        self.cleanable_bytes > 0 && (self.is_overdue || self.dirty_ratio() > policy.min_cleanable_dirty_ratio)
    }
}

/// From where to where a log may be compacted.
pub fn compaction_range(facts: &CompactionFacts, policy: &CompactionPolicy, now_ms: i64) -> CompactionRange {
    let first_dirty_offset = first_dirty_offset(facts);
    let dirty = floor(&facts.segments, first_dirty_offset);
    let active = facts.segments.len().saturating_sub(1);
    let dirty_closed = facts.segments.get(dirty..active).unwrap_or_default();
    let mut uncleanable = facts
        .segments
        .last()
        .map_or(facts.log_end_offset, |active| active.base_offset)
        .min(facts.last_stable_offset)
        .min(facts.flushed_offset);
    if policy.min_compaction_lag_ms > 0 {
        let too_young = now_ms.saturating_sub(policy.min_compaction_lag_ms);
        let is_young =
            |segment: &&CompactionSegment| segment.largest_timestamp.is_some_and(|at| at > too_young);
        let young = dirty_closed.iter().find(is_young);
        uncleanable = young.map_or(uncleanable, |young| uncleanable.min(young.base_offset));
    }
    // Whole segments are compacted or left alone.
    let first_uncleanable = floor(&facts.segments, uncleanable.max(first_dirty_offset)).min(active);
    let bytes = |range: Range<usize>| -> u64 {
        facts.segments.get(range).unwrap_or_default().iter().map(|segment| segment.size).sum()
    };
    let clean = facts.segments.partition_point(|segment| segment.base_offset < first_dirty_offset);
    CompactionRange {
        first_dirty_offset,
        first_uncleanable_offset: facts
            .segments
            .get(first_uncleanable)
            .map_or(facts.log_end_offset, |segment| segment.base_offset),
        clean_bytes: bytes(0..clean),
        cleanable_bytes: bytes(dirty.min(first_uncleanable)..first_uncleanable),
        is_overdue: is_overdue(dirty_closed, policy, now_ms),
    }
}

/// Where the dirty part begins. A checkpoint that cannot be this log's is not believed.
pub fn first_dirty_offset(facts: &CompactionFacts) -> Offset {
    let CompactionFacts { log_start_offset, log_end_offset, .. } = *facts;
    match facts.cleaned_to {
        Some(cleaned_to) if (log_start_offset..=log_end_offset).contains(&cleaned_to) => cleaned_to,
        _ => log_start_offset,
    }
}

/// The index of the segment that holds an offset, or the first.
fn floor(segments: &[CompactionSegment], offset: Offset) -> usize {
    segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1)
}

fn is_overdue(dirty_closed: &[CompactionSegment], policy: &CompactionPolicy, now_ms: i64) -> bool {
    let clean_until = now_ms.saturating_sub(policy.max_compaction_lag_ms.max(0));
    let timestamps = dirty_closed.iter().filter_map(|segment| segment.first_timestamp);
    timestamps.filter(|at| *at > 0).any(|at| at < clean_until)
}

/// Which neighbouring segments become one, of those that are rewritten: so many that the result cannot grow larger than
/// a segment may be, in any of its files, nor span more offsets than an index can tell apart.
pub fn group_segments(
    segments: &[CompactionSegment],
    policy: &CompactionPolicy,
    first_uncleanable_offset: Offset,
) -> Vec<Range<usize>> {
    let end_of =
        |index: usize| segments.get(index + 1).map_or(first_uncleanable_offset, |next| next.base_offset);
    let index_max = u64::from(policy.segment_index_bytes);
    let mut groups = Vec::new();
    let mut start = 0;
    while start < segments.len() {
        let mut sum = segments[start];
        let mut end = start + 1;
        while let Some(next) = segments.get(end) {
            let fits = sum.size + next.size <= policy.segment_bytes.into()
                && sum.offset_index_bytes + next.offset_index_bytes <= index_max
                && sum.time_index_bytes + next.time_index_bytes <= index_max;
            let in_reach = end_of(end).0 - 1 - segments[start].base_offset.0 <= i64::from(i32::MAX);
            if !fits || !(next.size == 0 || in_reach) {
                break;
            }
            sum.size += next.size;
            sum.offset_index_bytes += next.offset_index_bytes;
            sum.time_index_bytes += next.time_index_bytes;
            end += 1;
        }
        groups.push(start..end);
        start = end;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: CompactionPolicy = CompactionPolicy {
        min_cleanable_dirty_ratio: 0.5,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        delete_retention_ms: 1000,
        segment_bytes: 1000,
        segment_index_bytes: 100,
    };

    fn segment(base_offset: i64, size: u64) -> CompactionSegment {
        CompactionSegment {
            base_offset: Offset(base_offset),
            size,
            offset_index_bytes: 8,
            time_index_bytes: 12,
            first_timestamp: Some(base_offset + 1),
            largest_timestamp: Some(base_offset + 9),
        }
    }

    /// Four segments of ten offsets and 100 bytes each.
    fn facts() -> CompactionFacts {
        CompactionFacts {
            segments: (0..4).map(|index| segment(index * 10, 100)).collect(),
            log_start_offset: Offset(0),
            log_end_offset: Offset(40),
            last_stable_offset: Offset(40),
            flushed_offset: Offset(40),
            cleaned_to: None,
        }
    }

    fn check(
        facts: &CompactionFacts,
        policy: &CompactionPolicy,
        now_ms: i64,
        expected: (i64, i64, u64, u64),
    ) {
        let range = compaction_range(facts, policy, now_ms);
        let found = (
            range.first_dirty_offset.0,
            range.first_uncleanable_offset.0,
            range.clean_bytes,
            range.cleanable_bytes,
        );
        assert_eq!(found, expected, "{facts:?}");
    }

    #[test]
    fn everything_but_the_active_segment_is_dirty_at_first() {
        check(&facts(), &POLICY, 0, (0, 30, 0, 300));
    }

    #[test]
    fn what_was_compacted_is_clean() {
        check(&CompactionFacts { cleaned_to: Some(Offset(20)), ..facts() }, &POLICY, 0, (20, 30, 200, 100));
        check(&CompactionFacts { cleaned_to: Some(Offset(30)), ..facts() }, &POLICY, 0, (30, 30, 300, 0));
        // In the middle of a segment, where the keys did not fit: it counts on both sides.
        check(&CompactionFacts { cleaned_to: Some(Offset(15)), ..facts() }, &POLICY, 0, (15, 30, 200, 200));
    }

    #[test]
    fn a_checkpoint_outside_of_the_log_is_not_believed() {
        check(&CompactionFacts { cleaned_to: Some(Offset(41)), ..facts() }, &POLICY, 0, (0, 30, 0, 300));
        let facts = CompactionFacts { log_start_offset: Offset(12), cleaned_to: Some(Offset(10)), ..facts() };
        check(&facts, &POLICY, 0, (12, 30, 200, 200));
    }

    #[test]
    fn undecided_unflushed_and_young_segments_are_left_alone() {
        check(&CompactionFacts { last_stable_offset: Offset(15), ..facts() }, &POLICY, 0, (0, 10, 0, 100));
        check(&CompactionFacts { flushed_offset: Offset(20), ..facts() }, &POLICY, 0, (0, 20, 0, 200));
        let lag = CompactionPolicy { min_compaction_lag_ms: 5, ..POLICY };
        check(&facts(), &lag, 33, (0, 20, 0, 200));
        check(&facts(), &lag, 34, (0, 30, 0, 300));
        // The dirty part begins behind what may be compacted.
        let facts =
            CompactionFacts { last_stable_offset: Offset(5), cleaned_to: Some(Offset(20)), ..facts() };
        check(&facts, &POLICY, 0, (20, 20, 200, 0));
    }

    #[test]
    fn a_log_is_due_by_its_dirty_share_or_by_age() {
        let range = |cleaned_to, policy: &CompactionPolicy, now_ms| {
            compaction_range(
                &CompactionFacts { cleaned_to: Some(Offset(cleaned_to)), ..facts() },
                policy,
                now_ms,
            )
        };
        assert!(range(10, &POLICY, 0).is_due(&POLICY));
        // A third of it.
        assert!(!range(20, &POLICY, 0).is_due(&POLICY));
        let lag = CompactionPolicy { max_compaction_lag_ms: 10, ..POLICY };
        assert!(!range(20, &lag, 31).is_due(&lag));
        assert!(range(20, &lag, 32).is_due(&lag));
        assert!(!range(30, &lag, 99).is_due(&lag), "nothing is dirty");
        let always = CompactionPolicy { min_cleanable_dirty_ratio: 0.0, ..POLICY };
        assert!(!range(30, &always, 0).is_due(&always));
    }

    #[test]
    fn a_log_without_segments_is_not_due() {
        let facts = CompactionFacts { segments: Vec::new(), ..facts() };
        assert!(!compaction_range(&facts, &POLICY, 0).is_due(&POLICY));
    }

    fn groups(segments: &[CompactionSegment], policy: &CompactionPolicy, end: i64) -> Vec<Range<usize>> {
        group_segments(segments, policy, Offset(end))
    }

    #[test]
    fn groups_stay_below_the_size_of_a_segment() {
        let of = |sizes: &[u64]| {
            let segments: Vec<_> =
                sizes.iter().enumerate().map(|(index, size)| segment(index as i64, *size)).collect();
            groups(&segments, &POLICY, sizes.len() as i64)
        };
        assert_eq!(of(&[]), Vec::<Range<usize>>::new());
        assert_eq!(of(&[400, 600, 1, 999, 2000, 1]), vec![0..2, 2..4, 4..5, 5..6]);
        assert_eq!(of(&[100; 20]), vec![0..8, 8..16, 16..20], "time indexes of 12 bytes each");
    }

    #[test]
    fn groups_span_no_more_offsets_than_an_index_can_tell() {
        let far = i64::from(i32::MAX);
        let segments = [segment(0, 1), segment(10, 1), segment(far - 1, 1)];
        assert_eq!(groups(&segments, &POLICY, far + 1), vec![0..3]);
        assert_eq!(groups(&segments, &POLICY, far + 2), vec![0..2, 2..3]);
        // Where there is nothing in it, it does not matter how far it reaches.
        let segments = [segment(0, 1), segment(10, 0)];
        assert_eq!(groups(&segments, &POLICY, far + 100), vec![0..2]);
    }
}
