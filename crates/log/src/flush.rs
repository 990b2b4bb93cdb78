//! Making appended batches durable, in three steps so that the slow one needs no lock: see what there is to do, do it,
//! take note of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_protocol::{Offset, TopicId};

use crate::checkpoint;
use crate::epoch_cache::EpochCache;
use crate::error::LogError;
use crate::file_cache::LogContext;
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::{Durable, Log, Shared};
use crate::names::Kind;
use crate::segment::Segment;

/// What has to be synced so that everything up to an offset is durable. One at a time for each log.
#[derive(Debug)]
#[must_use = "nothing is synced before `run`"]
pub struct Flush {
    context: LogContext,
    shared: Arc<Shared>,
    /// With whether they are done, so that their indexes are to be synced too.
    segments: Vec<(Arc<Segment>, bool)>,
    up_to: Offset,
    epochs: Option<EpochCache>,
    topic_id: Option<TopicId>,
    sync_dir: bool,
    sync_parent: bool,
    truncations: u64,
    /// The disk had no room for the small files; the batches are durable all the same.
    is_partial: AtomicBool,
}

impl Flush {
    /// Up to where everything is durable afterwards.
    pub fn up_to(&self) -> Offset {
        self.up_to
    }

    /// Syncs. Takes as long as the disk does, and needs no lock.
    ///
    /// # Errors
    /// What the disk says. Say it to [`Log::flushed`] in any case.
    pub fn run(&self) -> Result<(), LogError> {
        self.write(true)
    }

    /// The same without the syncs: they are left to [`sync_all`](Flush::sync_all), one for the flushes of many logs.
    ///
    /// # Errors
    /// What the disk says. Say it to [`Log::flushed`] in any case.
    pub fn write_out(&self) -> Result<(), LogError> {
        self.write(false)
    }

    /// Syncs the whole file system on which the log is, and so what was written out for other logs on it.
    ///
    /// # Errors
    /// What the disk says, for all of them.
    pub fn sync_all(&self) -> Result<(), LogError> {
        if self.breaks_its_promise() {
            return Ok(());
        }
        let dir = self.shared.dir.path();
        // The log's own directory may have another name by now.
        let around = dir.parent().unwrap_or(&dir);
        self.context.disk().sync_all(around).map_err(self.shared.dir.io("sync the file system of", around))
    }

    /// A disk without room for the small files beside the batches fails nothing: recovery knows what they tell from the
    /// batches. These are durable, only the recovery point stays where it is until a later flush has room.
    fn write(&self, sync: bool) -> Result<(), LogError> {
        let disk = self.context.disk();
        let dir = self.shared.dir.path();
        if let Some(topic_id) = self.topic_id {
            let written = checkpoint::write_topic_id(disk, &dir, topic_id, sync);
            self.if_there_is_room(written.map_err(self.shared.dir.io("write the topic id in", &dir)))?;
        }
        if let Some(epochs) = &self.epochs {
            let written = checkpoint::write_epochs(disk, &dir, epochs, sync);
            self.if_there_is_room(written.map_err(self.shared.dir.io("write the epochs in", &dir)))?;
        }
        for (segment, is_done) in &self.segments {
            match self.write_segment(segment, *is_done, sync) {
                // Truncated or deleted since this flush was prepared, and removed.
                Err(error) if segment.files.is_deleted() && error.is_not_found() => {}
                other => other?,
            }
        }
        if self.sync_dir && sync {
            disk.sync_dir(&dir).map_err(self.shared.dir.io("sync", &dir))?;
        }
        if self.sync_parent
            && sync
            && let Some(parent) = dir.parent()
        {
            disk.sync_dir(parent).map_err(self.shared.dir.io("sync", parent))?;
        }
        Ok(())
    }

    fn write_segment(&self, segment: &Segment, is_done: bool, sync: bool) -> Result<(), LogError> {
        let files = &segment.files;
        if sync && segment.size() > 0 && !self.breaks_its_promise() {
            let file = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
            file.sync().map_err(files.io("sync", Kind::Log))?;
        }
        if sync {
            segment.sync_txn_index()?;
        }
        if is_done {
            // In two steps: a full disk may refuse entries, which stay in memory; a sync that fails loses what it was
            // given.
            let stored =
                segment.offset_index.finish(files, false).map_err(files.io("write", OffsetEntry::KIND));
            self.if_there_is_room(stored)?;
            let stored = segment.time_index.finish(files, false).map_err(files.io("write", TimeEntry::KIND));
            self.if_there_is_room(stored)?;
            if sync && !self.is_partial.load(Ordering::Relaxed) {
                segment.offset_index.finish(files, true).map_err(files.io("sync", OffsetEntry::KIND))?;
                segment.time_index.finish(files, true).map_err(files.io("sync", TimeEntry::KIND))?;
            }
        }
        Ok(())
    }

