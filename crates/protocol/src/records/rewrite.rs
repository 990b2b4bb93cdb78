//! What compaction leaves of a batch: fewer records, or none, in a batch that stands where the old one stood.
//!
//! Base offset, last offset, producer fields, leader epoch and flags stay: readers find every offset covered, and a
//! producer's last sequence number survives its records. Records keep their offsets and timestamps.

use super::record::{copy_record, log_append_time};
use super::{
    BATCH_OVERHEAD, BatchBytes, BatchHeader, Compression, NO_TIMESTAMP, Record, RecordError, compression,
};

/// Writes a batch of some records of another one.
#[derive(Debug)]
pub struct BatchRewriter<'o> {
    header: BatchHeader,
    compression: Compression,
    /// All records have the time of their append.
    log_append_time: Option<i64>,
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> BatchRewriter<'o> {
    /// Begins a batch in the place of `original`, at the end of `out`. `delete_horizon_ms` is the time from which the
    /// cleaner may drop the batch's tombstones and markers (KIP-534); it is kept as the base timestamp.
    ///
    /// # Errors
    /// [`RecordError::UnknownCompression`].
    pub fn new(
        original: &BatchHeader,
        delete_horizon_ms: Option<i64>,
        out: &'o mut Vec<u8>,
    ) -> Result<BatchRewriter<'o>, RecordError> {
        let compression = original.attributes.compression()?;
        let attributes = original.attributes.known().with_delete_horizon(delete_horizon_ms.is_some());
        let header = BatchHeader {
            attributes,
            base_timestamp: delete_horizon_ms.unwrap_or(NO_TIMESTAMP),
            max_timestamp: NO_TIMESTAMP,
            record_count: 0,
            ..*original
        };
        let start = out.len();
        out.resize(start + BATCH_OVERHEAD, 0);
        Ok(BatchRewriter { header, compression, log_append_time: log_append_time(original), out, start })
    }

    /// Keeps a record of the original.
    pub fn keep(&mut self, record: &Record<'_>) {
        let header = &mut self.header;
        if header.record_count == 0 && !header.attributes.has_delete_horizon() {
            header.base_timestamp = record.timestamp;
        }
        header.max_timestamp = header.max_timestamp.max(record.timestamp);
        header.record_count += 1;
        let timestamp_delta = record.timestamp.wrapping_sub(header.base_timestamp);
        let offset_delta = record.offset.0.wrapping_sub(header.base_offset.0) as i32;
        copy_record(self.out, timestamp_delta, offset_delta, record);
    }

    /// Completes the batch; gives its header.
    pub fn finish(mut self) -> BatchHeader {
        self.header.max_timestamp = self.log_append_time.unwrap_or(self.header.max_timestamp);
        let body = self.start + BATCH_OVERHEAD;
        if self.compression != Compression::None {
            let records = self.out.split_off(body);
            compression::compress(self.compression, None, &records, self.out);
        }
        seal(self.header, self.out, self.start)
    }
}

/// Writes a batch without records in the place of `original`, which keeps what the batch says of its producer and where
/// it ends; gives its header.
pub fn rewrite_empty(original: &BatchHeader, out: &mut Vec<u8>) -> BatchHeader {
    let attributes =
        original.attributes.known().with_delete_horizon(false).with_compression(Compression::None);
    let header = BatchHeader { attributes, base_timestamp: NO_TIMESTAMP, record_count: 0, ..*original };
    let start = out.len();
    out.resize(start + BATCH_OVERHEAD, 0);
    seal(header, out, start)
}

