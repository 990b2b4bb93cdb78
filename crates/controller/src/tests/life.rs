//! The life of one node: first start, a topic, a clean restart, a crash.

use super::node::{Disk, NOW, Node, Wishes, directory_of};
use crate::*;
use ottla_metadata::{ConfigResource, LeaderRecoveryState, MetadataRecord};
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, ErrorCode, LeaderEpoch, Offset};

fn names(records: &[MetadataRecord]) -> Vec<&'static str> {
    records.iter().map(MetadataRecord::name).collect()
}

#[test]
fn one_node_lives_from_an_empty_log_to_a_restart() {
    // The quorum elects the node, and the controller gives the cluster its features.
    let mut node = Node::start(Disk::formatted());
    let bootstrap = [
        "BeginTransactionRecord",
        "FeatureLevelRecord",
        "FeatureLevelRecord",
        "FeatureLevelRecord",
        "FeatureLevelRecord",
        "FeatureLevelRecord",
        "FeatureLevelRecord",
        "ConfigRecord",
        "EndTransactionRecord",
    ];
    assert_eq!(names(&node.records_since(0)), bootstrap);
    assert_eq!(node.image().features().level("metadata.version"), 30);
    assert_eq!(node.image().config(&ConfigResource::default_broker())["min.insync.replicas"], "1");
    // Three control records come first, then the nine above.
    assert_eq!(node.image().provenance().end_offset, Offset(12));

    // The broker registers and is unfenced once it has seen its own registration.
    let epoch = node.register(1, None, 1, -1);
    assert_eq!(epoch, 12);
    assert!(node.image().broker(BrokerId(1)).unwrap().fenced);
    assert_eq!(node.image().alive_brokers().count(), 0);
    let answer = node.heartbeat(1, epoch, Wishes::Fence);
    assert!(answer.is_caught_up && answer.is_fenced);
    let answer = node.heartbeat(1, epoch, Wishes::Serve);
    assert!(!answer.is_fenced);
    assert_eq!(node.image().alive_brokers().count(), 1);

    // A topic: the answer comes when the image has it.
    node.published.clear();
    let id = node.create_topic("my-topic", 3, 1);
    let topic = node.image().topic_by_name("my-topic").unwrap().clone();
    assert_eq!((topic.id, topic.partitions.len()), (id, 3));
    for partition in topic.partitions.values() {
        assert_eq!(partition.leader, Some(BrokerId(1)));
        assert_eq!((partition.leader_epoch, partition.partition_epoch), (LeaderEpoch(0), 0));
        assert_eq!(partition.directories, [directory_of(1)]);
    }
    let [changes] = &node.published[..] else { panic!("{:?}", node.published) };
    assert!(changes.topics_created.contains(&id));
    assert_eq!(changes.partitions[&id].len(), 3);
    assert!(changes.brokers.is_empty() && changes.configs.is_empty());

    // A clean stop: leaderships move away, to nobody here, then the broker may go.
    assert!(!node.heartbeat(1, epoch, Wishes::ShutDown).should_shut_down);
    assert!(node.image().broker(BrokerId(1)).unwrap().in_controlled_shutdown);
    let partition = node.image().partition(id, 0).unwrap().clone();
    assert_eq!(
        (partition.leader, &partition.isr[..], &partition.elr[..]),
        (None, &[][..], &[BrokerId(1)][..])
    );
    assert!(node.heartbeat(1, epoch, Wishes::ShutDown).should_shut_down);
    let disk = node.stop();

    // Everything is there again, and the broker, which says that it stopped cleanly, leads without loss.
    let mut node = Node::start(disk);
    let count = node.record_count();
    assert_eq!(node.image().topic_by_name("my-topic").unwrap().id, id);
    let new_epoch = node.register(1, None, 2, epoch);
    assert!(new_epoch > epoch);
    node.heartbeat(1, new_epoch, Wishes::Serve);
    let partition = node.image().partition(id, 0).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch), (Some(BrokerId(1)), LeaderEpoch(2)));
    assert_eq!((partition.isr.len(), partition.elr.len(), partition.last_known_elr.len()), (1, 0, 0));
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovered);
    let expect = [
        "RegisterBrokerRecord",
        "BrokerRegistrationChangeRecord",
        "PartitionChangeRecord",
        "PartitionChangeRecord",
        "PartitionChangeRecord",
    ];
    assert_eq!(names(&node.records_since(count)), expect);
}

