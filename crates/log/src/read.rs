//! Reading: which bytes of which file, and looking things up.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::records::{NO_TIMESTAMP, RecordBatch, RecordError};
use ottla_protocol::{LeaderEpoch, Offset};

use crate::damage::Damage;
use crate::disk::{DiskFile, read_full_at};
use crate::epoch_cache::EpochCache;
use crate::error::{LogError, TopicPartition};
use crate::index::AbortedTxn;
use crate::log::{Shared, View};
use crate::names::Kind;
use crate::segment::{Found, Segment};
use crate::survey::examine;

/// Bytes at the end of a log that are taken to be in memory: appended a moment ago.
const FRESH_BYTES: u64 = 1 << 20;

/// Reads a log while others append to it. Clones are cheap; what one reads is what the log was at that moment.
#[derive(Clone, Debug)]
pub struct LogReader {
    pub(crate) shared: Arc<Shared>,
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct Read {
    /// The bytes, or none: at the end of what may be read.
    pub region: Option<FileRegion>,
    /// The first batch has more bytes than asked for, and was not asked for all the same.
    pub is_first_batch_too_large: bool,
}

/// A stretch of a segment's file that begins with a batch. It may end within one, as Kafka's answers do: clients take
/// the whole batches. It can be read for as long as it is held, also when the segment is removed meanwhile.
#[derive(Clone, Debug)]
pub struct FileRegion {
    file: Arc<dyn DiskFile>,
    segment: Arc<Segment>,
    position: u64,
    len: u32,
    base_offset: Offset,
}

impl FileRegion {
    /// Where it begins in the file.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Never: an empty region is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Offset of the first record of the first batch; at or before the offset asked for.
    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// The operating system's handle of the file, for handing the bytes to a socket.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_fd()
    }

    /// Appends the bytes to `out`.
    ///
    /// # Errors
    /// What the disk says; also if the file is shorter than it must be.
    pub fn read(&self, out: &mut Vec<u8>) -> Result<(), LogError> {
        let start = out.len();
        out.resize(start + self.len(), 0);
        let read = read_full_at(&*self.file, &mut out[start..], self.position);
        match read {
            Ok(count) if count == self.len() => Ok(()),
            other => {
                out.truncate(start);
                let error = other.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                Err(self.segment.files.io("read", Kind::Log)(error))
            }
        }
    }

    /// Whether reading it would wait for the disk. What was appended last is in memory; of the rest the kernel is asked.
    pub fn is_cold(&self) -> bool {
        let is_fresh = self.position + FRESH_BYTES >= u64::from(self.segment.size());
        !(is_fresh && self.segment.is_appended_to()) && self.file.is_cold(self.position, self.len.into())
    }

    /// Reads it and compares the checksums of the batches that are whole in it: for what comes from the disk, and for
    /// what this process uses itself. If some batch is not sound the region is given up to there, and the log knows the
    /// damage from now on.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] if the first batch is not sound; what the disk says.
    pub fn verified(mut self) -> Result<FileRegion, LogError> {
        let (start, end) = (self.position as u32, self.position as u32 + self.len);
        let bounds = self.segment.bounds();
        let (sound_end, trouble) = examine(&self.segment, start, end, bounds, |_, _| Ok(()))?;
        let what = match trouble {
            // It may end within a batch.
            None | Some(RecordError::Truncated { .. }) if sound_end > start => return Ok(self),
            None => return Ok(self),
            Some(trouble) => trouble.to_string(),
        };
        // Unless it has been found meanwhile.
        let is_known = |damage: &Damage| (damage.position..damage.end()).contains(&sound_end);
        if !self.segment.damage().iter().any(is_known) {
            self.segment.find_damage()?;
        }
        self.len = sound_end - start;
        match self.len {
            0 => Err(self.segment.files.corrupt(self.position, self.base_offset, what)),
            _ => Ok(self),
        }
    }
}

