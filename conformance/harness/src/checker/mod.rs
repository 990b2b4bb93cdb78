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
    if rules.transactional {
        transactions::check(history, &order, &mut found);
    }
    found.0
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
