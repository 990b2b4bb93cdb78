//! One measurement: a workload at one broker, once.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::load::batch::Shape;
use crate::load::{Edge, Latency, Outcome, Ping, Plan, Produce, Topics, Written, ping, run, verify};
use crate::participant::{Participant, Who};
use crate::sample::{Cost, Moment, resident_bytes};
use crate::workload::{Durability, Kind, Unit, Workload};

/// More CPU than this in all other processes, in cores, disturbs a measurement.
const OTHERS_MAX: f64 = 0.1;
/// Fewer requests than this say nothing.
const REQUESTS_MIN: u64 = 10;
/// Less CPU time than this says nothing: the counters are no finer than the scheduler's turns.
const CPU_SECONDS_MIN: f64 = 0.003;

/// How long things are measured.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Not counted.
    pub warm_up: Duration,
    /// Counted.
    pub window: Duration,
}

/// What a measurement gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The workload's name.
    pub workload: String,
    /// Which broker.
    pub who: Who,
    /// Counted from 0; measurements of the same round are compared.
    pub round: usize,
    /// Length of the window.
    pub seconds: f64,
    /// Units of the workload.
    pub units: f64,
    /// Requests in it.
    pub requests: u64,
    /// CPU per unit: seconds for a gigabyte, microseconds otherwise.
    pub cpu_per_unit: f64,
    /// Units in a second.
    pub rate: f64,
    /// What it cost.
    pub cost: Cost,
    /// CPU time of the generator.
    pub client_cpu_seconds: f64,
    /// What users see.
    pub latency: Latency,
    /// Resident memory of the broker at the end.
    pub resident_bytes: u64,
    /// CPU of all other processes, in cores.
    pub others: f64,
    /// Whether others disturbed it.
    pub noisy: bool,
    /// Records that were read back and compared, byte by byte.
    pub verified: u64,
}

/// What a workload needs at a broker before it is measured there: written once, read in every round.
#[derive(Debug, Default)]
pub struct Prepared {
    written: Option<Written>,
}

impl Prepared {
    /// Writes what is going to be read.
    pub fn new(workload: &Workload, broker: &Participant<'_>) -> Result<Prepared> {
        let Kind::Drain { topics, partitions, shape, batches, .. } = workload.kind else {
            return Ok(Prepared::default());
        };
        let topics = Topics::new(&format!("bench-{}", workload.name), topics, partitions);
        topics.create(broker.port, configs(workload, broker.who))?;
        let mut written = Written::new(topics);
        fill(broker.port, &mut written, shape, batches)?;
        verify(broker.port, &mut written)?;
        Ok(Prepared { written: Some(written) })
    }

    /// Removes what was written.
    pub fn remove(self, broker: &Participant<'_>) -> Result<()> {
        self.written.map_or(Ok(()), |written| written.topics.delete(broker.port))
    }
}

/// Writes so many batches to each partition.
fn fill(port: u16, written: &mut Written, shape: Shape, batches: u64) -> Result<()> {
    let per_request = if written.topics.count().is_multiple_of(10) { 10 } else { 1 };
    let plan = Plan {
        port,
        produce: Some(Produce {
            connections: 1,
            depth: 5,
            partitions_per_request: per_request,
            shape,
            acks: -1,
            requests_per_second: None,
            payload_bytes_max: shape.payload_bytes() * batches * written.topics.count() as u64,
        }),
        consume: Vec::new(),
        warm_up: Duration::ZERO,
        window: Duration::from_secs(300),
    };
    run(&plan, written, &mut |_| {}).map(|_| ())
}

