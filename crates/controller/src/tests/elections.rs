//! ElectLeaders, and the election that brokers' comings and goings bring about.

use super::node::{Disk, Node, Wishes};
use crate::{ControllerRequest, ControllerResponse};
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, Uuid};

fn elect(node: &mut Node, election_type: i8, asked: Option<&[(&str, &[i32])]>) -> ElectLeadersResponse {
    let topic = |(topic, partitions): &(&str, &[i32])| TopicPartitions {
        topic: (*topic).into(),
        partitions: partitions.to_vec(),
        ..Default::default()
    };
    let request = ElectLeadersRequest {
        election_type,
        topic_partitions: asked.map(|topics| topics.iter().map(topic).collect()),
        timeout_ms: 1000,
        ..Default::default()
    };
    match node.ask(2, ControllerRequest::ElectLeaders(request)) {
        ControllerResponse::ElectLeaders(response) => response,
        other => panic!("{other:?}"),
    }
}

fn answers(response: &ElectLeadersResponse) -> Vec<(String, i32, i16, String)> {
    let topics = response.replica_election_results.iter();
    topics
        .flat_map(|topic| {
            topic.partition_result.iter().map(|p| {
                let message = p.error_message.as_deref().unwrap_or_default().to_owned();
                (topic.topic.to_string(), p.partition_id, p.error_code, message)
            })
        })
        .collect()
}

fn leader(node: &Node, id: Uuid) -> Option<BrokerId> {
    node.image().partition(id, 0).unwrap().leader
}

#[test]
fn elections_nobody_needs_and_partitions_nobody_knows_are_refused() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.create_topic("t", 1, 1);
    let response = elect(&mut node, 0, Some(&[("t", &[0, 99]), ("nope", &[0])]));
    let expect = [
        ("t".to_owned(), 0, 84, "Leader election not needed for topic partition.".to_owned()),
        ("t".to_owned(), 99, 3, "No such partition as t-99".to_owned()),
        ("nope".to_owned(), 0, 3, "No such topic as nope".to_owned()),
    ];
    assert_eq!(answers(&response), expect);
    let response = elect(&mut node, 7, Some(&[("t", &[0])]));
    assert_eq!(response.error_code, 42);
    assert_eq!(answers(&response), [("t".to_owned(), 0, 42, "Unknown election type 7".to_owned())]);
    assert_eq!(answers(&elect(&mut node, 0, None)), []);
}

#[test]
fn the_preferred_leader_gets_its_partition_back() {
    let mut node = Node::start(Disk::formatted());
    let epochs = [node.join(1, None), node.join(2, None)];
    let id = node.create_topic("t", 1, 2);
    let preferred = leader(&node, id).unwrap();
    let epoch = epochs[preferred.0 as usize - 1];
    node.heartbeat(preferred.0, epoch, Wishes::Fence);
    assert_ne!(leader(&node, id), Some(preferred));
    let unavailable = [("t".to_owned(), 0, 80, "The preferred leader was not available.".to_owned())];
    assert_eq!(answers(&elect(&mut node, 0, None)), unavailable);

    // Back in service, but not in sync yet: it cannot lead.
    node.heartbeat(preferred.0, epoch, Wishes::Serve);
    assert_eq!(answers(&elect(&mut node, 0, Some(&[("t", &[0])])))[0].2, 80);
    let partition = node.image().partition(id, 0).unwrap();
    let other = partition.leader.unwrap();
    let state = |id: BrokerId| alter_partition_request::BrokerState {
        broker_id: id.0,
        broker_epoch: -1,
        ..Default::default()
    };
    let data = alter_partition_request::PartitionData {
        leader_epoch: partition.leader_epoch.0,
        partition_epoch: partition.partition_epoch,
        new_isr_with_epochs: vec![state(other), state(preferred)],
        ..Default::default()
    };
    let topic =
        alter_partition_request::TopicData { topic_id: id, partitions: vec![data], ..Default::default() };
    let request = AlterPartitionRequest {
        broker_id: other.0,
        broker_epoch: epochs[other.0 as usize - 1],
        topics: vec![topic],
        ..Default::default()
    };
    node.ask(3, ControllerRequest::AlterPartition(request));
    assert_eq!(answers(&elect(&mut node, 0, None)), [("t".to_owned(), 0, 0, String::new())]);
    assert_eq!(leader(&node, id), Some(preferred));
}

/// A partition of two replicas whose follower went first and whose leader went then. Returns the node, the topic, and
/// both brokers with their epochs.
fn leaderless(config: &[(&str, &str)]) -> (Node, Uuid, [(i32, i64); 2]) {
    let mut node = Node::start_with(Disk::formatted(), config);
    let epochs = [node.join(1, None), node.join(2, None)];
    let id = node.create_topic("t", 1, 2);
    let last = leader(&node, id).unwrap().0;
    let broker = |id: i32| (id, epochs[id as usize - 1]);
    let brokers = [broker(3 - last), broker(last)];
    for (id, epoch) in brokers {
        node.heartbeat(id, epoch, Wishes::Fence);
    }
    (node, id, brokers)
}

#[test]
fn a_partition_waits_for_a_replica_that_has_everything() {
    let (mut node, id, [follower, last]) = leaderless(&[]);
    let partition = node.image().partition(id, 0).unwrap();
    assert_eq!((partition.leader, &partition.elr[..]), (None, &[BrokerId(last.0)][..]));
    // The follower left the ISR before, so it may lack what was committed since.
    node.heartbeat(follower.0, follower.1, Wishes::Serve);
    assert_eq!(leader(&node, id), None);
    assert_eq!(answers(&elect(&mut node, 0, None))[0].2, 80);
    node.heartbeat(last.0, last.1, Wishes::Serve);
    let partition = node.image().partition(id, 0).unwrap();
    assert_eq!((partition.leader, partition.leader_recovery_state as i8), (Some(BrokerId(last.0)), 0));
}

#[test]
fn an_unclean_election_is_made_when_asked_for_or_when_the_configuration_wants_it() {
    for unclean_enabled in [false, true] {
        let config = [("unclean.leader.election.enable", if unclean_enabled { "true" } else { "false" })];
        let (mut node, id, [follower, _]) = leaderless(&config);
        node.heartbeat(follower.0, follower.1, Wishes::Serve);
        if !unclean_enabled {
            assert_eq!(leader(&node, id), None);
            assert_eq!(answers(&elect(&mut node, 1, None)), [("t".to_owned(), 0, 0, String::new())]);
        }
        let partition = node.image().partition(id, 0).unwrap();
        assert_eq!(partition.leader, Some(BrokerId(follower.0)));
        assert_eq!((partition.isr.len(), partition.elr.len()), (1, 0));
        assert_eq!(partition.leader_recovery_state as i8, 1);
        assert_eq!(answers(&elect(&mut node, 1, Some(&[("t", &[0])])))[0].2, 84);
    }
}

#[test]
fn nobody_is_reassigned() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.create_topic("t", 1, 1);
    let request = ListPartitionReassignmentsRequest { topics: None, ..Default::default() };
    let ControllerResponse::ListPartitionReassignments(response) =
        node.ask(0, ControllerRequest::ListPartitionReassignments(request))
    else {
        panic!()
    };
    assert_eq!((response.error_code, response.error_message, response.topics.len()), (0, None, 0));
}
