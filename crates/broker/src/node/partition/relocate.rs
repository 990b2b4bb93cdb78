//! Moving this partition's log to another log directory while it is written and read (KIP-113).
//!
//! ```text
//! begin_move ─▶ copy, chunk by chunk ─▶ caught up ─▶ controller told ─▶ accepted ─▶ taken over ─▶ old log deleted
//!                     ▲                    │             (KIP-858)
//!                     └── more was appended┘
//! ```
//!
//! The copy is made without the partition's lock. Only the last records, appended since it was flushed, are copied and
//! flushed under it, so that what was acknowledged as durable still is when the old log goes.

use super::{Partition, State};
use crate::node::dir_state::DirState;
use ottla_log::{DamagedRange, DeletedLog, Log, LogError, LogReader};
use ottla_protocol::records::{BatchHeader, producer_snapshot};
use ottla_protocol::{LeaderEpoch, Offset, Uuid};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that are copied at a time.
const CHUNK_BYTES: u32 = 1 << 20;

/// A move that is under way.
#[derive(Debug)]
pub(super) struct Moving {
    target: Arc<DirState>,
    /// Of the copy.
    reader: LogReader,
    /// Nobody's any more once it has taken over, or was given up.
    copy: Mutex<Option<Log>>,
    /// The controller is being told of the new directory, or was.
    is_told: AtomicBool,
    /// It has taken note of it.
    is_accepted: AtomicBool,
}

/// What became of a step.
#[derive(Debug)]
pub(crate) enum MoveStep {
    /// Something was copied; there is more.
    Copied,
    /// The copy has everything; the controller is to be told its directory.
    CaughtUp(Uuid),
    /// There is nothing to do now.
    Waiting,
    /// The copy is the partition's log now. The old one has been renamed, if its disk let it be.
    Moved(Option<DeletedLog>),
    /// There is no move.
    Idle,
}

/// A copy as DescribeLogDirs shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FutureReplica {
    /// Index of its directory.
    pub dir: usize,
    /// Its bytes.
    pub size: u64,
    /// How many offsets it is behind.
    pub offset_lag: i64,
}

impl Partition {
    /// Begins, or goes on, to move the log: `copy` is what the target directory has of it.
    pub(crate) fn begin_move(&self, target: Arc<DirState>, copy: Log) {
        let (reader, is_told, is_accepted) = (copy.reader(), AtomicBool::new(false), AtomicBool::new(false));
        let moving = Moving { target, reader, copy: Mutex::new(Some(copy)), is_told, is_accepted };
        self.moving.store(Some(Arc::new(moving)));
    }

    /// Cuts from a copy that the last process made what cannot be relied upon, so that it is copied again. Nothing may have
    /// been appended to the log since it was opened: a copy that is longer has other records than what is appended next.
    ///
    /// # Errors
    /// What a disk says.
    pub(crate) fn cut_resumed(
        &self,
        copy: &mut Log,
        damaged: &[DamagedRange],
        now_ms: i64,
    ) -> Result<(), LogError> {
        let (source, copied) = (self.reader.load(), copy.reader());
        // What was not durable may be missing from the middle of it. The log itself may still have it.
        let sound = damaged.iter().map(|damage| damage.offsets.start);
        let mut end = sound.fold(source.log_end_offset().min(copied.log_end_offset()), Offset::min);
        let start = copied.log_start_offset();
        let known = copied.aborted_txns(start, end)?;
        let aborted = source.aborted_txns(start, end)?;
        let unknown = aborted.iter().filter(|aborted| !known.contains(aborted));
        end = unknown
            .map(|aborted| aborted.last_offset)
            .filter(|offset| *offset >= start)
            .fold(end, Offset::min);
        copy.truncate_to(end, now_ms)?.remove()
    }

    /// Where it is being moved to.
    pub(crate) fn moving_to(&self) -> Option<Arc<DirState>> {
        self.moving.load().as_ref().map(|moving| Arc::clone(&moving.target))
    }

    /// The copy.
    pub(crate) fn future_replica(&self) -> Option<FutureReplica> {
        let moving = self.moving.load_full()?;
        let (end, copied) = (self.reader.load().log_end_offset(), moving.reader.log_end_offset());
        Some(FutureReplica {
            dir: moving.target.index(),
            size: moving.reader.size(),
            offset_lag: end.0 - copied.0,
        })
    }

    /// Where it is being moved to, once everything was copied and the controller is to know.
    pub(crate) fn told_move(&self) -> Option<Arc<DirState>> {
        let moving = self.moving.load();
        let told = moving.as_ref().filter(|moving| moving.is_told.load(Ordering::Relaxed))?;
        Some(Arc::clone(&told.target))
    }

    /// The controller has taken note of the new directory.
    pub(crate) fn accept_move(&self) {
        if let Some(moving) = &*self.moving.load() {
            moving.is_accepted.store(true, Ordering::Release);
        }
    }

