//! What a leader demands of a producer's bytes for one partition before it appends them.
//!
//! The demands, their order and the answers are those of Kafka 4.3.1. Where Kafka
//! looks less closely, this does not: offset deltas must count up from zero, and a compressed record must be as long
//! as it says. A record that passes here can be read by every client.
//!
//! One pass over the bytes after the checksum; uncompressed batches cost no allocation, compressed ones a window of
//! fixed size and what their codec needs. Where `compression.type` wants another codec than the producer's, a second
//! pass writes the records anew, a piece at a time, and gives up when they are larger than a batch may be.

use std::ops::ControlFlow;

use super::batch::entry_size;
use super::compression::{StreamError, transcode};
use super::record::log_append_time;
use super::varint::VarintError;
use super::walk::{Facts, WalkError, walk};
use super::{BATCH_OVERHEAD, BatchBytes, BatchHeader, Compression, NO_TIMESTAMP, RecordBatch, TimestampType};
use crate::{ErrorCode, ProducerEpoch, ProducerId};

/// Errors of single records that an answer lists; further ones are only counted.
const RECORD_ERRORS_MAX: usize = 10_000;
/// First version of Produce that may carry zstd (KIP-110).
const PRODUCE_VERSION_ZSTD: i16 = 7;

/// What the topic's configuration and the request's version demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules<'a> {
    /// Topic, for messages.
    pub topic: &'a str,
    /// Partition, for messages.
    pub partition: i32,
    /// Version of the Produce request.
    pub produce_version: i16,
    /// `max.message.bytes`: largest size of the batch as sent.
    pub max_message_bytes: i32,
    /// `cleanup.policy` has `compact`: every record needs a key.
    pub compacted: bool,
    /// `compression.type`; `None` is `producer`: batches stay as they come.
    pub compression: Option<Recompression>,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// Largest size of the records when decompressed. Kafka has no such limit; it bounds the time that a few kilobytes
    /// may cost.
    pub decompressed_bytes_max: u64,
}

/// How the topic wants batches to be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recompression {
    /// A codec, or [`Compression::None`]. Batches that have it already stay as they come.
    pub compression: Compression,
    /// `compression.gzip.level` and its like; `None` is the codec's default.
    pub level: Option<i32>,
}

/// A batch that may be appended, and what was learnt about it on the way.
#[derive(Clone, Debug)]
pub struct ValidBatch<'a> {
    /// The bytes. Timestamps are as the topic wants them; base offset and leader epoch are still the producer's.
    pub batch: BatchBytes<'a>,
    /// Records, at least one.
    pub record_count: i32,
    /// Largest timestamp: of the records, or the time of the append.
    pub max_timestamp: i64,
    /// Index of the first record that has it.
    pub max_timestamp_offset_delta: i32,
    /// The time of the append, where the topic wants that to be the records' timestamp.
    pub log_append_time: Option<i64>,
    /// How the records are compressed.
    pub compression: Compression,
    /// Idempotent producer, or [`ProducerId::NONE`].
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// Sequence number of the last record.
    pub last_sequence: i32,
    /// Part of a transaction.
    pub is_transactional: bool,
    /// Size of the records when decompressed.
    pub records_bytes: u64,
}

/// Why a partition's bytes are refused, as the Produce answer says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// `error_code`.
    pub error: ErrorCode,
    /// `error_message`: where single records are at fault, or the bytes cannot even be split into batches.
    pub message: Option<String>,
    /// Whether the answer says where the log starts: Kafka finds out late enough for that only what is wrong inside of a
    /// batch whose checksum is right.
    pub tells_log_start: bool,
    /// `record_errors`.
    pub record_errors: Vec<InvalidRecord>,
    /// What was found, for a log line; clients are not told.
    pub reason: String,
}

/// One entry of `record_errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRecord {
    /// `batch_index`: index of the record in the batch.
    pub batch_index: i32,
    /// `batch_index_error_message`.
    pub message: String,
}

impl Rejection {
    fn new(error: ErrorCode, reason: impl Into<String>) -> Rejection {
        let (message, record_errors) = (None, Vec::new());
        Rejection { error, message, tells_log_start: true, record_errors, reason: reason.into() }
    }

    /// The same, found before the batch was looked into.
    fn early(self) -> Rejection {
        Rejection { tells_log_start: false, ..self }
    }
}

