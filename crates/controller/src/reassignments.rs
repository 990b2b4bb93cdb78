//! ListPartitionReassignments: which partitions are on the move (KIP-455).

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::state::Outcome;
use ottla_metadata::{Partition, Topic};
use ottla_protocol::BrokerId;
use ottla_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

/// Answers ListPartitionReassignments; without a list, for all topics.
pub(crate) fn list(cluster: Cluster<'_>, request: &ListPartitionReassignmentsRequest) -> Outcome {
    let topics: Vec<OngoingTopicReassignment> = match &request.topics {
        None => cluster.image.topics().filter_map(|topic| ongoing(topic, topic.partitions.keys())).collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|asked| ongoing(cluster.image.topic_by_name(&asked.name)?, &asked.partition_indexes))
            .collect(),
    };
    let response = ListPartitionReassignmentsResponse { topics, error_message: None, ..Default::default() };
    Outcome::answer(ControllerResponse::ListPartitionReassignments(response))
}

fn ongoing<'a>(
    topic: &Topic,
    indexes: impl IntoIterator<Item = &'a i32>,
) -> Option<OngoingTopicReassignment> {
    let numbers = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
    let describe = |index: i32, partition: &Partition| OngoingPartitionReassignment {
        partition_index: index,
        replicas: numbers(&partition.replicas),
        adding_replicas: numbers(&partition.adding_replicas),
        removing_replicas: numbers(&partition.removing_replicas),
        ..Default::default()
    };
    let partitions: Vec<OngoingPartitionReassignment> = indexes
        .into_iter()
        .filter_map(|index| Some((*index, topic.partitions.get(index)?)))
        .filter(|(_, partition)| partition.is_reassigning())
        .map(|(index, partition)| describe(index, partition))
        .collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment {
        name: topic.name.clone(),
        partitions,
        ..Default::default()
    })
}
