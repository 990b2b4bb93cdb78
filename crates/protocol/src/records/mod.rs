//! Record batches, format v2 (magic 2, KIP-98): what producers send, what segments hold, what consumers fetch.
//!
//! A batch is a header of [`BATCH_OVERHEAD`] bytes followed by its records, all compressed together or not at all:
//!
//! ```text
//!  0          8        12        16    17      21      23          27         35        43
//!  ├ base     ├ length ├ leader  ├magic├ crc   ├ attri-├ last      ├ base     ├ max     ├ producer
//!  │ offset   │        │ epoch   │     │       │ butes │ offset Δ  │ timestamp│ timestamp id …
//!                                        └ CRC-32C over everything from here to the end ┘
//! 43         51       53         57        61
//!  ├ producer ├ epoch  ├ base     ├ record  ├ records …
//!  │ id       │        │ sequence │ count   │
//! ```
//!
//! Base offset and leader epoch lie before the checksummed part, so a leader sets them without touching the rest.
//! `length` counts what follows it, so a batch has `length + 12` bytes.
//!
//! - [`batches`] walks bytes batch by batch, [`RecordBatch::records`] walks the records of one.
//! - [`BatchBuilder`] writes a batch, [`BatchRewriter`] what compaction leaves of one.
//! - [`validate`] is what a leader demands of a producer's bytes before it appends them.
//! - [`BatchBytes`] carries a batch to the log with its header patched, its records untouched and uncopied.
//!
//! Everything here takes hostile input: it never panics, and no size read from the bytes is allocated unchecked.

mod batch;
mod builder;
pub mod compression;
pub mod control;
mod error;
mod header;
pub mod producer_snapshot;
mod record;
mod rewrite;
mod validate;
mod varint;
mod walk;

pub use batch::{BatchBytes, BatchCrc, Batches, RecordBatch, batches};
pub use builder::BatchBuilder;
pub use compression::Compression;
pub use error::RecordError;
pub use header::{Attributes, BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD, MAGIC, MAGIC_OFFSET, TimestampType};
pub use record::{Header, Headers, Record, Records, RecordsIter};
pub use rewrite::{BatchRewriter, rewrite_empty};
pub use validate::{InvalidRecord, Recompression, Rejection, Rules, ValidBatch, validate};

/// "No timestamp" in a record or a batch.
pub const NO_TIMESTAMP: i64 = -1;
/// "No sequence": the batch of a producer that is not idempotent, or a control batch.
pub const NO_SEQUENCE: i32 = -1;

/// The sequence number `increment` records after `sequence`; after 2³¹−1 comes 0 (KIP-98).
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    sequence.wrapping_add(increment) & i32::MAX
}

/// The sequence number `decrement` records before `sequence`.
pub fn decrement_sequence(sequence: i32, decrement: i32) -> i32 {
    sequence.wrapping_sub(decrement) & i32::MAX
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
