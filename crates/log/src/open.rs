//! Opening a log: what is in its directory, what an interrupted operation left there, and what is not sound.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::{Offset, TopicId};
use parking_lot::RwLock;

use crate::append::{jitter, make_missing, tell_ends};
use crate::checkpoint;
use crate::config::LogConfig;
use crate::disk::OpenMode;
use crate::epoch_cache::EpochCache;
use crate::error::{LogError, TopicPartition};
use crate::file_cache::{LogContext, SegmentFiles, SharedDir, exists, ignore_missing};
use crate::log::{Active, Durable, Log, Shared, View};
use crate::names::{self, Kind};
use crate::recovery::RecoveryReport;
use crate::scan::end_of_file;
use crate::segment::Segment;

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Its directory. It is made if it is not there.
    pub dir: PathBuf,
    /// A directory that is not there is made by the first append: until then the log costs the disk nothing.
    pub defers_dir: bool,
    /// The settings.
    pub config: LogConfig,
    /// The last process closed it. Otherwise everything from the recovery point on is examined.
    pub was_clean: bool,
    /// As the checkpoint of the log directory has it, or 0.
    pub log_start_offset: Offset,
    /// That checkpoint is damaged or gone: where the log starts is what the file of epochs says of it.
    pub log_start_is_lost: bool,
    /// As the checkpoint of the log directory has it, or 0.
    pub recovery_point: Offset,
    /// Up to where it was compacted, as the checkpoint of the log directory has it.
    pub cleaned_to: Option<Offset>,
    /// As the checkpoint of the log directory has it, or 0. What is below it was acknowledged and is never cut off.
    pub high_watermark: Offset,
    /// The topic's id, if the caller knows it.
    pub topic_id: Option<TopicId>,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

impl OpenOptions {
    /// A new partition's log, with Kafka's default settings.
    pub fn new(topic_partition: TopicPartition, dir: PathBuf, now_ms: i64) -> OpenOptions {
        OpenOptions {
            topic_partition,
            dir,
            defers_dir: false,
            config: LogConfig::default(),
            was_clean: true,
            log_start_offset: Offset(0),
            log_start_is_lost: false,
            recovery_point: Offset(0),
            cleaned_to: None,
            high_watermark: Offset(0),
            topic_id: None,
            now_ms,
        }
    }
}

impl Log {
    /// Opens a log, or begins a new one: making it costs a directory and the file with the topic's id, or nothing at all
    /// with [`OpenOptions::defers_dir`]; the file of batches is made by the first append. No file of a log stays open
    /// that nobody uses.
    ///
    /// After an unclean stop the segments from the recovery point on are read and checked, and their indexes made anew. A
    /// torn tail is cut off. Damage is not: a place that is not sound with something sound behind it, or with a
    /// checkpoint that knows it was durable. It stays, the report and [`LogReader::damaged_ranges`] tell of it, and the
    /// log goes on behind it. Producers' state is for the caller to build anew: from
    /// [`latest_snapshot`](Log::latest_snapshot), and what [`replay`](Log::replay) tells of the batches after it.
    ///
    /// [`LogReader::damaged_ranges`]: crate::LogReader::damaged_ranges
    ///
    /// # Errors
    /// [`LogError::InconsistentTopicId`]; what the disk says.
    pub fn open(context: &LogContext, options: OpenOptions) -> Result<(Log, RecoveryReport), LogError> {
        let mut opening = Opening::new(context, &options);
        let Some((topic_id, topic_id_written, dir_made)) = opening.prepare_dir()? else {
            opening.epochs = Some(EpochCache::default());
            let mut log = opening.assemble(Vec::new(), options.topic_id)?;
            log.durable.dir_is_missing = true;
            log.durable.names_changed = false;
            return Ok((log, opening.report));
        };
        let names = opening.finish_interrupted()?;
        let (mut segments, orphans) = opening.find_segments(&names)?;
        tell_ends(&segments, Offset(i64::MAX));
        opening.read_damage()?;
        opening.check_txn_indexes(&segments)?;
        opening.make_indexes(&segments)?;
        if !opening.may_lack_offsets() {
            opening.find_missing(&segments, &orphans)?;
        }
        opening.remove_orphans(orphans)?;
        if !options.was_clean {
            opening.recover(&mut segments)?;
        }
        let mut log = opening.assemble(segments, topic_id)?;
        // A process that was killed may have made them just before, and one that closed a log that nothing was appended
        // to has not synced them.
        let may_be_lost = !options.was_clean || log.durable.is_untouched;
        log.durable.topic_id_written = topic_id_written || may_be_lost;
        log.durable.dir_made = dir_made || may_be_lost;
        log.durable.names_changed |= topic_id_written || dir_made;
        log.segments().iter().for_each(|segment| segment.files.close());
        Ok((log, opening.report))
    }
}

