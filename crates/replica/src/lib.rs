//! What Kafka decides about one partition and about fetching, as pure state: no clock, no socket, no file, no log.
//!
//! - [`producer`]: which batches of idempotent and transactional producers are new, duplicate or out of order, and what
//!   readers of committed data may see.
//! - [`partition`]: leader and follower of one partition: epochs, in-sync replicas, high watermark, what a reader may
//!   read, and the rules of ListOffsets, OffsetForLeaderEpoch and DeleteRecords.
//! - [`session`]: incremental fetch sessions (KIP-227).
//! - [`budget`]: how many bytes of which partition go into one Fetch answer, and when to answer.
//!
//! The host joins these with a log: it asks before it appends or reads, and tells what has happened afterwards. Nothing
//! here waits or is locked; the host keeps each value behind its own short lock.
//!
//! What must always hold, asserted by the `check` methods:
//!
//! 1. `log_start_offset ≤ high_watermark ≤ log_end_offset`, and the last stable offset is not above the high watermark.
//! 2. While a broker leads at one epoch, the high watermark never goes back.
//! 3. No partition is leader without being among its own replicas.
//! 4. A producer has at most five remembered batches, in order of their offsets, all of its newest epoch.
//! 5. A fetch session's index names exactly the partitions in its order, each once.

use ottla_protocol::ErrorCode;

pub mod budget;
pub mod partition;
pub mod producer;
pub mod session;

/// Why something was refused: the code for the client, the reason for a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told.
    pub error: ErrorCode,
    /// What was found. Clients are not told.
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(error: ErrorCode, reason: impl Into<String>) -> Refusal {
        Refusal { error, reason: reason.into() }
    }
}
