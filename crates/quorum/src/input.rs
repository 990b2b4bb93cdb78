//! What the quorum is told.

use crate::snapshot::{SnapshotFile, SnapshotId};
use ottla_protocol::{LeaderEpoch, Offset};

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The node is ready to take part. Once, before anything else.
    Start,
    /// A batch of this node's own epoch was appended to the log: one that an effect asked for, or one of the controller's.
    Appended {
        /// Offset after its last record.
        end_offset: Offset,
        /// Its size.
        bytes: u64,
    },
    /// The log is durable up to here.
    Flushed {
        /// Offset after the last record that is durable.
        end_offset: Offset,
    },
    /// An append or a flush failed. What the disk holds is unknown now: the node must not lead on.
    LogFailed,
    /// All committed records up to here are in the host's image.
    Applied {
        /// Where the image ends.
        end: SnapshotId,
        /// Size of the batches that were applied since the last report.
        bytes: u64,
    },
    /// The snapshot that was asked for is on disk.
    SnapshotWritten(SnapshotFile),
    /// The snapshot that was asked for could not be written; the next one will do.
    SnapshotFailed(SnapshotId),
    /// The log begins here now and has this size: the answer to [`crate::Effect::Clean`].
    Cleaned {
        /// Where it begins.
        log_start_offset: Offset,
        /// Size of all segments.
        log_bytes: u64,
    },
    /// The time of [`crate::Quorum::deadline`] has come.
    Timeout,
    /// The node is going to stop and shall lead no longer.
    Shutdown,
}

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Offset after the last record.
    pub offset: Offset,
    /// Epoch of the last record.
    pub epoch: LeaderEpoch,
}
