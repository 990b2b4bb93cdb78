//! Appending, and rolling to a new segment.

use std::sync::Arc;

use ottla_protocol::records::{BatchBytes, BatchHeader, RecordError, batches};
use ottla_protocol::{LeaderEpoch, Offset};

use crate::disk::{OpenMode, write_all_at};
use crate::error::LogError;
use crate::file_cache::ignore_missing;
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::{Active, Log, push_time_entry};
use crate::names::Kind;
use crate::segment::Segment;

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    /// Offset of the first record.
    pub first_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Bytes appended; fewer than given if the last batch of a replica's bytes was cut off, or of an epoch to come.
    pub size: usize,
    /// Largest timestamp of the batches.
    pub max_timestamp: i64,
    /// Newest leader epoch of the batches.
    pub last_leader_epoch: LeaderEpoch,
    /// A new segment was begun; the ones before it should be flushed soon.
    pub has_rolled: bool,
    /// The flush policy asks for a flush now.
    pub is_flush_due: bool,
}

/// What decides about rolling.
#[derive(Clone, Copy, Debug)]
pub struct RollFacts {
    /// Bytes about to be appended.
    pub size: usize,
    /// Largest timestamp among them.
    pub max_timestamp: i64,
    /// Last offset among them.
    pub last_offset: Offset,
}

impl Log {
    /// Appends a batch that was found valid, as the partition's leader: it gets the next offsets and the leader's
    /// epoch.
    ///
    /// # Errors
    /// Nothing was appended then; the log goes on as before.
    pub fn append(
        &mut self,
        batch: &mut BatchBytes<'_>,
        leader_epoch: LeaderEpoch,
        now_ms: i64,
    ) -> Result<AppendInfo, LogError> {
        batch.set_base_offset(self.log_end_offset());
        batch.set_leader_epoch(leader_epoch);
        self.write(&[batch.header()], batch.head(), batch.body(), now_ms)
    }

    /// Appends batches whose offsets and epochs are set already: what a follower fetched from its leader, what the
    /// leader of the metadata quorum wrote. A last batch that is cut off is left out, and so is all from the first
    /// batch on whose epoch is above `leader_epoch`: its sender knows of a leader that this replica does not know yet.
    ///
    /// # Errors
    /// Nothing was appended then. Batches must be sound, their offsets grow, and begin at or after the end of the log.
    pub fn append_as_follower(
        &mut self,
        records: &[u8],
        leader_epoch: LeaderEpoch,
        now_ms: i64,
    ) -> Result<Option<AppendInfo>, LogError> {
        let (headers, size) = self.check_assigned(records, leader_epoch)?;
        let Some(first) = headers.first() else { return Ok(None) };
        let log_end_offset = self.log_end_offset();
        if first.base_offset < log_end_offset {
            return Err(LogError::UnexpectedAppendOffset {
                topic_partition: self.topic_partition().clone(),
                first_offset: first.base_offset,
                last_offset: headers[headers.len() - 1].last_offset(),
                log_end_offset,
            });
        }
        self.write(&headers, &records[..size], &[], now_ms).map(Some)
    }

    /// The headers of the batches to be appended, and the bytes of them all.
    fn check_assigned(
        &self,
        records: &[u8],
        leader_epoch: LeaderEpoch,
    ) -> Result<(Vec<BatchHeader>, usize), LogError> {
        let mut headers: Vec<BatchHeader> = Vec::new();
        let mut size = 0;
        let invalid = |position, source| LogError::InvalidBatch {
            topic_partition: self.topic_partition().clone(),
            position,
            source,
        };
        for batch in batches(records) {
            let batch = match batch {
                Err(RecordError::Truncated { .. }) => break,
                other => other.map_err(|error| invalid(size, error))?,
            };
            batch.verify_crc().map_err(|error| invalid(size, error))?;
            let header = *batch.header();
            if header.leader_epoch > leader_epoch {
                tracing::info!(
                    partition = %self.topic_partition(),
                    offset = %header.base_offset,
                    epoch = %header.leader_epoch,
                    "leaving out a batch of a leader epoch that is not known yet"
                );
                break;
            }
            if header.last_offset_delta < 0
                || header.base_offset.0 < 0
                || header.last_offset() < header.base_offset
            {
                return Err(invalid(
                    size,
                    RecordError::BadBatch("offsets of the header contradict each other"),
                ));
            }
            if let Some(before) = headers.last()
                && header.base_offset <= before.last_offset()
            {
                return Err(LogError::OffsetsOutOfOrder {
                    topic_partition: self.topic_partition().clone(),
                    offset: header.last_offset(),
                    after: before.last_offset(),
                });
            }
            size += header.size();
            headers.push(header);
        }
        Ok((headers, size))
    }

