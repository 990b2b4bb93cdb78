//! ListOffsets: from a timestamp, or a number that stands for a place, to an offset (KIP-79, KIP-734, KIP-405, KIP-1005,
//! KIP-1023).
//!
//! [`plan`] says what is to be done: it has the answer at once, or the host searches its log and asks [`finish`].

use ottla_protocol::{ErrorCode, LeaderEpoch, Offset};

use super::Offsets;
use super::epochs::EpochEntry;
use super::fetch::CONSUMER_REPLICA_ID;
use crate::Refusal;

/// End of what the reader may see.
pub const LATEST: i64 = -1;
/// Start of the log.
pub const EARLIEST: i64 = -2;
/// The record with the largest timestamp (v7).
pub const MAX_TIMESTAMP: i64 = -3;
/// Start of what is on this broker's own disk (v8).
pub const EARLIEST_LOCAL: i64 = -4;
/// Last offset in remote storage (v9).
pub const LATEST_TIERED: i64 = -5;
/// First offset that is not in remote storage yet (v11).
pub const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// What is asked about one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// A timestamp in milliseconds, or one of the numbers above.
    pub timestamp: i64,
    /// The request's `replica_id`.
    pub replica_id: i32,
    /// The request's `isolation_level`; 1 is committed data.
    pub isolation_level: i8,
    /// The request's version.
    pub version: i16,
}

/// What is known about the partition.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its offsets.
    pub offsets: Offsets,
    /// Epoch of its leader.
    pub leader_epoch: LeaderEpoch,
    /// Where that epoch began, if this broker leads.
    pub epoch_start_offset: Option<Offset>,
    /// Epochs of its log.
    pub epochs: &'a [EpochEntry],
}

/// The answer for one partition. `offset` −1: no record is that young.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Timestamp of the record that was found, or −1.
    pub timestamp: i64,
    /// Its offset.
    pub offset: Offset,
    /// The epoch that wrote it, or −1. On the wire from v4 on.
    pub leader_epoch: LeaderEpoch,
}

/// A record that the log found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its timestamp in milliseconds.
    pub timestamp: i64,
    /// Its offset.
    pub offset: Offset,
    /// Leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing more.
    Answer(Answer),
    /// Search the first record, from the log's start on, whose timestamp is not below this one; then [`finish`].
    SearchTimestamp(i64),
    /// Search the first record with the largest timestamp of the log; then [`finish`].
    SearchMaxTimestamp,
}

impl Answer {
    /// There is no such record.
    pub const NONE: Answer = Answer { timestamp: -1, offset: Offset::NONE, leader_epoch: LeaderEpoch::NONE };

    fn at(offset: Offset, leader_epoch: Option<LeaderEpoch>) -> Answer {
        Answer { timestamp: -1, offset, leader_epoch: leader_epoch.unwrap_or(LeaderEpoch::NONE) }
    }
}

/// Which version brought a number below zero; `None` for one that means nothing.
fn version_of(timestamp: i64) -> Option<i16> {
    match timestamp {
        LATEST | EARLIEST => Some(1),
        MAX_TIMESTAMP => Some(7),
        EARLIEST_LOCAL => Some(8),
        LATEST_TIERED => Some(9),
        EARLIEST_PENDING_UPLOAD => Some(11),
        0.. => Some(0),
        _ => None,
    }
}

/// How the query is answered, without tiered storage. The host has checked epoch and leadership with
/// `Partition::check_request`; only [`DEBUGGING_REPLICA_ID`](super::fetch::DEBUGGING_REPLICA_ID) may ask a follower.
///
/// # Errors
/// UNSUPPORTED_VERSION for a number below zero that the version does not have; OFFSET_NOT_AVAILABLE.
pub fn plan(query: &Query, facts: &Facts<'_>) -> Result<Plan, Refusal> {
    if version_of(query.timestamp).is_none_or(|since| query.version < since) {
        let reason = format!("timestamp {} in version {}", query.timestamp, query.version);
        return Err(Refusal::new(ErrorCode::UnsupportedVersion, reason));
    }
    match query.timestamp {
        LATEST => {
            check_available(query, facts)?;
            Ok(Plan::Answer(Answer::at(last_fetchable(query, facts), Some(facts.leader_epoch))))
        }
        EARLIEST | EARLIEST_LOCAL => {
            let start = facts.offsets.log_start_offset;
            let first = facts.epochs.first().filter(|first| first.start_offset <= start);
            Ok(Plan::Answer(Answer::at(start, first.map(|first| first.leader_epoch))))
        }
        MAX_TIMESTAMP => Ok(Plan::SearchMaxTimestamp),
        // Nothing is tiered, so there is no such offset.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(Plan::Answer(Answer::NONE)),
        timestamp => Ok(Plan::SearchTimestamp(timestamp)),
    }
}

