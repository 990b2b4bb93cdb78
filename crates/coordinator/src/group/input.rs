//! What can happen to a group coordinator.

use super::GroupRequest;
use bytes::Bytes;
use ottla_protocol::{ByteString, ErrorCode, Offset, TopicId};

/// The host's number for a request. It is answered by exactly one [`super::Effect::Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The core's number for an [`super::Effect::Append`]; each is larger than all before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// What a group request was sent with.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestContext {
    /// Version of the request, one that is valid for its API key. The response is made for it.
    pub api_version: i16,
    /// `client_id` of the request header, empty if it is null.
    pub client_id: ByteString,
    /// Address of the client as Kafka writes it in members: `/127.0.0.1`.
    pub client_host: ByteString,
}

/// A topic that exists no more.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletedTopic {
    /// Id of the incarnation that was deleted.
    pub id: TopicId,
    /// Its name.
    pub name: ByteString,
}

/// Something that happened. The order of life is: `Replay`s in the order of the log, `Loaded`, then anything, `Unload`.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, moved once; a box would cost each heartbeat an allocation"
)]
pub enum Input {
    /// A record of the partition, read at load. Control records and the records of aborted transactions are not given.
    /// The value is `None` for a tombstone. Records of types that this coordinator does not know are passed over.
    Replay {
        /// Offset of the record; each is larger than the one before.
        offset: Offset,
        /// Key: two bytes of record type, then its fields. No key is no record of ours.
        key: Option<Bytes>,
        /// Value: two bytes of version, then its fields.
        value: Option<Bytes>,
    },
    /// All that is committed was replayed: requests are served from now on, session timeouts begin.
    Loaded,
    /// A request for a group of this partition.
    Request {
        /// The host's number for it, not in use by another request that is not answered yet.
        id: RequestId,
        /// What it was sent with.
        context: RequestContext,
        /// The request.
        request: GroupRequest,
    },
    /// The records of a write are committed: they are below the high watermark.
    ///
    /// Of each write, either this or `Failed` comes exactly once, in the order of the writes.
    Committed {
        /// Which write.
        write: WriteId,
    },
    /// The records of a write are not in the log and will never be.
    Failed {
        /// Which write.
        write: WriteId,
        /// What the append said, before any translation: `NotLeaderOrFollower`, `NotEnoughReplicas`, …
        error: ErrorCode,
    },
    /// The time of [`super::GroupCoordinator::deadline`] has come. Too early or too late does no harm.
    Timeout,
    /// Topics were deleted: their offsets go.
    TopicsDeleted {
        /// Which ones.
        topics: Vec<DeletedTopic>,
    },
    /// This broker leads the partition no more: all that wait are told `NOT_COORDINATOR`, as is every later request.
    Unload,
}
