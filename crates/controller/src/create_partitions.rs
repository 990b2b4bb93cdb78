//! CreatePartitions: more partitions for a topic (KIP-195).

use crate::cluster::Cluster;
use crate::create_topics::{assigned_partition, check_assignment, new_partition};
use crate::effect::ControllerResponse;
use crate::error::{ApiError, ApiResult, on_wire};
use crate::placement;
use crate::random::Random;
use crate::state::{Outcome, RECORDS_PER_BATCH_MAX};
use ottla_metadata::{MetadataRecord, Topic};
use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use ottla_protocol::{BrokerId, ByteString, ErrorCode};
use std::collections::BTreeSet;

/// Answers CreatePartitions.
pub(crate) fn create(
    cluster: Cluster<'_>,
    random: &mut Random,
    request: &CreatePartitionsRequest,
) -> Outcome {
    if let Err(error) = ApiError::check_timeout(request.timeout_ms) {
        let refused: ApiResult<()> = Err(error);
        let results = request.topics.iter().map(|topic| result(&topic.name, &refused)).collect();
        let response = CreatePartitionsResponse { results, ..Default::default() };
        return Outcome::answer(ControllerResponse::CreatePartitions(response));
    }
    let mut seen = BTreeSet::new();
    let names = request.topics.iter().map(|topic| &topic.name);
    let duplicates: BTreeSet<&ByteString> = names.filter(|name| !seen.insert(*name)).collect();
    let duplicate: ApiResult<()> = Err(ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name."));
    let mut results: Vec<CreatePartitionsTopicResult> =
        duplicates.iter().map(|name| result(name, &duplicate)).collect();

    let mut records = Vec::new();
    for topic in request.topics.iter().filter(|topic| !duplicates.contains(&topic.name)) {
        let room = RECORDS_PER_BATCH_MAX - records.len();
        let created = create_one(cluster, random, topic, room);
        results.push(result(&topic.name, &created));
        records.extend(created.unwrap_or_default());
    }
    if request.validate_only {
        records.clear();
    }
    let response = CreatePartitionsResponse { results, ..Default::default() };
    Outcome { records, response: ControllerResponse::CreatePartitions(response) }
}

fn result<T>(name: &ByteString, outcome: &ApiResult<T>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = on_wire(outcome);
    CreatePartitionsTopicResult { name: name.clone(), error_code, error_message, ..Default::default() }
}

/// The records of the new partitions of one topic, at most `room`.
fn create_one(
    cluster: Cluster<'_>,
    random: &mut Random,
    request: &CreatePartitionsTopic,
    room: usize,
) -> ApiResult<Vec<MetadataRecord>> {
    let Some(topic) = cluster.image.topic_by_name(&request.name) else {
        return Err(ApiError::bare(ErrorCode::UnknownTopicOrPartition));
    };
    let present = topic.partitions.len() as i32;
    let additional = check_count(request, present)?;
    if additional > room {
        return Err(ApiError::too_large());
    }
    let replication_factor = topic.partitions.values().next().map_or(0, |partition| partition.replicas.len());
    let partitions = match &request.assignments {
        Some(assignments) => assign(cluster, present, replication_factor, assignments)?,
        None => place(cluster, random, additional, replication_factor)?,
    };
    let record = |(index, partition): (i32, ottla_metadata::Partition)| record(topic, index, &partition);
    Ok((present..).zip(partitions).map(record).collect())
}

fn record(topic: &Topic, index: i32, partition: &ottla_metadata::Partition) -> MetadataRecord {
    partition.to_record(topic.id, index).into()
}

/// How many partitions are to be added.
fn check_count(request: &CreatePartitionsTopic, present: i32) -> ApiResult<usize> {
    let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidPartitions, message));
    if request.count == present {
        return refuse(format!("Topic already has {present} partition(s)."));
    }
    let Some(additional) = request.count.checked_sub(present).and_then(|count| usize::try_from(count).ok())
    else {
        return refuse(format!(
            "The topic {} currently has {present} partition(s); {} would not be an increase.",
            request.name, request.count
        ));
    };
    match &request.assignments {
        Some(assignments) if assignments.len() != additional => {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message))
        }
        _ => Ok(additional),
    }
}

fn assign(
    cluster: Cluster<'_>,
    first_index: i32,
    replication_factor: usize,
    assignments: &[CreatePartitionsAssignment],
) -> ApiResult<Vec<ottla_metadata::Partition>> {
    let assign_one = |(index, assignment): (i32, &CreatePartitionsAssignment)| {
        let replicas: Vec<BrokerId> = assignment.broker_ids.iter().copied().map(BrokerId).collect();
        check_assignment(cluster, &replicas, Some(replication_factor))?;
        assigned_partition(cluster, index, replicas)
    };
    (first_index..).zip(assignments).map(assign_one).collect()
}

fn place(
    cluster: Cluster<'_>,
    random: &mut Random,
    count: usize,
    replication_factor: usize,
) -> ApiResult<Vec<ottla_metadata::Partition>> {
    let replication_factor = i16::try_from(replication_factor).unwrap_or(i16::MAX);
    let placed = placement::place(cluster, random, count, replication_factor)?;
    let nobody = || {
        let message = format!(
            "Unable to replicate the partition {replication_factor} time(s): All brokers are currently fenced or in \
             controlled shutdown."
        );
        ApiError::new(ErrorCode::InvalidReplicationFactor, message)
    };
    placed.into_iter().map(|replicas| new_partition(cluster, replicas).ok_or_else(nobody)).collect()
}
