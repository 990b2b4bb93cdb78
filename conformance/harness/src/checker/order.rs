//! The order of each partition, and what it says about sends and polls.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::history::{Key, Kind, Op, Outcome, Value};
use super::{Found, Rules};

/// What is known of every partition.
pub(super) struct Order<'h> {
    /// Who sent a value: index into the history.
    pub(super) writers: HashMap<(&'h Key, &'h Value), usize>,
    /// Operations that read a value.
    pub(super) readers: BTreeMap<(&'h Key, &'h Value), Vec<usize>>,
    /// Values that a poll which ended well read.
    seen: HashMap<&'h Key, HashSet<&'h Value>>,
    /// Per key: offset to the values that were seen or acknowledged there.
    pub(super) logs: BTreeMap<&'h Key, BTreeMap<i64, BTreeSet<&'h Value>>>,
    /// Per key and value: its place in the dense order of occupied offsets.
    places: HashMap<(&'h Key, &'h Value), usize>,
    /// Below these, records were deleted on purpose.
    starts: HashMap<&'h Key, i64>,
}

impl<'h> Order<'h> {
    /// Builds the order; finds offsets with two values, values at two offsets, and values of nobody.
    pub(super) fn of(history: &'h [Op], found: &mut Found) -> Order<'h> {
        let mut order = Order {
            writers: HashMap::new(),
            readers: BTreeMap::new(),
            seen: HashMap::new(),
            logs: BTreeMap::new(),
            places: HashMap::new(),
            starts: HashMap::new(),
        };
        for (at, op) in history.iter().enumerate() {
            for (key, value, _) in op.sends() {
                order.writers.insert((key, value), at);
            }
            for (key, earliest) in &op.earliest {
                let start = order.starts.entry(key).or_default();
                *start = (*start).max(*earliest);
            }
            for (key, records) in op.polls() {
                for (offset, value) in records {
                    order.readers.entry((key, value)).or_default().push(at);
                    order.logs.entry(key).or_default().entry(*offset).or_default().insert(value);
                    if op.outcome == Outcome::Ok {
                        order.seen.entry(key).or_default().insert(value);
                    }
                }
            }
        }
        for op in history.iter().filter(|op| order.surely(op)).collect::<Vec<_>>() {
            for (key, value, offset) in op.sends() {
                if let Some(offset) = offset {
                    order.logs.entry(key).or_default().entry(offset).or_default().insert(value);
                }
            }
        }
        order.place(found);
        order
    }

    fn place(&mut self, found: &mut Found) {
        for (&key, log) in &self.logs {
            for (place, (offset, values)) in log.iter().enumerate() {
                if values.len() > 1 {
                    found.add("inconsistent-offset", format!("{key} {offset}: {values:?}"));
                }
                for &value in values {
                    self.places.entry((key, value)).or_insert(place);
                }
            }
        }
        for ((key, value), _) in self.readers.iter().filter(|(name, _)| !self.writers.contains_key(*name)) {
            let name = if value.starts_with("mangled") { "mangled" } else { "phantom" };
            found.add(name, format!("{key} {value} was sent by nobody"));
        }
    }

    /// Whether an operation certainly happened: it ended well, or nobody knows but one of its values was read.
    pub(super) fn surely(&self, op: &Op) -> bool {
        match op.outcome {
            Outcome::Ok => true,
            Outcome::Fail => false,
            Outcome::Info => op.sends().any(|(key, value, _)| self.was_seen(key, value)),
        }
    }

    pub(super) fn was_seen(&self, key: &Key, value: &Value) -> bool {
        self.seen.get(key).is_some_and(|values| values.contains(value))
    }

    /// Lost, unseen, duplicated, reordered and aborted values, and acknowledged offsets that are not true.
    pub(super) fn check_sends(&self, history: &[Op], rules: Rules, found: &mut Found) {
        for (&(key, value), readers) in &self.readers {
            if self.writers.get(&(key, value)).is_some_and(|&at| history[at].outcome == Outcome::Fail) {
                found.add(
                    "aborted-read",
                    format!("{key} {value} was refused, and read {} times", readers.len()),
                );
            }
        }
        let mut offsets: BTreeMap<(&Key, &Value), Vec<i64>> = BTreeMap::new();
        for (&key, log) in &self.logs {
            // Everything below the highest place that anybody read was there to be read.
            let read = |values: &BTreeSet<&Value>| values.iter().any(|value| self.was_seen(key, value));
            let start = self.starts.get(key).copied().unwrap_or(0);
            let highest = log.iter().rev().find(|(_, values)| read(values)).map(|(offset, _)| *offset);
            for (&offset, values) in log {
                for &value in values {
                    offsets.entry((key, value)).or_default().push(offset);
                    let was_there = offset >= start && highest.is_some_and(|highest| offset <= highest);
                    if was_there && !self.was_seen(key, value) {
                        found.add("lost-write", format!("{key} {value} at {offset}, nobody read it"));
                    }
                }
            }
        }
        for ((key, value), at) in offsets.iter().filter(|(_, at)| at.len() > 1) {
            // Where a value lies twice because the answer was wrong, the records show only one of the places.
            if self.read_at(history, key, value).len() > 1 {
                if rules.idempotent {
                    found.add("duplicate", format!("{key} {value} at {at:?}"));
                }
            } else {
                found.add("offset-answer-wrong", format!("{key} {value} at {at:?}"));
            }
        }
        if rules.complete {
            for (&(key, value), &at) in &self.writers {
                if history[at].outcome == Outcome::Ok && !self.was_seen(key, value) {
                    found.add("unseen", format!("{key} {value} was acknowledged, nobody read it"));
                }
            }
        }
        self.check_send_order(history, found);
    }

    fn read_at(&self, history: &[Op], key: &Key, value: &Value) -> BTreeSet<i64> {
        let mut offsets = BTreeSet::new();
        for &reader in self.readers.get(&(key, value)).into_iter().flatten() {
            for (_, records) in history[reader].polls().filter(|(k, _)| *k == key) {
                offsets.extend(records.iter().filter(|(_, v)| v == value).map(|(offset, _)| *offset));
            }
        }
        offsets
    }

    fn check_send_order(&self, history: &[Op], found: &mut Found) {
        let mut last: HashMap<(u64, &Key), (usize, &Value)> = HashMap::new();
        let mut sends: Vec<&Op> = history.iter().filter(|op| op.outcome != Outcome::Fail).collect();
        // A producer's order is the order in which it sent, not the one in which answers came.
        sends.sort_by_key(|op| op.invoked);
        for op in sends {
            for (key, value, _) in op.sends() {
                let Some(&place) = self.places.get(&(key, value)) else { continue };
                if let Some((before, earlier)) = last.insert((op.process, key), (place, value))
                    && place <= before
                {
                    found.add(
                        "nonmonotonic-send",
                        format!("{key}: {value} lies before {earlier}, sent earlier"),
                    );
                }
            }
        }
    }

    /// Skips and steps back within one poll and between the polls of one client.
    pub(super) fn check_polls(&self, history: &[Op], rules: Rules, found: &mut Found) {
        let mut position: HashMap<(u64, &Key), usize> = HashMap::new();
        for op in history {
            if matches!(op.kind, Kind::Assign | Kind::Subscribe) {
                position.retain(|(process, key), _| *process != op.process || op.keys.contains(key));
                continue;
            }
            for (key, records) in op.polls() {
                let places: Vec<usize> =
                    records.iter().filter_map(|(_, value)| self.places.get(&(key, value)).copied()).collect();
                if !op.rebalanced.contains(key) {
                    for pair in places.windows(2) {
                        self.step(key, pair[0], pair[1], ["int-poll-skip", "int-nonmonotonic-poll"], found);
                    }
                }
                let (Some(&first), Some(&end)) = (places.first(), places.last()) else { continue };
                if let Some(&before) = position.get(&(op.process, key))
                    && !rules.subscribed
                {
                    self.step(key, before, first, ["poll-skip", "nonmonotonic-poll"], found);
                }
                if op.outcome == Outcome::Ok {
                    position.insert((op.process, key), end);
                }
            }
        }
    }

    fn step(&self, key: &Key, from: usize, to: usize, [skip, back]: [&'static str; 2], found: &mut Found) {
        if to > from + 1 {
            found.add(skip, format!("{key}: from place {from} to {to}"));
        }
        if to <= from {
            found.add(back, format!("{key}: from place {from} to {to}"));
        }
    }
}
