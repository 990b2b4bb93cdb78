//! What was written and acknowledged: what whoever reads must find, no more and no less.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::ProducerId;

use super::batch::{Template, crc32c, field};
use super::topics::Topics;

/// Bytes before those that a batch's length counts.
const LOG_OVERHEAD: usize = 12;

/// The record of a run's producers.
#[derive(Debug)]
pub struct Written {
    /// Where it was written.
    pub topics: Topics,
    /// What each producer writes; all those without an id write the same.
    pub(crate) writers: HashMap<ProducerId, Template>,
    /// Acknowledged records, by partition.
    pub(crate) acknowledged: Vec<u64>,
    /// When each batch was to be sent, in nanoseconds of the run, by writer and partition; only where readers ask.
    pub(crate) sent_at: Option<HashMap<(ProducerId, usize), Vec<u64>>>,
}

impl Written {
    /// Nothing yet.
    pub fn new(topics: Topics) -> Written {
        let acknowledged = vec![0; topics.count()];
        Written { topics, writers: HashMap::new(), acknowledged, sent_at: None }
    }

    /// Acknowledged records.
    pub fn records(&self) -> u64 {
        self.acknowledged.iter().sum()
    }
}

/// How thoroughly a reader looks at what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Offsets without gaps.
    Offsets,
    /// Offsets, and the checksum of each batch.
    Checksums,
    /// Offsets, checksums, sequences, and every byte of the records.
    All,
}

/// What one reader has seen of each partition so far.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The offset expected next, by partition.
    pub(crate) next: Vec<u64>,
    sequences: HashMap<(ProducerId, usize), i32>,
}

/// A batch that a reader took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) records: u32,
    pub(crate) writer: ProducerId,
    pub(crate) base_sequence: i32,
}

impl Seen {
    pub(crate) fn nothing(topics: &Topics) -> Seen {
        Seen { next: vec![0; topics.count()], sequences: HashMap::new() }
    }

    /// Takes the batches of a fetched partition, tells of each, and returns how many bytes they have. What stands before
    /// the expected offset was asked for by its batch and is passed over; a batch that is cut off at the end is not
    /// there yet.
    pub(crate) fn take(
        &mut self,
        written: &Written,
        ordinal: usize,
        mut bytes: &[u8],
        check: Check,
        mut tell: impl FnMut(Taken),
    ) -> Result<u64> {
        let mut taken_bytes = 0;
        while let Some(batch) = first_batch(bytes)? {
            bytes = &bytes[batch.len()..];
            let taken = self.take_batch(written, ordinal, batch, check).with_context(|| {
                format!("{}-{}", written.topics.at(ordinal).0, written.topics.at(ordinal).1)
            })?;
            if let Some(taken) = taken {
                taken_bytes += batch.len() as u64;
                tell(taken);
            }
        }
        Ok(taken_bytes)
    }

    fn take_batch(
        &mut self,
        written: &Written,
        ordinal: usize,
        batch: &[u8],
        check: Check,
    ) -> Result<Option<Taken>> {
        let expected = self.next[ordinal];
        let base = i64_at(batch, 0);
        let last = base + i64::from(i32_at(batch, field::LAST_OFFSET_DELTA));
        if last < expected as i64 {
            return Ok(None);
        }
        ensure!(base == expected as i64, "offset {expected} is expected and {base} is there");
        let taken = Taken {
            records: (last - base + 1) as u32,
            writer: ProducerId(i64_at(batch, field::PRODUCER_ID)),
            base_sequence: i32_at(batch, field::BASE_SEQUENCE),
        };
        if check != Check::Offsets {
            let (stored, of_bytes) = (i32_at(batch, field::CRC) as u32, crc32c(&batch[field::ATTRIBUTES..]));
            ensure!(stored == of_bytes, "the checksum at offset {base} is {of_bytes:#x}, not {stored:#x}");
        }
        if check == Check::All {
            self.check_content(written, ordinal, batch, taken)
                .with_context(|| format!("the batch at offset {base}"))?;
        }
        self.next[ordinal] = last as u64 + 1;
        Ok(Some(taken))
    }

    /// Sequences go on where they ended, and every other byte is the producer's.
    fn check_content(&mut self, written: &Written, ordinal: usize, batch: &[u8], taken: Taken) -> Result<()> {
        let Some(template) = written.writers.get(&taken.writer) else {
            bail!("producer {} wrote nothing", taken.writer);
        };
        if taken.writer != ProducerId::NONE {
            let next = self.sequences.entry((taken.writer, ordinal)).or_insert(0);
            ensure!(
                *next == taken.base_sequence,
                "sequence {next} of producer {} is expected and {} is there",
                taken.writer,
                taken.base_sequence
            );
            *next = ottla_protocol::records::increment_sequence(*next, taken.records as i32);
        }
        let made = &template.bytes;
        ensure!(batch.len() == made.len(), "has {} bytes of {}", batch.len(), made.len());
        let header = field::ATTRIBUTES..field::BASE_SEQUENCE;
        ensure!(batch[header.clone()] == made[header], "has another header than it was sent with");
        ensure!(
            batch[field::RECORD_COUNT..] == made[field::RECORD_COUNT..],
            "has other records than it was sent with"
        );
        Ok(())
    }
}

/// The first whole batch.
fn first_batch(bytes: &[u8]) -> Result<Option<&[u8]>> {
    if bytes.len() < field::RECORDS {
        return Ok(None);
    }
    let length = usize::try_from(i32_at(bytes, 8)).ok().map(|length| length + LOG_OVERHEAD);
    let length =
        length.filter(|&length| length >= field::RECORDS).context("a batch shorter than its header")?;
    Ok(bytes.get(..length))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
