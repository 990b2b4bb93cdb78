//! Heartbeat, and what happens when it does not come.

use super::group::{ClassicGroup, ClassicGroupState};
use crate::group::GroupResponse;
use crate::group::state::State;
use crate::group::turn::Turn;
use crate::group::writes::Caller;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::heartbeat_response::HeartbeatResponse;
use ottla_protocol::{ByteString, ErrorCode};

impl State {
    /// Renews a member's session, and tells it of a rebalance.
    pub(in crate::group) fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: &HeartbeatRequest,
    ) {
        let code = match self.groups.written(&request.group_id) {
            Some(group) => group.heartbeat(turn, request),
            None => ErrorCode::UnknownMemberId,
        };
        turn.reply(caller, answer(code));
    }
}

impl ClassicGroup {
    fn heartbeat(&self, turn: &mut Turn<'_>, request: &HeartbeatRequest) -> ErrorCode {
        if let Err(code) = self.validate_member(&request.member_id, request.group_instance_id.as_deref()) {
            return code;
        }
        if request.generation_id != self.generation_id {
            return ErrorCode::IllegalGeneration;
        }
        self.renew_session(turn, &request.member_id);
        match self.state {
            ClassicGroupState::PreparingRebalance => ErrorCode::RebalanceInProgress,
            _ => ErrorCode::None,
        }
    }

    /// Nothing was heard of a member, or of somebody with an id, for as long as it said.
    pub(in crate::group) fn on_session_timeout(&mut self, turn: &mut Turn<'_>, member_id: &ByteString) {
        if self.pending_join_members.contains(member_id) {
            self.remove(turn, member_id);
        } else {
            match self.members.get(member_id) {
                Some(member) if !member.has_satisfied_heartbeat() => self.remove(turn, member_id),
                _ => return,
            }
            if matches!(self.state, ClassicGroupState::Stable | ClassicGroupState::CompletingRebalance) {
                self.prepare_rebalance(turn);
                return;
            }
        }
        // Even the first rebalance of an empty group waits no longer if those left have joined.
        if self.state == ClassicGroupState::PreparingRebalance && self.has_all_members_joined() {
            self.complete_join(turn);
        }
    }
}

/// The answer to a heartbeat.
pub(in crate::group) fn answer(code: ErrorCode) -> GroupResponse {
    GroupResponse::Heartbeat(HeartbeatResponse { error_code: code as i16, ..Default::default() })
}