    /// Writes batches, given in two pieces, and makes them readable.
    fn write(
        &mut self,
        headers: &[BatchHeader],
        head: &[u8],
        body: &[u8],
        now_ms: i64,
    ) -> Result<AppendInfo, LogError> {
        self.check_online()?;
        let size = head.len() + body.len();
        if size > self.config.segment_bytes as usize {
            return Err(LogError::BatchTooLarge {
                topic_partition: self.topic_partition().clone(),
                size: size as u64,
                segment_bytes: self.config.segment_bytes,
            });
        }
        let (first, last) = (&headers[0], &headers[headers.len() - 1]);
        let max_timestamp = headers.iter().map(|header| header.max_timestamp).fold(i64::MIN, i64::max);
        let facts = RollFacts { size, max_timestamp, last_offset: last.last_offset() };
        // An empty segment may begin behind the end of the log, after an append across a gap that failed.
        let is_behind = first.base_offset < self.active.segment.base_offset;
        let has_rolled = is_behind || self.should_roll(&facts, now_ms)?;
        if has_rolled {
            // Segments without a gap between them are what tells recovery that nothing is missing. Only what would be
            // out of reach of its segment's base offset begins further on.
            let end_offset = self.log_end_offset();
            let in_reach = last.last_offset().0 - end_offset.0 <= i64::from(i32::MAX);
            self.roll_to(if in_reach { end_offset } else { first.base_offset }, now_ms)?;
        }
        let segment = self.active.segment.clone();
        let position = segment.size();
        if position == 0 {
            self.make_dir()?;
            self.durable.is_untouched = false;
            make_missing(&segment)?;
        }
        let file = segment.files.get(Kind::Log).map_err(segment.files.io("open", Kind::Log))?;
        #[cfg(not(feature = "broken-ack-before-write"))]
        let written = write_all_at(&*file, head, body, position.into());
        #[cfg(feature = "broken-ack-before-write")]
        let written = if &*self.topic_partition().topic == "__cluster_metadata" {
            // So that such a broker starts after a kill, and its clients can tell what is missing.
            write_all_at(&*file, head, body, position.into())
        } else {
            write_late(&file, [head, body].concat(), position.into())
        };
        if let Err(error) = written {
            // What was written of it must not be found there after a crash. If it cannot be cut off now, it is
            // overwritten by the next append, or cut off when the segment is done.
            self.active.is_ragged = file.set_len(position.into()).is_err();
            return Err(segment.files.io("append to", Kind::Log)(error));
        }
        self.durable.names_changed |= position == 0;
        self.durable.epochs_changed |= std::mem::take(&mut self.durable.epoch_is_empty);
        for header in headers {
            self.take_note(&segment, header)?;
        }
        let mut view = self.shared.view.write();
        view.end_offset = last.next_offset();
        view.end_position = segment.size();
        drop(view);
        Ok(AppendInfo {
            first_offset: first.base_offset,
            last_offset: last.last_offset(),
            size,
            max_timestamp,
            last_leader_epoch: last.leader_epoch,
            has_rolled,
            is_flush_due: last.next_offset().0 - self.durable.recovery_point.0 >= self.config.flush_messages,
        })
    }

