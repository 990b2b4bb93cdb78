//! One segment of a log: a file of batches, and its indexes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use ottla_protocol::Offset;
use ottla_protocol::records::{BatchHeader, NO_TIMESTAMP};
use parking_lot::RwLock;

use crate::LogError;
use crate::damage::Damage;
use crate::disk::read_full_at;
use crate::file_cache::SegmentFiles;
use crate::index::{Index, OffsetEntry, TimeEntry, TxnIndex};
use crate::log::push_time_entry;
use crate::names::Kind;
use crate::scan::{FIND_CHUNK, SCAN_CHUNK};
use crate::walk::{Step, Walk};

/// Batches whose places are kept in memory: consumers that follow a log read what was appended last.
const RECENT_MAX: usize = 32;

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchPlace {
    pub(crate) position: u32,
    pub(crate) size: u32,
    pub(crate) base_offset: Offset,
    pub(crate) last_offset: Offset,
}

impl BatchPlace {
    fn new(position: u64, header: &BatchHeader) -> BatchPlace {
        BatchPlace {
            position: position as u32,
            size: header.size() as u32,
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
        }
    }
}

/// See the module. Shared by the log that appends and all who read; what is before [`size`](Self::size) stays as it is
/// for as long as the segment is part of a log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: Offset,
    pub(crate) files: Arc<SegmentFiles>,
    pub(crate) offset_index: Index<OffsetEntry>,
    pub(crate) time_index: Index<TimeEntry>,
    size: AtomicU32,
    /// The offset after its last one: where the next segment begins, or the log ends. `i64::MAX` until that is known.
    end_offset: AtomicI64,
    recent: RwLock<Recent>,
    /// Stretches that cannot be read, by position; most segments have none.
    pub(crate) damage: RwLock<Option<Arc<[Damage]>>>,
    /// The index of aborted transactions may have what is not durable.
    txn_index_changed: AtomicBool,
}

/// What is where an offset was looked for.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// The first batch that ends at or after it.
    Batch(BatchPlace),
    /// What cannot be read.
    Damaged(Damage),
    /// Nothing: the segment ends before it.
    Beyond,
}

impl Found {
    /// Where it begins.
    pub(crate) fn position(&self) -> Option<u32> {
        match self {
            Found::Batch(place) => Some(place.position),
            Found::Damaged(damage) => Some(damage.position),
            Found::Beyond => None,
        }
    }
}

/// What was appended last.
#[derive(Debug, Default)]
struct Recent {
    /// Adjacent, up to the end of the segment.
    batches: VecDeque<BatchPlace>,
    /// The largest timestamp and where it is; `None` until it is looked up.
    max_timestamp: Option<TimeEntry>,
    /// While that is not known: the largest of what this process has appended.
    appended_max: Option<TimeEntry>,
}

impl Segment {
    /// A segment that is just being made.
    pub(crate) fn empty(files: Arc<SegmentFiles>) -> Segment {
        let base_offset = files.base_offset();
        let recent = Recent { max_timestamp: Some(TimeEntry::none(base_offset)), ..Recent::default() };
        Segment {
            base_offset,
            files,
            offset_index: Index::empty(base_offset),
            time_index: Index::empty(base_offset),
            size: AtomicU32::new(0),
            end_offset: AtomicI64::new(base_offset.0),
            recent: RwLock::new(recent),
            damage: RwLock::default(),
            // Not known of files that were there before.
            txn_index_changed: AtomicBool::new(true),
        }
    }

    /// A segment whose files are there.
    pub(crate) fn existing(files: Arc<SegmentFiles>, size: u32) -> Segment {
        let base_offset = files.base_offset();
        Segment {
            base_offset,
            files,
            offset_index: Index::existing(base_offset),
            time_index: Index::existing(base_offset),
            size: AtomicU32::new(size),
            end_offset: AtomicI64::new(i64::MAX),
            recent: RwLock::default(),
            damage: RwLock::default(),
            // Not known of files that were there before.
            txn_index_changed: AtomicBool::new(true),
        }
    }

    /// Bytes of whole batches.
    pub(crate) fn size(&self) -> u32 {
        self.size.load(Ordering::Acquire)
    }

    /// The offset after its last one; `i64::MAX` if that is not known yet.
    pub(crate) fn end_offset(&self) -> Offset {
        Offset(self.end_offset.load(Ordering::Acquire))
    }

    /// Says where the next segment begins, or the log ends.
    pub(crate) fn ends_at(&self, offset: Offset) {
        self.end_offset.store(offset.0, Ordering::Release);
    }

