//! One partition on this broker: the only place where a log meets the decisions about it.
//!
//! ```text
//! produce:  may I lead? → records::validate → is the sequence right? → log::append → flush → high watermark → who waits
//! fetch:    may I answer? → window of the reader → log::read → a region of a segment file
//! ```
//!
//! The state is behind one lock, held for an append or for finding a region, never while records are validated or sent.
//! No thread ever holds the locks of two partitions.

mod clean;
mod close;
mod commit;
mod flush;
mod open;
mod relocate;
#[cfg(test)]
pub(super) mod tests;
mod upkeep;

pub(crate) use commit::{Ticket, Until, Waiter};
pub(super) use upkeep::Checkpointed;

use super::clock;
use super::detour::Detour;
use super::dir_state::DirState;
use super::waiters::Waiters;
use arc_swap::{ArcSwap, ArcSwapOption};
use commit::Waits;
use flush::FlushState;
pub(in crate::node) use flush::Flushing;
use ottla_config::{CompressionType, TimestampType, TopicSettings};
use ottla_log::{FileRegion, Log, LogConfig, LogError, LogReader, RollFacts};
use ottla_protocol::records::{
    self, BatchBytes, Compression, InvalidRecord, Recompression, RecordBatch, RecordError, Rejection, Rules,
    ValidBatch, batches, producer_snapshot,
};
use ottla_protocol::{ByteString, ErrorCode, LeaderEpoch, Offset, ProducerId, TopicId};
use ottla_replica::Refusal;
use ottla_replica::budget::ReadLimit;
use ottla_replica::partition::epochs::{EpochEnd, EpochEntry};
use ottla_replica::partition::fetch::{FetchIsolation, Window, diverging_epoch, window};
use ottla_replica::partition::list_offsets::{self, Facts, Found, Plan, Query};
use ottla_replica::partition::{
    self as replica, Acks, Effect, Input, Offsets, Registration, Standing, delete_records, epochs,
};
use ottla_replica::producer::{ActiveProducer, BatchFacts, Decision, Origin, ProducerState};
use parking_lot::{Mutex, RwLock};
pub(crate) use relocate::MoveStep;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Largest size of a batch's records when decompressed: far above what a client can need, far below what would hold a
/// data thread up for seconds.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// One partition.
pub struct Partition {
    /// Name of its topic.
    pub topic: ByteString,
    /// Id of its topic.
    pub topic_id: TopicId,
    /// Its number in the topic.
    pub index: i32,
    /// Its log directory; another one after it was moved.
    dir: ArcSwap<DirState>,
    /// Fetches that wait for it.
    pub waiters: Waiters,
    /// Who waits for a commit.
    waits: Waits,
    flush: FlushState,
    settings: ArcSwap<TopicSettings>,
    /// Reads the log without the lock.
    reader: ArcSwap<LogReader>,
    /// The copy of it that is made in another directory.
    moving: ArcSwapOption<relocate::Moving>,
    cleaner: clean::CleanerState,
    /// What readers need of the state.
    view: RwLock<View>,
    state: Mutex<State>,
}

/// What the state was when its lock was last let go: readers look at this, and wait for no append, nor for a disk that
/// an append waits for.
#[derive(Clone, Copy)]
struct View {
    standing: Standing,
    offsets: Offsets,
    epoch_start_offset: Option<Offset>,
}

struct State {
    log: Log,
    replica: replica::Partition,
    producers: ProducerState,
    effects: Vec<Effect>,
    /// Everything below survives a power failure.
    flushed_offset: Offset,
    /// The replica wants a flush.
    wants_flush: bool,
    /// Somebody may have waited for what happened.
    has_moved: bool,
    /// Its directory is a partition's no more.
    is_deleted: bool,
}

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

impl Partition {
    /// The topic's settings.
    pub fn settings(&self) -> Arc<TopicSettings> {
        self.settings.load_full()
    }

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
                        waits: acks == -1 && self.wait(state, Until::Committed, end, ticket),
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
            -1 => self.wait(state, Until::Committed, written.end, ticket),
            _ => written.is_flush_due && self.wait(state, Until::Flushed, written.end, ticket),
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

    /// Whether an append might have to wait for the disk. Then it is to be made by [`append_aside`](Self::append_aside),
    /// as all are until those are done, so that they stay in order.
    pub(crate) fn is_stuck(&self) -> bool {
        let dir = self.dir.load();
        dir.is_online() && dir.is_stuck()
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
        Ok(self.wait(state, Until::Committed, written.end, ticket))
    }

    /// Lets a ticket wait, unless there is nothing to wait for.
    fn wait(&self, state: &mut State, until: Until, required: Offset, ticket: Ticket) -> bool {
        let waits = match until {
            Until::Committed => {
                let acks = state.replica.acks(required);
                // What has ended badly is told like what ends later.
                state.has_moved |= matches!(acks, Acks::Failed(_));
                acks != Acks::Done
            }
            Until::Flushed => state.flushed_offset < required,
        };
        if waits {
            self.waits.add(until, required, ticket);
        }
        waits
    }

