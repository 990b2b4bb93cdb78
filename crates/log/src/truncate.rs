//! Taking records away: from the end, where a follower departs from its leader, and from the start, where they are no
//! longer wanted.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::Offset;

use crate::damage::Damage;
use crate::error::LogError;
use crate::file_cache::ignore_missing;
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::Log;
use crate::names::Kind;
use crate::segment::Segment;

/// Segments that are no longer part of a log. Their files have been renamed, and are there until they are removed, for
/// those who are reading them.
#[derive(Debug, Default)]
#[must_use = "the files stay until `remove`"]
pub struct DeletedSegments {
    pub(crate) segments: Vec<Arc<Segment>>,
}

impl DeletedSegments {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Their bytes.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.size())).sum()
    }

    /// The files of batches, as they are named now.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.segments.iter().map(|segment| segment.files.path(Kind::Log)).collect()
    }

    /// Removes the files: after `file.delete.delay.ms`.
    ///
    /// # Errors
    /// What the disk says; files that are left are removed when the log is opened again.
    pub fn remove(self) -> Result<(), LogError> {
        self.segments.iter().try_for_each(|segment| segment.files.remove())
    }
}

impl Log {
    /// Takes away everything from an offset on; of a batch that holds the offset nothing stays. The log ends where its
    /// last batch does then, as it will when it is opened again (Kafka's ends at the offset until then). What was
    /// flushed of the rest stays flushed, and the cut is durable. Producers' state is to be built anew, and the
    /// directory's recovery points to be written before anything else is appended: they may speak of what is gone.
    ///
    /// # Errors
    /// What the disk says. The log is then truncated or not, but what is left of it is sound.
    pub fn truncate_to(&mut self, offset: Offset, now_ms: i64) -> Result<DeletedSegments, LogError> {
        self.check_online()?;
        if offset >= self.log_end_offset() {
            // An epoch that this replica led without appending anything is not the leader's.
            let end_offset = self.log_end_offset();
            self.durable.epochs_changed |= self.shared.epochs.write().truncate_from_end(end_offset);
            return Ok(DeletedSegments::default());
        }
        let segments = self.segments();
        if offset < segments[0].base_offset {
            return self.truncate_fully_and_start_at(offset, now_ms);
        }
        let kept = segments.partition_point(|segment| segment.base_offset <= offset);
        self.durable.truncations += 1;
        let gone: Vec<_> = segments[kept..].iter().rev().cloned().collect();
        let deleted = self.put_aside(gone)?;
        if !deleted.is_empty() {
            self.sync_names()?;
        }
        let last = self.cut_segment(&segments[kept - 1], offset)?;
        let (end_offset, first_timestamp) = last.prepare_for_append()?;
        let is_same = self.active.segment.base_offset == last.base_offset && last.size() > 0;
        let since_ms = if is_same { self.active.since_ms } else { now_ms };
        let mut left = segments[..kept - 1].to_vec();
        left.push(last);
        self.publish(left, end_offset, since_ms);
        self.active.first_timestamp = first_timestamp;
        self.active.is_changed = true;
        self.durable.recovery_point = self.durable.recovery_point.min(end_offset);
        self.cleaned_to = self.cleaned_to.map(|cleaned_to| cleaned_to.min(end_offset));
        let mut view = self.shared.view.write();
        view.log_start_offset = view.log_start_offset.min(end_offset);
        drop(view);
        self.durable.epochs_changed |= self.shared.epochs.write().truncate_from_end(end_offset);
        self.remove_snapshots(|snapshot| snapshot > end_offset)?;
        Ok(deleted)
    }

    /// Cuts a segment. Readers may be in the middle of the old one, so a new one takes its place.
    fn cut_segment(&mut self, old: &Arc<Segment>, offset: Offset) -> Result<Arc<Segment>, LogError> {
        let size = old.find(offset)?.position().unwrap_or(old.size());
        let files = old.files.clone();
        old.offset_index
            .truncate(&files, |entry| entry.offset < offset)
            .map_err(files.io("cut", OffsetEntry::KIND))?;
        old.time_index
            .truncate(&files, |entry| entry.offset < offset)
            .map_err(files.io("cut", TimeEntry::KIND))?;
        old.offset_index.retire(&files).map_err(files.io("write", OffsetEntry::KIND))?;
        old.time_index.retire(&files).map_err(files.io("write", TimeEntry::KIND))?;
        old.change_txn_index("cut", |index| index.truncate(offset))?;
        if old.size() > 0 {
            let file = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
            file.set_len(size.into()).map_err(files.io("cut", Kind::Log))?;
            file.sync().map_err(|error| {
                self.durable.is_offline = true;
                files.io("sync", Kind::Log)(error)
            })?;
        }
        let segment = Segment::existing(files, size);
        let is_left = |damage: &&Damage| damage.end() <= size && damage.end_offset <= offset;
        segment.set_damage(old.damage().iter().filter(is_left).cloned().collect());
        segment.max_timestamp()?;
        Ok(Arc::new(segment))
    }

