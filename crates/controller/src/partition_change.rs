//! One change of one partition: given what its ISR, replicas or directories shall be, who is eligible, who leads, and which
//! record says so (KIP-455, KIP-704, KIP-966).

use crate::cluster::Cluster;
use ottla_metadata::{LeaderRecoveryState, NO_LEADER, NO_LEADER_CHANGE, Partition, Topic};
use ottla_protocol::messages::PartitionChangeRecord;
use ottla_protocol::{BrokerId, TopicId, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// Which leader is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Election {
    /// The preferred one if it can be had.
    Preferred,
    /// Any that loses nothing; the present one if it can stay.
    Online,
    /// As `Online`, and rather one that loses records than none.
    Unclean,
}

impl Election {
    /// What the topic's configuration wants.
    pub(crate) fn of_topic(cluster: Cluster<'_>, topic: &Topic) -> Election {
        if cluster.is_unclean_election_enabled(topic) { Election::Unclean } else { Election::Online }
    }
}

/// A change in the making: set what shall be, then [`PartitionChange::build`].
pub(crate) struct PartitionChange<'a> {
    cluster: Cluster<'a>,
    partition: &'a Partition,
    topic_id: TopicId,
    index: i32,
    min_isr: usize,
    /// Whether a broker is in service; that its directory is online is checked besides.
    pub(crate) may_lead: &'a dyn Fn(BrokerId) -> bool,
    pub(crate) election: Election,
    /// The ISR as it shall be.
    pub(crate) isr: Vec<BrokerId>,
    /// A broker that may have lost what it had.
    pub(crate) unclean_shutdown: Option<BrokerId>,
    pub(crate) leader_recovery_state: LeaderRecoveryState,
    /// Directories that are known, by broker.
    pub(crate) directories: BTreeMap<BrokerId, Uuid>,
    replicas: Vec<BrokerId>,
    removing: Vec<BrokerId>,
    adding: Vec<BrokerId>,
    elr: Vec<BrokerId>,
}

