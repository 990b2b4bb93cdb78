//! Random lives of groups: after each step the invariants hold, every request is answered once, and at any moment at
//! which all writes are through, a replay of the log gives what readers see.

use super::super::{
    CoordinatorRecord, DeletedTopic, Effect, GroupCoordinator, GroupRequest, GroupResponse, Input,
    RequestContext, RequestId, Settings,
};
use super::host::Host;
use super::scenario::subscription;
use bytes::Bytes;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest, group_metadata_value, join_group_request, leave_group_request,
    offset_commit_request, offset_delete_request, offset_fetch_request, sync_group_request,
};
use ottla_protocol::{ByteString, ErrorCode, TopicId};
use std::collections::{BTreeMap, VecDeque};

const GROUPS: [&str; 2] = ["a", "b"];
const TOPICS: [&str; 3] = ["t", "u", "v"];
const INSTANCES: [&str; 2] = ["i1", "i2"];
const ERRORS: [ErrorCode; 3] =
    [ErrorCode::NotEnoughReplicas, ErrorCode::NotLeaderOrFollower, ErrorCode::MessageTooLarge];

#[test]
fn a_replay_of_the_log_gives_what_readers_see() {
    for seed in 1..=90 {
        // Some brokers lose writes; where none is lost, groups are what the log says too.
        Life::new(seed, seed % 3 == 0).live(300);
    }
}

/// A small seeded generator (xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }

    fn name(&mut self, names: &[&'static str]) -> ByteString {
        ByteString::from_static(names[self.below(names.len())])
    }
}

/// A member as its client knows it.
#[derive(Clone, Debug, Default)]
struct Client {
    group: ByteString,
    member_id: ByteString,
    instance: Option<ByteString>,
    generation: i32,
    protocol: ByteString,
    /// Whom to assign to, if it leads.
    members: Vec<ByteString>,
}

pub(super) struct Life {
    seed: u64,
    random: Random,
    host: Host,
    loses_writes: bool,
    clients: Vec<Client>,
    /// Those that were told of a generation and have not synced.
    to_sync: VecDeque<Client>,
    /// JoinGroups that are not answered: group and instance.
    joins: BTreeMap<RequestId, (ByteString, Option<ByteString>)>,
}

impl Life {
    pub(super) fn new(seed: u64, loses_writes: bool) -> Life {
        let settings = Settings {
            group_initial_rebalance_delay_ms: if seed.is_multiple_of(2) { 0 } else { 1_000 },
            group_max_size: if seed.is_multiple_of(5) { 3 } else { i32::MAX },
            offsets_retention_ms: 20_000,
            offsets_retention_check_interval_ms: 7_000,
            ..Settings::default()
        };
        Life {
            seed,
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            host: Host::new(settings, seed),
            loses_writes,
            clients: Vec::new(),
            to_sync: VecDeque::new(),
            joins: BTreeMap::new(),
        }
    }

    fn live(mut self, steps: usize) {
        // A panic says which life it was.
        let told = Told(self.seed);
        for _ in 0..steps {
            self.act();
            if self.host.pending.is_empty() && self.random.one_in(3) {
                self.compare();
            }
        }
        // Everybody who waits is answered in the end.
        self.host.step(Input::Unload);
        assert!(self.host.unanswered.is_empty(), "nobody answered {:?}", self.host.unanswered);
        std::mem::forget(told);
    }

    /// What is committed after so many steps.
    pub(super) fn log_after(mut self, steps: usize) -> Vec<CoordinatorRecord> {
        for _ in 0..steps {
            self.act();
        }
        self.host.log
    }

    fn act(&mut self) {
        // Most clients do as they should.
        if !self.random.one_in(3)
            && let Some(client) = self.to_sync.pop_front()
        {
            return self.sync(client);
        }
        match self.random.below(24) {
            0..=4 => self.join(),
            5..=8 => {
                let client = self.client();
                self.sync(client);
            }
            9..=10 => self.heartbeat(),
            11 => self.leave(),
            12..=14 => self.commit_offsets(),
            15 => self.fetch_offsets(),
            16 => self.delete(),
            17 => self.look(),
            18 => self.pass_time(),
            19 if self.random.one_in(6) => {
                self.host.restart();
            }
            _ => self.resolve_writes(),
        }
    }

    fn request(&mut self, version: i16, request: GroupRequest) {
        let context = RequestContext {
            api_version: version,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
        };
        if let GroupRequest::JoinGroup(request) = &request {
            let asked = (request.group_id.clone(), request.group_instance_id.clone());
            self.joins.insert(self.host.next_request(), asked);
        }
        let effects = self.host.request(context, request);
        self.learn(&effects);
    }

