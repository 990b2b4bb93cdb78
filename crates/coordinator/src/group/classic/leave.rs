//! LeaveGroup.

use super::group::{ClassicGroup, ClassicGroupState};
use crate::group::GroupResponse;
use crate::group::state::State;
use crate::group::turn::Turn;
use crate::group::writes::Caller;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use ottla_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};

/// The first version that has a list of members (KIP-345).
const MEMBERS_VERSION: i16 = 3;

impl State {
    /// Takes members out of a group: themselves, or static ones by their instance ids.
    pub(in crate::group) fn leave_group(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: LeaveGroupRequest,
    ) {
        let members = members(caller.version, &request);
        let Some(group) = self.groups.written_mut(&request.group_id) else {
            let unknown = |member: &MemberIdentity| left(member, Err(ErrorCode::UnknownMemberId));
            let answers = members.iter().map(unknown).collect();
            return turn.reply(caller, answer(caller.version, ErrorCode::None, answers));
        };
        let answers: Vec<MemberResponse> =
            members.iter().map(|member| left(member, group.leave(turn, member))).collect();
        let write = match group.state() {
            _ if answers.iter().all(|answer| answer.error_code != 0) => None,
            ClassicGroupState::Empty => None,
            _ => group.maybe_prepare_rebalance_or_complete_join(turn),
        };
        turn.reply_after(write, caller, answer(caller.version, ErrorCode::None, answers));
    }
}

impl ClassicGroup {
    fn leave(&mut self, turn: &mut Turn<'_>, member: &MemberIdentity) -> Result<(), ErrorCode> {
        let instance = member.group_instance_id.as_deref();
        let member_id = if member.member_id.is_empty() {
            // An administrator removes a static member, whatever id it has now.
            let current = instance.and_then(|instance| self.static_members.get(instance));
            current.cloned().ok_or(ErrorCode::UnknownMemberId)?
        } else {
            if !self.pending_join_members.contains(&member.member_id) {
                self.validate_member(&member.member_id, instance)?;
            }
            member.member_id.clone()
        };
        self.remove(turn, &member_id);
        Ok(())
    }
}

fn members(version: i16, request: &LeaveGroupRequest) -> Vec<MemberIdentity> {
    if version >= MEMBERS_VERSION {
        request.members.clone()
    } else {
        vec![MemberIdentity { member_id: request.member_id.clone(), ..Default::default() }]
    }
}

fn left(member: &MemberIdentity, result: Result<(), ErrorCode>) -> MemberResponse {
    MemberResponse {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        error_code: result.err().unwrap_or(ErrorCode::None) as i16,
        ..Default::default()
    }
}

/// The answer for all members, or with the error of the one member of old versions.
pub(in crate::group) fn answer(version: i16, code: ErrorCode, members: Vec<MemberResponse>) -> GroupResponse {
    let response = LeaveGroupResponse { error_code: code as i16, members, ..Default::default() };
    GroupResponse::LeaveGroup(if version >= MEMBERS_VERSION {
        response
    } else {
        let of_member = response.members.first().map_or(0, |member| member.error_code);
        let error_code = if response.error_code != 0 { response.error_code } else { of_member };
        LeaveGroupResponse { error_code, ..Default::default() }
    })
}
