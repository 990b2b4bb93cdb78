//! The bytes of a snapshot: batches like those of a log, from offset 0 on (KIP-630).

use crate::ControlRecord;
use bytes::Bytes;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::{LeaderEpoch, Offset};

/// Records of one data batch; Kafka bounds a batch by its size, to the same effect.
const RECORDS_PER_BATCH: usize = 1024;

/// Puts a snapshot together, batch by batch.
#[derive(Debug)]
pub struct SnapshotWriter {
    epoch: LeaderEpoch,
    now_ms: i64,
    next: Offset,
    bytes: Vec<u8>,
}

impl SnapshotWriter {
    /// An empty one, of the log as of an epoch; its records get the time.
    pub fn new(epoch: LeaderEpoch, now_ms: i64) -> SnapshotWriter {
        SnapshotWriter { epoch, now_ms, next: Offset(0), bytes: Vec::new() }
    }

    /// Adds a batch of control records.
    pub fn control(mut self, records: &[ControlRecord]) -> SnapshotWriter {
        let mut batch = self.builder(records.len()).control(true);
        for record in records {
            batch.append(self.now_ms, Some(&record.key()), Some(&record.value()), &[]);
        }
        self.bytes.extend(batch.build());
        self
    }

    /// Adds metadata records, in as many batches as they need.
    pub fn data<R>(mut self, records: &[R], to_bytes: impl Fn(&R) -> Bytes) -> SnapshotWriter {
        for chunk in records.chunks(RECORDS_PER_BATCH) {
            let mut batch = self.builder(chunk.len());
            for record in chunk {
                batch.append(self.now_ms, None, Some(&to_bytes(record)), &[]);
            }
            self.bytes.extend(batch.build());
        }
        self
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn builder(&mut self, records: usize) -> BatchBuilder {
        let base_offset = self.next;
        self.next.0 += i64::try_from(records).expect("a batch has few records");
        BatchBuilder::new().base_offset(base_offset).leader_epoch(self.epoch)
    }
}
