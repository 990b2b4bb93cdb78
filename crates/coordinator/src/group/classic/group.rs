//! The state of a classic group: who is in it, what they have in common.

use super::member::{ClassicMember, Protocol};
use super::rebalance::InitialRebalance;
use crate::group::WriteId;
use crate::group::timers::Timer;
use crate::group::turn::Turn;
use crate::group::writes::Caller;
use crate::partition::java_hash;
use bytes::Bytes;
use ottla_protocol::codec::Reader;
use ottla_protocol::messages::ConsumerProtocolSubscription;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::group_metadata_value::{GroupMetadataValue, MemberMetadata};
use ottla_protocol::messages::list_groups_response::ListedGroup;
use ottla_protocol::{ByteString, ErrorCode};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Protocol type of consumers: the one whose metadata the coordinator can read, for the topics that are subscribed to.
const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// Where a group is in its life. Kafka's `Dead` is a group that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum ClassicGroupState {
    /// No members: never had any (offsets only), or all are gone.
    Empty,
    /// Waits for members to join.
    PreparingRebalance,
    /// Waits for the leader's assignment.
    CompletingRebalance,
    /// Every member can have its assignment.
    Stable,
}

impl ClassicGroupState {
    /// Kafka's name, as tools print it.
    pub(in crate::group) fn name(self) -> &'static str {
        match self {
            ClassicGroupState::Empty => "Empty",
            ClassicGroupState::PreparingRebalance => "PreparingRebalance",
            ClassicGroupState::CompletingRebalance => "CompletingRebalance",
            ClassicGroupState::Stable => "Stable",
        }
    }
}

/// A classic group. Its fields are changed by the methods of this file, of `rebalance` and of `sync` only.
#[derive(Debug)]
pub(in crate::group) struct ClassicGroup {
    pub(super) id: ByteString,
    /// Tells a group from an earlier one of the same id when a late write comes back: the number of the write that made
    /// it, 0 if it is from the log.
    pub(super) incarnation: u64,
    pub(super) state: ClassicGroupState,
    /// Since when it is in the state; `None` for a group of the log whose record does not tell.
    pub(super) state_since_ms: Option<i64>,
    /// Of the members, now or last; `None` if it never had any.
    pub(super) protocol_type: Option<ByteString>,
    /// The protocol that all agreed on in this generation.
    pub(super) protocol_name: Option<ByteString>,
    pub(super) generation_id: i32,
    pub(super) leader_id: Option<ByteString>,
    pub(super) members: BTreeMap<ByteString, ClassicMember>,
    /// Instance id to member id.
    pub(super) static_members: BTreeMap<ByteString, ByteString>,
    /// Ids that were given out (KIP-394) and have not come back yet.
    pub(super) pending_join_members: BTreeSet<ByteString>,
    /// Members that have not synced in this generation yet.
    pub(super) pending_sync_members: BTreeSet<ByteString>,
    /// How many members know each protocol.
    pub(super) supported_protocols: BTreeMap<ByteString, usize>,
    /// How many members have a JoinGroup that is not answered.
    pub(super) awaiting_join_count: usize,
    /// Topics that the members subscribed to in this generation; `None` if that cannot be known.
    pub(super) subscribed_topics: Option<BTreeSet<ByteString>>,
    /// During the first rebalance of an empty group.
    pub(super) initial_rebalance: Option<InitialRebalance>,
    /// The leader's assignment of this generation that is on its way to the log.
    pub(super) sync_write: Option<WriteId>,
}

impl ClassicGroup {
    /// A group without members, as it is when its first member joins or its first offset is committed.
    pub(in crate::group) fn new(id: ByteString, incarnation: u64, now: i64) -> ClassicGroup {
        ClassicGroup {
            id,
            incarnation,
            state: ClassicGroupState::Empty,
            state_since_ms: Some(now),
            protocol_type: None,
            protocol_name: None,
            generation_id: 0,
            leader_id: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join_members: BTreeSet::new(),
            pending_sync_members: BTreeSet::new(),
            supported_protocols: BTreeMap::new(),
            awaiting_join_count: 0,
            subscribed_topics: None,
            initial_rebalance: None,
            sync_write: None,
        }
    }

