//! Tells the controller in which log directory this broker's partitions lie (AssignReplicasToDirs, KIP-858): it must know
//! whom to take leadership from when a directory fails.
//!
//! Where a broker has one directory the controller knows without being told. Otherwise the broker chooses one for each new
//! partition, and the publisher notices that the image names another.

use super::controller::ControllerHandle;
use super::untold::{Key, RETRY_PAUSE, Untold};
use ottla_protocol::messages::assign_replicas_to_dirs_request::{DirectoryData, PartitionData, TopicData};
use ottla_protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};
use ottla_protocol::{BrokerId, ErrorCode, TopicId, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What the controller is still to be told.
#[derive(Default)]
pub(super) struct DirAssignments(Untold<Uuid>);

impl DirAssignments {
    /// A partition is in this directory.
    pub(super) fn tell(&self, topic_id: TopicId, index: i32, dir: Uuid) {
        self.0.add((topic_id, index), dir);
    }

    /// Whether the controller has not answered yet to the last that it is told of a partition.
    pub(super) fn is_waiting(&self, topic_id: TopicId, index: i32) -> bool {
        self.0.has((topic_id, index))
    }

    /// The controller has taken all.
    #[cfg(test)]
    pub(super) fn answer_all(&self) {
        let batch = self.0.batch();
        self.0.told(&batch, batch.keys());
    }

    /// Tells the controller for ever, again and again what it does not take.
    pub(super) async fn run(&self, controller: &ControllerHandle, node_id: BrokerId, epoch: &Arc<AtomicI64>) {
        loop {
            self.0.added().await;
            while let Err(error) = self.tell_all(controller, node_id, epoch).await {
                tracing::debug!(%error, "the controller does not take the directories of partitions yet");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }

    /// Tells what is still to be told: the last thing before this broker leaves. A partition that the next start does not
    /// find in its place would be begun anew in another one.
    pub(super) async fn tell_all(
        &self,
        controller: &ControllerHandle,
        node_id: BrokerId,
        epoch: &Arc<AtomicI64>,
    ) -> Result<(), ErrorCode> {
        loop {
            let batch = self.0.batch();
            if batch.is_empty() {
                return Ok(());
            }
            let request = request(&batch, node_id, epoch.load(Ordering::SeqCst));
            let response = controller.ask(request).await?;
            let answered = answered(&response)?;
            for (key, error) in answered.iter().filter(|(_, error)| *error != ErrorCode::None) {
                tracing::debug!(topic_id = %key.0, partition = key.1, %error, "a directory was not taken note of");
            }
            // A partition that the controller does not know is gone.
            self.0.told(&batch, answered.iter().map(|(key, _)| key));
        }
    }
}

fn request(batch: &BTreeMap<Key, Uuid>, node_id: BrokerId, broker_epoch: i64) -> AssignReplicasToDirsRequest {
    let mut directories: BTreeMap<Uuid, BTreeMap<TopicId, Vec<PartitionData>>> = BTreeMap::new();
    for ((topic_id, partition_index), dir) in batch {
        let topics = directories.entry(*dir).or_default();
        let data = PartitionData { partition_index: *partition_index, ..PartitionData::default() };
        topics.entry(*topic_id).or_default().push(data);
    }
    let topic = |(topic_id, partitions)| TopicData { topic_id, partitions, ..TopicData::default() };
    let directory = |(id, topics): (Uuid, BTreeMap<TopicId, Vec<PartitionData>>)| DirectoryData {
        id,
        topics: topics.into_iter().map(topic).collect(),
        ..DirectoryData::default()
    };
    AssignReplicasToDirsRequest {
        broker_id: node_id.0,
        broker_epoch,
        directories: directories.into_iter().map(directory).collect(),
        ..AssignReplicasToDirsRequest::default()
    }
}

/// What the controller says of each partition.
fn answered(response: &AssignReplicasToDirsResponse) -> Result<Vec<(Key, ErrorCode)>, ErrorCode> {
    match ErrorCode::from_code(response.error_code) {
        ErrorCode::None => {}
        error => return Err(error),
    }
    let topics = response.directories.iter().flat_map(|directory| &directory.topics);
    let partitions = topics.flat_map(|topic| {
        let key = |index| (topic.topic_id, index);
        topic.partitions.iter().map(move |partition| {
            (key(partition.partition_index), ErrorCode::from_code(partition.error_code))
        })
    });
    Ok(partitions.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: TopicId = Uuid([7; 16]);
    const A: Uuid = Uuid([10; 16]);
    const B: Uuid = Uuid([11; 16]);

    #[test]
    fn partitions_are_told_by_directory() {
        let batch = [((TOPIC, 0), A), ((TOPIC, 1), B), ((TOPIC, 2), A)].into();
        let request = request(&batch, BrokerId(1), 9);
        let told = request.directories.iter().map(|directory| {
            let partitions = directory.topics[0].partitions.iter().map(|one| one.partition_index);
            (directory.id, partitions.collect::<Vec<_>>())
        });
        assert_eq!(told.collect::<Vec<_>>(), [(A, vec![0, 2]), (B, vec![1])]);
    }
}
