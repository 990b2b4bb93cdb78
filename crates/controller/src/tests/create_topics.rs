//! CreateTopics: every refusal with the code and words of Kafka 4.3.1, as it answered the same requests; then what is
//! written.

use super::node::{Disk, Node, Wishes};
use crate::ControllerRequest;
use crate::ControllerResponse;
use ottla_metadata::MetadataRecord;
use ottla_protocol::Uuid;
use ottla_protocol::messages::create_topics_request::*;
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::*;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

/// A partition and its brokers.
type Assigned<'a> = (i32, &'a [i32]);

fn assigned(name: &str, partitions: &[Assigned<'_>]) -> CreatableTopic {
    let assignment = |(index, brokers): &Assigned<'_>| CreatableReplicaAssignment {
        partition_index: *index,
        broker_ids: brokers.to_vec(),
        ..Default::default()
    };
    CreatableTopic { assignments: partitions.iter().map(assignment).collect(), ..topic(name, -1, -1) }
}

fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let config = |(name, value): &(&str, Option<&str>)| CreatableTopicConfig {
        name: (*name).into(),
        value: value.map(Into::into),
        ..Default::default()
    };
    CreatableTopic { configs: configs.iter().map(config).collect(), ..topic(name, 1, 1) }
}

fn create(node: &mut Node, request: CreateTopicsRequest) -> Vec<CreatableTopicResult> {
    match node.ask(7, ControllerRequest::CreateTopics(request)) {
        ControllerResponse::CreateTopics(response) => response.topics,
        other => panic!("{other:?}"),
    }
}

fn of(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, ..Default::default() }
}

/// A node in service that has the topics `my-topic` and `a_b`.
fn node() -> Node {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.create_topic("my-topic", 3, 1);
    node.create_topic("a_b", 1, 1);
    node
}

