//! The state: one entry for each producer id, and the rules for what may be appended.

use std::collections::BTreeMap;

use ottla_protocol::records::{NO_SEQUENCE, NO_TIMESTAMP, decrement_sequence};
use ottla_protocol::{ErrorCode, Offset, ProducerEpoch, ProducerId};

use super::transactions::Transactions;
use super::{BATCHES_RETAINED, BatchFacts, CompletedTransaction, Decision, DuplicateBatch, Origin};
use crate::Refusal;

/// Epoch of a producer that nothing is known about.
const NO_EPOCH: ProducerEpoch = ProducerEpoch(-1);

/// What one partition knows about its producers. Node view; lives as long as the partition is open here, saved in
/// `.snapshot` files, rebuilt from the log.
#[derive(Clone, Debug, Default)]
pub struct ProducerState {
    producers: BTreeMap<ProducerId, Entry>,
    transactions: Transactions,
    /// Offset up to which batches were taken in.
    end_offset: Offset,
}

/// What DescribeProducers tells about a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of its last record, or −1.
    pub last_sequence: i32,
    /// Timestamp of its last batch or marker in milliseconds, or −1.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that wrote its last marker, or −1.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, or −1.
    pub current_txn_start_offset: Offset,
}

/// The last thing that a producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// Offset of its last record; none if a marker is all that is known of it.
    pub last_data_offset: Option<Offset>,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) epoch: ProducerEpoch,
    pub(super) coordinator_epoch: i32,
    pub(super) last_timestamp: i64,
    pub(super) current_txn_first_offset: Option<Offset>,
    pub(super) batches: Batches,
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AppendedBatch {
    pub(super) last_sequence: i32,
    pub(super) last_offset: Offset,
    pub(super) offset_delta: i32,
    pub(super) timestamp: i64,
}

/// The last batches, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Batches {
    slots: [AppendedBatch; BATCHES_RETAINED],
    count: usize,
}

impl ProducerState {
    /// The state of an empty partition whose log starts at `offset`.
    pub fn new(offset: Offset) -> ProducerState {
        ProducerState { end_offset: offset, ..ProducerState::default() }
    }

    /// May the batch be appended? Changes nothing.
    ///
    /// Call it for batches with a producer id only, one batch at a time: the next one is judged after
    /// [`appended`](Self::appended) of the one before.
    pub fn check(&self, batch: &BatchFacts, origin: Origin) -> Decision {
        let entry = self.producers.get(&batch.producer_id);
        let verdict = match origin {
            Origin::Client => {
                if let Some(duplicate) = entry.and_then(|entry| entry.duplicate_of(batch)) {
                    return Decision::Duplicate(duplicate);
                }
                check_client(batch, entry)
            }
            Origin::Coordinator { transaction_version } => {
                check_coordinator(batch, entry, transaction_version)
            }
        };
        match verdict {
            Ok(()) => Decision::Append,
            Err(refusal) => Decision::Reject(refusal),
        }
    }

    /// Takes in a batch that is in the log: just appended, or read back when the partition is opened, or replicated.
    ///
    /// `max_timestamp` is that of the batch as it is in the log. The result is a transaction that ended in this batch
    /// and had records in this partition; it belongs into the transaction index if it was aborted.
    ///
    /// Nothing is judged here: what is in the log has happened. Batches without a producer id only move the end offset.
    pub fn appended(
        &mut self,
        batch: &BatchFacts,
        base_offset: Offset,
        max_timestamp: i64,
    ) -> Option<CompletedTransaction> {
        let last_offset = Offset(base_offset.0.saturating_add(i64::from(batch.last_offset_delta)));
        self.advance_end(Offset(last_offset.0.saturating_add(1)));
        if batch.producer_id <= ProducerId::NONE {
            return None;
        }
        match (batch.is_control, batch.marker) {
            (true, Some(marker)) => {
                let entry = self.producers.entry(batch.producer_id).or_insert_with(Entry::new);
                let first_offset =
                    entry.end_transaction(batch.producer_epoch, marker.coordinator_epoch, max_timestamp);
                first_offset.map(|first| {
                    self.transactions.complete(batch.producer_id, first, last_offset, !marker.commit)
                })
            }
            // Compaction took the marker: everything of that transaction is gone from the log.
            (true, None) => None,
            (false, _) => {
                let entry = self.producers.entry(batch.producer_id).or_insert_with(Entry::new);
                entry.take_epoch(batch.producer_epoch);
                entry.batches.push(AppendedBatch {
                    last_sequence: batch.last_sequence(),
                    last_offset,
                    offset_delta: batch.last_offset_delta,
                    timestamp: max_timestamp,
                });
                entry.last_timestamp = max_timestamp;
                let is_ongoing =
                    entry.current_txn_first_offset.is_some() && batch.producer_epoch == entry.epoch;
                if batch.is_transactional && !is_ongoing {
                    entry.current_txn_first_offset = Some(base_offset);
                    self.transactions.start(batch.producer_id, base_offset);
                }
                None
            }
        }
    }

