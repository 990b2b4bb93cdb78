//! What a Fetch may read of a partition.

use ottla_protocol::{ErrorCode, LeaderEpoch, Offset};

use super::Offsets;
use super::epochs::{self, EpochEnd, EpochEntry};
use crate::Refusal;

/// `replica_id` of a client.
pub const CONSUMER_REPLICA_ID: i32 = -1;
/// `replica_id` of a debugging client, which may read from any replica (ListOffsets).
pub const DEBUGGING_REPLICA_ID: i32 = -2;

/// How far a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchIsolation {
    /// A replica: all there is.
    LogEnd,
    /// A client that reads uncommitted data: what is replicated.
    HighWatermark,
    /// A client that reads committed data: what is replicated and decided.
    TxnCommitted,
}

impl FetchIsolation {
    /// From the request's `replica_id` and `isolation_level`.
    pub fn of(replica_id: i32, isolation_level: i8) -> FetchIsolation {
        match (replica_id >= 0, isolation_level) {
            (true, _) => FetchIsolation::LogEnd,
            (false, 1) => FetchIsolation::TxnCommitted,
            (false, _) => FetchIsolation::HighWatermark,
        }
    }

    /// The end, exclusive, of what may be read.
    pub fn end(self, offsets: &Offsets) -> Offset {
        match self {
            FetchIsolation::LogEnd => offsets.log_end_offset,
            FetchIsolation::HighWatermark => offsets.high_watermark,
            FetchIsolation::TxnCommitted => offsets.last_stable_offset,
        }
    }
}

/// Must the answer come from the leader? Clients may ask a follower from Fetch v11 on (KIP-392).
pub fn needs_leader(replica_id: i32, version: i16) -> bool {
    replica_id >= 0 || version < 11
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Nothing: the reader is at the end of what it may see.
    Empty,
    /// From the fetch offset up to `end`, exclusive.
    Read {
        /// The end.
        end: Offset,
    },
}

/// The window of a reader at `fetch_offset`.
///
/// # Errors
/// OFFSET_OUT_OF_RANGE below the log's start or above its end. Between what the reader may see and the log's end there is
/// nothing to read, which is no error.
pub fn window(offsets: &Offsets, fetch_offset: Offset, isolation: FetchIsolation) -> Result<Window, Refusal> {
    if fetch_offset < offsets.log_start_offset || fetch_offset > offsets.log_end_offset {
        return Err(out_of_range(offsets, fetch_offset));
    }
    let end = isolation.end(offsets);
    if fetch_offset >= end { Ok(Window::Empty) } else { Ok(Window::Read { end }) }
}

/// Does the log of a reader that last saw `last_fetched_epoch` before `fetch_offset` differ from this one (KIP-320,
/// KIP-595)? Then where it must truncate to.
///
/// # Errors
/// OFFSET_OUT_OF_RANGE if the epoch is not known here, or the offset is below the log's start.
pub fn diverging_epoch(
    entries: &[EpochEntry],
    offsets: &Offsets,
    fetch_offset: Offset,
    last_fetched_epoch: LeaderEpoch,
) -> Result<Option<EpochEnd>, Refusal> {
    let Some(end) = epochs::end_of(entries, last_fetched_epoch, offsets.log_end_offset) else {
        let reason = format!("end of last fetched epoch {last_fetched_epoch} is not known");
        return Err(Refusal::new(ErrorCode::OffsetOutOfRange, reason));
    };
    if fetch_offset < offsets.log_start_offset {
        return Err(out_of_range(offsets, fetch_offset));
    }
    let diverges = end.leader_epoch < last_fetched_epoch || end.end_offset < fetch_offset;
    Ok(diverges.then_some(end))
}

fn out_of_range(offsets: &Offsets, fetch_offset: Offset) -> Refusal {
    let (start, end) = (offsets.log_start_offset, offsets.log_end_offset);
    Refusal::new(ErrorCode::OffsetOutOfRange, format!("offset {fetch_offset} is not in {start}..={end}"))
}