    /// Works under the lock, then lets those know who waited for what came of it.
    fn locked<R>(self: &Arc<Self>, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = work(&mut state);
        *self.view.write() = state.view();
        let wants_flush = std::mem::take(&mut state.wants_flush);
        let has_moved = std::mem::take(&mut state.has_moved);
        let told = match has_moved {
            true => self.waits.settle(&state.replica, state.flushed_offset),
            false => Vec::new(),
        };
        drop(state);
        if wants_flush {
            self.request_flush();
        }
        if has_moved {
            self.waiters.wake();
        }
        for waiter in told {
            waiter.wake();
        }
        result
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

    /// Its log directory.
    pub fn dir(&self) -> Arc<DirState> {
        self.dir.load_full()
    }

    /// Whether its log directory can be used.
    pub fn is_online(&self) -> bool {
        self.dir.load().is_online()
    }

    fn check_online(&self) -> Result<(), ErrorCode> {
        self.dir.load().check_online()
    }

    /// Behind an append that hangs, nobody waits on a data thread who can ask again.
    fn check_not_stuck(&self) -> Result<(), ErrorCode> {
        if self.is_stuck() { Err(ErrorCode::RequestTimedOut) } else { Ok(()) }
    }

    /// Producers leave the last of a disk to what makes room again.
    fn check_room(&self) -> Result<(), ErrorCode> {
        if self.dir.load().room().is_left() { Ok(()) } else { Err(ErrorCode::KafkaStorageError) }
    }

    /// Reports what the disk did, takes the directory offline if that is what it means, and gives what clients are told.
    fn storage_error(&self, error: LogError) -> ErrorCode {
        if let LogError::Corrupt { .. } = error {
            // Said when it was found. A consumer gives up at this code rather than to ask for ever.
            tracing::debug!(%error, "a reader has met damage");
            return ErrorCode::CorruptMessage;
        }
        let dir = self.dir.load();
        if error.is_storage_full() {
            tracing::debug!(%error, "the disk is full");
            dir.room().none_left(&dir);
        } else {
            tracing::error!(%error, "the log failed");
            dir.judge(&error);
        }
        ErrorCode::KafkaStorageError
    }

    /// Tells the replica what happened and carries out what follows.
    fn step(&self, state: &mut State, now_ms: i64, input: Input) {
        let mut effects = std::mem::take(&mut state.effects);
        state.replica.step(now_ms, input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::HighWatermark { offset } => {
                    state.producers.on_high_watermark(offset);
                    state.has_moved = true;
                }
                Effect::Flush { .. } => state.wants_flush = true,
                Effect::BecameLeader { leader_epoch, .. } => state.log.assign_epoch(leader_epoch),
                Effect::BecameFollower { .. } => state.has_moved = true,
                Effect::LowWatermark { .. } => {}
                Effect::AlterPartition { .. } => {
                    unreachable!("the only replica is always in sync")
                }
            }
        }
        state.effects = effects;
    }

    /// The metadata image has the partition like this now.
    pub fn register(self: &Arc<Self>, registration: Registration, now_ms: i64) {
        self.locked(|state| {
            self.step(state, now_ms, Input::Registered(registration));
            state.has_moved = true;
        });
    }

    /// How its log is configured.
    pub(super) fn log_config(&self) -> LogConfig {
        open::log_config(&self.settings())
    }

    /// Epoch of its leader.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.view.read().standing.leader_epoch
    }

    /// Whether this broker leads it.
    pub fn is_leader(&self) -> bool {
        self.view.read().standing.is_leader
    }

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

    /// Moves the log's start to `offset` (−1: the high watermark); gives where it is then.
    pub fn delete_records(self: &Arc<Self>, offset: Offset) -> Result<Offset, ErrorCode> {
        let policy = self.settings().cleanup_policy;
        self.check_online()?;
        self.check_not_stuck()?;
        self.locked(|state| {
            state.replica.check_request(LeaderEpoch::NONE, true).map_err(|refusal| refusal.error)?;
            let high_watermark = state.replica.high_watermark();
            let target = delete_records::target(offset, high_watermark, policy.delete, policy.compact);
            let target = target.map_err(|refusal| refusal.error)?;
            self.advance_start(state, target);
            Ok(state.log.log_start_offset())
        })
    }

    fn advance_start(&self, state: &mut State, target: Offset) {
        if state.log.advance_log_start_offset(target) {
            let log_start_offset = state.log.log_start_offset();
            state.producers.advance_start(log_start_offset);
            self.step(state, clock::now_ms(), Input::LogStartAdvanced { log_start_offset });
        }
    }

    /// The idempotent producers that it remembers.
    pub fn producers(&self) -> Result<Vec<ActiveProducer>, ErrorCode> {
        self.check_online()?;
        self.check_not_stuck()?;
        let state = self.state.lock();
        state.replica.check_request(LeaderEpoch::NONE, true).map_err(|refusal| refusal.error)?;
        Ok(state.producers.active_producers().collect())
    }

    /// Size of its segments.
    pub fn size_bytes(&self) -> u64 {
        self.reader.load().size()
    }

    /// Whether nothing was ever written, or all of it is deleted.
    pub fn is_empty(&self) -> bool {
        self.reader.load().log_start_offset() == self.reader.load().log_end_offset()
    }

    /// First offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.reader.load().log_start_offset()
    }
}

impl State {
    fn offsets(&self) -> Offsets {
        let (start, high_watermark) = (self.replica.log_start_offset(), self.replica.high_watermark());
        self.replica.offsets(self.producers.last_stable_offset(start, high_watermark))
    }

    fn view(&self) -> View {
        View {
            standing: self.replica.standing(),
            offsets: self.offsets(),
            epoch_start_offset: self.replica.epoch_start_offset(),
        }
    }

    /// Begins a new segment; the producers' state as of its first offset is kept beside it. The one that is done is flushed
    /// whatever the flush policy says, so that recovery reads little.
    fn roll(&mut self, now_ms: i64) -> Result<(), LogError> {
        self.log.roll(now_ms)?;
        self.wants_flush = true;
        let snapshot = producer_snapshot::encode(&self.producers.snapshot());
        self.log.write_snapshot(self.log.log_end_offset(), &snapshot, false)
    }
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
