//! Transactions of one partition, and where they leave the last stable offset.

use std::collections::BTreeMap;

use ottla_protocol::{Offset, ProducerId};

/// A transaction that ended, with records in this partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: Offset,
    /// Aborted: readers of committed data skip its records.
    pub is_aborted: bool,
    /// Offset below which everything was decided when it ended: the transaction index keeps it, so that a search can
    /// stop early.
    pub last_stable_offset: Offset,
}

/// By first offset, which is unique: it is a record of that transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    open: BTreeMap<Offset, ProducerId>,
    /// First offset → offset of the marker; kept until the marker is below the high watermark.
    unreplicated: BTreeMap<Offset, Offset>,
}

impl Transactions {
    pub(super) fn start(&mut self, producer_id: ProducerId, first_offset: Offset) {
        self.open.insert(first_offset, producer_id);
    }

    pub(super) fn complete(
        &mut self,
        producer_id: ProducerId,
        first_offset: Offset,
        last_offset: Offset,
        is_aborted: bool,
    ) -> CompletedTransaction {
        self.open.remove(&first_offset);
        self.unreplicated.insert(first_offset, last_offset);
        let next_open = self.open.keys().next().copied();
        let last_stable_offset = next_open.unwrap_or(Offset(last_offset.0 + 1));
        CompletedTransaction { producer_id, first_offset, last_offset, is_aborted, last_stable_offset }
    }

    pub(super) fn first_unstable_offset(&self) -> Option<Offset> {
        let open = self.open.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        open.into_iter().chain(unreplicated).min().copied()
    }

    /// Forgets ended transactions whose marker is below `offset`.
    pub(super) fn forget_ended_below(&mut self, offset: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, marker| *marker >= offset);
        }
    }

    /// Asserts that `open` are exactly the open transactions.
    pub(super) fn check(&self, open: impl Iterator<Item = (Offset, ProducerId)>) {
        let expected: BTreeMap<_, _> = open.collect();
        assert_eq!(self.open, expected, "open transactions differ from what the producers say");
        for (first, marker) in &self.unreplicated {
            assert!(first < marker, "transaction at {first} ends before it begins, at {marker}");
        }
    }
}
