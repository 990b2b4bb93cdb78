//! Files that are deleted but still there: for as long as readers may be at them, or until the disk lets them go.

use super::{Dir, LogDirs};
use crate::node::clock;
use crate::node::dir_state::DirState;
use crate::node::partition::Partition;
use ottla_log::{DeletedLog, DeletedSegments};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Files whose names already say that they are gone.
pub enum Removal {
    /// A partition's.
    Log(DeletedLog),
    /// Old segments.
    Segments(DeletedSegments),
}

impl Removal {
    /// Something of what is removed.
    fn path(&self) -> Option<PathBuf> {
        match self {
            Removal::Log(log) => Some(log.dir()),
            Removal::Segments(segments) => segments.paths().into_iter().next(),
        }
    }
}

impl From<DeletedLog> for Removal {
    fn from(log: DeletedLog) -> Self {
        Removal::Log(log)
    }
}

impl From<DeletedSegments> for Removal {
    fn from(segments: DeletedSegments) -> Self {
        Removal::Segments(segments)
    }
}

impl LogDirs {
    /// Removes deleted files when the time has come.
    pub fn remove_later(&self, deleted: impl Into<Removal>, due_ms: i64) {
        let removal = deleted.into();
        let Some(path) = removal.path() else { return };
        let in_dir = |dir: &Dir| path.starts_with(dir.state.path());
        let Some(index) = self.dirs.lock().iter().position(in_dir) else { return };
        self.removals.lock().entry((index, due_ms)).or_default().push(removal);
        self.removal_added.notify_one();
    }

    /// Ends when there are deleted files that are to be removed, in a directory where nobody is about it already.
    pub async fn removal_due(&self) {
        loop {
            match self.next_due_ms().map(|due_ms| due_ms.saturating_sub(clock::now_ms())) {
                None => self.removal_added.notified().await,
                Some(wait_ms) if wait_ms <= 0 => return,
                Some(wait_ms) => {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())) => {}
                        () = self.removal_added.notified() => {}
                    }
                }
            }
        }
    }

    /// When that will be; what the last process left is to be removed at once.
    pub(in crate::node) fn next_due_ms(&self) -> Option<i64> {
        let mut idle = self.online();
        idle.retain(|dir| !dir.jobs.removes());
        let is_idle = |path: &PathBuf| idle.iter().any(|dir| path.starts_with(dir.path()));
        if self.leftovers.lock().iter().any(is_idle) {
            return Some(i64::MIN);
        }
        let removals = self.removals.lock();
        let first = |dir: &Arc<DirState>| {
            let ((_, due_ms), _) =
                removals.range((dir.index(), i64::MIN)..=(dir.index(), i64::MAX)).next()?;
            Some(*due_ms)
        };
        idle.iter().filter_map(first).min()
    }

    /// Whoever was about it has ended: there may be more to be removed.
    pub(in crate::node) fn on_removed(&self) {
        self.removal_added.notify_one();
    }

    /// Removes the deleted files whose time has come, and those that the last process left; what lies in a directory that
    /// failed is left there.
    pub fn remove_deleted(&self, now_ms: i64) {
        self.online().iter().for_each(|dir| self.remove_deleted_in(dir, now_ms));
    }

    /// The same of one directory.
    pub(in crate::node) fn remove_deleted_in(&self, dir: &DirState, now_ms: i64) {
        let left: Vec<PathBuf> =
            self.leftovers.lock().extract_if(.., |path| path.starts_with(dir.path())).collect();
        for path in left {
            if !dir.is_online() {
                return;
            }
            if let Err(error) = self.context.disk().remove_dir(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove a deleted log");
            }
        }
        let due: Vec<Vec<Removal>> = {
            let in_time = (dir.index(), i64::MIN)..=(dir.index(), now_ms);
            self.removals.lock().extract_if(in_time, |_, _| true).map(|(_, due)| due).collect()
        };
        for removal in due.into_iter().flatten() {
            if !dir.is_online() {
                return;
            }
            let removed = match removal {
                Removal::Log(log) => log.remove(),
                Removal::Segments(segments) => segments.remove(),
            };
            if let Err(error) = removed {
                tracing::warn!(%error, "cannot remove deleted files");
            }
        }
    }

    /// Deletes what a partition need not keep any more.
    pub(in crate::node) fn enforce_retention(&self, partition: &Arc<Partition>, now_ms: i64) {
        match partition.enforce_retention(now_ms) {
            Ok(deleted) if deleted.is_empty() => {}
            Ok(deleted) => {
                let due_ms = now_ms.saturating_add(partition.settings().file_delete_delay_ms);
                self.remove_later(deleted, due_ms);
            }
            Err(error) => {
                tracing::error!(%error, "cannot delete old segments");
                partition.dir().judge(&error);
            }
        }
    }
}
