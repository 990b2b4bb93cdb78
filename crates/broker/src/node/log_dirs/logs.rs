//! Partitions' logs: where each is or is to be, and opening it there.

use super::placement::{self, Candidate};
use super::{Dir, LogDirs};
use crate::node::dir_state::DirState;
use crate::node::partition::Checkpointed;
use crate::node::random;
use ottla_log::{DamagedRange, Log, LogConfig, LogError, OpenOptions, RecoveryReport, TopicPartition};
use ottla_protocol::{Offset, TopicId, Uuid};
use std::path::PathBuf;
use std::sync::Arc;

/// A partition's log that has been opened.
pub(in crate::node) struct OpenedLog {
    /// The log.
    pub log: Log,
    /// Its directory.
    pub dir: Arc<DirState>,
    /// What the checkpoint says.
    pub high_watermark: Offset,
    /// Indexes of aborted transactions were damaged from here on, and are to be filled again.
    pub replay_from: Option<Offset>,
}

/// Where a partition's log is, or will be.
#[derive(Clone)]
pub(in crate::node) struct Located {
    /// The directory.
    pub dir: Arc<DirState>,
    /// Whether it was there when the process started.
    pub is_found: bool,
    /// Whether nothing is to be done before somebody uses it: it was closed, or is not there yet.
    pub may_wait: bool,
    /// What the checkpoint files say about it.
    pub checkpointed: Checkpointed,
}

/// What there is to say about a log that is not there yet.
const NOTHING_YET: Checkpointed = Checkpointed {
    recovery_point: Offset(0),
    log_start_offset: Offset(0),
    high_watermark: Offset(0),
    cleaned_to: None,
};