/// Measures a workload at a broker that runs.
pub fn measure(
    workload: &Workload,
    broker: &Participant<'_>,
    prepared: &mut Prepared,
    times: Times,
    round: usize,
) -> Result<Measured> {
    let mut watch = Watch { pid: broker.pid, begin: None, cost: Err(anyhow::anyhow!("it never ended")) };
    let (outcome, verified) = outcome(workload, broker, prepared, times, &mut watch)
        .with_context(|| format!("{} at {}", workload.name, broker.who.name()))?;
    let cost = watch.cost?;
    let flow = match workload.kind {
        Kind::Drain { .. } => &outcome.consumed[0],
        Kind::Produce { .. } | Kind::Ping { .. } => &outcome.produced,
    };
    ensure!(
        flow.requests >= REQUESTS_MIN && cost.cpu_seconds >= CPU_SECONDS_MIN,
        "{} at {}: {} requests and {:.4} s of CPU in {:.1} s are too little to say anything",
        workload.name,
        broker.who.name(),
        flow.requests,
        cost.cpu_seconds,
        outcome.seconds
    );
    // What a user waits for is the message where there are readers of the tail, the acknowledgement elsewhere.
    let latency = match (&workload.kind, outcome.consumed.first()) {
        (Kind::Produce { .. }, Some(tail)) => tail.latency.latency(),
        _ => flow.latency.latency(),
    };
    let (units, scale) = match workload.unit {
        Unit::Gigabyte => (flow.bytes as f64 / 1e9, 1.0),
        Unit::Request => (flow.requests as f64, 1e6),
        Unit::Message => (flow.records as f64, 1e6),
    };
    let others =
        (cost.machine_cpu_seconds - cost.kernel_cpu_seconds - cost.cpu_seconds - outcome.client_cpu_seconds)
            .max(0.0)
            / outcome.seconds;
    Ok(Measured {
        workload: workload.name.to_owned(),
        who: broker.who,
        round,
        seconds: outcome.seconds,
        units,
        requests: flow.requests,
        cpu_per_unit: cost.cpu_seconds * scale / units,
        rate: units / outcome.seconds,
        cost,
        client_cpu_seconds: outcome.client_cpu_seconds,
        latency,
        resident_bytes: resident_bytes(broker.pid)?,
        others,
        noisy: others > OTHERS_MAX,
        verified,
    })
}

/// Looks at the broker when counting begins and ends.
struct Watch {
    pid: u32,
    begin: Option<Moment>,
    cost: Result<Cost>,
}

impl Watch {
    fn edge(&mut self, edge: Edge) {
        match (edge, self.begin.take()) {
            (Edge::Begin, _) => self.begin = Moment::of(self.pid).ok(),
            (Edge::End, Some(begin)) => self.cost = Moment::of(self.pid).map(|end| end.since(&begin)),
            (Edge::End, None) => self.cost = Err(anyhow::anyhow!("the broker's process is not there")),
        }
    }
}

/// Runs the workload: what came of it, and how many records were read back.
fn outcome(
    workload: &Workload,
    broker: &Participant<'_>,
    prepared: &mut Prepared,
    times: Times,
    watch: &mut Watch,
) -> Result<(Outcome, u64)> {
    let port = broker.port;
    let mut edge = |at| watch.edge(at);
    match workload.kind {
        Kind::Produce { topics, partitions, produce, tail } => {
            let topics = Topics::new(&format!("bench-{}", workload.name), topics, partitions);
            topics.create(port, configs(workload, broker.who))?;
            let mut written = Written::new(topics);
            // The first batch of a partition makes its files: that is not what is measured.
            fill(port, &mut written, produce.shape, 1)?;
            let plan = Plan {
                port,
                produce: Some(produce),
                consume: tail.into_iter().collect(),
                warm_up: times.warm_up,
                window: times.window,
            };
            let outcome = run(&plan, &mut written, &mut edge)?;
            verify(port, &mut written)?;
            written.topics.delete(port)?;
            Ok((outcome, written.records()))
        }
        Kind::Drain { consume, .. } => {
            let written = prepared.written.as_mut().context("nothing was prepared")?;
            let plan = Plan {
                port,
                produce: None,
                consume: vec![consume],
                warm_up: times.warm_up,
                window: times.window,
            };
            Ok((run(&plan, written, &mut edge)?, written.records()))
        }
        Kind::Ping { connections } => {
            let plan = Ping { port, connections, warm_up: times.warm_up, window: times.window };
            Ok((ping(&plan, &mut edge)?, 0))
        }
    }
}

/// Configurations of a topic that make the brokers promise the same.
fn configs(workload: &Workload, who: Who) -> &'static [(&'static str, &'static str)] {
    match (workload.durability, who) {
        (Durability::Disk, Who::Kafka) => &[("flush.messages", "1")],
        _ => &[],
    }
}
