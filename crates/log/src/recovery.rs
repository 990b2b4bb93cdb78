//! Examining a segment after an unclean stop: every batch's checksum and place; indexes and epochs made anew.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::BatchHeader;

use crate::damage::{Damage, DamagedRange};
use crate::epoch_cache::EpochCache;
use crate::error::{LogError, TopicPartition};
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::{Log, push_time_entry};
use crate::names::Kind;
use crate::segment::Segment;
use crate::survey::{Bounds, Landmarks, Survey, examine, is_followed, survey};

/// What opening a log found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Bytes that were read and checked.
    pub scanned_bytes: u64,
    /// Segments that were.
    pub scanned_segments: u32,
    /// What was cut off.
    pub cuts: Vec<Cut>,
    /// Segments behind a cut that went with it, with their sizes: nothing in them was sound.
    pub removed_segments: Vec<(PathBuf, u32)>,
    /// What cannot be read and was left as it is: something sound follows it, or it is known to have been flushed.
    pub damaged: Vec<DamagedRange>,
    /// Segments that an interrupted cleaning had prepared.
    pub completed_swaps: Vec<PathBuf>,
    /// Where segments begin whose indexes of aborted transactions were damaged, and are empty now: to be filled again
    /// with [`Log::append_aborted_txn`], from what [`Log::replay`] tells of the batches from there on.
    pub cleared_txn_indexes: Vec<Offset>,
    /// The file of epochs was damaged and has been made anew.
    pub rebuilt_epochs: bool,
    /// The log ends before this recovery point: flushed records are missing, or a truncation was cut off. The
    /// checkpoint is to be corrected before anything is appended:
    /// [`LogDir::lower_recovery_point`](crate::LogDir::lower_recovery_point).
    pub missing_before: Option<Offset>,
    /// Offset of the next record.
    pub end_offset: Offset,
}

/// The end of a segment's file that was not sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub path: PathBuf,
    /// Its size now.
    pub position: u64,
    /// Bytes that were cut off.
    pub bytes: u64,
    /// Offset of the next record now.
    pub offset: Offset,
    /// What was found there.
    pub what: String,
}

impl RecoveryReport {
    pub(crate) fn new(topic_partition: TopicPartition) -> RecoveryReport {
        RecoveryReport {
            topic_partition,
            scanned_bytes: 0,
            scanned_segments: 0,
            cuts: Vec::new(),
            removed_segments: Vec::new(),
            damaged: Vec::new(),
            cleared_txn_indexes: Vec::new(),
            completed_swaps: Vec::new(),
            rebuilt_epochs: false,
            missing_before: None,
            end_offset: Offset(0),
        }
    }
}

/// How a segment's examination ended.
pub(crate) struct Recovered {
    /// The offset after the last sound batch; where the segment begins if there is none.
    pub(crate) end_offset: Offset,
    /// Where that batch ends.
    pub(crate) sound_end: u32,
    /// Largest timestamp of the first batch.
    pub(crate) first_timestamp: Option<i64>,
    /// What is not sound and has a sound batch behind it in this segment.
    pub(crate) damage: Vec<Damage>,
    /// What is wrong behind the last sound batch, if there is anything.
    pub(crate) tail: Option<String>,
}

/// Reads a whole segment and makes its indexes anew. What is not sound is still in the file afterwards, and the
/// segment's size still covers it. `end_offset` is where the next segment begins, or `i64::MAX`: then the indexes are what
/// they are while a segment is appended to, and their last entries are not written yet.
pub(crate) fn recover_segment(
    segment: &Arc<Segment>,
    end_offset: Offset,
    index_interval_bytes: u32,
    epochs: &mut EpochCache,
    report: &mut RecoveryReport,
) -> Result<Recovered, LogError> {
    let len = segment.size();
    let bounds = Bounds { base_offset: segment.base_offset, end_offset };
    let epochs_before = epochs.clone();
    // A small segment has no index to speak of.
    let is_small = len <= index_interval_bytes;
    let landmarks = if is_small { Landmarks::of_damage(segment) } else { Landmarks::of(segment) };
    let mut examined = Examined::new(segment, index_interval_bytes);
    let (mut sound_end, trouble) = examine(segment, 0, len, bounds, |position, header| {
        epochs.assign_newer(header.leader_epoch, header.base_offset);
        examined.take_note(position, header)
    })?;
    let mut damage = Vec::new();
    let looks_on = !cfg!(feature = "broken-cut-at-first-bad-batch");
    if trouble.is_some() && looks_on && is_followed(segment, sound_end, len, bounds, &landmarks)? {
        *epochs = epochs_before;
        examined = Examined::new(segment, index_interval_bytes);
        let Survey { runs, damage: found } = survey(segment, len, bounds, &landmarks)?;
        for run in &runs {
            examine(segment, run.start, run.end, bounds, |position, header| {
                epochs.assign_newer(header.leader_epoch, header.base_offset);
                examined.take_note(position, header)
            })?;
        }
        sound_end = runs.last().map_or(0, |run| run.end);
        damage = found;
    }
    let tail = damage.pop_if(|last| last.position >= sound_end).map(|tail| tail.what.to_string());
    let tail =
        tail.or_else(|| trouble.filter(|_| damage.is_empty() && sound_end < len).map(|t| t.to_string()));
    let sound_bytes = sound_end - damage.iter().map(|damage| damage.bytes).sum::<u32>();
    report.scanned_bytes += u64::from(sound_bytes);
    report.scanned_segments += 1;
    segment.resized(len, Some(examined.max));
    if end_offset < Offset(i64::MAX) {
        segment.finish_indexes()?;
    }
    let Examined { end_offset, first_timestamp, .. } = examined;
    Ok(Recovered { end_offset, sound_end, first_timestamp, damage, tail })
}