    /// In a build that is broken on purpose batches count as durable that nobody has synced. Those of the metadata are,
    /// so that such a broker starts after a power cut, and its clients can tell what is missing.
    fn breaks_its_promise(&self) -> bool {
        cfg!(feature = "broken-no-fsync") && &*self.shared.dir.topic_partition.topic != "__cluster_metadata"
    }

    /// What may wait until a later flush if the disk is full.
    fn if_there_is_room(&self, written: Result<(), LogError>) -> Result<(), LogError> {
        match written {
            Err(error) if error.is_storage_full() && !error.is_of_sync() => {
                tracing::warn!(%error, "the disk is full; the batches are durable without it");
                self.is_partial.store(true, Ordering::Relaxed);
                Ok(())
            }
            written => written,
        }
    }
}

impl Log {
    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// What the disk says; the log is offline then.
    pub fn flush(&mut self, now_ms: i64) -> Result<(), LogError> {
        let Some(flush) = self.prepare_flush()? else { return Ok(()) };
        let result = flush.run();
        self.flushed(&flush, result.is_ok(), now_ms);
        result
    }

    /// What there is to sync, if anything.
    ///
    /// # Errors
    /// [`LogError::Offline`] after a sync that failed.
    pub fn prepare_flush(&mut self) -> Result<Option<Flush>, LogError> {
        self.check_online()?;
        if self.durable.is_untouched {
            return Ok(None);
        }
        let view = self.shared.view.read().clone();
        let Durable { recovery_point, names_changed, epochs_changed, indexes_behind, .. } = &mut self.durable;
        if view.end_offset <= *recovery_point && !*names_changed && indexes_behind.is_none() {
            return Ok(None);
        }
        let from = indexes_behind.take().map_or(*recovery_point, |behind| behind.min(*recovery_point));
        let first = view.segments.partition_point(|segment| segment.base_offset <= from);
        let last = view.segments.len() - 1;
        let segments = (first.saturating_sub(1)..=last)
            .map(|index| (view.segments[index].clone(), index < last))
            .collect();
        let epochs = std::mem::take(epochs_changed).then(|| self.shared.epochs.read().clone());
        Ok(Some(Flush {
            context: self.context.clone(),
            shared: self.shared.clone(),
            segments,
            up_to: view.end_offset,
            sync_dir: std::mem::take(names_changed) || epochs.is_some(),
            epochs,
            topic_id: self.topic_id.filter(|_| std::mem::take(&mut self.durable.topic_id_written)),
            sync_parent: std::mem::take(&mut self.durable.dir_made),
            truncations: self.durable.truncations,
            is_partial: AtomicBool::new(false),
        }))
    }

    /// Whether a flush is of this log, and not of one whose place it took.
    pub fn is_flushed_by(&self, flush: &Flush) -> bool {
        Arc::ptr_eq(&flush.shared, &self.shared)
    }

    /// Takes note of how a flush went; gives up to where all batches are durable. After one that failed the log is
    /// offline: what the kernel kept of the data is not known, and another sync would not tell.
    pub fn flushed(&mut self, flush: &Flush, succeeded: bool, now_ms: i64) -> Offset {
        let recovery_point = self.durable.recovery_point;
        // The partition may have another log by now.
        if !self.is_flushed_by(flush) {
            return recovery_point;
        }
        if !succeeded {
            self.durable.is_offline = true;
            return recovery_point;
        }
        self.durable.last_flush_ms = now_ms;
        let is_partial = flush.is_partial.load(Ordering::Relaxed);
        if is_partial {
            self.durable.epochs_changed |= flush.epochs.is_some();
            self.durable.topic_id_written |= flush.topic_id.is_some();
            let (first, _) = flush.segments.first().expect("a flush has a segment");
            let behind = self.durable.indexes_behind.unwrap_or(first.base_offset);
            self.durable.indexes_behind = Some(behind.min(first.base_offset));
        }
        if flush.truncations != self.durable.truncations {
            return recovery_point;
        }
        if !is_partial {
            self.durable.recovery_point = recovery_point.max(flush.up_to);
        }
        recovery_point.max(flush.up_to)
    }

    /// Whether a flush should be done soon: `flush.ms` asks for it, or there are segments that are done and not flushed
    /// yet. Kafka flushes those when they are done, whatever the flush policy says: so recovery after an unclean stop
    /// reads about one segment, not the whole log.
    pub fn is_flush_due(&self, now_ms: i64) -> bool {
        let Durable { recovery_point, last_flush_ms, is_offline, .. } = self.durable;
        let has_unflushed = self.log_end_offset() > recovery_point && !is_offline;
        let is_late = now_ms.saturating_sub(last_flush_ms) >= self.config.flush_ms;
        has_unflushed && (is_late || recovery_point < self.active.segment.base_offset)
    }

    /// Makes the names of the log's files durable.
    pub(crate) fn sync_names(&mut self) -> Result<(), LogError> {
        let dir = self.dir();
        self.context.disk().sync_dir(&dir).map_err(|error| {
            self.durable.is_offline = true;
            self.shared.dir.io("sync", &dir)(error)
        })
    }
}
