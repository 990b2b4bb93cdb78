//! Files that are deleted but still there: for as long as readers may be at them, or until the disk lets them go.

use super::LogDirs;
use crate::node::clock;
use crate::node::partition::Partition;
use ottla_log::{DeletedLog, DeletedSegments};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Files whose names already say that they are gone.
pub enum Removal {
    /// A partition's.
    Log(DeletedLog),
    /// Old segments.
    Segments(DeletedSegments),
}

/// What is to be removed of one directory.
#[derive(Default)]
pub(in crate::node) struct Due {
    leftovers: Vec<PathBuf>,
    removals: Vec<Removal>,
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
        self.removals.lock().entry(due_ms).or_default().push(deleted.into());
        self.removal_added.notify_one();
    }

    /// Ends when there are deleted files that are to be removed.
    pub async fn removal_due(&self) {
        loop {
            if !self.leftovers.lock().is_empty() {
                return;
            }
            let first = self.removals.lock().keys().next().copied();
            match first.map(|due_ms| due_ms - clock::now_ms()) {
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

    /// Removes the deleted files whose time has come, and those that the last process left.
    pub fn remove_deleted(&self, now_ms: i64) {
        self.take_deleted(now_ms).into_iter().for_each(|due| self.remove(due));
    }

    /// Takes them out, each directory's by themselves; what lies in one that failed is left there.
    pub(in crate::node) fn take_deleted(&self, now_ms: i64) -> Vec<Due> {
        let dirs = self.online();
        let mut all: Vec<Due> = dirs.iter().map(|_| Due::default()).collect();
        let at = |path: &Path| dirs.iter().position(|dir| path.starts_with(dir.path()));
        for path in std::mem::take(&mut *self.leftovers.lock()) {
            if let Some(at) = at(&path) {
                all[at].leftovers.push(path);
            }
        }
        let due = {
            let mut removals = self.removals.lock();
            let later = removals.split_off(&(now_ms + 1));
            std::mem::replace(&mut *removals, later)
        };
        for removal in due.into_values().flatten() {
            if let Some(at) = removal.path().and_then(|path| at(&path)) {
                all[at].removals.push(removal);
            }
        }
        all.retain(|due| !(due.leftovers.is_empty() && due.removals.is_empty()));
        all
    }

    /// Removes what was taken out.
    pub(in crate::node) fn remove(&self, due: Due) {
        for path in due.leftovers {
            if let Err(error) = self.context.disk().remove_dir(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove a deleted log");
            }
        }
        for removal in due.removals {
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
