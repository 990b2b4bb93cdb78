//! Where the replicas of new partitions go: striped over racks and brokers, so that leaders and replicas spread evenly and
//! replicas of one partition lie in different racks.
//!
//! Racks take turns, and so do the brokers of a rack; both begin at random. Brokers in service come before fenced ones, and
//! the first replica, which leads, is always on one in service. Once every broker in service has led, the order is
//! shuffled, so that the same sets of replicas do not come up again.

use crate::cluster::Cluster;
use crate::error::{ApiError, ApiResult};
use crate::random::Random;
use ottla_metadata::BrokerRegistration;
use ottla_protocol::{BrokerId, ErrorCode};
use std::collections::BTreeMap;

/// Places `partitions` partitions with `replicas` replicas each.
///
/// # Errors
/// INVALID_REPLICATION_FACTOR with the reason.
pub(crate) fn place(
    cluster: Cluster<'_>,
    random: &mut Random,
    partitions: usize,
    replicas: i16,
) -> ApiResult<Vec<Vec<BrokerId>>> {
    // A broker that is shutting down takes nothing any more; one that is down will come back.
    let leaves = |broker: &BrokerRegistration| broker.in_controlled_shutdown && !broker.fenced;
    let usable: Vec<&BrokerRegistration> = cluster
        .image
        .brokers()
        .map(|broker| &**broker)
        .filter(|broker| !leaves(broker) && !broker.is_cordoned())
        .collect();
    let refuse = |reason: String| Err(ApiError::new(ErrorCode::InvalidReplicationFactor, reason));
    let Some(replicas) = usize::try_from(replicas).ok().filter(|replicas| *replicas > 0) else {
        return refuse(format!(
            "Invalid replication factor {replicas}: the replication factor must be positive."
        ));
    };
    if usable.iter().all(|broker| broker.fenced) {
        let reason = "All brokers are currently fenced, or have all their log directories cordoned.";
        return refuse(reason.to_owned());
    }
    if replicas > usable.len() {
        return refuse(format!(
            "The target replication factor of {replicas} cannot be reached because only {} broker(s) are registered \
             or some brokers have all their log directories cordoned.",
            usable.len()
        ));
    }
    let mut racks = Racks::new(random, &usable);
    Ok((0..partitions).map(|_| racks.next(replicas)).collect())
}

/// Brokers that take turns.
#[derive(Default)]
struct Turns {
    brokers: Vec<BrokerId>,
    /// How many had their turn in this round.
    taken: usize,
    /// Who comes first.
    offset: usize,
    round: usize,
}

impl Turns {
    fn start(&mut self, random: &mut Random) {
        if !self.brokers.is_empty() {
            self.brokers.sort_unstable();
            self.offset = random.below(self.brokers.len());
        }
    }

    /// The next one of this round; nothing when all had their turn.
    fn next(&mut self, round: usize) -> Option<BrokerId> {
        if self.brokers.is_empty() {
            return None;
        }
        if self.round != round {
            self.round = round;
            self.taken = 0;
            self.offset = (self.offset + 1) % self.brokers.len();
        }
        if self.taken >= self.brokers.len() {
            return None;
        }
        self.taken += 1;
        Some(self.brokers[(self.taken - 1 + self.offset) % self.brokers.len()])
    }
}

#[derive(Default)]
struct Rack {
    in_service: Turns,
    fenced: Turns,
}

impl Rack {
    fn next(&mut self, round: usize) -> Option<BrokerId> {
        self.in_service.next(round).or_else(|| self.fenced.next(round))
    }
}

struct Racks<'a> {
    random: &'a mut Random,
    racks: Vec<Rack>,
    in_service_count: usize,
    /// The rack that comes first.
    offset: usize,
    round: usize,
}

impl<'a> Racks<'a> {
    fn new(random: &'a mut Random, brokers: &[&BrokerRegistration]) -> Racks<'a> {
        let mut by_name: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        for broker in brokers {
            let rack = by_name.entry(broker.rack.as_deref()).or_default();
            let turns = if broker.fenced { &mut rack.fenced } else { &mut rack.in_service };
            turns.brokers.push(broker.id);
        }
        let mut racks: Vec<Rack> = by_name.into_values().collect();
        for rack in &mut racks {
            rack.fenced.start(random);
            rack.in_service.start(random);
        }
        let offset = random.below(racks.len());
        let in_service_count = brokers.iter().filter(|broker| !broker.fenced).count();
        Racks { random, racks, in_service_count, offset, round: 0 }
    }

    /// The replicas of the next partition. There are enough brokers, and one in service: [`place`] has checked.
    fn next(&mut self, replicas: usize) -> Vec<BrokerId> {
        if self.round == self.in_service_count && self.in_service_count > 1 {
            self.shuffle();
            self.round = 0;
        }
        let count = self.racks.len();
        self.offset %= count;
        let in_turn = |offset: usize| (offset..offset + count).map(|index| index % count);
        let mut placed = Vec::with_capacity(replicas);
        let mut leader_rack = None;
        for index in in_turn(self.offset) {
            if let Some(broker) = self.racks[index].in_service.next(self.round) {
                placed.push(broker);
                leader_rack = Some(index);
                break;
            }
        }
        let mut turn = in_turn(self.offset).cycle();
        while placed.len() < replicas {
            let index = turn.next().expect("a cycle of racks does not end");
            if leader_rack == Some(index) {
                // It has had its turn with the leader; from now on it is one among others.
                leader_rack = None;
                continue;
            }
            placed.extend(self.racks[index].next(self.round));
        }
        self.round += 1;
        self.offset += 1;
        placed
    }

    fn shuffle(&mut self) {
        self.random.shuffle(&mut self.racks);
        for rack in &mut self.racks {
            self.random.shuffle(&mut rack.in_service.brokers);
            self.random.shuffle(&mut rack.fenced.brokers);
        }
    }
}
