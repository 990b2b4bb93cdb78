//! Rebalances: when one begins, how long it waits, who is in the next generation.

use super::group::{ClassicGroup, ClassicGroupState};
use super::join;
use crate::group::timers::Timer;
use crate::group::turn::Turn;
use crate::group::{WriteId, records};
use bytes::Bytes;
use ottla_protocol::{ByteString, ErrorCode};

/// The first rebalance of an empty group (KIP-134): it waits for a delay, and for another one if somebody joined during
/// the last, as long as the rebalance timeout allows.
#[derive(Debug)]
pub(super) struct InitialRebalance {
    /// The delay that runs.
    delay_ms: i32,
    /// What is left of the rebalance timeout after it.
    remaining_ms: i32,
    /// Whether somebody joined since it began.
    pub(super) new_member_added: bool,
}

impl ClassicGroup {
    /// Begins a rebalance if none has begun, or completes the one that has if all have joined. Gives the write that
    /// follows, if one does.
    pub(super) fn maybe_prepare_rebalance_or_complete_join(
        &mut self,
        turn: &mut Turn<'_>,
    ) -> Option<WriteId> {
        match self.state {
            ClassicGroupState::PreparingRebalance => self.maybe_complete_join_phase(turn),
            _ => self.prepare_rebalance(turn),
        }
    }

    /// Begins a rebalance: those who wait for an assignment are sent to join anew.
    pub(in crate::group) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) -> Option<WriteId> {
        if self.state == ClassicGroupState::CompletingRebalance {
            self.reset_and_propagate_assignment(turn, ErrorCode::RebalanceInProgress);
        }
        self.cancel_sync(turn);
        let is_initial = self.state == ClassicGroupState::Empty;
        self.transition_to(ClassicGroupState::PreparingRebalance, turn.now);
        if is_initial {
            let delay_ms = turn.settings.group_initial_rebalance_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.initial_rebalance =
                Some(InitialRebalance { delay_ms, remaining_ms, new_member_added: false });
            self.schedule_join(turn, delay_ms);
            None
        } else if self.has_all_members_joined() {
            self.complete_join(turn)
        } else {
            self.schedule_join(turn, self.rebalance_timeout_ms());
            None
        }
    }

    /// Completes the rebalance if everybody has joined; the first one of an empty group takes its time.
    pub(super) fn maybe_complete_join_phase(&mut self, turn: &mut Turn<'_>) -> Option<WriteId> {
        let completes = self.state == ClassicGroupState::PreparingRebalance
            && self.initial_rebalance.is_none()
            && self.has_all_members_joined();
        if completes { self.complete_join(turn) } else { None }
    }

    /// The rebalance has waited long enough.
    pub(in crate::group) fn on_join_timeout(&mut self, turn: &mut Turn<'_>) {
        if self.state != ClassicGroupState::PreparingRebalance {
            return;
        }
        if let Some(initial) = &mut self.initial_rebalance
            && initial.new_member_added
            && initial.remaining_ms != 0
        {
            let delay_ms = turn.settings.group_initial_rebalance_delay_ms.min(initial.remaining_ms);
            let remaining_ms = (initial.remaining_ms - initial.delay_ms).max(0);
            *initial = InitialRebalance { delay_ms, remaining_ms, new_member_added: false };
            self.schedule_join(turn, delay_ms);
            return;
        }
        self.complete_join(turn);
    }

    /// Ends the wait for members: dynamic ones that have not joined are out, static ones stay. Those who are left are
    /// the next generation; if nobody is, the group is empty, and a record says so.
    pub(super) fn complete_join(&mut self, turn: &mut Turn<'_>) -> Option<WriteId> {
        turn.timers.cancel(&Timer::Join(self.id.clone()));
        let absent: Vec<ByteString> = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_none() && !member.is_static())
            .map(|member| member.member_id.clone())
            .collect();
        for member_id in absent {
            self.remove(turn, &member_id);
        }
        if !self.members.is_empty() && !self.elect_joined_leader() {
            // Static members only, and none of them has joined: wait until one does, or until they are gone.
            if let Some(initial) = &mut self.initial_rebalance {
                initial.remaining_ms = 0;
            }
            // At least a moment, or the step would not end.
            self.schedule_join(turn, self.rebalance_timeout_ms().max(1));
            return None;
        }
        self.init_next_generation(turn)
    }

    /// Makes a leader of somebody who has joined, the one that there is if possible.
    fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |member_id: &ByteString| {
            self.members.get(member_id).is_some_and(|member| member.awaiting_join.is_some())
        };
        if self.leader_id.as_ref().is_some_and(has_joined) {
            return true;
        }
        match self.members.values().find(|member| member.awaiting_join.is_some()) {
            Some(member) => {
                self.leader_id = Some(member.member_id.clone());
                true
            }
            None => false,
        }
    }

    fn init_next_generation(&mut self, turn: &mut Turn<'_>) -> Option<WriteId> {
        self.generation_id = self.generation_id.checked_add(1).unwrap_or(1);
        self.initial_rebalance = None;
        self.pending_sync_members.clear();
        if self.members.is_empty() {
            self.protocol_name = None;
            self.compute_subscribed_topics();
            self.transition_to(ClassicGroupState::Empty, turn.now);
            // Should this write fail, the log keeps the last generation: its members time out once it is loaded.
            let record = records::group_metadata(&self.id, &self.record(|_| Bytes::new()));
            return Some(turn.append(vec![record]));
        }
        self.protocol_name = Some(self.select_protocol());
        self.compute_subscribed_topics();
        self.transition_to(ClassicGroupState::CompletingRebalance, turn.now);
        self.answer_joined(turn);
        turn.timers.schedule(Timer::Sync(self.id.clone()), turn.now + i64::from(self.rebalance_timeout_ms()));
        None
    }

    /// Tells all who have joined which generation they are in, and waits for them to sync.
    fn answer_joined(&mut self, turn: &mut Turn<'_>) {
        let mut members = std::mem::take(&mut self.members);
        let protocol = self.protocol_name.clone().unwrap_or_default();
        let all: Vec<_> = members.values().map(|member| member.for_leader(&protocol)).collect();
        for (member_id, member) in &mut members {
            if let Some(caller) = member.awaiting_join.take() {
                self.awaiting_join_count -= 1;
                let told = if self.is_leader(member_id) { all.clone() } else { Vec::new() };
                turn.reply(caller, join::joined(self, caller.version, member_id, told, false));
            }
            member.is_new = false;
            self.schedule_session(turn, member_id, member.session_timeout_ms);
            self.pending_sync_members.insert(member_id.clone());
        }
        self.members = members;
    }

    fn schedule_join(&self, turn: &mut Turn<'_>, delay_ms: i32) {
        turn.timers.schedule(Timer::Join(self.id.clone()), turn.now + i64::from(delay_ms));
    }
}
