//! Names, counts, assignments and configs that a topic cannot have; reads from where nothing is.

use anyhow::Result;
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics_request::CreatableReplicaAssignment;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::create_topics_request::CreatableTopicConfig;
use ottla_protocol::messages::delete_records_request::DeleteRecordsPartition;
use ottla_protocol::messages::delete_records_request::DeleteRecordsTopic;
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::fetch_request::FetchPartition;
use ottla_protocol::messages::fetch_request::FetchTopic;
use ottla_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use ottla_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use ottla_protocol::messages::list_offsets_request::ListOffsetsPartition;
use ottla_protocol::messages::list_offsets_request::ListOffsetsTopic;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use ottla_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderTopic;
use ottla_protocol::messages::*;

use super::Case;
use super::batches::{create, create_with};
use super::peer::Peer;

pub(super) const CASES: &[Case] = &[
    Case { name: "name_of_two_dots", say: |p| name(p, "..") },
    Case { name: "name_of_one_dot", say: |p| name(p, ".") },
    Case { name: "name_empty", say: |p| name(p, "") },
    Case { name: "name_of_249_characters", say: longest_name },
    Case { name: "name_of_250_characters", say: |p| name(p, &"x".repeat(250)) },
    Case { name: "name_with_nul", say: |p| name(p, "a\0b") },
    Case { name: "name_with_newline", say: |p| name(p, "a\nb") },
    Case { name: "name_with_escape_sequence", say: |p| name(p, "a\x1b[31mb") },
    Case { name: "name_not_ascii", say: |p| name(p, "thème") },
    Case { name: "name_with_slash", say: |p| name(p, "../../etc/passwd") },
    Case { name: "name_with_space", say: |p| name(p, "a b") },
    Case { name: "name_that_collides", say: collision },
    Case { name: "name_of_an_internal_topic", say: |p| name(p, "__cluster_metadata") },
    Case {
        name: "topic_that_exists",
        say: |p| {
            create(p, "n-exists")?;
            topic(p, "n-exists", |_| {})
        },
    },
    Case { name: "topic_twice_in_one_request", say: twice },
    Case {
        name: "replication_factor_two_on_one_broker",
        say: |p| topic(p, "n-rf2", |t| t.replication_factor = 2),
    },
    Case { name: "replication_factor_zero", say: |p| topic(p, "n-rf0", |t| t.replication_factor = 0) },
    Case { name: "replication_factor_minus_two", say: |p| topic(p, "n-rf-2", |t| t.replication_factor = -2) },
    Case {
        name: "replication_factor_largest",
        say: |p| topic(p, "n-rfmax", |t| t.replication_factor = i16::MAX),
    },
    Case { name: "partitions_zero", say: |p| topic(p, "n-p0", |t| t.num_partitions = 0) },
    Case { name: "partitions_minus_two", say: |p| topic(p, "n-p-2", |t| t.num_partitions = -2) },
    Case {
        name: "partitions_defaulted",
        say: |p| {
            topic(p, "n-p-1", |t| {
                t.num_partitions = -1;
                t.replication_factor = -1
            })
        },
    },
    Case { name: "partitions_too_many", say: |p| topic(p, "n-pmax", |t| t.num_partitions = i32::MAX) },
    Case {
        name: "assignment_beside_counts",
        say: |p| topic(p, "n-both", |t| t.assignments = vec![assigned(0, &[1])]),
    },
    Case { name: "assignment_to_an_unknown_broker", say: |p| assignment(p, "n-a9", &[(0, &[9])]) },
    Case { name: "assignment_to_a_broker_twice", say: |p| assignment(p, "n-a11", &[(0, &[1, 1])]) },
    Case { name: "assignment_with_a_gap", say: |p| assignment(p, "n-agap", &[(0, &[1]), (2, &[1])]) },
    Case { name: "assignment_of_nothing", say: |p| assignment(p, "n-anone", &[(0, &[])]) },
    Case {
        name: "assignment_of_a_partition_twice",
        say: |p| assignment(p, "n-a00", &[(0, &[1]), (0, &[1])]),
    },
    Case { name: "config_unknown", say: |p| config(p, "n-c1", "no.such.config", Some("1")) },
    Case { name: "config_not_a_number", say: |p| config(p, "n-c2", "retention.ms", Some("soon")) },
    Case { name: "config_out_of_range", say: |p| config(p, "n-c3", "segment.bytes", Some("1")) },
    Case { name: "config_not_in_the_list", say: |p| config(p, "n-c4", "cleanup.policy", Some("burn")) },
    Case { name: "config_null", say: |p| config(p, "n-c5", "retention.ms", None) },
    Case {
        name: "config_twice",
        say: |p| {
            topic(p, "n-c6", |t| {
                t.configs = vec![entry("retention.ms", Some("1")), entry("retention.ms", Some("2"))]
            })
        },
    },
    Case { name: "config_altered_to_nonsense", say: alter },
    Case { name: "validate_only_leaves_nothing", say: validate_only },
    Case { name: "partitions_reduced", say: |p| partitions(p, "n-less", 1) },
    Case { name: "partitions_unchanged", say: |p| partitions(p, "n-same", 2) },
    Case { name: "partitions_of_an_unknown_topic", say: |p| add(p, "n-absent", 3) },
    Case { name: "delete_an_unknown_topic", say: |p| delete(p, "n-absent") },
    Case { name: "delete_an_invalid_topic", say: |p| delete(p, "..") },
    Case { name: "delete_an_unknown_topic_id", say: delete_id },
    Case { name: "delete_records_out_of_range", say: delete_records },
    Case { name: "fetch_beyond_the_end", say: |p| fetch(p, 12, "n-fetch1", 99) },
    Case { name: "fetch_of_a_negative_offset", say: |p| fetch(p, 12, "n-fetch2", -5) },
    Case { name: "fetch_with_an_unknown_session", say: fetch_session },
    Case { name: "fetch_of_an_unknown_topic", say: fetch_unknown },
    Case { name: "list_offsets_of_an_unknown_special_time", say: list_offsets },
    Case { name: "epoch_of_an_unknown_partition", say: epoch },
];

