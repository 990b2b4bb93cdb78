//! Static members that come back (KIP-345): a new process takes the place of an old one, if possible without a rebalance.

use super::group::{ClassicGroup, ClassicGroupState, Timeouts};
use super::join::{self, Join};
use super::member::Protocol;
use crate::group::turn::Turn;
use crate::group::writes::{Caller, Continuation};
use crate::group::{GroupResponse, records};
use ottla_protocol::messages::join_group_response::JoinGroupResponse;
use ottla_protocol::{ByteString, ErrorCode};

/// The first version whose leader can be told to keep the assignment.
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// A static member whose new id is on its way to the log.
#[derive(Debug)]
pub(in crate::group) struct StaticJoin {
    pub(in crate::group) group: ByteString,
    pub(in crate::group) incarnation: u64,
    generation_id: i32,
    group_instance_id: ByteString,
    old_member_id: ByteString,
    new_member_id: ByteString,
    old_protocols: Vec<Protocol>,
    old_timeouts: Timeouts,
    /// Leader before the old member was replaced.
    old_leader: Option<ByteString>,
    caller: Caller,
}

impl ClassicGroup {
    /// A process joins under the instance id of `old_member_id`, without knowing of it: the old one is fenced.
    pub(super) fn join_returning_static_member(
        &mut self,
        turn: &mut Turn<'_>,
        request: Join,
        old_member_id: &ByteString,
        new_member_id: ByteString,
    ) {
        let instance = request.group_instance_id.clone().expect("a static member has an instance id");
        let old_leader = self.leader_id.clone();
        self.replace_static_member(turn, &instance, old_member_id, &new_member_id);
        self.renew_session(turn, &new_member_id);
        let member = self.members.get(&new_member_id).expect("it took the place of the old one");
        let old_protocols = member.protocols.clone();
        let old_timeouts =
            Timeouts { rebalance_ms: member.rebalance_timeout_ms, session_ms: member.session_timeout_ms };
        self.update(turn, &new_member_id, request.protocols, request.timeouts, Some(request.caller));
        match self.state {
            // The assignment stays as it is: only the id has to get into the log.
            ClassicGroupState::Stable if self.protocol_name.as_ref() == Some(&self.select_protocol()) => {
                let record = self.record(|member| member.assignment.clone());
                let write = turn.append(vec![records::group_metadata(&self.id, &record)]);
                let continuation = StaticJoin {
                    group: self.id.clone(),
                    incarnation: self.incarnation,
                    generation_id: self.generation_id,
                    group_instance_id: instance,
                    old_member_id: old_member_id.clone(),
                    new_member_id,
                    old_protocols,
                    old_timeouts,
                    old_leader,
                    caller: request.caller,
                };
                turn.continue_after(write, Continuation::StaticJoin(continuation));
            }
            ClassicGroupState::Stable | ClassicGroupState::PreparingRebalance => {
                self.maybe_prepare_rebalance_or_complete_join(turn);
            }
            // The leader may have been told of the old id, and would assign to it.
            ClassicGroupState::CompletingRebalance => {
                self.prepare_rebalance(turn);
            }
            ClassicGroupState::Empty => unreachable!("an empty group has no static members"),
        }
    }

    /// The new id of a static member is in the log.
    pub(in crate::group) fn on_static_join_committed(&mut self, turn: &mut Turn<'_>, join: StaticJoin) {
        if !self.is_awaited(&join) {
            // A rebalance has begun, which will answer or has answered; or the member is gone, and told so.
            return;
        }
        let StaticJoin { new_member_id, old_leader, caller, .. } = join;
        self.take_awaited_join(&new_member_id);
        self.renew_session(turn, &new_member_id);
        let mut response = if caller.version >= SKIP_ASSIGNMENT_VERSION {
            let is_leader = self.is_leader(&new_member_id);
            let members = if is_leader { self.members_for_leader() } else { Vec::new() };
            join::joined(self, caller.version, &new_member_id, members, is_leader)
        } else {
            join::joined(self, caller.version, &new_member_id, Vec::new(), false)
        };
        if let GroupResponse::JoinGroup(response) = &mut response
            && caller.version < SKIP_ASSIGNMENT_VERSION
        {
            // A leader that hears of another leader does not make an assignment that nobody would get.
            response.leader = old_leader.unwrap_or_default();
        }
        turn.reply(caller, response);
    }

    /// The new id of a static member is not in the log: the old one is back.
    pub(in crate::group) fn on_static_join_failed(
        &mut self,
        turn: &mut Turn<'_>,
        join: StaticJoin,
        code: ErrorCode,
    ) {
        if !self.is_awaited(&join) {
            return;
        }
        self.take_awaited_join(&join.new_member_id);
        self.update(turn, &join.new_member_id, join.old_protocols, join.old_timeouts, None);
        self.replace_static_member(turn, &join.group_instance_id, &join.new_member_id, &join.old_member_id);
        self.renew_session(turn, &join.old_member_id);
        let response = JoinGroupResponse {
            error_code: code as i16,
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: join.old_leader.unwrap_or_default(),
            ..Default::default()
        };
        turn.reply(join.caller, join::for_version(join.caller.version, response));
    }

    /// Whether the write is what the member waits for: not if a rebalance has begun since.
    fn is_awaited(&self, join: &StaticJoin) -> bool {
        self.state == ClassicGroupState::Stable
            && self.generation_id == join.generation_id
            && self
                .members
                .get(&join.new_member_id)
                .is_some_and(|member| member.awaiting_join == Some(join.caller))
    }

    fn take_awaited_join(&mut self, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id)
            && member.awaiting_join.take().is_some()
        {
            self.awaiting_join_count -= 1;
        }
    }

    /// Gives a static member another id. What the old one waits for is answered with FENCED_INSTANCE_ID.
    fn replace_static_member(
        &mut self,
        turn: &mut Turn<'_>,
        instance: &ByteString,
        old_member_id: &ByteString,
        new_member_id: &ByteString,
    ) {
        let mut member = self.members.remove(old_member_id).expect("only a member is replaced");
        self.answer_join(turn, &mut member, ErrorCode::FencedInstanceId, old_member_id);
        self.answer_sync(turn, &mut member, ErrorCode::FencedInstanceId);
        self.cancel_session(turn, old_member_id);
        member.member_id = new_member_id.clone();
        member.is_new = false;
        self.members.insert(new_member_id.clone(), member);
        self.static_members.insert(instance.clone(), new_member_id.clone());
        if self.is_leader(old_member_id) {
            self.leader_id = Some(new_member_id.clone());
        }
        // Who had not synced yet still has to.
        if self.pending_sync_members.remove(old_member_id) {
            self.pending_sync_members.insert(new_member_id.clone());
        }
    }
}