/// Looks at the bytes that a Produce request has for one partition.
///
/// `now_ms` is the broker's clock in milliseconds since 1970.
///
/// # Errors
/// What the answer to the producer is.
pub fn validate<'a>(bytes: &'a [u8], rules: &Rules<'_>, now_ms: i64) -> Result<ValidBatch<'a>, Rejection> {
    let bytes = only_batch(bytes, rules).map_err(Rejection::early)?;
    let batch = sound_batch(bytes, rules)?;
    let header = *batch.header();
    let compression = header
        .attributes
        .compression()
        .map_err(|error| Rejection::new(ErrorCode::UnknownServerError, error.to_string()))?;
    check_header(&header)?;
    let mut misplaced = None;
    let mut checks = Checks::new(&header, rules, now_ms);
    let walked = walk(&header, batch.body(), rules.decompressed_bytes_max, |facts| {
        // Kafka takes such records, and its consumers then see offsets that are not the log's.
        if facts.offset_delta != facts.index {
            misplaced = Some(facts.index);
            return ControlFlow::Break(());
        }
        checks.look_at(facts);
        ControlFlow::Continue(())
    });
    if let Some(index) = misplaced {
        let reason = format!("record {index}: offset delta out of order");
        return Err(Rejection::new(ErrorCode::InvalidRecord, reason));
    }
    let records_bytes = walked.map_err(|error| rejection_of(error, compression))?;
    checks.errors.verdict()?;

    let (max_timestamp, max_timestamp_offset_delta) = match rules.timestamp_type {
        TimestampType::CreateTime => (checks.max_timestamp, checks.max_timestamp_index),
        TimestampType::LogAppendTime => (now_ms, 0),
    };
    let batch = match rules.compression.filter(|wanted| wanted.compression != compression) {
        None => {
            let mut batch = BatchBytes::from(batch);
            batch.set_max_timestamp(rules.timestamp_type, max_timestamp);
            batch
        }
        Some(wanted) => recompress(&batch, compression, wanted, records_bytes, rules, max_timestamp)?,
    };
    Ok(ValidBatch {
        batch,
        record_count: header.record_count,
        max_timestamp,
        max_timestamp_offset_delta,
        log_append_time: (rules.timestamp_type == TimestampType::LogAppendTime).then_some(now_ms),
        compression: batch_compression(rules, compression),
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        last_sequence: header.last_sequence(),
        is_transactional: header.attributes.is_transactional(),
        records_bytes,
    })
}

/// The bytes of the one batch there may be. A second one that is cut off is not counted, as in Kafka.
fn only_batch<'a>(bytes: &'a [u8], rules: &Rules<'_>) -> Result<&'a [u8], Rejection> {
    let corrupt = |error: super::RecordError| Rejection {
        message: split_message(&error),
        ..Rejection::new(ErrorCode::CorruptMessage, error.to_string())
    };
    let invalid = |reason: &str| Rejection::new(ErrorCode::InvalidRecord, reason);
    let size = entry_size(bytes).map_err(corrupt)?.ok_or_else(|| invalid("no whole batch"))?;
    let (first, rest) = bytes.split_at(size);
    if first[super::MAGIC_OFFSET] as i8 != super::MAGIC {
        return Err(invalid("batch of an old message format"));
    }
    if rules.produce_version < PRODUCE_VERSION_ZSTD && is_zstd(first) {
        let reason = "zstd in a version of Produce that does not know it";
        return Err(Rejection::new(ErrorCode::UnsupportedCompressionType, reason));
    }
    let second = entry_size(rest).map_err(|error| Rejection { message: None, ..corrupt(error) });
    if second?.is_some() {
        return Err(invalid("more than one batch"));
    }
    Ok(first)
}

/// Kafka's sentence about bytes that cannot be split into batches.
fn split_message(error: &super::RecordError) -> Option<String> {
    match error {
        super::RecordError::BadLength { length } => {
            Some(format!("Record size {length} is less than the minimum record overhead (14)"))
        }
        super::RecordError::UnknownMagic(magic) => Some(format!("Invalid magic found in record: {magic}")),
        _ => None,
    }
}

fn is_zstd(batch: &[u8]) -> bool {
    BatchHeader::parse(batch).is_ok_and(|header| header.attributes.compression() == Ok(Compression::Zstd))
}