/// A name, by CreateTopics, by Metadata that may create it, and by Metadata that may not.
fn name(p: &mut Peer, name: &str) -> Result<()> {
    topic(p, name, |_| {})?;
    for allow_auto_topic_creation in [true, false] {
        let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        p.ask(
            9,
            &MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation, ..Default::default() },
        )?;
    }
    Ok(())
}

fn longest_name(p: &mut Peer) -> Result<()> {
    let longest = "x".repeat(249);
    create(p, &longest)?;
    name(p, &longest)
}

fn topic(p: &mut Peer, name: &str, change: impl FnOnce(&mut CreatableTopic)) -> Result<()> {
    let mut topic =
        CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    change(&mut topic);
    p.ask(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })
}

fn collision(p: &mut Peer) -> Result<()> {
    create(p, "n-collide.a")?;
    name(p, "n-collide_a")
}

fn twice(p: &mut Peer) -> Result<()> {
    let topic = |partitions| CreatableTopic {
        name: "n-twice".into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    };
    p.ask(
        7,
        &CreateTopicsRequest { topics: vec![topic(1), topic(2)], timeout_ms: 10_000, ..Default::default() },
    )
}

fn assigned(partition_index: i32, brokers: &[i32]) -> CreatableReplicaAssignment {
    CreatableReplicaAssignment { partition_index, broker_ids: brokers.to_vec(), ..Default::default() }
}

fn assignment(p: &mut Peer, name: &str, assignments: &[(i32, &[i32])]) -> Result<()> {
    topic(p, name, |topic| {
        topic.num_partitions = -1;
        topic.replication_factor = -1;
        topic.assignments =
            assignments.iter().map(|&(partition, brokers)| assigned(partition, brokers)).collect();
    })
}

fn entry(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.into(), value: value.map(Into::into), ..Default::default() }
}

fn config(p: &mut Peer, name: &str, key: &str, value: Option<&str>) -> Result<()> {
    topic(p, name, |topic| topic.configs = vec![entry(key, value)])
}

fn alter(p: &mut Peer) -> Result<()> {
    create(p, "n-alter")?;
    for (resource_type, resource, name, value, config_operation) in [
        (2, "n-alter", "retention.ms", Some("soon"), 0),
        (2, "n-alter", "no.such.config", Some("1"), 0),
        (2, "n-alter", "retention.ms", None, 0),
        (2, "n-alter", "retention.ms", Some("1"), 9),
        (2, "n-alter", "retention.ms", Some("1"), 2),
        (2, "n-absent", "retention.ms", Some("1"), 0),
        (2, "..", "retention.ms", Some("1"), 0),
        (4, "1", "no.such.config", Some("1"), 0),
        (4, "1", "node.id", Some("2"), 0),
        (4, "77", "log.retention.ms", Some("2"), 0),
        (4, "one", "log.retention.ms", Some("2"), 0),
        (99, "x", "retention.ms", Some("1"), 0),
    ] {
        let config = AlterableConfig {
            name: name.into(),
            value: value.map(Into::into),
            config_operation,
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type,
            resource_name: resource.into(),
            configs: vec![config],
            ..Default::default()
        };
        p.ask(1, &IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() })?;
    }
    Ok(())
}