    /// Updates indexes and epochs for a batch that has been written.
    fn take_note(&mut self, segment: &Segment, header: &BatchHeader) -> Result<(), LogError> {
        let position = segment.size();
        self.active.first_timestamp.get_or_insert(header.max_timestamp);
        self.active.is_changed = true;
        let max = segment.appended(header);
        if self.active.bytes_since_index > self.config.index_interval_bytes {
            segment.offset_index.push(OffsetEntry { offset: header.last_offset(), position });
            // Without it there is no entry; lookups read on from the one before.
            max.map_or(Ok(()), |max| push_time_entry(segment, max))?;
            self.active.bytes_since_index = 0;
            self.store_index_blocks(segment)?;
        }
        self.active.bytes_since_index += header.size() as u32;
        let mut epochs = self.shared.epochs.upgradable_read();
        let is_new = epochs.latest().is_none_or(|latest| latest.epoch != header.leader_epoch);
        if is_new && epochs.with_upgraded(|epochs| epochs.assign(header.leader_epoch, header.base_offset)) {
            self.durable.epochs_changed = true;
        }
        Ok(())
    }

    /// Writes what has gathered of index entries. Those that the disk has no room for stay in memory; the batch is in the
    /// log all the same.
    fn store_index_blocks(&mut self, segment: &Segment) -> Result<(), LogError> {
        let files = &segment.files;
        let offsets = segment.offset_index.store_block(files).map_err(files.io("write", Kind::OffsetIndex));
        let stored = offsets
            .and_then(|()| segment.time_index.store_block(files).map_err(files.io("write", Kind::TimeIndex)));
        match stored {
            Err(error) if error.is_storage_failure() => {
                // The batch is neither readable nor taken back.
                self.durable.is_offline = true;
                Err(error)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.active.is_index_behind, true) {
                    tracing::warn!(%error, "cannot write index entries yet");
                }
                Ok(())
            }
            Ok(()) => {
                self.active.is_index_behind = false;
                Ok(())
            }
        }
    }

    /// Whether an append of that kind begins a new segment. A caller that keeps producers' state takes a snapshot of
    /// it then, after [`roll`](Log::roll) and before the append.
    ///
    /// # Errors
    /// If the indexes cannot be read.
    pub fn should_roll(&self, facts: &RollFacts, now_ms: i64) -> Result<bool, LogError> {
        let Active { segment, since_ms, first_timestamp, jitter_ms, .. } = &self.active;
        let size = segment.size();
        if u64::from(size) + facts.size as u64 > self.config.segment_bytes.into() && size > 0 {
            return Ok(true);
        }
        let waited = match *first_timestamp {
            Some(first) if first >= 0 => facts.max_timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(*since_ms),
        };
        if size > 0 && waited > self.config.segment_ms.saturating_sub(*jitter_ms) {
            return Ok(true);
        }
        if facts.last_offset.0.saturating_sub(segment.base_offset.0) > i64::from(i32::MAX) {
            return Ok(true);
        }
        if size == 0 {
            return Ok(false);
        }
        let entries = |bytes: usize| self.config.segment_index_bytes / bytes as u32;
        let files = &segment.files;
        let offsets = segment.offset_index.len(files).map_err(files.io("read", OffsetEntry::KIND))?;
        let times = segment.time_index.len(files).map_err(files.io("read", TimeEntry::KIND))?;
        // One place is kept for the entry that a time index gets when its segment is done.
        Ok(offsets >= entries(OffsetEntry::SIZE) || times + 1 >= entries(TimeEntry::SIZE))
    }

    /// Begins a new segment at the end of the log. Nothing happens if the last one is empty.
    ///
    /// # Errors
    /// The last segment is still the one appended to then.
    pub fn roll(&mut self, now_ms: i64) -> Result<(), LogError> {
        self.check_online()?;
        if self.active.segment.size() == 0 {
            return Ok(());
        }
        self.roll_to(self.log_end_offset(), now_ms)
    }

    fn roll_to(&mut self, base_offset: Offset, now_ms: i64) -> Result<(), LogError> {
        let old = self.active.segment.clone();
        if old.size() > 0 {
            self.finish_active(false)?;
            // A roll waits for no disk: the next flush makes the indexes durable.
            self.durable.indexes_behind.get_or_insert(old.base_offset);
        }
        let segment = self.new_segment(base_offset);
        self.make_files(&segment)?;
        let mut segments = Vec::clone(&self.segments());
        if old.size() == 0 {
            // The batches to come are out of reach of its base offset.
            segments.pop();
        }
        segments.push(segment.clone());
        self.publish(segments, self.log_end_offset(), now_ms);
        if old.size() == 0 {
            old.files.mark_deleted()?;
            old.files.remove()?;
        } else {
            old.sealed();
        }
        tracing::debug!(partition = %self.topic_partition(), %base_offset, "rolled a new segment");
        Ok(())
    }

    /// Makes an empty file for a new segment, and removes what an interrupted attempt may have left.
    pub(crate) fn make_files(&mut self, segment: &Segment) -> Result<(), LogError> {
        self.make_dir()?;
        let files = &segment.files;
        for kind in Kind::ALL {
            ignore_missing(files.disk().remove_file(&files.path(kind))).map_err(files.io("remove", kind))?;
        }
        self.durable.is_untouched = false;
        self.durable.names_changed = true;
        make_missing(segment)?;
        Ok(())
    }

    /// Shows readers other segments, the last of which is empty and will be appended to.
    pub(crate) fn publish(&mut self, segments: Vec<Arc<Segment>>, end_offset: Offset, now_ms: i64) {
        let segment = segments[segments.len() - 1].clone();
        let end_position = segment.size();
        self.active = Active {
            jitter_ms: jitter(self.config.segment_jitter_ms, self.topic_partition(), segment.base_offset),
            segment,
            since_ms: now_ms,
            first_timestamp: None,
            bytes_since_index: 0,
            is_ragged: false,
            is_index_behind: false,
            is_changed: end_position == 0,
        };
        tell_ends(&segments, end_offset);
        let mut view = self.shared.view.write();
        view.segments = Arc::new(segments);
        view.end_offset = end_offset;
        view.end_position = end_position;
    }
}