/// Makes a segment's indexes anew.
struct Examined<'s> {
    segment: &'s Arc<Segment>,
    index_interval_bytes: u32,
    end_offset: Offset,
    first_timestamp: Option<i64>,
    max: TimeEntry,
    indexed_at: u32,
}

impl<'s> Examined<'s> {
    fn new(segment: &'s Arc<Segment>, index_interval_bytes: u32) -> Examined<'s> {
        segment.offset_index.begin_anew();
        segment.time_index.begin_anew();
        let end_offset = segment.base_offset;
        let max = TimeEntry::none(end_offset);
        Examined { segment, index_interval_bytes, end_offset, first_timestamp: None, max, indexed_at: 0 }
    }

    fn take_note(&mut self, position: u32, header: &BatchHeader) -> Result<(), LogError> {
        let offset = header.last_offset();
        self.first_timestamp.get_or_insert(header.max_timestamp);
        if header.max_timestamp > self.max.timestamp {
            self.max = TimeEntry { timestamp: header.max_timestamp, offset };
        }
        if position - self.indexed_at > self.index_interval_bytes {
            self.segment.offset_index.push(OffsetEntry { offset, position });
            push_time_entry(self.segment, self.max)?;
            let Segment { offset_index, time_index, files, .. } = &**self.segment;
            offset_index.store_block(files).map_err(files.io("write", OffsetEntry::KIND))?;
            time_index.store_block(files).map_err(files.io("write", TimeEntry::KIND))?;
            self.indexed_at = position;
        }
        self.end_offset = header.next_offset();
        Ok(())
    }
}

/// Cuts off the end of a segment that is not sound, durably: it must not come back behind what will be appended.
pub(crate) fn cut_off(segment: &Segment, cut: &Cut) -> Result<(), LogError> {
    let files = &segment.files;
    let file = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
    file.set_len(cut.position).map_err(files.io("cut", Kind::Log))?;
    file.sync().map_err(files.io("sync", Kind::Log))
}

/// A batch met on the way from an offset to the end of the log.
#[derive(Clone, Debug)]
pub struct ReplayedBatch {
    /// Its header.
    pub header: BatchHeader,
    /// All of its bytes if it is a control batch, which says how a transaction ended; otherwise nothing.
    pub control: Option<Vec<u8>>,
}

impl Log {
    /// Tells of all batches from the one on that holds `from`, in turn: what producers' state is built from. Reads no
    /// more than headers, but for control batches. What is damaged is left out.
    ///
    /// # Errors
    /// What the disk says, or what is wrong with a batch; or what `visit` says.
    pub fn replay(
        &self,
        from: Offset,
        mut visit: impl FnMut(&ReplayedBatch) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let reader = self.reader();
        let view = reader.view();
        let Some((first, found)) = reader.find(&view, from)? else { return Ok(()) };
        let mut start = found.position().unwrap_or(0);
        for segment in &view.segments[first..] {
            segment.headers_from(std::mem::take(&mut start), |position, header| {
                let control = match header.attributes.is_control() {
                    true => Some(segment.read_batch(position, header)?),
                    false => None,
                };
                visit(&ReplayedBatch { header: *header, control })?;
                Ok(true)
            })?;
        }
        Ok(())
    }
}
