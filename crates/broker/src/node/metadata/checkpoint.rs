//! Checkpoints of the metadata: the image as records, in the framing of a log (KIP-630).
//!
//! ```text
//! <20-digit end offset>-<10-digit epoch>.checkpoint:  control batch (header, kraft.version, voters)
//!                                                      data batches
//!                                                      control batch (footer)
//! ```

use super::MetadataError;
use super::contents::{control_records, data_records};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::KRaftVersionRecord;
use ottla_protocol::records::batches;
use ottla_protocol::{LeaderEpoch, Offset};
use ottla_quorum::{ControlRecord, SnapshotId, SnapshotWriter, Voters};

/// End of the names of complete checkpoints.
const SUFFIX: &str = ".checkpoint";

/// The file's name.
pub(super) fn file_name(id: SnapshotId) -> String {
    format!("{:020}-{:010}{SUFFIX}", id.end_offset.0, id.epoch.0)
}

/// The snapshot that a file of this name holds, if it is one that is complete.
pub(super) fn parse_file_name(name: &str) -> Option<SnapshotId> {
    let (end_offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let id =
        SnapshotId { end_offset: Offset(end_offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) };
    (file_name(id) == name).then_some(id)
}

/// What a checkpoint holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Append time of the last record of the log that is in it.
    pub(super) last_contained_log_timestamp: i64,
    pub(super) control: Vec<ControlRecord>,
    pub(super) records: Vec<MetadataRecord>,
}

/// Reads a whole checkpoint.
pub(super) fn decode(bytes: &[u8]) -> Result<Contents, MetadataError> {
    let mut contents = Contents::default();
    for batch in batches(bytes) {
        let batch = batch?;
        batch.verify_crc()?;
        if batch.is_control() {
            contents.control.extend(control_records(&batch)?);
        } else {
            contents.records.extend(data_records(&batch)?);
        }
    }
    for record in &contents.control {
        if let ControlRecord::SnapshotHeader(header) = record {
            contents.last_contained_log_timestamp = header.last_contained_log_timestamp;
        }
    }
    Ok(contents)
}

/// The bytes of a checkpoint.
pub(super) fn encode(
    id: SnapshotId,
    last_contained_log_timestamp: i64,
    voters: &Voters,
    records: &[MetadataRecord],
    now_ms: i64,
) -> Vec<u8> {
    let mut header = vec![ControlRecord::snapshot_header(last_contained_log_timestamp)];
    if let Some(set) = voters.set.as_ref().filter(|_| voters.kraft_version > 0) {
        header.push(ControlRecord::KRaftVersion(KRaftVersionRecord {
            k_raft_version: voters.kraft_version,
            ..KRaftVersionRecord::default()
        }));
        header.push(ControlRecord::KRaftVoters(set.to_record()));
    }
    SnapshotWriter::new(id.epoch, now_ms)
        .control(&header)
        .data(records, MetadataRecord::to_bytes)
        .control(&[ControlRecord::snapshot_footer()])
        .finish()
}

/// The bytes of a checkpoint that has nothing but control records, batch by batch.
pub(super) fn encode_control(control: &[Vec<ControlRecord>], now_ms: i64) -> Vec<u8> {
    let writer = SnapshotWriter::new(LeaderEpoch(0), now_ms);
    control.iter().fold(writer, |writer, batch| writer.control(batch)).finish()
}
