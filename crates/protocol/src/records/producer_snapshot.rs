//! The `.snapshot` file: what a partition's log knows about its idempotent and transactional producers at an offset.
//!
//! ```text
//! version i16 = 1 │ crc u32 │ count i32 │ entries of 46 bytes
//! ```
//! The CRC-32C covers everything after it. The offset is the file's name.

use crate::{Offset, ProducerEpoch, ProducerId};

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const ENTRIES_AT: usize = 6;
const ENTRY_SIZE: usize = 46;

/// The last thing that was appended for one producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSnapshotEntry {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the last record of its last batch, or −1 if there is no batch.
    pub last_sequence: i32,
    /// Offset of that record, or −1.
    pub last_offset: Offset,
    /// That offset minus the batch's first, or 0.
    pub offset_delta: i32,
    /// Largest timestamp of the last batch or marker, in milliseconds.
    pub timestamp: i64,
    /// Epoch of the transaction coordinator that wrote the last marker, or −1.
    pub coordinator_epoch: i32,
    /// First offset of the transaction that is going on, or −1.
    pub current_txn_first_offset: Offset,
}

/// Why a file is not a producer snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProducerSnapshotError {
    /// Not version 1.
    #[error("unknown version {0} of a producer snapshot")]
    Version(i16),
    /// The size is not that of the entries.
    #[error("producer snapshot of {0} bytes does not hold what it says")]
    Size(usize),
    /// The checksum does not match.
    #[error("producer snapshot: stored crc {stored:#010x}, computed crc {computed:#010x}")]
    Crc {
        /// As read.
        stored: u32,
        /// Of the bytes that are there.
        computed: u32,
    },
}

/// The bytes of a snapshot.
pub fn encode(entries: &[ProducerSnapshotEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ENTRIES_AT + 4 + entries.len() * ENTRY_SIZE);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    for entry in entries {
        out.extend_from_slice(&entry.producer_id.0.to_be_bytes());
        out.extend_from_slice(&entry.producer_epoch.0.to_be_bytes());
        out.extend_from_slice(&entry.last_sequence.to_be_bytes());
        out.extend_from_slice(&entry.last_offset.0.to_be_bytes());
        out.extend_from_slice(&entry.offset_delta.to_be_bytes());
        out.extend_from_slice(&entry.timestamp.to_be_bytes());
        out.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        out.extend_from_slice(&entry.current_txn_first_offset.0.to_be_bytes());
    }
    let crc = crc_fast::crc32_iscsi(&out[ENTRIES_AT..]);
    out[CRC_AT..ENTRIES_AT].copy_from_slice(&crc.to_be_bytes());
    out
}

/// Reads the bytes of a snapshot.
///
/// # Errors
/// What is wrong with the file; such a file is deleted and the producers' state rebuilt from the log.
pub fn decode(bytes: &[u8]) -> Result<Vec<ProducerSnapshotEntry>, ProducerSnapshotError> {
    let size_error = || ProducerSnapshotError::Size(bytes.len());
    let (version, rest) = bytes.split_first_chunk().ok_or_else(size_error)?;
    let version = i16::from_be_bytes(*version);
    if version != VERSION {
        return Err(ProducerSnapshotError::Version(version));
    }
    let (stored, checked) = rest.split_first_chunk().ok_or_else(size_error)?;
    let stored = u32::from_be_bytes(*stored);
    let (count, entries) = checked.split_first_chunk().ok_or_else(size_error)?;
    if entries.len() as u64 != u64::from(u32::from_be_bytes(*count)) * ENTRY_SIZE as u64 {
        return Err(size_error());
    }
    let computed = crc_fast::crc32_iscsi(checked);
    if stored != computed {
        return Err(ProducerSnapshotError::Crc { stored, computed });
    }
    Ok(entries.as_chunks::<ENTRY_SIZE>().0.iter().map(decode_entry).collect())
}

fn decode_entry(entry: &[u8; ENTRY_SIZE]) -> ProducerSnapshotEntry {
    fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
        let (field, after) = rest.split_first_chunk().expect("an entry has room for its fields");
        *rest = after;
        *field
    }
    let rest = &mut &entry[..];
    ProducerSnapshotEntry {
        producer_id: ProducerId(i64::from_be_bytes(take(rest))),
        producer_epoch: ProducerEpoch(i16::from_be_bytes(take(rest))),
        last_sequence: i32::from_be_bytes(take(rest)),
        last_offset: Offset(i64::from_be_bytes(take(rest))),
        offset_delta: i32::from_be_bytes(take(rest)),
        timestamp: i64::from_be_bytes(take(rest)),
        coordinator_epoch: i32::from_be_bytes(take(rest)),
        current_txn_first_offset: Offset(i64::from_be_bytes(take(rest))),
    }
}
