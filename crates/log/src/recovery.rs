//! Examining a segment after an unclean stop: every batch's checksum and place; indexes and epochs made anew.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::{BatchHeader, RecordError};

use crate::epoch_cache::EpochCache;
use crate::error::{LogError, TopicPartition};
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::{Log, push_time_entry};
use crate::names::Kind;
use crate::scan::{HeaderScan, SCAN_CHUNK, ScanError};
use crate::segment::Segment;

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
    /// Segments behind a cut that went with it, with their sizes.
    pub removed_segments: Vec<(PathBuf, u32)>,
    /// Segments that an interrupted cleaning had prepared.
    pub completed_swaps: Vec<PathBuf>,
    /// The file of epochs was damaged and has been made anew.
    pub rebuilt_epochs: bool,
    /// The log ends before this recovery point: flushed records are missing, or a truncation was cut off. The
    /// checkpoint is to be corrected before anything is appended: [`LogDir::lower_recovery_point`](crate::LogDir::lower_recovery_point).
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
            completed_swaps: Vec::new(),
            rebuilt_epochs: false,
            missing_before: None,
            end_offset: Offset(0),
        }
    }
}

/// How a segment's examination ended.
pub(crate) struct Recovered {
    pub(crate) end_offset: Offset,
    /// Largest timestamp of the first batch.
    pub(crate) first_timestamp: Option<i64>,
    /// What is to be cut off.
    pub(crate) cut: Option<Cut>,
}

/// Reads a whole segment and makes its indexes anew. What is not sound is still in the file afterwards. The indexes of a
/// segment that `is_last` are what they are while it is appended to: their last entries are not written yet.
///
/// # Errors
/// [`LogError::Corrupt`] if what is not sound lies before the recovery point.
pub(crate) fn recover_segment(
    segment: &Arc<Segment>,
    is_last: bool,
    recovery_point: Offset,
    index_interval_bytes: u32,
    epochs: &mut EpochCache,
    report: &mut RecoveryReport,
) -> Result<Recovered, LogError> {
    let files = &segment.files;
    let len = segment.size();
    segment.offset_index.begin_anew();
    segment.time_index.begin_anew();
    let mut examined = Examined {
        end_offset: segment.base_offset,
        first_timestamp: None,
        max: TimeEntry::none(segment.base_offset),
        indexed_at: 0,
    };
    let (sound, trouble) = examine(segment, len, |position, header| {
        examined.take_note(segment, position, header, index_interval_bytes)?;
        epochs.assign_newer(header.leader_epoch, header.base_offset);
        Ok(())
    })?;
    let Examined { end_offset, first_timestamp, max, .. } = examined;
    report.scanned_bytes += u64::from(sound);
    report.scanned_segments += 1;
    if let Some(trouble) = &trouble
        && end_offset < recovery_point
    {
        return Err(files.corrupt(sound.into(), end_offset, trouble.to_string()));
    }
    let cut = trouble.map(|trouble| Cut {
        path: files.path(Kind::Log),
        position: sound.into(),
        bytes: u64::from(len - sound),
        offset: end_offset,
        what: trouble.to_string(),
    });
    segment.resized(sound, Some(max));
    if !is_last {
        push_time_entry(segment, max)?;
        segment.offset_index.finish(files, false).map_err(files.io("write", OffsetEntry::KIND))?;
        segment.time_index.finish(files, false).map_err(files.io("write", TimeEntry::KIND))?;
    }
    segment.with_txn_index("repair", |index| index.repair(segment.base_offset, end_offset))?;
    Ok(Recovered { end_offset, first_timestamp, cut })
}

struct Examined {
    end_offset: Offset,
    first_timestamp: Option<i64>,
    max: TimeEntry,
    indexed_at: u32,
}

impl Examined {
    fn take_note(
        &mut self,
        segment: &Segment,
        position: u32,
        header: &BatchHeader,
        index_interval_bytes: u32,
    ) -> Result<(), LogError> {
        let offset = header.last_offset();
        self.first_timestamp.get_or_insert(header.max_timestamp);
        if header.max_timestamp > self.max.timestamp {
            self.max = TimeEntry { timestamp: header.max_timestamp, offset };
        }
        if position - self.indexed_at > index_interval_bytes {
            segment.offset_index.push(OffsetEntry { offset, position });
            push_time_entry(segment, self.max)?;
            let files = &segment.files;
            segment.offset_index.store_block(files).map_err(files.io("write", OffsetEntry::KIND))?;
            segment.time_index.store_block(files).map_err(files.io("write", TimeEntry::KIND))?;
            self.indexed_at = position;
        }
        self.end_offset = header.next_offset();
        Ok(())
    }
}

/// Cuts off the end of a segment that is not sound, durably: it must not come back behind what will be appended.
pub(crate) fn cut_off(segment: &Segment, cut: &Cut) -> Result<(), LogError> {
    tracing::warn!(
        path = %cut.path.display(), position = cut.position, bytes = cut.bytes, offset = %cut.offset,
        what = cut.what, "cutting off the end of a segment that is not sound"
    );
    let files = &segment.files;
    let file = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
    file.set_len(cut.position).map_err(files.io("cut", Kind::Log))?;
    file.sync().map_err(files.io("sync", Kind::Log))
}

/// Goes through a segment's batches and checks them; gives how many bytes are sound, and what comes then if it is not
/// the end.
fn examine(
    segment: &Segment,
    len: u32,
    mut visit: impl FnMut(u32, &BatchHeader) -> Result<(), LogError>,
) -> Result<(u32, Option<RecordError>), LogError> {
    if len == 0 {
        return Ok((0, None));
    }
    let file = segment.files.get(Kind::Log).map_err(segment.files.io("open", Kind::Log))?;
    let mut scan = HeaderScan::new(file, 0, len.into(), SCAN_CHUNK);
    let mut next_offset = segment.base_offset;
    loop {
        let at = scan.position() as u32;
        let (position, header) = match scan.next() {
            Ok(None) => return Ok((at, None)),
            Ok(Some(found)) => found,
            Err(ScanError::Io(error)) => return Err(segment.files.io("read", Kind::Log)(error)),
            Err(ScanError::Bad { error, .. }) => return Ok((at, Some(error))),
        };
        if let Err(error) = check_place(segment.base_offset, next_offset, &header) {
            return Ok((at, Some(error)));
        }
        let computed = scan.crc(position, &header).map_err(segment.files.io("read", Kind::Log))?;
        if computed != header.crc {
            return Ok((at, Some(RecordError::BadCrc { stored: header.crc, computed })));
        }
        visit(at, &header)?;
        next_offset = header.next_offset();
    }
}

/// A batch's offsets must be after those before it, and within reach of the segment's base offset.
fn check_place(base_offset: Offset, next_offset: Offset, header: &BatchHeader) -> Result<(), RecordError> {
    if header.last_offset_delta < 0 || header.record_count < 0 {
        return Err(RecordError::BadBatch("negative count in a header"));
    }
    if header.base_offset < next_offset {
        return Err(RecordError::BadBatch("offset below that of the batch before"));
    }
    match header.last_offset().0.checked_sub(base_offset.0) {
        Some(relative) if relative <= i64::from(i32::MAX) => Ok(()),
        _ => Err(RecordError::BadBatch("offset out of reach of the segment's base offset")),
    }
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
    /// more than headers, but for control batches.
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
        let Some((first, place)) = reader.find(&view, from)? else { return Ok(()) };
        let mut start = place.position;
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
