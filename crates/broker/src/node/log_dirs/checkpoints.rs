//! The checkpoint files of the directories: recovery points, log starts, high watermarks, compaction.
//!
//! A disk that does not answer holds up the files of its own directory: nobody waits for them who has to do with another
//! one, or asks what directories there are.

use super::{Dir, LogDirs};
use crate::node::dir_state::DirState;
use crate::node::partition::{Checkpointed, Partition};
use crate::node::partitions::{CheckpointLine, Partitions};
use ottla_log::{LogDir, LogDirError, OffsetCheckpoint, TopicPartition};
use ottla_protocol::Offset;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the files of one directory have.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// What they were last written for.
    written: Vec<CheckpointLine>,
    /// What they were last written with.
    checkpointed: Vec<(OffsetCheckpoint, BTreeMap<TopicPartition, Offset>)>,
    /// The same of compaction, which has its own times.
    cleaned_to: BTreeMap<TopicPartition, Offset>,
}

/// Writes some of them.
type Write = fn(&mut Checkpoints, &LogDir, &[CheckpointLine]) -> Result<(), LogDirError>;

impl LogDirs {
    /// Writes the checkpoints of recovery points, log starts, high watermarks and compaction, where they have changed.
    pub(super) fn write_checkpoints(&self, partitions: &Partitions) {
        for dir in self.online() {
            self.write_checkpoints_of(&dir, partitions);
        }
    }

    /// The same of one directory.
    pub(in crate::node) fn write_checkpoints_of(&self, dir: &DirState, partitions: &Partitions) {
        self.write_lines(dir, partitions, Checkpoints::write);
    }

    /// Writes up to where partitions are compacted, for the directory of one that was just now.
    pub(in crate::node) fn write_cleaner_checkpoint(&self, partition: &Partition, partitions: &Partitions) {
        self.write_lines(&partition.dir(), partitions, Checkpoints::write_cleaned);
    }

    fn write_lines(&self, state: &DirState, partitions: &Partitions, write: Write) {
        let found = {
            let dirs = self.dirs.lock();
            let dir = dirs.get(state.index()).filter(|dir| dir.holds_partitions);
            dir.and_then(|dir| Some((Arc::clone(dir.log_dir.as_ref()?), Arc::clone(&dir.checkpoints))))
        };
        let Some((log_dir, checkpoints)) = found else { return };
        let mut checkpoints = checkpoints.lock();
        if !state.is_online() {
            return;
        }
        // Asked under the lock, so that nobody writes what is older than what is there.
        let lines = partitions.checkpoint_lines(state.index());
        if let Err(error) = write(&mut checkpoints, &log_dir, &lines) {
            tracing::error!(%error, "cannot write a checkpoint");
            if error.is_storage_failure() {
                state.fail(&error);
            }
        }
    }
}

impl Dir {
    pub(super) fn checkpointed(&self, log_dir: &LogDir, topic_partition: &TopicPartition) -> Checkpointed {
        let options = log_dir.open_options(topic_partition, 0);
        Checkpointed {
            recovery_point: options.recovery_point,
            log_start_offset: options.log_start_offset,
            high_watermark: self.high_watermarks.get(topic_partition).copied().unwrap_or(Offset(0)),
            cleaned_to: options.cleaned_to,
        }
    }
}

impl Checkpoints {
    fn write(&mut self, log_dir: &LogDir, lines: &[CheckpointLine]) -> Result<(), LogDirError> {
        // Nearly always nothing has changed, and that is to cost nothing.
        if lines == self.written {
            return Ok(());
        }
        let mut recovery_points = BTreeMap::new();
        let mut log_start_offsets = BTreeMap::new();
        let mut high_watermarks = BTreeMap::new();
        for CheckpointLine { topic, index, offsets, .. } in lines {
            let topic_partition = TopicPartition::new(&**topic, *index);
            if offsets.log_start_offset > Offset(0) {
                log_start_offsets.insert(topic_partition.clone(), offsets.log_start_offset);
            }
            recovery_points.insert(topic_partition.clone(), offsets.recovery_point);
            high_watermarks.insert(topic_partition, offsets.high_watermark);
        }
        let now = vec![
            (OffsetCheckpoint::RecoveryPoint, recovery_points),
            (OffsetCheckpoint::LogStartOffset, log_start_offsets),
            (OffsetCheckpoint::Replication, high_watermarks),
        ];
        for written in &now {
            if !self.checkpointed.contains(written) {
                let (which, offsets) = written;
                log_dir.write_checkpoint(*which, offsets.iter().map(|(key, offset)| (key, *offset)))?;
            }
        }
        self.checkpointed = now;
        self.write_cleaned(log_dir, lines)?;
        self.written = lines.to_vec();
        Ok(())
    }

    fn write_cleaned(&mut self, log_dir: &LogDir, lines: &[CheckpointLine]) -> Result<(), LogDirError> {
        let cleaned_to = lines.iter().filter_map(|line| {
            Some((TopicPartition::new(&*line.topic, line.index), line.offsets.cleaned_to?))
        });
        let cleaned_to: BTreeMap<_, _> = cleaned_to.collect();
        if cleaned_to != self.cleaned_to {
            let offsets = cleaned_to.iter().map(|(key, offset)| (key, *offset));
            log_dir.write_checkpoint(OffsetCheckpoint::Cleaner, offsets)?;
            self.cleaned_to = cleaned_to;
        }
        Ok(())
    }
}
