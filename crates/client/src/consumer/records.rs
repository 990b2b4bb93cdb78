//! From fetched bytes to records: batch by batch, without copies where the bytes are not compressed, leaving out what
//! transactions aborted.

use super::config::IsolationLevel;
use crate::{ConsumerRecord, Error, RecordHeader, Result, TopicPartition};
use bytes::Bytes;
use bytestring::ByteString;
use ottla_protocol::messages::fetch_response::AbortedTransaction;
use ottla_protocol::records::control::ControlRecordType;
use ottla_protocol::records::{Record, RecordBatch, RecordError};
use std::collections::{BTreeSet, VecDeque};

/// The most that one batch may take when decompressed.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// What a fetch brought for one partition, read from front to back.
pub(super) struct Fetched {
    pub(super) partition: TopicPartition,
    /// Which assignment or seek it was fetched for.
    pub(super) stamp: u64,
    /// The offset that comes next.
    pub(super) position: i64,
    /// Where the batch ends that was read last.
    batch_end: i64,
    bytes: Bytes,
    isolation_level: IsolationLevel,
    check_crcs: bool,
    /// Aborted transactions that begin later, by their first offset.
    aborted: VecDeque<AbortedTransaction>,
    /// Producers whose transaction at this point was aborted.
    aborting: BTreeSet<i64>,
    records: VecDeque<ConsumerRecord>,
}

impl Fetched {
    pub(super) fn new(
        partition: TopicPartition,
        stamp: u64,
        position: i64,
        bytes: Bytes,
        isolation_level: IsolationLevel,
        check_crcs: bool,
    ) -> Fetched {
        Fetched {
            partition,
            stamp,
            position,
            batch_end: position,
            bytes,
            isolation_level,
            check_crcs,
            aborted: VecDeque::new(),
            aborting: BTreeSet::new(),
            records: VecDeque::new(),
        }
    }

    pub(super) fn with_aborted(mut self, mut aborted: Vec<AbortedTransaction>) -> Fetched {
        if self.isolation_level == IsolationLevel::ReadCommitted {
            aborted.sort_by_key(|transaction| transaction.first_offset);
            self.aborted = aborted.into();
        }
        self
    }