#[test]
fn after_a_crash_the_broker_registers_at_once_and_leads_in_a_later_epoch() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    let id = node.create_topic("t", 1, 1);
    let mut node = Node::start(node.stop());

    // Kafka would answer DUPLICATE_BROKER_REGISTRATION until the session of the dead incarnation has run out.
    let epoch = node.register(1, None, 2, -1);
    let partition = node.image().partition(id, 0).unwrap();
    assert_eq!((partition.leader, partition.isr.len(), partition.elr.len()), (None, 0, 0));
    assert_eq!(partition.last_known_elr, [BrokerId(1)]);
    node.heartbeat(1, epoch, Wishes::Serve);
    let partition = node.image().partition(id, 0).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch), (Some(BrokerId(1)), LeaderEpoch(2)));
    assert_eq!((partition.isr.len(), partition.last_known_elr.len()), (1, 0));
    // It may have lost what was not flushed, and says so until the leader has looked.
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovering);
}

#[test]
fn answers_wait_for_the_commit_and_leave_in_order() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.join(1, None);
    node.disk_is_slow = true;
    let ids: Vec<RequestId> = [1, 2]
        .map(|_| {
            let request =
                AllocateProducerIdsRequest { broker_id: 1, broker_epoch: epoch, ..Default::default() };
            node.send(0, ControllerRequest::AllocateProducerIds(request))
        })
        .to_vec();
    // Reads see what was written before them, so they wait for it too.
    let list = ControllerRequest::ListPartitionReassignments(Default::default());
    let read = node.send(0, list);
    assert_eq!(node.reply(), None);
    node.flush();
    let mut starts = Vec::new();
    for id in ids {
        let Some((answered, Ok(ControllerResponse::AllocateProducerIds(response)))) = node.reply() else {
            panic!()
        };
        assert_eq!(answered, id);
        starts.push(response.producer_id_start);
    }
    assert_eq!(starts, [0, 1000]);
    assert_eq!(node.reply().unwrap().0, read);
}

#[test]
fn a_controller_that_resigns_refuses_what_was_not_committed_and_forgets_it() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.join(1, None);
    node.disk_is_slow = true;
    let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch: epoch, ..Default::default() };
    let id = node.send(0, ControllerRequest::AllocateProducerIds(request.clone()));
    node.fail_disk();
    assert_eq!(node.reply(), Some((id, Err(ErrorCode::NotController))));
    assert!(!node.controller.is_active());
    let id = node.send(0, ControllerRequest::AllocateProducerIds(request));
    assert_eq!(node.reply(), Some((id, Err(ErrorCode::NotController))));
    assert_eq!(node.controller.deadline(), None);
}

#[test]
fn nothing_is_written_when_nothing_happens() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.join(1, None);
    node.create_topic("t", 1, 1);
    let count = node.record_count();
    for _ in 0..100 {
        node.now += 2000;
        node.heartbeat(1, epoch, Wishes::Serve);
    }
    assert_eq!(node.record_count(), count);
    // The only broker there is needs no timer: nobody could take over from it.
    assert_eq!(node.controller.deadline(), None);
}

#[test]
fn an_open_transaction_of_the_previous_leader_is_aborted() {
    let mut controller = Node::start(Disk::formatted()).controller;
    let mut effects = Vec::new();
    let image = std::sync::Arc::new(controller.written_image().unwrap().clone());
    let became_leader = Input::BecameLeader {
        epoch: LeaderEpoch(9),
        next_offset: Offset(20),
        image,
        kraft_version: 1,
        in_transaction: true,
    };
    controller.step(NOW, became_leader, &mut effects);
    let [Effect::Append { epoch: LeaderEpoch(9), base_offset: Offset(20), records }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(names(records), ["AbortTransactionRecord"]);
}
