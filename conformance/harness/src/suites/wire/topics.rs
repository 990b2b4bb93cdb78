//! Requests about the cluster, its topics and its configuration.

use anyhow::Result;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::describe_topic_partitions_request::TopicRequest;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::*;
use ottla_protocol::messages::{alter_configs_request, incremental_alter_configs_request};

use super::Case;
use super::world::{TOPIC, World};
use crate::client::body_of;

pub(super) const CASES: &[Case] = &[
    Case { key: ApiKey::ApiVersions, variant: "", from: 0, make: api_versions },
    Case { key: ApiKey::DescribeCluster, variant: "", from: 0, make: describe_cluster },
    Case { key: ApiKey::DescribeQuorum, variant: "", from: 0, make: describe_quorum },
    Case { key: ApiKey::Metadata, variant: "", from: 0, make: metadata },
    Case { key: ApiKey::Metadata, variant: "_all", from: 0, make: metadata_all },
    Case { key: ApiKey::Metadata, variant: "_none", from: 1, make: metadata_none },
    Case { key: ApiKey::Metadata, variant: "_by_id", from: 12, make: metadata_by_id },
    Case { key: ApiKey::Metadata, variant: "_unknown", from: 4, make: metadata_unknown },
    Case { key: ApiKey::DescribeTopicPartitions, variant: "", from: 0, make: describe_topic_partitions },
    Case {
        key: ApiKey::DescribeConfigs,
        variant: "_topic",
        from: 0,
        make: |_, v| describe_configs(v, 2, TOPIC),
    },
    Case {
        key: ApiKey::DescribeConfigs,
        variant: "_broker",
        from: 0,
        make: |_, v| describe_configs(v, 4, "1"),
    },
    Case {
        key: ApiKey::DescribeConfigs,
        variant: "_broker_defaults",
        from: 0,
        make: |_, v| describe_configs(v, 4, ""),
    },
    Case {
        key: ApiKey::DescribeConfigs,
        variant: "_group",
        from: 0,
        make: |_, v| describe_configs(v, 32, "wire-group"),
    },
    Case { key: ApiKey::CreateTopics, variant: "", from: 0, make: create_topics },
    Case { key: ApiKey::CreateTopics, variant: "_assigned", from: 0, make: create_topics_assigned },
    Case { key: ApiKey::CreateTopics, variant: "_validated", from: 0, make: create_topics_validated },
    Case { key: ApiKey::CreatePartitions, variant: "", from: 0, make: create_partitions },
    Case { key: ApiKey::DeleteTopics, variant: "", from: 0, make: delete_topics },
    Case { key: ApiKey::AlterConfigs, variant: "", from: 0, make: alter_configs },
    Case { key: ApiKey::IncrementalAlterConfigs, variant: "", from: 0, make: incremental_alter_configs },
    Case { key: ApiKey::ListConfigResources, variant: "", from: 0, make: list_config_resources },
    Case { key: ApiKey::DescribeLogDirs, variant: "", from: 0, make: describe_log_dirs },
    Case { key: ApiKey::AlterReplicaLogDirs, variant: "_unknown", from: 0, make: alter_replica_log_dirs },
    Case { key: ApiKey::AlterPartitionReassignments, variant: "_cancel", from: 0, make: cancel_reassignment },
    Case { key: ApiKey::ListPartitionReassignments, variant: "", from: 0, make: list_reassignments },
    Case { key: ApiKey::DescribeAcls, variant: "", from: 0, make: describe_acls },
    Case { key: ApiKey::SaslHandshake, variant: "", from: 0, make: sasl_handshake },
    Case {
        key: ApiKey::SaslAuthenticate,
        variant: "",
        from: 0,
        make: |_, v| body_of(v, &SaslAuthenticateRequest::default()),
    },
];

fn api_versions(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let mut request = ApiVersionsRequest::default();
    if version >= 3 {
        request.client_software_name = "harness".into();
        request.client_software_version = "1.0".into();
    }
    body_of(version, &request)
}

fn describe_cluster(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let request = DescribeClusterRequest {
        include_cluster_authorized_operations: true,
        include_fenced_brokers: version >= 2,
        ..Default::default()
    };
    body_of(version, &request)
}

fn describe_quorum(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let partition = PartitionData { partition_index: 0, ..Default::default() };
    let topic = TopicData {
        topic_name: "__cluster_metadata".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    body_of(version, &DescribeQuorumRequest { topics: vec![topic], ..Default::default() })
}

fn metadata_of(version: i16, topics: Option<Vec<MetadataRequestTopic>>) -> Result<Vec<u8>> {
    let request = MetadataRequest {
        topics,
        allow_auto_topic_creation: version < 4,
        include_topic_authorized_operations: version >= 8,
        include_cluster_authorized_operations: (8..=10).contains(&version),
        ..Default::default()
    };
    body_of(version, &request)
}

fn named(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic { name: Some(name.into()), ..Default::default() }
}

fn metadata(_: &mut World, version: i16) -> Result<Vec<u8>> {
    metadata_of(version, Some(vec![named(TOPIC), named("__consumer_offsets")]))
}

fn metadata_all(_: &mut World, version: i16) -> Result<Vec<u8>> {
    // Before version 1 an empty list, and since then null, asks for all topics.
    metadata_of(version, (version == 0).then(Vec::new))
}

fn metadata_none(_: &mut World, version: i16) -> Result<Vec<u8>> {
    metadata_of(version, Some(Vec::new()))
}

fn metadata_by_id(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let topic = MetadataRequestTopic { topic_id: world.topic_id(TOPIC)?, name: None, ..Default::default() };
    metadata_of(version, Some(vec![topic]))
}

fn metadata_unknown(_: &mut World, version: i16) -> Result<Vec<u8>> {
    metadata_of(version, Some(vec![named("wire-absent")]))
}

fn describe_topic_partitions(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let topic = |name: &str| TopicRequest { name: name.into(), ..Default::default() };
    let request = DescribeTopicPartitionsRequest {
        topics: vec![topic(TOPIC), topic("wire-absent")],
        response_partition_limit: 100,
        ..Default::default()
    };
    body_of(version, &request)
}

fn describe_configs(version: i16, resource_type: i8, name: &str) -> Result<Vec<u8>> {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: None,
        ..Default::default()
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: false,
        ..Default::default()
    };
    body_of(version, &request)
}

