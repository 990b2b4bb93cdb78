//! Entries of the time index.

use ottla_protocol::Offset;
use ottla_protocol::records::NO_TIMESTAMP;

use super::{Entry, relative};
use crate::names::Kind;

/// The largest timestamp so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// The timestamp, in milliseconds.
    pub(crate) timestamp: i64,
    /// The last offset of the first batch that has it.
    pub(crate) offset: Offset,
}

impl TimeEntry {
    /// What holds before any record.
    pub(crate) fn none(base_offset: Offset) -> TimeEntry {
        TimeEntry { timestamp: NO_TIMESTAMP, offset: base_offset }
    }
}

impl Entry for TimeEntry {
    const SIZE: usize = 12;
    const KIND: Kind = Kind::TimeIndex;

    fn encode(&self, base_offset: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&relative(base_offset, self.offset).to_be_bytes());
    }

    fn decode(base_offset: Offset, bytes: &[u8]) -> TimeEntry {
        let (timestamp, offset) = bytes.split_at(8);
        let timestamp = i64::from_be_bytes(timestamp.try_into().expect("eight bytes"));
        let offset = u32::from_be_bytes(offset.try_into().expect("four bytes"));
        TimeEntry { timestamp, offset: Offset(base_offset.0.wrapping_add(i64::from(offset))) }
    }

    fn is_filling(bytes: &[u8]) -> bool {
        // A first entry may be all zeros, for a record of the year 1970; without it nothing is lost.
        bytes == [0; 12]
    }
}
