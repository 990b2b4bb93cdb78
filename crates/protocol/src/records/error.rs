//! What can be wrong with a batch's bytes.

/// Why bytes are not a sound record batch. Says what was found; the caller knows where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes end before the batch does. At the end of a file or a fetch this is normal: a batch cut off.
    #[error("batch of {needed} bytes cut off after {available}")]
    Truncated {
        /// Size of the whole batch, or of the part of its header that says it.
        needed: u64,
        /// Bytes that are there.
        available: u64,
    },
    /// The length field cannot be that of a batch.
    #[error("batch length {length} is below the smallest possible")]
    BadLength {
        /// The field as read.
        length: i32,
    },
    /// Neither format v2 nor an older one.
    #[error("unknown magic {0}")]
    UnknownMagic(i8),
    /// A message set of format v0 or v1, which Kafka 4 no longer stores.
    #[error("message format v{0} is not supported")]
    LegacyMagic(i8),
    /// The checksum does not match.
    #[error("stored crc {stored:#010x}, computed crc {computed:#010x}")]
    BadCrc {
        /// As read from the header.
        stored: u32,
        /// Of the bytes that are there.
        computed: u32,
    },
    /// The attributes name a compression that does not exist.
    #[error("unknown compression type id {0}")]
    UnknownCompression(u8),
    /// The compressed bytes are damaged.
    #[error("cannot decompress {0}: {1}")]
    Decompress(&'static str, String),
    /// Decompressing was given up at the caller's limit.
    #[error("more than {limit} bytes when decompressed")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A record's own structure is wrong.
    #[error("record {index}: {what}")]
    BadRecord {
        /// Index of the record in its batch, from 0.
        index: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Header fields contradict each other or the records.
    #[error("{0}")]
    BadBatch(&'static str),
}