/// Where a record was found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp.
    pub timestamp: i64,
    /// Its offset.
    pub offset: Offset,
    /// Epoch of the leader that appended it, if the batch says so.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl LogReader {
    /// The partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.shared.dir.topic_partition
    }

    /// The directory.
    pub fn dir(&self) -> PathBuf {
        self.shared.dir.path()
    }

    /// First offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.shared.view.read().log_start_offset
    }

    /// The leader epochs, for looking something up.
    pub fn epochs(&self) -> EpochCache {
        self.shared.epochs.read().clone()
    }

    /// Offset of the next record to be appended.
    pub fn log_end_offset(&self) -> Offset {
        self.shared.view.read().end_offset
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.view().segments.iter().map(|segment| u64::from(segment.size())).sum()
    }

    /// Number of segments.
    pub fn segment_count(&self) -> usize {
        self.view().segments.len()
    }

    /// Epoch of the record at an offset, if it is known.
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.shared.epochs.read().epoch_for(offset)
    }

    /// The newest epoch.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.shared.epochs.read().latest().map(|entry| entry.epoch)
    }

    /// Where an epoch ends: see [`EpochCache::end_offset_for`](crate::EpochCache::end_offset_for).
    pub fn epoch_end_offset(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let end_offset = self.log_end_offset();
        self.shared.epochs.read().end_offset_for(epoch, end_offset)
    }

    /// Finds the bytes from the batch on that holds the record at `start`: about `max_bytes` of them, at most up to
    /// `upper_bound` (the high watermark, the last stable offset, or the end), within one segment. The first batch is
    /// given whole if it is larger than `max_bytes` and `min_one_batch` says so.
    ///
    /// What is damaged is not given: a region that begins before it ends before it.
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] if `start` is before the start of the log or behind its end;
    /// [`LogError::Corrupt`] if it is within damage that is known ([`end_of_damage`](Self::end_of_damage) tells where
    /// that ends).
    pub fn read(
        &self,
        start: Offset,
        max_bytes: u32,
        upper_bound: Offset,
        min_one_batch: bool,
    ) -> Result<Read, LogError> {
        loop {
            let view = self.view();
            let read = self.read_view(&view, start, max_bytes, upper_bound, min_one_batch);
            let is_missing = matches!(&read, Err(LogError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound);
            // Deleted or compacted, and removed, since the view was taken.
            if !is_missing || Arc::ptr_eq(&view.segments, &self.view().segments) {
                return read;
            }
        }
    }

    fn read_view(
        &self,
        view: &View,
        start: Offset,
        max_bytes: u32,
        upper_bound: Offset,
        min_one_batch: bool,
    ) -> Result<Read, LogError> {
        if start < view.log_start_offset || start > view.end_offset {
            return Err(self.out_of_range(start, view));
        }
        let nothing = Read { region: None, is_first_batch_too_large: false };
        let upper_bound = upper_bound.min(view.end_offset);
        if start >= upper_bound {
            return Ok(nothing);
        }
        let (index, first) = match self.find(view, start)? {
            Some((index, Found::Batch(place))) => (index, place),
            Some((index, Found::Damaged(damage))) => return Err(view.segments[index].corrupt(&damage)),
            Some((_, Found::Beyond)) | None => return Ok(nothing),
        };
        let limit = self.limit(view, index, upper_bound)?;
        let limit = view.segments[index].sound_up_to(first.position).map_or(limit, |sound| sound.min(limit));
        let available = limit.saturating_sub(first.position);
        if first.base_offset >= upper_bound || available == 0 {
            return Ok(nothing);
        }
        if max_bytes < first.size && !min_one_batch {
            return Ok(Read { region: None, is_first_batch_too_large: true });
        }
        let len = available.min(max_bytes.max(first.size));
        let segment = &view.segments[index];
        let files = segment.files.clone();
        let file = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
        let region = FileRegion {
            file,
            segment: segment.clone(),
            position: first.position.into(),
            len,
            base_offset: first.base_offset,
        };
        Ok(Read { region: Some(region), is_first_batch_too_large: false })
    }

    /// The first record at or after the start of the log whose timestamp is at least `timestamp`, in the order of
    /// offsets: ListOffsets by time.
    ///
    /// # Errors
    /// What the disk says, or what is wrong with a batch.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, LogError> {
        // Damage that a search meets is known when it fails, and searched around after that.
        match self.search_timestamp(timestamp) {
            Err(LogError::Corrupt { .. }) => self.search_timestamp(timestamp),
            found => found,
        }
    }

    fn search_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, LogError> {
        let view = self.view();
        for (index, segment) in view.segments.iter().enumerate() {
            if segment.size() == 0 || segment.max_timestamp()?.timestamp < timestamp {
                continue;
            }
            let floor = segment.floor_of_timestamp(timestamp)?;
            let start = segment.find(view.log_start_offset)?.position().unwrap_or(0);
            let limit = self.limit(&view, index, view.end_offset)?;
            let found =
                self.find_timestamp(segment, floor.max(start), limit, timestamp, view.log_start_offset)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp, the first of them if there are several: ListOffsets of
    /// `MAX_TIMESTAMP` (KIP-734).
    ///
    /// # Errors
    /// What the disk says, or what is wrong with a batch.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, LogError> {
        let view = self.view();
        let mut largest = None;
        for (index, segment) in view.segments.iter().enumerate() {
            let max = segment.max_timestamp()?;
            if max.timestamp > largest.map_or(NO_TIMESTAMP, |(_, timestamp, _)| timestamp) {
                largest = Some((index, max.timestamp, max.offset));
            }
        }
        let Some((index, timestamp, offset)) = largest else { return Ok(None) };
        let segment = &view.segments[index];
        let start = segment.find(offset)?.position().unwrap_or(0);
        self.find_timestamp(segment, start, segment.size(), timestamp, Offset(0))
    }

    /// Transactions that were aborted and may have records between `start` and `upper_bound`: what a consumer that
    /// reads committed records must skip.
    ///
    /// # Errors
    /// What the disk says.
    pub fn aborted_txns(&self, start: Offset, upper_bound: Offset) -> Result<Vec<AbortedTxn>, LogError> {
        aborted_txns(&self.view().segments, start, upper_bound)
    }

    pub(crate) fn view(&self) -> View {
        self.shared.view.read().clone()
    }

    fn out_of_range(&self, offset: Offset, view: &View) -> LogError {
        LogError::OffsetOutOfRange {
            topic_partition: self.topic_partition().clone(),
            offset,
            log_start_offset: view.log_start_offset,
            log_end_offset: view.end_offset,
        }
    }

    /// What is where an offset should be, and the index of its segment.
    pub(crate) fn find(&self, view: &View, offset: Offset) -> Result<Option<(usize, Found)>, LogError> {
        let first = view.segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1);
        for (index, segment) in view.segments.iter().enumerate().skip(first) {
            match segment.find(offset)? {
                Found::Beyond => {}
                found => return Ok(Some((index, found))),
            }
        }
        Ok(None)
    }

    /// Where a segment must not be read any further.
    fn limit(&self, view: &View, index: usize, upper_bound: Offset) -> Result<u32, LogError> {
        let segment = &view.segments[index];
        let end = match view.segments.get(index + 1) {
            Some(next) if next.base_offset <= upper_bound => return Ok(segment.size()),
            Some(_) => segment.size(),
            None if upper_bound == view.end_offset => return Ok(view.end_position),
            None => view.end_position,
        };
        Ok(segment.find(upper_bound)?.position().map_or(end, |position| position.min(end)))
    }

    fn find_timestamp(
        &self,
        segment: &Segment,
        start: u32,
        limit: u32,
        timestamp: i64,
        offset: Offset,
    ) -> Result<Option<TimestampOffset>, LogError> {
        let mut found = None;
        segment.headers_from(start, |position, header| {
            if position >= limit.into() {
                return Ok(false);
            }
            if header.max_timestamp < timestamp || header.last_offset() < offset {
                return Ok(true);
            }
            let bytes = segment.read_batch(position, header)?;
            let corrupt = |error: ottla_protocol::records::RecordError| {
                segment.files.corrupt(position, header.base_offset, error.to_string())
            };
            let batch = RecordBatch::first(&bytes).map_err(corrupt)?;
            if let Err(error) = batch.verify_crc() {
                segment.find_damage()?;
                return Err(corrupt(error));
            }
            found = batch.find_timestamp(timestamp, offset).map_err(corrupt)?.map(|(offset, timestamp)| {
                let leader_epoch = (header.leader_epoch.0 >= 0).then_some(header.leader_epoch);
                TimestampOffset { timestamp, offset, leader_epoch }
            });
            Ok(found.is_none())
        })?;
        Ok(found)
    }
}

/// Transactions that were aborted and may have records between `start` and `upper_bound`.
pub(crate) fn aborted_txns(
    segments: &[Arc<Segment>],
    start: Offset,
    upper_bound: Offset,
) -> Result<Vec<AbortedTxn>, LogError> {
    let first = segments.partition_point(|segment| segment.base_offset <= start).saturating_sub(1);
    let mut aborted = Vec::new();
    for segment in segments.get(first..).unwrap_or_default() {
        for entry in segment.with_txn_index("read", |index| index.entries())? {
            if entry.last_offset >= start && entry.first_offset < upper_bound {
                aborted.push(entry);
            }
            if entry.last_stable_offset >= upper_bound {
                return Ok(aborted);
            }
        }
    }
    Ok(aborted)
}
