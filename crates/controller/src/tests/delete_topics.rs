//! DeleteTopics: answers as Kafka 4.3.1 gave them to the same requests.

use super::node::{Disk, Node};
use crate::{ControllerRequest, ControllerResponse};
use ottla_metadata::{ConfigResource, MetadataRecord};
use ottla_protocol::Uuid;
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::*;

const SOME: Uuid = Uuid(*b"0123456789abcdef");

fn named(name: &str) -> DeleteTopicState {
    DeleteTopicState { name: Some(name.into()), ..Default::default() }
}

fn identified(id: Uuid) -> DeleteTopicState {
    DeleteTopicState { name: None, topic_id: id, ..Default::default() }
}

fn delete(node: &mut Node, version: i16, topics: Vec<DeleteTopicState>) -> Vec<DeletableTopicResult> {
    let request = DeleteTopicsRequest { topics, timeout_ms: 1000, ..Default::default() };
    match node.ask(version, ControllerRequest::DeleteTopics(request)) {
        ControllerResponse::DeleteTopics(response) => response.responses,
        other => panic!("{other:?}"),
    }
}

fn node() -> Node {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.create_topic("t", 2, 1);
    node
}

fn check(topics: Vec<DeleteTopicState>, expect: &[(Option<&str>, Uuid, i16, Option<&str>)]) {
    let mut node = node();
    let count = node.record_count();
    let results = delete(&mut node, 6, topics);
    let answers: Vec<_> = results
        .iter()
        .map(|r| (r.name.as_deref(), r.topic_id, r.error_code, r.error_message.as_deref()))
        .collect();
    assert_eq!(answers, expect);
    assert_eq!(node.record_count(), count);
}

#[test]
fn what_cannot_be_deleted_is_refused_in_kafkas_words() {
    let zero = Uuid::ZERO;
    let no_name = "This server does not host this topic-partition.";
    check(vec![named("nope")], &[(Some("nope"), zero, 3, Some(no_name))]);
    check(vec![identified(SOME)], &[(None, SOME, 100, Some("This server does not host this topic ID."))]);
    check(vec![identified(zero)], &[(None, zero, 42, Some("Neither topic name nor id were specified."))]);
    let both = DeleteTopicState { topic_id: SOME, ..named("t") };
    check(vec![both], &[(Some("t"), SOME, 42, Some("You may not specify both topic name and topic id."))]);
    for count in [2, 3] {
        check(vec![named("t"); count], &[(Some("t"), zero, 42, Some("Duplicate topic name."))]);
        check(vec![identified(SOME); count], &[(None, SOME, 42, Some("Duplicate topic id."))]);
    }
}

#[test]
fn a_topic_asked_for_by_name_and_by_id_is_not_deleted() {
    let mut node = node();
    let id = node.image().topic_id("t").unwrap();
    let results = delete(&mut node, 6, vec![named("t"), identified(id)]);
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].error_code, 42);
    let message = "The provided topic name maps to an ID that was already supplied.";
    assert_eq!(results[0].error_message.as_deref(), Some(message));
    assert!(node.image().topic(id).is_some());
}

#[test]
fn a_deleted_topic_takes_its_partitions_and_configuration_with_it() {
    for by_name in [true, false] {
        let mut node = node();
        let config = IncrementalAlterConfigsRequest {
            resources: vec![super::configs::resource(2, "t", &[("retention.ms", 0, Some("1"))])],
            ..Default::default()
        };
        node.ask(1, ControllerRequest::IncrementalAlterConfigs(config));
        assert_eq!(node.image().config(&ConfigResource::topic("t")).len(), 1);
        let id = node.image().topic_id("t").unwrap();
        let count = node.record_count();
        node.published.clear();

        let results = delete(&mut node, 6, vec![if by_name { named("t") } else { identified(id) }]);
        assert_eq!((results[0].error_code, &results[0].error_message), (0, &None));
        assert_eq!((results[0].name.as_deref(), results[0].topic_id), (Some("t"), id));
        let removal = RemoveTopicRecord { topic_id: id, ..Default::default() };
        assert_eq!(node.records_since(count), [MetadataRecord::from(removal)]);
        assert_eq!(node.image().topic_count(), 0);
        assert!(node.image().config(&ConfigResource::topic("t")).is_empty());
        let changes = &node.published[0];
        assert_eq!(changes.topics_deleted[&id].partitions.len(), 2);
        assert!(changes.configs.contains(&ConfigResource::topic("t")));
        // The name is free again, for another topic.
        assert_ne!(node.create_topic("t", 1, 1), id);
    }
}

#[test]
fn deletion_can_be_disabled() {
    let mut node = Node::start_with(Disk::formatted(), &[("delete.topic.enable", "false")]);
    node.join(1, None);
    node.create_topic("t", 1, 1);
    for (version, code) in [(1, 42), (3, 73), (6, 73)] {
        assert_eq!(delete(&mut node, version, vec![named("t")])[0].error_code, code, "version {version}");
    }
    assert_eq!(node.image().topic_count(), 1);
}