/// Asks for some topics and compares name, code and message of each answer; refused ones leave nothing behind.
fn check(topics: Vec<CreatableTopic>, expect: &[(&str, i16, &str)]) {
    let mut node = node();
    let count = node.record_count();
    let results = create(&mut node, of(topics));
    let answers: Vec<(&str, i16, &str)> = results
        .iter()
        .map(|result| (&*result.name, result.error_code, result.error_message.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(answers, expect);
    if expect.iter().all(|(_, code, _)| *code != 0) {
        assert_eq!(node.record_count(), count);
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let illegal = "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
    let long = "a".repeat(250);
    let table = [
        ("", "Topic name is invalid: the empty string is not allowed".to_owned()),
        (".", "Topic name is invalid: '.' is not allowed".to_owned()),
        ("..", "Topic name is invalid: '..' is not allowed".to_owned()),
        (
            &long,
            format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            ),
        ),
        ("a b", format!("Topic name is invalid: 'a b' {illegal}")),
        ("a\0b", format!("Topic name is invalid: 'a\0b' {illegal}")),
        ("a\nb", format!("Topic name is invalid: 'a\nb' {illegal}")),
        ("äöü", format!("Topic name is invalid: 'äöü' {illegal}")),
        ("a.b", "Topic 'a.b' collides with existing topic: a_b".to_owned()),
        ("a.b ", format!("Topic name is invalid: 'a.b ' {illegal}")),
    ];
    for (name, message) in table {
        check(vec![topic(name, 1, 1)], &[(name, 17, &message)]);
    }
    check(vec![topic("a_b", 1, 1)], &[("a_b", 36, "Topic 'a_b' already exists.")]);
    check(vec![topic(&"a".repeat(249), 1, 1)], &[(&"a".repeat(249), 0, "")]);
    // Only existing topics count: a request may well create two that look alike.
    check(vec![topic("c_d", 1, 1), topic("c.d", 1, 1)], &[("c_d", 0, ""), ("c.d", 0, "")]);
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let factor = "Replication factor must be larger than 0, or -1 to use the default value.";
    let count = "Number of partitions was set to an invalid non-positive value.";
    let brokers = "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached \
                   because only 1 broker(s) are registered or some brokers have all their log directories cordoned.";
    check(vec![topic("x", 0, 1)], &[("x", 37, count)]);
    check(vec![topic("x", -2, 1)], &[("x", 37, count)]);
    check(vec![topic("x", 1, 0)], &[("x", 38, factor)]);
    check(vec![topic("x", 1, -2)], &[("x", 38, factor)]);
    check(vec![topic("x", 0, 0)], &[("x", 38, factor)]);
    check(vec![topic("x", 1, 2)], &[("x", 38, brokers)]);
    let too_many = "Excessively large number of partitions per request.";
    check(vec![topic("x", 10_001, 1), topic("y", 1, 1)], &[("x", 44, too_many), ("y", 44, too_many)]);
    let too_large = "Unable to perform excessively large batch operation.";
    check(vec![topic("x", 10_000, 1)], &[("x", 44, too_large)]);
}

#[test]
fn manual_assignments_that_cannot_be_are_refused() {
    let check_one = |topic: CreatableTopic, code, message: &str| check(vec![topic], &[("m", code, message)]);
    check_one(
        CreatableTopic { num_partitions: 1, ..assigned("m", &[(0, &[1])]) },
        42,
        "A manual partition assignment was specified, but numPartitions was not set to -1.",
    );
    check_one(
        CreatableTopic { replication_factor: 1, ..assigned("m", &[(0, &[1])]) },
        42,
        "A manual partition assignment was specified, but replication factor was not set to -1.",
    );
    let table: [(&[Assigned<'_>], &str); 6] = [
        (&[(0, &[1]), (2, &[1])], "partitions should be a consecutive 0-based integer sequence"),
        (&[(0, &[1]), (0, &[1])], "Found multiple manual partition assignments for partition 0"),
        (&[(0, &[])], "The manual partition assignment includes an empty replica list."),
        (
            &[(0, &[7])],
            "The manual partition assignment includes broker 7, but no such broker is registered.",
        ),
        (&[(0, &[1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        (&[(0, &[1]), (1, &[])], "The manual partition assignment includes an empty replica list."),
    ];
    for (partitions, message) in table {
        check_one(assigned("m", partitions), 39, message);
    }
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let check_one = |configs: &[(&str, Option<&str>)], message: &str| {
        check(vec![configured("x", configs)], &[("x", 40, message)]);
    };
    check_one(
        &[("retention.ms", None), ("x", None)],
        "Null value not supported for topic configs: retention.ms,x",
    );
    check_one(&[("foo", Some("1"))], "Unknown topic config name: foo");
    check_one(
        &[("retention.ms", Some("abc"))],
        "Invalid value abc for configuration retention.ms: Not a number of type LONG",
    );
}

#[test]
fn a_topic_named_twice_is_not_created_and_the_others_are() {
    let duplicate = "Duplicate topic name.";
    check(
        vec![topic("dup", 1, 1), topic("dup", 1, 1), topic("nodup", 1, 1)],
        &[("nodup", 0, ""), ("dup", 42, duplicate)],
    );
    check(
        vec![topic("ok", 1, 1), topic("my-topic", 1, 1)],
        &[("ok", 0, ""), ("my-topic", 36, "Topic 'my-topic' already exists.")],
    );
    let prohibited = "Creation of internal topic __cluster_metadata is prohibited.";
    check(vec![topic("__cluster_metadata", 1, 1)], &[("__cluster_metadata", 42, prohibited)]);
    check(vec![], &[]);
}

#[test]
fn a_request_without_time_times_out() {
    let mut node = node();
    let request = CreateTopicsRequest { timeout_ms: 0, ..of(vec![topic("x", 1, 1)]) };
    let results = create(&mut node, request);
    assert_eq!((results[0].error_code, &results[0].error_message), (7, &None));
}

#[test]
fn validate_only_answers_as_if_and_writes_nothing() {
    let mut node = node();
    let count = node.record_count();
    let request = CreateTopicsRequest { validate_only: true, ..of(vec![topic("x", 4, 1)]) };
    let results = create(&mut node, request);
    assert_eq!((results[0].error_code, results[0].num_partitions, results[0].replication_factor), (0, 4, 1));
    assert_eq!(node.record_count(), count);
}

#[test]
fn defaults_come_from_the_controllers_configuration() {
    let mut node = Node::start_with(Disk::formatted(), &[("num.partitions", "7")]);
    node.join(1, None);
    let results = create(&mut node, of(vec![topic("x", -1, -1)]));
    assert_eq!((results[0].num_partitions, results[0].replication_factor), (7, 1));
    assert_eq!(results[0].error_message, None);
    let configs = results[0].configs.as_ref().unwrap();
    assert_eq!(configs.len(), 33);
    assert!(configs.is_sorted_by_key(|config| config.name.clone()));
}

#[test]
fn the_records_of_a_topic_are_kafkas() {
    let mut node = node();
    let count = node.record_count();
    let configs = [
        ("retention.ms", Some("1000")),
        ("min.insync.replicas", Some("1")),
        ("cleanup.policy", Some("compact")),
    ];
    let topic_id = create(&mut node, of(vec![configured("cfg", &configs)]))[0].topic_id;
    let config = |name: &str, value: &str| -> MetadataRecord {
        ConfigRecord {
            resource_type: 2,
            resource_name: "cfg".into(),
            name: name.into(),
            value: Some(value.into()),
            ..Default::default()
        }
        .into()
    };
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![super::node::directory_of(1)],
        ..Default::default()
    };
    let expect: [MetadataRecord; 6] = [
        TopicRecord { name: "cfg".into(), topic_id, ..Default::default() }.into(),
        config("cleanup.policy", "compact"),
        config("min.insync.replicas", "1"),
        config("retention.ms", "1000"),
        ClearElrRecord { topic_name: "cfg".into(), ..Default::default() }.into(),
        partition.into(),
    ];
    assert_eq!(node.records_since(count), expect);
}

#[test]
fn fenced_brokers_take_followers_but_no_topic_of_their_own() {
    let mut node = Node::start(Disk::formatted());
    let nobody = "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log \
                  directories cordoned.";
    let results = create(&mut node, of(vec![topic("x", 1, 1)]));
    assert_eq!((results[0].error_code, results[0].error_message.as_deref()), (38, Some(nobody)));

    let epoch = node.join(1, None);
    node.register(2, None, 1, -1);
    let id = node.create_topic("x", 2, 2);
    for index in 0..2 {
        let partition = node.image().partition(id, index).unwrap();
        assert_eq!((partition.replicas[0].0, partition.isr.len(), partition.leader.unwrap().0), (1, 1, 1));
    }
    node.heartbeat(1, epoch, Wishes::Fence);
    let message = "All brokers specified in the manual partition assignment for partition 0 are fenced or in \
                   controlled shutdown.";
    let results = create(&mut node, of(vec![assigned("y", &[(0, &[1, 2])])]));
    assert_eq!((results[0].error_code, results[0].error_message.as_deref()), (39, Some(message)));
}

#[test]
fn ids_are_random_and_follow_from_the_seed() {
    let ids = |_| -> Vec<Uuid> {
        let mut node = node();
        node.create_topic("x", 1, 1);
        node.image().topics().map(|topic| topic.id).collect()
    };
    let [once, again] = [1, 2].map(ids);
    assert_eq!(once, again);
    let distinct: std::collections::BTreeSet<Uuid> = once.iter().copied().collect();
    assert_eq!(distinct.len(), 3);
}