/// The answer after a search. A record that the reader may not see yet is as good as none, unless the leader is so new
/// that it does not know how far readers may see.
///
/// # Errors
/// OFFSET_NOT_AVAILABLE.
pub fn finish(query: &Query, facts: &Facts<'_>, found: Option<Found>) -> Result<Answer, Refusal> {
    match found {
        Some(found) if found.offset < last_fetchable(query, facts) => {
            Ok(Answer { timestamp: found.timestamp, offset: found.offset, leader_epoch: found.leader_epoch })
        }
        _ => {
            check_available(query, facts)?;
            Ok(Answer::NONE)
        }
    }
}

fn is_client(query: &Query) -> bool {
    query.replica_id == CONSUMER_REPLICA_ID
}

fn last_fetchable(query: &Query, facts: &Facts<'_>) -> Offset {
    match (is_client(query), query.isolation_level) {
        (true, 1) => facts.offsets.last_stable_offset,
        (true, _) => facts.offsets.high_watermark,
        (false, _) => facts.offsets.log_end_offset,
    }
}

/// A new leader's high watermark may lag behind what the leader before had shown; until it has passed the start of the
/// epoch, a client would see offsets go back (KIP-207). Before v5 the code was LEADER_NOT_AVAILABLE.
fn check_available(query: &Query, facts: &Facts<'_>) -> Result<(), Refusal> {
    let high_watermark = facts.offsets.high_watermark;
    match facts.epoch_start_offset {
        Some(start) if is_client(query) && start > high_watermark => {
            let error = if query.version >= 5 {
                ErrorCode::OffsetNotAvailable
            } else {
                ErrorCode::LeaderNotAvailable
            };
            let reason = format!("high watermark {high_watermark} is below the epoch's start {start}");
            Err(Refusal::new(error, reason))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fetch::DEBUGGING_REPLICA_ID;
    use super::*;

    const LATEST_VERSION: i16 = 11;
    const EPOCHS: [EpochEntry; 2] = [
        EpochEntry { leader_epoch: LeaderEpoch(1), start_offset: Offset(5) },
        EpochEntry { leader_epoch: LeaderEpoch(4), start_offset: Offset(12) },
    ];
    const FACTS: Facts<'_> = Facts {
        offsets: Offsets {
            log_start_offset: Offset(5),
            high_watermark: Offset(20),
            last_stable_offset: Offset(15),
            log_end_offset: Offset(30),
        },
        leader_epoch: LeaderEpoch(4),
        epoch_start_offset: Some(Offset(12)),
        epochs: &EPOCHS,
    };

    fn query(timestamp: i64) -> Query {
        Query { timestamp, replica_id: CONSUMER_REPLICA_ID, isolation_level: 0, version: LATEST_VERSION }
    }

    fn answer(offset: i64, leader_epoch: i32) -> Result<Plan, ErrorCode> {
        Ok(Plan::Answer(Answer {
            timestamp: -1,
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(leader_epoch),
        }))
    }

    fn check(query: Query, expected: Result<Plan, ErrorCode>) {
        assert_eq!(plan(&query, &FACTS).map_err(|refusal| refusal.error), expected, "{query:?}");
    }

    #[test]
    fn numbers_below_zero_stand_for_places() {
        check(query(LATEST), answer(20, 4));
        check(query(EARLIEST), answer(5, 1));
        check(query(EARLIEST_LOCAL), answer(5, 1));
        check(query(LATEST_TIERED), answer(-1, -1));
        check(query(EARLIEST_PENDING_UPLOAD), answer(-1, -1));
        check(query(MAX_TIMESTAMP), Ok(Plan::SearchMaxTimestamp));
        check(query(0), Ok(Plan::SearchTimestamp(0)));
    }

    #[test]
    fn numbers_below_zero_came_with_versions() {
        let since = [
            (LATEST, 1),
            (EARLIEST, 1),
            (MAX_TIMESTAMP, 7),
            (EARLIEST_LOCAL, 8),
            (LATEST_TIERED, 9),
            (EARLIEST_PENDING_UPLOAD, 11),
        ];
        for (timestamp, since) in since {
            for version in 1..=LATEST_VERSION {
                let found =
                    plan(&Query { version, ..query(timestamp) }, &FACTS).map_err(|refusal| refusal.error);
                let refused = found == Err(ErrorCode::UnsupportedVersion);
                assert_eq!(refused, version < since, "{timestamp} in version {version}");
            }
        }
        for timestamp in [-7, -100, i64::MIN] {
            check(query(timestamp), Err(ErrorCode::UnsupportedVersion));
        }
    }

    #[test]
    fn latest_depends_on_who_asks() {
        check(Query { isolation_level: 1, ..query(LATEST) }, answer(15, 4));
        for replica_id in [3, DEBUGGING_REPLICA_ID] {
            check(Query { replica_id, isolation_level: 1, ..query(LATEST) }, answer(30, 4));
        }
    }

    #[test]
    fn earliest_has_no_epoch_if_the_first_known_begins_later() {
        let offsets = Offsets { log_start_offset: Offset(3), ..FACTS.offsets };
        let found = plan(&query(EARLIEST), &Facts { offsets, ..FACTS });
        assert_eq!(found.map_err(|refusal| refusal.error), answer(3, -1));
    }

    fn check_found(query: Query, offset: i64, expected: i64) {
        let found = Found { timestamp: 99, offset: Offset(offset), leader_epoch: LeaderEpoch(4) };
        let answer = finish(&query, &FACTS, Some(found)).expect("this leader knows its high watermark");
        assert_eq!(answer.offset.0, expected, "{query:?}");
        assert_eq!(answer.timestamp, if expected < 0 { -1 } else { 99 });
    }

    #[test]
    fn records_that_the_reader_may_not_see_are_not_found() {
        check_found(query(50), 19, 19);
        check_found(query(50), 20, -1);
        check_found(Query { isolation_level: 1, ..query(50) }, 15, -1);
        check_found(Query { replica_id: 3, ..query(50) }, 29, 29);
        assert_eq!(finish(&query(50), &FACTS, None), Ok(Answer::NONE));
    }

    #[test]
    fn largest_timestamp_may_lie_before_the_log_start() {
        // DeleteRecords moved the start within a segment; the record is still in the file, and Kafka names it.
        check_found(query(MAX_TIMESTAMP), 1, 1);
    }

    #[test]
    fn new_leader_does_not_let_offsets_go_back() {
        let facts = Facts { epoch_start_offset: Some(Offset(21)), ..FACTS };
        let error = |query: &Query| plan(query, &facts).err().map(|refusal| refusal.error);
        assert_eq!(error(&query(LATEST)), Some(ErrorCode::OffsetNotAvailable));
        assert_eq!(error(&Query { version: 4, ..query(LATEST) }), Some(ErrorCode::LeaderNotAvailable));
        assert_eq!(error(&query(EARLIEST)), None);
        assert_eq!(error(&Query { replica_id: 3, ..query(LATEST) }), None);
        let search = |found| finish(&query(50), &facts, found).map_err(|refusal| refusal.error);
        assert_eq!(search(None), Err(ErrorCode::OffsetNotAvailable));
        let visible = Found { timestamp: 99, offset: Offset(19), leader_epoch: LeaderEpoch(4) };
        assert_eq!(search(Some(visible)).map(|answer| answer.offset.0), Ok(19));
    }
}
