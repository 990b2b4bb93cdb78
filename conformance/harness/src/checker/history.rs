//! The history: what each client did, as JSON lines that client programs of any language write.
//!
//! ```json
//! {"proc":3,"f":"send","type":"ok","inv":10,"ret":20,"mops":[{"send":["t-0","3-17",41]}]}
//! {"proc":5,"f":"poll","type":"ok","inv":11,"ret":30,"group":"g","mops":[{"poll":{"t-0":[[41,"3-17"]]}}]}
//! {"proc":5,"f":"commit","type":"ok","inv":31,"ret":33,"group":"g","offsets":{"t-0":42}}
//! ```

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A topic's partition, as `topic-partition`.
pub type Key = String;

/// What was sent; unique per key.
pub type Value = String;

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Records are produced.
    Send,
    /// Records are consumed.
    Poll,
    /// Both, in one transaction.
    Txn,
    /// The consumer's partitions were set by itself; its position is where it was told to begin.
    Assign,
    /// The consumer's partitions come from its group.
    Subscribe,
    /// Offsets are committed for a group.
    Commit,
    /// First and last offsets were asked for, or a log start was moved.
    ListOffsets,
    /// The client was killed; a number is never used again. Of number 2⁶⁴−1, the broker was.
    Crash,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It may have happened: no answer, or one that leaves it open.
    Info,
}

/// Part of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A value was sent; the broker said where it lies, or nothing.
    Send(Key, Value, Option<i64>),
    /// Offset and value of each record, in the order in which they were handed out.
    Poll(BTreeMap<Key, Vec<(i64, Value)>>),
}

/// One operation of one client.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Op {
    /// The client.
    #[serde(rename = "proc")]
    pub process: u64,
    /// What it did.
    #[serde(rename = "f")]
    pub kind: Kind,
    /// How it ended.
    #[serde(rename = "type")]
    pub outcome: Outcome,
    /// When it began, in nanoseconds of a clock that all clients share.
    #[serde(rename = "inv", default)]
    pub invoked: u64,
    /// When it ended.
    #[serde(rename = "ret", default)]
    pub returned: u64,
    /// Sends and polls.
    #[serde(rename = "mops", default)]
    pub steps: Vec<Step>,
    /// The group, of polls and commits of its members.
    #[serde(default)]
    pub group: Option<String>,
    /// Commits: the next offset to be read, by key. Of list-offsets: the offset after the last that may be read.
    #[serde(default)]
    pub offsets: BTreeMap<Key, i64>,
    /// List-offsets: the first offset, by key.
    #[serde(default)]
    pub earliest: BTreeMap<Key, i64>,
    /// Polls: base offset and leader epoch of each batch, by key.
    #[serde(default)]
    pub epochs: BTreeMap<Key, Vec<(i64, i32)>>,
    /// Assign and subscribe: the partitions.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Keys whose assignment changed during a poll.
    #[serde(default)]
    pub rebalanced: Vec<Key>,
}

impl Op {
    /// The values sent.
    pub fn sends(&self) -> impl Iterator<Item = (&Key, &Value, Option<i64>)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Send(key, value, offset) => Some((key, value, *offset)),
            Step::Poll(_) => None,
        })
    }

    /// The records read, per key.
    pub fn polls(&self) -> impl Iterator<Item = (&Key, &[(i64, Value)])> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::Poll(records) => Some(records),
                Step::Send(..) => None,
            })
            .flatten()
            .map(|(key, records)| (key, records.as_slice()))
    }
}

/// Reads JSON lines. A last line that a killed client left half written is dropped.
pub fn parse(text: &str) -> Result<Vec<Op>> {
    let whole = match text.rfind('\n') {
        Some(end) => &text[..=end],
        None => "",
    };
    let lines = whole.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).with_context(|| line.chars().take(200).collect::<String>()))
        .collect()
}

/// The operations as JSON lines, to be kept with a failure.
pub fn write(history: &[Op]) -> Result<String> {
    let mut text = String::new();
    for op in history {
        text.push_str(&serde_json::to_string(op)?);
        text.push('\n');
    }
    Ok(text)
}

/// The histories of several clients as one, in the order in which operations completed.
pub fn merge(histories: Vec<Vec<Op>>) -> Vec<Op> {
    let mut all: Vec<Op> = histories.into_iter().flatten().collect();
    all.sort_by_key(|op| op.returned);
    all
}
