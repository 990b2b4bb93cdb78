//! A host in memory: a log, and who asked what. After every step it checks what must always hold.

use super::super::{
    CoordinatorRecord, Effect, GroupCoordinator, GroupRequest, GroupResponse, Input, RequestContext,
    RequestId, Settings, WriteId,
};
use ottla_protocol::codec::{EncodeResult, Writer};
use ottla_protocol::messages::{
    DeleteGroupsResponse, DescribeGroupsResponse, OffsetFetchResponse, offset_fetch_response,
};
use ottla_protocol::{ErrorCode, Offset};
use std::collections::{BTreeMap, VecDeque};

/// A coordinator with what a broker has around it.
pub(super) struct Host {
    pub(super) coordinator: GroupCoordinator,
    pub(super) now: i64,
    pub(super) settings: Settings,
    /// What is committed.
    pub(super) log: Vec<CoordinatorRecord>,
    /// What is not, oldest first.
    pub(super) pending: VecDeque<(WriteId, Vec<CoordinatorRecord>)>,
    /// Requests that are not answered, with their kinds and versions.
    pub(super) unanswered: BTreeMap<RequestId, (std::mem::Discriminant<GroupResponse>, i16)>,
    next_request: u64,
    last_write: WriteId,
}

impl Host {
    pub(super) fn new(settings: Settings, seed: u64) -> Host {
        let coordinator = GroupCoordinator::new(settings.clone(), seed);
        let mut host = Host { settings, ..Host::of(coordinator) };
        host.step(Input::Loaded);
        host
    }

    /// Around a coordinator that is there.
    pub(super) fn of(coordinator: GroupCoordinator) -> Host {
        Host {
            coordinator,
            now: 0,
            settings: Settings::default(),
            log: Vec::new(),
            pending: VecDeque::new(),
            unanswered: BTreeMap::new(),
            next_request: 1,
            last_write: WriteId(0),
        }
    }

    /// One step, and all that must hold after it.
    pub(super) fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.coordinator.step(self.now, input, &mut effects);
        self.coordinator.check();
        assert!(self.coordinator.deadline().is_none_or(|at| at > self.now), "all that is due is done");
        for effect in &effects {
            match effect {
                Effect::Append { write, records } => {
                    assert!(*write > self.last_write, "writes are numbered in order");
                    self.last_write = *write;
                    self.pending.push_back((*write, records.clone()));
                }
                Effect::Reply { id, response } => {
                    let (kind, version) = self.unanswered.remove(id).expect("a request is answered once");
                    assert_eq!(std::mem::discriminant(response), kind, "the answer is one to the request");
                    encode(response, version).expect("the answer can be encoded at the request's version");
                }
                Effect::Unreadable { offset, reason } => {
                    panic!("our own record {offset} is unreadable: {reason}")
                }
            }
        }
        effects
    }

    /// The number of the next request.
    pub(super) fn next_request(&self) -> RequestId {
        RequestId(self.next_request)
    }

    pub(super) fn request(&mut self, context: RequestContext, request: GroupRequest) -> Vec<Effect> {
        let id = self.next_request();
        self.next_request += 1;
        let version = context.api_version;
        let kind = std::mem::discriminant(&request.error_response(version, ErrorCode::None));
        self.unanswered.insert(id, (kind, version));
        self.step(Input::Request { id, context, request })
    }

    /// Lets time pass; all that is due on the way happens when it is due.
    pub(super) fn advance(&mut self, to: i64) -> Vec<(i64, Vec<Effect>)> {
        let mut happened = Vec::new();
        while let Some(at) = self.coordinator.deadline().filter(|at| *at <= to) {
            self.now = at;
            happened.push((at, self.step(Input::Timeout)));
        }
        self.now = to;
        happened
    }

    /// The oldest write is through.
    pub(super) fn commit(&mut self) -> Vec<Effect> {
        let (write, records) = self.pending.pop_front().expect("a write is under way");
        self.log.extend(records);
        self.step(Input::Committed { write })
    }

    /// The oldest write is not.
    pub(super) fn fail(&mut self, error: ErrorCode) -> Vec<Effect> {
        let (write, _) = self.pending.pop_front().expect("a write is under way");
        self.step(Input::Failed { write, error })
    }

    /// A coordinator that knows no more than the log.
    pub(super) fn replayed(&self) -> GroupCoordinator {
        let mut coordinator = GroupCoordinator::new(self.settings.clone(), !self.next_request);
        let mut effects = Vec::new();
        for (offset, record) in self.log.iter().enumerate() {
            let CoordinatorRecord { key, value } = record.clone();
            let offset = Offset(i64::try_from(offset).expect("the log is short"));
            coordinator.step(self.now, Input::Replay { offset, key: Some(key), value }, &mut effects);
        }
        assert_eq!(effects, [], "our own records can be read");
        coordinator
    }

    /// The broker stops and starts: what was not committed is lost, as is who waits.
    pub(super) fn restart(&mut self) -> Vec<Effect> {
        self.coordinator = self.replayed();
        self.pending.clear();
        self.unanswered.clear();
        self.last_write = WriteId(0);
        self.step(Input::Loaded)
    }
}

/// Encodes an answer in the message that carries it.
fn encode(response: &GroupResponse, version: i16) -> EncodeResult {
    let w = &mut Writer::default();
    match response.clone() {
        GroupResponse::JoinGroup(response) => response.encode(w, version),
        GroupResponse::SyncGroup(response) => response.encode(w, version),
        GroupResponse::Heartbeat(response) => response.encode(w, version),
        GroupResponse::LeaveGroup(response) => response.encode(w, version),
        GroupResponse::OffsetCommit(response) => response.encode(w, version),
        GroupResponse::OffsetFetch(group) if version >= 8 => {
            OffsetFetchResponse { groups: vec![group], ..Default::default() }.encode(w, version)
        }
        GroupResponse::OffsetFetch(group) => {
            assert!(group.error_code == 0 || version >= 2, "old versions have an error per partition");
            let topics = group.topics.into_iter().map(|topic| {
                offset_fetch_response::OffsetFetchResponseTopic { name: topic.name, ..Default::default() }
            });
            OffsetFetchResponse { topics: topics.collect(), ..Default::default() }.encode(w, version)
        }
        GroupResponse::OffsetDelete(response) => response.encode(w, version),
        GroupResponse::DescribeGroup(group) => {
            DescribeGroupsResponse { groups: vec![group], ..Default::default() }.encode(w, version)
        }
        GroupResponse::DeleteGroup(result) => {
            DeleteGroupsResponse { results: vec![result], ..Default::default() }.encode(w, version)
        }
        GroupResponse::ListGroups(response) => response.encode(w, version),
    }
}