    /// Clients learn from their answers.
    fn learn(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Reply { id, response: GroupResponse::JoinGroup(joined) } = effect else { continue };
            let (group, instance) = self.joins.remove(id).expect("somebody asked");
            self.clients.retain(|client| client.member_id != joined.member_id);
            let client = Client {
                group,
                member_id: joined.member_id.clone(),
                instance,
                generation: joined.generation_id,
                protocol: joined.protocol_name.clone().unwrap_or_default(),
                members: joined.members.iter().map(|member| member.member_id.clone()).collect(),
            };
            if joined.error_code == 0 {
                self.to_sync.push_back(client.clone());
            }
            self.clients.push(client);
        }
        // Clients go; the last ones matter.
        let excess = self.clients.len().saturating_sub(12);
        self.clients.drain(..excess);
    }

    /// A client that is known, or somebody who guesses.
    fn client(&mut self) -> Client {
        let known = self.random.pick(&self.clients).cloned().unwrap_or_default();
        let mut client = known;
        if self.random.one_in(8) {
            client.generation += 1;
        }
        if self.random.one_in(8) {
            client.group = self.random.name(&GROUPS);
        }
        if self.random.one_in(8) {
            client.instance = Some(self.random.name(&INSTANCES));
        }
        client
    }

    fn join(&mut self) {
        let is_new = self.random.one_in(3);
        let client = if is_new {
            let instance = self.random.one_in(3).then(|| self.random.name(&INSTANCES));
            Client { group: self.random.name(&GROUPS), instance, ..Client::default() }
        } else {
            self.client()
        };
        let topics = ["t", "t+u", "u+v", "v"][self.random.below(4)];
        let mut names = vec!["range", "roundrobin", "sticky", "range"];
        names.rotate_left(self.random.below(4));
        names.truncate(1 + self.random.below(4));
        let protocol = |name: &str| join_group_request::JoinGroupRequestProtocol {
            name: name.into(),
            metadata: subscription(topics),
            ..Default::default()
        };
        let kinds = if self.random.one_in(20) { "connect" } else { "consumer" };
        let version =
            if client.instance.is_some() { 5 + self.random.below(5) } else { self.random.below(10) };
        let request = JoinGroupRequest {
            group_id: client.group,
            session_timeout_ms: [6_000, 10_000][self.random.below(2)],
            rebalance_timeout_ms: [0, 4_000, 30_000][self.random.below(3)],
            member_id: client.member_id,
            group_instance_id: client.instance,
            protocol_type: kinds.into(),
            protocols: names.into_iter().map(protocol).collect(),
            ..Default::default()
        };
        self.request(i16::try_from(version).expect("versions are small"), GroupRequest::JoinGroup(request));
    }

    fn sync(&mut self, client: Client) {
        let assign = |member_id: &ByteString| sync_group_request::SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: Bytes::copy_from_slice(format!("{}@{}", &**member_id, client.generation).as_bytes()),
            ..Default::default()
        };
        let request = SyncGroupRequest {
            assignments: client.members.iter().map(assign).collect(),
            group_id: client.group,
            generation_id: client.generation,
            member_id: client.member_id,
            group_instance_id: client.instance,
            protocol_type: Some("consumer".into()),
            protocol_name: Some(client.protocol),
            ..Default::default()
        };
        self.request(5, GroupRequest::SyncGroup(request));
    }

    fn heartbeat(&mut self) {
        let client = self.client();
        let request = HeartbeatRequest {
            group_id: client.group,
            generation_id: client.generation,
            member_id: client.member_id,
            group_instance_id: client.instance,
            ..Default::default()
        };
        self.request(4, GroupRequest::Heartbeat(request));
    }

    fn leave(&mut self) {
        let client = self.client();
        let members = (0..1 + self.random.below(2)).map(|_| {
            let client = self.client();
            let member_id = if client.instance.is_some() && self.random.one_in(2) {
                ByteString::new()
            } else {
                client.member_id
            };
            let group_instance_id = client.instance;
            leave_group_request::MemberIdentity { member_id, group_instance_id, ..Default::default() }
        });
        let request = LeaveGroupRequest {
            members: members.collect(),
            group_id: client.group,
            member_id: client.member_id,
            ..Default::default()
        };
        let version = i16::try_from(self.random.below(6)).expect("versions are small");
        self.request(version, GroupRequest::LeaveGroup(request));
    }

    fn commit_offsets(&mut self) {
        let client = if self.random.one_in(3) {
            Client { group: self.random.name(&GROUPS), generation: -1, ..Client::default() }
        } else {
            self.client()
        };
        let version = 2 + self.random.below(8);
        let retention_time_ms = if version <= 4 && self.random.one_in(2) { 5_000 } else { -1 };
        let topics = (0..1 + self.random.below(2)).map(|_| {
            let name = self.random.name(&TOPICS);
            offset_commit_request::OffsetCommitRequestTopic {
                topic_id: topic_id(&name),
                name,
                partitions: (0..1 + self.random.below(2))
                    .map(|_| offset_commit_request::OffsetCommitRequestPartition {
                        partition_index: self.random.below(3) as i32,
                        committed_offset: self.random.below(1_000) as i64,
                        committed_leader_epoch: self.random.below(3) as i32 - 1,
                        committed_metadata: self.random.one_in(2).then(|| "note".into()),
                        ..Default::default()
                    })
                    .collect(),
                ..Default::default()
            }
        });
        let request = OffsetCommitRequest {
            topics: topics.collect(),
            group_id: client.group,
            generation_id_or_member_epoch: client.generation,
            member_id: client.member_id,
            group_instance_id: client.instance,
            retention_time_ms,
            ..Default::default()
        };
        let version = i16::try_from(version).expect("versions are small");
        self.request(version, GroupRequest::OffsetCommit(request));
    }

    fn fetch_offsets(&mut self) {
        let group = offset_fetch_request::OffsetFetchRequestGroup {
            group_id: self.random.name(&GROUPS),
            topics: None,
            ..Default::default()
        };
        let require_stable = self.random.one_in(2);
        self.request(8, GroupRequest::OffsetFetch { group, require_stable });
    }

    fn delete(&mut self) {
        let (group_id, name) = (self.random.name(&GROUPS), self.random.name(&TOPICS));
        match self.random.below(3) {
            0 => self.request(2, GroupRequest::DeleteGroup(group_id)),
            1 => {
                let topics = vec![DeletedTopic { id: topic_id(&name), name }];
                let effects = self.host.step(Input::TopicsDeleted { topics });
                self.learn(&effects);
            }
            _ => {
                let partition =
                    |partition_index| offset_delete_request::OffsetDeleteRequestPartition { partition_index };
                let partitions = (0..3).map(partition).collect();
                let topics = vec![offset_delete_request::OffsetDeleteRequestTopic { name, partitions }];
                self.request(0, GroupRequest::OffsetDelete(OffsetDeleteRequest { group_id, topics }));
            }
        }
    }

    fn look(&mut self) {
        let version = i16::try_from(self.random.below(7)).expect("versions are small");
        let group = self.random.name(&GROUPS);
        self.request(version, GroupRequest::DescribeGroup(group));
        self.request(5, GroupRequest::ListGroups(ListGroupsRequest::default()));
    }

    fn pass_time(&mut self) {
        if !self.loses_writes {
            // A write that takes too long is as good as lost.
            while !self.host.pending.is_empty() {
                self.resolve_writes();
            }
        }
        let to = self.host.now + self.random.below(7_000) as i64;
        for (_, effects) in self.host.advance(to) {
            self.learn(&effects);
        }
    }

    fn resolve_writes(&mut self) {
        if self.host.pending.is_empty() {
            return;
        }
        let effects = if self.loses_writes && self.random.one_in(4) {
            let error = ERRORS[self.random.below(ERRORS.len())];
            self.host.fail(error)
        } else {
            self.host.commit()
        };
        self.learn(&effects);
    }

    fn compare(&self) {
        let mut replayed = self.host.replayed();
        replayed.step(self.host.now, Input::Loaded, &mut Vec::new());
        assert_eq!(offsets(&self.host.coordinator), offsets(&replayed), "offsets are what the log says");
        if self.loses_writes {
            return;
        }
        let live = groups(&self.host.coordinator);
        let of_log = groups(&replayed);
        assert_eq!(live.len(), of_log.len(), "groups are those of the log");
        for ((id, live), (_, of_log)) in live.into_iter().zip(of_log) {
            // A group that rebalances is ahead of the log.
            if let Some(live) = live {
                assert_eq!(Some(live), of_log, "{id} is what the log says");
            }
        }
    }
}

/// Says the seed should it be dropped in a panic.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("this life had seed {}", self.0);
    }
}

fn topic_id(name: &str) -> TopicId {
    let mut id = [0; 16];
    id[0] = name.as_bytes()[0];
    ottla_protocol::Uuid(id)
}

/// All that is committed, as text.
fn offsets(coordinator: &GroupCoordinator) -> Vec<String> {
    let state = &coordinator.state;
    let groups = state.offsets.groups();
    groups.flat_map(|group| state.offsets.written_of(group)).map(|offset| format!("{offset:?}")).collect()
}

/// The groups by id, with their records if they do not rebalance.
fn groups(
    coordinator: &GroupCoordinator,
) -> Vec<(ByteString, Option<group_metadata_value::GroupMetadataValue>)> {
    coordinator
        .state
        .groups
        .iter_committed()
        .map(|group| (group.id().clone(), group.settled_record()))
        .collect()
}