    /// The next record, or `None` at the end. [`Fetched::position`] moves on with each, and past what is left out.
    pub(super) fn next(&mut self) -> Result<Option<ConsumerRecord>> {
        loop {
            if let Some(record) = self.records.pop_front() {
                self.position = record.offset + 1;
                return Ok(Some(record));
            }
            self.position = self.position.max(self.batch_end);
            if !self.next_batch()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next batch; `false` at the end.
    fn next_batch(&mut self) -> Result<bool> {
        let bytes = self.bytes.clone();
        let batch = match RecordBatch::first(&bytes) {
            Ok(batch) => batch,
            // A fetch is cut off at its size limit.
            Err(RecordError::Truncated { .. }) => return Ok(false),
            Err(error) => return Err(self.damaged(&error)),
        };
        self.bytes = self.bytes.slice(batch.size()..);
        if batch.last_offset().0 < self.position {
            return Ok(true);
        }
        if self.check_crcs {
            batch.verify_crc().map_err(|error| self.damaged(&error))?;
        }
        if self.counts(&batch)? {
            self.read_records(&batch, &bytes)?;
        }
        // Also past what was left out, or removed by compaction.
        self.batch_end = batch.next_offset().0;
        Ok(true)
    }

    /// Whether a batch's records are for the reader.
    fn counts(&mut self, batch: &RecordBatch<'_>) -> Result<bool> {
        let header = batch.header();
        while let Some(first) = self.aborted.front()
            && first.first_offset <= batch.last_offset().0
        {
            self.aborting.insert(first.producer_id);
            self.aborted.pop_front();
        }
        if batch.is_control() {
            if self.is_abort_marker(batch)? {
                self.aborting.remove(&header.producer_id.0);
            }
            return Ok(false);
        }
        Ok(!(header.attributes.is_transactional() && self.aborting.contains(&header.producer_id.0)))
    }

    fn is_abort_marker(&self, batch: &RecordBatch<'_>) -> Result<bool> {
        let records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(|error| self.damaged(&error))?;
        let Some(first) = records.iter().next() else { return Ok(false) };
        let first = first.map_err(|error| self.damaged(&error))?;
        let kind = ControlRecordType::from_key(first.key).map_err(|error| self.damaged(&error))?;
        Ok(kind == ControlRecordType::Abort)
    }

    fn read_records(&mut self, batch: &RecordBatch<'_>, bytes: &Bytes) -> Result<()> {
        let header = batch.header();
        let records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(|error| self.damaged(&error))?;
        for record in &records {
            let record = record.map_err(|error| self.damaged(&error))?;
            if record.offset.0 < self.position {
                continue;
            }
            self.records.push_back(ConsumerRecord {
                partition: self.partition.clone(),
                offset: record.offset.0,
                leader_epoch: (header.leader_epoch.0 >= 0).then_some(header.leader_epoch.0),
                timestamp: record.timestamp,
                timestamp_type: header.attributes.timestamp_type(),
                key: record.key.map(|key| share(bytes, key)),
                value: record.value.map(|value| share(bytes, value)),
                headers: headers(bytes, &record),
            });
        }
        Ok(())
    }

    fn damaged(&self, error: &RecordError) -> Error {
        Error::Records {
            topic: self.partition.topic.to_string(),
            partition: self.partition.partition,
            offset: self.position,
            reason: error.to_string(),
        }
    }
}

fn headers(bytes: &Bytes, record: &Record<'_>) -> Vec<RecordHeader> {
    let header = |header: ottla_protocol::records::Header<'_>| RecordHeader {
        key: ByteString::from(header.key_text().into_owned()),
        value: header.value.map(|value| share(bytes, value)),
    };
    record.headers.map(header).collect()
}

/// A part of the fetched bytes without copying it, or a copy of what was decompressed elsewhere.
fn share(bytes: &Bytes, part: &[u8]) -> Bytes {
    let (all, inner) = (bytes.as_ptr_range(), part.as_ptr_range());
    if !part.is_empty() && all.start <= inner.start && inner.end <= all.end {
        bytes.slice_ref(part)
    } else {
        Bytes::copy_from_slice(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::records::control::EndTransactionMarker;
    use ottla_protocol::records::{BatchBuilder, Compression};
    use ottla_protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

    /// A batch of records at offsets from `base` on, each with its offset as value.
    fn batch(base: i64, count: i64, producer: Option<i64>, compression: Compression) -> Vec<u8> {
        let mut builder = BatchBuilder::new().base_offset(Offset(base)).compression(compression, None);
        if let Some(id) = producer {
            builder = builder.producer(ProducerId(id), ProducerEpoch(0), 0).transactional(true);
        }
        for offset in base..base + count {
            builder.append(1, None, Some(offset.to_string().as_bytes()), &[]);
        }
        builder.build()
    }

    fn marker(offset: i64, producer: i64, commit: bool) -> Vec<u8> {
        EndTransactionMarker { commit, coordinator_epoch: 0 }.to_batch(
            Offset(offset),
            1,
            LeaderEpoch(0),
            ProducerId(producer),
            ProducerEpoch(0),
        )
    }

    fn fetched(position: i64, parts: &[Vec<u8>], isolation_level: IsolationLevel) -> Fetched {
        Fetched::new(TopicPartition::new("t", 0), 0, position, parts.concat().into(), isolation_level, true)
    }

    /// Offsets of all records, and the position after them.
    #[track_caller]
    fn check(mut fetched: Fetched, offsets: &[i64], position: i64) {
        let mut found = Vec::new();
        while let Some(record) = fetched.next().unwrap() {
            assert_eq!(record.value.as_deref(), Some(record.offset.to_string().as_bytes()));
            found.push(record.offset);
        }
        assert_eq!((found.as_slice(), fetched.position), (offsets, position));
    }

    use IsolationLevel::{ReadCommitted, ReadUncommitted};

    #[test]
    fn reading_begins_inside_a_batch_and_stops_where_the_fetch_was_cut_off() {
        for compression in Compression::ALL {
            let mut cut = batch(8, 3, None, compression);
            cut.truncate(70);
            let parts = [batch(0, 2, None, compression), batch(2, 3, None, compression), cut];
            check(fetched(3, &parts, ReadUncommitted), &[3, 4], 5);
        }
    }

    #[test]
    fn control_batches_are_never_seen() {
        let parts = [batch(0, 1, Some(1), Compression::None), marker(1, 1, true)];
        check(fetched(0, &parts, ReadUncommitted), &[0], 2);
        check(fetched(0, &parts, ReadCommitted), &[0], 2);
    }

    #[test]
    fn aborted_records_are_seen_uncommitted_only() {
        let none = Compression::None;
        let parts = [
            batch(0, 2, Some(1), none),
            batch(2, 1, Some(2), none),
            batch(3, 1, None, none),
            marker(4, 1, false),
            batch(5, 1, Some(1), none),
            marker(6, 1, true),
        ];
        let aborted = vec![AbortedTransaction { producer_id: 1, first_offset: 0, ..Default::default() }];
        check(fetched(0, &parts, ReadUncommitted).with_aborted(aborted.clone()), &[0, 1, 2, 3, 5], 7);
        check(fetched(0, &parts, ReadCommitted).with_aborted(aborted), &[2, 3, 5], 7);
    }

    #[test]
    fn damage_is_named_and_ends_the_partition() {
        let mut bytes = batch(5, 1, None, Compression::None);
        *bytes.last_mut().unwrap() ^= 1;
        let error = fetched(5, &[bytes], ReadUncommitted).next().unwrap_err().to_string();
        assert!(error.starts_with("t-0 at offset 5: stored crc"), "{error}");
    }

    #[test]
    fn uncompressed_values_are_not_copied() {
        let mut fetched = fetched(0, &[batch(0, 1, None, Compression::None)], ReadUncommitted);
        let bytes = fetched.bytes.clone();
        let value = fetched.next().unwrap().unwrap().value.unwrap();
        assert!(bytes.as_ptr_range().contains(&value.as_ptr()));
    }
}
