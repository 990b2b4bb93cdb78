//! One compaction of one log, carried out.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use ottla_protocol::records::BatchHeader;
use ottla_protocol::{Offset, ProducerId};

use super::LastRecord;
use super::filter::{DECOMPRESSED_BYTES_MAX, Filter};
use super::offset_map::{KeyHash, OffsetMap};
use super::plan::{CompactionFacts, CompactionPolicy, CompactionRange, CompactionSegment, group_segments};
use super::read::BatchReader;
use super::swap::CleanedSegments;
use super::transactions::CleanedTransactions;
use crate::disk::write_all_at;
use crate::error::LogError;
use crate::file_cache::{LogContext, Naming, SegmentFiles};
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::{Log, Shared, push_time_entry};
use crate::names::Kind;
use crate::read::{LogReader, aborted_txns};
use crate::segment::Segment;

/// What a compaction may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerMemory {
    /// Bytes for the keys: a thread's part of `log.cleaner.dedupe.buffer.size`.
    pub dedupe_bytes: u64,
    /// How full that may become: `log.cleaner.io.buffer.load.factor`.
    pub load_factor: f64,
    /// Bytes of each of the two buffers, for reading and for writing: half of a thread's part of
    /// `log.cleaner.io.buffer.size`. A larger batch takes what it needs.
    pub io_bytes: usize,
}

/// Why a compaction ended early. What it had written is gone; what it had put in place stays.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// A batch is damaged, or the disk failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The caller asked for it, or the log has changed under it.
    #[error("compaction was broken off")]
    Aborted,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanerStats {
    /// Bytes gone through for keys.
    pub map_bytes_read: u64,
    /// Keys found.
    pub keys: u64,
    /// Bytes of memory that the keys took.
    pub map_bytes: u64,
    /// Bytes gone through for rewriting.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Records gone through for rewriting.
    pub records_read: u64,
    /// Records written.
    pub records_written: u64,
    /// Records without key that were dropped.
    pub records_without_key: u64,
    /// Segments before and after.
    pub segments_before: u64,
    /// See there.
    pub segments_after: u64,
}

/// Told how many bytes were read or written; may wait, and may break the compaction off.
pub type Pace<'p> = &'p mut dyn FnMut(usize) -> ControlFlow<()>;

/// One compaction, in steps: [`gather_keys`](Cleaning::gather_keys), then [`next_group`](Cleaning::next_group) until there
/// is none, each of which is to be given to [`Log::replace_segments`]; then [`end`](Cleaning::end) says up to where the
/// log is compacted.
#[derive(Debug)]
pub struct Cleaning {
    context: LogContext,
    shared: Arc<Shared>,
    segments: Arc<Vec<Arc<Segment>>>,
    range: CompactionRange,
    policy: CompactionPolicy,
    index_interval_bytes: u32,
    last_records: HashMap<ProducerId, LastRecord>,
    truncations: u64,
    now_ms: i64,
    memory: CleanerMemory,
    map: OffsetMap,
    /// Up to here the map knows all keys.
    latest_offset: Offset,
    transactions: CleanedTransactions,
    /// Segments to be rewritten, yet to be done, as indexes.
    groups: std::vec::IntoIter<Range<usize>>,
    /// A segment may not grow larger.
    segment_max: u64,
    read_buffer: Vec<u8>,
    write_buffer: Vec<u8>,
    /// Those of the batch that is being gone through.
    keys: Vec<(KeyHash, Offset)>,
    stats: CleanerStats,
}

impl LogReader {
    /// What compaction looks at. `last_stable_offset` and `flushed_offset` are for the caller to know.
    ///
    /// # Errors
    /// What the disk says, or what is wrong with a batch.
    pub fn compaction_facts(
        &self,
        policy: &CompactionPolicy,
        last_stable_offset: Offset,
        flushed_offset: Offset,
        cleaned_to: Option<Offset>,
        now_ms: i64,
    ) -> Result<CompactionFacts, LogError> {
        let view = self.view();
        let mut facts = CompactionFacts {
            segments: Vec::with_capacity(view.segments.len()),
            log_start_offset: view.log_start_offset,
            log_end_offset: view.end_offset,
            last_stable_offset,
            flushed_offset,
            cleaned_to,
        };
        let first_dirty = super::first_dirty_offset(&facts);
        let closed = view.segments.len() - 1;
        for (index, segment) in view.segments.iter().enumerate() {
            let is_dirty = index < closed
                && view.segments.get(index + 1).is_none_or(|next| next.base_offset > first_dirty);
            // Looked up in the file: only where somebody may want to know.
            let wants_first = is_dirty && now_ms > policy.max_compaction_lag_ms;
            let wants_largest = is_dirty && policy.min_compaction_lag_ms > 0;
            let mut fact = sizes_of(segment)?;
            if wants_first {
                fact.first_timestamp = segment.first_timestamp()?;
            }
            if wants_largest {
                fact.largest_timestamp = Some(segment.largest_timestamp()?);
            }
            facts.segments.push(fact);
        }
        Ok(facts)
    }
}

