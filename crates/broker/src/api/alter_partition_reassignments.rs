//! AlterPartitionReassignments (45): which brokers hold partitions (KIP-455).
//!
//! Versions: 1 whether the number of replicas may change (KIP-860).
//!
//! A cluster of one has nowhere to move a partition to: what asks for the replicas that there are succeeds, as it does with
//! Kafka, anything else names a broker that is not there. Kafka's tool asks so before it moves partitions between log
//! directories.

use super::call::{Call, Handled};
use super::table::Entry;
use crate::node::images::Images;
use ottla_metadata::Image;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use ottla_protocol::{ApiKey, BrokerId, ErrorCode};
use std::collections::BTreeSet;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::AlterPartitionReassignments, handle: |parts, call| handle(call, &parts.images) };

/// Why not: Kafka's code and sentence.
type Refusal = (ErrorCode, Option<String>);

fn handle(call: &Call, images: &Images) -> Handled {
    let request: AlterPartitionReassignmentsRequest = call.decode()?;
    let image = images.current();
    let topic = |topic: &ReassignableTopic| ReassignableTopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| response(asked.partition_index, check(&image, &topic.name, asked)))
            .collect(),
        ..ReassignableTopicResponse::default()
    };
    call.reply(&AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses: request.topics.iter().map(topic).collect(),
        ..AlterPartitionReassignmentsResponse::default()
    })
}

fn response(partition_index: i32, checked: Result<(), Refusal>) -> ReassignablePartitionResponse {
    let (error, message) = checked.err().unwrap_or((ErrorCode::None, None));
    ReassignablePartitionResponse {
        partition_index,
        error_code: error.code(),
        error_message: message.map(Into::into),
        ..ReassignablePartitionResponse::default()
    }
}

fn check(image: &Image, topic: &str, asked: &ReassignablePartition) -> Result<(), Refusal> {
    let unknown =
        |what: String| (ErrorCode::UnknownTopicOrPartition, Some(format!("Unable to find {what}.")));
    let found = image.topic_by_name(topic).ok_or_else(|| unknown(format!("a topic named {topic}")))?;
    let index = asked.partition_index;
    let partition =
        found.partitions.get(&index).ok_or_else(|| unknown(format!("partition {topic}:{index}")))?;
    match &asked.replicas {
        None if partition.is_reassigning() => Ok(()),
        None => Err((ErrorCode::NoReassignmentInProgress, None)),
        Some(replicas) => check_replicas(image, replicas),
    }
}

fn check_replicas(image: &Image, replicas: &[i32]) -> Result<(), Refusal> {
    let invalid = |text: String| Err((ErrorCode::InvalidReplicaAssignment, Some(text)));
    let sorted: BTreeSet<i32> = replicas.iter().copied().collect();
    if replicas.is_empty() {
        return invalid("The manual partition assignment includes an empty replica list.".to_owned());
    }
    if let Some(id) = sorted.iter().find(|id| image.broker(BrokerId(**id)).is_none()) {
        return invalid(format!(
            "The manual partition assignment includes broker {id}, but no such broker is registered."
        ));
    }
    if sorted.len() < replicas.len() {
        let mut list = replicas.to_vec();
        list.sort_unstable();
        let twice = list.windows(2).find(|pair| pair[0] == pair[1]).map_or(0, |pair| pair[0]);
        return invalid(format!(
            "The manual partition assignment includes the broker {twice} more than once."
        ));
    }
    Ok(())
}
