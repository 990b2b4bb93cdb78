//! A batch of a producer: records that travel together, and whom to tell what became of them.

use super::ProducerConfig;
use crate::{Error, RecordHeader, RecordMetadata, Result, TopicPartition};
use bytes::Bytes;
use ottla_protocol::records::{BATCH_OVERHEAD, BatchBuilder, Header, increment_sequence};
use ottla_protocol::{ProducerEpoch, ProducerId};
use tokio::time::Instant;

/// Told once what became of a record.
pub(super) type Callback = Box<dyn FnOnce(Result<RecordMetadata>) + Send>;

/// The most that one record's own fields take beside key, value and headers.
const RECORD_OVERHEAD_MAX: usize = 21;

/// One record that waits.
pub(super) struct Entry {
    pub(super) timestamp: i64,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Vec<RecordHeader>,
    pub(super) callback: Callback,
}

impl Entry {
    /// Upper bound of its size in a batch.
    pub(super) fn size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|header| header.key.len() + length(&header.value) + 10);
        RECORD_OVERHEAD_MAX + length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }
}

/// Who an idempotent producer is to the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: ProducerId,
    pub(super) epoch: ProducerEpoch,
}

/// Records of one partition that go out together.
pub(super) struct Batch {
    pub(super) partition: TopicPartition,
    /// Its place among all batches of the partition; stays the same through all retries.
    pub(super) ordinal: u64,
    pub(super) entries: Vec<Entry>,
    /// Upper bound of its size without compression.
    pub(super) size: usize,
    pub(super) created: Instant,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// Not to be sent again before.
    pub(super) retry_at: Option<Instant>,
    /// Who sends it, and the sequence number of its first record. Stays through retries, so that the broker can tell.
    pub(super) sequence: Option<(Identity, i32)>,
}

impl Batch {
    pub(super) fn new(partition: TopicPartition, ordinal: u64, created: Instant) -> Batch {
        Batch {
            partition,
            ordinal,
            entries: Vec::new(),
            size: BATCH_OVERHEAD,
            created,
            attempts: 0,
            retry_at: None,
            sequence: None,
        }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.size += entry.size();
        self.entries.push(entry);
    }

    /// The sequence number after its last record.
    pub(super) fn next_sequence(&self, first: i32) -> i32 {
        let count = i32::try_from(self.entries.len()).expect("a batch is bounded far below 2^31 records");
        increment_sequence(first, count)
    }

    /// Its bytes.
    pub(super) fn encode(&self, config: &ProducerConfig) -> Bytes {
        let mut builder = BatchBuilder::new()
            .with_capacity(self.size)
            .compression(config.compression, config.compression_level);
        if let Some((identity, first)) = self.sequence {
            builder = builder.producer(identity.id, identity.epoch, first);
        }
        for entry in &self.entries {
            let headers: Vec<Header<'_>> = entry
                .headers
                .iter()
                .map(|header| Header { key: header.key.as_bytes(), value: header.value.as_deref() })
                .collect();
            builder.append(entry.timestamp, entry.key.as_deref(), entry.value.as_deref(), &headers);
        }
        builder.build().into()
    }

    /// Tells everybody: written from this offset on. The broker's timestamp counts where it set one.
    pub(super) fn succeed(&mut self, base_offset: Option<i64>, log_append_time: Option<i64>) {
        for (index, entry) in (0..).zip(self.entries.drain(..)) {
            (entry.callback)(Ok(RecordMetadata {
                partition: self.partition.clone(),
                offset: base_offset.map(|base| base + index),
                timestamp: log_append_time.unwrap_or(entry.timestamp),
            }));
        }
    }

    /// Tells everybody: not written, or not known to be.
    pub(super) fn fail(&mut self, error: &Error) {
        for entry in self.entries.drain(..) {
            (entry.callback)(Err(error.clone()));
        }
    }

    /// Two halves in its place, for a batch that is too large for the broker. Both keep its ordinal, so that they stay
    /// where it was, the first before the second.
    pub(super) fn split(mut self) -> [Batch; 2] {
        let second = self.entries.split_off(self.entries.len() / 2);
        let half = |entries: Vec<Entry>| {
            let mut batch = Batch::new(self.partition.clone(), self.ordinal, self.created);
            entries.into_iter().for_each(|entry| batch.push(entry));
            batch
        };
        [half(std::mem::take(&mut self.entries)), half(second)]
    }
}