fn sizes_of(segment: &Segment) -> Result<CompactionSegment, LogError> {
    let files = &segment.files;
    let offsets = segment.offset_index.len(files).map_err(files.io("read", OffsetEntry::KIND))?;
    let times = segment.time_index.len(files).map_err(files.io("read", TimeEntry::KIND))?;
    Ok(CompactionSegment {
        base_offset: segment.base_offset,
        size: segment.size().into(),
        offset_index_bytes: u64::from(offsets) * OffsetEntry::SIZE as u64,
        time_index_bytes: u64::from(times) * TimeEntry::SIZE as u64,
        first_timestamp: None,
        largest_timestamp: None,
    })
}

impl Log {
    /// Begins a compaction. `last_records` are those of all active producers, as of now.
    ///
    /// # Errors
    /// [`LogError::Offline`].
    pub fn prepare_cleaning(
        &self,
        range: CompactionRange,
        policy: CompactionPolicy,
        last_records: HashMap<ProducerId, LastRecord>,
        memory: CleanerMemory,
        now_ms: i64,
    ) -> Result<Cleaning, LogError> {
        self.check_online()?;
        let records_max = range.first_uncleanable_offset.0.saturating_sub(range.first_dirty_offset.0);
        Ok(Cleaning {
            context: self.context.clone(),
            shared: self.shared.clone(),
            segments: self.segments(),
            range,
            policy,
            index_interval_bytes: self.config.index_interval_bytes,
            last_records,
            truncations: self.durable.truncations,
            now_ms,
            memory,
            map: OffsetMap::new(memory.dedupe_bytes, memory.load_factor, records_max.max(0).unsigned_abs()),
            latest_offset: Offset(range.first_dirty_offset.0 - 1),
            transactions: CleanedTransactions::default(),
            groups: Vec::new().into_iter(),
            segment_max: i32::MAX as u64,
            read_buffer: Vec::new(),
            write_buffer: Vec::new(),
            keys: Vec::new(),
            stats: CleanerStats::default(),
        })
    }
}

impl Cleaning {
    /// Goes through the dirty part, as far as its keys fit into the memory, and plans the rest of the work.
    ///
    /// # Errors
    /// See [`CleanError`].
    pub fn gather_keys(&mut self, pace: Pace<'_>) -> Result<(), CleanError> {
        let CompactionRange { first_dirty_offset, first_uncleanable_offset, .. } = self.range;
        let segments = self.segments.clone();
        let first = segments.partition_point(|segment| segment.base_offset <= first_dirty_offset);
        let end = segments.partition_point(|segment| segment.base_offset < first_uncleanable_offset);
        let dirty = segments.get(first.saturating_sub(1)..end).unwrap_or_default();
        let mut transactions = CleanedTransactions::default();
        // What is noted of a transaction is where its marker is, which may be behind the dirty part.
        transactions.expect(aborted_txns(&segments, first_dirty_offset, first_uncleanable_offset)?);
        for (index, segment) in dirty.iter().enumerate() {
            if !self.gather_from(segment, &mut transactions, pace)? {
                break;
            }
            // Where compaction left a gap at the end of a segment, there is nothing that the map does not know.
            let next = dirty.get(index + 1).map_or(first_uncleanable_offset, |next| next.base_offset);
            self.latest_offset = Offset(next.0 - 1);
        }
        self.stats.keys = self.map.len() as u64;
        self.stats.map_bytes = self.map.memory();
        self.plan_groups()
    }

