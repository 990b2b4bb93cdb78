//! CreatePartitions: answers as Kafka 4.3.1 gave them to the same requests.

use super::node::{Disk, Node};
use crate::{ControllerRequest, ControllerResponse};
use ottla_protocol::LeaderEpoch;
use ottla_protocol::messages::create_partitions_request::*;

fn topic(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment =
        |brokers: &&[i32]| CreatePartitionsAssignment { broker_ids: brokers.to_vec(), ..Default::default() };
    CreatePartitionsTopic {
        name: name.into(),
        count,
        assignments: assignments.map(|assignments| assignments.iter().map(assignment).collect()),
        ..Default::default()
    }
}

fn create(node: &mut Node, request: CreatePartitionsRequest) -> Vec<(String, i16, String)> {
    match node.ask(3, ControllerRequest::CreatePartitions(request)) {
        ControllerResponse::CreatePartitions(response) => response
            .results
            .iter()
            .map(|r| {
                (r.name.to_string(), r.error_code, r.error_message.as_deref().unwrap_or_default().to_owned())
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn of(topics: Vec<CreatePartitionsTopic>) -> CreatePartitionsRequest {
    CreatePartitionsRequest { topics, timeout_ms: 1000, ..Default::default() }
}

/// A node with the topics `t` of five partitions and `u` of one.
fn node() -> Node {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.create_topic("t", 5, 1);
    node.create_topic("u", 1, 1);
    node
}

fn check(topics: Vec<CreatePartitionsTopic>, expect: &[(&str, i16, &str)]) {
    let mut node = node();
    let answers = create(&mut node, of(topics));
    let answers: Vec<(&str, i16, &str)> = answers.iter().map(|(n, code, m)| (&**n, *code, &**m)).collect();
    assert_eq!(answers, expect);
}

#[test]
fn counts_and_assignments_that_cannot_be_are_refused() {
    let increase =
        |to: i32| format!("The topic t currently has 5 partition(s); {to} would not be an increase.");
    check(vec![topic("t", 5, None)], &[("t", 37, "Topic already has 5 partition(s).")]);
    for count in [2, 0, -1, i32::MIN] {
        check(vec![topic("t", count, None)], &[("t", 37, &increase(count))]);
    }
    check(vec![topic("nope", 5, None)], &[("nope", 3, "")]);
    check(vec![topic("", 5, None)], &[("", 3, "")]);
    check(
        vec![topic("t", 6, None), topic("t", 7, None), topic("u", 2, None)],
        &[("t", 42, "Duplicate topic name."), ("u", 0, "")],
    );
    let table: [(i32, &[&[i32]], &str); 4] = [
        (7, &[&[1]], "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."),
        (6, &[&[9]], "The manual partition assignment includes broker 9, but no such broker is registered."),
        (6, &[&[1, 1]], "The manual partition assignment includes the broker 1 more than once."),
        (6, &[&[]], "The manual partition assignment includes an empty replica list."),
    ];
    for (count, assignments, message) in table {
        check(vec![topic("t", count, Some(assignments))], &[("t", 39, message)]);
    }
}

#[test]
fn too_many_at_once_are_refused_whole() {
    // Kafka answers UNKNOWN_SERVER_ERROR here and leaves the topic with 10,000 of the partitions.
    let too_large = "Unable to perform excessively large batch operation.";
    check(vec![topic("t", 10_006, None)], &[("t", 44, too_large)]);
}

#[test]
fn new_partitions_follow_the_old_ones() {
    let mut node = node();
    let request = of(vec![topic("t", 7, None), topic("u", 2, Some(&[&[1]]))]);
    let answers = create(&mut node, CreatePartitionsRequest { validate_only: true, ..request.clone() });
    assert!(answers.iter().all(|(_, code, _)| *code == 0));
    assert_eq!(node.image().topic_by_name("t").unwrap().partitions.len(), 5);

    assert!(create(&mut node, request).iter().all(|(_, code, _)| *code == 0));
    let topic = node.image().topic_by_name("t").unwrap();
    assert!(topic.partitions.keys().copied().eq(0..7));
    assert_eq!(topic.partitions[&6].leader_epoch, LeaderEpoch(0));
    assert_eq!(node.image().topic_by_name("u").unwrap().partitions.len(), 2);
}

#[test]
fn a_request_without_time_times_out() {
    let mut node = node();
    let request = CreatePartitionsRequest { timeout_ms: 0, ..of(vec![topic("t", 7, None)]) };
    assert_eq!(create(&mut node, request), [("t".to_owned(), 7, String::new())]);
}
