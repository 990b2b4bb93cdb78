//! Where the copies are that are made for moving partitions between directories.

use super::logs::tell;
use super::{LogDirs, absolute};
use crate::node::dir_state::DirState;
use crate::node::partition::Partition;
use crate::node::random;
use ottla_log::{Log, LogConfig, LogError, OpenOptions, RecoveryReport, TopicPartition};
use ottla_protocol::{TopicId, Uuid};
use std::sync::Arc;

impl LogDirs {
    /// The directory that has this path in `log.dirs`.
    pub(in crate::node) fn by_path(&self, path: &str) -> Option<Arc<DirState>> {
        let path = absolute(path).ok()?;
        let dirs = self.dirs.lock();
        let found = dirs.iter().find(|dir| dir.holds_partitions && dir.state.path() == path);
        found.map(|dir| Arc::clone(&dir.state))
    }

    /// Whether a directory gets no new partitions.
    pub(in crate::node) fn is_cordoned(&self, index: usize) -> bool {
        self.cordoned.lock().contains(&index)
    }

    /// Whether none has failed.
    pub(in crate::node) fn all_are_online(&self) -> bool {
        self.dirs.lock().iter().all(|dir| dir.state.is_online())
    }

    /// A partition that is not there yet is to be in this directory.
    pub(in crate::node) fn wish(&self, topic_partition: &TopicPartition, index: usize) {
        self.wished.lock().insert(topic_partition.clone(), index);
    }

    /// Begins the copy of a partition's log.
    pub(in crate::node) fn begin_future(
        &self,
        topic_partition: &TopicPartition,
        partition: &Partition,
        target: &DirState,
        now_ms: i64,
    ) -> Result<Log, LogError> {
        let unique = u128::from_be_bytes(random::uuid().0);
        let options = {
            let dirs = self.dirs.lock();
            let log_dir = dirs[target.index()].log_dir.as_ref();
            log_dir.map(|log_dir| log_dir.future_options(topic_partition, unique, now_ms))
        };
        let options = options.ok_or_else(|| LogError::Offline {
            topic_partition: topic_partition.clone(),
            dir: target.path().to_owned(),
        })?;
        let (copy, _) = self.open_copy(options, partition.topic_id, partition.log_config())?;
        self.dirs.lock()[target.index()].logs += 1;
        Ok(copy)
    }

    /// Whether the last process has left a copy of a partition.
    pub(in crate::node) fn has_future(&self, topic: &str, index: i32) -> bool {
        let futures = self.futures.lock();
        !futures.is_empty() && futures.contains_key(&TopicPartition::new(topic, index))
    }

    /// The copy that the last process had begun to make of a partition. To be asked for before anything is appended to
    /// the log.
    pub(in crate::node) fn resumed_future(
        &self,
        topic_partition: &TopicPartition,
        partition: &Partition,
        now_ms: i64,
    ) -> Option<(Arc<DirState>, Log)> {
        let (index, path) = self.futures.lock().remove(topic_partition)?;
        let (target, options) = {
            let dirs = self.dirs.lock();
            let dir = &dirs[index];
            let options = dir.log_dir.as_ref()?.resumed_options(topic_partition, path.clone(), now_ms);
            (Arc::clone(&dir.state), options)
        };
        if partition.dir().index() != index {
            let opened = self.open_copy(options, partition.topic_id, partition.log_config());
            let cut = opened.and_then(|(mut copy, report)| {
                partition.cut_resumed(&mut copy, &report.damaged, now_ms)?;
                Ok(copy)
            });
            match cut {
                Ok(copy) => return Some((target, copy)),
                Err(error) => {
                    tracing::warn!(%error, "cannot go on with the copy of a log; it is not moved");
                    target.judge(&error);
                }
            }
        }
        self.forget_log(index);
        self.leftovers.lock().push(path);
        self.removal_added.notify_one();
        None
    }

    fn open_copy(
        &self,
        mut options: OpenOptions,
        topic_id: TopicId,
        config: LogConfig,
    ) -> Result<(Log, RecoveryReport), LogError> {
        options.topic_id = Some(topic_id);
        options.config = config;
        let (copy, report) = Log::open(&self.context, options)?;
        tell(&report);
        Ok((copy, report))
    }

    /// Makes a copy the log, where the controller has taken note of its directory, so that it was complete, and the log it
    /// was made of is gone. Gives the directory.
    pub(super) fn promote(&self, topic_partition: &TopicPartition, assigned: Uuid) -> Option<usize> {
        let mut futures = self.futures.lock();
        let (index, path) = futures.get(topic_partition)?.clone();
        let dirs = self.dirs.lock();
        let dir = &dirs[index];
        let log_dir = dir.log_dir.as_ref().filter(|_| dir.state.id() == assigned)?;
        futures.remove(topic_partition);
        match log_dir.promote_future(topic_partition, path) {
            Ok(()) => {
                let dir = dir.state.path().display();
                tracing::warn!(%topic_partition, %dir, "the copy of a log takes its place: the log itself is gone");
                Some(index)
            }
            Err(error) => {
                tracing::error!(%error, "cannot use the copy of a log");
                None
            }
        }
    }

    /// Removes what is left of a log that was moved away.
    pub(super) fn remove_twin(&self, topic_partition: &TopicPartition, index: usize) {
        let unique = u128::from_be_bytes(random::uuid().0);
        let mut dirs = self.dirs.lock();
        let dir = &mut dirs[index];
        dir.logs = dir.logs.saturating_sub(1);
        let Some(log_dir) = &dir.log_dir else { return };
        match log_dir.put_aside_for_removal(topic_partition, unique) {
            Ok(path) => {
                let dir = dir.state.path().display();
                tracing::info!(%topic_partition, %dir, "removing the log that was moved away");
                self.leftovers.lock().push(path);
            }
            Err(error) => tracing::error!(%error, "cannot remove the log that was moved away"),
        }
    }
}