    /// Moves a little further; `unique` names the old log's directory when that is to be removed.
    ///
    /// # Errors
    /// What a disk says. If it is full, the move can go on later.
    pub(crate) fn step_move(self: &Arc<Self>, unique: Uuid, now_ms: i64) -> Result<MoveStep, LogError> {
        let Some(moving) = self.moving.load_full() else { return Ok(MoveStep::Idle) };
        let mut copy = moving.copy.lock();
        let Some(log) = &mut *copy else { return Ok(MoveStep::Idle) };
        if self.copy_chunk(log, now_ms)? {
            return Ok(MoveStep::Copied);
        }
        log.flush(now_ms)?;
        if moving.is_accepted.load(Ordering::Acquire) {
            return self.take_over(&moving, &mut copy, unique, now_ms);
        }
        if moving.is_told.swap(true, Ordering::Relaxed) {
            return Ok(MoveStep::Waiting);
        }
        // From now on the metadata may name a directory that had an earlier log of this partition.
        log.sync_beside().inspect_err(|_| moving.is_told.store(false, Ordering::Relaxed))?;
        Ok(MoveStep::CaughtUp(moving.target.id()))
    }

    /// Copies the next batches; says whether there were any.
    fn copy_chunk(&self, copy: &mut Log, now_ms: i64) -> Result<bool, LogError> {
        let source = self.reader.load();
        let (start, end) = (source.log_start_offset(), source.log_end_offset());
        if copy.log_end_offset() > end {
            copy.truncate_to(end, now_ms)?.remove()?;
        }
        let from = copy.log_end_offset().max(start);
        if from >= end {
            return Ok(false);
        }
        let Some(region) = source.read(from, CHUNK_BYTES, end, true)?.region else { return Ok(false) };
        let mut bytes = Vec::with_capacity(region.len());
        region.read(&mut bytes)?;
        let first = BatchHeader::parse(&bytes).map_or(from, |header| header.base_offset);
        if copy.log_end_offset() < start {
            // All that it has is no longer wanted. The first batch may begin before the start.
            copy.truncate_fully_and_start_at(first, now_ms)?.remove()?;
        }
        copy.append_as_follower(&bytes, LeaderEpoch(i32::MAX), now_ms)?;
        let copied = copy.log_end_offset();
        for aborted in source.aborted_txns(from, copied)? {
            if (from..copied).contains(&aborted.last_offset) {
                copy.append_aborted_txn(&aborted)?;
            }
        }
        Ok(true)
    }

    /// Makes the copy the partition's log.
    fn take_over(
        self: &Arc<Self>,
        moving: &Moving,
        copy: &mut Option<Log>,
        unique: Uuid,
        now_ms: i64,
    ) -> Result<MoveStep, LogError> {
        // What the cleaner is about to put in place is of the old log.
        let Some(_idle) = self.cleaner.hold_off() else { return Ok(MoveStep::Waiting) };
        // Acknowledgements and fetches may wait for the old log: they hear of what the copy has.
        let mut old = self.locked(|state| {
            let log = copy.as_mut().expect("the caller has seen it");
            while self.copy_chunk(log, now_ms)? {}
            complete(log, state, now_ms)?;
            log.become_current()?;
            let log = copy.take().expect("it is still there");
            let old = std::mem::replace(&mut state.log, log);
            self.reader.store(Arc::new(state.log.reader()));
            self.dir.store(Arc::clone(&moving.target));
            self.moving.store(None);
            self.on_flushed(state, state.log.recovery_point(), now_ms);
            Ok::<Log, LogError>(old)
        })?;
        // The old disk may be the reason for the move. What it keeps is removed when it can be used again: the metadata
        // names the new one.
        let deleted = old.delete(u128::from_be_bytes(unique.0)).inspect_err(|error| {
            tracing::warn!(%error, "cannot remove the log that was moved away");
        });
        Ok(MoveStep::Moved(deleted.ok()))
    }

    /// Gives a move up. The copy's directory has been renamed, if its disk let it be.
    pub(crate) fn cancel_move(&self, unique: Uuid) -> Option<DeletedLog> {
        let moving = self.moving.swap(None)?;
        let mut copy = moving.copy.lock().take()?;
        if !moving.target.is_online() {
            return None;
        }
        copy.delete(u128::from_be_bytes(unique.0)).ok()
    }

    /// Closes the copy, so that the next process goes on with it.
    pub(super) fn close_move(&self, now_ms: i64) -> Result<(), LogError> {
        let Some(moving) = self.moving.swap(None) else { return Ok(()) };
        let Some(mut copy) = moving.copy.lock().take() else { return Ok(()) };
        if !moving.target.is_online() {
            return Ok(());
        }
        copy.flush(now_ms)?;
        copy.close()
    }
}

/// Gives the copy what is not in its batches, durably.
fn complete(copy: &mut Log, state: &State, now_ms: i64) -> Result<(), LogError> {
    copy.set_config(*state.log.config());
    copy.advance_log_start_offset(state.log.log_start_offset());
    if let Some(latest) = state.log.epochs().latest() {
        copy.assign_epoch(latest.epoch);
    }
    let end_offset = copy.log_end_offset();
    if end_offset > Offset(0) {
        let snapshot = producer_snapshot::encode(&state.producers.snapshot());
        copy.write_snapshot(end_offset, &snapshot, true)?;
    }
    copy.flush(now_ms)
}