    /// Offset up to which batches were taken in: the offset a snapshot taken now is named by.
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// Batches without a producer id were appended up to `offset`.
    pub fn advance_end(&mut self, offset: Offset) {
        self.end_offset = self.end_offset.max(offset);
    }

    /// The log was cut at its end. False: nothing is to be done. True: the state was emptied; give it the newest
    /// snapshot at or below `log_end_offset` with [`load`](Self::load), then the batches from there on.
    #[must_use]
    pub fn truncated(&mut self, log_start_offset: Offset, log_end_offset: Offset) -> bool {
        if log_end_offset == self.end_offset {
            self.advance_start(log_start_offset);
            return false;
        }
        *self = ProducerState::new(log_start_offset);
        true
    }

    /// The log's start moved. Producers stay known even if all their records are gone.
    pub fn advance_start(&mut self, log_start_offset: Offset) {
        self.transactions.forget_ended_below(log_start_offset);
        self.advance_end(log_start_offset);
    }

    /// The high watermark moved: transactions whose markers are below it are decided for readers too.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.transactions.forget_ended_below(high_watermark);
    }

    /// Offset up to which everything is decided: what readers of committed data may read. Never above the high
    /// watermark, nor below the log's start.
    pub fn last_stable_offset(&self, log_start_offset: Offset, high_watermark: Offset) -> Offset {
        match self.transactions.first_unstable_offset() {
            Some(unstable) => unstable.max(log_start_offset).min(high_watermark),
            None => high_watermark,
        }
    }

    /// Forgets producers that wrote nothing for `producer.id.expiration.ms` and have no open transaction. Returns how
    /// many.
    pub fn remove_expired(&mut self, now: i64, expiration_ms: i64) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, entry| !entry.is_expired(now, expiration_ms));
        before - self.producers.len()
    }

    /// Producers known here (`ProducerIdCount`).
    pub fn producer_count(&self) -> usize {
        self.producers.len()
    }

    /// What DescribeProducers answers, in order of producer ids.
    pub fn active_producers(&self) -> impl Iterator<Item = ActiveProducer> + '_ {
        self.producers.iter().map(|(&producer_id, entry)| ActiveProducer {
            producer_id,
            producer_epoch: entry.epoch,
            last_sequence: entry.last_sequence(),
            last_timestamp: entry.last_timestamp,
            coordinator_epoch: entry.coordinator_epoch,
            current_txn_start_offset: entry.current_txn_first_offset.unwrap_or(Offset::NONE),
        })
    }

    /// What each producer wrote last: compaction keeps its place.
    pub fn last_records(&self) -> impl Iterator<Item = (ProducerId, LastRecord)> + '_ {
        self.producers.iter().map(|(&producer_id, entry)| {
            let last_data_offset = entry.batches.last().map(|batch| batch.last_offset);
            (producer_id, LastRecord { last_data_offset, producer_epoch: entry.epoch })
        })
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (ProducerId, &Entry)> {
        self.producers.iter().map(|(&id, entry)| (id, entry))
    }

    pub(super) fn insert(&mut self, producer_id: ProducerId, entry: Entry) {
        if let Some(first_offset) = entry.current_txn_first_offset {
            self.transactions.start(producer_id, first_offset);
        }
        self.producers.insert(producer_id, entry);
    }

    pub(super) fn set_end_offset(&mut self, offset: Offset) {
        self.end_offset = offset;
    }

    /// Asserts invariant 4, and that open transactions are known in both places.
    pub fn check_invariants(&self) {
        for (id, entry) in &self.producers {
            let batches = entry.batches.as_slice();
            assert!(batches.len() <= BATCHES_RETAINED, "producer {id} has {} batches", batches.len());
            assert!(
                batches.windows(2).all(|pair| pair[0].last_offset < pair[1].last_offset),
                "batches of producer {id} are not in order: {batches:?}"
            );
        }
        let open = self.producers.iter().filter_map(|(&id, e)| e.current_txn_first_offset.map(|o| (o, id)));
        self.transactions.check(open);
    }
}

impl Entry {
    pub(super) fn new() -> Entry {
        Entry {
            epoch: NO_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: NO_TIMESTAMP,
            current_txn_first_offset: None,
            batches: Batches::default(),
        }
    }

    pub(super) fn last_sequence(&self) -> i32 {
        self.batches.last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    fn duplicate_of(&self, batch: &BatchFacts) -> Option<DuplicateBatch> {
        if batch.producer_epoch != self.epoch {
            return None;
        }
        let same = |known: &&AppendedBatch| {
            known.first_sequence() == batch.base_sequence && known.last_sequence == batch.last_sequence()
        };
        self.batches.as_slice().iter().find(same).map(|known| DuplicateBatch {
            base_offset: known.first_offset(),
            last_offset: known.last_offset,
            timestamp: known.timestamp,
        })
    }

    /// A new epoch starts without batches. The log may also go back in epochs; it is followed.
    fn take_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches = Batches::default();
        }
    }

    fn end_transaction(
        &mut self,
        epoch: ProducerEpoch,
        coordinator_epoch: i32,
        timestamp: i64,
    ) -> Option<Offset> {
        self.take_epoch(epoch);
        self.coordinator_epoch = coordinator_epoch;
        self.last_timestamp = timestamp;
        self.current_txn_first_offset.take()
    }

    fn is_expired(&self, now: i64, expiration_ms: i64) -> bool {
        self.current_txn_first_offset.is_none() && now.saturating_sub(self.last_timestamp) >= expiration_ms
    }
}

