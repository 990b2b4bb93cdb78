//! One batch in memory: borrowed from the bytes that hold it, or with its header patched on the way to the log.

use super::header::{ATTRIBUTES_AT, CRC_AT, MAX_TIMESTAMP_AT, peek_length, peek_magic, put};
use super::{BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD, MAGIC, RecordError, Records, TimestampType};
use crate::{LeaderEpoch, Offset};
use std::borrow::Cow;

/// The checksum of a batch that is read piece by piece.
#[derive(Debug)]
pub struct BatchCrc(crc_fast::Digest);

impl BatchCrc {
    /// Begins with the header.
    pub fn new(head: &[u8; BATCH_OVERHEAD]) -> BatchCrc {
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        digest.update(&head[ATTRIBUTES_AT..]);
        BatchCrc(digest)
    }

    /// Goes on with a piece of the records.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The checksum, to be compared with [`BatchHeader::crc`].
    pub fn finish(self) -> u32 {
        self.0.finalize() as u32
    }
}

/// The CRC-32C of a batch whose header is `head` and whose records are `body`.
fn crc_of(head: &[u8; BATCH_OVERHEAD], body: &[u8]) -> u32 {
    let mut crc = BatchCrc::new(head);
    crc.update(body);
    crc.finish()
}

/// One whole batch, borrowed. Its header is sound in itself; the checksum and the records are looked at on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordBatch<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// The batch at the start of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// [`RecordError::Truncated`] if the batch is not all there; otherwise as [`BatchHeader::parse`].
    pub fn first(bytes: &'a [u8]) -> Result<RecordBatch<'a>, RecordError> {
        let header = match BatchHeader::parse(bytes) {
            // What was said to be the size of the header is the size of the batch, once that is known.
            Err(RecordError::Truncated { available, .. }) if bytes.len() >= LOG_OVERHEAD => {
                let needed = LOG_OVERHEAD as u64 + peek_length(bytes)? as u64;
                return Err(RecordError::Truncated { needed, available });
            }
            other => other?,
        };
        match bytes.get(..header.size()) {
            Some(bytes) => Ok(RecordBatch { header, bytes }),
            None => {
                Err(RecordError::Truncated { needed: header.size() as u64, available: bytes.len() as u64 })
            }
        }
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes of the batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as they are stored, compressed or not.
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[BATCH_OVERHEAD..]
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Offset of the first record, also when compaction has removed it.
    pub fn base_offset(&self) -> Offset {
        self.header.base_offset
    }

    /// Offset of the last record, also when compaction has removed it.
    pub fn last_offset(&self) -> Offset {
        self.header.last_offset()
    }

    /// Offset that follows this batch.
    pub fn next_offset(&self) -> Offset {
        self.header.next_offset()
    }

    /// Written by a broker for itself.
    pub fn is_control(&self) -> bool {
        self.header.attributes.is_control()
    }

    /// Compares the checksum.
    ///
    /// # Errors
    /// [`RecordError::BadCrc`].
    pub fn verify_crc(&self) -> Result<(), RecordError> {
        let stored = self.header.crc;
        let computed = crc_fast::crc32_iscsi(&self.bytes[ATTRIBUTES_AT..]);
        if stored == computed { Ok(()) } else { Err(RecordError::BadCrc { stored, computed }) }
    }

    /// The records, decompressed into memory if they are compressed.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] past `decompressed_bytes_max`; what is wrong with the compression, if anything is.
    /// Errors of single records come out of the iterator.
    pub fn records(&self, decompressed_bytes_max: u64) -> Result<Records<'a>, RecordError> {
        Records::of(&self.header, self.body(), decompressed_bytes_max)
    }
}

/// Walks `bytes` batch by batch. The first error is the last item: nothing after it can be found.
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes, failed: false }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Bytes not walked yet; after an error, those from the batch on that is wrong.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<RecordBatch<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed {
            return None;
        }
        let first = RecordBatch::first(self.rest);
        match &first {
            Ok(batch) => self.rest = &self.rest[batch.size()..],
            Err(_) => self.failed = true,
        }
        Some(first)
    }
}

