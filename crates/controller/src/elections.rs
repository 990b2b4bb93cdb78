//! ElectLeaders: preferred and unclean elections that an operator asks for (KIP-183, KIP-460).

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::error::{ApiError, ApiResult, on_wire};
use crate::partition_change::{Election, PartitionChange};
use crate::state::{Outcome, RECORDS_PER_BATCH_MAX};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use ottla_protocol::{ByteString, ErrorCode};

/// Answers ElectLeaders; without a list, elects wherever it makes sense.
pub(crate) fn elect(cluster: Cluster<'_>, request: &ElectLeadersRequest) -> Outcome {
    let (records, response) = match elect_all(cluster, request) {
        Ok((records, replica_election_results)) => {
            (records, ElectLeadersResponse { replica_election_results, ..Default::default() })
        }
        Err(error) => (Vec::new(), refuse_all(request, &error)),
    };
    Outcome { records, response: ControllerResponse::ElectLeaders(response) }
}

fn elect_all(
    cluster: Cluster<'_>,
    request: &ElectLeadersRequest,
) -> ApiResult<(Vec<MetadataRecord>, Vec<ReplicaElectionResult>)> {
    ApiError::check_timeout(request.timeout_ms)?;
    let election = match request.election_type {
        0 => Election::Preferred,
        1 => Election::Unclean,
        other => {
            let message = format!("Unknown election type {other}");
            return Err(ApiError::new(ErrorCode::InvalidRequest, message));
        }
    };
    let mut records = Vec::new();
    let mut results = Vec::new();
    let mut elect = |topic: &ByteString, indexes: &[i32], hides_unneeded: bool| -> ApiResult<()> {
        let mut partition_result = Vec::with_capacity(indexes.len());
        for index in indexes {
            let elected = elect_one(cluster, topic, *index, election);
            let is_unneeded = elected.as_ref().is_err_and(|error| error.code == ErrorCode::ElectionNotNeeded);
            if !(hides_unneeded && is_unneeded) {
                partition_result.push(result(*index, &elected));
            }
            records.extend(elected.ok());
        }
        results.push(ReplicaElectionResult { topic: topic.clone(), partition_result, ..Default::default() });
        if records.len() > RECORDS_PER_BATCH_MAX { Err(ApiError::too_large()) } else { Ok(()) }
    };
    match &request.topic_partitions {
        Some(topics) => topics.iter().try_for_each(|topic| elect(&topic.topic, &topic.partitions, false))?,
        None => cluster.image.topics().try_for_each(|topic| {
            let indexes: Vec<i32> = topic.partitions.keys().copied().collect();
            elect(&topic.name, &indexes, true)
        })?,
    }
    Ok((records, results))
}

fn result<T>(partition_id: i32, outcome: &ApiResult<T>) -> PartitionResult {
    let (error_code, error_message) = on_wire(outcome);
    PartitionResult { partition_id, error_code, error_message, ..Default::default() }
}

fn refuse_all(request: &ElectLeadersRequest, error: &ApiError) -> ElectLeadersResponse {
    let refuse = |index: &i32| result::<()>(*index, &Err(error.clone()));
    let topics = request.topic_partitions.iter().flatten();
    let replica_election_results = topics
        .map(|topic| ReplicaElectionResult {
            topic: topic.topic.clone(),
            partition_result: topic.partitions.iter().map(refuse).collect(),
            ..Default::default()
        })
        .collect();
    ElectLeadersResponse { error_code: error.code.code(), replica_election_results, ..Default::default() }
}

fn elect_one(
    cluster: Cluster<'_>,
    name: &ByteString,
    index: i32,
    election: Election,
) -> ApiResult<MetadataRecord> {
    let unknown = |message: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, message);
    let topic = cluster.image.topic_by_name(name);
    let topic = topic.ok_or_else(|| unknown(format!("No such topic as {name}")))?;
    let partition = topic.partitions.get(&index);
    let partition = partition.ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
    let (is_unneeded, nobody) = match election {
        Election::Preferred => {
            (partition.leader == partition.preferred_leader(), ErrorCode::PreferredLeaderNotAvailable)
        }
        Election::Online | Election::Unclean => {
            (partition.leader.is_some(), ErrorCode::EligibleLeadersNotAvailable)
        }
    };
    if is_unneeded {
        return Err(ApiError::standard(ErrorCode::ElectionNotNeeded));
    }
    let is_active = |id| cluster.is_active(id);
    let mut change = PartitionChange::new(cluster, topic, index, partition);
    change.may_lead = &is_active;
    change.election = election;
    change.build().map(MetadataRecord::from).ok_or_else(|| ApiError::standard(nobody))
}
