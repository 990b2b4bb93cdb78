//! Control records: what brokers write into a log for themselves and for each other.
//!
//! A control batch's records have a key that says what they are; clients skip them all, known or not.

use super::{BatchBuilder, NO_SEQUENCE, RecordError};
use crate::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    /// The transaction's records are to be ignored (KIP-98).
    Abort,
    /// The transaction's records count.
    Commit,
    /// A leader of the metadata quorum was elected (KIP-595).
    LeaderChange,
    /// First record of a snapshot (KIP-630).
    SnapshotHeader,
    /// Last record of a snapshot.
    SnapshotFooter,
    /// Version of the quorum's own protocol (KIP-853).
    KRaftVersion,
    /// The voters of the quorum.
    KRaftVoters,
    /// Of a newer Kafka.
    Unknown(i16),
}

const KEY_SIZE: usize = 4;
const VERSION: i16 = 0;

impl ControlRecordType {
    /// The number in the key.
    pub fn id(self) -> i16 {
        match self {
            ControlRecordType::Abort => 0,
            ControlRecordType::Commit => 1,
            ControlRecordType::LeaderChange => 2,
            ControlRecordType::SnapshotHeader => 3,
            ControlRecordType::SnapshotFooter => 4,
            ControlRecordType::KRaftVersion => 5,
            ControlRecordType::KRaftVoters => 6,
            ControlRecordType::Unknown(id) => id,
        }
    }

    /// The type of a number.
    pub fn from_id(id: i16) -> ControlRecordType {
        match id {
            0 => ControlRecordType::Abort,
            1 => ControlRecordType::Commit,
            2 => ControlRecordType::LeaderChange,
            3 => ControlRecordType::SnapshotHeader,
            4 => ControlRecordType::SnapshotFooter,
            5 => ControlRecordType::KRaftVersion,
            6 => ControlRecordType::KRaftVoters,
            id => ControlRecordType::Unknown(id),
        }
    }

    /// The record's key: version and type.
    pub fn key(self) -> [u8; KEY_SIZE] {
        let mut key = [0; KEY_SIZE];
        key[..2].copy_from_slice(&VERSION.to_be_bytes());
        key[2..].copy_from_slice(&self.id().to_be_bytes());
        key
    }

    /// Reads a record's key; keys of newer versions are read as far as they are known.
    ///
    /// # Errors
    /// [`RecordError::BadBatch`] for what cannot be a control record's key.
    pub fn from_key(key: Option<&[u8]>) -> Result<ControlRecordType, RecordError> {
        match key.and_then(|key| key.first_chunk::<KEY_SIZE>()) {
            Some(&[v0, v1, t0, t1]) if i16::from_be_bytes([v0, v1]) >= 0 => {
                Ok(Self::from_id(i16::from_be_bytes([t0, t1])))
            }
            _ => Err(RecordError::BadBatch("not a control record's key")),
        }
    }
}

/// The end of a transaction in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Committed, or aborted.
    pub commit: bool,
    /// Leader epoch of the partition of `__transaction_state` whose leader decided it.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// The record's type.
    pub fn record_type(self) -> ControlRecordType {
        if self.commit { ControlRecordType::Commit } else { ControlRecordType::Abort }
    }

    /// The record's value: version and coordinator epoch.
    pub fn value(self) -> [u8; 6] {
        let mut value = [0; 6];
        value[..2].copy_from_slice(&VERSION.to_be_bytes());
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        value
    }

    /// Reads key and value of a record; `None` if it is a control record of another kind.
    ///
    /// # Errors
    /// [`RecordError::BadBatch`] if key or value is not what it must be.
    pub fn read(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Option<EndTransactionMarker>, RecordError> {
        let commit = match ControlRecordType::from_key(key)? {
            ControlRecordType::Commit => true,
            ControlRecordType::Abort => false,
            _ => return Ok(None),
        };
        match value.and_then(|value| value.first_chunk::<6>()) {
            Some(&[v0, v1, epoch @ ..]) if i16::from_be_bytes([v0, v1]) >= 0 => {
                let coordinator_epoch = i32::from_be_bytes(epoch);
                Ok(Some(EndTransactionMarker { commit, coordinator_epoch }))
            }
            _ => Err(RecordError::BadBatch("not an end-transaction marker's value")),
        }
    }

    /// A control batch of this marker alone.
    pub fn to_batch(
        self,
        base_offset: Offset,
        timestamp: i64,
        leader_epoch: LeaderEpoch,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    ) -> Vec<u8> {
        let mut builder = BatchBuilder::new()
            .base_offset(base_offset)
            .leader_epoch(leader_epoch)
            .producer(producer_id, producer_epoch, NO_SEQUENCE)
            .transactional(true)
            .control(true);
        builder.append(timestamp, Some(&self.record_type().key()), Some(&self.value()), &[]);
        builder.build()
    }
}
