//! Batches that are encoded once and changed in place: only the base sequence and the checksum differ from one to the
//! next.
//!
//! The checksum covers the header from the attributes on, 40 bytes, and then the records, which never change. CRC-32C is
//! linear: that of the whole is that of the header pushed through as many bytes as the records have, combined with that
//! of the records. The push is a table of four look-ups, so a batch of a megabyte costs what one of a hundred bytes does.

use std::sync::Arc;

use crc_fast::{CrcAlgorithm, checksum, checksum_combine};
use ottla_protocol::records::{BatchBuilder, Compression};
use ottla_protocol::{ProducerEpoch, ProducerId};

/// Where the fields of a batch lie.
pub mod field {
    /// Checksum of all that follows it.
    pub const CRC: usize = 17;
    /// Attributes: the first that the checksum covers.
    pub const ATTRIBUTES: usize = 21;
    /// Offset of the last record less the base offset.
    pub const LAST_OFFSET_DELTA: usize = 23;
    /// Who sent it.
    pub const PRODUCER_ID: usize = 43;
    /// Sequence of the first record.
    pub const BASE_SEQUENCE: usize = 53;
    /// How many records there are.
    pub const RECORD_COUNT: usize = 57;
    /// The first record.
    pub const RECORDS: usize = 61;
}

/// The time that all batches claim, in milliseconds: 14 November 2023. Retention is switched off for topics of the
/// benchmark.
const TIMESTAMP_MS: i64 = 1_700_000_000_000;

/// CRC-32C.
pub fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Records of a batch.
    pub records: u32,
    /// Bytes of a record's value; there is no key.
    pub record_bytes: usize,
    /// Of all records together.
    pub compression: Compression,
    /// How many of a hundred bytes are random; the others repeat what stands before, so that codecs find something.
    pub random_percent: u32,
}

impl Shape {
    /// Records of random bytes, which no codec makes smaller.
    pub const fn random(records: u32, record_bytes: usize) -> Shape {
        Shape { records, record_bytes, compression: Compression::None, random_percent: 100 }
    }

    /// Bytes of all values of a batch.
    pub fn payload_bytes(&self) -> u64 {
        u64::from(self.records) * self.record_bytes as u64
    }
}

/// The batches of one producer.
#[derive(Clone, Debug)]
pub struct Template {
    /// A whole batch, with sequence 0.
    pub bytes: Arc<[u8]>,
    /// Records of each batch.
    pub records: u32,
    /// Checksum of the records alone.
    records_crc: u32,
    push: Arc<Push>,
}

impl Template {
    /// The batches of the producer `id` (`None`: without idempotence), with values made of `seed`.
    pub fn new(shape: &Shape, id: Option<ProducerId>, seed: u64) -> Template {
        let mut builder = BatchBuilder::new().compression(shape.compression, None);
        if let Some(id) = id {
            builder = builder.producer(id, ProducerEpoch(0), 0);
        }
        let mut random = Random::new(seed);
        let mut value = vec![0; shape.record_bytes];
        for _ in 0..shape.records {
            random.fill(&mut value, shape.random_percent);
            builder.append(TIMESTAMP_MS, None, Some(&value), &[]);
        }
        let bytes: Arc<[u8]> = builder.build().into();
        let records = &bytes[field::RECORDS..];
        let (records_crc, push) = (crc32c(records), Arc::new(Push::through(records.len())));
        Template { records: shape.records, records_crc, push, bytes }
    }

    /// Gives a copy of the batch another base sequence, and the checksum that goes with it.
    pub fn set_sequence(&self, batch: &mut [u8], sequence: i32) {
        batch[field::BASE_SEQUENCE..field::RECORD_COUNT].copy_from_slice(&sequence.to_be_bytes());
        let crc = self.crc_of(&batch[field::ATTRIBUTES..field::RECORDS]);
        batch[field::CRC..field::ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
    }

    /// The checksum of a batch that has these 40 bytes before the template's records.
    fn crc_of(&self, header: &[u8]) -> u32 {
        self.push.apply(crc32c(header)) ^ self.records_crc
    }
}

/// The linear map that appending a number of bytes is on a checksum, as one table for each byte of it.
#[derive(Debug)]
struct Push([[u32; 256]; 4]);

impl Push {
    fn through(bytes: usize) -> Push {
        let of_bit = |bit: u32| checksum_combine(CrcAlgorithm::Crc32Iscsi, 1 << bit, 0, bytes as u64) as u32;
        let of_bits: Vec<u32> = (0..32).map(of_bit).collect();
        let mut tables = [[0; 256]; 4];
        for (byte, table) in tables.iter_mut().enumerate() {
            for (value, pushed) in table.iter_mut().enumerate() {
                *pushed = (0..8)
                    .filter(|bit| value >> bit & 1 == 1)
                    .fold(0, |sum, bit| sum ^ of_bits[byte * 8 + bit]);
            }
        }
        Push(tables)
    }

    fn apply(&self, crc: u32) -> u32 {
        let bytes = crc.to_le_bytes();
        (0..4).fold(0, |sum, at| sum ^ self.0[at][usize::from(bytes[at])])
    }
}

/// Bytes that look random and depend on the seed alone (xorshift64).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        // Zero would stay zero; a multiplication spreads seeds that lie close together.
        Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, value: &mut [u8], random_percent: u32) {
        const WORDS: [&[u8; 8]; 4] = [b"\"temp\": ", b"\"unit\": ", b"\"celsius", b"\"sensor\""];
        for chunk in value.chunks_mut(8) {
            let next = self.next();
            let bytes = next.to_le_bytes();
            let word = WORDS[(next >> 33) as usize % WORDS.len()];
            let from = if (next >> 40) % 100 < u64::from(random_percent) { &bytes } else { word };
            chunk.copy_from_slice(&from[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::batches;

    use super::*;

    #[test]
    fn a_changed_batch_has_the_checksum_of_its_bytes() {
        for (records, record_bytes) in [(1, 0), (1, 1), (16, 1000), (1000, 100)] {
            let template = Template::new(&Shape::random(records, record_bytes), Some(ProducerId(77)), 5);
            for sequence in [0, 1, 16, 65_536, i32::MAX] {
                let mut batch = template.bytes.to_vec();
                template.set_sequence(&mut batch, sequence);
                let read = batches(&batch).next().unwrap().unwrap();
                assert!(
                    read.verify_crc().is_ok(),
                    "{records} records of {record_bytes} bytes, sequence {sequence}"
                );
                assert_eq!(read.header().base_sequence, sequence);
            }
        }
    }

    #[test]
    fn payloads_depend_on_the_seed_alone() {
        let shape = Shape::random(3, 50);
        assert_eq!(Template::new(&shape, None, 1).bytes, Template::new(&shape, None, 1).bytes);
        assert_ne!(Template::new(&shape, None, 1).bytes, Template::new(&shape, None, 2).bytes);
    }

    #[test]
    fn repetitive_payloads_are_compressed() {
        let plain = Shape { random_percent: 25, ..Shape::random(100, 1000) };
        let packed = Shape { compression: Compression::Lz4, ..plain };
        let (plain, packed) = (Template::new(&plain, None, 1), Template::new(&packed, None, 1));
        assert!(packed.bytes.len() * 10 < plain.bytes.len() * 8, "{} bytes are left", packed.bytes.len());
    }
}