/// The size of the entry at the start of `bytes`, whatever its format; `None` if it is cut off.
///
/// # Errors
/// What Kafka calls corrupt when it splits a request's bytes: an impossible length, or an unknown format.
pub(super) fn entry_size(bytes: &[u8]) -> Result<Option<usize>, RecordError> {
    if bytes.len() < LOG_OVERHEAD {
        return Ok(None);
    }
    let size = LOG_OVERHEAD + peek_length(bytes)? as usize;
    match peek_magic(bytes) {
        Ok(0..=MAGIC) => Ok((bytes.len() >= size).then_some(size)),
        Ok(magic) => Err(RecordError::UnknownMagic(magic)),
        Err(_) => Ok(None),
    }
}

/// A batch on its way to the log: a copy of its header that may be patched, and its records, borrowed.
///
/// A leader sets base offset and leader epoch for every batch, and now and then the maximal timestamp; the records
/// stay where the socket put them until they are written, unless the topic wants them compressed in another way.
#[derive(Clone, Debug)]
pub struct BatchBytes<'a> {
    head: [u8; BATCH_OVERHEAD],
    body: Cow<'a, [u8]>,
}

impl<'a> BatchBytes<'a> {
    /// The batch at the start of `bytes`.
    ///
    /// # Errors
    /// As [`RecordBatch::first`].
    pub fn new(bytes: &'a [u8]) -> Result<BatchBytes<'a>, RecordError> {
        RecordBatch::first(bytes).map(BatchBytes::from)
    }

    /// The header as it is now.
    pub fn header(&self) -> BatchHeader {
        BatchHeader::from_head(&self.head)
    }

    /// The header's bytes as they are now.
    pub fn head(&self) -> &[u8; BATCH_OVERHEAD] {
        &self.head
    }

    /// The records' bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        BATCH_OVERHEAD + self.body.len()
    }

    /// Sets the offset of the first record. The checksum does not cover it.
    pub fn set_base_offset(&mut self, offset: Offset) {
        put(&mut self.head, 0, offset.0.to_be_bytes());
    }

    /// Sets the epoch of the leader that appends the batch. The checksum does not cover it.
    pub fn set_leader_epoch(&mut self, epoch: LeaderEpoch) {
        put(&mut self.head, LOG_OVERHEAD, epoch.0.to_be_bytes());
    }

    /// Sets timestamp type and maximal timestamp, and the checksum anew where that changes anything.
    pub fn set_max_timestamp(&mut self, timestamp_type: TimestampType, max_timestamp: i64) {
        let header = self.header();
        if header.attributes.timestamp_type() == timestamp_type && header.max_timestamp == max_timestamp {
            return;
        }
        let attributes = header.attributes.known().with_timestamp_type(timestamp_type);
        put(&mut self.head, ATTRIBUTES_AT, attributes.0.to_be_bytes());
        put(&mut self.head, MAX_TIMESTAMP_AT, max_timestamp.to_be_bytes());
        let crc = crc_of(&self.head, &self.body);
        put(&mut self.head, CRC_AT, crc.to_be_bytes());
    }

    /// The whole batch in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size());
        bytes.extend_from_slice(&self.head);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Makes a batch of a header, whose length and checksum are computed here, and records.
    pub(super) fn assemble(mut header: BatchHeader, body: impl Into<Cow<'a, [u8]>>) -> BatchBytes<'a> {
        let body = body.into();
        let length = BATCH_OVERHEAD - LOG_OVERHEAD + body.len();
        header.length = i32::try_from(length).expect("a batch is built in memory, far below 2 GiB");
        let mut head = header.to_head();
        let crc = crc_of(&head, &body);
        put(&mut head, CRC_AT, crc.to_be_bytes());
        BatchBytes { head, body }
    }
}

impl<'a> From<RecordBatch<'a>> for BatchBytes<'a> {
    fn from(batch: RecordBatch<'a>) -> Self {
        let (head, body) = batch.bytes.split_first_chunk().expect("a parsed batch holds a whole header");
        BatchBytes { head: *head, body: body.into() }
    }
}
