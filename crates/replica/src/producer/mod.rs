//! Idempotent and transactional producers of one partition (KIP-98, KIP-360).
//!
//! A producer numbers its records; a leader appends a batch only if its numbers follow those of the batch before. So a
//! batch that is sent again is recognised, and one that is missing is noticed. [`ProducerState`] remembers, for every
//! producer id seen in the partition, its epoch and its last five batches.
//!
//! ```text
//! produce:   check → (log append) → appended → completed transaction? → index entry
//! open:      load(snapshot) → appended for every batch after it
//! truncate:  truncated? → reset, load(snapshot) → appended …
//! ```

#[cfg(test)]
mod model;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod transactions;

pub use state::{ActiveProducer, LastRecord, ProducerState};
pub use transactions::CompletedTransaction;

use ottla_protocol::records::control::EndTransactionMarker;
use ottla_protocol::records::{BatchHeader, increment_sequence};
use ottla_protocol::{Offset, ProducerEpoch, ProducerId};

use crate::Refusal;

/// Batches remembered for each producer: a producer has at most that many requests in flight.
pub const BATCHES_RETAINED: usize = 5;

/// What producer state needs to know of a batch whose producer id is not [`ProducerId::NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFacts {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record; −1 in control batches and in what coordinators write.
    pub base_sequence: i32,
    /// Last offset minus base offset.
    pub last_offset_delta: i32,
    /// Part of a transaction.
    pub is_transactional: bool,
    /// A control batch.
    pub is_control: bool,
    /// The marker in a control batch; `None` in data batches, and in control batches whose record compaction removed.
    pub marker: Option<EndTransactionMarker>,
}

impl BatchFacts {
    /// The facts in a batch's header. The caller reads the marker of a control batch from its only record.
    pub fn of_header(header: &BatchHeader, marker: Option<EndTransactionMarker>) -> BatchFacts {
        BatchFacts {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            last_offset_delta: header.last_offset_delta,
            is_transactional: header.attributes.is_transactional(),
            is_control: header.attributes.is_control(),
            marker,
        }
    }

    /// Sequence number of the last record, −1 if there is none.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            ottla_protocol::records::NO_SEQUENCE => ottla_protocol::records::NO_SEQUENCE,
            base => increment_sequence(base, self.last_offset_delta),
        }
    }
}

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A Produce request: everything is checked.
    Client,
    /// A group or transaction coordinator of this broker: its batches have no sequence, its markers have.
    Coordinator {
        /// Version of the transaction protocol that the marker obeys; from 2 on a marker has a newer epoch than the
        /// transaction's records (KIP-890).
        transaction_version: i16,
    },
}

/// What to do with a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Append it, then call [`ProducerState::appended`].
    Append,
    /// It was appended before: answer as then, append nothing.
    Duplicate(DuplicateBatch),
    /// Refuse it.
    Reject(Refusal),
}

/// Where a batch that came again was appended the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateBatch {
    /// Offset of its first record: the answer's `base_offset`.
    pub base_offset: Offset,
    /// Offset of its last record: the offset that acks=all waits for, minus one.
    pub last_offset: Offset,
    /// Its largest timestamp: the answer's `log_append_time_ms`, as Kafka has it, whatever the topic's timestamp type.
    pub timestamp: i64,
}