impl LogDirs {
    /// Opens the metadata log.
    pub fn open_metadata_log(
        &self,
        topic_partition: TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<Log, LogError> {
        let mut options = {
            let dirs = self.dirs.lock();
            let log_dir = dirs[self.metadata].log_dir.as_ref();
            log_dir.expect("without it there is no start").open_options(&topic_partition, now_ms)
        };
        options.config = config;
        options.topic_id = Some(topic_id);
        let (log, report) = Log::open(&self.context, options)?;
        tell(&report);
        Ok(log)
    }

    /// Where a partition's log is, or the directory that the rule chooses for it. `assigned` is where the metadata has it.
    pub(in crate::node) fn locate(
        &self,
        topic_partition: &TopicPartition,
        assigned: Uuid,
    ) -> Result<Located, LogError> {
        let found = self.found(topic_partition, assigned).or_else(|| self.promote(topic_partition, assigned));
        let index = found.or_else(|| self.place(topic_partition, assigned));
        let offline =
            || LogError::Offline { topic_partition: topic_partition.clone(), dir: self.path_of(assigned) };
        let index = index.ok_or_else(offline)?;
        let dirs = self.dirs.lock();
        let dir = &dirs[index];
        let log_dir = dir.log_dir.as_ref().expect("only a directory that can be used was chosen");
        let is_found = found.is_some();
        // What a checkpoint says of an earlier partition of this name does not concern a new one.
        let checkpointed = if is_found { dir.checkpointed(log_dir, topic_partition) } else { NOTHING_YET };
        Ok(Located {
            dir: Arc::clone(&dir.state),
            is_found,
            may_wait: !is_found || log_dir.was_clean(),
            checkpointed,
        })
    }

    /// Opens a partition's log, or begins one. The directory of a new one comes with the first append.
    pub(in crate::node) fn open_located(
        &self,
        topic_partition: TopicPartition,
        topic_id: TopicId,
        located: &Located,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<OpenedLog, LogError> {
        let Located { dir: state, is_found, checkpointed, .. } = located;
        let offline =
            || LogError::Offline { topic_partition: topic_partition.clone(), dir: state.path().to_owned() };
        let options = {
            let dirs = self.dirs.lock();
            let log_dir = dirs.get(state.index()).and_then(|dir| dir.log_dir.as_ref());
            log_dir.ok_or_else(offline)?.open_options(&topic_partition, now_ms)
        };
        let options = OpenOptions {
            defers_dir: true,
            config,
            topic_id: Some(topic_id),
            log_start_offset: checkpointed.log_start_offset,
            recovery_point: checkpointed.recovery_point,
            high_watermark: checkpointed.high_watermark,
            cleaned_to: checkpointed.cleaned_to,
            ..options
        };
        let (log, report) = match Log::open(&self.context, options) {
            Err(LogError::InconsistentTopicId { .. }) if *is_found => {
                // An earlier topic of this name was deleted, and the process ended before its directory was.
                self.put_stray_aside(&topic_partition, state.index());
                let anew = Located { is_found: false, checkpointed: NOTHING_YET, ..located.clone() };
                return self.open_located(topic_partition, topic_id, &anew, config, now_ms);
            }
            other => other.inspect_err(|error| state.judge(error))?,
        };
        tell(&report);
        if report.missing_before.is_some() {
            // What is appended now would count as flushed.
            let point = log.recovery_point();
            let found = {
                let dirs = self.dirs.lock();
                let dir = dirs.get(state.index());
                dir.and_then(|dir| Some((Arc::clone(dir.log_dir.as_ref()?), Arc::clone(&dir.checkpoints))))
            };
            let lowered = match found {
                Some((log_dir, checkpoints)) => {
                    let _writing = checkpoints.lock();
                    log_dir.lower_recovery_point(&topic_partition, point)
                }
                None => Ok(()),
            };
            if let Err(error) = lowered {
                tracing::error!(%error, "cannot correct a recovery point");
                state.fail(&error);
            }
        }
        // One replica: what is in the log after a restart is all there is, and committed.
        let high_watermark =
            if *is_found { checkpointed.high_watermark.max(log.log_end_offset()) } else { Offset(0) };
        let replay_from = report.cleared_txn_indexes.iter().min().copied();
        Ok(OpenedLog { log, dir: Arc::clone(state), high_watermark, replay_from })
    }

    /// Where a partition's log was found at the start. If it is in two directories, the process was stopped between the
    /// renames of a move: the one that the metadata names counts, and the other one is removed.
    fn found(&self, topic_partition: &TopicPartition, assigned: Uuid) -> Option<usize> {
        let found = self.unopened.lock().remove(topic_partition)?;
        let chosen = {
            let dirs = self.dirs.lock();
            let is_assigned = |index: &&usize| dirs[**index].state.id() == assigned;
            *found.iter().find(is_assigned).or(found.first())?
        };
        for index in found.into_iter().filter(|index| *index != chosen) {
            self.remove_twin(topic_partition, index);
        }
        Some(chosen)
    }

    /// Chooses the directory of a new log.
    fn place(&self, topic_partition: &TopicPartition, assigned: Uuid) -> Option<usize> {
        let wished = self.wished.lock().remove(topic_partition);
        let cordoned = self.cordoned.lock();
        let mut dirs = self.dirs.lock();
        let candidate = |(index, dir): (usize, &Dir)| Candidate {
            id: dir.state.id(),
            is_online: dir.state.is_online(),
            is_cordoned: cordoned.contains(&index),
            logs: dir.logs,
        };
        let holding = dirs.iter().take_while(|dir| dir.holds_partitions);
        let candidates: Vec<Candidate> = holding.enumerate().map(candidate).collect();
        let index = placement::place(&candidates, assigned, wished)?;
        dirs[index].logs += 1;
        Some(index)
    }

    /// The path of a directory, or its id where that is not known.
    fn path_of(&self, id: Uuid) -> PathBuf {
        let dirs = self.dirs.lock();
        let found = dirs.iter().find(|dir| dir.state.id() == id);
        found.map_or_else(|| id.to_string().into(), |dir| dir.state.path().to_owned())
    }

    /// Puts the directories aside that belong to no partition of this broker.
    pub(crate) fn put_strays_aside(&self) {
        for (topic_partition, indexes) in std::mem::take(&mut *self.unopened.lock()) {
            for index in indexes {
                self.put_stray_aside(&topic_partition, index);
            }
        }
        // Nobody has gone on with these.
        for (_, (index, path)) in std::mem::take(&mut *self.futures.lock()) {
            self.forget_log(index);
            self.leftovers.lock().push(path);
            self.removal_added.notify_one();
        }
    }

    fn put_stray_aside(&self, topic_partition: &TopicPartition, index: usize) {
        let unique = u128::from_be_bytes(random::uuid().0);
        let mut dirs = self.dirs.lock();
        let dir = &mut dirs[index];
        let Some(log_dir) = &dir.log_dir else { return };
        match log_dir.put_stray_aside(topic_partition, unique) {
            Ok(path) => {
                dir.logs = dir.logs.saturating_sub(1);
                let path = path.display();
                tracing::warn!(%topic_partition, %path, "a directory belongs to no partition of this broker; put aside");
            }
            Err(error) => tracing::error!(%error, "cannot put a stray directory aside"),
        }
    }
}

/// Says what recovery took away, and what cannot be read.
pub(super) fn tell(report: &RecoveryReport) {
    let partition = &report.topic_partition;
    for cut in &report.cuts {
        let (file, what) = (cut.path.display(), &cut.what);
        tracing::warn!(%partition, %file, cut.position, cut.bytes, offset = %cut.offset, what, "cut a torn tail off");
    }
    for (file, bytes) in &report.removed_segments {
        tracing::warn!(%partition, file = %file.display(), bytes, "removed a segment behind a torn one");
    }
    for DamagedRange { path, position, bytes, offsets, what } in &report.damaged {
        let (file, start, end) = (path.display(), offsets.start, offsets.end);
        tracing::error!(
            %partition, %file, position, bytes, first_offset = %start, end_offset = %end, %what,
            "a log is damaged; these offsets are answered with an error, all others can be read"
        );
    }
    if let Some(offset) = report.missing_before {
        tracing::error!(%partition, %offset, end = %report.end_offset, "records that had been flushed are missing");
    }
}
