//! Opening a log: what is in its directory, what an interrupted operation left there, and what is not sound.

mod assemble;
mod epochs;
mod interrupted;
mod segments;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::{Offset, TopicId};

use crate::append::tell_ends;
use crate::checkpoint;
use crate::config::LogConfig;
use crate::epoch_cache::EpochCache;
use crate::error::{LogError, TopicPartition};
use crate::file_cache::{LogContext, SegmentFiles, SharedDir, exists, ignore_missing};
use crate::log::Log;
use crate::names::Kind;
use crate::recovery::RecoveryReport;
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
