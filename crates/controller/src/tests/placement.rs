//! Where replicas go.

use super::node::{Disk, Node, Wishes};
use ottla_protocol::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

/// A cluster of brokers with their racks, and the replicas of a new topic.
fn place(racks: &[Option<&str>], partitions: i32, replicas: i16) -> Vec<Vec<i32>> {
    let mut node = Node::start(Disk::formatted());
    for (id, rack) in (1..).zip(racks) {
        node.join(id, *rack);
    }
    let id = node.create_topic("t", partitions, replicas);
    let topic = node.image().topic(id).unwrap();
    topic.partitions.values().map(|partition| partition.replicas.iter().map(|id| id.0).collect()).collect()
}

/// How often each broker leads and holds anything: the difference between most and least.
fn spread(placed: &[Vec<i32>], brokers: i32) -> (usize, usize) {
    let range = |count: &dyn Fn(i32) -> usize| {
        let counts: Vec<usize> = (1..=brokers).map(count).collect();
        counts.iter().max().unwrap() - counts.iter().min().unwrap()
    };
    let leads = |id: i32| placed.iter().filter(|replicas| replicas[0] == id).count();
    let holds = |id: i32| placed.iter().filter(|replicas| replicas.contains(&id)).count();
    (range(&leads), range(&holds))
}

#[test]
fn replicas_are_distinct_and_spread_evenly() {
    let placed = place(&[None; 3], 9, 2);
    for replicas in &placed {
        assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), 2, "{replicas:?}");
    }
    assert_eq!(spread(&placed, 3), (0, 0));
}

#[test]
fn replicas_of_a_partition_lie_in_different_racks() {
    let racks = [Some("a"), Some("a"), Some("b"), Some("b"), Some("c"), Some("c")];
    let placed = place(&racks, 12, 3);
    for replicas in &placed {
        let used: BTreeSet<_> = replicas.iter().map(|id| racks[*id as usize - 1]).collect();
        assert_eq!(used.len(), 3, "{replicas:?}");
    }
    assert_eq!(spread(&placed, 6), (0, 0));
}

#[test]
fn racks_of_different_sizes_lead_alike() {
    let placed = place(&[Some("a"), Some("a"), Some("a"), Some("b")], 12, 2);
    let mut by_rack: BTreeMap<bool, usize> = BTreeMap::new();
    for replicas in &placed {
        *by_rack.entry(replicas[0] == 4).or_default() += 1;
        assert!(replicas.contains(&4), "{replicas:?}");
    }
    assert_eq!(by_rack[&true], by_rack[&false]);
}

#[test]
fn one_broker_gets_everything() {
    assert_eq!(place(&[None], 5, 1), vec![vec![1]; 5]);
}

#[test]
fn a_fenced_broker_never_leads_a_new_partition() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    let two = node.join(2, None);
    node.join(3, None);
    node.heartbeat(2, two, Wishes::Fence);
    let id = node.create_topic("t", 20, 3);
    for partition in node.image().topic(id).unwrap().partitions.values() {
        assert_eq!(partition.replicas.len(), 3);
        assert_ne!(partition.replicas[0], BrokerId(2));
        assert!(!partition.isr.contains(&BrokerId(2)));
    }
}