    /// Takes note of a batch that has been written at the end; gives the largest timestamp so far, if that is known. One
    /// that was there when the log was opened is looked up when somebody asks for it: that may mean to read all headers
    /// behind a timestamp that was ahead of its time.
    pub(crate) fn appended(&self, header: &BatchHeader) -> Option<TimeEntry> {
        let position = self.size();
        let place = BatchPlace::new(position.into(), header);
        let mut recent = self.recent.write();
        if recent.batches.len() == RECENT_MAX {
            recent.batches.pop_front();
        }
        recent.batches.push_back(place);
        let Recent { max_timestamp, appended_max, .. } = &mut *recent;
        let max = match max_timestamp {
            Some(max) => max,
            None => appended_max.get_or_insert(TimeEntry::none(self.base_offset)),
        };
        if header.max_timestamp > max.timestamp {
            *max = TimeEntry { timestamp: header.max_timestamp, offset: place.last_offset };
        }
        self.ends_at(header.next_offset());
        self.size.store(position + place.size, Ordering::Release);
        *max_timestamp
    }

    /// Takes note of the size that recovery or truncation left.
    pub(crate) fn resized(&self, size: u32, max_timestamp: Option<TimeEntry>) {
        let mut recent = self.recent.write();
        *recent = Recent { batches: VecDeque::new(), max_timestamp, appended_max: None };
        self.size.store(size, Ordering::Release);
    }

    /// Takes note of the size that cutting off what is not sound left: the largest timestamp is none of that.
    pub(crate) fn resized_keeping_max(&self, size: u32) {
        let max_timestamp = self.recent.read().max_timestamp;
        self.resized(size, max_timestamp);
    }

    /// Whether this process appends to it.
    pub(crate) fn is_appended_to(&self) -> bool {
        !self.recent.read().batches.is_empty()
    }

    /// Writes the indexes whole: nothing is appended any more.
    pub(crate) fn finish_indexes(&self) -> Result<(), LogError> {
        let Segment { offset_index, time_index, files, .. } = self;
        push_time_entry(self, self.max_timestamp()?)?;
        offset_index.finish(files, false).map_err(files.io("write", Kind::OffsetIndex))?;
        time_index.finish(files, false).map_err(files.io("write", Kind::TimeIndex))
    }

    /// Nothing is appended any more.
    pub(crate) fn sealed(&self) {
        self.recent.write().batches = VecDeque::new();
    }

    /// What is where an offset should be.
    pub(crate) fn find(&self, offset: Offset) -> Result<Found, LogError> {
        if let Some(damage) = self.damage_at(offset) {
            return Ok(Found::Damaged(damage));
        }
        let size = self.size();
        if size == 0 {
            return Ok(Found::Beyond);
        }
        if let Some(place) = self.find_recent(offset) {
            return Ok(Found::Batch(place));
        }
        let entry = self.offset_index.floor(&self.files, |entry| entry.offset <= offset);
        let entry = entry.map_err(self.files.io("read", Kind::OffsetIndex))?;
        if let Some(entry) = entry
            && let Some(found) = self.find_from_entry(entry, offset, size)?
        {
            return Ok(found);
        }
        self.find_on(self.walk(0, size, FIND_CHUNK)?, offset)
    }

    fn find_recent(&self, offset: Offset) -> Option<BatchPlace> {
        let recent = self.recent.read();
        // The first one may have others before it that end at or after the offset.
        if recent.batches.front()?.base_offset > offset {
            return None;
        }
        let at = recent.batches.partition_point(|place| place.last_offset < offset);
        recent.batches.get(at).copied()
    }

    /// Searches from where an index points; `None` if no batch is there that could have been indexed so. The index is
    /// wrong then, and the search begins at the start.
    fn find_from_entry(
        &self,
        entry: OffsetEntry,
        offset: Offset,
        size: u32,
    ) -> Result<Option<Found>, LogError> {
        let mut walk = self.walk(entry.position, size, FIND_CHUNK)?;
        let could_be = |header: &BatchHeader| {
            (self.base_offset..=entry.offset).contains(&header.base_offset)
                && header.last_offset() <= entry.offset
        };
        if walk.begins_well(could_be)? {
            return self.find_on(walk, offset).map(Some);
        }
        let path = self.files.path(Kind::OffsetIndex);
        let position = entry.position;
        tracing::warn!(path = %path.display(), position, "wrong entry in an offset index, searching without it");
        Ok(None)
    }

