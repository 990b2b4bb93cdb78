//! The header of a record batch, field by field.

use super::{Compression, RecordError};
use crate::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Bytes of a batch before its records.
pub const BATCH_OVERHEAD: usize = 61;
/// Bytes before what the length field counts: base offset and the field itself.
pub const LOG_OVERHEAD: usize = 12;
/// Where the magic byte is, in this format and in all before it.
pub const MAGIC_OFFSET: usize = 16;
/// The one format that is read and written.
pub const MAGIC: i8 = 2;

pub(super) const CRC_AT: usize = 17;
pub(super) const ATTRIBUTES_AT: usize = 21;
pub(super) const MAX_TIMESTAMP_AT: usize = 35;
/// A message of format v0 with neither key nor value: no entry of any format is shorter.
const LENGTH_MIN_ANY_MAGIC: i32 = 14;

/// Who set a batch's timestamps (KIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// The producer, per record.
    #[default]
    CreateTime,
    /// The broker, when it appended: one for the whole batch, in `max_timestamp`.
    LogAppendTime,
}

impl TimestampType {
    /// The name that `message.timestamp.type` takes.
    pub fn name(self) -> &'static str {
        match self {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        }
    }
}

/// The 16 attribute bits of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const COMPRESSION: i16 = 0x07;
    const TIMESTAMP_TYPE: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// Attributes of a new batch.
    pub fn new(compression: Compression, timestamp_type: TimestampType) -> Self {
        Attributes(i16::from(compression.id())).with_timestamp_type(timestamp_type)
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// Ids 5 to 7 name no compression.
    pub fn compression(self) -> Result<Compression, RecordError> {
        let id = (self.0 & Self::COMPRESSION) as u8;
        Compression::from_id(id).ok_or(RecordError::UnknownCompression(id))
    }

    /// Who set the timestamps.
    pub fn timestamp_type(self) -> TimestampType {
        match self.has(Self::TIMESTAMP_TYPE) {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        }
    }

    /// Part of a transaction, or its end marker.
    pub fn is_transactional(self) -> bool {
        self.has(Self::TRANSACTIONAL)
    }

    /// Written by the broker for itself: transaction markers and KRaft's control records. Clients skip it.
    pub fn is_control(self) -> bool {
        self.has(Self::CONTROL)
    }

    /// The base timestamp is the time from which the cleaner may drop the batch's tombstones (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.has(Self::DELETE_HORIZON)
    }

    /// The same with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(Self::TIMESTAMP_TYPE, timestamp_type == TimestampType::LogAppendTime)
    }

    /// The same, transactional or not.
    #[must_use]
    pub fn with_transactional(self, yes: bool) -> Self {
        self.with(Self::TRANSACTIONAL, yes)
    }

    /// The same, control batch or not.
    #[must_use]
    pub fn with_control(self, yes: bool) -> Self {
        self.with(Self::CONTROL, yes)
    }

    /// The same with another compression.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        Attributes(self.0 & !Self::COMPRESSION | i16::from(compression.id()))
    }

    /// The same, with or without a delete horizon in the base timestamp.
    #[must_use]
    pub fn with_delete_horizon(self, yes: bool) -> Self {
        self.with(Self::DELETE_HORIZON, yes)
    }

    fn has(self, bit: i16) -> bool {
        self.0 & bit != 0
    }

    fn with(self, bit: i16, yes: bool) -> Self {
        Attributes(if yes { self.0 | bit } else { self.0 & !bit })
    }

    /// Only the bits that have a meaning, as Kafka writes them back.
    pub(super) fn known(self) -> Self {
        Attributes(self.0 & 0x7f)
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attributes({:#06b})", self.0)
    }
}

/// All fields of a batch's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; a producer sends 0.
    pub base_offset: Offset,
    /// Bytes after this field.
    pub length: i32,
    /// Epoch of the leader that appended the batch (KIP-101).
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C of everything after it.
    pub crc: u32,
    /// Compression and flags.
    pub attributes: Attributes,
    /// Offset of the last record, minus the base offset. Stays when compaction removes that record.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to, in milliseconds; or the delete horizon.
    pub base_timestamp: i64,
    /// The largest timestamp of the records, or the time of the append.
    pub max_timestamp: i64,
    /// Idempotent producer, or [`ProducerId::NONE`].
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record, or [`NO_SEQUENCE`](super::NO_SEQUENCE).
    pub base_sequence: i32,
    /// Records in the batch.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which need not hold the records too.
    ///
    /// # Errors
    /// [`RecordError::Truncated`] if the header is not all there; the other errors if these are not the first bytes of
    /// a batch of format v2. A header that was read has a length that covers at least the header.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, RecordError> {
        let length = peek_length(bytes)?;
        match peek_magic(bytes)? {
            MAGIC => {}
            magic @ (0 | 1) => return Err(RecordError::LegacyMagic(magic)),
            magic => return Err(RecordError::UnknownMagic(magic)),
        }
        if (length as usize) < BATCH_OVERHEAD - LOG_OVERHEAD {
            return Err(RecordError::BadLength { length });
        }
        match bytes.first_chunk() {
            Some(head) => Ok(Self::from_head(head)),
            None => {
                Err(RecordError::Truncated { needed: BATCH_OVERHEAD as u64, available: bytes.len() as u64 })
            }
        }
    }

    /// Reads the fields without judging them.
    pub(super) fn from_head(head: &[u8; BATCH_OVERHEAD]) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(i64::from_be_bytes(field(head, 0))),
            length: i32::from_be_bytes(field(head, 8)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(head, 12))),
            crc: u32::from_be_bytes(field(head, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(field(head, ATTRIBUTES_AT))),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: i64::from_be_bytes(field(head, 27)),
            max_timestamp: i64::from_be_bytes(field(head, MAX_TIMESTAMP_AT)),
            producer_id: ProducerId(i64::from_be_bytes(field(head, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(head, 51))),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            record_count: i32::from_be_bytes(field(head, 57)),
        }
    }

    /// The bytes of the header, with [`crc`](Self::crc) as it is.
    pub fn to_head(&self) -> [u8; BATCH_OVERHEAD] {
        let mut head = [0; BATCH_OVERHEAD];
        put(&mut head, 0, self.base_offset.0.to_be_bytes());
        put(&mut head, 8, self.length.to_be_bytes());
        put(&mut head, 12, self.leader_epoch.0.to_be_bytes());
        put(&mut head, MAGIC_OFFSET, MAGIC.to_be_bytes());
        put(&mut head, CRC_AT, self.crc.to_be_bytes());
        put(&mut head, ATTRIBUTES_AT, self.attributes.0.to_be_bytes());
        put(&mut head, 23, self.last_offset_delta.to_be_bytes());
        put(&mut head, 27, self.base_timestamp.to_be_bytes());
        put(&mut head, MAX_TIMESTAMP_AT, self.max_timestamp.to_be_bytes());
        put(&mut head, 43, self.producer_id.0.to_be_bytes());
        put(&mut head, 51, self.producer_epoch.0.to_be_bytes());
        put(&mut head, 53, self.base_sequence.to_be_bytes());
        put(&mut head, 57, self.record_count.to_be_bytes());
        head
    }

    /// Size of the whole batch in bytes.
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + self.length as usize
    }

    /// Offset of the last record, also when compaction has removed it.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.wrapping_add(i64::from(self.last_offset_delta)))
    }

    /// Offset that follows this batch.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.wrapping_add(1))
    }

    /// Sequence number of the last record, or [`NO_SEQUENCE`](super::NO_SEQUENCE).
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            super::NO_SEQUENCE => super::NO_SEQUENCE,
            base => super::increment_sequence(base, self.last_offset_delta),
        }
    }

    /// From an idempotent or transactional producer, or a transaction marker.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > ProducerId::NONE
    }

    /// From when on the cleaner may drop the batch's tombstones and markers, in milliseconds (KIP-534).
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }
}

/// The length field of an entry of any format.
pub(super) fn peek_length(bytes: &[u8]) -> Result<i32, RecordError> {
    let Some(head) = bytes.first_chunk::<LOG_OVERHEAD>() else {
        return Err(RecordError::Truncated { needed: LOG_OVERHEAD as u64, available: bytes.len() as u64 });
    };
    let length = i32::from_be_bytes(field(head, 8));
    if length < LENGTH_MIN_ANY_MAGIC {
        return Err(RecordError::BadLength { length });
    }
    Ok(length)
}

/// The magic byte of an entry of any format.
pub(super) fn peek_magic(bytes: &[u8]) -> Result<i8, RecordError> {
    match bytes.get(MAGIC_OFFSET) {
        Some(&magic) => Ok(magic as i8),
        None => {
            Err(RecordError::Truncated { needed: MAGIC_OFFSET as u64 + 1, available: bytes.len() as u64 })
        }
    }
}

fn field<const N: usize, const HEAD: usize>(head: &[u8; HEAD], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&head[at..at + N]);
    out
}

pub(super) fn put<const N: usize>(head: &mut [u8; BATCH_OVERHEAD], at: usize, value: [u8; N]) {
    head[at..at + N].copy_from_slice(&value);
}
