//! Whatever happens to a cluster: the written image is what the log gives, a snapshot with the rest of the log is the whole
//! log, and the invariants hold (`check` runs after every step).

use super::node::{Disk, Node, Wishes, registration};
use crate::ControllerRequest;
use ottla_metadata::{Image, Loader, MetadataRecord, Provenance};
use ottla_protocol::messages::*;
use ottla_protocol::{LeaderEpoch, Offset};
use proptest::prelude::*;
use std::sync::Arc;

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Register { broker: i32, incarnation: u8, was_clean: bool },
    Heartbeat { broker: i32, wishes: Wishes },
    Silence { ms: i64 },
    CreateTopic { topic: u8, partitions: i32, replicas: i16 },
    DeleteTopic { topic: u8 },
    AddPartitions { topic: u8, count: i32 },
    SetConfig { topic: u8, value: Option<u32> },
    ShrinkIsr { topic: u8 },
    Elect { unclean: bool },
    ProducerIds { broker: i32 },
    Unregister { broker: i32 },
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let wishes = prop_oneof![8 => Just(Wishes::Serve), 1 => Just(Wishes::Fence), 1 => Just(Wishes::ShutDown)];
    prop_oneof![
        4 => (1..4, 1..4u8, any::<bool>())
            .prop_map(|(broker, incarnation, was_clean)| Event::Register { broker, incarnation, was_clean }),
        8 => (1..4, wishes).prop_map(|(broker, wishes)| Event::Heartbeat { broker, wishes }),
        2 => (0..12_000i64).prop_map(|ms| Event::Silence { ms }),
        4 => (0..5u8, 1..4, 1..4i16)
            .prop_map(|(topic, partitions, replicas)| Event::CreateTopic { topic, partitions, replicas }),
        1 => (0..5u8).prop_map(|topic| Event::DeleteTopic { topic }),
        1 => (0..5u8, 1..6).prop_map(|(topic, count)| Event::AddPartitions { topic, count }),
        2 => (0..5u8, proptest::option::of(1..9u32)).prop_map(|(topic, value)| Event::SetConfig { topic, value }),
        2 => (0..5u8).prop_map(|topic| Event::ShrinkIsr { topic }),
        1 => any::<bool>().prop_map(|unclean| Event::Elect { unclean }),
        1 => (1..4).prop_map(|broker| Event::ProducerIds { broker }),
        1 => (1..4).prop_map(|broker| Event::Unregister { broker }),
        1 => Just(Event::Restart),
    ]
}

fn name(topic: u8) -> String {
    format!("topic-{topic}")
}

fn epoch(node: &Node, broker: i32) -> i64 {
    node.image().broker(ottla_protocol::BrokerId(broker)).map_or(-1, |broker| broker.epoch)
}

