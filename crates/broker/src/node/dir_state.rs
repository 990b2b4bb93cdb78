//! Whether a log directory can be used, and what waits for its disk. Its partitions share this, so that a failure that one
//! of them meets is known to all at once, and asking costs one load.
//!
//! ```text
//! online ── fail(cause) ──▶ offline, until the process ends
//! ```
//!
//! Offline is what Kafka calls it: the directory's partitions answer KAFKA_STORAGE_ERROR, the controller hears of it with
//! the next heartbeat and takes their leadership away (KIP-858), and nothing is written to it any more, the note of a clean
//! shutdown least of all.

use super::detour::Detour;
use super::disk_space::Room;
use super::flusher::Flusher;
use super::jobs::Running;
use ottla_log::LogError;
use ottla_protocol::{ErrorCode, Uuid};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// See the module.
#[derive(Debug)]
pub struct DirState {
    index: usize,
    path: PathBuf,
    id: Uuid,
    is_offline: AtomicBool,
    room: Room,
    failures: Failures,
    /// Its partitions that want to be flushed.
    pub(super) flusher: Flusher,
    /// Appends that must not wait for its disk where they are asked for.
    pub(super) detour: Detour,
    /// What is done by the clock.
    pub(super) jobs: Running,
}

/// Counts the directories that failed, for those who act on it.
#[derive(Clone, Debug)]
pub(super) struct Failures(Arc<watch::Sender<usize>>);

impl Default for Failures {
    fn default() -> Failures {
        Failures(Arc::new(watch::Sender::new(0)))
    }
}

impl Failures {
    /// Hears of every failure from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }
}

impl DirState {
    /// A directory that can be used.
    pub(super) fn online(index: usize, path: &Path, id: Uuid, failures: Failures) -> Arc<DirState> {
        let (path, is_offline) = (path.to_owned(), AtomicBool::new(false));
        let (room, flusher, detour) = (Room::default(), Flusher::default(), Detour::default());
        let jobs = Running::default();
        Arc::new(DirState { index, path, id, is_offline, room, failures, flusher, detour, jobs })
    }

    /// Its place among the directories of this node.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its `directory.id`.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether it can be used.
    pub fn is_online(&self) -> bool {
        !self.is_offline.load(Ordering::Relaxed)
    }

    /// What clients are told about a partition in it.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR once it is offline.
    pub fn check_online(&self) -> Result<(), ErrorCode> {
        if self.is_online() { Ok(()) } else { Err(ErrorCode::KafkaStorageError) }
    }

    /// How much producers may still append.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Whether who writes to it might have to wait for its disk.
    pub(super) fn is_stuck(&self) -> bool {
        self.detour.is_open() || self.flusher.is_stuck()
    }

    /// When the oldest of what its disk has not answered began, in ticks of the clock.
    pub(super) fn hangs_since(&self) -> Option<u64> {
        [self.flusher.oldest(), self.detour.oldest()].into_iter().flatten().min()
    }

    /// Does what may wait for its disk, or for somebody who does: at once, or in its turn on the directory's own thread.
    pub(super) fn when_not_stuck(self: &Arc<Self>, act: impl FnOnce() + Send + 'static) {
        if !self.is_stuck() {
            return act();
        }
        let taken = Detour::take(self, 0, act);
        assert!(taken, "what has no size is never too much");
    }

    /// Takes it offline. What was appended and not flushed yet must not be acknowledged afterwards. Only the first call
    /// says why and wakes those who act on it.
    pub fn fail(&self, cause: &dyn Display) {
        if self.is_offline.swap(true, Ordering::SeqCst) {
            return;
        }
        let dir = self.path.display();
        tracing::error!(
            %dir,
            %cause,
            "this log directory is offline: nothing is written to it, its partitions answer KAFKA_STORAGE_ERROR \
             → replace its disk or take it out of log.dirs, and start again"
        );
        self.failures.0.send_modify(|failures| *failures += 1);
    }

    /// Takes it offline if the error says that its disk cannot be relied upon. A full disk is no such failure, nor is one
    /// damaged file.
    pub fn judge(&self, error: &LogError) {
        if error.is_storage_failure() {
            self.fail(error);
        }
    }
}
