//! Producer state to and from the entries of a `.snapshot` file.
//!
//! A snapshot keeps one batch of each producer, not five: after a restart an older duplicate is out of order. It has no
//! transactions that ended at or above the high watermark: their records may be read a little early after a restart,
//! which is harmless, for the transaction index has those that were aborted.

use ottla_protocol::Offset;
use ottla_protocol::records::producer_snapshot::ProducerSnapshotEntry;

use super::ProducerState;
use super::state::{AppendedBatch, Entry};

impl ProducerState {
    /// The entries of a snapshot at [`end_offset`](Self::end_offset), in order of producer ids.
    pub fn snapshot(&self) -> Vec<ProducerSnapshotEntry> {
        self.entries()
            .map(|(producer_id, entry)| {
                let last = entry.batches.last();
                ProducerSnapshotEntry {
                    producer_id,
                    producer_epoch: entry.epoch,
                    last_sequence: entry.last_sequence(),
                    last_offset: last.map_or(Offset::NONE, |batch| batch.last_offset),
                    offset_delta: last.map_or(0, |batch| batch.offset_delta),
                    timestamp: entry.last_timestamp,
                    coordinator_epoch: entry.coordinator_epoch,
                    current_txn_first_offset: entry.current_txn_first_offset.unwrap_or(Offset::NONE),
                }
            })
            .collect()
    }

    /// Fills an empty state from a snapshot named by `offset`; producers that are expired at `now` stay away.
    pub fn load(&mut self, offset: Offset, entries: &[ProducerSnapshotEntry], now: i64, expiration_ms: i64) {
        assert_eq!(self.producer_count(), 0, "a snapshot is loaded into an empty state");
        for saved in entries {
            let mut entry = Entry::new();
            entry.epoch = saved.producer_epoch;
            entry.coordinator_epoch = saved.coordinator_epoch;
            entry.last_timestamp = saved.timestamp;
            entry.current_txn_first_offset =
                (saved.current_txn_first_offset > Offset::NONE).then_some(saved.current_txn_first_offset);
            if saved.last_offset > Offset::NONE {
                entry.batches.push(AppendedBatch {
                    last_sequence: saved.last_sequence,
                    last_offset: saved.last_offset,
                    offset_delta: saved.offset_delta,
                    timestamp: saved.timestamp,
                });
            }
            self.insert(saved.producer_id, entry);
        }
        self.remove_expired(now, expiration_ms);
        self.set_end_offset(offset);
    }
}
