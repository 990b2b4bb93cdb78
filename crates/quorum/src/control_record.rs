//! Control records of the metadata log and of checkpoints.

use crate::voter_set::VoterSet;
use bytes::Bytes;
use ottla_protocol::codec::{DecodeError, Writer, decode_all};
use ottla_protocol::messages::{
    KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use ottla_protocol::records::{RecordError, control::ControlRecordType};

/// The only version of each of the records that 4.3.1 writes.
const VERSION: i16 = 0;

/// A record of a control batch.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// First record of every epoch.
    LeaderChange(LeaderChangeMessage),
    /// First record of a checkpoint.
    SnapshotHeader(SnapshotHeaderRecord),
    /// Last record of a checkpoint.
    SnapshotFooter(SnapshotFooterRecord),
    /// Level of kraft.version.
    KRaftVersion(KRaftVersionRecord),
    /// The voters.
    KRaftVoters(VotersRecord),
}

/// Why a control record cannot be read. A node that meets one must stop.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ControlRecordError {
    /// Its key is damaged.
    #[error(transparent)]
    Key(#[from] RecordError),
    /// Its type has no business in the metadata log, or is of a newer Kafka.
    #[error("a control record of type {0} cannot be in the metadata log")]
    Type(i16),
    /// Its value is damaged.
    #[error("a control record of type {0} is damaged: {1}")]
    Damaged(i16, DecodeError),
}

impl ControlRecord {
    /// What the key says.
    pub fn record_type(&self) -> ControlRecordType {
        match self {
            ControlRecord::LeaderChange(_) => ControlRecordType::LeaderChange,
            ControlRecord::SnapshotHeader(_) => ControlRecordType::SnapshotHeader,
            ControlRecord::SnapshotFooter(_) => ControlRecordType::SnapshotFooter,
            ControlRecord::KRaftVersion(_) => ControlRecordType::KRaftVersion,
            ControlRecord::KRaftVoters(_) => ControlRecordType::KRaftVoters,
        }
    }

    /// The record's key.
    pub fn key(&self) -> Bytes {
        Bytes::copy_from_slice(&self.record_type().key())
    }

    /// The record's value.
    pub fn value(&self) -> Bytes {
        let mut w = Writer::default();
        match self {
            ControlRecord::LeaderChange(record) => record.encode(&mut w, VERSION),
            ControlRecord::SnapshotHeader(record) => record.encode(&mut w, VERSION),
            ControlRecord::SnapshotFooter(record) => record.encode(&mut w, VERSION),
            ControlRecord::KRaftVersion(record) => record.encode(&mut w, VERSION),
            ControlRecord::KRaftVoters(record) => record.encode(&mut w, VERSION),
        }
        .expect("version 0 has every field that is set here");
        w.into_vec().into()
    }

    /// Reads key and value of a record of a control batch.
    ///
    /// # Errors
    /// Types that do not belong here, and damage.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<ControlRecord, ControlRecordError> {
        let record_type = ControlRecordType::from_key(Some(key))?;
        match record_type {
            ControlRecordType::LeaderChange => decode_all(value, |r| LeaderChangeMessage::decode(r, VERSION))
                .map(ControlRecord::LeaderChange),
            ControlRecordType::SnapshotHeader => {
                decode_all(value, |r| SnapshotHeaderRecord::decode(r, VERSION))
                    .map(ControlRecord::SnapshotHeader)
            }
            ControlRecordType::SnapshotFooter => {
                decode_all(value, |r| SnapshotFooterRecord::decode(r, VERSION))
                    .map(ControlRecord::SnapshotFooter)
            }
            ControlRecordType::KRaftVersion => {
                decode_all(value, |r| KRaftVersionRecord::decode(r, VERSION)).map(ControlRecord::KRaftVersion)
            }
            ControlRecordType::KRaftVoters => {
                decode_all(value, |r| VotersRecord::decode(r, VERSION)).map(ControlRecord::KRaftVoters)
            }
            other => return Err(ControlRecordError::Type(other.id())),
        }
        .map_err(|error| ControlRecordError::Damaged(record_type.id(), error))
    }

    /// The header of a checkpoint.
    pub fn snapshot_header(last_contained_log_timestamp: i64) -> ControlRecord {
        ControlRecord::SnapshotHeader(SnapshotHeaderRecord {
            version: VERSION,
            last_contained_log_timestamp,
            ..Default::default()
        })
    }

    /// The footer of a checkpoint.
    pub fn snapshot_footer() -> ControlRecord {
        ControlRecord::SnapshotFooter(SnapshotFooterRecord { version: VERSION, ..Default::default() })
    }

    pub(crate) fn kraft_version(level: i16) -> ControlRecord {
        ControlRecord::KRaftVersion(KRaftVersionRecord {
            version: VERSION,
            k_raft_version: level,
            ..Default::default()
        })
    }
}

/// The control batches of the checkpoint at (0, 0) that formatting writes for a new quorum (`kafka-storage format
/// --standalone`): header batch and footer batch, with no data between them.
pub fn bootstrap_checkpoint(now: i64, voters: &VoterSet) -> [Vec<ControlRecord>; 2] {
    let header = vec![
        ControlRecord::snapshot_header(now),
        ControlRecord::kraft_version(1),
        ControlRecord::KRaftVoters(voters.to_record()),
    ];
    [header, vec![ControlRecord::snapshot_footer()]]
}
