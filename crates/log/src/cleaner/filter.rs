//! What stays of a batch: decided from the map of keys, the transactions around it and its producer's state.

use std::collections::HashMap;

use ottla_protocol::records::{BatchHeader, BatchRewriter, RecordBatch, RecordError, rewrite_empty};
use ottla_protocol::{Offset, ProducerId};

use super::LastRecord;
use super::offset_map::{KeyHash, OffsetMap};
use super::transactions::{CleanedTransactions, Marker};
use crate::index::AbortedTxn;

/// Largest size of a batch's records when decompressed: what a produce may have, so nothing that is in a log is larger.
pub(crate) const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// What a cleaning knows.
pub(crate) struct Filter<'f> {
    pub(crate) map: &'f OffsetMap,
    /// Up to here the map knows all keys; what comes after it stays.
    pub(crate) latest_offset: Offset,
    /// The end of what may be compacted.
    pub(crate) first_uncleanable_offset: Offset,
    pub(crate) last_records: &'f HashMap<ProducerId, LastRecord>,
    pub(crate) delete_retention_ms: i64,
    pub(crate) now_ms: i64,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Filtered {
    /// Header of what was written, if anything was.
    pub(crate) header: Option<BatchHeader>,
    /// Records that it had.
    pub(crate) records_read: u64,
    /// Records that it still has.
    pub(crate) records_kept: u64,
    /// Records without key that went: they have no place in a compacted log.
    pub(crate) records_without_key: u64,
    /// The transaction that it marks as aborted, where there is data of it left.
    pub(crate) aborted: Option<AbortedTxn>,
}

/// What is looked at of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    offset: Offset,
    key: Option<KeyHash>,
    is_tombstone: bool,
    /// What was decided.
    stays: bool,
}

/// What happens to the records of a batch that has to stay, or may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    /// None of its records stays.
    discard_records: bool,
    /// It is a marker without data, or data without end.
    marks_nothing: bool,
    /// Its header stays whatever happens to its records.
    keep_empty: bool,
}

impl Filter<'_> {
    /// Appends what stays of a batch to `out`.
    ///
    /// # Errors
    /// The batch cannot be read.
    pub(crate) fn apply(
        &self,
        batch: &RecordBatch<'_>,
        transactions: &mut CleanedTransactions,
        looks: &mut Vec<Look>,
        out: &mut Vec<u8>,
    ) -> Result<Filtered, RecordError> {
        let mut filtered = Filtered::default();
        let verdict = self.judge(batch, transactions, &mut filtered);
        let header = batch.header();
        if verdict.discard_records {
            filtered.records_read = header.record_count.max(0) as u64;
            if verdict.keep_empty {
                filtered.header = Some(rewrite_empty(header, out));
            }
            return Ok(filtered);
        }
        let records = batch.records(DECOMPRESSED_BYTES_MAX)?;
        looks.clear();
        for record in &records {
            let record = record?;
            let key = record.key.filter(|_| !batch.is_control() && record.offset <= self.latest_offset);
            looks.push(Look {
                offset: record.offset,
                key: key.map(|key| self.map.hash(key)),
                is_tombstone: record.value.is_none(),
                stays: true,
            });
        }
        self.map.touch(looks.iter().filter_map(|look| look.key));
        let mut has_tombstones = false;
        for look in looks.iter_mut() {
            look.stays = batch.is_control() || self.keeps(header, look, &mut filtered);
            filtered.records_kept += u64::from(look.stays);
            has_tombstones |= look.stays && look.is_tombstone;
        }
        filtered.records_read = looks.len() as u64;
        if filtered.records_kept == 0 {
            if verdict.keep_empty {
                filtered.header = Some(rewrite_empty(header, out));
            }
            return Ok(filtered);
        }
        //= KIP-534: the first compaction that could remove it says from when on a later one may.
        let known = header.delete_horizon_ms();
        let new_horizon = (has_tombstones || verdict.marks_nothing) && known.is_none();
        if filtered.records_kept == filtered.records_read && !new_horizon {
            out.extend_from_slice(batch.bytes());
            filtered.header = Some(*header);
            return Ok(filtered);
        }
        let horizon = match new_horizon {
            // The base timestamp of a batch cannot be negative, and a negative retention there is not.
            true => Some(self.now_ms.saturating_add(self.delete_retention_ms)),
            false => known,
        };
        let mut rewriter = BatchRewriter::new(header, horizon, out)?;
        for (record, _) in records.iter().zip(&*looks).filter(|(_, look)| look.stays) {
            rewriter.keep(&record?);
        }
        filtered.header = Some(rewriter.finish());
        Ok(filtered)
    }

    fn judge(
        &self,
        batch: &RecordBatch<'_>,
        transactions: &mut CleanedTransactions,
        filtered: &mut Filtered,
    ) -> Verdict {
        let header = batch.header();
        let (discard_records, marks_nothing) = if batch.is_control() {
            let marker = transactions.on_control(batch);
            if let Marker::Needed(aborted) = marker {
                filtered.aborted = aborted;
            }
            let unneeded = marker == Marker::Unneeded;
            let is_over = header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.now_ms);
            (unneeded && is_over, unneeded)
        } else {
            (transactions.on_data(batch), false)
        };
        // The last sequence number of a producer is known from its last batch; what fences the epochs before its own is
        // its last marker, if that is all there is.
        let is_last_of_producer = header.has_producer_id()
            && self.last_records.get(&header.producer_id).is_some_and(|last| match last.last_data_offset {
                Some(offset) => batch.last_offset() == offset,
                None => batch.is_control() && header.producer_epoch == last.producer_epoch,
            });
        let is_end = batch.next_offset() == self.first_uncleanable_offset;
        Verdict { discard_records, marks_nothing, keep_empty: is_last_of_producer || is_end }
    }

    /// Whether a record stays.
    fn keeps(&self, header: &BatchHeader, record: &Look, filtered: &mut Filtered) -> bool {
        if record.offset > self.latest_offset {
            return true;
        }
        let Some(key) = record.key else {
            filtered.records_without_key += 1;
            return false;
        };
        let is_newest = self.map.get(key).is_none_or(|newest| record.offset >= newest);
        let is_wanted =
            !record.is_tombstone || header.delete_horizon_ms().is_none_or(|horizon| self.now_ms < horizon);
        is_newest && is_wanted
    }
}