    /// The group of a record: stable if it has members, with the one protocol that they agreed on. `None` if two members
    /// share an id.
    pub(in crate::group) fn of_log(id: ByteString, value: &GroupMetadataValue) -> Option<ClassicGroup> {
        let mut group = ClassicGroup::new(id, 0, value.current_state_timestamp);
        group.state_since_ms = (value.current_state_timestamp != -1).then_some(value.current_state_timestamp);
        group.generation_id = value.generation;
        group.protocol_type =
            (!value.protocol_type.is_empty()).then(|| ByteString::from(&*value.protocol_type));
        group.protocol_name = value.protocol.as_deref().map(ByteString::from);
        let protocol = group.protocol_name.clone().unwrap_or_default();
        for member in &value.members {
            let known = group.members.contains_key(&member.member_id)
                || member.group_instance_id.as_ref().is_some_and(|id| group.static_members.contains_key(id));
            if known {
                return None;
            }
            group.insert(ClassicMember::of_log(member, &protocol));
        }
        if !group.members.is_empty() {
            group.state = ClassicGroupState::Stable;
            // A record with members has both; one that has not was written by nobody we know.
            group.protocol_type.get_or_insert_default();
            group.protocol_name.get_or_insert_default();
        }
        if let Some(leader) = &value.leader
            && group.members.contains_key(leader)
        {
            group.leader_id = Some(ByteString::from(&**leader));
        }
        Some(group)
    }

    pub(in crate::group) fn id(&self) -> &ByteString {
        &self.id
    }

    pub(in crate::group) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(in crate::group) fn state(&self) -> ClassicGroupState {
        self.state
    }

    pub(in crate::group) fn is_empty(&self) -> bool {
        self.state == ClassicGroupState::Empty
    }

    /// Whether it has more members than it may have.
    pub(in crate::group) fn is_over(&self, group_max_size: i32) -> bool {
        !i32::try_from(self.members.len()).is_ok_and(|count| count <= group_max_size)
    }

    pub(in crate::group) fn state_since_ms(&self) -> Option<i64> {
        self.state_since_ms
    }

    /// Whether the members, now or last, are consumers.
    pub(in crate::group) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether it ever had members.
    pub(in crate::group) fn has_protocol_type(&self) -> bool {
        self.protocol_type.is_some()
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader_id.as_deref() == Some(member_id)
    }

    pub(super) fn transition_to(&mut self, state: ClassicGroupState, now: i64) {
        use ClassicGroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        let from = self.state;
        assert!(
            matches!(
                (from, state),
                (Empty | CompletingRebalance | Stable, PreparingRebalance)
                    | (PreparingRebalance, CompletingRebalance | Empty)
                    | (CompletingRebalance, Stable)
            ),
            "group {} cannot go from {from:?} to {state:?}",
            self.id
        );
        self.state = state;
        self.state_since_ms = Some(now);
        self.sync_write = None;
    }

    /// Takes a member in.
    pub(super) fn insert(&mut self, member: ClassicMember) {
        let member_id = member.member_id.clone();
        if let Some(instance) = &member.group_instance_id {
            self.static_members.insert(instance.clone(), member_id.clone());
        }
        self.pending_join_members.remove(&member_id);
        self.count_protocols(&member.protocols, true);
        self.awaiting_join_count += usize::from(member.awaiting_join.is_some());
        self.leader_id.get_or_insert_with(|| member_id.clone());
        let old = self.members.insert(member_id, member);
        assert!(old.is_none(), "a member joins group {} once", self.id);
    }

