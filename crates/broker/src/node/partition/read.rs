//! Reading: regions for fetches, batches for the broker itself, offsets by timestamp and by epoch.

use super::{Partition, View};
use ottla_log::{FileRegion, LogError};
use ottla_protocol::records::{RecordBatch, RecordError, batches};
use ottla_protocol::{ErrorCode, LeaderEpoch, Offset, ProducerId};
use ottla_replica::budget::ReadLimit;
use ottla_replica::partition::epochs::{EpochEnd, EpochEntry};
use ottla_replica::partition::fetch::{FetchIsolation, Window, diverging_epoch, window};
use ottla_replica::partition::list_offsets::{self, Facts, Found, Plan, Query};
use ottla_replica::partition::{self as replica, Offsets, epochs};
use std::ops::ControlFlow;

/// Why a partition cannot be read through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    /// The disk refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A batch is damaged.
    #[error(transparent)]
    Batch(#[from] RecordError),
}

/// What a reader asks of a partition.
#[derive(Clone, Copy, Debug)]
pub struct ReadAsk {
    /// Where to begin.
    pub fetch_offset: Offset,
    /// The leader epoch that the reader knows, or −1.
    pub current_leader_epoch: LeaderEpoch,
    /// Epoch of the last record that the reader has, or −1.
    pub last_fetched_epoch: LeaderEpoch,
    /// How far it may see.
    pub isolation: FetchIsolation,
    /// How much it may get.
    pub limit: ReadLimit,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub struct ReadOutcome {
    /// Where the partition begins and ends.
    pub offsets: Offsets,
    /// Record batches, from the one with the fetch offset on.
    pub region: Option<FileRegion>,
    /// Aborted transactions in the region, for a reader of committed data.
    pub aborted: Option<Vec<(ProducerId, Offset)>>,
    /// Where the reader's log differs from this one.
    pub diverging: Option<EpochEnd>,
}

impl ReadOutcome {
    /// A reader of committed data is told of aborted transactions, if only that there are none.
    fn with_isolation(mut self, isolation: FetchIsolation) -> ReadOutcome {
        if isolation == FetchIsolation::TxnCommitted {
            self.aborted.get_or_insert_default();
        }
        self
    }
}

impl Partition {
    /// Finds what a reader may get.
    pub fn read(&self, ask: &ReadAsk) -> Result<ReadOutcome, ErrorCode> {
        self.check_online()?;
        let View { standing, offsets, .. } = *self.view.read();
        standing.check_request(ask.current_leader_epoch, true).map_err(|refusal| refusal.error)?;
        let mut outcome = ReadOutcome { offsets, region: None, aborted: None, diverging: None };
        if ask.last_fetched_epoch != LeaderEpoch::NONE {
            let diverging =
                diverging_epoch(&self.epochs(), &offsets, ask.fetch_offset, ask.last_fetched_epoch);
            outcome.diverging = diverging.map_err(|refusal| refusal.error)?;
            if outcome.diverging.is_some() {
                return Ok(outcome);
            }
        }
        let window = window(&offsets, ask.fetch_offset, ask.isolation).map_err(|refusal| refusal.error)?;
        let Window::Read { end } = window else { return Ok(outcome.with_isolation(ask.isolation)) };
        let max_bytes = u32::try_from(ask.limit.max_bytes).unwrap_or(u32::MAX);
        let read = self.reader.load().read(ask.fetch_offset, max_bytes, end, ask.limit.min_one_batch);
        outcome.region = match read {
            Ok(read) => read.region,
            Err(LogError::OffsetOutOfRange { .. }) => return Err(ErrorCode::OffsetOutOfRange),
            Err(error) => return Err(self.storage_error(error)),
        };
        if ask.isolation == FetchIsolation::TxnCommitted && outcome.region.is_some() {
            let aborted = self
                .reader
                .load()
                .aborted_txns(ask.fetch_offset, end)
                .map_err(|error| self.storage_error(error))?;
            outcome.aborted =
                Some(aborted.into_iter().map(|one| (one.producer_id, one.first_offset)).collect());
        }
        Ok(outcome.with_isolation(ask.isolation))
    }