    /// Gathers the keys of one segment; says whether they all did fit.
    fn gather_from(
        &mut self,
        segment: &Arc<Segment>,
        transactions: &mut CleanedTransactions,
        pace: Pace<'_>,
    ) -> Result<bool, CleanError> {
        let first_dirty_offset = self.range.first_dirty_offset;
        let position = segment.position_before(first_dirty_offset)?;
        let mut reader =
            BatchReader::new(segment.clone(), position, &mut self.read_buffer, self.memory.io_bytes)?;
        loop {
            let Some((batch, read)) = reader.next()? else { return Ok(true) };
            let last_offset = batch.last_offset();
            self.stats.map_bytes_read += batch.size() as u64;
            if batch.is_control() {
                transactions.on_control(&batch);
            } else if !transactions.on_data(&batch) {
                let (map, keys) = (&mut self.map, &mut self.keys);
                let latest_offset = &mut self.latest_offset;
                let gathered = batch.records(DECOMPRESSED_BYTES_MAX).and_then(|records| {
                    keys.clear();
                    for record in &records {
                        let record = record?;
                        if let Some(key) = record.key.filter(|_| record.offset >= first_dirty_offset) {
                            keys.push((map.hash(key), record.offset));
                        }
                    }
                    map.touch(keys.iter().map(|(hash, _)| *hash));
                    let fits = keys.iter().all(|(hash, offset)| {
                        let fits = map.put(*hash, *offset);
                        *latest_offset = if fits { *offset } else { *latest_offset };
                        fits
                    });
                    Ok(fits)
                });
                if !gathered.map_err(|error| reader.corrupt(error))? {
                    return Ok(false);
                }
            }
            if last_offset >= first_dirty_offset {
                self.latest_offset = last_offset;
            }
            if read > 0 && pace(read).is_break() {
                return Err(CleanError::Aborted);
            }
        }
    }

    /// Decides which segments are written anew together: all up to where the map knows the keys.
    fn plan_groups(&mut self) -> Result<(), CleanError> {
        let end = self.end();
        let segments = self.segments.iter().take_while(|segment| segment.base_offset < end);
        let sizes = segments.map(|segment| sizes_of(segment)).collect::<Result<Vec<_>, LogError>>()?;
        self.groups = group_segments(&sizes, &self.policy, self.range.first_uncleanable_offset).into_iter();
        Ok(())
    }

    /// The log is compacted up to here once all groups are in place.
    pub fn end(&self) -> Offset {
        Offset(self.latest_offset.0 + 1)
    }

    /// What has been done so far.
    pub fn stats(&self) -> CleanerStats {
        self.stats
    }

    /// Writes the next group of segments anew, durably, under names that are not the log's yet.
    ///
    /// # Errors
    /// See [`CleanError`]. A disk that has not room enough is asked first, so that it is not filled up in vain.
    pub fn next_group(&mut self, pace: Pace<'_>) -> Result<Option<CleanedSegments>, CleanError> {
        let Some(group) = self.groups.next() else { return Ok(None) };
        let segments = self.segments.clone();
        let old = &segments[group];
        self.check_space(old)?;
        let mut written = Written { context: &self.context, shared: &self.shared, done: Vec::new() };
        let mut dest = written.begin(old[0].base_offset)?;
        for segment in old {
            let after = segments.partition_point(|other| other.base_offset <= segment.base_offset);
            let end = segments.get(after).map_or(Offset(i64::MAX), |next| next.base_offset);
            self.transactions.expect(aborted_txns(&segments, segment.base_offset, end)?);
            let filter = Filter {
                map: &self.map,
                latest_offset: self.latest_offset,
                first_uncleanable_offset: self.range.first_uncleanable_offset,
                last_records: &self.last_records,
                delete_retention_ms: self.policy.delete_retention_ms,
                now_ms: self.now_ms,
            };
            let mut reader =
                BatchReader::new(segment.clone(), 0, &mut self.read_buffer, self.memory.io_bytes)?;
            let mut looks = Vec::new();
            while let Some((batch, read)) = reader.next()? {
                self.stats.bytes_read += batch.size() as u64;
                let start = self.write_buffer.len();
                let filtered =
                    filter.apply(&batch, &mut self.transactions, &mut looks, &mut self.write_buffer);
                let filtered = filtered.map_err(|error| reader.corrupt(error))?;
                self.stats.records_read += filtered.records_read;
                self.stats.records_written += filtered.records_kept;
                self.stats.records_without_key += filtered.records_without_key;
                let mut written_bytes = 0;
                if let Some(header) = filtered.header {
                    let grown = dest.segment.size() as u64 + header.size() as u64;
                    if grown > self.segment_max {
                        let batch = self.write_buffer.split_off(start);
                        written_bytes += dest.write(&mut self.write_buffer)?;
                        dest.finish(old)?;
                        dest = written.begin(header.base_offset)?;
                        self.write_buffer = batch;
                    }
                    dest.take_note(&header, self.index_interval_bytes)?;
                    if self.write_buffer.len() >= self.memory.io_bytes {
                        written_bytes += dest.write(&mut self.write_buffer)?;
                        self.write_buffer.shrink_to(self.memory.io_bytes);
                    }
                }
                if let Some(aborted) = filtered.aborted {
                    dest.segment.change_txn_index("append to", |index| index.append(&aborted))?;
                }
                self.stats.bytes_written += written_bytes as u64;
                if read + written_bytes > 0 && pace(read + written_bytes).is_break() {
                    return Err(CleanError::Aborted);
                }
            }
        }
        self.stats.bytes_written += dest.write(&mut self.write_buffer)? as u64;
        dest.finish(old)?;
        let new = written.complete();
        self.stats.segments_before += old.len() as u64;
        self.stats.segments_after += new.len() as u64;
        Ok(Some(CleanedSegments { old: old.to_vec(), new, truncations: self.truncations }))
    }