/// The batch, once base offset, size and checksum are right.
fn sound_batch<'a>(bytes: &'a [u8], rules: &Rules<'_>) -> Result<RecordBatch<'a>, Rejection> {
    let corrupt =
        |error: super::RecordError| Rejection::new(ErrorCode::CorruptMessage, error.to_string()).early();
    let batch = RecordBatch::first(bytes).map_err(corrupt)?;
    if batch.base_offset().0 != 0 {
        let reason = format!("base offset is {}, must be 0", batch.base_offset());
        return Err(Rejection::new(ErrorCode::InvalidRecord, reason));
    }
    if batch.size() as u64 > rules.max_message_bytes.max(0) as u64 {
        let reason =
            format!("batch of {} bytes, max.message.bytes is {}", batch.size(), rules.max_message_bytes);
        return Err(Rejection::new(ErrorCode::MessageTooLarge, reason).early());
    }
    batch.verify_crc().map_err(corrupt)?;
    Ok(batch)
}

fn check_header(header: &BatchHeader) -> Result<(), Rejection> {
    let count = i64::from(header.record_count);
    let reason = if header.last_offset_delta < 0 {
        format!("last offset delta is {}", header.last_offset_delta)
    } else if count <= 0 {
        format!("record count is {count}")
    } else if i64::from(header.last_offset_delta) + 1 != count {
        format!("last offset delta is {} with {count} records", header.last_offset_delta)
    } else if header.attributes.is_control() {
        "control batch from a client".to_owned()
    } else if header.has_producer_id() && header.base_sequence < 0 {
        format!("producer {} without sequence number", header.producer_id)
    } else {
        return Ok(());
    };
    Err(Rejection::new(ErrorCode::InvalidRecord, reason))
}

/// The codec of what is appended.
fn batch_compression(rules: &Rules<'_>, of_producer: Compression) -> Compression {
    rules.compression.map_or(of_producer, |wanted| wanted.compression)
}

/// The same records in another codec. They have been walked, so that they can be decompressed is known.
fn recompress<'a>(
    batch: &RecordBatch<'_>,
    compression: Compression,
    wanted: Recompression,
    records_bytes: u64,
    rules: &Rules<'_>,
    max_timestamp: i64,
) -> Result<BatchBytes<'a>, Rejection> {
    let body_max = (rules.max_message_bytes.max(0) as usize).saturating_sub(BATCH_OVERHEAD);
    let body =
        transcode(batch.body(), compression, wanted.compression, wanted.level, records_bytes, body_max)
            .map_err(|error| Rejection::new(ErrorCode::UnknownServerError, error.to_string()))?;
    let body = body.ok_or_else(|| {
        let max = rules.max_message_bytes;
        let reason = format!("more than {max} bytes when compressed as the topic wants it");
        Rejection::new(ErrorCode::MessageTooLarge, reason).early()
    })?;
    let attributes = batch.header().attributes.known();
    let attributes =
        attributes.with_compression(wanted.compression).with_timestamp_type(rules.timestamp_type);
    Ok(BatchBytes::assemble(BatchHeader { attributes, max_timestamp, ..*batch.header() }, body))
}

/// What the producer is told of records that cannot be walked.
fn rejection_of(error: WalkError, compression: Compression) -> Rejection {
    let code = match &error {
        WalkError::Record { .. } | WalkError::Stream(StreamError::Structure(_)) => ErrorCode::InvalidRecord,
        // Kafka lets the codec's exception through, for which it has no code.
        WalkError::Stream(StreamError::Codec(_)) => ErrorCode::UnknownServerError,
        WalkError::Stream(StreamError::Limit) => ErrorCode::MessageTooLarge,
    };
    let reason = match error {
        WalkError::Record { index, what } => format!("record {index}: {what}"),
        WalkError::Stream(StreamError::Structure(VarintError::End)) => "records end early".to_owned(),
        WalkError::Stream(StreamError::Structure(VarintError::TooLong)) => {
            "overlong integer in a record".to_owned()
        }
        WalkError::Stream(StreamError::Codec(error)) => format!("cannot decompress {compression}: {error}"),
        WalkError::Stream(StreamError::Limit) => "too many bytes when decompressed".to_owned(),
    };
    Rejection::new(code, reason)
}

/// What is looked at record by record.
struct Checks<'r> {
    rules: &'r Rules<'r>,
    header: &'r BatchHeader,
    now_ms: i64,
    max_timestamp: i64,
    max_timestamp_index: i32,
    errors: RecordErrors,
}

