//! SyncGroup.

use super::group::{ClassicGroup, ClassicGroupState};
use super::member::{ClassicMember, own_bytes, own_string};
use crate::group::state::State;
use crate::group::timers::Timer;
use crate::group::turn::Turn;
use crate::group::writes::{Caller, Continuation};
use crate::group::{GroupResponse, records};
use bytes::Bytes;
use ottla_protocol::messages::sync_group_request::SyncGroupRequest;
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;
use ottla_protocol::{ByteString, ErrorCode};
use std::collections::BTreeMap;

/// A leader's assignment on its way to the log.
#[derive(Debug)]
pub(in crate::group) struct SyncWrite {
    pub(in crate::group) group: ByteString,
    pub(in crate::group) incarnation: u64,
    generation_id: i32,
    /// By member id.
    assignments: BTreeMap<ByteString, Bytes>,
}

impl State {
    /// Gives a member its assignment, once the leader's is in the log.
    pub(in crate::group) fn sync_group(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: SyncGroupRequest,
    ) {
        match self.groups.written_mut(&request.group_id) {
            Some(group) => group.sync(turn, caller, request),
            None => turn.reply(caller, error(ErrorCode::UnknownMemberId)),
        }
    }
}

impl ClassicGroup {
    fn sync(&mut self, turn: &mut Turn<'_>, caller: Caller, request: SyncGroupRequest) {
        if let Err(code) = self.validate_sync(&request) {
            return turn.reply(caller, error(code));
        }
        match self.state {
            ClassicGroupState::Empty => unreachable!("an empty group has no members to validate"),
            ClassicGroupState::PreparingRebalance => {
                turn.reply(caller, error(ErrorCode::RebalanceInProgress));
            }
            ClassicGroupState::CompletingRebalance => self.await_assignment(turn, caller, request),
            ClassicGroupState::Stable => {
                self.remove_pending_sync(turn, &request.member_id);
                if let Some(member) = self.members.get(&request.member_id) {
                    turn.reply(caller, self.assigned(member));
                }
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        let differs =
            |said: &Option<ByteString>, is: &Option<ByteString>| said.is_some() && is.is_some() && said != is;
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation_id {
            Err(ErrorCode::IllegalGeneration)
        } else if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol_name)
        {
            Err(ErrorCode::InconsistentGroupProtocol)
        } else {
            Ok(())
        }
    }

    /// Parks the member; if it is the leader, its assignment goes to the log. The first one does: should the leader ask
    /// again while that is under way, it gets the same answer as all others.
    fn await_assignment(&mut self, turn: &mut Turn<'_>, caller: Caller, request: SyncGroupRequest) {
        self.remove_pending_sync(turn, &request.member_id);
        let Some(mut member) = self.members.remove(&request.member_id) else { return };
        // A SyncGroup that it waited for before was given up by its client.
        self.answer_sync(turn, &mut member, ErrorCode::RebalanceInProgress);
        member.awaiting_sync = Some(caller);
        self.members.insert(member.member_id.clone(), member);
        if !self.is_leader(&request.member_id) || self.sync_write.is_some() {
            return;
        }
        let mut assignments: BTreeMap<ByteString, Bytes> = BTreeMap::new();
        for assigned in request.assignments {
            if self.members.contains_key(&assigned.member_id) {
                assignments.insert(own_string(&assigned.member_id), own_bytes(&assigned.assignment));
            }
        }
        let record = self.record(|member| assignments.get(&member.member_id).cloned().unwrap_or_default());
        let write = turn.append(vec![records::group_metadata(&self.id, &record)]);
        self.sync_write = Some(write);
        let continuation = SyncWrite {
            group: self.id.clone(),
            incarnation: self.incarnation,
            generation_id: self.generation_id,
            assignments,
        };
        turn.continue_after(write, Continuation::Sync(continuation));
    }

    /// The leader's assignment is in the log: all who wait get theirs.
    pub(in crate::group) fn on_sync_committed(&mut self, turn: &mut Turn<'_>, mut sync: SyncWrite) {
        if !self.is_of_this_generation(&sync) {
            return;
        }
        for member in self.members.values_mut() {
            member.assignment = sync.assignments.remove(&member.member_id).unwrap_or_default();
        }
        self.propagate_assignment(turn, ErrorCode::None);
        self.transition_to(ClassicGroupState::Stable, turn.now);
    }

    /// The leader's assignment is not in the log: all have to join anew.
    pub(in crate::group) fn on_sync_failed(
        &mut self,
        turn: &mut Turn<'_>,
        sync: &SyncWrite,
        code: ErrorCode,
    ) {
        if self.is_of_this_generation(sync) {
            self.reset_and_propagate_assignment(turn, code);
            self.prepare_rebalance(turn);
        }
    }

    fn is_of_this_generation(&self, sync: &SyncWrite) -> bool {
        self.state == ClassicGroupState::CompletingRebalance && self.generation_id == sync.generation_id
    }

    /// Members were given long enough to sync: those that have not are out.
    pub(in crate::group) fn on_sync_timeout(&mut self, turn: &mut Turn<'_>) {
        let waits = matches!(self.state, ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable);
        if waits && !self.pending_sync_members.is_empty() {
            for member_id in std::mem::take(&mut self.pending_sync_members) {
                self.remove(turn, &member_id);
            }
            self.prepare_rebalance(turn);
        }
    }

    /// Takes all assignments back, and tells those who wait for one why.
    pub(super) fn reset_and_propagate_assignment(&mut self, turn: &mut Turn<'_>, code: ErrorCode) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        self.propagate_assignment(turn, code);
    }

    /// Answers all who wait for an assignment. Their silence was no failure while they waited; now it is again.
    fn propagate_assignment(&mut self, turn: &mut Turn<'_>, code: ErrorCode) {
        let mut members = std::mem::take(&mut self.members);
        for member in members.values_mut() {
            if let Some(caller) = member.awaiting_sync.take() {
                let response = if code == ErrorCode::None { self.assigned(member) } else { error(code) };
                turn.reply(caller, response);
                self.schedule_session(turn, &member.member_id, member.session_timeout_ms);
            }
        }
        self.members = members;
    }

    /// Answers the SyncGroup of a member with an error, if it waits for one.
    pub(super) fn answer_sync(&mut self, turn: &mut Turn<'_>, member: &mut ClassicMember, code: ErrorCode) {
        if let Some(caller) = member.awaiting_sync.take() {
            turn.reply(caller, error(code));
        }
    }

    /// The generation does not wait for syncs any more.
    pub(super) fn cancel_sync(&mut self, turn: &mut Turn<'_>) {
        self.pending_sync_members.clear();
        turn.timers.cancel(&Timer::Sync(self.id.clone()));
    }

    fn remove_pending_sync(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.pending_sync_members.remove(member_id);
        if self.pending_sync_members.is_empty() {
            turn.timers.cancel(&Timer::Sync(self.id.clone()));
        }
    }

    fn assigned(&self, member: &ClassicMember) -> GroupResponse {
        GroupResponse::SyncGroup(SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: member.assignment.clone(),
            ..Default::default()
        })
    }
}

/// The answer that there is no assignment.
pub(in crate::group) fn error(code: ErrorCode) -> GroupResponse {
    GroupResponse::SyncGroup(SyncGroupResponse { error_code: code as i16, ..Default::default() })
}
