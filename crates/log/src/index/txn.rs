//! The index of aborted transactions, Kafka's file `.txnindex`: what a consumer that reads committed records must skip.
//!
//! ```text
//! version i16 = 0 │ producer id i64 │ first offset i64 │ last offset i64 │ last stable offset i64
//! ```
//! Entries are in the order of their last offsets. The file is made with its first entry. It is small and seldom read,
//! so it is read as a whole.

use std::io;
use std::path::Path;

use ottla_protocol::{Offset, ProducerId};

use crate::disk::{Disk, OpenMode, read_full_at, write_all_at};

const SIZE: usize = 34;
/// Bytes read at a time.
const CHUNK: usize = 256 * SIZE;

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// Offset of its first record in this partition.
    pub first_offset: Offset,
    /// Offset of the marker that ended it.
    pub last_offset: Offset,
    /// The last stable offset when the marker was appended.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[2..10].copy_from_slice(&self.producer_id.0.to_be_bytes());
        bytes[10..18].copy_from_slice(&self.first_offset.0.to_be_bytes());
        bytes[18..26].copy_from_slice(&self.last_offset.0.to_be_bytes());
        bytes[26..34].copy_from_slice(&self.last_stable_offset.0.to_be_bytes());
        bytes
    }

    /// Whether a transaction that ends before `end_offset` can be like that.
    fn is_plausible(&self, end_offset: Offset) -> bool {
        let AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset } = *self;
        let offsets = Offset(0) <= first_offset && first_offset < last_offset && last_offset < end_offset;
        offsets && producer_id >= ProducerId(0) && last_stable_offset >= Offset(0)
    }

    /// Reads an entry; `None` for a version that is not known.
    fn decode(bytes: &[u8]) -> Option<AbortedTxn> {
        let long = |at: usize| {
            let field: [u8; 8] = bytes[at..at + 8].try_into().expect("eight bytes");
            i64::from_be_bytes(field)
        };
        (bytes[..2] == [0, 0]).then(|| AbortedTxn {
            producer_id: ProducerId(long(2)),
            first_offset: Offset(long(10)),
            last_offset: Offset(long(18)),
            last_stable_offset: Offset(long(26)),
        })
    }
}

/// The transaction index of one segment.
#[derive(Debug)]
pub(crate) struct TxnIndex<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) path: &'a Path,
}

impl TxnIndex<'_> {
    /// Adds an entry.
    pub(crate) fn append(&self, entry: &AbortedTxn) -> io::Result<()> {
        let file = self.disk.open(self.path, OpenMode::Create)?;
        // What an earlier failure left of an entry is overwritten.
        let end = file.size()? / SIZE as u64 * SIZE as u64;
        write_all_at(&*file, &entry.encode(), &[], end)
    }

    /// The last entry.
    pub(crate) fn last(&self) -> io::Result<Option<AbortedTxn>> {
        let file = match self.disk.open(self.path, OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let Some(at) = (file.size()? / SIZE as u64).checked_sub(1) else { return Ok(None) };
        let mut bytes = [0; SIZE];
        read_full_at(&*file, &mut bytes, at * SIZE as u64)?;
        AbortedTxn::decode(&bytes).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Whether all of it can be what was written: entries of transactions that end within the segment, in order.
    pub(crate) fn is_sound(&self, base_offset: Offset, end_offset: Offset) -> io::Result<bool> {
        let entries = match self.entries() {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(false),
            other => other?,
        };
        let len = self.disk.metadata(self.path)?.len;
        let mut before = Offset(base_offset.0 - 1);
        let is_next = |entry: &AbortedTxn| {
            let is_after = std::mem::replace(&mut before, entry.last_offset) < entry.last_offset;
            is_after && entry.is_plausible(end_offset)
        };
        Ok(len == (entries.len() * SIZE) as u64 && entries.iter().all(is_next))
    }

    /// Removes all entries.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.disk.open(self.path, OpenMode::Write)?.set_len(0)
    }

    /// Cuts off what a crash may have left at the end: entries that are not within the segment or not in order.
    pub(crate) fn repair(&self, base_offset: Offset, end_offset: Offset) -> io::Result<()> {
        let file = match self.disk.open(self.path, OpenMode::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let len = file.size()?;
        let mut bytes = [0; SIZE];
        let mut before = Offset(base_offset.0 - 1);
        let mut sound = 0;
        while read_full_at(&*file, &mut bytes, sound)? == SIZE {
            match AbortedTxn::decode(&bytes) {
                Some(entry) if before < entry.last_offset && entry.last_offset < end_offset => {
                    before = entry.last_offset;
                }
                _ => break,
            }
            sound += SIZE as u64;
        }
        if sound == len { Ok(()) } else { file.set_len(sound) }
    }

    /// All entries.
    ///
    /// # Errors
    /// `InvalidData` if the file holds what cannot be an entry.
    pub(crate) fn entries(&self) -> io::Result<Vec<AbortedTxn>> {
        let file = match self.disk.open(self.path, OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut entries = Vec::new();
        let mut bytes = vec![0; CHUNK];
        loop {
            let count = read_full_at(&*file, &mut bytes, (entries.len() * SIZE) as u64)?;
            for entry in bytes[..count].chunks_exact(SIZE) {
                entries.push(AbortedTxn::decode(entry).ok_or(io::ErrorKind::InvalidData)?);
            }
            if count < CHUNK {
                return Ok(entries);
            }
        }
    }

    /// Removes the entries of transactions that end at or after `offset`.
    pub(crate) fn truncate(&self, offset: Offset) -> io::Result<()> {
        let entries = self.entries()?;
        let kept = entries.partition_point(|entry| entry.last_offset < offset);
        if kept == entries.len() {
            return Ok(());
        }
        self.disk.open(self.path, OpenMode::Write)?.set_len((kept * SIZE) as u64)
    }

    /// Makes the entries durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.disk.open(self.path, OpenMode::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other?.sync(),
        }
    }
}