    fn find_on(&self, mut walk: Walk<'_>, offset: Offset) -> Result<Found, LogError> {
        let mut has_doubted = false;
        while let Some(step) = walk.next()? {
            match step {
                Step::Batch(at, header) if header.last_offset() >= offset => {
                    // Offsets are left out by compaction, and where a block of another place was written.
                    let is_jump = header.base_offset > offset;
                    if is_jump && !has_doubted && self.contradicts_index(at, &header)? {
                        has_doubted = true;
                        walk.look_again(at)?;
                        continue;
                    }
                    return Ok(Found::Batch(BatchPlace::new(at.into(), &header)));
                }
                Step::Damaged(damage) if offset < damage.end_offset => return Ok(Found::Damaged(damage)),
                Step::Batch(..) | Step::Damaged(_) => {}
            }
        }
        Ok(Found::Beyond)
    }

    /// Whether the index knows an earlier offset behind a batch, and is right about that: then the batch is not of this
    /// place.
    fn contradicts_index(&self, position: u32, header: &BatchHeader) -> Result<bool, LogError> {
        let next = self.offset_index.ceiling(&self.files, |entry| entry.position <= position);
        let next = next.map_err(self.files.io("read", Kind::OffsetIndex))?;
        let Some(next) = next.filter(|next| next.offset <= header.last_offset()) else { return Ok(false) };
        let mut there = self.walk(next.position, self.size(), FIND_CHUNK)?;
        there.begins_well(|header| header.last_offset() == next.offset)
    }

