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
