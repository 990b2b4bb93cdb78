//! What a group coordinator wants done.

use super::{GroupResponse, RequestId, WriteId};
use bytes::Bytes;
use ottla_protocol::Offset;

/// A record for the coordinator's partition.
#[derive(Clone, Debug, PartialEq)]
pub struct CoordinatorRecord {
    /// Two bytes of record type, then the key's fields.
    pub key: Bytes,
    /// Two bytes of version, then the value's fields; `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// Something that the host does, in the order in which it is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append the records, in this order, all or nothing (one batch, timestamp now, CreateTime), then say
    /// [`super::Input::Committed`] or [`super::Input::Failed`].
    Append {
        /// The core's number for it.
        write: WriteId,
        /// At least one.
        records: Vec<CoordinatorRecord>,
    },
    /// Send the response, now. What has to wait for a write is held back by the core until the write's outcome is
    /// known, so that there is one place that knows what a failed write means; the host remembers nothing but who asked.
    Reply {
        /// Which request.
        id: RequestId,
        /// The response; it can be encoded at the version of the request.
        response: GroupResponse,
    },
    /// A record of the log at load has a known type but cannot be read. It is as if it were not there; an operator
    /// should know.
    Unreadable {
        /// Where it is.
        offset: Offset,
        /// What is wrong.
        reason: String,
    },
}
