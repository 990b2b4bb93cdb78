//! The answer to DescribeQuorum (KIP-595, KIP-836, KIP-853).

use crate::state::Quorum;
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse, describe_quorum_response};
use ottla_protocol::{ByteString, ErrorCode};

const METADATA_TOPIC: &str = "__cluster_metadata";

impl Quorum {
    /// Answers a request of any version; fields that a version lacks are left at their defaults.
    pub fn describe(
        &self,
        now: i64,
        request: &DescribeQuorumRequest,
        version: i16,
    ) -> DescribeQuorumResponse {
        if !is_for_metadata_log(request) {
            return every_partition(request, ErrorCode::UnknownTopicOrPartition);
        }
        let Some(partition) = self.describe_partition(now, version) else {
            return every_partition(request, ErrorCode::NotLeaderOrFollower);
        };
        let topic = describe_quorum_response::TopicData {
            topic_name: METADATA_TOPIC.into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let nodes = if version >= 2 { self.describe_nodes() } else { Vec::new() };
        DescribeQuorumResponse { topics: vec![topic], nodes, ..Default::default() }
    }

    fn describe_partition(&self, now: i64, version: i16) -> Option<describe_quorum_response::PartitionData> {
        // Timestamps came with version 1, directory ids with version 2. A leader has always just fetched from itself.
        let timestamp = if version >= 1 { now } else { -1 };
        let replica = |key: &crate::ReplicaKey| describe_quorum_response::ReplicaState {
            replica_id: key.id.0,
            replica_directory_id: if version >= 2 { key.directory_id } else { Default::default() },
            log_end_offset: self.log_end.offset.0,
            last_fetch_timestamp: timestamp,
            last_caught_up_timestamp: timestamp,
            ..Default::default()
        };
        self.is_leader().then(|| describe_quorum_response::PartitionData {
            partition_index: 0,
            leader_id: self.settings.local.id.0,
            leader_epoch: self.election.epoch.0,
            high_watermark: self.high_watermark.map_or(-1, |offset| offset.0),
            current_voters: self.voter_set().0.keys().map(replica).collect(),
            ..Default::default()
        })
    }

    fn describe_nodes(&self) -> Vec<describe_quorum_response::Node> {
        let listener =
            |(name, host, port): &(ByteString, ByteString, u16)| describe_quorum_response::Listener {
                name: name.clone(),
                host: host.clone(),
                port: *port,
                ..Default::default()
            };
        let nodes = self.voter_set().0.iter();
        nodes
            .map(|(key, node)| describe_quorum_response::Node {
                node_id: key.id.0,
                listeners: node.endpoints.iter().map(listener).collect(),
                ..Default::default()
            })
            .collect()
    }
}

/// Only one partition can be described, and it must be that of the metadata log.
fn is_for_metadata_log(request: &DescribeQuorumRequest) -> bool {
    matches!(&request.topics[..], [topic] if topic.topic_name == METADATA_TOPIC
        && matches!(&topic.partitions[..], [partition] if partition.partition_index == 0))
}

fn every_partition(request: &DescribeQuorumRequest, error: ErrorCode) -> DescribeQuorumResponse {
    let partition = |index: i32| describe_quorum_response::PartitionData {
        partition_index: index,
        error_code: error.code(),
        error_message: Some(error.message().into()),
        ..Default::default()
    };
    let topics = request
        .topics
        .iter()
        .map(|topic| describe_quorum_response::TopicData {
            topic_name: topic.topic_name.clone(),
            partitions: topic.partitions.iter().map(|p| partition(p.partition_index)).collect(),
            ..Default::default()
        })
        .collect();
    DescribeQuorumResponse { topics, ..Default::default() }
}
