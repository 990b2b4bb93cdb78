//! Writes a batch.

use super::record::write_record;
use super::{
    Attributes, BATCH_OVERHEAD, BatchBytes, BatchHeader, Compression, Header, NO_SEQUENCE, NO_TIMESTAMP,
    TimestampType, compression,
};
use crate::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Collects records and makes one batch of them: what a producer sends, what a coordinator or the controller appends.
///
/// ```
/// use ottla_protocol::records::{BatchBuilder, Compression, batches};
///
/// let mut builder = BatchBuilder::new().compression(Compression::Zstd, None);
/// builder.append(1_700_000_000_000, Some(b"key"), Some(b"value"), &[]);
/// let bytes = builder.build();
/// let batch = batches(&bytes).next().unwrap().unwrap();
/// assert_eq!(batch.header().record_count, 1);
/// ```
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    level: Option<i32>,
    /// Room for the header, then the records, uncompressed.
    bytes: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// A batch without compression, producer id or leader epoch, at offset 0, with the producer's timestamps.
    pub fn new() -> Self {
        BatchBuilder {
            header: BatchHeader {
                base_offset: Offset(0),
                length: 0,
                leader_epoch: LeaderEpoch::NONE,
                crc: 0,
                attributes: Attributes::default(),
                last_offset_delta: -1,
                base_timestamp: NO_TIMESTAMP,
                max_timestamp: NO_TIMESTAMP,
                producer_id: ProducerId::NONE,
                producer_epoch: ProducerEpoch(-1),
                base_sequence: NO_SEQUENCE,
                record_count: 0,
            },
            compression: Compression::None,
            level: None,
            bytes: vec![0; BATCH_OVERHEAD],
        }
    }

    /// Makes room for so many bytes, before compression.
    #[must_use]
    pub fn with_capacity(mut self, bytes: usize) -> Self {
        self.bytes.reserve(bytes.saturating_sub(self.bytes.len()));
        self
    }

    /// Compresses the records. `level` `None` is Kafka's default; snappy and lz4 have no levels here.
    #[must_use]
    pub fn compression(mut self, compression: Compression, level: Option<i32>) -> Self {
        self.compression = compression;
        self.level = level;
        self
    }

    /// Sets the offset of the first record.
    #[must_use]
    pub fn base_offset(mut self, offset: Offset) -> Self {
        self.header.base_offset = offset;
        self
    }

    /// Sets the epoch of the leader that appends the batch.
    #[must_use]
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.header.leader_epoch = epoch;
        self
    }

    /// Makes it the batch of an idempotent producer.
    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes it part of a transaction.
    #[must_use]
    pub fn transactional(mut self, yes: bool) -> Self {
        self.header.attributes = self.header.attributes.with_transactional(yes);
        self
    }

    /// Makes it a control batch; its keys are those of [`control`](super::control).
    #[must_use]
    pub fn control(mut self, yes: bool) -> Self {
        self.header.attributes = self.header.attributes.with_control(yes);
        self
    }

    /// Adds a record at the next offset.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> &mut Self {
        let header = &mut self.header;
        if header.record_count == 0 {
            header.base_timestamp = timestamp;
        }
        header.max_timestamp = header.max_timestamp.max(timestamp);
        header.last_offset_delta += 1;
        header.record_count += 1;
        let timestamp_delta = timestamp.wrapping_sub(header.base_timestamp);
        write_record(&mut self.bytes, timestamp_delta, header.last_offset_delta, key, value, headers);
        self
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.header.record_count as usize
    }

    /// Whether there are no records yet.
    pub fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Size of the batch so far, before compression.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The batch; no bytes at all if there are no records.
    pub fn build(mut self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let attributes = Attributes::new(self.compression, TimestampType::CreateTime);
        self.header.attributes = Attributes(self.header.attributes.0 | attributes.0);
        if self.compression != Compression::None {
            let mut compressed = vec![0; BATCH_OVERHEAD];
            compression::compress(
                self.compression,
                self.level,
                &self.bytes[BATCH_OVERHEAD..],
                &mut compressed,
            );
            self.bytes = compressed;
        }
        let head = *BatchBytes::assemble(self.header, &self.bytes[BATCH_OVERHEAD..]).head();
        self.bytes[..BATCH_OVERHEAD].copy_from_slice(&head);
        self.bytes
    }
}
