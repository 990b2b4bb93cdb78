//! The log of one partition: a directory of segments, of which the last is appended to.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::{Offset, TopicId};
use parking_lot::RwLock;

use crate::checkpoint;
use crate::config::LogConfig;
use crate::epoch_cache::EpochCache;
use crate::error::{LogError, TopicPartition};
use crate::file_cache::{LogContext, SegmentFiles, SharedDir, ignore_missing};
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::names::{self, DirKind, Kind};
use crate::read::LogReader;
use crate::segment::Segment;

/// The log of one partition.
///
/// Whoever holds it appends; `&mut self` is the partition's lock. Readers have their own handle, [`LogReader`], and
/// need no lock: they see a snapshot of the segments and of how far they may be read.
///
/// Nothing is durable before [`flush`](Log::flush); what was not flushed may be gone after a power failure, from some
/// batch on. [`close`](Log::close) a log when it is done with; one that is just dropped is examined when it is opened
/// again.
#[derive(Debug)]
pub struct Log {
    pub(crate) context: LogContext,
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: LogConfig,
    pub(crate) topic_id: Option<TopicId>,
    pub(crate) active: Active,
    pub(crate) durable: Durable,
    /// Producer snapshots that are there.
    pub(crate) snapshots: BTreeSet<Offset>,
    /// Up to where it has been compacted.
    pub(crate) cleaned_to: Option<Offset>,
}

/// What the log and its readers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: Arc<SharedDir>,
    pub(crate) view: RwLock<View>,
    pub(crate) epochs: RwLock<EpochCache>,
}

/// What readers see.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// At least one, by base offset.
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    pub(crate) log_start_offset: Offset,
    /// Offset of the next record.
    pub(crate) end_offset: Offset,
    /// Size of the last segment up to that offset.
    pub(crate) end_position: u32,
}

/// The segment that is appended to.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    /// Since when it is there, or this process knows it, in milliseconds.
    pub(crate) since_ms: i64,
    /// Largest timestamp of its first batch.
    pub(crate) first_timestamp: Option<i64>,
    pub(crate) bytes_since_index: u32,
    pub(crate) jitter_ms: i64,
    /// A failed append may have left bytes behind the last batch.
    pub(crate) is_ragged: bool,
    /// Something was appended that its indexes' files do not tell yet.
    pub(crate) is_changed: bool,
    /// The disk has refused index entries, and that was said.
    pub(crate) is_index_behind: bool,
}

/// What is on the disk for sure.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) recovery_point: Offset,
    /// The first segment that is done and whose indexes are not durable yet.
    pub(crate) indexes_behind: Option<Offset>,
    /// There is no segment file yet. Such a log has nothing that must survive: without its directory it begins anew the
    /// same. So a broker with thousands of them has nothing to sync for them.
    pub(crate) is_untouched: bool,
    pub(crate) last_flush_ms: i64,
    /// Files were made, renamed or removed.
    pub(crate) names_changed: bool,
    /// There is no directory yet.
    pub(crate) dir_is_missing: bool,
    /// The directory itself was made.
    pub(crate) dir_made: bool,
    pub(crate) topic_id_written: bool,
    pub(crate) epochs_changed: bool,
    /// So did they, but of the epoch that is new there is no batch yet.
    pub(crate) epoch_is_empty: bool,
    /// Counts truncations: what was flushed before one says nothing about what was appended after it.
    pub(crate) truncations: u64,
    /// A sync failed: what the kernel holds is not what the disk holds, and later syncs would not tell. Or the log was
    /// deleted. Nothing is written any more.
    pub(crate) is_offline: bool,
}

