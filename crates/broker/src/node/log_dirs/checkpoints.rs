//! The checkpoint files of the directories: recovery points, log starts, high watermarks, compaction.

use super::{Dir, LogDirs};
use crate::node::partition::{Checkpointed, Partition};
use crate::node::partitions::CheckpointLine;
use ottla_log::{LogDir, LogDirError, OffsetCheckpoint, TopicPartition};
use ottla_protocol::Offset;
use std::collections::BTreeMap;

impl LogDirs {
    /// Writes the checkpoints of recovery points, log starts, high watermarks and compaction, where they have changed.
    pub(in crate::node) fn write_checkpoints(&self, lines: &[CheckpointLine]) {
        self.write_lines(lines, Dir::write_checkpoints, |_| true);
    }

    /// Writes up to where partitions are compacted, for the directory of one that was just now.
    pub(in crate::node) fn write_cleaner_checkpoint(&self, partition: &Partition, lines: &[CheckpointLine]) {
        let index = partition.dir().index();
        self.write_lines(lines, Dir::write_cleaner_checkpoint, |dir| dir.state.index() == index);
    }

    fn write_lines(
        &self,
        lines: &[CheckpointLine],
        write: fn(&mut Dir, &[&CheckpointLine]) -> Result<(), LogDirError>,
        concerns: impl Fn(&Dir) -> bool,
    ) {
        let mut dirs = self.dirs.lock();
        for dir in dirs.iter_mut().filter(|dir| dir.holds_partitions && dir.state.is_online()) {
            if !concerns(dir) {
                continue;
            }
            let index = dir.state.index();
            let here: Vec<_> = lines.iter().filter(|line| line.log_dir == index).collect();
            if let Err(error) = write(dir, &here) {
                tracing::error!(%error, "cannot write a checkpoint");
                if error.is_storage_failure() {
                    dir.state.fail(&error);
                }
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

    fn write_checkpoints(&mut self, lines: &[&CheckpointLine]) -> Result<(), LogDirError> {
        // Nearly always nothing has changed, and that is to cost nothing.
        if lines.iter().copied().eq(&self.written) {
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
        let Some(log_dir) = &self.log_dir else { return Ok(()) };
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
        self.write_cleaner_checkpoint(lines)?;
        self.written = lines.iter().map(|line| (*line).clone()).collect();
        Ok(())
    }

    fn write_cleaner_checkpoint(&mut self, lines: &[&CheckpointLine]) -> Result<(), LogDirError> {
        let cleaned_to = lines.iter().filter_map(|line| {
            Some((TopicPartition::new(&*line.topic, line.index), line.offsets.cleaned_to?))
        });
        let cleaned_to: BTreeMap<_, _> = cleaned_to.collect();
        if cleaned_to != self.cleaned_to
            && let Some(log_dir) = &self.log_dir
        {
            let offsets = cleaned_to.iter().map(|(key, offset)| (key, *offset));
            log_dir.write_checkpoint(OffsetCheckpoint::Cleaner, offsets)?;
            self.cleaned_to = cleaned_to;
        }
        Ok(())
    }
}