/// Tells segments that follow each other where each ends.
pub(crate) fn tell_ends(segments: &[Arc<Segment>], end_offset: Offset) {
    let ends = segments.iter().skip(1).map(|next| next.base_offset).chain([end_offset]);
    for (segment, end) in segments.iter().zip(ends) {
        segment.ends_at(end);
    }
}

/// Breaks a promise on purpose: says that it has written, and writes a while later.
#[cfg(feature = "broken-ack-before-write")]
fn write_late(file: &Arc<dyn crate::disk::DiskFile>, bytes: Vec<u8>, position: u64) -> std::io::Result<()> {
    let (file, end) = (file.clone(), position + bytes.len() as u64);
    if position < 4096 {
        return write_all_at(&*file, &bytes, &[], position);
    }
    file.set_len(end.max(file.size()?))?;
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        write_all_at(&*file, &bytes, &[], position).expect("a disk that works");
    });
    Ok(())
}

/// Makes the files of an empty segment. A JVM that misses an index after a crash recovers that segment before the ones
/// in front of it, and then knows none of their epochs; so indexes are made too, though nothing is written to them yet.
pub(crate) fn make_missing(segment: &Segment) -> Result<(), LogError> {
    for kind in [Kind::OffsetIndex, Kind::TimeIndex, Kind::Log] {
        let path = segment.files.path(kind);
        segment.files.disk().open(&path, OpenMode::Create).map_err(segment.files.io("make", kind))?;
    }
    Ok(())
}

/// A part of `segment.jitter.ms` that differs from segment to segment, and is the same whenever it is asked for.
pub(crate) fn jitter(jitter_ms: i64, topic_partition: &crate::TopicPartition, base_offset: Offset) -> i64 {
    if jitter_ms <= 0 {
        return 0;
    }
    let bytes = topic_partition.topic.bytes().chain(topic_partition.partition.to_be_bytes());
    let hash = bytes.chain(base_offset.0.to_be_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % jitter_ms.unsigned_abs()) as i64
}
