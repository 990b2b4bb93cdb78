//! Entries of the offset index.

use ottla_protocol::Offset;

use super::{Entry, relative};
use crate::names::Kind;

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// The last offset of the batch.
    pub(crate) offset: Offset,
    /// Where it begins in the segment's file.
    pub(crate) position: u32,
}

impl Entry for OffsetEntry {
    const SIZE: usize = 8;
    const KIND: Kind = Kind::OffsetIndex;

    fn encode(&self, base_offset: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&relative(base_offset, self.offset).to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }

    fn decode(base_offset: Offset, bytes: &[u8]) -> OffsetEntry {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        OffsetEntry { offset: Offset(base_offset.0.wrapping_add(i64::from(word(0)))), position: word(4) }
    }

    fn is_filling(bytes: &[u8]) -> bool {
        // No batch but the first can end with the segment's base offset, and the first is never indexed.
        bytes[..4] == [0; 4]
    }
}