/// Indexes whose segment is not there.
pub(crate) struct Orphan {
    pub(crate) files: Arc<SegmentFiles>,
    kinds: Vec<Kind>,
}

/// A log that is being opened.
pub(crate) struct Opening<'o> {
    pub(crate) context: &'o LogContext,
    pub(crate) options: &'o OpenOptions,
    pub(crate) dir: Arc<SharedDir>,
    /// As the file has them.
    stored_epochs: EpochCache,
    /// As they are to be, once that is known.
    pub(crate) epochs: Option<EpochCache>,
    pub(crate) snapshots: BTreeSet<Offset>,
    /// Segments with batches whose index files are not all there.
    pub(crate) without_indexes: BTreeSet<Offset>,
    /// Segments with a file that names their damage.
    with_damage: Vec<Arc<Segment>>,
    /// Segments with an index of aborted transactions.
    with_txn_index: Vec<Arc<Segment>>,
    /// Of a last segment that was examined: the offset after its last batch, and the timestamp of its first.
    pub(crate) recovered_end: Option<(Offset, Option<i64>)>,
    pub(crate) report: RecoveryReport,
}

impl<'o> Opening<'o> {
    fn new(context: &'o LogContext, options: &'o OpenOptions) -> Opening<'o> {
        Opening {
            context,
            options,
            dir: SharedDir::new(options.topic_partition.clone(), options.dir.clone()),
            stored_epochs: EpochCache::default(),
            epochs: None,
            snapshots: BTreeSet::new(),
            without_indexes: BTreeSet::new(),
            with_damage: Vec::new(),
            with_txn_index: Vec::new(),
            recovered_end: None,
            report: RecoveryReport::new(options.topic_partition.clone()),
        }
    }

    /// Finds out whose the directory is, or makes it. Says the topic's id, whether it was written, and whether the
    /// directory was made; nothing if there is none, and that is well.
    fn prepare_dir(&mut self) -> Result<Option<(Option<TopicId>, bool, bool)>, LogError> {
        let disk = self.context.disk();
        let dir = &self.options.dir;
        let found = match checkpoint::read_topic_id(disk, dir) {
            // Who asks for the log knows whose it is; the file is made anew.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(dir = %dir.display(), %error, "the file with the topic's id is damaged");
                None
            }
            read => read.map_err(self.dir.io("read the topic id in", dir))?,
        };
        let is_new = found.is_none() && !exists(disk, dir).map_err(self.dir.io("look at", dir))?;
        if is_new {
            // The place of a log that does not begin at 0 is known from its file alone.
            if self.options.defers_dir && self.options.log_start_offset == Offset(0) {
                return Ok(None);
            }
            disk.create_dir(dir).map_err(self.dir.io("make", dir))?;
        }
        match (found, self.options.topic_id) {
            (Some(found), Some(expected)) if found != expected => Err(LogError::InconsistentTopicId {
                topic_partition: self.options.topic_partition.clone(),
                dir: dir.clone(),
                found,
                expected,
            }),
            (None, Some(id)) => {
                checkpoint::write_topic_id(disk, dir, id, false)
                    .map_err(self.dir.io("write the topic id in", dir))?;
                Ok(Some((Some(id), true, is_new)))
            }
            (found, _) => Ok(Some((found, false, is_new))),
        }
    }

    /// Removes what was to be removed, and completes or undoes what the cleaner was doing: files that it wrote are
    /// removed unless all of them were written, which the ending `.swap` says; then they take the place of those they
    /// were made from. Gives the names of the files that are there then.
    fn finish_interrupted(&mut self) -> Result<Vec<String>, LogError> {
        let names = self.list()?;
        let is_interrupted = |name: &String| {
            [names::DELETED, names::CLEANED, names::SWAP].iter().any(|ending| name.ends_with(ending))
        };
        if !names.iter().any(is_interrupted) {
            return Ok(names);
        }
        let mut swaps = Vec::new();
        let mut first_cleaned = Offset(i64::MAX);
        for name in &names {
            let ending = names::split(name);
            if name.ends_with(names::DELETED) && !name.ends_with(names::CHECKPOINT_DELETED) {
                self.remove(name)?;
            } else if let Some((offset, ending)) = ending
                && ending.ends_with(names::CLEANED)
            {
                first_cleaned = first_cleaned.min(offset);
                self.remove(name)?;
            } else if let Some((offset, ending)) = ending
                && ending.ends_with(names::SWAP)
            {
                swaps.push((offset, name.clone()));
            }
        }
        // Made together with files that were not complete yet.
        let (incomplete, complete): (Vec<_>, Vec<_>) =
            swaps.into_iter().partition(|(offset, _)| *offset >= first_cleaned);
        for (_, name) in incomplete {
            self.remove(&name)?;
        }
        self.swap_in(complete)?;
        // A killed process has renamed files and not synced their names: what it took away must not come back, with the
        // next power failure, behind what is appended from now on.
        if !self.options.was_clean {
            let dir = &self.options.dir;
            self.context.disk().sync_dir(dir).map_err(self.dir.io("sync", dir))?;
        }
        self.list()
    }

    fn swap_in(&mut self, swaps: Vec<(Offset, String)>) -> Result<(), LogError> {
        let log_swap = format!("{}{}", Kind::Log.suffix(), names::SWAP);
        let mut replaced = Offset(i64::MAX)..Offset(i64::MIN);
        for (offset, name) in swaps.iter().filter(|(_, name)| name.ends_with(&log_swap)) {
            replaced.start = replaced.start.min(*offset);
            replaced.end = replaced.end.max(self.end_of_swap(*offset, name)?);
        }
        for name in self.list()? {
            let is_of_segment =
                names::split(&name).filter(|(_, ending)| Kind::ALL.iter().any(|k| k.suffix() == *ending));
            if is_of_segment.is_some_and(|(offset, _)| replaced.contains(&offset)) {
                self.remove(&name)?;
            }
        }
        for (_, name) in swaps {
            let from = self.options.dir.join(&name);
            let to = self.options.dir.join(name.trim_end_matches(names::SWAP));
            self.context.disk().rename(&from, &to).map_err(self.dir.io("rename", &from))?;
            self.report.completed_swaps.push(to);
        }
        Ok(())
    }

    /// The offset after the last batch of a file that is about to become a segment's.
    fn end_of_swap(&self, base_offset: Offset, name: &str) -> Result<Offset, LogError> {
        let path = self.options.dir.join(name);
        let file = self.context.disk().open(&path, OpenMode::Read);
        file.and_then(|file| end_of_file(file, base_offset)).map_err(self.dir.io("read", &path))
    }

    /// The segments whose files are there, by base offset, and the snapshots; and indexes without a segment.
    fn find_segments(&mut self, names: &[String]) -> Result<(Vec<Arc<Segment>>, Vec<Orphan>), LogError> {
        let mut kinds: BTreeMap<Offset, Vec<Kind>> = BTreeMap::new();
        for name in names {
            let Some((offset, ending)) = names::split(name) else { continue };
            if ending == names::SNAPSHOT {
                self.snapshots.insert(offset);
            }
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.suffix() == ending) {
                kinds.entry(offset).or_default().push(kind);
            }
        }
        let mut segments = Vec::new();
        let mut orphans = Vec::new();
        for (base_offset, kinds) in kinds {
            let files = SegmentFiles::new(self.context.clone(), self.dir.clone(), base_offset);
            if kinds.contains(&Kind::Log) {
                segments.push(self.find_segment(files, &kinds)?);
            } else {
                orphans.push(Orphan { files, kinds });
            }
        }
        Ok((segments, orphans))
    }

    fn remove_orphans(&self, orphans: Vec<Orphan>) -> Result<(), LogError> {
        for Orphan { files, kinds } in orphans {
            for kind in kinds {
                let path = files.path(kind);
                tracing::warn!(path = %path.display(), "removing an index without its segment");
                ignore_missing(self.context.disk().remove_file(&path))
                    .map_err(self.dir.io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn find_segment(&mut self, files: Arc<SegmentFiles>, kinds: &[Kind]) -> Result<Arc<Segment>, LogError> {
        let path = files.path(Kind::Log);
        let len = self.context.disk().metadata(&path).map_err(self.dir.io("look at", &path))?.len;
        let size = u32::try_from(len).ok().filter(|size| *size <= i32::MAX as u32);
        let base_offset = files.base_offset();
        let size = size.ok_or_else(|| files.corrupt(0, base_offset, format!("{len} bytes are too many")))?;
        let segment = Arc::new(Segment::existing(files, size));
        let has_indexes = kinds.contains(&Kind::OffsetIndex) && kinds.contains(&Kind::TimeIndex);
        if !has_indexes && size > 0 {
            self.without_indexes.insert(base_offset);
        }
        if kinds.contains(&Kind::Damage) {
            self.with_damage.push(segment.clone());
        }
        if kinds.contains(&Kind::TxnIndex) {
            self.with_txn_index.push(segment.clone());
        }
        Ok(segment)
    }

    fn read_damage(&mut self) -> Result<(), LogError> {
        self.with_damage.drain(..).try_for_each(|segment| segment.read_damage())
    }

    /// Empties indexes of aborted transactions that are not sound, of segments that recovery is not going to read: who
    /// keeps producers' state can fill them again.
    fn check_txn_indexes(&mut self, segments: &[Arc<Segment>]) -> Result<(), LogError> {
        let to_recover = segments.get(self.first_to_recover(segments)).map(|segment| segment.base_offset);
        for segment in std::mem::take(&mut self.with_txn_index) {
            if to_recover.is_some_and(|to_recover| segment.base_offset >= to_recover) {
                continue;
            }
            let (base_offset, end_offset) = (segment.base_offset, segment.end_offset());
            if !segment.with_txn_index("read", |index| index.is_sound(base_offset, end_offset))? {
                let path = segment.files.path(Kind::TxnIndex);
                tracing::warn!(path = %path.display(), "an index of aborted transactions is damaged");
                segment.with_txn_index("clear", |index| index.clear())?;
                self.report.cleared_txn_indexes.push(base_offset);
            }
        }
        Ok(())
    }

    /// The first segment that recovery is going to read.
    pub(crate) fn first_to_recover(&self, segments: &[Arc<Segment>]) -> usize {
        if self.options.was_clean {
            return segments.len();
        }
        let recovery_point = self.options.recovery_point;
        segments.partition_point(|segment| segment.base_offset <= recovery_point).saturating_sub(1)
    }

    /// Removes segments after a place from which on the log is not sound: from the end, so that a failure leaves no
    /// hole.
    pub(crate) fn remove_segments(
        &mut self,
        end_offset: Offset,
        gone: &[Arc<Segment>],
    ) -> Result<(), LogError> {
        for segment in gone.iter().rev() {
            let path = segment.files.path(Kind::Log);
            tracing::warn!(path = %path.display(), %end_offset, "removing a segment after the end of the sound log");
            self.report.removed_segments.push((path, segment.size()));
            segment.files.remove()?;
        }
        let dir = &self.options.dir;
        self.context.disk().sync_dir(dir).map_err(self.dir.io("sync", dir))
    }

    /// The epochs as the file has them; if it is missing or damaged, as the batches have them.
    pub(crate) fn read_epochs(&mut self, segments: &[Arc<Segment>]) -> Result<EpochCache, LogError> {
        let path = self.options.dir.join(names::LEADER_EPOCH_CHECKPOINT);
        let read = checkpoint::read_epochs(self.context.disk(), &self.options.dir);
        // Batches have epochs: a file without any is one that is missing, or lost its contents.
        let is_empty = |epochs: &EpochCache| epochs.entries().is_empty();
        let is_missing =
            read.as_ref().is_ok_and(is_empty) && segments.iter().any(|segment| segment.size() > 0);
        match read {
            Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                Err(self.dir.io("read", &path)(error))
            }
            Ok(epochs) if !is_missing => {
                self.stored_epochs = epochs.clone();
                self.with_older_epochs(epochs, segments)
            }
            damaged => {
                if let Err(error) = damaged {
                    tracing::warn!(path = %path.display(), %error, "making the epochs of a log anew");
                    self.report.rebuilt_epochs = true;
                }
                let mut epochs = EpochCache::default();
                for segment in segments {
                    segment.headers_from(0, |_, header| {
                        epochs.assign_newer(header.leader_epoch, header.base_offset);
                        Ok(true)
                    })?;
                }
                Ok(epochs)
            }
        }
    }

    /// Adds the epochs of batches before the first one that the file knows: the log's start had moved there, and the
    /// process ended before the checkpoint said so.
    fn with_older_epochs(
        &self,
        epochs: EpochCache,
        segments: &[Arc<Segment>],
    ) -> Result<EpochCache, LogError> {
        let (Some(oldest), Some(first)) = (epochs.entries().first(), segments.first()) else {
            return Ok(epochs);
        };
        let start = self.options.log_start_offset.max(first.base_offset);
        if self.options.was_clean || oldest.start_offset <= start {
            return Ok(epochs);
        }
        let mut all = EpochCache::default();
        for segment in segments.iter().take_while(|segment| segment.base_offset < oldest.start_offset) {
            segment.headers_from(0, |_, header| {
                let is_older = header.base_offset < oldest.start_offset;
                if is_older {
                    all.assign_newer(header.leader_epoch, header.base_offset);
                }
                Ok(is_older)
            })?;
        }
        for entry in epochs.entries() {
            all.assign_newer(entry.epoch, entry.start_offset);
        }
        Ok(all)
    }

    /// Where the log starts. Its oldest epoch begins no earlier than that: what was before was forgotten when the start
    /// moved.
    fn log_start_offset(&self, end: Offset) -> Offset {
        let known = self.options.log_start_offset;
        let oldest = self.stored_epochs.entries().first().map(|oldest| oldest.start_offset);
        match oldest.filter(|oldest| self.options.log_start_is_lost && *oldest <= end) {
            Some(oldest) if oldest > known => {
                tracing::warn!(partition = %self.options.topic_partition, %oldest, "taking the log's start from its epochs");
                oldest
            }
            _ => known,
        }
    }

    fn assemble(
        &mut self,
        mut segments: Vec<Arc<Segment>>,
        topic_id: Option<TopicId>,
    ) -> Result<Log, LogError> {
        let options = self.options;
        let mut epochs = match self.epochs.take() {
            Some(epochs) => epochs,
            None => self.read_epochs(&segments)?,
        };
        let mut names_changed = false;
        let mut end = options.log_start_offset;
        let mut first_timestamp = None;
        if let Some(last) = segments.last() {
            (end, first_timestamp) = match self.recovered_end {
                Some(found) => found,
                None => last.prepare_for_append()?,
            };
        }
        let stepped = self.step_over_damaged_end(&mut segments, end)?;
        if stepped > end {
            (end, first_timestamp) = (stepped, None);
            names_changed = true;
        }
        if end < options.log_start_offset {
            tracing::warn!(
                partition = %options.topic_partition,
                %end,
                log_start_offset = %options.log_start_offset,
                "the log ends before its start, beginning it anew there"
            );
            self.remove_segments(options.log_start_offset, &segments)?;
            segments.clear();
            epochs.clear();
            end = options.log_start_offset;
            first_timestamp = None;
            names_changed = true;
        }
        let is_untouched = segments.is_empty() && end == Offset(0) && self.snapshots.is_empty();
        if segments.is_empty() {
            let segment = Segment::empty(SegmentFiles::new(self.context.clone(), self.dir.clone(), end));
            // The place of an empty log that does not begin at 0 is known from its file alone.
            if end > Offset(0) {
                make_missing(&segment)?;
                names_changed = true;
            }
            segments.push(Arc::new(segment));
        }
        epochs.truncate_from_end(end);
        let log_start_offset = self.log_start_offset(end);
        epochs.truncate_from_start(log_start_offset);
        self.remove_stray_snapshots(&segments, end)?;
        if end < options.recovery_point && !options.was_clean {
            tracing::warn!(
                partition = %options.topic_partition,
                %end,
                recovery_point = %options.recovery_point,
                "the log ends before what was flushed"
            );
            self.report.missing_before = Some(options.recovery_point);
        }
        let segment = segments[segments.len() - 1].clone();
        let recovery_point = if options.was_clean { end } else { options.recovery_point.min(end) };
        let view = View {
            log_start_offset: log_start_offset.max(segments[0].base_offset),
            end_offset: end,
            end_position: segment.size(),
            segments: Arc::new(segments),
        };
        tell_ends(&view.segments, end);
        self.report_damage(&view.segments);
        let epochs_changed = epochs != self.stored_epochs;
        self.report.end_offset = end;
        Ok(Log {
            context: self.context.clone(),
            shared: Arc::new(Shared {
                dir: self.dir.clone(),
                view: RwLock::new(view),
                epochs: RwLock::new(epochs),
            }),
            config: options.config,
            topic_id,
            active: Active {
                jitter_ms: jitter(
                    options.config.segment_jitter_ms,
                    &options.topic_partition,
                    segment.base_offset,
                ),
                segment,
                since_ms: options.now_ms,
                first_timestamp,
                bytes_since_index: 0,
                is_ragged: false,
                is_index_behind: false,
                // The indexes that recovery made are not written whole yet.
                is_changed: self.recovered_end.is_some(),
            },
            durable: Durable {
                recovery_point,
                indexes_behind: None,
                is_untouched,
                last_flush_ms: options.now_ms,
                names_changed: names_changed || !options.was_clean,
                dir_is_missing: false,
                dir_made: false,
                topic_id_written: false,
                epochs_changed,
                epoch_is_empty: false,
                truncations: 0,
                is_offline: false,
            },
            snapshots: std::mem::take(&mut self.snapshots),
            // Behind the end it speaks of records that are lost.
            cleaned_to: options.cleaned_to.filter(|cleaned_to| *cleaned_to <= end),
        })
    }

    /// Removes snapshots beyond the end, and those that belong to no segment; of these the newest stays if it is newer
    /// than all segments.
    fn remove_stray_snapshots(&mut self, segments: &[Arc<Segment>], end: Offset) -> Result<(), LogError> {
        let of_segment = |offset: &Offset| segments.iter().any(|segment| segment.base_offset == *offset);
        let last_base = segments[segments.len() - 1].base_offset;
        let newest = self.snapshots.range(..=end).next_back().copied().filter(|newest| *newest > last_base);
        let is_stray = |offset: &Offset| *offset > end || !of_segment(offset) && Some(*offset) != newest;
        let stray: Vec<Offset> = self.snapshots.iter().copied().filter(is_stray).collect();
        for offset in stray {
            self.remove(&names::snapshot_file(offset))?;
            self.snapshots.remove(&offset);
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<String>, LogError> {
        let dir = &self.options.dir;
        let entries = self.context.disk().list(dir).map_err(self.dir.io("list", dir))?;
        Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect())
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), LogError> {
        let path: &Path = &self.options.dir.join(name);
        ignore_missing(self.context.disk().remove_file(path)).map_err(self.dir.io("remove", path))
    }
}