impl AppendedBatch {
    fn first_sequence(&self) -> i32 {
        decrement_sequence(self.last_sequence, self.offset_delta)
    }

    fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.offset_delta))
    }
}

impl Batches {
    pub(super) fn push(&mut self, batch: AppendedBatch) {
        if self.count == BATCHES_RETAINED {
            self.slots.rotate_left(1);
            self.count -= 1;
        }
        self.slots[self.count] = batch;
        self.count += 1;
    }

    pub(super) fn last(&self) -> Option<&AppendedBatch> {
        self.as_slice().last()
    }

    fn as_slice(&self) -> &[AppendedBatch] {
        &self.slots[..self.count]
    }
}

fn check_client(batch: &BatchFacts, entry: Option<&Entry>) -> Result<(), Refusal> {
    let unknown = Entry::new();
    let entry = entry.unwrap_or(&unknown);
    check_epoch(batch, entry)?;
    let is_ongoing = entry.current_txn_first_offset.is_some() && batch.producer_epoch == entry.epoch;
    if batch.is_transactional && !is_ongoing {
        return Err(invalid_txn_state(batch, "was not added to a transaction"));
    }
    check_sequence(batch, entry)?;
    if !batch.is_transactional && entry.current_txn_first_offset.is_some() {
        return Err(invalid_txn_state(batch, "has a transaction open and wrote outside of it"));
    }
    Ok(())
}

fn check_coordinator(batch: &BatchFacts, entry: Option<&Entry>, version: i16) -> Result<(), Refusal> {
    let Some(entry) = entry else { return Ok(()) };
    let Some(marker) = batch.marker else { return check_epoch(batch, entry) };
    check_marker_epoch(batch, entry, version)?;
    if marker.coordinator_epoch < entry.coordinator_epoch {
        return Err(Refusal::new(
            ErrorCode::TransactionCoordinatorFenced,
            format!(
                "marker for producer {} has coordinator epoch {}, {} was seen",
                batch.producer_id, marker.coordinator_epoch, entry.coordinator_epoch
            ),
        ));
    }
    Ok(())
}

fn check_epoch(batch: &BatchFacts, entry: &Entry) -> Result<(), Refusal> {
    if batch.producer_epoch < entry.epoch { Err(invalid_epoch(batch, entry)) } else { Ok(()) }
}

/// From transaction version 2 on, a marker's epoch is one above that of the records it ends, so an equal epoch is a
/// late marker, unless nothing is open: then it is the same marker again, which does no harm.
//= KIP-890 § producer epoch bump
fn check_marker_epoch(batch: &BatchFacts, entry: &Entry, version: i16) -> Result<(), Refusal> {
    let is_retry =
        || entry.current_txn_first_offset.is_none() || batch.producer_epoch == ProducerEpoch(i16::MAX);
    if version >= 2 && batch.producer_epoch == entry.epoch && !is_retry() {
        return Err(invalid_epoch(batch, entry));
    }
    check_epoch(batch, entry)
}

/// A producer nobody knows may begin with any sequence: its earlier records may have been deleted.
//= KIP-360 § unknown producer ids
fn check_sequence(batch: &BatchFacts, entry: &Entry) -> Result<(), Refusal> {
    let follows = if entry.epoch == NO_EPOCH {
        true
    } else if batch.producer_epoch != entry.epoch {
        batch.base_sequence == 0
    } else {
        in_sequence(entry.last_sequence(), batch.base_sequence)
    };
    if follows {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::OutOfOrderSequenceNumber,
        format!(
            "producer {} sent sequence {} at epoch {} after sequence {} at epoch {}",
            batch.producer_id,
            batch.base_sequence,
            batch.producer_epoch,
            entry.last_sequence(),
            entry.epoch
        ),
    ))
}

fn in_sequence(last: i32, next: i32) -> bool {
    i64::from(next) == i64::from(last) + 1 || (next == 0 && last == i32::MAX)
}

fn invalid_epoch(batch: &BatchFacts, entry: &Entry) -> Refusal {
    Refusal::new(
        ErrorCode::InvalidProducerEpoch,
        format!(
            "producer {} sent epoch {} after epoch {}",
            batch.producer_id, batch.producer_epoch, entry.epoch
        ),
    )
}

fn invalid_txn_state(batch: &BatchFacts, what: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidTxnState, format!("producer {} {what}", batch.producer_id))
}
