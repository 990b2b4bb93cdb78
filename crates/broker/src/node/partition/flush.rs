//! Group commit: making what was appended durable, away from the threads that append.
//!
//! ```text
//! append → the replica asks for a flush → queued once at the directory's flusher → fsync, without the lock
//!        → the replica hears how far the disk is → high watermark → waiting fetches and acknowledgements
//! ```
//!
//! What is appended while an fsync runs shares the next one.

use super::{Partition, State, clock};
use crate::node::dir_state::DirState;
use crate::node::flusher::Flusher;
use ottla_log::LogError;
use ottla_protocol::{ErrorCode, Offset};
use ottla_replica::partition::Input;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where a partition stands with its flusher: in its queue at most once, and with one thread of it at a time.
#[derive(Default)]
pub(super) struct FlushState(AtomicU8);

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const FLUSHING: u8 = 2;
/// Being flushed, and asked for again meanwhile.
const FLUSHING_AGAIN: u8 = 3;

impl FlushState {
    /// Asks for a flush; true if the partition has to be queued for it.
    fn ask(&self) -> bool {
        let asked = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| match state {
            IDLE => Some(QUEUED),
            FLUSHING => Some(FLUSHING_AGAIN),
            _ => None,
        });
        asked == Ok(IDLE)
    }

    /// A thread has taken the partition from the queue.
    fn begin(&self) {
        let before = self.0.swap(FLUSHING, Ordering::SeqCst);
        assert_eq!(before, QUEUED, "only what is queued is flushed");
    }

    /// The thread is done; true if the partition has to be queued again.
    fn end(&self) -> bool {
        let ended = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| match state {
            FLUSHING_AGAIN => Some(QUEUED),
            _ => Some(IDLE),
        });
        ended == Ok(FLUSHING_AGAIN)
    }
}

impl Partition {
    /// Has everything that was appended so far flushed, soon.
    pub(crate) fn request_flush(self: &Arc<Self>) {
        if self.flush.ask() {
            Flusher::queue(&self.dir(), Arc::clone(self));
        }
    }

    /// The same if `flush.ms` asks for it, or a segment is done and not on the disk yet.
    pub fn flush_if_due(self: &Arc<Self>, now_ms: i64) {
        let is_due = || self.state.lock().log.is_flush_due(now_ms);
        if self.is_online() && is_due() {
            self.request_flush();
        }
    }

    /// Begins a flush, on a thread of the flusher of `dir`, which took the partition from its queue. `None` if it was moved
    /// to another directory meanwhile, whose flusher has it then.
    ///
    /// # Errors
    /// A flush before it has failed.
    pub(in crate::node) fn begin_flush(
        self: &Arc<Self>,
        dir: &DirState,
    ) -> Result<Option<Flushing>, LogError> {
        let prepared = {
            let mut state = self.state.lock();
            // A move changes it under this lock.
            let now = self.dir();
            if now.index() != dir.index() {
                drop(state);
                Flusher::queue(&now, Arc::clone(self));
                return Ok(None);
            }
            self.flush.begin();
            if state.is_deleted { Ok(None) } else { state.log.prepare_flush() }
        };
        match prepared {
            Ok(flush) => Ok(Some(Flushing { partition: Arc::clone(self), flush })),
            Err(error) => {
                self.flush.end();
                Err(error)
            }
        }
    }

    fn end_flush(self: &Arc<Self>, flush: Option<&ottla_log::Flush>, is_durable: bool) -> bool {
        let now_ms = clock::now_ms();
        self.locked(|state| {
            if state.is_deleted {
                // Nobody waits for it any more.
                return;
            }
            let offset = match flush {
                Some(flush) => state.log.flushed(flush, is_durable, now_ms),
                None => state.log.recovery_point(),
            };
            // After another's failure the kernel may call clean what it never wrote.
            if is_durable && self.is_online() {
                self.on_flushed(state, offset, now_ms);
            }
        });
        self.flush.end() && is_durable
    }

    /// Everything below the offset survives a power failure.
    pub(super) fn on_flushed(&self, state: &mut State, offset: Offset, now_ms: i64) {
        state.flushed_offset = state.flushed_offset.max(offset);
        self.step(state, now_ms, Input::Flushed { offset });
        state.has_moved = true;
    }

    /// The disk under it has failed: whoever waits is told so, and nothing is acknowledged any more.
    pub(in crate::node) fn fail(self: &Arc<Self>, error: ErrorCode) {
        // Whoever began to wait before the failure was known holds the lock until it is in the list.
        let _state = self.state.lock();
        self.fail_waiting(error);
    }

    /// The same for those who wait now, while somebody who holds the lock may hang on the disk: that one is refused when it
    /// wants to wait.
    pub(in crate::node) fn fail_waiting(&self, error: ErrorCode) {
        for waiter in self.waits.fail(error) {
            waiter.wake();
        }
        self.waiters.wake();
    }
}

/// A flush of one partition that has begun, and has to be ended. The disk is waited for without the partition's lock.
pub(in crate::node) struct Flushing {
    partition: Arc<Partition>,
    /// What there is to write, if anything.
    flush: Option<ottla_log::Flush>,
}

impl Flushing {
    /// Whether there is anything to write.
    pub(in crate::node) fn has_work(&self) -> bool {
        self.flush.is_some()
    }

    /// Makes everything durable, by itself.
    ///
    /// # Errors
    /// What the disk says: nothing of this directory may be trusted any more.
    pub(in crate::node) fn run(&self) -> Result<(), LogError> {
        self.act(ottla_log::Flush::run)
    }

    /// Writes everything for [`sync_all`](Self::sync_all), which is for all that were written out before.
    ///
    /// # Errors
    /// As of [`run`](Self::run).
    pub(in crate::node) fn write_out(&self) -> Result<(), LogError> {
        self.act(ottla_log::Flush::write_out)
    }

    /// See [`write_out`](Self::write_out).
    ///
    /// # Errors
    /// As of [`run`](Self::run).
    pub(in crate::node) fn sync_all(&self) -> Result<(), LogError> {
        self.flush.as_ref().map_or(Ok(()), ottla_log::Flush::sync_all)
    }

    fn act(&self, act: impl FnOnce(&ottla_log::Flush) -> Result<(), LogError>) -> Result<(), LogError> {
        let Some(flush) = &self.flush else { return Ok(()) };
        let result = act(flush);
        let Err(error) = &result else { return result };
        let state = self.partition.state.lock();
        // Its files have other names by now, or are gone.
        let is_moved = error.is_not_found() && !state.log.is_flushed_by(flush);
        if state.is_deleted || is_moved { Ok(()) } else { result }
    }

    /// The disk has everything, or has failed; then nothing of its directory may be trusted any more. Gives the partition
    /// if it has to be queued again.
    pub(in crate::node) fn end(self, is_durable: bool) -> Option<Arc<Partition>> {
        self.partition.end_flush(self.flush.as_ref(), is_durable).then_some(self.partition)
    }
}

/// What a log that was just opened has on the disk.
pub(super) fn flushed_offset(log: &ottla_log::Log) -> Offset {
    log.recovery_point().min(log.log_end_offset())
}