impl<'r> Checks<'r> {
    fn new(header: &'r BatchHeader, rules: &'r Rules<'r>, now_ms: i64) -> Self {
        Checks {
            rules,
            header,
            now_ms,
            max_timestamp: NO_TIMESTAMP,
            max_timestamp_index: 0,
            errors: RecordErrors::default(),
        }
    }

    #[inline]
    fn look_at(&mut self, facts: &Facts) {
        if facts.timestamp > self.max_timestamp {
            self.max_timestamp = facts.timestamp;
            self.max_timestamp_index = facts.index;
        }
        self.check(facts);
    }

    /// Checks what the topic demands of a record.
    #[inline]
    fn check(&mut self, facts: &Facts) {
        if self.rules.compacted && facts.key_size < 0 {
            let Rules { topic, partition, .. } = self.rules;
            self.errors.add(facts.index, false, || {
                format!(
                    "Compacted topic cannot accept message without key in topic partition {topic}-{partition}"
                )
            });
        } else if self.rules.timestamp_type == TimestampType::CreateTime && facts.timestamp != NO_TIMESTAMP {
            self.check_timestamp(facts);
        } else if log_append_time(self.header).is_some() {
            let record = describe(facts, self.header);
            self.errors.add(facts.index, true, || {
                format!(
                    "Invalid timestamp type in message {record}. Producer should not set timestamp type to \
                     LogAppendTime."
                )
            });
        }
    }

    #[inline]
    fn check_timestamp(&mut self, facts: &Facts) {
        let (before, after) = (self.rules.timestamp_before_max_ms, self.rules.timestamp_after_max_ms);
        let age = self.now_ms.wrapping_sub(facts.timestamp);
        if age > before || age.wrapping_neg() > after {
            let now = self.now_ms;
            self.errors.add(facts.index, true, || {
                format!(
                    "Timestamp {} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
                    facts.timestamp,
                    facts.index,
                    now.wrapping_sub(before),
                    now.wrapping_add(after)
                )
            });
        }
    }
}

/// A record as Kafka's messages print it, which differs with the way it was read.
fn describe(facts: &Facts, header: &BatchHeader) -> String {
    let (name, null_size) = match header.attributes.compression() {
        Ok(Compression::None) => ("DefaultRecord", 0),
        _ => ("PartialDefaultRecord", -1),
    };
    let size = |size: i32| if size < 0 { null_size.max(size) } else { size };
    format!(
        "{name}(offset={}, timestamp={}, key={} bytes, value={} bytes)",
        facts.index,
        facts.timestamp,
        size(facts.key_size),
        size(facts.value_size)
    )
}

/// Collects what is wrong with single records; they are all looked at before the batch is refused.
#[derive(Default)]
struct RecordErrors {
    count: u64,
    any_timestamp: bool,
    listed: Vec<InvalidRecord>,
}

impl RecordErrors {
    #[cold]
    fn add(&mut self, index: i32, is_timestamp: bool, message: impl FnOnce() -> String) {
        self.count += 1;
        self.any_timestamp |= is_timestamp;
        if self.listed.len() < RECORD_ERRORS_MAX {
            self.listed.push(InvalidRecord { batch_index: index, message: message() });
        }
    }

    fn verdict(&mut self) -> Result<(), Rejection> {
        if self.count == 0 {
            return Ok(());
        }
        let (error, message) = if self.any_timestamp {
            let message = "One or more records have been rejected due to invalid timestamp".to_owned();
            (ErrorCode::InvalidTimestamp, message)
        } else {
            let shown: Vec<String> = self.listed.iter().take(3).map(InvalidRecord::to_kafka_text).collect();
            let message = format!(
                "One or more records have been rejected due to {} record errors in total, and only showing the \
                 first three errors at most: [{}]",
                self.count,
                shown.join(", ")
            );
            (ErrorCode::InvalidRecord, message)
        };
        let record_errors = std::mem::take(&mut self.listed);
        let reason = record_errors[0].message.clone();
        Err(Rejection { error, message: Some(message), tells_log_start: true, record_errors, reason })
    }
}

impl InvalidRecord {
    fn to_kafka_text(&self) -> String {
        format!("RecordError(batchIndex={}, message='{}')", self.batch_index, self.message)
    }
}
