//! Moving a log to another log directory (KIP-113): a copy is made there under a name that ends in `-future`; when it has
//! all that the log has, it gets the log's own name.
//!
//! ```text
//! a/t-0                                          the log
//! a/t-0    b/t-0.0123…-future                    the copy grows, while the log is appended to
//! a/t-0    b/t-0                                 renamed: whoever starts now takes the one that the metadata names
//!          b/t-0    a/t-0.4567…-delete           the old one goes
//! ```

use std::path::PathBuf;

use crate::error::{LogError, TopicPartition};
use crate::log::Log;
use crate::log_dir::{LogDir, LogDirError};
use crate::names::{self, DirKind};
use crate::open::OpenOptions;

impl LogDir {
    /// How the copy of a partition's log is begun here. `unique` makes its name one that is not there yet.
    pub fn future_options(&self, topic_partition: &TopicPartition, unique: u128, now_ms: i64) -> OpenOptions {
        let dir = self.path().join(names::aside_dir(topic_partition, unique, DirKind::Future));
        OpenOptions::new(topic_partition.clone(), dir, now_ms)
    }

    /// How a copy that an earlier process began is opened.
    pub fn resumed_options(
        &self,
        topic_partition: &TopicPartition,
        dir: PathBuf,
        now_ms: i64,
    ) -> OpenOptions {
        let options = OpenOptions::new(topic_partition.clone(), dir, now_ms);
        OpenOptions { was_clean: self.was_clean(), ..options }
    }

    /// Renames a log that was moved away and that nobody has open, so that it can be removed. Gives its new path.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_aside_for_removal(
        &self,
        topic_partition: &TopicPartition,
        unique: u128,
    ) -> Result<PathBuf, LogDirError> {
        let from = self.path().join(names::partition_dir(topic_partition));
        let to = self.path().join(names::aside_dir(topic_partition, unique, DirKind::Delete));
        let renamed = self.context().disk().rename(&from, &to);
        renamed.map_err(|source| LogDirError::Io { path: from, action: "rename", source })?;
        Ok(to)
    }

    /// Gives a copy that nobody has open the partition's own name.
    ///
    /// # Errors
    /// What the disk says.
    pub fn promote_future(&self, topic_partition: &TopicPartition, dir: PathBuf) -> Result<(), LogDirError> {
        let disk = self.context().disk();
        let to = self.path().join(names::partition_dir(topic_partition));
        let renamed = disk.rename(&dir, &to).and_then(|()| disk.sync_dir(self.path()));
        renamed.map_err(|source| LogDirError::Io { path: dir, action: "rename", source })
    }
}

impl Log {
    /// Makes what was renamed beside this log durable: an earlier log of the partition that was moved away from here
    /// does not come back under its own name after a power failure.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sync_beside(&self) -> Result<(), LogError> {
        let dir = self.dir();
        let beside = dir.parent().unwrap_or(&dir);
        self.context.disk().sync_dir(beside).map_err(self.shared.dir.io("sync", beside))
    }

    /// Gives a copy the partition's own name, durably. It must have been flushed.
    ///
    /// # Errors
    /// What the disk says; it is still a copy then.
    pub fn become_current(&mut self) -> Result<(), LogError> {
        self.check_online()?;
        self.make_dir()?;
        let from = self.dir();
        let to = from.with_file_name(names::partition_dir(self.topic_partition()));
        self.context.disk().rename(&from, &to).map_err(self.shared.dir.io("rename", &from))?;
        let parent = to.parent().map(|parent| self.context.disk().sync_dir(parent)).transpose();
        if let Err(error) = parent {
            // Whether it has its new name after a power failure is not known; so it keeps its old one.
            self.context.disk().rename(&to, &from).map_err(self.shared.dir.io("rename", &to))?;
            return Err(self.shared.dir.io("sync", &to)(error));
        }
        self.shared.dir.set(to);
        Ok(())
    }
}

/// Whether a partition's copy would have a name that a file system takes. Kafka does not move topics with longer names.
pub fn can_be_moved(topic_partition: &TopicPartition) -> bool {
    names::aside_dir(topic_partition, 0, DirKind::Future).len() <= names::NAME_MAX
}
