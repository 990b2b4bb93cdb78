//! Record batches of format 2 made by hand, so that every field can be made wrong.
//!
//! ```text
//! base offset 8 | length 4 | leader epoch 4 | magic 1 | crc 4 | attributes 2 | last offset delta 4 | base timestamp 8 |
//! max timestamp 8 | producer id 8 | producer epoch 2 | base sequence 4 | count 4 | records
//! ```

/// Key and value of a record; either may be null.
pub type KeyValue = (Option<Vec<u8>>, Option<Vec<u8>>);

/// A batch to be: the defaults are those of a valid batch without idempotence.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Offset of the first record; 0 from a producer.
    pub base_offset: i64,
    /// Format of the batch; 2 today.
    pub magic: i8,
    /// Compression, timestamp type, transactional and control flags.
    pub attributes: i16,
    /// Offset of the last record less the base offset; `None`: as the records have it.
    pub last_offset_delta: Option<i32>,
    /// Milliseconds since the epoch of the first record.
    pub base_timestamp: i64,
    /// Largest timestamp; `None`: the base timestamp.
    pub max_timestamp: Option<i64>,
    /// Who sent it, or -1.
    pub producer_id: i64,
    /// Incarnation of the producer id, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// How many records the header claims; `None`: as many as there are.
    pub count: Option<i32>,
    /// Length that the header claims; `None`: the true one.
    pub length: Option<i32>,
    /// Added to the true checksum.
    pub crc_error: u32,
    /// What stands after the header; `None`: the records.
    pub body: Option<Vec<u8>>,
    /// Key and value of each record.
    pub records: Vec<KeyValue>,
}

impl Batch {
    /// A valid batch with one record per value.
    pub fn of(values: &[&str]) -> Batch {
        Batch {
            base_offset: 0,
            magic: 2,
            attributes: 0,
            last_offset_delta: None,
            base_timestamp: 1_700_000_000_000,
            max_timestamp: None,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: None,
            length: None,
            crc_error: 0,
            body: None,
            records: values.iter().map(|value| (None, Some(value.as_bytes().to_vec()))).collect(),
        }
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut covered = Vec::new();
        let last = self.records.len() as i32 - 1;
        covered.extend(self.attributes.to_be_bytes());
        covered.extend(self.last_offset_delta.unwrap_or(last).to_be_bytes());
        covered.extend(self.base_timestamp.to_be_bytes());
        covered.extend(self.max_timestamp.unwrap_or(self.base_timestamp).to_be_bytes());
        covered.extend(self.producer_id.to_be_bytes());
        covered.extend(self.producer_epoch.to_be_bytes());
        covered.extend(self.base_sequence.to_be_bytes());
        covered.extend(self.count.unwrap_or(last + 1).to_be_bytes());
        match &self.body {
            Some(body) => covered.extend(body),
            None => covered.extend(self.record_bytes()),
        }
        let mut bytes = Vec::new();
        bytes.extend(self.base_offset.to_be_bytes());
        bytes.extend(self.length.unwrap_or(covered.len() as i32 + 9).to_be_bytes());
        bytes.extend((-1i32).to_be_bytes());
        bytes.extend(self.magic.to_be_bytes());
        bytes.extend(crc32c(&covered).wrapping_add(self.crc_error).to_be_bytes());
        bytes.extend(covered);
        bytes
    }

    /// The records alone, not compressed.
    pub fn record_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (delta, (key, value)) in self.records.iter().enumerate() {
            let mut record = vec![0];
            varint(&mut record, 0);
            varint(&mut record, delta as i64);
            for part in [key, value] {
                varint(&mut record, part.as_ref().map_or(-1, |p| p.len() as i64));
                record.extend(part.iter().flatten());
            }
            varint(&mut record, 0);
            varint(&mut bytes, record.len() as i64);
            bytes.extend(record);
        }
        bytes
    }
}

/// A message set of format 0 or 1 with one message; its checksum is right.
pub fn old_message(magic: i8, value: &[u8]) -> Vec<u8> {
    let mut covered = vec![magic as u8, 0];
    if magic == 1 {
        covered.extend(1_700_000_000_000i64.to_be_bytes());
    }
    covered.extend((-1i32).to_be_bytes());
    covered.extend((value.len() as i32).to_be_bytes());
    covered.extend(value);
    let mut bytes = Vec::new();
    bytes.extend(0i64.to_be_bytes());
    bytes.extend((covered.len() as i32 + 4).to_be_bytes());
    bytes.extend(crc32(&covered).to_be_bytes());
    bytes.extend(covered);
    bytes
}

/// A zigzag varint as in records.
pub fn varint(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// The checksum of format 2 (Castagnoli).
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc(bytes, 0x82f6_3b78)
}

/// The checksum of formats 0 and 1.
fn crc32(bytes: &[u8]) -> u32 {
    crc(bytes, 0xedb8_8320)
}

fn crc(bytes: &[u8], polynomial: u32) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(
            sum ^ u32::from(byte),
            |sum, _| if sum & 1 == 1 { (sum >> 1) ^ polynomial } else { sum >> 1 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_have_their_published_check_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn varints_are_zigzag() {
        let encoded = |value| {
            let mut bytes = Vec::new();
            varint(&mut bytes, value);
            bytes
        };
        assert_eq!(encoded(0), [0]);
        assert_eq!(encoded(-1), [1]);
        assert_eq!(encoded(64), [0x80, 1]);
    }

    #[test]
    fn an_empty_batch_is_a_header_alone() {
        assert_eq!(Batch::of(&[]).bytes().len(), 61);
    }
}