/// Lets it happen. Refusals are fine; what matters is what holds afterwards.
fn happen(mut node: Node, event: &Event) -> Node {
    let request = match *event {
        Event::Restart => {
            let now = node.now;
            let mut node = Node::start(node.stop());
            node.now = now;
            return node;
        }
        Event::Silence { ms } => {
            node.now += ms;
            if node.controller.deadline().is_some_and(|at| at <= node.now) {
                node.sleep_until_deadline();
            }
            return node;
        }
        Event::Heartbeat { broker, wishes } => {
            let broker_epoch = epoch(&node, broker);
            node.heartbeat(broker, broker_epoch, wishes);
            return node;
        }
        Event::Register { broker, incarnation, was_clean } => {
            let previous = if was_clean { epoch(&node, broker) } else { -1 };
            ControllerRequest::BrokerRegistration(registration(broker, None, incarnation, previous))
        }
        Event::CreateTopic { topic, partitions, replicas } => {
            let topic = create_topics_request::CreatableTopic {
                name: name(topic).into(),
                num_partitions: partitions,
                replication_factor: replicas,
                ..Default::default()
            };
            ControllerRequest::CreateTopics(CreateTopicsRequest { topics: vec![topic], ..Default::default() })
        }
        Event::DeleteTopic { topic } => ControllerRequest::DeleteTopics(DeleteTopicsRequest {
            topic_names: vec![name(topic).into()],
            timeout_ms: 1,
            ..Default::default()
        }),
        Event::AddPartitions { topic, count } => {
            let topic = create_partitions_request::CreatePartitionsTopic {
                name: name(topic).into(),
                count,
                assignments: None,
                ..Default::default()
            };
            let request =
                CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1, ..Default::default() };
            ControllerRequest::CreatePartitions(request)
        }
        Event::SetConfig { topic, value } => {
            let value = value.map(|value| value.to_string());
            let op = ("min.insync.replicas", i8::from(value.is_none()), value.as_deref());
            ControllerRequest::IncrementalAlterConfigs(IncrementalAlterConfigsRequest {
                resources: vec![super::configs::resource(2, &name(topic), &[op])],
                ..Default::default()
            })
        }
        Event::ShrinkIsr { topic } => {
            let Some(topic) = node.image().topic_by_name(&name(topic)) else { return node };
            let partition = &topic.partitions[&0];
            let Some(leader) = partition.leader else { return node };
            let data = alter_partition_request::PartitionData {
                leader_epoch: partition.leader_epoch.0,
                partition_epoch: partition.partition_epoch,
                new_isr_with_epochs: vec![alter_partition_request::BrokerState {
                    broker_id: leader.0,
                    broker_epoch: -1,
                    ..Default::default()
                }],
                ..Default::default()
            };
            let topic = alter_partition_request::TopicData {
                topic_id: topic.id,
                partitions: vec![data],
                ..Default::default()
            };
            ControllerRequest::AlterPartition(AlterPartitionRequest {
                broker_id: leader.0,
                broker_epoch: epoch(&node, leader.0),
                topics: vec![topic],
                ..Default::default()
            })
        }
        Event::Elect { unclean } => ControllerRequest::ElectLeaders(ElectLeadersRequest {
            election_type: i8::from(unclean),
            topic_partitions: None,
            timeout_ms: 1,
            ..Default::default()
        }),
        Event::ProducerIds { broker } => ControllerRequest::AllocateProducerIds(AllocateProducerIdsRequest {
            broker_id: broker,
            broker_epoch: epoch(&node, broker),
            ..Default::default()
        }),
        Event::Unregister { broker } => ControllerRequest::UnregisterBroker(UnregisterBrokerRequest {
            broker_id: broker,
            ..Default::default()
        }),
    };
    node.ask(5, request);
    node
}

/// The image of records from an empty one. Marks of transactions are the loader's business, not the delta's.
fn replay(image: &Image, records: &[MetadataRecord]) -> Image {
    let is_mark = |record: &&MetadataRecord| {
        matches!(record, MetadataRecord::BeginTransaction(_) | MetadataRecord::EndTransaction(_))
    };
    let records = records.iter().filter(|record| !is_mark(record));
    image.apply(Offset(0), LeaderEpoch(0), 0, records).unwrap().0
}

/// What two images say, wherever they come from.
fn content(image: &Image) -> Vec<MetadataRecord> {
    image.to_records()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_images_agree(events in proptest::collection::vec(event(), 1..120), cut in any::<prop::sample::Index>()) {
        let mut node = Node::start(Disk::formatted());
        for event in &events {
            node = happen(node, event);
            // Written, committed and published are the same here, since every append is durable at once.
            prop_assert_eq!(content(node.controller.written_image().unwrap()), content(node.image()));
        }
        let records = node.records_since(0);
        let whole = replay(&Image::default(), &records);
        prop_assert_eq!(content(&whole), content(node.image()));

        // A snapshot in the middle, written to disk and read back, and the rest of the log on top of it.
        let (head, tail) = records.split_at(cut.index(records.len()));
        let head = replay(&Image::default(), head);
        let snapshot: Vec<MetadataRecord> =
            head.to_records().iter().map(|record| MetadataRecord::decode(&record.to_bytes()).unwrap()).collect();
        let loader = Loader::from_snapshot(Provenance::default(), &snapshot).unwrap();
        prop_assert_eq!(content(loader.image()), content(&head));
        prop_assert_eq!(content(&replay(&Arc::clone(loader.image()), tail)), content(&whole));
    }
}
