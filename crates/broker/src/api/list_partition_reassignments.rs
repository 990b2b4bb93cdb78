//! ListPartitionReassignments (46): the reassignments that are under way (KIP-455).

use super::call::{Call, Handled};
use super::table::Entry;
use crate::node::images::Images;
use ottla_metadata::{Partition, Topic};
use ottla_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};
use ottla_protocol::{ApiKey, BrokerId};

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::ListPartitionReassignments, handle: |parts, call| handle(call, &parts.images) };

fn handle(call: &Call, images: &Images) -> Handled {
    let request: ListPartitionReassignmentsRequest = call.decode()?;
    let image = images.current();
    let topics = match &request.topics {
        None => image.topics().filter_map(|topic| ongoing(topic, None)).collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|asked| ongoing(image.topic_by_name(&asked.name)?, Some(&asked.partition_indexes)))
            .collect(),
    };
    call.reply(&ListPartitionReassignmentsResponse {
        topics,
        error_message: None,
        ..ListPartitionReassignmentsResponse::default()
    })
}

fn ongoing(topic: &Topic, asked: Option<&[i32]>) -> Option<OngoingTopicReassignment> {
    let wanted = |index: &i32| asked.is_none_or(|asked| asked.contains(index));
    let moving =
        topic.partitions.iter().filter(|(index, partition)| wanted(index) && partition.is_reassigning());
    let partitions: Vec<_> = moving.map(|(index, partition)| reassignment(*index, partition)).collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment {
        name: topic.name.clone(),
        partitions,
        ..OngoingTopicReassignment::default()
    })
}

fn reassignment(partition_index: i32, partition: &Partition) -> OngoingPartitionReassignment {
    let numbers = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
    OngoingPartitionReassignment {
        partition_index,
        replicas: numbers(&partition.replicas),
        adding_replicas: numbers(&partition.adding_replicas),
        removing_replicas: numbers(&partition.removing_replicas),
        ..OngoingPartitionReassignment::default()
    }
}
