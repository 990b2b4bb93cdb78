//! Tells the controller that leaders which were elected uncleanly have recovered (AlterPartition, KIP-704).
//!
//! A broker that was killed may have lost what it had, so the controller makes it the leader of its partitions again as
//! `RECOVERING` only. Once the log is open and this broker leads with what it holds, there is nothing else to recover.
//! Where there are followers the next change of the ISR says so in passing; where there are none, nobody else would ever
//! say it.

use super::controller::ControllerHandle;
use super::untold::{Key, RETRY_PAUSE, Untold};
use ottla_metadata::{LeaderRecoveryState, Partition};
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use ottla_protocol::{BrokerId, ErrorCode, TopicId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The leaders that have recovered and that the controller has not heard of yet.
#[derive(Default)]
pub(super) struct LeaderRecovery(Untold<Arc<Partition>>);

impl LeaderRecovery {
    /// This broker holds the partition's log, and the image has the partition like this. What is not about a leader that
    /// has to recover is nothing to tell.
    pub(super) fn holds(&self, node_id: BrokerId, topic_id: TopicId, index: i32, partition: &Arc<Partition>) {
        let is_recovering = partition.leader_recovery_state == LeaderRecoveryState::Recovering;
        if is_recovering && partition.leader == Some(node_id) {
            self.0.add((topic_id, index), Arc::clone(partition));
        }
    }

    /// Tells the controller for ever. What it refuses was decided about a partition that has changed since: the image with
    /// that change says whether there is still something to tell.
    pub(super) async fn run(&self, controller: &ControllerHandle, node_id: BrokerId, epoch: &Arc<AtomicI64>) {
        loop {
            let batch = self.0.batch();
            if batch.is_empty() {
                self.0.added().await;
                continue;
            }
            let request = request(&batch, node_id, epoch.load(Ordering::SeqCst));
            match controller.ask(request).await.and_then(|response| taken(&response)) {
                Ok(()) => self.0.told(&batch, batch.keys()),
                Err(error) => {
                    tracing::debug!(%error, "the controller does not hear of leaders that have recovered yet");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }
}

fn request(
    batch: &BTreeMap<Key, Arc<Partition>>,
    node_id: BrokerId,
    broker_epoch: i64,
) -> AlterPartitionRequest {
    let member = |id: &BrokerId| BrokerState { broker_id: id.0, broker_epoch: -1, ..BrokerState::default() };
    let mut topics: BTreeMap<TopicId, Vec<PartitionData>> = BTreeMap::new();
    for ((topic_id, partition_index), partition) in batch {
        topics.entry(*topic_id).or_default().push(PartitionData {
            partition_index: *partition_index,
            leader_epoch: partition.leader_epoch.0,
            new_isr_with_epochs: partition.isr.iter().map(member).collect(),
            leader_recovery_state: LeaderRecoveryState::Recovered as i8,
            partition_epoch: partition.partition_epoch,
            ..PartitionData::default()
        });
    }
    let topic = |(topic_id, partitions)| TopicData { topic_id, partitions, ..TopicData::default() };
    AlterPartitionRequest {
        broker_id: node_id.0,
        broker_epoch,
        topics: topics.into_iter().map(topic).collect(),
        ..AlterPartitionRequest::default()
    }
}

/// Whether the controller has looked at the partitions.
fn taken(response: &AlterPartitionResponse) -> Result<(), ErrorCode> {
    match ErrorCode::from_code(response.error_code) {
        ErrorCode::None => Ok(()),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::partition::tests::{TOPIC, assigned};

    const NODE: BrokerId = BrokerId(1);

    fn recovering(leader_epoch: i32) -> Partition {
        Partition { leader_recovery_state: LeaderRecoveryState::Recovering, ..assigned(leader_epoch) }
    }

    #[test]
    fn only_leaders_that_recover_are_told_of() {
        let recovery = LeaderRecovery::default();
        recovery.holds(NODE, TOPIC, 0, &Arc::new(assigned(3)));
        recovery.holds(NODE, TOPIC, 1, &Arc::new(recovering(3)));
        recovery.holds(NODE, TOPIC, 2, &Arc::new(Partition { leader: None, ..recovering(3) }));
        let batch = recovery.0.batch();
        assert_eq!(batch.keys().collect::<Vec<_>>(), [&(TOPIC, 1)]);
        let request = request(&batch, NODE, 9);
        let told = &request.topics[0].partitions[0];
        assert_eq!((told.partition_index, told.leader_epoch, told.leader_recovery_state), (1, 3, 0));
        assert_eq!(told.new_isr_with_epochs.len(), 1);
    }
}