fn numbers(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

/// The list for a record, if it is another one.
fn changed(target: &[BrokerId], current: &[BrokerId]) -> Option<Vec<i32>> {
    (target != current).then(|| numbers(target))
}

impl<'a> PartitionChange<'a> {
    /// Nothing changes yet.
    pub(crate) fn new(
        cluster: Cluster<'a>,
        topic: &Topic,
        index: i32,
        partition: &'a Partition,
    ) -> PartitionChange<'a> {
        let directories = partition.replicas.iter().copied().zip(partition.directories.iter().copied());
        PartitionChange {
            cluster,
            partition,
            topic_id: topic.id,
            index,
            min_isr: cluster.min_isr(topic),
            may_lead: &|_| false,
            election: Election::Online,
            isr: partition.isr.clone(),
            unclean_shutdown: None,
            leader_recovery_state: partition.leader_recovery_state,
            directories: directories.collect(),
            replicas: partition.replicas.clone(),
            removing: partition.removing_replicas.clone(),
            adding: partition.adding_replicas.clone(),
            elr: partition.elr.clone(),
        }
    }

    /// The record, or nothing if nothing changes.
    pub(crate) fn build(mut self) -> Option<PartitionChangeRecord> {
        let elr_enabled = self.cluster.image.features().is_elr_enabled();
        let partition = self.partition;
        let mut record =
            PartitionChangeRecord { topic_id: self.topic_id, partition_id: self.index, ..Default::default() };
        self.complete_reassignment();
        if elr_enabled {
            self.update_elr();
        }
        let is_unclean = self.elect(&mut record, elr_enabled);
        if record.leader == NO_LEADER_CHANGE
            && !partition.replicas.iter().all(|id| self.replicas.contains(id))
        {
            // Who is no replica any more must not take itself for the leader: a new epoch tells it.
            record.leader = partition.leader.map_or(NO_LEADER, |leader| leader.0);
        }
        if is_unclean || !elr_enabled {
            self.elr.clear();
        }
        record.eligible_leader_replicas = changed(&self.elr, &partition.elr);
        if !is_unclean && (elr_enabled || !self.isr.is_empty()) {
            record.isr = changed(&self.isr, &partition.isr);
        }
        if elr_enabled {
            self.remember_last_leader(&mut record);
        }
        self.assign(&mut record);
        if self.leader_recovery_state != partition.leader_recovery_state {
            record.leader_recovery_state = self.leader_recovery_state as i8;
        }
        let nothing =
            PartitionChangeRecord { topic_id: self.topic_id, partition_id: self.index, ..Default::default() };
        (record != nothing).then_some(record)
    }

    /// Ends a reassignment if the ISR allows: all new replicas are in it, and it does not become smaller than need be.
    fn complete_reassignment(&mut self) {
        if self.removing.is_empty() && self.adding.is_empty() {
            return;
        }
        let without_removed = |ids: &[BrokerId]| -> Vec<BrokerId> {
            ids.iter().copied().filter(|id| !self.removing.contains(id)).collect()
        };
        let (isr, replicas) = (without_removed(&self.isr), without_removed(&self.replicas));
        let in_isr = |ids: &[BrokerId]| ids.iter().all(|id| isr.contains(id));
        let leaves_nobody = !self.removing.is_empty() && (isr.is_empty() || replicas.is_empty());
        let shrinks = self.adding.len() < self.removing.len();
        if leaves_nobody || !in_isr(&self.adding) || (shrinks && !in_isr(&replicas)) {
            return;
        }
        (self.isr, self.replicas) = (isr, replicas);
        self.removing.clear();
        self.adding.clear();
    }

    /// While the ISR is smaller than it has to be, whoever leaves it stays eligible: nothing is committed without it.
    fn update_elr(&mut self) {
        if self.isr.len() >= self.min_isr {
            self.elr.clear();
            return;
        }
        let candidates: BTreeSet<BrokerId> = self.elr.iter().chain(&self.partition.isr).copied().collect();
        let is_eligible = |id: &BrokerId| !self.isr.contains(id) && self.unclean_shutdown != Some(*id);
        self.elr = candidates.into_iter().filter(is_eligible).collect();
    }

    /// Elects, and says whether records may be lost by it.
    fn elect(&mut self, record: &mut PartitionChangeRecord, elr_enabled: bool) -> bool {
        let (leader, is_unclean) = match self.find_leader() {
            Some(leader) => (Some(leader), false),
            None => {
                let unclean = self.find_unclean_leader(elr_enabled);
                (unclean, unclean.is_some())
            }
        };
        if leader == self.partition.leader {
            return false;
        }
        record.leader = leader.map_or(NO_LEADER, |leader| leader.0);
        let Some(leader) = leader else { return false };
        if is_unclean {
            record.isr = Some(vec![leader.0]);
            if self.partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = LeaderRecoveryState::Recovering as i8;
            }
        } else if self.elr.contains(&leader) {
            self.isr = vec![leader];
            self.elr.retain(|id| *id != leader);
        }
        is_unclean
    }

    /// A leader that has all that is committed.
    fn find_leader(&self) -> Option<BrokerId> {
        let is_eligible = |id: &BrokerId| {
            (self.isr.contains(id) || (self.isr.is_empty() && self.elr.contains(id)))
                && self.is_acceptable(*id)
        };
        let preferred = self.replicas.first().copied().filter(|_| self.election == Election::Preferred);
        let wanted = preferred.into_iter().chain(self.partition.leader).chain(self.replicas.iter().copied());
        wanted.into_iter().find(is_eligible)
    }

    fn find_unclean_leader(&self, elr_enabled: bool) -> Option<BrokerId> {
        let nobody_is_eligible = elr_enabled && self.isr.is_empty() && self.elr.is_empty();
        let last_known = match self.partition.last_known_elr[..] {
            [last_known] if nobody_is_eligible => Some(last_known).filter(|id| self.is_acceptable(*id)),
            _ => None,
        };
        let any = || self.replicas.iter().copied().find(|id| self.is_acceptable(*id));
        last_known.or_else(|| any().filter(|_| self.election == Election::Unclean))
    }

    fn is_acceptable(&self, id: BrokerId) -> bool {
        let has_online_dir =
            |dir| self.cluster.image.broker(id).is_some_and(|broker| broker.has_online_dir(dir));
        (self.may_lead)(id) && self.partition.directory(id).is_some_and(has_online_dir)
    }

    /// Keeps the last leader while there is none: if nobody else is left, it may come back.
    fn remember_last_leader(&self, record: &mut PartitionChangeRecord) {
        let last_known = &self.partition.last_known_elr;
        if record.leader == NO_LEADER && last_known.is_empty() {
            record.last_known_elr = self.partition.leader.map(|leader| vec![leader.0]);
        } else if record.leader >= 0 && !last_known.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }

    fn assign(&self, record: &mut PartitionChangeRecord) {
        let directory = |id: &BrokerId| {
            self.directories.get(id).copied().unwrap_or_else(|| self.cluster.default_dir(*id))
        };
        let directories: Vec<Uuid> = self.replicas.iter().map(directory).collect();
        record.directories = (directories != self.partition.directories).then_some(directories);
        record.replicas = changed(&self.replicas, &self.partition.replicas);
        record.removing_replicas = changed(&self.removing, &self.partition.removing_replicas);
        record.adding_replicas = changed(&self.adding, &self.partition.adding_replicas);
    }
}