/// Puts the header in front of the records, which are in place.
fn seal(header: BatchHeader, out: &mut [u8], start: usize) -> BatchHeader {
    let (head, body) = out[start..].split_at_mut(BATCH_OVERHEAD);
    let batch = BatchBytes::assemble(header, &*body);
    head.copy_from_slice(batch.head());
    batch.header()
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, Header, RecordBatch, TimestampType};
    use super::*;
    use crate::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

    fn original(compression: Compression) -> Vec<u8> {
        let mut builder = BatchBuilder::new()
            .compression(compression, None)
            .base_offset(Offset(100))
            .leader_epoch(LeaderEpoch(3))
            .producer(ProducerId(7), ProducerEpoch(2), 40);
        let headers = [Header::new("h", Some(b"v")), Header::new("n", None)];
        for at in 0..5_i64 {
            let value = format!("value {at}");
            let value = (at != 3).then_some(value.as_bytes());
            builder.append(1000 - at * 10, Some(&[at as u8]), value, &headers);
        }
        builder.build()
    }

    fn rewrite(bytes: &[u8], horizon: Option<i64>, keep: &[i64]) -> Vec<u8> {
        let batch = RecordBatch::first(bytes).expect("a batch");
        // Behind something else, as the cleaner has it.
        let mut out = vec![9; 10];
        let mut rewriter = BatchRewriter::new(batch.header(), horizon, &mut out).expect("known codec");
        for record in &batch.records(1 << 20).expect("readable") {
            let record = record.expect("sound");
            if keep.contains(&record.offset.0) {
                rewriter.keep(&record);
            }
        }
        let header = rewriter.finish();
        let out = out.split_off(10);
        let batch = RecordBatch::first(&out).expect("a batch");
        assert_eq!(*batch.header(), header);
        assert_eq!(batch.size(), out.len());
        batch.verify_crc().expect("right checksum");
        out
    }

    /// Everything of a record.
    type Parts = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize);

    fn records(bytes: &[u8]) -> Vec<Parts> {
        let batch = RecordBatch::first(bytes).expect("a batch");
        let records = batch.records(1 << 20).expect("readable");
        let parts = records.iter().map(|record| {
            let record = record.expect("sound");
            let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            (record.offset.0, record.timestamp, bytes(record.key), bytes(record.value), record.headers.len())
        });
        parts.collect()
    }

    #[test]
    fn kept_records_are_what_they_were() {
        for compression in Compression::ALL {
            for horizon in [None, Some(5_000_000)] {
                let before = original(compression);
                let after = rewrite(&before, horizon, &[101, 103]);
                let expected: Vec<_> =
                    records(&before).into_iter().filter(|record| [101, 103].contains(&record.0)).collect();
                assert_eq!(records(&after), expected, "{compression} {horizon:?}");
                let header = *RecordBatch::first(&after).expect("a batch").header();
                let was = *RecordBatch::first(&before).expect("a batch").header();
                assert_eq!(header.delete_horizon_ms(), horizon);
                assert_eq!(header.base_timestamp, horizon.unwrap_or(990));
                assert_eq!((header.max_timestamp, header.record_count), (990, 2));
                let place = |header: &BatchHeader| {
                    let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
                    (header.base_offset, header.last_offset_delta, header.leader_epoch, producer)
                };
                assert_eq!(place(&header), place(&was));
                assert_eq!(header.attributes.compression(), Ok(compression));
            }
        }
    }

    #[test]
    fn all_records_of_a_batch_make_the_same_batch() {
        let before = original(Compression::None);
        assert_eq!(rewrite(&before, None, &[100, 101, 102, 103, 104]), before);
    }

    #[test]
    fn the_time_of_the_append_stays_that_of_the_batch() {
        let before = original(Compression::None);
        let mut stamped = BatchBytes::new(&before).expect("a batch");
        stamped.set_max_timestamp(TimestampType::LogAppendTime, 7777);
        let after = rewrite(&stamped.to_vec(), Some(99), &[104]);
        assert_eq!(records(&after)[0].1, 7777);
    }

    #[test]
    fn an_empty_batch_keeps_its_place_and_its_producer() {
        let before = original(Compression::Zstd);
        let was = *RecordBatch::first(&before).expect("a batch").header();
        let mut out = Vec::new();
        let header = rewrite_empty(&was, &mut out);
        let batch = RecordBatch::first(&out).expect("a batch");
        batch.verify_crc().expect("right checksum");
        assert_eq!(out.len(), BATCH_OVERHEAD);
        assert_eq!((header.last_offset(), header.last_sequence()), (was.last_offset(), was.last_sequence()));
        assert_eq!((header.base_timestamp, header.max_timestamp), (NO_TIMESTAMP, was.max_timestamp));
        assert!(records(&out).is_empty());
    }
}