    fn check_space(&self, old: &[Arc<Segment>]) -> Result<(), LogError> {
        let needed: u64 = old.iter().map(|segment| u64::from(segment.size())).sum();
        let dir = self.shared.dir.path();
        match self.context.disk().space(&dir) {
            Ok(space) if space.usable < needed => {
                Err(self.shared.dir.io("compact", &dir)(std::io::ErrorKind::StorageFull.into()))
            }
            // What cannot be said is found out by writing.
            _ => Ok(()),
        }
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        if self.stats.records_without_key > 0 {
            tracing::warn!(
                partition = %self.shared.dir.topic_partition,
                records = self.stats.records_without_key,
                "records without key went from a compacted log"
            );
        }
    }
}

/// The segments that are being written; they are removed again unless all are complete.
struct Written<'w> {
    context: &'w LogContext,
    shared: &'w Shared,
    done: Vec<Arc<Segment>>,
}

/// The last of them.
struct Dest {
    segment: Arc<Segment>,
    /// Bytes that are in the file.
    stored: u64,
    bytes_since_index: u32,
}

impl Written<'_> {
    fn begin(&mut self, base_offset: Offset) -> Result<Dest, LogError> {
        let files =
            SegmentFiles::named(Naming::Cleaned, self.context.clone(), self.shared.dir.clone(), base_offset);
        let segment = Arc::new(Segment::empty(files));
        self.done.push(segment.clone());
        // What an attempt that failed may have left.
        segment.files.remove()?;
        let files = &segment.files;
        for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex] {
            files.get_or_create(kind).map_err(files.io("make", kind))?;
        }
        Ok(Dest { segment, stored: 0, bytes_since_index: 0 })
    }

    fn complete(mut self) -> Vec<Arc<Segment>> {
        std::mem::take(&mut self.done)
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        for segment in &self.done {
            if let Err(error) = segment.files.remove() {
                tracing::warn!(%error, "cannot remove what a compaction had begun to write");
            }
        }
    }
}

impl Dest {
    /// A batch has been put into the buffer.
    fn take_note(&mut self, header: &BatchHeader, index_interval_bytes: u32) -> Result<(), LogError> {
        let position = self.segment.size();
        let max = self.segment.appended(header);
        if self.bytes_since_index > index_interval_bytes {
            self.segment.offset_index.push(OffsetEntry { offset: header.last_offset(), position });
            max.map_or(Ok(()), |max| push_time_entry(&self.segment, max))?;
            self.bytes_since_index = 0;
            let files = &self.segment.files;
            self.segment.offset_index.store_block(files).map_err(files.io("write", OffsetEntry::KIND))?;
            self.segment.time_index.store_block(files).map_err(files.io("write", TimeEntry::KIND))?;
        }
        self.bytes_since_index = self.bytes_since_index.saturating_add(header.size() as u32);
        Ok(())
    }

    /// Writes what is in the buffer; gives how much that was.
    fn write(&mut self, buffer: &mut Vec<u8>) -> Result<usize, LogError> {
        let files = &self.segment.files;
        let count = buffer.len();
        if count > 0 {
            let file = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
            write_all_at(&*file, buffer, &[], self.stored).map_err(files.io("write", Kind::Log))?;
            self.stored += count as u64;
            buffer.clear();
        }
        Ok(count)
    }

    /// Makes it durable. It looks as old as what it was made from: where records have no timestamps, that is how
    /// retention knows their age.
    fn finish(&mut self, old: &[Arc<Segment>]) -> Result<(), LogError> {
        assert_eq!(self.stored, u64::from(self.segment.size()), "all batches are in the file");
        let files = &self.segment.files;
        push_time_entry(&self.segment, self.segment.max_timestamp()?)?;
        self.segment.offset_index.finish(files, true).map_err(files.io("sync", OffsetEntry::KIND))?;
        self.segment.time_index.finish(files, true).map_err(files.io("sync", TimeEntry::KIND))?;
        self.segment.sync_txn_index()?;
        let file = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
        if let Some(last) = old.last() {
            let path = last.files.path(Kind::Log);
            if let Ok(metadata) = self.segment.files.disk().metadata(&path) {
                file.set_modified(metadata.modified_ms).map_err(files.io("date", Kind::Log))?;
            }
        }
        file.sync().map_err(files.io("sync", Kind::Log))?;
        self.segment.sealed();
        Ok(())
    }
}