fn topic(name: &str) -> CreatableTopic {
    let config = CreatableTopicConfig {
        name: "segment.bytes".into(),
        value: Some("2000000".into()),
        ..Default::default()
    };
    CreatableTopic {
        name: name.into(),
        num_partitions: 3,
        replication_factor: 1,
        configs: vec![config],
        ..Default::default()
    }
}

fn create(version: i16, topic: CreatableTopic, validate_only: bool) -> Result<Vec<u8>> {
    body_of(
        version,
        &CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only, ..Default::default() },
    )
}

fn create_topics(_: &mut World, version: i16) -> Result<Vec<u8>> {
    create(version, topic(&format!("wire-create-{version}")), false)
}

fn create_topics_assigned(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let assignment = |partition_index| CreatableReplicaAssignment {
        partition_index,
        broker_ids: vec![1],
        ..Default::default()
    };
    let topic = CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments: vec![assignment(0), assignment(1)],
        ..topic(&format!("wire-assigned-{version}"))
    };
    create(version, topic, false)
}

fn create_topics_validated(_: &mut World, version: i16) -> Result<Vec<u8>> {
    create(version, topic(&format!("wire-validated-{version}")), true)
}

fn create_partitions(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let name = format!("wire-partitions-{version}");
    world.create(&name, 1, &[])?;
    let topic = CreatePartitionsTopic {
        name: name.as_str().into(),
        count: 4,
        assignments: None,
        ..Default::default()
    };
    body_of(
        version,
        &CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() },
    )
}

fn delete_topics(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let name = format!("wire-delete-{version}");
    world.create(&name, 1, &[])?;
    if version > 1 {
        world.wait_until_gone(&format!("wire-delete-{}", version - 1))?;
    }
    let mut request = DeleteTopicsRequest { timeout_ms: 10_000, ..Default::default() };
    if version >= 6 {
        request.topics =
            vec![DeleteTopicState { name: None, topic_id: world.topic_id(&name)?, ..Default::default() }];
    } else {
        request.topic_names = vec![name.as_str().into()];
    }
    body_of(version, &request)
}

fn alter_configs(world: &mut World, version: i16) -> Result<Vec<u8>> {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let name = format!("wire-alter-{version}");
    world.create(&name, 1, &[])?;
    let config =
        AlterableConfig { name: "retention.ms".into(), value: Some("777".into()), ..Default::default() };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: name.as_str().into(),
        configs: vec![config],
        ..Default::default()
    };
    body_of(version, &AlterConfigsRequest { resources: vec![resource], ..Default::default() })
}

fn incremental_alter_configs(world: &mut World, version: i16) -> Result<Vec<u8>> {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let name = format!("wire-incremental-{version}");
    world.create(&name, 1, &[])?;
    let config = |name: &str, value: &str, config_operation| AlterableConfig {
        name: name.into(),
        value: Some(value.into()),
        config_operation,
        ..Default::default()
    };
    let resource = |resource_type, name: &str, configs| AlterConfigsResource {
        resource_type,
        resource_name: name.into(),
        configs,
        ..Default::default()
    };
    let resources = vec![
        resource(2, &name, vec![config("retention.ms", "777", 0), config("cleanup.policy", "compact", 2)]),
        resource(4, "", vec![config("log.cleaner.threads", "1", 0)]),
    ];
    body_of(version, &IncrementalAlterConfigsRequest { resources, ..Default::default() })
}

fn list_config_resources(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let mut request = ListConfigResourcesRequest::default();
    if version >= 1 {
        request.resource_types = vec![2, 4, 8, 16, 32];
    }
    body_of(version, &request)
}

fn describe_log_dirs(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let topic = DescribableLogDirTopic { topic: TOPIC.into(), partitions: vec![0, 1], ..Default::default() };
    body_of(version, &DescribeLogDirsRequest { topics: Some(vec![topic]), ..Default::default() })
}

fn alter_replica_log_dirs(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let topic = AlterReplicaLogDirTopic { name: TOPIC.into(), partitions: vec![0, 1], ..Default::default() };
    let dir = AlterReplicaLogDir { path: "/nowhere".into(), topics: vec![topic], ..Default::default() };
    body_of(version, &AlterReplicaLogDirsRequest { dirs: vec![dir], ..Default::default() })
}

fn cancel_reassignment(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let partition = ReassignablePartition { partition_index: 0, replicas: None, ..Default::default() };
    let topic = ReassignableTopic { name: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 10_000,
        allow_replication_factor_change: true,
        topics: vec![topic],
        ..Default::default()
    };
    body_of(version, &request)
}

fn list_reassignments(_: &mut World, version: i16) -> Result<Vec<u8>> {
    body_of(version, &ListPartitionReassignmentsRequest { topics: None, ..Default::default() })
}

fn describe_acls(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let request = DescribeAclsRequest {
        resource_type_filter: 1,
        pattern_type_filter: 1,
        operation: 1,
        permission_type: 1,
        ..Default::default()
    };
    body_of(version, &request)
}

fn sasl_handshake(_: &mut World, version: i16) -> Result<Vec<u8>> {
    body_of(version, &SaslHandshakeRequest { mechanism: "PLAIN".into() })
}