impl Log {
    /// The partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.shared.dir.topic_partition
    }

    /// The directory.
    pub fn dir(&self) -> PathBuf {
        self.shared.dir.path()
    }

    /// The topic's id, if the directory knows it.
    pub fn topic_id(&self) -> Option<TopicId> {
        self.topic_id
    }

    /// A handle for reading, cheap to clone, good for as long as anybody wants it.
    pub fn reader(&self) -> LogReader {
        LogReader { shared: self.shared.clone() }
    }

    /// First offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.shared.view.read().log_start_offset
    }

    /// Offset of the next record to be appended.
    pub fn log_end_offset(&self) -> Offset {
        self.shared.view.read().end_offset
    }

    /// Whether it can be written to: no sync failed, and it was not deleted.
    pub fn is_online(&self) -> bool {
        !self.durable.is_offline
    }

    /// Up to where everything is known to be durable.
    pub fn recovery_point(&self) -> Offset {
        self.durable.recovery_point
    }

    /// Up to where it has been compacted, if it ever was; for the checkpoint of the log directory.
    pub fn cleaned_to(&self) -> Option<Offset> {
        self.cleaned_to
    }

    /// Notes up to where it has been compacted.
    pub fn set_cleaned_to(&mut self, offset: Offset) {
        self.cleaned_to = Some(offset.min(self.log_end_offset()));
    }

    /// The settings.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the settings. Those for segments hold from the next append on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The epochs, for looking something up.
    pub fn epochs(&self) -> EpochCache {
        self.shared.epochs.read().clone()
    }

    /// Notes the topic's id where the directory does not have one yet. It is written at once and durable with the
    /// first flush: a log without it would be taken for a stray one.
    ///
    /// # Errors
    /// [`LogError::InconsistentTopicId`] if the directory belongs to another topic.
    pub fn assign_topic_id(&mut self, topic_id: TopicId) -> Result<(), LogError> {
        match self.topic_id {
            Some(known) if known == topic_id => Ok(()),
            Some(found) => Err(LogError::InconsistentTopicId {
                topic_partition: self.topic_partition().clone(),
                dir: self.dir(),
                found,
                expected: topic_id,
            }),
            None if self.durable.dir_is_missing => {
                self.topic_id = Some(topic_id);
                Ok(())
            }
            None => {
                let dir = self.dir();
                checkpoint::write_topic_id(self.context.disk(), &dir, topic_id, false)
                    .map_err(self.shared.dir.io("write the topic id in", &dir))?;
                self.topic_id = Some(topic_id);
                self.durable.topic_id_written = true;
                self.durable.names_changed = true;
                Ok(())
            }
        }
    }

    /// Notes that a leader's epoch begins at the end of the log. It is written with the first flush after an append in
    /// that epoch: recovery knows the epochs of all batches after the recovery point from the batches, and an epoch
    /// without batches is forgotten when the log is opened again.
    pub fn assign_epoch(&mut self, epoch: ottla_protocol::LeaderEpoch) {
        let start_offset = self.log_end_offset();
        self.durable.epoch_is_empty |= self.shared.epochs.write().assign(epoch, start_offset);
    }

    /// Renames the log's directory so that it is no longer a partition's, as the first step of removing it: the name
    /// gets `unique` (random, so that it meets no other) and `-delete`. Readers may go on.
    ///
    /// # Errors
    /// What the disk says; the log is then as it was.
    pub fn delete(&mut self, unique: u128) -> Result<DeletedLog, LogError> {
        let from = self.dir();
        let name = names::aside_dir(self.topic_partition(), unique, DirKind::Delete);
        let to = from.with_file_name(name);
        if !self.durable.dir_is_missing {
            self.context.disk().rename(&from, &to).map_err(self.shared.dir.io("rename", &from))?;
        }
        self.shared.dir.set(to);
        self.durable.is_offline = true;
        Ok(DeletedLog { context: self.context.clone(), shared: self.shared.clone() })
    }

    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.shared.view.read().segments.clone()
    }

    /// Makes the directory, if that was left for later.
    ///
    /// # Errors
    /// What the disk says; the next call tries again.
    pub fn make_dir(&mut self) -> Result<(), LogError> {
        if !self.durable.dir_is_missing {
            return Ok(());
        }
        let (disk, dir) = (self.context.disk(), self.dir());
        disk.create_dir(&dir).map_err(self.shared.dir.io("make", &dir))?;
        if let Some(id) = self.topic_id {
            checkpoint::write_topic_id(disk, &dir, id, false)
                .map_err(self.shared.dir.io("write the topic id in", &dir))?;
            self.durable.topic_id_written = true;
        }
        self.durable.dir_is_missing = false;
        self.durable.dir_made = true;
        self.durable.names_changed = true;
        Ok(())
    }

    pub(crate) fn new_segment(&self, base_offset: Offset) -> Arc<Segment> {
        let files = SegmentFiles::new(self.context.clone(), self.shared.dir.clone(), base_offset);
        Arc::new(Segment::empty(files))
    }

    pub(crate) fn check_online(&self) -> Result<(), LogError> {
        if !self.durable.is_offline {
            return Ok(());
        }
        Err(LogError::Offline { topic_partition: self.topic_partition().clone(), dir: self.dir() })
    }

    /// Completes the last segment's files: the time index ends with the largest timestamp, the files with their last
    /// entries and batches.
    pub(crate) fn finish_active(&mut self, sync: bool) -> Result<(), LogError> {
        if !self.active.is_changed && !self.active.is_ragged {
            return Ok(());
        }
        let segment = self.active.segment.clone();
        let files = &segment.files;
        let max = segment.max_timestamp()?;
        push_time_entry(&segment, max)?;
        segment.offset_index.finish(files, sync).map_err(files.io("write", OffsetEntry::KIND))?;
        segment.time_index.finish(files, sync).map_err(files.io("write", TimeEntry::KIND))?;
        if std::mem::take(&mut self.active.is_ragged) {
            self.cut_ragged_end(&segment, sync)?;
        }
        self.active.is_changed = false;
        self.durable.names_changed = true;
        Ok(())
    }

    fn cut_ragged_end(&mut self, segment: &Segment, sync: bool) -> Result<(), LogError> {
        let cut = || {
            let file = segment.files.get(Kind::Log)?;
            file.set_len(segment.size().into())?;
            if sync { file.sync() } else { Ok(()) }
        };
        cut().map_err(|error| {
            self.active.is_ragged = true;
            segment.files.io("cut", Kind::Log)(error)
        })
    }
}

/// Adds the largest timestamp to a segment's time index if it is larger than the last one there.
pub(crate) fn push_time_entry(segment: &Segment, max: TimeEntry) -> Result<(), LogError> {
    let last = segment.time_index.last(&segment.files);
    let last = last.map_err(segment.files.io("read", TimeEntry::KIND))?;
    if max.timestamp > last.map_or(ottla_protocol::records::NO_TIMESTAMP, |last| last.timestamp) {
        segment.time_index.push(max);
    }
    Ok(())
}

/// A log whose directory has been renamed; its files are still there for those who read them.
#[derive(Debug)]
pub struct DeletedLog {
    context: LogContext,
    shared: Arc<Shared>,
}

impl DeletedLog {
    /// The directory.
    pub fn dir(&self) -> PathBuf {
        self.shared.dir.path()
    }

    /// Removes the directory and everything in it: after `file.delete.delay.ms`.
    ///
    /// # Errors
    /// What the disk says; what is left is found again when the log directory is opened.
    pub fn remove(self) -> Result<(), LogError> {
        for segment in self.shared.view.read().segments.iter() {
            segment.files.close();
        }
        let dir = self.dir();
        // Of a log that nothing was ever appended to there may be none.
        ignore_missing(self.context.disk().remove_dir(&dir)).map_err(self.shared.dir.io("remove", &dir))
    }
}
