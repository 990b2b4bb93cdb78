//! AlterPartition: the leader of a partition asks for another ISR (KIP-497, KIP-841, KIP-903).

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::heartbeat::check_broker_epoch;
use crate::partition_change::{Election, PartitionChange};
use crate::state::Outcome;
use ottla_metadata::{LeaderRecoveryState, MetadataRecord, NO_LEADER, NO_LEADER_CHANGE, Partition, Topic};
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData};
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse, alter_partition_response};
use ottla_protocol::{BrokerId, ErrorCode};

/// Answers AlterPartition.
pub(crate) fn alter(cluster: Cluster<'_>, version: i16, request: &AlterPartitionRequest) -> Outcome {
    if request.topics.is_empty() {
        return Outcome::answer(ControllerResponse::AlterPartition(AlterPartitionResponse::default()));
    }
    let leader = BrokerId(request.broker_id);
    if let Err(error) = check_broker_epoch(cluster, leader, request.broker_epoch) {
        let response = AlterPartitionResponse { error_code: error.code.code(), ..Default::default() };
        return Outcome::answer(ControllerResponse::AlterPartition(response));
    }
    let mut records = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in &request.topics {
        let topic = cluster.image.topic(asked.topic_id);
        let partitions = asked
            .partitions
            .iter()
            .map(|data| {
                let index = data.partition_index;
                let decided = match topic {
                    Some(topic) => alter_one(cluster, version, leader, topic, data, &mut records),
                    None => Err(ErrorCode::UnknownTopicId),
                };
                decided.map_or_else(|error| refused(index, error), |partition| altered(index, &partition))
            })
            .collect();
        let topic_id = asked.topic_id;
        topics.push(alter_partition_response::TopicData { topic_id, partitions, ..Default::default() });
    }
    let response = AlterPartitionResponse { topics, ..Default::default() };
    Outcome { records, response: ControllerResponse::AlterPartition(response) }
}

fn refused(partition_index: i32, error: ErrorCode) -> alter_partition_response::PartitionData {
    let error_code = error.code();
    alter_partition_response::PartitionData { partition_index, error_code, ..Default::default() }
}

fn altered(partition_index: i32, partition: &Partition) -> alter_partition_response::PartitionData {
    alter_partition_response::PartitionData {
        partition_index,
        leader_id: partition.leader.map_or(NO_LEADER, |leader| leader.0),
        leader_epoch: partition.leader_epoch.0,
        isr: partition.isr.iter().map(|id| id.0).collect(),
        leader_recovery_state: partition.leader_recovery_state as i8,
        partition_epoch: partition.partition_epoch,
        ..Default::default()
    }
}

/// The partition as it is afterwards.
fn alter_one(
    cluster: Cluster<'_>,
    version: i16,
    leader: BrokerId,
    topic: &Topic,
    data: &PartitionData,
    records: &mut Vec<MetadataRecord>,
) -> Result<Partition, ErrorCode> {
    let simple = |id: &i32| BrokerState { broker_id: *id, broker_epoch: -1, ..Default::default() };
    let new_isr: Vec<BrokerState> = if version < 3 {
        data.new_isr.iter().map(simple).collect()
    } else {
        data.new_isr_with_epochs.clone()
    };
    let Some(partition) = topic.partitions.get(&data.partition_index) else {
        return Err(ErrorCode::UnknownTopicOrPartition);
    };
    let state = check(cluster, leader, partition, data, &new_isr)?;

    let is_active = |id| cluster.is_active(id);
    let mut change = PartitionChange::new(cluster, topic, data.partition_index, partition);
    change.may_lead = &is_active;
    change.election = Election::of_topic(cluster, topic);
    change.isr = new_isr.iter().map(|state| BrokerId(state.broker_id)).collect();
    change.leader_recovery_state = state;
    let Some(record) = change.build() else { return Ok((**partition).clone()) };
    let after = partition.merge(&record).expect("the record was built from this partition");
    let new_leader = record.leader;
    records.push(record.into());
    if new_leader != NO_LEADER_CHANGE && new_leader != leader.0 {
        // The new ISR has ended a reassignment, and with it this broker's leadership. Both the change and an error: the
        // broker must look at the metadata before it tries again.
        return Err(ErrorCode::NewLeaderElected);
    }
    Ok(after)
}

fn check(
    cluster: Cluster<'_>,
    leader: BrokerId,
    partition: &Partition,
    data: &PartitionData,
    new_isr: &[BrokerState],
) -> Result<LeaderRecoveryState, ErrorCode> {
    // A leader that has seen newer epochs knows of a newer controller than this one.
    if data.leader_epoch > partition.leader_epoch.0 || data.partition_epoch > partition.partition_epoch {
        return Err(ErrorCode::NotController);
    }
    if data.leader_epoch < partition.leader_epoch.0 {
        return Err(ErrorCode::FencedLeaderEpoch);
    }
    if partition.leader != Some(leader) {
        return Err(ErrorCode::InvalidRequest);
    }
    if data.partition_epoch < partition.partition_epoch {
        return Err(ErrorCode::InvalidUpdateVersion);
    }
    let ids: Vec<BrokerId> = new_isr.iter().map(|state| BrokerId(state.broker_id)).collect();
    let is_repeated = |(index, id): (usize, &BrokerId)| ids[..index].contains(id);
    let is_subset = ids.iter().all(|id| partition.replicas.contains(id));
    if !is_subset || ids.iter().enumerate().any(is_repeated) || !ids.contains(&leader) {
        return Err(ErrorCode::InvalidRequest);
    }
    let state =
        LeaderRecoveryState::from_number(data.leader_recovery_state).ok_or(ErrorCode::InvalidRequest)?;
    if state == LeaderRecoveryState::Recovering
        && (ids.len() > 1 || partition.leader_recovery_state == LeaderRecoveryState::Recovered)
    {
        return Err(ErrorCode::InvalidRequest);
    }
    let is_eligible = |state: &BrokerState| {
        let broker = cluster.image.broker(BrokerId(state.broker_id)).filter(|broker| broker.is_active());
        broker.is_some_and(|broker| state.broker_epoch == -1 || state.broker_epoch == broker.epoch)
    };
    if new_isr.iter().all(is_eligible) { Ok(state) } else { Err(ErrorCode::IneligibleReplica) }
}
