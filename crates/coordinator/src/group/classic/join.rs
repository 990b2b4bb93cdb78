//! JoinGroup.

use super::group::{ClassicGroup, ClassicGroupState, Timeouts};
use super::member::{ClassicMember, Protocol, own_string};
use crate::group::state::State;
use crate::group::turn::Turn;
use crate::group::writes::Caller;
use crate::group::{GroupResponse, RequestContext, records};
use bytes::Bytes;
use ottla_protocol::messages::join_group_request::JoinGroupRequest;
use ottla_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use ottla_protocol::{ByteString, ErrorCode};

/// How long the first JoinGroup of a member may wait. Its client has no id to send heartbeats with; should it be gone,
/// this is when it is noticed.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1_000;

/// The first version that gets its id before it joins (KIP-394).
const MEMBER_ID_REQUIRED_VERSION: i16 = 4;

impl State {
    /// Lets a member join, in most cases to be answered when the rebalance completes.
    pub(in crate::group) fn join_group(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        context: &RequestContext,
        request: JoinGroupRequest,
    ) {
        let request = Join::new(caller, context, request);
        if self.groups.written(&request.group_id).is_none() {
            if !request.member_id.is_empty() {
                return turn.reply(caller, refused(&request, ErrorCode::UnknownMemberId));
            }
            // A group is made for the first member, and in the log at once: there even if the member cannot join.
            let write = turn.append(vec![records::group_metadata(
                &request.group_id,
                &ClassicGroup::new(request.group_id.clone(), 0, turn.now).record(|_| Bytes::new()),
            )]);
            self.put_group(turn, write, ClassicGroup::new(request.group_id.clone(), write.0, turn.now));
        }
        let group = self.groups.written_mut(&request.group_id).expect("it was there, or was made");
        group.join(turn, request);
    }
}

/// A JoinGroup in the terms of this crate.
pub(super) struct Join {
    pub(super) caller: Caller,
    group_id: ByteString,
    client_id: ByteString,
    client_host: ByteString,
    member_id: ByteString,
    pub(super) group_instance_id: Option<ByteString>,
    protocol_type: ByteString,
    pub(super) protocols: Vec<Protocol>,
    pub(super) timeouts: Timeouts,
}

impl Join {
    fn new(caller: Caller, context: &RequestContext, request: JoinGroupRequest) -> Join {
        // Version 0 knows one timeout for both.
        let rebalance_ms =
            if caller.version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms };
        Join {
            caller,
            group_id: own_string(&request.group_id),
            client_id: own_string(&context.client_id),
            client_host: own_string(&context.client_host),
            member_id: own_string(&request.member_id),
            group_instance_id: request.group_instance_id.as_deref().map(own_string),
            protocol_type: own_string(&request.protocol_type),
            protocols: Protocol::of_request(&request.protocols),
            timeouts: Timeouts { rebalance_ms, session_ms: request.session_timeout_ms },
        }
    }
}

impl ClassicGroup {
    fn join(&mut self, turn: &mut Turn<'_>, request: Join) {
        let names = request.protocols.iter().map(|protocol| protocol.name.clone());
        if !self.accepts(&request.member_id, turn.settings.group_max_size) {
            self.remove(turn, &request.member_id);
            let response = error(request.caller.version, "", ErrorCode::GroupMaxSizeReached);
            turn.reply(request.caller, response);
        } else if !self.supports(&request.protocol_type, names) {
            turn.reply(request.caller, refused(&request, ErrorCode::InconsistentGroupProtocol));
        } else if request.member_id.is_empty() {
            self.join_new_member(turn, request);
        } else {
            self.join_existing_member(turn, request);
        }
    }

