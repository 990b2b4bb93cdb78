//! Anomalies of transactions read at `read_committed`.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::history::{Kind, Op};
use super::order::Order;

/// Finds transactions that read their own sends, read each other in a circle, or are visible in part.
pub(super) fn check(history: &[Op], order: &Order<'_>, found: &mut Found) {
    for (at, op) in history.iter().enumerate() {
        let sent: BTreeSet<_> = op.sends().map(|(key, value, _)| (key, value)).collect();
        let read = op.polls().flat_map(|(key, records)| records.iter().map(move |(_, value)| (key, value)));
        for (key, value) in read.filter(|name| sent.contains(name)) {
            found.add("precommitted-read", format!("operation {at} read its own {key} {value}"));
        }
        if op.kind == Kind::Txn && order.surely(op) {
            let seen = sent.iter().filter(|(key, value)| order.was_seen(key, value)).count();
            if seen != 0 && seen != sent.len() {
                found.add("torn-txn", format!("operation {at}: {seen} of {} values were read", sent.len()));
            }
        }
    }
    circles(history, order, found);
}

/// Write-read edges only: Kafka does not order the writes of transactions among each other.
fn circles(history: &[Op], order: &Order<'_>, found: &mut Found) {
    let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (name, readers) in &order.readers {
        let Some(&writer) = order.writers.get(name) else { continue };
        edges.entry(writer).or_default().extend(readers.iter().filter(|&&reader| reader != writer));
    }
    // Depth first without recursion: a node is done when it is left for good.
    let (mut on_path, mut done) = (BTreeSet::new(), BTreeSet::new());
    for start in 0..history.len() {
        let mut path = vec![(start, false)];
        while let Some((node, leave)) = path.pop() {
            if leave {
                on_path.remove(&node);
                done.insert(node);
                continue;
            }
            if done.contains(&node) || !on_path.insert(node) {
                continue;
            }
            path.push((node, true));
            for &next in edges.get(&node).into_iter().flatten() {
                if on_path.contains(&next) {
                    found.add("G1c", format!("operations {node} and {next} are in a circle"));
                } else if !done.contains(&next) {
                    path.push((next, false));
                }
            }
        }
    }
}
