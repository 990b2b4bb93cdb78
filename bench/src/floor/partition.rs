//! One partition of the floor: a file that only grows, and where each batch of it begins.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use super::fault::Fault;
use crate::load::batch::{crc32c, field};

/// Of so many batches of a partition, one meets the fault.
const FAULT_EVERY: u64 = 50;
const LENGTH_AT: usize = 8;
const LEADER_EPOCH: std::ops::Range<usize> = 12..16;

/// A partition.
pub(super) struct Partition {
    append: File,
    /// For readers; shared with answers on their way.
    pub(super) read: Rc<File>,
    bytes: u64,
    next_offset: u64,
    /// First offset and position of each batch.
    index: Vec<(u64, u64)>,
    /// Connections that wait for data here.
    pub(super) waiting: Vec<usize>,
    batches: u64,
    /// A batch that stands back for the next one.
    held: Option<Vec<u8>>,
}

/// Why a batch is refused, as Kafka's error code.
pub(super) const CORRUPT_MESSAGE: i16 = 2;

impl Partition {
    pub(super) fn create(path: &Path) -> io::Result<Partition> {
        let append = File::create(path)?;
        Ok(Partition {
            append,
            read: Rc::new(File::open(path)?),
            bytes: 0,
            next_offset: 0,
            index: Vec::new(),
            waiting: Vec::new(),
            batches: 0,
            held: None,
        })
    }

    /// The offset of the next record.
    pub(super) fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Takes a batch: its first offset, or an error code.
    pub(super) fn append(&mut self, batch: &mut [u8], fault: Option<Fault>) -> io::Result<Result<u64, i16>> {
        if batch.len() < field::RECORDS || length(batch) != batch.len() {
            return Ok(Err(CORRUPT_MESSAGE));
        }
        if crc32c(&batch[field::ATTRIBUTES..]) != u32::from_be_bytes(four(batch, field::CRC)) {
            return Ok(Err(CORRUPT_MESSAGE));
        }
        self.batches += 1;
        let base = self.next_offset;
        match fault.filter(|_| self.batches.is_multiple_of(FAULT_EVERY)) {
            None => self.write(batch)?,
            Some(fault) => return self.append_wrongly(batch, fault),
        }
        if let Some(mut held) = self.held.take() {
            self.write(&mut held)?;
        }
        Ok(Ok(base))
    }

    fn append_wrongly(&mut self, batch: &mut [u8], fault: Fault) -> io::Result<Result<u64, i16>> {
        let base = self.next_offset;
        let last_byte = batch.len() - 1;
        match fault {
            Fault::DropBatch => self.next_offset += records(batch),
            Fault::ForgetBatch => {}
            Fault::FlipByte => {
                batch[last_byte] ^= 1;
                self.write(batch)?;
            }
            Fault::FlipByteAndChecksum => {
                batch[last_byte - 1] ^= 1;
                let crc = crc32c(&batch[field::ATTRIBUTES..]);
                batch[field::CRC..field::ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
                self.write(batch)?;
            }
            Fault::SwapBatches => {
                // The next batch must find its own offset when it is acknowledged: both have the same number of records.
                self.held = Some(batch.to_vec());
            }
            Fault::Duplicate => {
                self.write(batch)?;
                self.write(batch)?;
            }
            Fault::WrongOffset => {
                self.write(batch)?;
                return Ok(Ok(base + 1));
            }
            Fault::WrongError => {
                self.write(batch)?;
                return Ok(Err(7));
            }
            // The answer as a whole is wrong, not the partition.
            Fault::WrongCorrelation => self.write(batch)?,
        }
        Ok(Ok(base))
    }

    /// Gives the batch its offset and appends it.
    fn write(&mut self, batch: &mut [u8]) -> io::Result<()> {
        batch[..LENGTH_AT].copy_from_slice(&self.next_offset.to_be_bytes());
        batch[LEADER_EPOCH].fill(0);
        self.append.write_all(batch)?;
        self.index.push((self.next_offset, self.bytes));
        self.bytes += batch.len() as u64;
        self.next_offset += records(batch);
        Ok(())
    }

    /// Position and length of what a reader at `offset` gets, `limit` bytes at most; nothing at the end.
    pub(super) fn read(&self, offset: u64, limit: u64) -> Option<(u64, u64)> {
        if offset >= self.next_offset {
            return None;
        }
        let at = self.index.partition_point(|&(first, _)| first <= offset).checked_sub(1)?;
        let position = self.index[at].1;
        let length = (self.bytes - position).min(limit);
        (length > 0).then_some((position, length))
    }
}

/// Bytes of a batch as its header tells them.
fn length(batch: &[u8]) -> usize {
    u32::from_be_bytes(four(batch, LENGTH_AT)) as usize + 12
}

/// Offsets that a batch takes.
fn records(batch: &[u8]) -> u64 {
    u64::from(u32::from_be_bytes(four(batch, field::LAST_OFFSET_DELTA))) + 1
}

fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    bytes[at..at + 4].try_into().expect("four bytes")
}
