//! Where partitions begin and end, leader epochs, and what a last reader must still find.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::history::{Key, Kind, Op, Outcome, Value};

/// Finds log starts that go back, ends that are before what was acknowledged or read, and epochs that decrease.
pub(super) fn check(history: &[Op], found: &mut Found) {
    let mut starts: BTreeMap<&Key, i64> = BTreeMap::new();
    // By time of the answer: the offset after the last one that had been acknowledged or read.
    let mut ends: BTreeMap<&Key, Vec<(u64, i64)>> = BTreeMap::new();
    let mut epochs: BTreeMap<&Key, BTreeMap<i64, i32>> = BTreeMap::new();
    for op in history.iter().filter(|op| op.outcome == Outcome::Ok) {
        if op.kind == Kind::Crash && op.process == u64::MAX {
            // Kafka writes log starts down now and then: a broker that dies may go back to an older one.
            starts.clear();
        }
        let sent = op.sends().filter_map(|(key, _, offset)| Some((key, offset?)));
        let read = op.polls().filter_map(|(key, records)| Some((key, records.last()?.0)));
        for (key, offset) in sent.chain(read) {
            let ends = ends.entry(key).or_default();
            let highest = ends.last().map_or(0, |(_, end)| *end).max(offset + 1);
            ends.push((op.returned, highest));
        }
        for (key, batches) in &op.epochs {
            epochs.entry(key).or_default().extend(batches.iter().copied());
        }
        if op.kind == Kind::ListOffsets {
            check_answer(op, &mut starts, &ends, found);
        }
    }
    for (key, epochs) in epochs {
        for (before, after) in epochs.iter().zip(epochs.iter().skip(1)).filter(|(a, b)| a.1 > b.1) {
            found.add(
                "epoch-order",
                format!("{key}: epoch {} at {}, {} at {}", before.1, before.0, after.1, after.0),
            );
        }
    }
}

fn check_answer<'h>(
    op: &'h Op,
    starts: &mut BTreeMap<&'h Key, i64>,
    ends: &BTreeMap<&'h Key, Vec<(u64, i64)>>,
    found: &mut Found,
) {
    for (key, &earliest) in &op.earliest {
        let known = starts.entry(key).or_insert(earliest);
        if earliest < *known {
            found.add("list-offsets", format!("{key}: the start goes from {known} back to {earliest}"));
        }
        *known = earliest;
        if op.offsets.get(key).is_some_and(|latest| *latest < earliest) {
            found.add(
                "list-offsets",
                format!("{key}: starts at {earliest}, behind its end {}", op.offsets[key]),
            );
        }
    }
    for (key, &latest) in &op.offsets {
        let Some(ends) = ends.get(key) else { continue };
        let before = ends.partition_point(|(returned, _)| *returned < op.invoked);
        if before > 0 && ends[before - 1].1 > latest {
            found.add(
                "list-offsets",
                format!("{key}: ends at {latest}, {} was known before", ends[before - 1].1),
            );
        }
    }
}

/// What was acknowledged or read by anybody, and is not below the start of the log, must be there for the last reader.
pub(super) fn check_kept(history: &[Op], reader: u64, found: &mut Found) {
    let of_reader = || history.iter().filter(|op| op.process == reader);
    let mut there: BTreeMap<&Key, BTreeSet<(i64, &Value)>> = BTreeMap::new();
    for (key, records) in of_reader().flat_map(Op::polls) {
        there.entry(key).or_default().extend(records.iter().map(|(offset, value)| (*offset, value)));
    }
    let mut starts: BTreeMap<&Key, i64> = BTreeMap::new();
    for (key, earliest) in of_reader().flat_map(|op| &op.earliest) {
        starts.insert(key, *earliest);
    }
    let is_gone = |key: &Key, offset: i64, value: &Value| {
        let is_there = there.get(key).is_some_and(|there| there.contains(&(offset, value)));
        !is_there && starts.get(key).is_none_or(|start| offset >= *start)
    };
    let mut told = BTreeSet::new();
    for op in history.iter().filter(|op| op.outcome == Outcome::Ok) {
        for (key, value, offset) in op.sends() {
            if let Some(offset) = offset.filter(|offset| is_gone(key, *offset, value)) {
                found.add("lost-acknowledged", format!("{key} {offset}: {value} was acknowledged"));
            }
        }
        for (key, records) in op.polls() {
            for (offset, value) in records.iter().filter(|(offset, value)| is_gone(key, *offset, value)) {
                if told.insert((key, offset)) {
                    found.add("vanished", format!("{key} {offset}: {value} had been read"));
                }
            }
        }
    }
}
