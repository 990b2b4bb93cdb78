//! One partition on this broker: the only place where a log meets the decisions about it.
//!
//! ```text
//! produce:  may I lead? → records::validate → is the sequence right? → log::append → flush → high watermark → who waits
//! fetch:    may I answer? → window of the reader → log::read → a region of a segment file
//! ```
//!
//! The state is behind one lock, held for an append or for finding a region, never while records are validated or sent.
//! No thread ever holds the locks of two partitions.

mod append;
mod clean;
mod close;
mod commit;
mod flush;
mod open;
mod read;
mod relocate;
#[cfg(test)]
pub(super) mod tests;
mod upkeep;

pub(crate) use append::{AppendError, Appended};
pub(crate) use commit::{Ticket, Until, Waiter};
pub(in crate::node) use flush::Flushing;
pub(crate) use read::{ReadAsk, ReadOutcome};
pub(crate) use relocate::MoveStep;
pub(super) use upkeep::Checkpointed;

use super::clock;
use super::dir_state::DirState;
use super::waiters::Waiters;
use arc_swap::{ArcSwap, ArcSwapOption};
use commit::Waits;
use flush::FlushState;
use ottla_config::TopicSettings;
use ottla_log::{Log, LogConfig, LogError, LogReader};
use ottla_protocol::records::producer_snapshot;
use ottla_protocol::{ByteString, ErrorCode, LeaderEpoch, Offset, TopicId};
use ottla_replica::partition::{
    self as replica, Effect, Input, Offsets, Registration, Standing, delete_records,
};
use ottla_replica::producer::{ActiveProducer, ProducerState};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;

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
    /// What the metadata say, while its disk is stuck.
    news: Mutex<Option<upkeep::News>>,
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

impl Partition {
    /// The topic's settings.
    pub fn settings(&self) -> Arc<TopicSettings> {
        self.settings.load_full()
    }

    /// Whether an append might have to wait for the disk. Then it is to be made by [`append_aside`](Self::append_aside),
    /// as all are until those are done, so that they stay in order.
    pub(crate) fn is_stuck(&self) -> bool {
        let dir = self.dir.load();
        dir.is_online() && dir.is_stuck()
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
