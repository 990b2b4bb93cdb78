//! Writes whose outcome is not known yet, and who waits for them.

use super::classic::{StaticJoin, SyncWrite};
use super::offsets::OffsetKey;
use super::{GroupResponse, RequestId, WriteId};
use ottla_protocol::ByteString;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use std::collections::BTreeMap;

/// Who asked, and at which version: all that it takes to answer later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Caller {
    pub(super) id: RequestId,
    pub(super) version: i16,
}

/// What becomes of a group when a write of its metadata is through.
#[derive(Debug)]
pub(super) enum Continuation {
    /// The leader's assignment is given to the members, or nobody gets it.
    Sync(SyncWrite),
    /// A static member that came back is answered, or the old one is put back.
    StaticJoin(StaticJoin),
}

/// An append under way.
#[derive(Debug, Default)]
pub(super) struct Write {
    /// Groups that have a version of this write.
    pub(super) groups: Vec<ByteString>,
    /// Offsets that have a version of this write.
    pub(super) offsets: Vec<OffsetKey>,
    /// What follows from it.
    pub(super) continuation: Option<Continuation>,
    /// Answers that are true once it is committed.
    pub(super) replies: Vec<(Caller, GroupResponse)>,
    /// Fetches of offsets that asked for stable ones.
    pub(super) fetches: Vec<(Caller, OffsetFetchRequestGroup)>,
}

impl Write {
    /// Takes those who wait, and leaves what was done.
    pub(super) fn take_waiting(&mut self) -> Write {
        Write {
            continuation: self.continuation.take(),
            replies: std::mem::take(&mut self.replies),
            fetches: std::mem::take(&mut self.fetches),
            ..Write::default()
        }
    }

    /// Whether a write changes what is committed for the group.
    pub(super) fn touches_offsets_of(&self, group: &str) -> bool {
        self.offsets.iter().any(|key| key.group == *group)
    }
}

/// The appends under way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Writes {
    last: u64,
    pending: BTreeMap<WriteId, Write>,
}

impl Writes {
    /// A number for a new one.
    pub(super) fn begin(&mut self) -> WriteId {
        self.last += 1;
        let write = WriteId(self.last);
        self.pending.insert(write, Write::default());
        write
    }

    pub(super) fn get_mut(&mut self, write: WriteId) -> Option<&mut Write> {
        self.pending.get_mut(&write)
    }

    pub(super) fn contains(&self, write: WriteId) -> bool {
        self.pending.contains_key(&write)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Its outcome is known.
    pub(super) fn end(&mut self, write: WriteId) -> Option<Write> {
        self.pending.remove(&write)
    }

    /// The last one that changes what is committed for the group.
    pub(super) fn last_of_offsets(&self, group: &str) -> Option<WriteId> {
        self.pending.iter().rev().find(|(_, write)| write.touches_offsets_of(group)).map(|(id, _)| *id)
    }

    /// All of them, oldest first: nobody will tell their outcome.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Write> {
        std::mem::take(&mut self.pending).into_values()
    }
}