    /// Takes a member out, or an id that was given out. What the member waits for is answered with UNKNOWN_MEMBER_ID:
    /// should its client still be there, it joins anew.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_>, member_id: &ByteString) {
        self.cancel_session(turn, member_id);
        self.pending_join_members.remove(member_id);
        self.pending_sync_members.remove(member_id);
        let Some(mut member) = self.members.remove(member_id) else { return };
        self.answer_join(turn, &mut member, ErrorCode::UnknownMemberId, "");
        self.answer_sync(turn, &mut member, ErrorCode::UnknownMemberId);
        self.count_protocols(&member.protocols, false);
        if let Some(instance) = &member.group_instance_id {
            self.static_members.remove(instance);
        }
        if self.is_leader(member_id) {
            self.leader_id = self.members.keys().next().cloned();
        }
    }

    /// Changes what a member says of itself, and what it waits for. A JoinGroup that it waited for before is answered
    /// with REBALANCE_IN_PROGRESS (Kafka forgets it): its client has given it up.
    pub(super) fn update(
        &mut self,
        turn: &mut Turn<'_>,
        member_id: &str,
        protocols: Vec<Protocol>,
        timeouts: Timeouts,
        awaiting_join: Option<Caller>,
    ) {
        let Some(mut member) = self.members.remove(member_id) else { return };
        self.answer_join(turn, &mut member, ErrorCode::RebalanceInProgress, member_id);
        self.count_protocols(&member.protocols, false);
        self.count_protocols(&protocols, true);
        member.protocols = protocols;
        member.rebalance_timeout_ms = timeouts.rebalance_ms;
        member.session_timeout_ms = timeouts.session_ms;
        member.awaiting_join = awaiting_join;
        self.awaiting_join_count += usize::from(awaiting_join.is_some());
        self.members.insert(member.member_id.clone(), member);
    }

    pub(super) fn count_protocols(&mut self, protocols: &[Protocol], joins: bool) {
        for protocol in protocols {
            let count = self.supported_protocols.entry(protocol.name.clone()).or_default();
            if joins {
                *count += 1;
            } else {
                *count -= 1;
            }
            if *count == 0 {
                self.supported_protocols.remove(&protocol.name);
            }
        }
    }

    /// Whether somebody with these protocols can be in the group: one of them is known to all who are there.
    pub(super) fn supports(
        &self,
        protocol_type: &str,
        mut protocols: impl Iterator<Item = ByteString>,
    ) -> bool {
        if self.state == ClassicGroupState::Empty {
            return !protocol_type.is_empty() && protocols.next().is_some();
        }
        let known = |name: &ByteString| self.supported_protocols.get(name).copied().unwrap_or_default();
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.any(|name| known(&name) == self.members.len())
    }

    /// The protocol that most members prefer among those that all of them know. Members of a group have one in common.
    pub(super) fn select_protocol(&self) -> ByteString {
        let all = self.members.len();
        let known_to_all =
            |protocol: &&Protocol| self.supported_protocols.get(&protocol.name).copied() == Some(all);
        let mut votes: BTreeMap<&ByteString, usize> = BTreeMap::new();
        for member in self.members.values() {
            let vote = member.protocols.iter().find(known_to_all).expect("members have a protocol in common");
            *votes.entry(&vote.name).or_default() += 1;
        }
        // Kafka takes the first of those with the same votes as its hash table gives them out.
        let place = |name: &str| {
            let slots = (votes.len() * 4).div_ceil(3).next_power_of_two().max(16);
            let hash = java_hash(name) as u32;
            (hash ^ (hash >> 16)) as usize & (slots - 1)
        };
        let most = votes.iter().min_by_key(|(name, count)| (Reverse(**count), place(name)));
        let (name, _) = most.expect("a group that selects a protocol has members");
        (*name).clone()
    }

    /// The longest that a member wants to be waited for.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or_default().max(0)
    }

    /// Whether everybody who is awaited has joined.
    pub(super) fn has_all_members_joined(&self) -> bool {
        self.awaiting_join_count == self.members.len() && self.pending_join_members.is_empty()
    }

    /// Checks that a request comes from a member: one that was not replaced by another of the same instance (KIP-345).
    pub(super) fn validate_member(&self, member_id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if *current != *member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Checks that somebody may commit offsets: a member of this generation, or anybody while there are no members.
    pub(in crate::group) fn validate_commit(
        &self,
        member_id: &str,
        instance: Option<&str>,
        generation_id: i32,
    ) -> Result<(), ErrorCode> {
        let is_empty = self.state == ClassicGroupState::Empty;
        if generation_id < 0 && is_empty {
            return Ok(());
        }
        if generation_id < 0 && member_id.is_empty() && instance.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(member_id, instance)?;
        if generation_id != self.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == ClassicGroupState::CompletingRebalance {
            // The member knows of the new generation; what it holds of the old one is somebody else's soon.
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// Whether offsets of the topic are in use. If it cannot be known, those of consumers are.
    pub(in crate::group) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Whether [`ClassicGroup::is_subscribed_to`] knows what the members subscribed to.
    pub(in crate::group) fn knows_subscribed_topics(&self) -> bool {
        self.subscribed_topics.is_some()
    }

    /// Finds out what the members of this generation subscribed to.
    pub(in crate::group) fn compute_subscribed_topics(&mut self) {
        self.subscribed_topics = self.read_subscribed_topics();
    }

    fn read_subscribed_topics(&self) -> Option<BTreeSet<ByteString>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(read_subscription(&member.metadata(protocol))?);
        }
        Some(topics)
    }

    pub(super) fn session_timer(&self, member_id: &ByteString) -> Timer {
        Timer::Session { group: self.id.clone(), member: member_id.clone() }
    }

    pub(super) fn schedule_session(&self, turn: &mut Turn<'_>, member_id: &ByteString, timeout_ms: i32) {
        turn.timers.schedule(self.session_timer(member_id), turn.now + i64::from(timeout_ms));
    }

    pub(super) fn cancel_session(&self, turn: &mut Turn<'_>, member_id: &ByteString) {
        turn.timers.cancel(&self.session_timer(member_id));
    }

    /// The member was heard of: its session begins anew.
    pub(in crate::group) fn renew_session(&self, turn: &mut Turn<'_>, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            self.schedule_session(turn, &member.member_id, member.session_timeout_ms);
        }
    }

    /// All sessions begin: the group was loaded.
    pub(in crate::group) fn begin_sessions(&self, turn: &mut Turn<'_>) {
        for member in self.members.values() {
            self.schedule_session(turn, &member.member_id, member.session_timeout_ms);
        }
    }

    /// Forgets ids that were given out, and their timers: the group ends.
    pub(in crate::group) fn forget_pending_members(&mut self, turn: &mut Turn<'_>) {
        for member_id in std::mem::take(&mut self.pending_join_members) {
            self.cancel_session(turn, &member_id);
        }
    }

    /// Ends the group: its timers, and all that waits for it.
    pub(in crate::group) fn dissolve(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        self.forget_pending_members(turn);
        self.fail_waiting(turn, error);
        for member_id in self.members.keys() {
            self.cancel_session(turn, member_id);
        }
        // Another group of the same id may have timers of its own.
        if self.state == ClassicGroupState::PreparingRebalance {
            turn.timers.cancel(&Timer::Join(self.id.clone()));
        }
        if !self.pending_sync_members.is_empty() {
            turn.timers.cancel(&Timer::Sync(self.id.clone()));
        }
    }

    /// Ends all that waits for the group, with an error.
    pub(in crate::group) fn fail_waiting(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        let mut members = std::mem::take(&mut self.members);
        for (member_id, member) in &mut members {
            self.answer_join(turn, member, error, member_id);
            self.answer_sync(turn, member, error);
        }
        self.members = members;
    }

    /// The record of the group, with assignments for its members.
    pub(super) fn record(&self, assignment: impl Fn(&ClassicMember) -> Bytes) -> GroupMetadataValue {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members: Vec<MemberMetadata> =
            self.members.values().map(|member| member.record(protocol, assignment(member))).collect();
        GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation_id,
            protocol: self.protocol_name.clone(),
            leader: self.leader_id.clone(),
            current_state_timestamp: self.state_since_ms.unwrap_or(-1),
            members,
            ..Default::default()
        }
    }

    /// The group in a list.
    pub(in crate::group) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            group_state: self.state.name().into(),
            group_type: "classic".into(),
            ..Default::default()
        }
    }

    /// The group with its members; what they say is told once they have their assignments.
    pub(in crate::group) fn described(&self) -> DescribedGroup {
        let protocol = self.protocol_name.as_deref().filter(|_| self.state == ClassicGroupState::Stable);
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: self.state.name().into(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.unwrap_or_default().into(),
            members: self.members.values().map(|member| member.describe(protocol)).collect(),
            ..Default::default()
        }
    }
}

/// What a JoinGroup says about how long a member may be silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timeouts {
    pub(super) rebalance_ms: i32,
    pub(super) session_ms: i32,
}

/// The topics of a consumer's subscription: the first fields of every version of it.
fn read_subscription(metadata: &Bytes) -> Option<Vec<ByteString>> {
    let mut r = Reader::new(metadata);
    r.i16().ok()?;
    let subscription = ConsumerProtocolSubscription::decode(&mut r, 0).ok()?;
    Some(subscription.topics.iter().map(|topic| ByteString::from(&**topic)).collect())
}
