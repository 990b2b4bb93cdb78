//! A node without a host: quorum, loader and controller around a log in memory. What the real host does with files and
//! threads is done here in the fewest lines, in the same order.

use crate::*;
use ottla_config::BrokerConfig;
use ottla_metadata::{Batch, Changes, ConfigMap, FEATURES, Image, Loader, MetadataRecord};
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, ErrorCode, LeaderEpoch, Offset, Uuid};
use ottla_quorum as quorum;
use ottla_quorum::{ControlRecord, ElectionState, Found, Quorum, ReplicaKey, VoterNode, VoterSet, Voters};
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) const NOW: i64 = 1_000_000;
pub(crate) const CLUSTER_ID: &str = "oaTmmhNOSOe9-3OmMBb2KQ";
const DIRECTORY: Uuid = Uuid(*b"directory-of-one");

/// A batch of the metadata log.
#[derive(Clone, Debug)]
struct LogBatch {
    base_offset: Offset,
    epoch: LeaderEpoch,
    timestamp: i64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Control(Vec<ControlRecord>),
    Data(Vec<MetadataRecord>),
}

impl LogBatch {
    fn end_offset(&self) -> Offset {
        let count = match &self.content {
            Content::Control(records) => records.len(),
            Content::Data(records) => records.len(),
        };
        Offset(self.base_offset.0 + count as i64)
    }
}

/// What survives the process.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    election: ElectionState,
    /// The checkpoint at (0, 0) that formatting has written.
    checkpoint: [Vec<ControlRecord>; 2],
    log: Vec<LogBatch>,
}

impl Disk {
    /// A formatted directory.
    pub(crate) fn formatted() -> Disk {
        let voters = VoterSet::sole(local(), endpoints());
        let checkpoint = quorum::bootstrap_checkpoint(NOW, &voters);
        Disk { election: ElectionState::NONE, checkpoint, log: Vec::new() }
    }

    fn end_offset(&self) -> Offset {
        self.log.last().map_or(Offset(0), LogBatch::end_offset)
    }

    /// Reads it all, as a starting node does.
    fn found(&self) -> Found {
        let mut voters = Voters::default();
        for record in self.checkpoint.iter().flatten() {
            voters.on_control_record(None, record);
        }
        for batch in &self.log {
            let Content::Control(records) = &batch.content else { continue };
            for (offset, record) in (batch.base_offset.0..).map(Offset).zip(records) {
                voters.on_control_record(Some(offset), record);
            }
        }
        Found {
            election: self.election.clone(),
            log_start_offset: Offset(0),
            log_end_offset: self.end_offset(),
            log_end_epoch: self.log.last().map_or(LeaderEpoch(0), |batch| batch.epoch),
            log_bytes: 0,
            voters,
            snapshots: Vec::new(),
        }
    }

    /// All records of the cluster, in order.
    pub(crate) fn records(&self) -> Vec<MetadataRecord> {
        let data = |batch: &LogBatch| match &batch.content {
            Content::Data(records) => records.clone(),
            Content::Control(_) => Vec::new(),
        };
        self.log.iter().flat_map(data).collect()
    }
}

fn local() -> ReplicaKey {
    ReplicaKey { id: BrokerId(1), directory_id: DIRECTORY }
}

fn endpoints() -> VoterNode {
    VoterNode::local(vec![("CONTROLLER".into(), "localhost".into(), 9093)])
}

/// A running node.
pub(crate) struct Node {
    pub(crate) now: i64,
    disk: Disk,
    quorum: Quorum,
    loader: Loader,
    pub(crate) controller: Controller,
    /// Replies that were given, in order.
    replies: VecDeque<(RequestId, Result<ControllerResponse, ErrorCode>)>,
    /// What the images published since the last look have changed.
    pub(crate) published: Vec<Changes>,
    /// While set, nothing that is appended becomes durable.
    pub(crate) disk_is_slow: bool,
    next_request: RequestId,
}

impl Node {
    /// Starts a node on a disk, with Kafka's defaults.
    pub(crate) fn start(disk: Disk) -> Node {
        Node::start_with(disk, &[])
    }

