//! What one step may touch beside the groups and offsets that it is about.

use super::member_ids::MemberIds;
use super::timers::{Timer, Timers};
use super::writes::{Caller, Continuation, Write, Writes};
use super::{CoordinatorRecord, Effect, GroupResponse, Settings, WriteId};
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;

/// The time, the settings, the timers, the writes under way and the effects of one step.
pub(super) struct Turn<'a> {
    /// Milliseconds of wall-clock time.
    pub(super) now: i64,
    pub(super) settings: &'a Settings,
    pub(super) timers: &'a mut Timers,
    pub(super) writes: &'a mut Writes,
    pub(super) member_ids: &'a mut MemberIds,
    pub(super) effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    /// Answers now.
    pub(super) fn reply(&mut self, caller: Caller, response: GroupResponse) {
        self.effects.push(Effect::Reply { id: caller.id, response });
    }

    /// Answers once the write is committed, or now if there is none.
    pub(super) fn reply_after(&mut self, write: Option<WriteId>, caller: Caller, response: GroupResponse) {
        match write {
            Some(write) => self.waited_for(write).replies.push((caller, response)),
            None => self.reply(caller, response),
        }
    }

    /// Answers a fetch once the outcome of the write is known.
    pub(super) fn fetch_after(&mut self, write: WriteId, caller: Caller, group: OffsetFetchRequestGroup) {
        self.waited_for(write).fetches.push((caller, group));
    }

    /// Goes on with a group once the outcome of the write is known.
    pub(super) fn continue_after(&mut self, write: WriteId, continuation: Continuation) {
        self.waited_for(write).continuation = Some(continuation);
    }

    /// Appends records, all or nothing.
    pub(super) fn append(&mut self, records: Vec<CoordinatorRecord>) -> WriteId {
        assert!(!records.is_empty(), "a write writes something");
        let write = self.writes.begin();
        self.effects.push(Effect::Append { write, records });
        write
    }

    /// A write of this step.
    pub(super) fn write_mut(&mut self, write: WriteId) -> &mut Write {
        self.writes.get_mut(write).expect("a write is there until its outcome is known")
    }

    /// A write for which somebody waits, no longer than the commit timeout.
    fn waited_for(&mut self, write: WriteId) -> &mut Write {
        let timer = Timer::Write(write);
        if !self.timers.is_scheduled(&timer) {
            self.timers.schedule(timer, self.now + i64::from(self.settings.offsets_commit_timeout_ms));
        }
        self.write_mut(write)
    }
}