    /// Takes away everything; the next record gets `offset`. Producers' state is empty then. If the process is stopped in
    /// between, what is left is a first part of the old log, or an empty one.
    ///
    /// # Errors
    /// What the disk says. The log is then as it was, or empty.
    pub fn truncate_fully_and_start_at(
        &mut self,
        offset: Offset,
        now_ms: i64,
    ) -> Result<DeletedSegments, LogError> {
        self.check_online()?;
        let old = self.segments();
        self.durable.truncations += 1;
        self.durable.recovery_point = self.durable.recovery_point.min(offset);
        self.cleaned_to = None;
        // Renamed first: the new segment may have the name of one of them.
        let deleted = self.put_aside(old.iter().rev().cloned().collect())?;
        let segment = self.new_segment(offset);
        self.make_files(&segment)?;
        self.sync_names()?;
        self.publish(vec![segment], offset, now_ms);
        self.shared.view.write().log_start_offset = offset;
        self.durable.epochs_changed |= self.shared.epochs.write().clear();
        self.remove_snapshots(|_| true)?;
        Ok(deleted)
    }

    /// Moves the start of the log forwards: DeleteRecords, or a leader that did so. Never past the end. Whole segments
    /// before it go with the next retention. Says whether it moved.
    pub fn advance_log_start_offset(&mut self, offset: Offset) -> bool {
        let mut view = self.shared.view.write();
        let offset = offset.min(view.end_offset);
        if offset <= view.log_start_offset {
            return false;
        }
        view.log_start_offset = offset;
        drop(view);
        self.durable.epochs_changed |= self.shared.epochs.write().truncate_from_start(offset);
        true
    }

    /// Takes away the first `count` segments, and with them the records up to where the rest begins. If that is all of
    /// them, a new one is begun first.
    ///
    /// # Errors
    /// What the disk says. Segments that could not be renamed are no longer part of the log all the same, until it is
    /// opened again.
    pub fn delete_segments(&mut self, count: usize, now_ms: i64) -> Result<DeletedSegments, LogError> {
        self.check_online()?;
        if count >= self.segments().len() {
            self.roll(now_ms)?;
        }
        let segments = self.segments();
        let count = count.min(segments.len() - 1);
        if count == 0 {
            return Ok(DeletedSegments::default());
        }
        self.advance_log_start_offset(segments[count].base_offset);
        self.shared.view.write().segments = Arc::new(segments[count..].to_vec());
        for segment in &segments[..count] {
            self.remove_snapshots(|snapshot| snapshot == segment.base_offset)?;
        }
        self.put_aside(segments[..count].to_vec())
    }

    /// Renames the files of segments that are to be removed, in the order given: what is left by a failure in between
    /// must be without a hole.
    pub(crate) fn put_aside(&mut self, segments: Vec<Arc<Segment>>) -> Result<DeletedSegments, LogError> {
        self.durable.names_changed |= !segments.is_empty();
        for segment in &segments {
            segment.files.mark_deleted()?;
        }
        Ok(DeletedSegments { segments })
    }

    /// Removes producer snapshots.
    pub(crate) fn remove_snapshots(&mut self, is_unwanted: impl Fn(Offset) -> bool) -> Result<(), LogError> {
        let unwanted: Vec<Offset> = self.snapshots.iter().copied().filter(|&at| is_unwanted(at)).collect();
        for offset in unwanted {
            let path = self.shared.dir.join(&crate::names::snapshot_file(offset));
            ignore_missing(self.context.disk().remove_file(&path))
                .map_err(self.shared.dir.io("remove", &path))?;
            self.snapshots.remove(&offset);
        }
        Ok(())
    }
}