    /// Starts a node with some keys set.
    pub(crate) fn start_with(disk: Disk, config: &[(&str, &str)]) -> Node {
        let settings = quorum::Settings {
            local: local(),
            endpoints: endpoints(),
            static_voters: VoterSet::default(),
            snapshots: quorum::SnapshotSettings {
                max_record_bytes_between_snapshots: u64::MAX,
                max_snapshot_interval_ms: 0,
                max_retention_bytes: -1,
                max_retention_ms: -1,
            },
        };
        let config = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("controller.listener.names", "CONTROLLER"),
        ]
        .iter()
        .chain(config);
        let config: ConfigMap = config.map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let controller = Controller::new(Settings {
            node_id: BrokerId(1),
            cluster_id: CLUSTER_ID.to_owned(),
            config: BrokerConfig::new(config).unwrap(),
            bootstrap: default_bootstrap_records(),
            seed: 42,
        });
        let mut node = Node {
            now: NOW,
            quorum: Quorum::open(NOW, settings, disk.found()).unwrap(),
            loader: Loader::new(Arc::new(Image::default())),
            disk,
            controller,
            replies: VecDeque::new(),
            published: Vec::new(),
            disk_is_slow: false,
            next_request: 0,
        };
        node.quorum_step(quorum::Input::Start);
        node
    }

    fn quorum_step(&mut self, input: quorum::Input) {
        let mut effects = Vec::new();
        self.quorum.step(self.now, input, &mut effects);
        self.quorum.check();
        for effect in effects {
            match effect {
                quorum::Effect::WriteElectionState { state, .. } => self.disk.election = state,
                quorum::Effect::AppendControl { base_offset, epoch, timestamp, records } => {
                    self.append(LogBatch {
                        base_offset,
                        epoch,
                        timestamp,
                        content: Content::Control(records),
                    });
                }
                quorum::Effect::HighWatermark(offset) => {
                    // Publish first, tell the controller second: whoever gets an answer sees what it says.
                    self.publish_until(offset);
                    self.controller_step(Input::Committed { offset });
                }
                quorum::Effect::BecameLeader { epoch } => {
                    let became_leader = Input::BecameLeader {
                        epoch,
                        image: self.loader.image().clone(),
                        next_offset: self.disk.end_offset(),
                        kraft_version: self.quorum.voters().kraft_version,
                        in_transaction: self.loader.is_in_transaction(),
                    };
                    self.controller_step(became_leader);
                }
                quorum::Effect::Resigned { .. } => self.controller_step(Input::Resigned),
                quorum::Effect::WriteSnapshot(_) | quorum::Effect::Clean { .. } => {}
            }
        }
    }

    fn controller_step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.controller.step(self.now, input, &mut effects);
        self.controller.check();
        for effect in effects {
            match effect {
                Effect::Append { epoch, base_offset, records } => {
                    let (timestamp, content) = (self.now, Content::Data(records));
                    self.append(LogBatch { base_offset, epoch, timestamp, content });
                }
                Effect::Reply { id, response } => self.replies.push_back((id, response)),
            }
        }
    }

    fn append(&mut self, batch: LogBatch) {
        assert_eq!(batch.base_offset, self.disk.end_offset());
        let end_offset = batch.end_offset();
        self.disk.log.push(batch);
        self.quorum_step(quorum::Input::Appended { end_offset, bytes: 100 });
        if !self.disk_is_slow {
            self.flush();
        }
    }

    /// Everything appended becomes durable.
    pub(crate) fn flush(&mut self) {
        self.quorum_step(quorum::Input::Flushed { end_offset: self.disk.end_offset() });
    }

    fn publish_until(&mut self, high_watermark: Offset) {
        let next = self.loader.next_offset();
        let committed = |batch: &&LogBatch| batch.base_offset >= next && batch.end_offset() <= high_watermark;
        for batch in self.disk.log.iter().filter(committed) {
            match &batch.content {
                Content::Control(_) => self.loader.skip_to(batch.end_offset(), batch.epoch, batch.timestamp),
                Content::Data(records) => {
                    let records = through_the_disk(records);
                    let (base_offset, epoch, timestamp) = (batch.base_offset, batch.epoch, batch.timestamp);
                    self.loader.load(&Batch { base_offset, epoch, timestamp, records }).unwrap();
                }
            }
        }
        self.published.extend(self.loader.publish().map(|(_, changes)| changes));
    }

    /// Sends a request that a broker has checked, and returns its number.
    pub(crate) fn send(&mut self, version: i16, request: ControllerRequest) -> RequestId {
        self.next_request += 1;
        let id = self.next_request;
        self.controller_step(Input::Request { id, version, forwarded: true, request });
        id
    }

    /// The oldest reply that nobody has taken yet.
    pub(crate) fn reply(&mut self) -> Option<(RequestId, Result<ControllerResponse, ErrorCode>)> {
        self.replies.pop_front()
    }

    /// Sends a request and takes the answer, which must be there at once.
    pub(crate) fn ask(&mut self, version: i16, request: ControllerRequest) -> ControllerResponse {
        let id = self.send(version, request);
        let (answered, response) = self.reply().expect("an answer");
        assert_eq!(answered, id);
        response.unwrap()
    }

    /// The timer goes off at the controller's deadline.
    pub(crate) fn sleep_until_deadline(&mut self) {
        self.now = self.controller.deadline().expect("a deadline");
        self.controller_step(Input::Timeout);
    }

    /// The published image.
    pub(crate) fn image(&self) -> &Arc<Image> {
        self.loader.image()
    }

    /// What was written since `from` records were there.
    pub(crate) fn records_since(&self, from: usize) -> Vec<MetadataRecord> {
        self.disk.records().split_off(from)
    }

    /// How many records there are.
    pub(crate) fn record_count(&self) -> usize {
        self.disk.records().len()
    }

    /// The process ends, cleanly or not; what it wrote stays.
    pub(crate) fn stop(mut self) -> Disk {
        self.quorum_step(quorum::Input::Shutdown);
        self.disk
    }

    /// The disk fails: the quorum resigns, and what was not durable is gone.
    pub(crate) fn fail_disk(&mut self) {
        self.quorum_step(quorum::Input::LogFailed);
    }

    /// Registers a broker and returns its epoch.
    pub(crate) fn register(
        &mut self,
        id: i32,
        rack: Option<&str>,
        incarnation: u8,
        previous_epoch: i64,
    ) -> i64 {
        let request = registration(id, rack, incarnation, previous_epoch);
        let ControllerResponse::BrokerRegistration(response) =
            self.ask(4, ControllerRequest::BrokerRegistration(request))
        else {
            panic!()
        };
        assert_eq!(response.error_code, 0);
        response.broker_epoch
    }

    /// One heartbeat of a broker that has applied everything that is published.
    pub(crate) fn heartbeat(&mut self, id: i32, epoch: i64, wishes: Wishes) -> BrokerHeartbeatResponse {
        let request = BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: epoch,
            current_metadata_offset: self.image().provenance().end_offset.0 - 1,
            want_fence: wishes == Wishes::Fence,
            want_shut_down: wishes == Wishes::ShutDown,
            ..Default::default()
        };
        match self.ask(2, ControllerRequest::BrokerHeartbeat(request)) {
            ControllerResponse::BrokerHeartbeat(response) => response,
            other => panic!("{other:?}"),
        }
    }

    /// Registers a broker and brings it into service.
    pub(crate) fn join(&mut self, id: i32, rack: Option<&str>) -> i64 {
        let epoch = self.register(id, rack, 1, -1);
        assert!(!self.heartbeat(id, epoch, Wishes::Serve).is_fenced);
        epoch
    }

    /// Creates a topic, which must be possible.
    pub(crate) fn create_topic(&mut self, name: &str, num_partitions: i32, replication_factor: i16) -> Uuid {
        let topic = create_topics_request::CreatableTopic {
            name: name.into(),
            num_partitions,
            replication_factor,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        match self.ask(7, ControllerRequest::CreateTopics(request)) {
            ControllerResponse::CreateTopics(response) => {
                assert_eq!(response.topics[0].error_code, 0, "{response:?}");
                response.topics[0].topic_id
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What a broker wishes when it sends a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wishes {
    Serve,
    Fence,
    ShutDown,
}

/// The registration that a broker of Kafka 4.3.1 sends.
pub(crate) fn registration(
    id: i32,
    rack: Option<&str>,
    incarnation: u8,
    previous_broker_epoch: i64,
) -> BrokerRegistrationRequest {
    let feature = |feature: &ottla_metadata::Feature| broker_registration_request::Feature {
        name: feature.name.into(),
        min_supported_version: feature.supported.min,
        max_supported_version: feature.supported.max,
        ..Default::default()
    };
    let listener = broker_registration_request::Listener {
        name: "PLAINTEXT".into(),
        host: "localhost".into(),
        port: 9092,
        ..Default::default()
    };
    BrokerRegistrationRequest {
        broker_id: id,
        cluster_id: CLUSTER_ID.into(),
        incarnation_id: incarnation_id(id, incarnation),
        listeners: vec![listener],
        features: FEATURES.iter().map(feature).collect(),
        rack: rack.map(Into::into),
        log_dirs: vec![directory_of(id)],
        previous_broker_epoch,
        ..Default::default()
    }
}

/// The only log directory of a broker.
pub(crate) fn directory_of(id: i32) -> Uuid {
    if id == 1 { DIRECTORY } else { Uuid((1u128 << 64 | id as u128).to_be_bytes()) }
}

fn incarnation_id(id: i32, incarnation: u8) -> Uuid {
    Uuid((u128::from(incarnation) << 96 | 1u128 << 64 | id as u128).to_be_bytes())
}

/// Records as another node reads them.
fn through_the_disk(records: &[MetadataRecord]) -> Vec<MetadataRecord> {
    records.iter().map(|record| MetadataRecord::decode(&record.to_bytes()).unwrap()).collect()
}
