//! Appending: what clients produce and what the broker writes itself, from the first check to the wait for its commit.

use super::{Partition, State, Ticket, Until};
use crate::node::clock;
use crate::node::detour::Detour;
use ottla_config::{CompressionType, TimestampType};
use ottla_log::RollFacts;
use ottla_protocol::records::{
    self, BatchBytes, Compression, InvalidRecord, Recompression, Rejection, Rules, ValidBatch,
};
use ottla_protocol::{ErrorCode, Offset, ProducerId};
use ottla_replica::Refusal;
use ottla_replica::partition::Input;
use ottla_replica::producer::{BatchFacts, Decision, Origin};
use std::sync::Arc;

/// Largest size of a batch's records when decompressed: far above what a client can need, far below what would hold a
/// data thread up for seconds.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// A batch that is in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// The time of the append, where that is the records' timestamp.
    pub log_append_time: Option<i64>,
    /// First offset of the partition that may be read.
    pub log_start_offset: Offset,
    /// The ticket that came with it waits; otherwise there is nothing to wait for.
    pub waits: bool,
}

/// What a write did.
struct Written {
    base_offset: Offset,
    /// The log's end after it.
    end: Offset,
    /// `flush.messages` asks for a flush of it.
    is_flush_due: bool,
}

/// Why a batch is not in the log.
#[derive(Clone, Debug)]
pub(crate) struct AppendError {
    /// What the client is told.
    pub code: ErrorCode,
    /// Its text, where there is one.
    pub message: Option<String>,
    /// Records that are at fault.
    pub record_errors: Vec<InvalidRecord>,
    /// First offset of the partition that may be read, or −1 where that is not said.
    pub log_start_offset: Offset,
}

impl From<ErrorCode> for AppendError {
    fn from(code: ErrorCode) -> Self {
        AppendError { code, message: None, record_errors: Vec::new(), log_start_offset: Offset::NONE }
    }
}

impl From<Rejection> for AppendError {
    fn from(rejection: Rejection) -> Self {
        let Rejection { error, message, record_errors, .. } = rejection;
        AppendError { message, record_errors, ..AppendError::from(error) }
    }
}

impl From<Refusal> for AppendError {
    fn from(refusal: Refusal) -> Self {
        AppendError::from(refusal.error)
    }
}