    /// Visits all batches from the one on that holds `from`, for this broker's own use, reading about `chunk_bytes` at a
    /// time, and over what is damaged; until `end`, or until `visit` has seen enough.
    pub(crate) fn each_batch(
        &self,
        from: Offset,
        end: Offset,
        chunk_bytes: u32,
        mut visit: impl FnMut(&RecordBatch<'_>) -> ControlFlow<()>,
    ) -> Result<(), ScanError> {
        let mut next = from;
        while next < end {
            let read = match self.reader.load().read(next, chunk_bytes, end, true) {
                Err(LogError::Corrupt { .. }) if let Some(end) = self.reader.load().end_of_damage(next) => {
                    tracing::error!(topic = %self.topic, partition = self.index, from = %next, %end, "damage, read over");
                    next = end;
                    continue;
                }
                other => other?,
            };
            let Some(region) = read.region else { return Ok(()) };
            let region = match region.verified() {
                // It is known now, and met again.
                Err(LogError::Corrupt { .. }) if self.reader.load().end_of_damage(next).is_some() => continue,
                verified => verified?,
            };
            let mut bytes = Vec::with_capacity(region.len());
            region.read(&mut bytes)?;
            for batch in batches(&bytes) {
                let batch = match batch {
                    // A chunk has at least one whole batch; the one that it ends in comes with the next.
                    Err(RecordError::Truncated { .. }) if next > from => break,
                    other => other?,
                };
                next = batch.next_offset();
                if visit(&batch).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads a region from the disk and compares its checksums: where a reader would have to wait for the disk anyway.
    /// Blocks for as long as that takes.
    pub(crate) fn verified(&self, region: FileRegion) -> Result<FileRegion, ErrorCode> {
        region.verified().map_err(|error| self.storage_error(error))
    }

    /// Answers one question of ListOffsets.
    pub fn list_offset(
        &self,
        query: &Query,
        current_leader_epoch: LeaderEpoch,
    ) -> Result<list_offsets::Answer, ErrorCode> {
        self.check_online()?;
        let View { standing, offsets, epoch_start_offset } = *self.view.read();
        let needs_leader = query.replica_id != replica::fetch::DEBUGGING_REPLICA_ID;
        let checked = standing.check_request(current_leader_epoch, needs_leader);
        checked.map_err(|refusal| refusal.error)?;
        let (leader_epoch, epochs) = (standing.leader_epoch, self.epochs());
        let facts = Facts { offsets, leader_epoch, epoch_start_offset, epochs: &epochs };
        let plan = list_offsets::plan(query, &facts).map_err(|refusal| refusal.error)?;
        let found = match plan {
            Plan::Answer(answer) => return Ok(answer),
            Plan::SearchTimestamp(timestamp) => self.reader.load().offset_for_timestamp(timestamp),
            Plan::SearchMaxTimestamp => self.reader.load().offset_of_max_timestamp(),
        };
        let found = found.map_err(|error| self.storage_error(error))?.map(|found| Found {
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch.unwrap_or(LeaderEpoch::NONE),
        });
        list_offsets::finish(query, &facts, found).map_err(|refusal| refusal.error)
    }

    /// Where an epoch ended.
    pub fn epoch_end(
        &self,
        current_leader_epoch: LeaderEpoch,
        epoch: LeaderEpoch,
    ) -> Result<Option<EpochEnd>, ErrorCode> {
        self.check_online()?;
        let View { standing, offsets, .. } = *self.view.read();
        standing.check_request(current_leader_epoch, true).map_err(|refusal| refusal.error)?;
        Ok(epochs::end_of(&self.epochs(), epoch, offsets.log_end_offset))
    }

    fn epochs(&self) -> Vec<EpochEntry> {
        let entry = |entry: &ottla_log::EpochEntry| EpochEntry {
            leader_epoch: entry.epoch,
            start_offset: entry.start_offset,
        };
        self.reader.load().epochs().entries().iter().map(entry).collect()
    }
}
