//! Topics and their partitions.

use crate::broker::MIGRATING_DIR;
use ottla_protocol::messages::{PartitionChangeRecord, PartitionRecord};
use ottla_protocol::{BrokerId, ByteString, LeaderEpoch, TopicId, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `PartitionChangeRecord.leader` holds when the leader stays (and with it the leader epoch).
pub const NO_LEADER_CHANGE: i32 = -2;
/// What `leader` holds in records when there is none.
pub const NO_LEADER: i32 = -1;

/// A topic. Its identity is the id: a topic made again under the same name is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: ByteString,
    /// Its identity.
    pub id: TopicId,
    /// Partitions by index.
    pub partitions: BTreeMap<i32, Arc<Partition>>,
}

/// Whether a leader is known to have all that was committed (KIP-704).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum LeaderRecoveryState {
    /// The usual.
    Recovered = 0,
    /// Elected uncleanly; it must recover before the ISR may grow.
    Recovering = 1,
}

impl LeaderRecoveryState {
    /// The state of a number in a record.
    pub fn from_number(number: i8) -> Option<LeaderRecoveryState> {
        match number {
            0 => Some(LeaderRecoveryState::Recovered),
            1 => Some(LeaderRecoveryState::Recovering),
            _ => None,
        }
    }
}

/// A partition as the controller has decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Brokers that hold it; the first one is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// Log directory of each replica, in the same order.
    pub directories: Vec<Uuid>,
    /// Replicas in sync with the leader.
    pub isr: Vec<BrokerId>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment brings.
    pub adding_replicas: Vec<BrokerId>,
    /// Replicas outside the ISR that have all that is committed (KIP-966).
    pub elr: Vec<BrokerId>,
    /// Last members of an ELR that became empty (KIP-966).
    pub last_known_elr: Vec<BrokerId>,
    /// Who leads, if anybody.
    pub leader: Option<BrokerId>,
    /// Whether the leader was elected uncleanly.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Grows by one with each record that names a leader, even the same one.
    pub leader_epoch: LeaderEpoch,
    /// Grows by one with each change.
    pub partition_epoch: i32,
}

fn ids(numbers: &[i32]) -> Vec<BrokerId> {
    numbers.iter().copied().map(BrokerId).collect()
}

fn numbers(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

fn leader_of(number: i32) -> Option<BrokerId> {
    (number != NO_LEADER).then_some(BrokerId(number))
}

/// Directories in the order of the replicas; where none are recorded, all are "migrating".
fn directories_of(recorded: &[Uuid], replicas: usize) -> Result<Vec<Uuid>, String> {
    if recorded.is_empty() {
        return Ok(vec![MIGRATING_DIR; replicas]);
    }
    if recorded.len() != replicas {
        return Err(format!("has {} directories for {replicas} replicas", recorded.len()));
    }
    Ok(recorded.to_vec())
}

impl Partition {
    /// The directory of a replica.
    pub fn directory(&self, replica: BrokerId) -> Option<Uuid> {
        let index = self.replicas.iter().position(|id| *id == replica)?;
        self.directories.get(index).copied()
    }

    /// The replica that should lead when all are well.
    pub fn preferred_leader(&self) -> Option<BrokerId> {
        self.replicas.first().copied()
    }

    /// Whether a reassignment is under way.
    pub fn is_reassigning(&self) -> bool {
        !self.removing_replicas.is_empty() || !self.adding_replicas.is_empty()
    }

    /// The partition that a record describes.
    ///
    /// # Errors
    /// What does not fit together, as the rest of a sentence.
    pub fn from_record(record: &PartitionRecord) -> Result<Partition, String> {
        let state = record.leader_recovery_state;
        Ok(Partition {
            replicas: ids(&record.replicas),
            directories: directories_of(&record.directories, record.replicas.len())?,
            isr: ids(&record.isr),
            removing_replicas: ids(&record.removing_replicas),
            adding_replicas: ids(&record.adding_replicas),
            elr: ids(record.eligible_leader_replicas.as_deref().unwrap_or_default()),
            last_known_elr: ids(record.last_known_elr.as_deref().unwrap_or_default()),
            leader: leader_of(record.leader),
            leader_recovery_state: LeaderRecoveryState::from_number(state)
                .ok_or_else(|| format!("has the unknown leader recovery state {state}"))?,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
        })
    }

    /// The partition after a change.
    ///
    /// # Errors
    /// As [`Partition::from_record`].
    pub fn merge(&self, change: &PartitionChangeRecord) -> Result<Partition, String> {
        let list = |changed: &Option<Vec<i32>>, current: &Vec<BrokerId>| match changed {
            Some(changed) => ids(changed),
            None => current.clone(),
        };
        let replicas = list(&change.replicas, &self.replicas);
        let directories = change.directories.as_deref().unwrap_or(&self.directories);
        let (leader, leader_epoch) = match change.leader {
            NO_LEADER_CHANGE => (self.leader, self.leader_epoch),
            leader => (leader_of(leader), LeaderEpoch(next(self.leader_epoch.0, "leader epoch")?)),
        };
        Ok(Partition {
            directories: directories_of(directories, replicas.len())?,
            replicas,
            isr: list(&change.isr, &self.isr),
            removing_replicas: list(&change.removing_replicas, &self.removing_replicas),
            adding_replicas: list(&change.adding_replicas, &self.adding_replicas),
            elr: list(&change.eligible_leader_replicas, &self.elr),
            last_known_elr: list(&change.last_known_elr, &self.last_known_elr),
            leader,
            leader_recovery_state: match change.leader_recovery_state {
                -1 => self.leader_recovery_state,
                state => LeaderRecoveryState::from_number(state)
                    .ok_or_else(|| format!("has the unknown leader recovery state {state}"))?,
            },
            leader_epoch,
            partition_epoch: next(self.partition_epoch, "partition epoch")?,
        })
    }

    /// The record that describes it from nothing.
    pub fn to_record(&self, topic_id: TopicId, partition_id: i32) -> PartitionRecord {
        // Tagged fields: left out when there is nothing in them.
        let tagged = |ids: &[BrokerId]| (!ids.is_empty()).then(|| numbers(ids));
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: numbers(&self.replicas),
            isr: numbers(&self.isr),
            removing_replicas: numbers(&self.removing_replicas),
            adding_replicas: numbers(&self.adding_replicas),
            leader: self.leader.map_or(NO_LEADER, |leader| leader.0),
            leader_recovery_state: self.leader_recovery_state as i8,
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: tagged(&self.elr),
            last_known_elr: tagged(&self.last_known_elr),
            ..Default::default()
        }
    }
}

fn next(epoch: i32, what: &str) -> Result<i32, String> {
    epoch.checked_add(1).ok_or_else(|| format!("would bring the {what} beyond its range"))
}
