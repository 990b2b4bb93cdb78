//! AlterConfigs and IncrementalAlterConfigs: answers as Kafka's controller gives them to a broker that forwards.

use super::node::{Disk, Node};
use crate::{ControllerRequest, ControllerResponse};
use ottla_metadata::{ConfigResource, MetadataRecord};
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::*;

/// A resource with operations on its keys: 0 set, 1 delete, 2 append, 3 subtract.
pub(crate) fn resource(kind: i8, name: &str, ops: &[(&str, i8, Option<&str>)]) -> AlterConfigsResource {
    let op = |(name, op, value): &(&str, i8, Option<&str>)| AlterableConfig {
        name: (*name).into(),
        config_operation: *op,
        value: value.map(Into::into),
        ..Default::default()
    };
    AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: ops.iter().map(op).collect(),
        ..Default::default()
    }
}

fn alter(node: &mut Node, resources: Vec<AlterConfigsResource>, validate_only: bool) -> Vec<(i16, String)> {
    let request = IncrementalAlterConfigsRequest { resources, validate_only, ..Default::default() };
    match node.ask(1, ControllerRequest::IncrementalAlterConfigs(request)) {
        ControllerResponse::IncrementalAlterConfigs(response) => response
            .responses
            .iter()
            .map(|r| (r.error_code, r.error_message.as_deref().unwrap_or_default().to_owned()))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn replace(node: &mut Node, kind: i8, name: &str, configs: &[(&str, &str)]) -> (i16, String) {
    let config = |(name, value): &(&str, &str)| alter_configs_request::AlterableConfig {
        name: (*name).into(),
        value: Some((*value).into()),
        ..Default::default()
    };
    let resource = alter_configs_request::AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = AlterConfigsRequest { resources: vec![resource], ..Default::default() };
    match node.ask(2, ControllerRequest::AlterConfigs(request)) {
        ControllerResponse::AlterConfigs(response) => {
            let answer = &response.responses[0];
            (answer.error_code, answer.error_message.as_deref().unwrap_or_default().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

fn node() -> Node {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.create_topic("t", 1, 1);
    node.create_topic("u", 1, 1);
    node
}

/// Asks for one change and expects a refusal that changes nothing.
fn check_refused(resource: AlterConfigsResource, code: i16, message: &str) {
    let mut node = node();
    let count = node.record_count();
    assert_eq!(alter(&mut node, vec![resource], false), [(code, message.to_owned())]);
    assert_eq!(node.record_count(), count);
}

#[test]
fn what_cannot_be_set_is_refused() {
    let set = |kind, name, key, value| resource(kind, name, &[(key, 0, Some(value))]);
    let not_a_number = "Invalid value x for configuration retention.ms: Not a number of type LONG";
    check_refused(set(2, "nope", "retention.ms", "1"), 3, "The topic 'nope' does not exist.");
    check_refused(set(2, "t", "retention.ms", "x"), 40, not_a_number);
    check_refused(set(2, "nope", "retention.ms", "x"), 40, not_a_number);
    check_refused(set(2, "t", "foo", "x"), 40, "Unknown topic config name: foo");
    check_refused(set(2, "", "retention.ms", "1"), 42, "Default topic resources are not allowed.");
    check_refused(
        set(32, "", "consumer.session.timeout.ms", "50000"),
        42,
        "Default group resources are not allowed.",
    );
    check_refused(set(4, "9", "log.cleaner.threads", "2"), 102, "No node with id 9 found.");
    check_refused(set(77, "x", "retention.ms", "1"), 35, "Unknown resource type 77.");
    let append = resource(2, "t", &[("retention.ms", 2, Some("1"))]);
    check_refused(append, 40, "Can't APPEND to key retention.ms because its type is not LIST.");
    let min_isr = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
    check_refused(set(4, "1", "min.insync.replicas", "2"), 40, min_isr);
    let min_isr = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
    check_refused(resource(4, "", &[("min.insync.replicas", 1, None)]), 40, min_isr);
}

#[test]
fn a_resource_named_twice_is_refused_and_the_others_are_changed() {
    let mut node = node();
    let set = |name: &str, value: &str| resource(2, name, &[("retention.ms", 0, Some(value))]);
    let answers = alter(&mut node, vec![set("t", "1"), set("u", "2"), set("t", "3")], false);
    assert_eq!(answers, [(42, "Duplicate resource.".to_owned()), (0, String::new())]);
    assert!(node.image().config(&ConfigResource::topic("t")).is_empty());
    assert_eq!(node.image().config(&ConfigResource::topic("u"))["retention.ms"], "2");
}

fn config(kind: i8, resource_name: &str, name: &str, value: Option<&str>) -> MetadataRecord {
    ConfigRecord {
        resource_type: kind,
        resource_name: resource_name.into(),
        name: name.into(),
        value: value.map(Into::into),
        ..Default::default()
    }
    .into()
}

fn clear_elr(topic: &str) -> MetadataRecord {
    ClearElrRecord { topic_name: topic.into(), ..Default::default() }.into()
}

#[test]
fn the_records_of_changes_are_kafkas() {
    let mut node = node();
    let mut check = |resource: AlterConfigsResource, expect: &[MetadataRecord]| {
        let count = node.record_count();
        assert_eq!(alter(&mut node, vec![resource], false), [(0, String::new())]);
        assert_eq!(node.records_since(count), expect);
    };
    check(
        resource(2, "t", &[("retention.ms", 0, Some("5000")), ("cleanup.policy", 2, Some("compact"))]),
        &[
            config(2, "t", "cleanup.policy", Some("delete,compact")),
            config(2, "t", "retention.ms", Some("5000")),
        ],
    );
    // A topic's value that stays as it was is not written; a broker's is, because brokers reload key stores on it.
    check(resource(2, "t", &[("retention.ms", 0, Some("5000"))]), &[]);
    let threads = config(4, "", "log.cleaner.threads", Some("2"));
    for _ in 0..2 {
        let set = resource(4, "", &[("log.cleaner.threads", 0, Some("2"))]);
        check(set, std::slice::from_ref(&threads));
    }
    check(
        resource(4, "", &[("min.insync.replicas", 0, Some("1"))]),
        &[config(4, "", "min.insync.replicas", Some("1")), clear_elr("")],
    );
    check(
        resource(2, "t", &[("min.insync.replicas", 0, Some("1"))]),
        &[config(2, "t", "min.insync.replicas", Some("1")), clear_elr("t")],
    );
    let group = [config(32, "g", "consumer.session.timeout.ms", Some("50000"))];
    check(resource(32, "g", &[("consumer.session.timeout.ms", 0, Some("50000"))]), &group);
    let metrics = [config(16, "m", "interval.ms", Some("5000"))];
    check(resource(16, "m", &[("interval.ms", 0, Some("5000"))]), &metrics);
    check(resource(2, "t", &[]), &[]);
}

#[test]
fn the_old_request_replaces_all_that_was_set() {
    let mut node = node();
    let set = resource(2, "t", &[("retention.ms", 0, Some("1")), ("cleanup.policy", 0, Some("compact"))]);
    alter(&mut node, vec![set], false);
    let count = node.record_count();
    assert_eq!(replace(&mut node, 2, "t", &[("retention.ms", "7000")]), (0, String::new()));
    let expect = [config(2, "t", "retention.ms", Some("7000")), config(2, "t", "cleanup.policy", None)];
    assert_eq!(node.records_since(count), expect);
    let unknown = (3, "The topic 'nope' does not exist.".to_owned());
    assert_eq!(replace(&mut node, 2, "nope", &[("retention.ms", "1")]), unknown);
    let min_isr = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
    assert_eq!(replace(&mut node, 4, "", &[("log.cleaner.threads", "2")]), (40, min_isr.to_owned()));
}

#[test]
fn validate_only_writes_nothing() {
    let mut node = node();
    let count = node.record_count();
    let set = resource(2, "t", &[("retention.ms", 0, Some("1"))]);
    assert_eq!(alter(&mut node, vec![set], true), [(0, String::new())]);
    assert_eq!(node.record_count(), count);
}

#[test]
fn dynamic_defaults_count_for_new_topics() {
    let mut node = node();
    alter(&mut node, vec![resource(4, "", &[("log.retention.ms", 0, Some("12345"))])], false);
    let topic = create_topics_request::CreatableTopic {
        name: "x".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let ControllerResponse::CreateTopics(response) = node.ask(7, ControllerRequest::CreateTopics(request))
    else {
        panic!()
    };
    let configs = response.topics[0].configs.as_ref().unwrap();
    let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
    // 3 is DYNAMIC_DEFAULT_BROKER_CONFIG.
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("12345"), 3));
}
