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

/// Is the request's `isolation_level` one that there is?
///
/// # Errors
/// UNKNOWN_SERVER_ERROR, as Kafka answers Fetch and ListOffsets, for all partitions.
pub fn check_isolation_level(isolation_level: i8) -> Result<(), Refusal> {
    match isolation_level {
        0 | 1 => Ok(()),
        _ => Err(Refusal::new(ErrorCode::UnknownServerError, format!("isolation level {isolation_level}"))),
    }
}

impl FetchIsolation {
    /// From the request's `replica_id` and `isolation_level`, which was checked.
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

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSETS: Offsets = Offsets {
        log_start_offset: Offset(5),
        high_watermark: Offset(20),
        last_stable_offset: Offset(10),
        log_end_offset: Offset(30),
    };

    fn check(fetch_offset: i64, isolation: FetchIsolation, expected: Result<Option<i64>, ErrorCode>) {
        let found = window(&OFFSETS, Offset(fetch_offset), isolation).map_err(|refusal| refusal.error);
        let end = found.map(|window| match window {
            Window::Empty => None,
            Window::Read { end } => Some(end.0),
        });
        assert_eq!(end, expected, "{fetch_offset} {isolation:?}");
    }

    #[test]
    fn readers_see_as_far_as_their_isolation_allows() {
        for (isolation, end) in [
            (FetchIsolation::LogEnd, 30),
            (FetchIsolation::HighWatermark, 20),
            (FetchIsolation::TxnCommitted, 10),
        ] {
            check(5, isolation, Ok(Some(end)));
            check(end - 1, isolation, Ok(Some(end)));
            check(end, isolation, Ok(None));
            check(30, isolation, Ok(None));
            for offset in [-1, 0, 4, 31, i64::MAX, i64::MIN] {
                check(offset, isolation, Err(ErrorCode::OffsetOutOfRange));
            }
        }
    }

    #[test]
    fn only_replicas_see_the_log_end() {
        assert_eq!(FetchIsolation::of(0, 1), FetchIsolation::LogEnd);
        for replica_id in [CONSUMER_REPLICA_ID, DEBUGGING_REPLICA_ID] {
            assert_eq!(FetchIsolation::of(replica_id, 0), FetchIsolation::HighWatermark);
            assert_eq!(FetchIsolation::of(replica_id, 1), FetchIsolation::TxnCommitted);
        }
        assert_eq!(
            [-1, 0, 1, 2].map(|level| check_isolation_level(level).is_ok()),
            [false, true, true, false]
        );
    }

    #[test]
    fn clients_may_read_from_followers_since_version_11() {
        assert!(needs_leader(CONSUMER_REPLICA_ID, 10) && !needs_leader(CONSUMER_REPLICA_ID, 11));
        assert!(needs_leader(3, 18));
    }

    /// The log has epoch 1 from 5 to 12 and epoch 3 from there on.
    fn check_diverging(fetch_offset: i64, last_epoch: i32, expected: Result<Option<(i32, i64)>, ErrorCode>) {
        let entries = [(1, 5), (3, 12)].map(|(epoch, start)| EpochEntry {
            leader_epoch: LeaderEpoch(epoch),
            start_offset: Offset(start),
        });
        let found = diverging_epoch(&entries, &OFFSETS, Offset(fetch_offset), LeaderEpoch(last_epoch));
        let end = found.map(|end| end.map(|end| (end.leader_epoch.0, end.end_offset.0)));
        assert_eq!(end.map_err(|refusal| refusal.error), expected, "{fetch_offset} after epoch {last_epoch}");
    }

    #[test]
    fn log_diverges_where_the_last_epoch_is_unknown_or_ended_earlier() {
        check_diverging(12, 1, Ok(None));
        check_diverging(13, 1, Ok(Some((1, 12))));
        check_diverging(12, 2, Ok(Some((1, 12))));
        check_diverging(30, 3, Ok(None));
        check_diverging(31, 3, Ok(Some((3, 30))));
    }

    #[test]
    fn epochs_of_the_future_and_offsets_before_the_log_are_out_of_range() {
        check_diverging(12, 4, Err(ErrorCode::OffsetOutOfRange));
        check_diverging(4, 1, Err(ErrorCode::OffsetOutOfRange));
    }
}