impl Partition {
    /// Appends the records that a client sent. With `acks` −1 the ticket waits until they are committed; with other acks
    /// only where `flush.messages` asks for a flush of this very append.
    pub(crate) fn produce(
        self: &Arc<Self>,
        bytes: &[u8],
        produce_version: i16,
        acks: i16,
        now_ms: i64,
        ticket: Ticket,
    ) -> Result<Appended, AppendError> {
        if !(-1..=1).contains(&acks) {
            return Err(ErrorCode::InvalidRequiredAcks.into());
        }
        self.check_online()?;
        self.check_room()?;
        self.state.lock().replica.check_produce(acks)?;
        let settings = self.settings.load();
        let rules = Rules {
            topic: &self.topic,
            partition: self.index,
            produce_version,
            max_message_bytes: settings.max_message_bytes,
            compacted: settings.cleanup_policy.compact,
            compression: recompression(settings.compression_type),
            timestamp_type: match settings.message_timestamp_type {
                TimestampType::CreateTime => records::TimestampType::CreateTime,
                TimestampType::LogAppendTime => records::TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: settings.message_timestamp_before_max_ms,
            timestamp_after_max_ms: settings.message_timestamp_after_max_ms,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
        };
        let valid = records::validate(bytes, &rules, now_ms).map_err(|rejection| {
            tracing::debug!(topic = %self.topic, partition = self.index, reason = rejection.reason, "batch refused");
            let log_start_offset =
                if rejection.tells_log_start { self.log_start_offset() } else { Offset::NONE };
            AppendError { log_start_offset, ..AppendError::from(rejection) }
        })?;
        if valid.is_transactional {
            // Nobody can have begun a transaction: there is no coordinator that would have told us. Kafka answers so when
            // it cannot ask its coordinator.
            return Err(ErrorCode::NotEnoughReplicas.into());
        }
        self.locked(|state| self.append_valid(state, valid, acks, now_ms, ticket))
    }

    fn append_valid(
        &self,
        state: &mut State,
        valid: ValidBatch<'_>,
        acks: i16,
        now_ms: i64,
        ticket: Ticket,
    ) -> Result<Appended, AppendError> {
        // Leadership, or the disk, may have gone while the records were looked at.
        self.check_online()?;
        state.replica.check_produce(acks)?;
        let log_start_offset = state.log.log_start_offset();
        let facts = BatchFacts::of_header(&valid.batch.header(), None);
        if valid.producer_id != ProducerId::NONE {
            match state.producers.check(&facts, Origin::Client) {
                Decision::Append => {}
                Decision::Duplicate(first) => {
                    let end = Offset(first.last_offset.0 + 1);
                    return Ok(Appended {
                        base_offset: first.base_offset,
                        log_append_time: Some(first.timestamp),
                        log_start_offset,
                        waits: acks == -1 && self.wait(state, Until::Committed, end, ticket)?,
                    });
                }
                Decision::Reject(refusal) => {
                    let reason = &refusal.reason;
                    tracing::debug!(topic = %self.topic, partition = self.index, reason, "batch refused");
                    return Err(AppendError { log_start_offset, ..refusal.into() });
                }
            }
        }
        let written = self.write(state, valid.batch, &facts, valid.max_timestamp, now_ms)?;
        let waits = match acks {
            -1 => self.wait(state, Until::Committed, written.end, ticket)?,
            _ => written.is_flush_due && self.wait(state, Until::Flushed, written.end, ticket)?,
        };
        let (base_offset, log_append_time) = (written.base_offset, valid.log_append_time);
        Ok(Appended { base_offset, log_append_time, log_start_offset, waits })
    }

    /// Appends a batch that this broker made itself. The ticket hears in any case how it ended: that the batch is
    /// committed, or why it is not in the log.
    pub(crate) fn append(self: &Arc<Self>, batch: Vec<u8>, ticket: Ticket) {
        if let Err(error) = self.check_online() {
            // Somebody may hang there with the lock.
            ticket.waiter.ended(ticket.number, Err(error));
            return ticket.waiter.wake();
        }
        if !self.is_stuck() {
            return self.append_here(&batch, ticket);
        }
        let (this, size, refused) = (Arc::clone(self), batch.len(), ticket.clone());
        if !self.append_aside(size, move || this.append_here(&batch, ticket)) {
            refused.waiter.ended(refused.number, Err(ErrorCode::RequestTimedOut));
            refused.waiter.wake();
        }
    }

    /// Has an append made by the thread of a directory whose disk is stuck; false if too many wait for that.
    #[must_use]
    pub(crate) fn append_aside(&self, size: usize, append: impl FnOnce() + Send + 'static) -> bool {
        Detour::take(&self.dir(), size, append)
    }

    fn append_here(self: &Arc<Self>, batch: &[u8], ticket: Ticket) {
        let number = ticket.number;
        let waiter = Arc::clone(&ticket.waiter);
        let waits = self.locked(|state| {
            let waits = self.append_own(state, batch, ticket);
            match waits {
                Ok(true) => {}
                Ok(false) => waiter.ended(number, Ok(())),
                Err(error) => waiter.ended(number, Err(error)),
            }
            waits == Ok(true)
        });
        if !waits {
            waiter.wake();
        }
    }

    fn append_own(&self, state: &mut State, batch: &[u8], ticket: Ticket) -> Result<bool, ErrorCode> {
        self.check_online()?;
        state.replica.check_produce(-1).map_err(|refusal| refusal.error)?;
        let batch = BatchBytes::new(batch).map_err(|_| ErrorCode::UnknownServerError)?;
        let (facts, max_timestamp) =
            (BatchFacts::of_header(&batch.header(), None), batch.header().max_timestamp);
        let written = self.write(state, batch, &facts, max_timestamp, clock::now_ms())?;
        self.wait(state, Until::Committed, written.end, ticket)
    }

    fn write(
        &self,
        state: &mut State,
        mut batch: BatchBytes<'_>,
        facts: &BatchFacts,
        max_timestamp: i64,
        now_ms: i64,
    ) -> Result<Written, ErrorCode> {
        let header = batch.header();
        let roll = RollFacts {
            size: batch.size(),
            max_timestamp,
            last_offset: Offset(state.log.log_end_offset().0 + i64::from(header.last_offset_delta)),
        };
        if state.log.should_roll(&roll, now_ms).map_err(|error| self.storage_error(error))? {
            state.roll(now_ms).map_err(|error| self.storage_error(error))?;
        }
        let leader_epoch = state.replica.leader_epoch();
        let appended =
            state.log.append(&mut batch, leader_epoch, now_ms).map_err(|error| self.storage_error(error))?;
        self.dir.load().room().take(appended.size);
        state.producers.appended(facts, appended.first_offset, max_timestamp);
        state.wants_flush |= appended.is_flush_due || appended.has_rolled;
        let end = state.log.log_end_offset();
        self.step(state, now_ms, Input::Appended { log_end_offset: end });
        Ok(Written { base_offset: appended.first_offset, end, is_flush_due: appended.is_flush_due })
    }
}

/// How batches are to be compressed, if not as they come. Kafka's −1 is gzip's own default.
fn recompression(compression_type: CompressionType) -> Option<Recompression> {
    let (compression, level) = match compression_type {
        CompressionType::Producer => return None,
        CompressionType::Uncompressed => (Compression::None, None),
        CompressionType::Gzip(level) => (Compression::Gzip, Some(level).filter(|level| *level >= 0)),
        CompressionType::Snappy => (Compression::Snappy, None),
        CompressionType::Lz4(level) => (Compression::Lz4, Some(level)),
        CompressionType::Zstd(level) => (Compression::Zstd, Some(level)),
    };
    Some(Recompression { compression, level })
}