    fn walk(&self, position: u32, end: u32, chunk: usize) -> Result<Walk<'_>, LogError> {
        Walk::new(self, position, end, chunk)
    }

    /// The headers of all batches from a position on, in turn, until `visit` says false. What is damaged is left out.
    pub(crate) fn headers_from(
        &self,
        position: u32,
        mut visit: impl FnMut(u64, &BatchHeader) -> Result<bool, LogError>,
    ) -> Result<(), LogError> {
        if position >= self.size() {
            return Ok(());
        }
        let mut walk = self.walk(position, self.size(), SCAN_CHUNK)?;
        while let Some(step) = walk.next()? {
            match step {
                Step::Batch(position, header) if !visit(position.into(), &header)? => return Ok(()),
                Step::Batch(..) | Step::Damaged(_) => {}
            }
        }
        Ok(())
    }

    /// The bytes of a batch that has been found.
    pub(crate) fn read_batch(&self, position: u64, header: &BatchHeader) -> Result<Vec<u8>, LogError> {
        let file = self.files.get(Kind::Log).map_err(self.files.io("open", Kind::Log))?;
        // The scan that found the header found the batch to be within the file.
        let mut bytes = vec![0; header.size()];
        let count = read_full_at(&*file, &mut bytes, position).map_err(self.files.io("read", Kind::Log))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Looks up what an append needs to know of a segment that was there before: the offset after its last batch, and
    /// the timestamp of its first.
    pub(crate) fn prepare_for_append(&self) -> Result<(Offset, Option<i64>), LogError> {
        let last = self.offset_index.last(&self.files);
        let last = last.map_err(self.files.io("read", Kind::OffsetIndex))?;
        let start = match last {
            Some(entry) => self.find(entry.offset)?.position().unwrap_or(0),
            None => 0,
        };
        let mut next_offset = self.base_offset;
        self.headers_from(start, |_, header| {
            next_offset = header.next_offset();
            Ok(true)
        })?;
        // Of damage that has just been found at the end it is not known how many records it was.
        let ends = self.damage().iter().map(|damage| damage.end_offset).collect::<Vec<_>>();
        let known = ends.into_iter().filter(|end| *end < Offset(i64::MAX)).max();
        let next_offset = next_offset.max(known.unwrap_or(next_offset));
        let mut first_timestamp = None;
        self.headers_from(0, |_, header| {
            first_timestamp = Some(header.max_timestamp);
            Ok(false)
        })?;
        Ok((next_offset, first_timestamp))
    }

    /// The largest timestamp of the first batch, if there is one.
    pub(crate) fn first_timestamp(&self) -> Result<Option<i64>, LogError> {
        if self.size() == 0 {
            return Ok(None);
        }
        let mut walk = self.walk(0, self.size(), FIND_CHUNK)?;
        while let Some(step) = walk.next()? {
            if let Step::Batch(_, header) = step {
                return Ok(Some(header.max_timestamp));
            }
        }
        Ok(None)
    }

    /// Where the batch begins that holds an offset, or the first one after it; at the end if there is none.
    pub(crate) fn position_before(&self, offset: Offset) -> Result<u32, LogError> {
        if offset <= self.base_offset {
            return Ok(0);
        }
        Ok(self.find(offset)?.position().unwrap_or(self.size()))
    }

    /// The largest timestamp, and the last offset of the first batch that has it; that of no record if there is none.
    pub(crate) fn max_timestamp(&self) -> Result<TimeEntry, LogError> {
        if let Some(max) = self.recent.read().max_timestamp {
            return Ok(max);
        }
        let found = self.find_max_timestamp()?;
        let mut recent = self.recent.write();
        // What was appended while it was looked up counts too.
        let max = recent.appended_max.take().filter(|appended| appended.timestamp > found.timestamp);
        Ok(*recent.max_timestamp.get_or_insert(max.unwrap_or(found)))
    }

    /// Looks up the largest timestamp: the last entry of the time index, or what comes after it.
    pub(crate) fn find_max_timestamp(&self) -> Result<TimeEntry, LogError> {
        let mut max = TimeEntry::none(self.base_offset);
        let last = self.time_index.last(&self.files);
        let last = last.map_err(self.files.io("read", Kind::TimeIndex))?;
        let mut start = 0;
        if let Some(entry) = last
            && let Some(place) = self.checked_time_entry(&entry)?
        {
            max = entry;
            start = place.position;
        }
        self.headers_from(start, |_, header| {
            if header.max_timestamp > max.timestamp {
                max = TimeEntry { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
            Ok(true)
        })?;
        Ok(max)
    }

    /// The batch that a time index entry speaks of, if the entry is right.
    fn checked_time_entry(&self, entry: &TimeEntry) -> Result<Option<BatchPlace>, LogError> {
        let Found::Batch(place) = self.find(entry.offset)? else { return Ok(None) };
        let mut right = false;
        self.headers_from(place.position, |_, header| {
            right = header.max_timestamp == entry.timestamp;
            Ok(false)
        })?;
        if !right {
            let path = self.files.path(Kind::TimeIndex);
            tracing::warn!(path = %path.display(), "wrong entry in a time index, searching without it");
        }
        Ok(right.then_some(place))
    }

    /// Where to begin looking for a timestamp: no batch before it has one as large.
    pub(crate) fn floor_of_timestamp(&self, timestamp: i64) -> Result<u32, LogError> {
        let entry = self.time_index.floor(&self.files, |entry| entry.timestamp < timestamp);
        let entry = entry.map_err(self.files.io("read", Kind::TimeIndex))?;
        let place = match entry {
            Some(entry) => self.checked_time_entry(&entry)?,
            None => None,
        };
        Ok(place.map_or(0, |place| place.position))
    }

    /// For a segment without timestamps, the time of its last change stands in.
    pub(crate) fn largest_timestamp(&self) -> Result<i64, LogError> {
        let max = self.max_timestamp()?;
        if max.timestamp != NO_TIMESTAMP {
            return Ok(max.timestamp);
        }
        let path = self.files.path(Kind::Log);
        match self.files.disk().metadata(&path) {
            Ok(metadata) => Ok(metadata.modified_ms),
            // The file of a log that nothing was ever appended to is not made yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(i64::MAX),
            Err(error) => Err(self.files.io("look at", Kind::Log)(error)),
        }
    }

    /// Changes the index of aborted transactions.
    pub(crate) fn change_txn_index<T>(
        &self,
        action: &'static str,
        act: impl FnOnce(TxnIndex<'_>) -> std::io::Result<T>,
    ) -> Result<T, LogError> {
        let changed = self.with_txn_index(action, act);
        self.txn_index_changed.store(true, Ordering::Release);
        changed
    }

    /// Makes the index of aborted transactions durable. Nearly every flush finds that it has not changed.
    pub(crate) fn sync_txn_index(&self) -> Result<(), LogError> {
        if !self.txn_index_changed.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let synced = self.with_txn_index("sync", |index| index.sync());
        if synced.is_err() {
            self.txn_index_changed.store(true, Ordering::Release);
        }
        synced
    }

    /// The index of aborted transactions.
    pub(crate) fn with_txn_index<T>(
        &self,
        action: &'static str,
        act: impl FnOnce(TxnIndex<'_>) -> std::io::Result<T>,
    ) -> Result<T, LogError> {
        let act = |path: &std::path::Path| act(TxnIndex { disk: self.files.disk(), path });
        self.files.with_path(Kind::TxnIndex, act).map_err(|error| match error.kind() {
            // The disk is fine, as far as this goes.
            std::io::ErrorKind::InvalidData => LogError::Corrupt {
                topic_partition: self.files.topic_partition().clone(),
                path: self.files.path(Kind::TxnIndex),
                position: 0,
                offset: self.base_offset,
                what: "not an index of aborted transactions".to_owned(),
            },
            _ => self.files.io(action, Kind::TxnIndex)(error),
        })
    }
}
