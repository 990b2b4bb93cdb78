//! Groups and offsets together: what is true of both.

use super::WriteId;
use super::classic::ClassicGroup;
use super::groups::Groups;
use super::offsets::{CommittedOffset, OffsetKey, Offsets};
use super::turn::Turn;
use super::writes::Write;
use ottla_protocol::{ByteString, ErrorCode};

/// The replicated state of the coordinator.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) groups: Groups,
    pub(super) offsets: Offsets,
}

impl State {
    /// Makes a group by a write.
    pub(super) fn put_group(&mut self, turn: &mut Turn<'_>, write: WriteId, group: ClassicGroup) {
        let id = group.id().clone();
        self.groups.write(write, &id, Some(group));
        turn.write_mut(write).groups.push(id);
    }

    /// Ends a group by a write. Ids that were given out are void, whatever becomes of the write.
    pub(super) fn end_group(&mut self, turn: &mut Turn<'_>, write: WriteId, id: &ByteString) {
        if let Some(group) = self.groups.written_mut(id) {
            group.forget_pending_members(turn);
        }
        self.groups.write(write, id, None);
        turn.write_mut(write).groups.push(id.clone());
    }

    /// Sets an offset, or ends it, by a write.
    pub(super) fn put_offset(
        &mut self,
        turn: &mut Turn<'_>,
        write: WriteId,
        key: OffsetKey,
        value: Option<CommittedOffset>,
    ) {
        self.offsets.write(write, &key, value);
        turn.write_mut(write).offsets.push(key);
    }

    /// What a write did is what the log says.
    pub(super) fn commit(&mut self, now: i64, id: WriteId, write: &Write) {
        for key in &write.offsets {
            self.offsets.commit(id, key);
        }
        for group in &write.groups {
            self.groups.commit(id, group);
        }
        self.adopt_all(now, write);
    }

    /// What a write did never was: groups that it had made are no more, whoever is in them.
    pub(super) fn roll_back(&mut self, turn: &mut Turn<'_>, id: WriteId, write: &Write, code: ErrorCode) {
        for key in &write.offsets {
            self.offsets.roll_back(id, key);
        }
        for group in &write.groups {
            if let Some(mut group) = self.groups.roll_back(id, group) {
                group.dissolve(turn, code);
            }
        }
        self.adopt_all(turn.now, write);
    }

    /// Gives offsets that are left without a group one without members, as a replay of the log would.
    fn adopt_all(&mut self, now: i64, write: &Write) {
        for group in write.offsets.iter().map(|key| &key.group).chain(&write.groups) {
            self.adopt(now, group);
        }
    }

    /// Gives the offsets of an id that is not that of a group one without members.
    pub(super) fn adopt(&mut self, now: i64, id: &str) {
        if self.groups.is_unknown(id) && self.offsets.has_committed(id) {
            self.groups.put_of_log(ClassicGroup::new(id.into(), 0, now));
        }
    }

    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.offsets.clear();
    }
}
