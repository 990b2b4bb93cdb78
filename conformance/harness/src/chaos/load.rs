//! Clients as threads, over raw requests, so that a run costs no more than the broker does: each writes down what it did.
//!
//! A producer has one batch on the way and sends it again until it has an answer, if it is idempotent; otherwise an
//! answer that does not come is not known. A consumer reads its partitions from their start. Another client moves log
//! starts, and one makes and deletes topics.

mod admin;
mod consume;
mod produce;
mod values;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use ottla_protocol::error::ErrorCode;

use super::connection::{create, offsets_of};
use crate::checker::{Kind, Op, Outcome};
use crate::client::Client;
pub(crate) use produce::Sending;

/// The topic that is written and read.
pub(crate) const TOPIC: &str = "chaos";
/// How long a client tries to get an answer before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all clients of a run share.
#[derive(Debug)]
pub(crate) struct Load {
    port: u16,
    partitions: i32,
    begin: Instant,
    stop: AtomicBool,
    next_process: AtomicU64,
    history: Mutex<Vec<Op>>,
    /// Topics that were acknowledged as created (`true`) or deleted.
    topics: Mutex<BTreeMap<String, bool>>,
    /// Producers whose acknowledgements say nothing of a power cut.
    lossy: Mutex<Vec<u64>>,
    /// What brokers should not have answered.
    suspicions: Mutex<Vec<String>>,
    pub(crate) refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl Load {
    pub(crate) fn new(port: u16, partitions: i32) -> Load {
        Load {
            port,
            partitions,
            begin: Instant::now(),
            stop: AtomicBool::new(false),
            next_process: AtomicU64::new(0),
            history: Mutex::default(),
            topics: Mutex::default(),
            lossy: Mutex::default(),
            suspicions: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// Makes the topic, with small segments.
    pub(crate) fn create_topic(&self, configs: &[(&str, &str)]) -> Result<()> {
        create(&mut Client::open(self.port)?, TOPIC, self.partitions, configs)
    }

    /// Asks all clients to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Everything that was done, in the order in which it ended.
    pub(crate) fn into_history(self) -> Vec<Op> {
        let mut history = self.history.into_inner().expect("no client panicked");
        history.sort_by_key(|op| op.returned);
        history
    }

    /// Producers whose acknowledgements say nothing of a power cut.
    pub(crate) fn lossy(&self) -> Vec<u64> {
        self.lossy.lock().expect("no client panicked").clone()
    }

    /// What brokers should not have answered.
    pub(crate) fn suspicions(&self) -> Vec<String> {
        self.suspicions.lock().expect("no client panicked").clone()
    }

    fn suspect(&self, what: String) {
        self.suspicions.lock().expect("no client panicked").push(what);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn process(&self) -> u64 {
        self.next_process.fetch_add(1, Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    fn begin_op(&self, process: u64, kind: Kind) -> Op {
        Op {
            process,
            kind,
            outcome: Outcome::Info,
            invoked: self.now(),
            returned: 0,
            steps: Vec::new(),
            group: None,
            offsets: BTreeMap::new(),
            earliest: BTreeMap::new(),
            epochs: BTreeMap::new(),
            keys: Vec::new(),
            rebalanced: Vec::new(),
        }
    }

    fn end_op(&self, mut op: Op, outcome: Outcome) {
        op.outcome = outcome;
        op.returned = self.now();
        self.history.lock().expect("no client panicked").push(op);
    }

    /// The broker was killed here.
    pub(crate) fn note_crash(&self) {
        let op = self.begin_op(u64::MAX, Kind::Crash);
        self.end_op(op, Outcome::Ok);
    }

    fn refused(&self, error: ErrorCode) {
        *self.refusals.lock().expect("no client panicked").entry(error.name()).or_default() += 1;
    }
}

/// First offset, and the one after the last that may be read.
fn offsets(client: &mut Client, partition: i32) -> Result<(i64, i64)> {
    offsets_of(client, TOPIC, partition)
}
