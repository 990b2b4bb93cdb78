//! Which leader epoch begins at which offset (KIP-101): what lets a follower find out where its log departs from its
//! leader's, and a consumer that what it read is gone.

use ottla_protocol::{LeaderEpoch, Offset};

/// An epoch and the offset of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Where it begins.
    pub start_offset: Offset,
}

/// The epochs of one log. Both epochs and offsets grow from entry to entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<EpochEntry>,
}

impl EpochCache {
    /// The entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// The epoch of the record at an offset, if it is known.
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        Some(self.entries.get(after.checked_sub(1)?)?.epoch)
    }

    /// Where an epoch ends, as OffsetForLeaderEpoch answers it: the largest epoch known that is not above `epoch`, and
    /// the offset at which the next one begins. For the newest epoch that is the end of the log; for one older than all
    /// that are known, the epoch itself with the start of the oldest.
    pub fn end_offset_for(
        &self,
        epoch: LeaderEpoch,
        log_end_offset: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if epoch == LeaderEpoch::NONE {
            return None;
        }
        if self.latest().is_some_and(|latest| latest.epoch == epoch) {
            return Some((epoch, log_end_offset));
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end = self.entries.get(higher)?.start_offset;
        let floor = higher.checked_sub(1).map_or(epoch, |floor| self.entries[floor].epoch);
        Some((floor, end))
    }

    /// Notes that an epoch begins at an offset; later entries that contradict it go. Says whether anything changed.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        if epoch.0 < 0 || start_offset.0 < 0 {
            return false;
        }
        let known = |latest: EpochEntry| latest.epoch == epoch && start_offset >= latest.start_offset;
        if self.latest().is_some_and(known) {
            return false;
        }
        let contradicts = |entry: &EpochEntry| entry.epoch >= epoch || entry.start_offset >= start_offset;
        while self.entries.last().is_some_and(contradicts) {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// The same for batches that are read again: they say nothing new about epochs that are known.
    pub(crate) fn assign_newer(&mut self, epoch: LeaderEpoch, start_offset: Offset) {
        if self.latest().is_none_or(|latest| latest.epoch < epoch) {
            self.assign(epoch, start_offset);
        }
    }

    /// Forgets epochs that begin at or after the end of the log. Says whether anything changed.
    pub(crate) fn truncate_from_end(&mut self, end_offset: Offset) -> bool {
        let kept = self.entries.partition_point(|entry| entry.start_offset < end_offset);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Forgets epochs that end at or before the start of the log; the one that goes on there begins there. Says whether
    /// anything changed.
    pub(crate) fn truncate_from_start(&mut self, start_offset: Offset) -> bool {
        let gone = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        let Some(last) = gone.checked_sub(1) else { return false };
        let moved = EpochEntry { start_offset, ..self.entries[last] };
        let changed = last > 0 || self.entries[last] != moved;
        self.entries.splice(..gone, [moved]);
        changed
    }

    /// Forgets everything. Says whether anything changed.
    pub(crate) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.entries).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(i32, i64)]) -> EpochCache {
        let mut cache = EpochCache::default();
        for &(epoch, offset) in entries {
            assert!(cache.assign(LeaderEpoch(epoch), Offset(offset)));
        }
        cache
    }

    fn end(cache: &EpochCache, epoch: i32) -> Option<(i32, i64)> {
        cache.end_offset_for(LeaderEpoch(epoch), Offset(100)).map(|(epoch, end)| (epoch.0, end.0))
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let cache = cache(&[(2, 10), (4, 20), (5, 30)]);
        assert_eq!(end(&cache, 2), Some((2, 20)));
        assert_eq!(end(&cache, 3), Some((2, 20)), "an epoch without records is the one before");
        assert_eq!(end(&cache, 4), Some((4, 30)));
        assert_eq!(end(&cache, 5), Some((5, 100)), "the newest ends with the log");
        assert_eq!(end(&cache, 6), None, "not known yet");
        assert_eq!(end(&cache, 1), Some((1, 10)), "older than all");
        assert_eq!(end(&cache, -1), None);
        assert_eq!(end(&EpochCache::default(), 0), None);
    }

    #[test]
    fn a_new_entry_removes_those_it_contradicts() {
        let mut epochs = cache(&[(2, 10), (4, 20), (5, 30)]);
        assert!(!epochs.assign(LeaderEpoch(5), Offset(40)), "the epoch goes on");
        assert!(epochs.assign(LeaderEpoch(4), Offset(25)));
        assert_eq!(epochs, cache(&[(2, 10), (4, 25)]));
        assert!(epochs.assign(LeaderEpoch(9), Offset(10)));
        assert_eq!(epochs, cache(&[(9, 10)]));
    }

    #[test]
    fn truncating_moves_the_first_and_removes_the_last() {
        let mut epochs = cache(&[(2, 10), (4, 20), (5, 30)]);
        assert!(epochs.truncate_from_end(Offset(30)));
        assert!(epochs.truncate_from_start(Offset(15)));
        assert_eq!(epochs, cache(&[(2, 15), (4, 20)]));
        assert!(!epochs.truncate_from_start(Offset(15)));
        assert!(!epochs.truncate_from_start(Offset(3)));
        assert!(epochs.truncate_from_start(Offset(20)));
        assert_eq!(epochs, cache(&[(4, 20)]));
        assert_eq!(epochs.epoch_for(Offset(19)), None);
        assert_eq!(epochs.epoch_for(Offset(21)), Some(LeaderEpoch(4)));
    }
}
