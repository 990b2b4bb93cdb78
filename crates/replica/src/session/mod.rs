//! Incremental fetch sessions (KIP-227): a reader names its partitions once; afterwards requests carry what changed for
//! the reader, answers what changed for the broker.
//!
//! ```text
//! request ─ SessionCache::begin ─▶ FetchContext: the whole list, in the order to read
//!           (read, wait)
//! facts   ─ SessionCache::finish ─▶ which partitions the answer names, and the session's id
//! ```
//!
//! Request epochs: 0 makes a session (and closes the one it names), −1 makes none (and closes), any other must be the
//! session's. Versions before 7 count as −1. Partitions are known by topic id from v13 on, by name before; one session
//! stays with one of the two.

mod cache;
mod list;
mod merge;
#[cfg(test)]
mod tests;

pub use cache::{SessionCache, SessionCacheConfig, SessionCacheMetrics};
pub use list::{FetchItem, FetchList, TopicKey};

use ottla_protocol::{ErrorCode, Offset};

/// `session_id` of a request or answer without session.
pub const INVALID_SESSION_ID: i32 = 0;
/// `session_epoch` of a request that wants a session.
pub const INITIAL_EPOCH: i32 = 0;
/// `session_epoch` of a request that wants none.
pub const FINAL_EPOCH: i32 = -1;
/// How long a session is safe from those that would push it out: time since it was used, or made. Kafka has no setting
/// for it.
pub const EVICTION_MS: i64 = 120_000;

/// A request's place in its session, from [`SessionCache::begin`] to [`SessionCache::finish`].
#[derive(Clone, Debug)]
pub struct FetchContext {
    kind: ContextKind,
    /// What to read, in this order. Shared with the session: drop it before the session's next request, or that one
    /// copies it.
    pub list: FetchList,
}

#[derive(Clone, Debug)]
enum ContextKind {
    /// No session, and none wanted.
    Sessionless,
    /// All partitions were named; a session is made at the end.
    Full { index: list::Index, uses_topic_ids: bool, privileged: bool },
    /// The session, and its epoch after this request.
    Incremental { session_id: i32, next_epoch: i32 },
}

/// What was read from one partition, as far as the session needs it. Partitions that were not read because nothing can
/// have changed may be left out of an incremental answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadFacts {
    /// Which: [`FetchItem::slot`].
    pub slot: u32,
    /// Its error.
    pub error: ErrorCode,
    /// Its high watermark; −1 with an error.
    pub high_watermark: Offset,
    /// Its log start; −1 with an error.
    pub log_start_offset: Offset,
    /// There are records.
    pub has_records: bool,
    /// The reader is sent to another replica, or told to truncate.
    pub redirects: bool,
}

/// The session's part of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionAnswer {
    /// The answer's error; if it is not NONE, the answer names no partitions.
    pub error: ErrorCode,
    /// The answer's session.
    pub session_id: i32,
}

impl FetchContext {
    /// The session that this request continues: its shard must finish the request. `None`: any shard may.
    pub fn session_id(&self) -> Option<i32> {
        match self.kind {
            ContextKind::Incremental { session_id, .. } => Some(session_id),
            _ => None,
        }
    }

    /// The answer carries only what changed.
    pub fn is_incremental(&self) -> bool {
        matches!(self.kind, ContextKind::Incremental { .. })
    }
}

/// The epoch after `epoch`.
fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        ..0 => FINAL_EPOCH,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}