    /// Whether there is room (KIP-389).
    fn accepts(&self, member_id: &str, group_max_size: i32) -> bool {
        let has_room = |count: usize| i32::try_from(count).is_ok_and(|count| count < group_max_size);
        let member = self.members.get(member_id);
        match self.state {
            ClassicGroupState::Empty => true,
            // Those who have joined count: so the last to rejoin are out when the limit was lowered.
            ClassicGroupState::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || has_room(self.awaiting_join_count)
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                member.is_some() || has_room(self.members.len())
            }
        }
    }

    fn join_new_member(&mut self, turn: &mut Turn<'_>, request: Join) {
        let prefix = request.group_instance_id.as_ref().unwrap_or(&request.client_id);
        let mut member_id = turn.member_ids.next(prefix);
        while self.knows(&member_id) {
            member_id = turn.member_ids.next(prefix);
        }
        let known = request.group_instance_id.as_ref().and_then(|id| self.static_members.get(id)).cloned();
        if let Some(known) = known {
            self.join_returning_static_member(turn, request, &known, member_id);
        } else if request.group_instance_id.is_none() && request.caller.version >= MEMBER_ID_REQUIRED_VERSION
        {
            //= KIP-394: a member that never comes back with its id costs the group nothing but the id.
            self.schedule_session(turn, &member_id, request.timeouts.session_ms);
            let response = error(request.caller.version, &member_id, ErrorCode::MemberIdRequired);
            turn.reply(request.caller, response);
            self.pending_join_members.insert(member_id);
        } else {
            self.add_member(turn, member_id, request);
        }
    }

    fn join_existing_member(&mut self, turn: &mut Turn<'_>, request: Join) {
        let (caller, member_id) = (request.caller, request.member_id.clone());
        if self.pending_join_members.contains(&member_id) {
            if request.group_instance_id.is_some() {
                // The id was not given to a static member.
                return turn.reply(caller, error(caller.version, "", ErrorCode::UnknownServerError));
            }
            return self.add_member(turn, member_id, request);
        }
        if let Err(code) = self.validate_member(&member_id, request.group_instance_id.as_deref()) {
            return turn.reply(caller, refused(&request, code));
        }
        let is_leader = self.is_leader(&member_id);
        let is_unchanged =
            self.members.get(&member_id).is_some_and(|member| member.protocols == request.protocols);
        match self.state {
            // The answer was lost: it is told again.
            ClassicGroupState::CompletingRebalance if is_unchanged => {
                let members = if is_leader { self.members_for_leader() } else { Vec::new() };
                turn.reply(caller, joined(self, caller.version, &member_id, members, false));
            }
            // A leader that joins wants a rebalance, perhaps because topics have changed. A follower does not.
            ClassicGroupState::Stable if is_unchanged && !is_leader => {
                turn.reply(caller, joined(self, caller.version, &member_id, Vec::new(), false));
            }
            ClassicGroupState::PreparingRebalance
            | ClassicGroupState::CompletingRebalance
            | ClassicGroupState::Stable => {
                self.update(turn, &member_id, request.protocols, request.timeouts, Some(caller));
                self.maybe_prepare_rebalance_or_complete_join(turn);
            }
            ClassicGroupState::Empty => unreachable!("an empty group has no members to validate"),
        }
    }

    /// Takes a new member in, which begins a rebalance.
    fn add_member(&mut self, turn: &mut Turn<'_>, member_id: ByteString, request: Join) {
        if let Some(initial) = &mut self.initial_rebalance {
            initial.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type);
        }
        self.insert(ClassicMember {
            member_id: member_id.clone(),
            group_instance_id: request.group_instance_id,
            client_id: request.client_id,
            client_host: request.client_host,
            rebalance_timeout_ms: request.timeouts.rebalance_ms,
            session_timeout_ms: request.timeouts.session_ms,
            protocols: request.protocols,
            assignment: Bytes::new(),
            awaiting_join: Some(request.caller),
            awaiting_sync: None,
            is_new: true,
        });
        self.schedule_session(turn, &member_id, NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.maybe_prepare_rebalance_or_complete_join(turn);
    }

    /// What the leader is told of the members.
    pub(super) fn members_for_leader(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        self.members.values().map(|member| member.for_leader(protocol)).collect()
    }

    /// Answers the JoinGroup of a member with an error, if it waits for one.
    pub(super) fn answer_join(
        &mut self,
        turn: &mut Turn<'_>,
        member: &mut ClassicMember,
        code: ErrorCode,
        told_member_id: &str,
    ) {
        if let Some(caller) = member.awaiting_join.take() {
            self.awaiting_join_count -= 1;
            turn.reply(caller, error(caller.version, told_member_id, code));
        }
    }
}

/// The answer that gives a member its generation.
pub(super) fn joined(
    group: &ClassicGroup,
    version: i16,
    member_id: &ByteString,
    members: Vec<JoinGroupResponseMember>,
    skip_assignment: bool,
) -> GroupResponse {
    for_version(
        version,
        JoinGroupResponse {
            generation_id: group.generation_id,
            protocol_type: group.protocol_type.clone(),
            protocol_name: group.protocol_name.clone(),
            leader: group.leader_id.clone().unwrap_or_default(),
            skip_assignment,
            member_id: member_id.clone(),
            members,
            ..Default::default()
        },
    )
}

/// The answer that a member may not join.
pub(in crate::group) fn error(version: i16, member_id: &str, code: ErrorCode) -> GroupResponse {
    let response =
        JoinGroupResponse { error_code: code as i16, member_id: member_id.into(), ..Default::default() };
    for_version(version, response)
}

fn refused(request: &Join, code: ErrorCode) -> GroupResponse {
    error(request.caller.version, &request.member_id, code)
}

/// Before version 7 there was no null for "no protocol"; since then there is nothing else.
pub(super) fn for_version(version: i16, mut response: JoinGroupResponse) -> GroupResponse {
    let name = response.protocol_name.take().filter(|name| !name.is_empty());
    response.protocol_name = if version < 7 { Some(name.unwrap_or_default()) } else { name };
    GroupResponse::JoinGroup(response)
}
