//! Leader epochs of a log: which epoch wrote which offsets (KIP-101, KIP-279).
//!
//! Entries are those of `leader-epoch-checkpoint`: epoch and first offset, both ascending.

use ottla_protocol::{LeaderEpoch, Offset};

/// One epoch's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub leader_epoch: LeaderEpoch,
    /// Offset of its first record.
    pub start_offset: Offset,
}

/// An epoch's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch.
    pub leader_epoch: LeaderEpoch,
    /// First offset that is not of this epoch.
    pub end_offset: Offset,
}

/// The end of the largest epoch that is not above `requested`: what OffsetForLeaderEpoch answers, `None` being −1/−1.
///
/// An epoch below all that are known ends where the first known one begins: its records are gone. An epoch above all
/// that are known has no end.
pub fn end_of(entries: &[EpochEntry], requested: LeaderEpoch, log_end_offset: Offset) -> Option<EpochEnd> {
    if requested == LeaderEpoch::NONE {
        return None;
    }
    if entries.last().is_some_and(|last| last.leader_epoch == requested) {
        return Some(EpochEnd { leader_epoch: requested, end_offset: log_end_offset });
    }
    let higher = entries.partition_point(|entry| entry.leader_epoch <= requested);
    let end_offset = entries.get(higher)?.start_offset;
    let leader_epoch = higher.checked_sub(1).map_or(requested, |floor| entries[floor].leader_epoch);
    Some(EpochEnd { leader_epoch, end_offset })
}

/// The epoch that wrote `offset`, if known.
pub fn epoch_of(entries: &[EpochEntry], offset: Offset) -> Option<LeaderEpoch> {
    let after = entries.partition_point(|entry| entry.start_offset <= offset);
    after.checked_sub(1).map(|at| entries[at].leader_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_END: Offset = Offset(50);

    fn entries() -> Vec<EpochEntry> {
        [(2, 10), (4, 20), (7, 40)]
            .map(|(epoch, start)| EpochEntry {
                leader_epoch: LeaderEpoch(epoch),
                start_offset: Offset(start),
            })
            .to_vec()
    }

    fn check(requested: i32, expected: Option<(i32, i64)>) {
        let found = end_of(&entries(), LeaderEpoch(requested), LOG_END);
        assert_eq!(found.map(|end| (end.leader_epoch.0, end.end_offset.0)), expected, "epoch {requested}");
    }

    #[test]
    fn epoch_ends_where_the_next_begins() {
        check(2, Some((2, 20)));
        check(4, Some((4, 40)));
    }

    #[test]
    fn newest_epoch_ends_at_the_log_end() {
        check(7, Some((7, 50)));
    }

    #[test]
    fn epoch_without_records_answers_for_the_one_before() {
        check(3, Some((2, 20)));
        check(6, Some((4, 40)));
    }

    #[test]
    fn epoch_before_the_log_ends_at_the_first_entry() {
        check(0, Some((0, 10)));
    }

    #[test]
    fn epoch_of_the_future_and_no_epoch_have_no_end() {
        check(8, None);
        check(-1, None);
        assert_eq!(end_of(&[], LeaderEpoch(0), LOG_END), None);
    }

    #[test]
    fn offset_belongs_to_the_last_epoch_that_began_before() {
        let found = |offset| epoch_of(&entries(), Offset(offset)).map(|epoch| epoch.0);
        assert_eq!(
            [9, 10, 19, 20, 39, 40, 99].map(found),
            [None, Some(2), Some(2), Some(4), Some(4), Some(7), Some(7)]
        );
    }
}
