//! The invariants of one classic group; their numbers are those of [`crate::group`].

use super::group::{ClassicGroup, ClassicGroupState};
use crate::group::timers::{Timer, Timers};
#[cfg(test)]
use ottla_protocol::messages::GroupMetadataValue;
use std::collections::BTreeMap;

impl ClassicGroup {
    pub(in crate::group) fn check(&self, timers: &Timers) {
        self.check_members();
        self.check_waiting(timers);
    }

    fn check_members(&self) {
        let id = &self.id;
        match &self.leader_id {
            Some(leader) => assert!(self.members.contains_key(leader), "1: {id}: leader {leader} is gone"),
            None => assert!(self.members.is_empty(), "1: {id}: members have no leader"),
        }
        match self.state {
            ClassicGroupState::Empty => {
                assert!(self.members.is_empty(), "1: {id}: an empty group has members")
            }
            ClassicGroupState::PreparingRebalance => {}
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                assert!(!self.members.is_empty(), "1: {id}: a group in {:?} has no members", self.state);
                assert!(self.protocol_name.is_some(), "1: {id}: a generation has no protocol");
            }
        }
        let mut statics = BTreeMap::new();
        let mut protocols: BTreeMap<_, usize> = BTreeMap::new();
        for (member_id, member) in &self.members {
            assert_eq!(*member_id, member.member_id, "2: {id}: a member is found under another id");
            if let Some(instance) = &member.group_instance_id {
                let other = statics.insert(instance.clone(), member_id.clone());
                assert_eq!(other, None, "2: {id}: {instance} is two members");
            }
            for protocol in &member.protocols {
                *protocols.entry(protocol.name.clone()).or_default() += 1;
            }
        }
        assert_eq!(self.static_members, statics, "2: {id}: static members");
        assert_eq!(self.supported_protocols, protocols, "3: {id}: protocols are counted wrong");
        let in_common = protocols.values().any(|count| *count == self.members.len());
        assert!(self.members.is_empty() || in_common, "3: {id}: members have no protocol in common");
    }

    fn check_waiting(&self, timers: &Timers) {
        let id = &self.id;
        let awaiting_join = self.members.values().filter(|member| member.awaiting_join.is_some()).count();
        assert_eq!(self.awaiting_join_count, awaiting_join, "4: {id}: joins are counted wrong");
        for (member_id, member) in &self.members {
            let joins = member.awaiting_join.is_some();
            let syncs = member.awaiting_sync.is_some();
            match self.state {
                ClassicGroupState::PreparingRebalance => {
                    assert!(!syncs, "4: {id}: {member_id} waits to sync")
                }
                ClassicGroupState::CompletingRebalance => {
                    assert!(!joins, "4: {id}: {member_id} waits to join");
                    let is_pending = self.pending_sync_members.contains(member_id);
                    assert!(!(syncs && is_pending), "4: {id}: {member_id} waits, and is waited for");
                }
                ClassicGroupState::Stable => {
                    assert!(!syncs, "4: {id}: {member_id} waits to sync");
                    assert!(!joins || member.is_static(), "4: {id}: {member_id} waits to join");
                }
                ClassicGroupState::Empty => {}
            }
            let is_awaited = member.has_satisfied_heartbeat();
            let has_session = timers.is_scheduled(&self.session_timer(member_id));
            assert!(is_awaited || has_session, "6: {id}: {member_id} can be silent for ever");
        }
        for member_id in &self.pending_join_members {
            assert!(!self.members.contains_key(member_id), "5: {id}: {member_id} is a member");
            let has_session = timers.is_scheduled(&self.session_timer(member_id));
            assert!(has_session, "5: {id}: {member_id} can be silent for ever");
        }
        for member_id in &self.pending_sync_members {
            assert!(self.members.contains_key(member_id), "7: {id}: {member_id} shall sync but is gone");
        }
        if self.waits_for_joins() {
            assert!(timers.is_scheduled(&Timer::Join(id.clone())), "7: {id}: waits for members for ever");
        } else {
            assert!(self.initial_rebalance.is_none(), "7: {id}: the first rebalance is over");
        }
        if self.waits_for_syncs() {
            assert!(timers.is_scheduled(&Timer::Sync(id.clone())), "7: {id}: waits for syncs for ever");
        }
        let completes = self.state == ClassicGroupState::CompletingRebalance;
        assert!(
            !completes || self.waits_for_syncs() || self.sync_write.is_some(),
            "7: {id}: all have synced, and nothing follows"
        );
        assert!(completes || self.sync_write.is_none(), "7: {id}: an assignment outlived its generation");
    }

    /// The record of the group, but for its time, unless it rebalances.
    #[cfg(test)]
    pub(in crate::group) fn settled_record(&self) -> Option<GroupMetadataValue> {
        let is_settled = matches!(self.state, ClassicGroupState::Empty | ClassicGroupState::Stable);
        let record = || self.record(|member| member.assignment.clone());
        is_settled.then(|| GroupMetadataValue { current_state_timestamp: 0, ..record() })
    }

    /// Whether somebody of this id is a member, or was given the id to become one.
    pub(in crate::group) fn knows(&self, member_id: &str) -> bool {
        self.members.contains_key(member_id) || self.pending_join_members.contains(member_id)
    }

    pub(in crate::group) fn waits_for_joins(&self) -> bool {
        self.state == ClassicGroupState::PreparingRebalance
    }

    pub(in crate::group) fn waits_for_syncs(&self) -> bool {
        !self.pending_sync_members.is_empty()
    }
}
