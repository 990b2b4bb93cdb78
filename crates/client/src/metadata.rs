//! What is known about the cluster: its brokers, its topics, who leads what.

use crate::config::Address;
use ottla_protocol::messages::{MetadataResponse, metadata_response};
use ottla_protocol::{BrokerId, ErrorCode, LeaderEpoch, TopicId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// A view of the cluster that grows with each answer; an old one stays valid for whoever holds it.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// Where administrative requests go. Brokers name any of themselves here; they forward.
    pub controller: Option<BrokerId>,
    /// The brokers that are alive.
    pub brokers: BTreeMap<BrokerId, Node>,
    /// Topics that were asked for, also those that do not exist.
    pub topics: BTreeMap<String, Arc<TopicMetadata>>,
}

/// A broker or controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its `node.id`.
    pub id: BrokerId,
    /// Where it listens.
    pub address: Address,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// A topic at the time it was asked for.
#[derive(Clone, Debug)]
pub struct TopicMetadata {
    /// Its name.
    pub name: String,
    /// Its id; zero where the broker is too old to have one.
    pub id: TopicId,
    /// Whether it belongs to Kafka itself.
    pub is_internal: bool,
    /// Its partitions, in order of their numbers.
    pub partitions: Vec<PartitionMetadata>,
    /// Why nothing is known about it, if so.
    pub error: ErrorCode,
    /// The operations that the caller may do, as bits, if they were asked for.
    pub authorized_operations: i32,
    pub(crate) at: Instant,
}

impl TopicMetadata {
    /// One partition.
    pub fn partition(&self, partition: i32) -> Option<&PartitionMetadata> {
        // Brokers list them by number, in most cases.
        let place = usize::try_from(partition).ok().and_then(|place| self.partitions.get(place));
        let is_meant = |known: &&PartitionMetadata| known.partition == partition;
        place.filter(is_meant).or_else(|| self.partitions.iter().find(is_meant))
    }
}

/// A partition at the time it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Its number.
    pub partition: i32,
    /// Who leads it, if anybody does.
    pub leader: Option<BrokerId>,
    /// Since which election.
    pub leader_epoch: LeaderEpoch,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those in sync.
    pub isr: Vec<BrokerId>,
    /// Those on dead brokers or disks.
    pub offline_replicas: Vec<BrokerId>,
    /// What is wrong with it, if anything.
    pub error: ErrorCode,
}

impl Metadata {
    /// Takes an answer in: all of its brokers, and its topics over what was known of them.
    pub(crate) fn apply(&mut self, response: MetadataResponse, at: Instant) {
        self.cluster_id = response.cluster_id.as_ref().map(ToString::to_string);
        self.controller = (response.controller_id >= 0).then_some(BrokerId(response.controller_id));
        self.brokers = response.brokers.iter().map(node).map(|node| (node.id, node)).collect();
        for topic in response.topics {
            let Some(name) = topic.name.as_ref().map(ToString::to_string) else { continue };
            self.topics.insert(name.clone(), Arc::new(topic_metadata(name, topic, at)));
        }
    }
}

fn node(broker: &metadata_response::MetadataResponseBroker) -> Node {
    Node {
        id: BrokerId(broker.node_id),
        address: Address {
            host: broker.host.to_string(),
            port: u16::try_from(broker.port).unwrap_or_default(),
        },
        rack: broker.rack.as_ref().map(ToString::to_string),
    }
}

fn topic_metadata(
    name: String,
    topic: metadata_response::MetadataResponseTopic,
    at: Instant,
) -> TopicMetadata {
    let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    let mut partitions: Vec<PartitionMetadata> = topic
        .partitions
        .iter()
        .map(|partition| PartitionMetadata {
            partition: partition.partition_index,
            leader: (partition.leader_id >= 0).then_some(BrokerId(partition.leader_id)),
            leader_epoch: LeaderEpoch(partition.leader_epoch),
            replicas: ids(&partition.replica_nodes),
            isr: ids(&partition.isr_nodes),
            offline_replicas: ids(&partition.offline_replicas),
            error: ErrorCode::from_code(partition.error_code),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.partition);
    TopicMetadata {
        name,
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions,
        error: ErrorCode::from_code(topic.error_code),
        authorized_operations: topic.topic_authorized_operations,
        at,
    }
}

/// A topic whose partitions have these leaders.
#[cfg(test)]
pub(crate) fn topic_for_tests(name: &str, leaders: &[Option<i32>]) -> TopicMetadata {
    let partition = |(partition, leader): (usize, &Option<i32>)| PartitionMetadata {
        partition: partition as i32,
        leader: leader.map(BrokerId),
        leader_epoch: LeaderEpoch(0),
        replicas: Vec::new(),
        isr: Vec::new(),
        offline_replicas: Vec::new(),
        error: ErrorCode::None,
    };
    TopicMetadata {
        name: name.to_owned(),
        id: TopicId::ZERO,
        is_internal: false,
        partitions: leaders.iter().enumerate().map(partition).collect(),
        error: ErrorCode::None,
        authorized_operations: 0,
        at: Instant::now(),
    }
}
