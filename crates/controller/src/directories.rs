//! AssignReplicasToDirs: a broker tells in which log directories its replicas lie (KIP-858).

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::heartbeat::check_broker_epoch;
use crate::leadership;
use crate::partition_change::PartitionChange;
use crate::state::Outcome;
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::{
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, assign_replicas_to_dirs_response as response,
};
use ottla_protocol::{BrokerId, ErrorCode, TopicId, Uuid};

/// Answers AssignReplicasToDirs.
pub(crate) fn assign_replicas(cluster: Cluster<'_>, request: &AssignReplicasToDirsRequest) -> Outcome {
    let id = BrokerId(request.broker_id);
    let broker = match check_broker_epoch(cluster, id, request.broker_epoch) {
        Ok(broker) => broker,
        Err(error) => {
            let error_code = error.code.code();
            let response = AssignReplicasToDirsResponse { error_code, ..Default::default() };
            return Outcome::answer(ControllerResponse::AssignReplicasToDirs(response));
        }
    };
    let mut records = Vec::new();
    let mut lost: Vec<(TopicId, i32)> = Vec::new();
    let mut directories = Vec::with_capacity(request.directories.len());
    for directory in &request.directories {
        let is_online = broker.has_online_dir(directory.id);
        let mut topics = Vec::with_capacity(directory.topics.len());
        for topic in &directory.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let index = partition.partition_index;
                let error = match assign_one(cluster, id, directory.id, topic.topic_id, index) {
                    Ok(record) => {
                        records.extend(record);
                        if !is_online {
                            lost.push((topic.topic_id, index));
                        }
                        ErrorCode::None
                    }
                    Err(error) => error,
                };
                let error_code = error.code();
                partitions.push(response::PartitionData {
                    partition_index: index,
                    error_code,
                    ..Default::default()
                });
            }
            topics.push(response::TopicData { topic_id: topic.topic_id, partitions, ..Default::default() });
        }
        directories.push(response::DirectoryData { id: directory.id, topics, ..Default::default() });
    }
    let lost = lost.iter().filter_map(|(topic_id, index)| {
        let topic = cluster.image.topic(*topic_id)?;
        Some((&**topic, *index, &**topic.partitions.get(index)?))
    });
    leadership::on_replicas_lost(cluster, id, lost, &mut records);
    let response = AssignReplicasToDirsResponse { directories, ..Default::default() };
    Outcome { records, response: ControllerResponse::AssignReplicasToDirs(response) }
}

fn assign_one(
    cluster: Cluster<'_>,
    id: BrokerId,
    dir: Uuid,
    topic_id: TopicId,
    index: i32,
) -> Result<Option<MetadataRecord>, ErrorCode> {
    let topic = cluster.image.topic(topic_id).ok_or(ErrorCode::UnknownTopicId)?;
    let partition = topic.partitions.get(&index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if !partition.replicas.contains(&id) {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    let is_active = |id| cluster.is_active(id);
    let mut change = PartitionChange::new(cluster, topic, index, partition);
    change.may_lead = &is_active;
    change.directories.insert(id, dir);
    Ok(change.build().map(MetadataRecord::from))
}