fn validate_only(p: &mut Peer) -> Result<()> {
    let topic = CreatableTopic {
        name: "n-validate".into(),
        num_partitions: 3,
        replication_factor: 1,
        configs: vec![entry("retention.ms", Some("5"))],
        ..Default::default()
    };
    p.ask(
        7,
        &CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 10_000,
            validate_only: true,
            ..Default::default()
        },
    )?;
    let topic = MetadataRequestTopic { name: Some("n-validate".into()), ..Default::default() };
    p.ask(
        9,
        &MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        },
    )
}

fn partitions(p: &mut Peer, name: &str, count: i32) -> Result<()> {
    create_with(p, name, &[])?;
    add(p, name, count)
}

fn add(p: &mut Peer, name: &str, count: i32) -> Result<()> {
    let topic = CreatePartitionsTopic { name: name.into(), count, assignments: None, ..Default::default() };
    p.ask(3, &CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })
}

fn delete(p: &mut Peer, name: &str) -> Result<()> {
    p.ask(
        5,
        &DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms: 10_000, ..Default::default() },
    )
}

fn delete_id(p: &mut Peer) -> Result<()> {
    let topic =
        DeleteTopicState { name: None, topic_id: ottla_protocol::Uuid([9; 16]), ..Default::default() };
    p.ask(6, &DeleteTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })
}

fn delete_records(p: &mut Peer) -> Result<()> {
    create(p, "n-delete-records")?;
    for (partition_index, offset) in [(0, 5), (0, -7), (9, 0), (0, -1)] {
        let partition = DeleteRecordsPartition { partition_index, offset, ..Default::default() };
        let topic = DeleteRecordsTopic {
            name: "n-delete-records".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        p.ask(2, &DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })?;
    }
    Ok(())
}

fn fetch_request(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: offset,
        current_leader_epoch: -1,
        partition_max_bytes: 1000,
        ..Default::default()
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 100,
        min_bytes: 1,
        max_bytes: 1_000_000,
        session_epoch: -1,
        topics: vec![FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    }
}

fn fetch(p: &mut Peer, version: i16, topic: &str, offset: i64) -> Result<()> {
    create(p, topic)?;
    p.ask(version, &fetch_request(topic, offset))
}

fn fetch_session(p: &mut Peer) -> Result<()> {
    create(p, "n-session")?;
    for (session_id, session_epoch) in [(4711, 1), (4711, 0), (4711, -1), (0, 5)] {
        p.ask(12, &FetchRequest { session_id, session_epoch, ..fetch_request("n-session", 0) })?;
    }
    Ok(())
}

fn fetch_unknown(p: &mut Peer) -> Result<()> {
    p.ask(12, &fetch_request("n-absent", 0))?;
    let mut request = fetch_request("", 0);
    request.topics[0].topic_id = ottla_protocol::Uuid([9; 16]);
    p.ask(13, &request)
}

fn list_offsets(p: &mut Peer) -> Result<()> {
    create(p, "n-times")?;
    for (partition_index, timestamp) in [(0, -99), (0, i64::MIN), (9, -1), (-1, -1)] {
        for version in [1, 11] {
            let partition = ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
            let topic = ListOffsetsTopic {
                name: "n-times".into(),
                partitions: vec![partition],
                ..Default::default()
            };
            p.ask(
                version,
                &ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() },
            )?;
        }
    }
    Ok(())
}

fn epoch(p: &mut Peer) -> Result<()> {
    create(p, "n-epoch")?;
    for (topic, partition, current_leader_epoch, leader_epoch) in [
        ("n-epoch", 0, -1, 0),
        ("n-epoch", 0, 7, 0),
        ("n-epoch", 0, -1, 7),
        ("n-epoch", 9, -1, 0),
        ("n-absent", 0, -1, 0),
    ] {
        let partition =
            OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch, ..Default::default() };
        let topic =
            OffsetForLeaderTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
        p.ask(4, &OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic], ..Default::default() })?;
    }
    Ok(())
}
