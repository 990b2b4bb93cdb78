//! What the quorum wants done.

use crate::control_record::ControlRecord;
use crate::election_state::ElectionState;
use crate::snapshot::SnapshotId;
use ottla_protocol::{LeaderEpoch, Offset};

/// Something for the host to do. Effects are carried out in order, each wholly before the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Replace the `quorum-state` file: temporary file, fsync, rename. Nothing that follows may happen if this fails.
    WriteElectionState {
        /// What to remember.
        state: ElectionState,
        /// Decides the version of the file.
        kraft_version: i16,
    },
    /// Append one control batch, then report [`crate::Input::Appended`] and, when it is durable, [`crate::Input::Flushed`].
    AppendControl {
        /// Where the first record goes: the end of the log.
        base_offset: Offset,
        /// Epoch of the batch.
        epoch: LeaderEpoch,
        /// Timestamp of the records, in milliseconds since 1970.
        timestamp: i64,
        /// The records.
        records: Vec<ControlRecord>,
    },
    /// The log is committed up to here: records before this offset may be applied. Never goes back.
    HighWatermark(Offset),
    /// This node leads, and the record that says so is committed: when all that is committed has been applied, the controller
    /// may be told that it is the active one. It appends with this epoch, from the end of the log on.
    BecameLeader {
        /// The epoch.
        epoch: LeaderEpoch,
    },
    /// This node does not lead any more.
    Resigned {
        /// The epoch it led.
        epoch: LeaderEpoch,
    },
    /// Write a snapshot of the image last reported with [`crate::Input::Applied`], then report
    /// [`crate::Input::SnapshotWritten`]. There is never more than one under way.
    WriteSnapshot(SnapshotId),
    /// Advance the start of the log and delete the segments and snapshots before it, then report [`crate::Input::Cleaned`].
    Clean {
        /// Where the log begins from now on: the end of a snapshot that stays.
        log_start_offset: Offset,
        /// Snapshots to delete.
        delete: Vec<SnapshotId>,
    },
}
