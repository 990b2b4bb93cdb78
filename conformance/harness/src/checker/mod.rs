//! Judges what clients saw: a history of sends, polls and commits goes in, the anomalies that happened come out.
//!
//! Pure: it knows nothing of brokers. The names and definitions are those of Jepsen's Kafka workload. What is true of a
//! history depends on how its clients behaved, which [`Rules`] tells: whether producers were idempotent, whether consumers
//! were assigned or subscribed, whether everything was read again after the faults had ended.
//!
//! The order of a partition is not taken from any client: it is the order of the offsets at which some client saw or
//! was told a value. Offsets may have holes (markers, aborted records, compaction), so neighbours are neighbours in the
//! dense order of occupied offsets.

mod groups;
pub mod history;
mod offsets;
mod order;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::BTreeMap;

pub use history::{Kind, Op, Outcome, Step};

/// What the clients of a history promised.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Producers were idempotent, so one value at two offsets is an anomaly.
    pub idempotent: bool,
    /// Consumers subscribed: their position may jump when partitions move, between polls.
    pub subscribed: bool,
    /// Steps of one operation are one transaction, and consumers read committed.
    pub transactional: bool,
    /// Everything was read again after the last fault: an acknowledged value that nobody read is lost.
    pub complete: bool,
    /// The client that read everything from the start after the last fault. What others had read before must be there
    /// for it, too.
    pub last_reader: Option<u64>,
}

/// Anomalies by name; each with what was seen.
pub type Anomalies = BTreeMap<&'static str, Vec<String>>;

/// All anomalies of a history. The operations are in the order in which they completed.
pub fn check(history: &[Op], rules: Rules) -> Anomalies {
    let mut found = Found::default();
    let order = order::Order::of(history, &mut found);
    order.check_sends(history, rules, &mut found);
    order.check_polls(history, rules, &mut found);
    groups::check(history, &order, &mut found);
    offsets::check(history, &mut found);
    if let Some(reader) = rules.last_reader {
        offsets::check_kept(history, reader, &mut found);
    }
    if rules.transactional {
        transactions::check(history, &order, &mut found);
    }
    found.0
}

/// Why a history shows nothing, if it shows nothing: too little was done, or too little while there were faults.
pub fn inconclusive(history: &[Op], sends_min: usize) -> Option<String> {
    let sends = || history.iter().filter(|op| op.kind == Kind::Send && op.outcome == Outcome::Ok);
    let all: usize = sends().map(|op| op.steps.len()).sum();
    if all < sends_min {
        return Some(format!("only {all} records were acknowledged, not {sends_min}"));
    }
    let crashes: Vec<u64> = history
        .iter()
        .filter(|op| op.process == u64::MAX && op.kind == Kind::Crash)
        .map(|op| op.returned)
        .collect();
    let (Some(first), Some(last)) = (crashes.first(), crashes.last()) else { return None };
    let between = sends().filter(|op| (first..last).contains(&&op.returned)).count();
    let few = crashes.len() > 1 && between < 10;
    few.then(|| format!("only {between} sends were acknowledged between the first fault and the last"))
}

/// The anomalies as lines, at most `each` of a kind.
pub fn describe(anomalies: &Anomalies, each: usize) -> String {
    let mut text = String::new();
    for (name, seen) in anomalies {
        text.push_str(&format!("{name}: {}\n", seen.len()));
        for line in seen.iter().take(each) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// Collects anomalies.
#[derive(Default)]
struct Found(Anomalies);

impl Found {
    fn add(&mut self, name: &'static str, what: String) {
        self.0.entry(name).or_default().push(what);
    }
}
