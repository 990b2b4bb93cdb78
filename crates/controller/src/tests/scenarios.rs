//! Runs the stories in `src/scenarios`; their README says how they read.

use super::node::{Disk, Node, Wishes, registration};
use crate::{ControllerRequest, ControllerResponse};
use ottla_metadata::{Image, MetadataRecord, Partition};
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, ErrorCode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// A story in progress.
struct Story {
    node: Option<Node>,
    /// Incarnation of each broker.
    incarnations: BTreeMap<i32, u8>,
}

impl Story {
    fn node(&mut self) -> &mut Node {
        self.node.as_mut().expect("the node is only away while it restarts")
    }

    fn epoch(&mut self, broker: i32) -> i64 {
        self.node().image().broker(BrokerId(broker)).map_or(-1, |broker| broker.epoch)
    }

    /// Does it, and says what was answered.
    fn run(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["register", id, ref options @ ..] => self.register(number(id), options),
            ["serve", id] => self.heartbeat(number(id), Wishes::Serve),
            ["fence", id] => self.heartbeat(number(id), Wishes::Fence),
            ["shut-down", id] => self.heartbeat(number(id), Wishes::ShutDown),
            ["create", name, partitions, replicas, ref configs @ ..] => {
                let topic = create_topics_request::CreatableTopic {
                    name: name.into(),
                    num_partitions: number(partitions),
                    replication_factor: number(replicas),
                    configs: configs.iter().map(|config| creation_config(config)).collect(),
                    ..Default::default()
                };
                self.create(topic)
            }
            ["assign", name, ref lists @ ..] => {
                let assignment =
                    |(index, list): (i32, &&str)| create_topics_request::CreatableReplicaAssignment {
                        partition_index: index,
                        broker_ids: ids(list),
                        ..Default::default()
                    };
                let topic = create_topics_request::CreatableTopic {
                    name: name.into(),
                    num_partitions: -1,
                    replication_factor: -1,
                    assignments: (0..).zip(lists).map(assignment).collect(),
                    ..Default::default()
                };
                self.create(topic)
            }
            ["isr", partition, list] => self.alter_isr(partition, &ids(list)),
            ["elect", kind] => self.elect(kind == "unclean"),
            ["set", name, config] => {
                let (key, value) = config.split_once('=').expect("key=value");
                let resource = super::configs::resource(2, name, &[(key, 0, Some(value))]);
                let request =
                    IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
                match self.node().ask(1, ControllerRequest::IncrementalAlterConfigs(request)) {
                    ControllerResponse::IncrementalAlterConfigs(response) => answer(
                        response.responses[0].error_code,
                        response.responses[0].error_message.as_deref(),
                    ),
                    other => panic!("{other:?}"),
                }
            }
            ["sleep", ms] => {
                let node = self.node();
                let until = node.now + number::<i64>(ms);
                while node.controller.deadline().is_some_and(|at| at <= until) {
                    node.sleep_until_deadline();
                }
                node.now = until;
                String::new()
            }
            ["restart"] => {
                let node = self.node.take().expect("it runs");
                let now = node.now;
                let node = self.node.insert(Node::start(node.stop()));
                node.now = now;
                String::new()
            }
            ["show", name] => {
                let topic = self.node().image().topic_by_name(name).expect("a topic").clone();
                let lines = topic.partitions.iter().map(|(index, partition)| show(name, *index, partition));
                lines.collect::<Vec<String>>().join("\n")
            }
            _ => panic!("no such command: {command}"),
        }
    }

    fn register(&mut self, id: i32, options: &[&str]) -> String {
        let option =
            |name: &str| options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
        let incarnation = self.incarnations.entry(id).or_default();
        *incarnation += 1;
        let previous = option("after").map_or(-1, number);
        let request = registration(id, option("rack"), *incarnation, previous);
        match self.node().ask(4, ControllerRequest::BrokerRegistration(request)) {
            ControllerResponse::BrokerRegistration(response) if response.error_code == 0 => {
                format!("epoch {}", response.broker_epoch)
            }
            ControllerResponse::BrokerRegistration(response) => answer(response.error_code, None),
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat(&mut self, id: i32, wishes: Wishes) -> String {
        let epoch = self.epoch(id);
        let response = self.node().heartbeat(id, epoch, wishes);
        match (response.error_code, response.should_shut_down, response.is_fenced) {
            (0, true, _) => "may shut down".to_owned(),
            (0, false, true) => "fenced".to_owned(),
            (0, false, false) => "in service".to_owned(),
            (error, ..) => answer(error, None),
        }
    }

    fn create(&mut self, topic: create_topics_request::CreatableTopic) -> String {
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        match self.node().ask(7, ControllerRequest::CreateTopics(request)) {
            ControllerResponse::CreateTopics(response) => {
                answer(response.topics[0].error_code, response.topics[0].error_message.as_deref())
            }
            other => panic!("{other:?}"),
        }
    }

    fn alter_isr(&mut self, partition: &str, isr: &[i32]) -> String {
        let (name, index) = partition.rsplit_once('-').expect("topic-partition");
        let index: i32 = number(index);
        let topic = self.node().image().topic_by_name(name).expect("a topic").clone();
        let partition = &topic.partitions[&index];
        let leader = partition.leader.expect("a leader").0;
        let state = |broker_id: &i32| alter_partition_request::BrokerState {
            broker_id: *broker_id,
            broker_epoch: -1,
            ..Default::default()
        };
        let data = alter_partition_request::PartitionData {
            partition_index: index,
            leader_epoch: partition.leader_epoch.0,
            partition_epoch: partition.partition_epoch,
            new_isr_with_epochs: isr.iter().map(state).collect(),
            ..Default::default()
        };
        let request = AlterPartitionRequest {
            broker_id: leader,
            broker_epoch: self.epoch(leader),
            topics: vec![alter_partition_request::TopicData {
                topic_id: topic.id,
                partitions: vec![data],
                ..Default::default()
            }],
            ..Default::default()
        };
        match self.node().ask(3, ControllerRequest::AlterPartition(request)) {
            ControllerResponse::AlterPartition(response) => {
                answer(response.topics[0].partitions[0].error_code, None)
            }
            other => panic!("{other:?}"),
        }
    }

    fn elect(&mut self, unclean: bool) -> String {
        let request = ElectLeadersRequest {
            election_type: i8::from(unclean),
            topic_partitions: None,
            timeout_ms: 1,
            ..Default::default()
        };
        let ControllerResponse::ElectLeaders(response) =
            self.node().ask(2, ControllerRequest::ElectLeaders(request))
        else {
            panic!()
        };
        let mut lines = Vec::new();
        for topic in &response.replica_election_results {
            for result in &topic.partition_result {
                let name = ErrorCode::from_code(result.error_code).name();
                lines.push(format!("{}-{}: {name}", topic.topic, result.partition_id));
            }
        }
        lines.join("\n")
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(word: &str) -> T {
    word.parse().expect("a number")
}

fn ids(list: &str) -> Vec<i32> {
    list.split(',').map(number).collect()
}

fn creation_config(config: &str) -> create_topics_request::CreatableTopicConfig {
    let (name, value) = config.split_once('=').expect("key=value");
    create_topics_request::CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
        ..Default::default()
    }
}

fn answer(code: i16, message: Option<&str>) -> String {
    match message {
        _ if code == 0 => String::new(),
        Some(message) => format!("{}: {message}", ErrorCode::from_code(code).name()),
        None => ErrorCode::from_code(code).name().to_owned(),
    }
}

fn show(name: &str, index: i32, partition: &Partition) -> String {
    let leader = partition.leader.map_or("none".to_owned(), |leader| leader.to_string());
    let mut line = format!(
        "{name}-{index} replicas {:?} leader {leader} epoch {} isr {:?}",
        partition.replicas, partition.leader_epoch, partition.isr
    );
    for (what, ids) in [("elr", &partition.elr), ("last known", &partition.last_known_elr)] {
        if !ids.is_empty() {
            write!(line, " {what} {ids:?}").unwrap();
        }
    }
    if partition.leader_recovery_state as i8 != 0 {
        line.push_str(" recovering");
    }
    line
}

/// A record in few words: only what it says.
fn brief(image: &Image, record: &MetadataRecord) -> String {
    use MetadataRecord as R;
    let name = record.name().trim_end_matches("Record");
    let topic = |id| image.topic(id).map_or_else(|| id.to_string(), |topic| topic.name.to_string());
    match record {
        R::RegisterBroker(r) => format!("{name} {} epoch {}", r.broker_id, r.broker_epoch),
        R::UnregisterBroker(r) => format!("{name} {}", r.broker_id),
        R::BrokerRegistrationChange(r) => {
            let fenced = [" unfenced", "", " fenced"][(r.fenced + 1) as usize];
            let shuts_down = if r.in_controlled_shutdown == 1 { " in controlled shutdown" } else { "" };
            format!("{name} {}{fenced}{shuts_down}", r.broker_id)
        }
        R::Topic(r) => format!("{name} {}", r.name),
        R::Config(r) => format!("{name} {}: {}={:?}", r.resource_name, r.name, r.value.as_deref()),
        R::ClearElr(r) => format!("{name} {}", r.topic_name),
        R::Partition(r) => format!(
            "{name} {}-{} replicas {:?} leader {} isr {:?}",
            topic(r.topic_id),
            r.partition_id,
            r.replicas,
            r.leader,
            r.isr
        ),
        R::PartitionChange(r) => {
            let mut text = format!("{name} {}-{}", topic(r.topic_id), r.partition_id);
            if r.leader != -2 {
                write!(text, " leader {}", r.leader).unwrap();
            }
            let lists = [
                ("isr", &r.isr),
                ("elr", &r.eligible_leader_replicas),
                ("last known", &r.last_known_elr),
                ("replicas", &r.replicas),
            ];
            for (what, list) in lists {
                if let Some(list) = list {
                    write!(text, " {what} {list:?}").unwrap();
                }
            }
            if r.leader_recovery_state != -1 {
                text.push_str([" recovered", " recovering"][r.leader_recovery_state as usize]);
            }
            text
        }
        _ => name.to_owned(),
    }
}

/// Runs a story and gives it back with what happens now.
fn tell(story: &str) -> String {
    let mut state = Story { node: Some(Node::start(Disk::formatted())), incarnations: BTreeMap::new() };
    let mut told = String::new();
    for line in story.lines().filter(|line| !line.starts_with("  ")) {
        writeln!(told, "{line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let count = state.node().record_count();
        let answered = state.run(line);
        let node = state.node();
        let records = node.records_since(count);
        let records = records.iter().map(|record| brief(node.image(), record));
        for line in answered.lines().map(str::to_owned).chain(records) {
            writeln!(told, "  {line}").unwrap();
        }
    }
    told
}

#[test]
fn scenarios() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        count += 1;
        let story = std::fs::read_to_string(&path).unwrap();
        let told = tell(&story);
        if std::env::var_os("UPDATE_SCENARIOS").is_some() {
            std::fs::write(&path, told).unwrap();
        } else {
            assert_eq!(story, told, "{}", path.display());
        }
    }
    assert!(count > 0, "no stories in {}", dir.display());
}
