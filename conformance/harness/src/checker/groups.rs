//! Committed offsets and what a group was given.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Found;
use super::history::{Key, Kind, Op, Outcome, Value};
use super::order::Order;

/// Finds committed offsets that go back or run ahead of what was delivered, and records below them that no member got.
pub(super) fn check(history: &[Op], order: &Order<'_>, found: &mut Found) {
    let mut delivered: HashMap<(&str, &Key), Delivered> = HashMap::new();
    let mut commits: BTreeMap<(&str, &Key), Vec<(&Op, i64)>> = BTreeMap::new();
    for op in history {
        let Some(group) = op.group.as_deref() else { continue };
        for (key, records) in op.polls() {
            let entry = delivered.entry((group, key)).or_default();
            for (offset, value) in records {
                entry.values.insert(value);
                entry.end = entry.end.max(offset + 1);
            }
        }
        if op.kind == Kind::Commit && op.outcome == Outcome::Ok {
            for (key, &offset) in &op.offsets {
                commits.entry((group, key)).or_default().push((op, offset));
            }
        }
    }
    for ((group, key), commits) in commits {
        let nothing = Delivered::default();
        let delivered = delivered.get(&(group, key)).unwrap_or(&nothing);
        check_never_back(group, key, &commits, found);
        let highest = commits.iter().map(|(_, offset)| *offset).max().unwrap_or(0);
        if highest > delivered.end {
            let end = delivered.end;
            found.add("commit-ahead", format!("{group} {key}: committed {highest}, delivered up to {end}"));
        }
        for (offset, values) in order.logs.get(key).into_iter().flat_map(|log| log.range(..highest)) {
            for value in values.iter().filter(|value| !delivered.values.contains(**value)) {
                found
                    .add("skipped-delivery", format!("{group} {key} {offset}: {value}, committed {highest}"));
            }
        }
    }
}

/// What one group was given of one partition.
#[derive(Default)]
struct Delivered<'h> {
    values: HashSet<&'h Value>,
    /// The offset after the last record.
    end: i64,
}

/// A commit that began after another had ended may not be lower. Commits at the same time have no order.
fn check_never_back(group: &str, key: &Key, commits: &[(&Op, i64)], found: &mut Found) {
    let mut ended: Vec<(u64, i64)> = commits.iter().map(|(op, offset)| (op.returned, *offset)).collect();
    ended.sort_unstable();
    // The highest offset among the commits that ended up to each moment.
    let mut highest = i64::MIN;
    for entry in &mut ended {
        highest = highest.max(entry.1);
        entry.1 = highest;
    }
    for (op, offset) in commits {
        let before = ended.partition_point(|(returned, _)| *returned < op.invoked);
        if before > 0 && ended[before - 1].1 > *offset {
            found.add("commit-loss", format!("{group} {key}: from {} back to {offset}", ended[before - 1].1));
        }
    }
}
