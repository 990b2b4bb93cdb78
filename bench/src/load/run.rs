//! A run: warm up, measure for a window, let everything that is on its way arrive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_conformance::client::Client;
use ottla_protocol::ProducerId;
use rustix::time::{ClockId, clock_gettime};

use super::batch::{Shape, Template};
use super::consumer::{Consumer, Fetching};
use super::histogram::Histogram;
use super::link::Link;
use super::producer::Producer;
use super::topics;
use super::written::{Check, Taken, Written};
use crate::poll::{Poll, Ready};

/// How long what is on its way may take after the window.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(60);
/// How often the loop looks at the clock at least.
const TICK: Duration = Duration::from_millis(20);

/// What is produced.
#[derive(Clone, Copy, Debug)]
pub struct Produce {
    /// Connections, each a producer of its own.
    pub connections: usize,
    /// Requests that one connection has on the way at most.
    pub depth: usize,
    /// Partitions that a request writes to.
    pub partitions_per_request: usize,
    /// What a batch holds.
    pub shape: Shape,
    /// As in Kafka: -1 all, 1 the leader, 0 nobody. Only with all of them are producers idempotent.
    pub acks: i16,
    /// Requests in a second, of all connections together; `None`: as many as the broker takes.
    pub requests_per_second: Option<f64>,
    /// Payload after which nothing more is produced.
    pub payload_bytes_max: u64,
}

/// What is consumed.
#[derive(Clone, Copy, Debug)]
pub struct Consume {
    /// Connections.
    pub connections: usize,
    /// Whether each connection reads everything; otherwise they share the partitions.
    pub everything: bool,
    /// How each fetches.
    pub fetching: Fetching,
    /// Whether a connection that has read all begins again while the window lasts.
    pub again: bool,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the broker listens on this machine.
    pub port: u16,
    /// What is produced, if anything is.
    pub produce: Option<Produce>,
    /// Who consumes, if anybody does.
    pub consume: Vec<Consume>,
    /// How long nothing is counted.
    pub warm_up: Duration,
    /// How long it is measured; a run without producers ends when all is read and this has passed.
    pub window: Duration,
}

/// Ends of what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// From here on everything counts.
    Begin,
    /// Nothing counts any more.
    End,
}

/// What one kind of connection did between the edges.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Requests that were answered.
    pub requests: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes: payload of producers, whole batches of consumers.
    pub bytes: u64,
    /// Producers: from when a request was to be sent to its acknowledgement. Consumers beside producers: from when a
    /// batch was to be sent until it was read. Consumers alone: from a request to its answer.
    pub latency: Histogram,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Between the edges.
    pub seconds: f64,
    /// The producers.
    pub produced: Flow,
    /// The consumers, as they stand in the plan.
    pub consumed: Vec<Flow>,
    /// CPU time of this process between the edges.
    pub client_cpu_seconds: f64,
}

/// Runs a plan. `edge` hears when counting begins and ends. What is acknowledged is added to `written`.
pub fn run(plan: &Plan, written: &mut Written, edge: &mut dyn FnMut(Edge)) -> Result<Outcome> {
    let mut run = Run::prepare(plan, written)?;
    run.go(edge)
}

/// Reads back everything and compares every byte: an error unless exactly what was acknowledged is there.
pub fn verify(port: u16, written: &mut Written) -> Result<Outcome> {
    let ends = written.topics.ends(port)?;
    for (at, (&end, &acknowledged)) in ends.iter().zip(&written.acknowledged).enumerate() {
        let (name, index) = written.topics.at(at);
        ensure!(
            end == acknowledged,
            "{name}-{index} ends at {end} and {acknowledged} records were acknowledged"
        );
    }
    let plan = Plan {
        port,
        produce: None,
        consume: vec![Consume {
            connections: 1,
            everything: true,
            fetching: Fetching { check: Check::All, ..Fetching::default() },
            again: false,
        }],
        warm_up: Duration::ZERO,
        window: Duration::ZERO,
    };
    let sent_at = written.sent_at.take();
    let outcome = run(&plan, written, &mut |_| {});
    written.sent_at = sent_at;
    outcome.context("what was acknowledged cannot be read back")
}

/// CPU time of this process so far, in seconds.
pub(crate) fn own_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    WarmUp,
    Window,
    Arrival,
    Over,
}

struct Run<'a> {
    plan: &'a Plan,
    written: &'a mut Written,
    poll: Poll,
    producers: Vec<Producer>,
    /// Each with its place in the plan.
    consumers: Vec<(usize, Consumer)>,
    started: Instant,
    /// When something was read last.
    progress: Duration,
    phase: Phase,
    /// Paced sending: when the next request is due, and those that are due and wait for a connection.
    due_ns: u64,
    waiting: VecDeque<u64>,
    turn: usize,
    payload_left: u64,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn prepare(plan: &'a Plan, written: &'a mut Written) -> Result<Run<'a>> {
        let poll = Poll::new()?;
        let producers = match &plan.produce {
            Some(produce) => producers(plan.port, produce, written, &poll)?,
            None => Vec::new(),
        };
        if plan.produce.is_some() && !plan.consume.is_empty() {
            written.sent_at.get_or_insert_default();
        }
        let mut consumers = Vec::new();
        for (place, consume) in plan.consume.iter().enumerate() {
            for number in 0..consume.connections {
                let link = Link::open(plan.port, producers.len() + consumers.len(), &poll)?;
                let mut partitions: Vec<usize> = (0..written.topics.count()).collect();
                if !consume.everything {
                    partitions.retain(|at| at % consume.connections == number);
                }
                ensure!(!partitions.is_empty(), "there are more consumers than partitions");
                consumers.push((place, Consumer::new(link, consume.fetching, partitions, &written.topics)));
            }
        }
        Ok(Run {
            plan,
            written,
            poll,
            producers,
            started: Instant::now(),
            progress: Duration::ZERO,
            phase: Phase::WarmUp,
            due_ns: 0,
            waiting: VecDeque::new(),
            turn: 0,
            payload_left: plan.produce.map_or(0, |produce| produce.payload_bytes_max),
            outcome: Outcome { consumed: vec![Flow::default(); plan.consume.len()], ..Outcome::default() },
            consumers,
        })
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn go(&mut self, edge: &mut dyn FnMut(Edge)) -> Result<Outcome> {
        self.started = Instant::now();
        for at in 0..self.consumers.len() {
            self.consumers[at].1.send(&self.poll, &self.written.topics, 0)?;
        }
        for at in 0..self.producers.len() {
            self.fill(at)?;
        }
        let (mut ready, mut begun) = (Vec::new(), (Duration::ZERO, 0.0));
        while self.phase != Phase::Over {
            let phase = self.phase;
            self.advance();
            ensure!(self.is_in_time(), "what is on its way does not arrive within {ARRIVAL_LIMIT:?}");
            if phase == Phase::WarmUp && self.phase > Phase::WarmUp {
                edge(Edge::Begin);
                begun = (self.started.elapsed(), own_cpu_seconds());
            }
            self.pace()?;
            if self.sends_unanswered() {
                for at in 0..self.producers.len() {
                    self.fill(at)?;
                }
            }
            ready.clear();
            self.poll.wait(Some(self.patience()), &mut ready)?;
            for &ready in &ready {
                self.serve(ready)?;
            }
        }
        edge(Edge::End);
        self.outcome.seconds = (self.started.elapsed() - begun.0).as_secs_f64();
        self.outcome.client_cpu_seconds = own_cpu_seconds() - begun.1;
        self.finish()
    }

    /// Moves on to the next phase when it is time.
    fn advance(&mut self) {
        let elapsed = self.started.elapsed();
        let window_over = elapsed >= self.plan.warm_up + self.plan.window;
        if self.phase == Phase::WarmUp && elapsed >= self.plan.warm_up {
            self.phase = Phase::Window;
        }
        let produced = self.plan.produce.is_some() && self.payload_left == 0;
        if self.phase == Phase::Window && (window_over || produced) {
            self.phase = Phase::Arrival;
            self.waiting.clear();
        }
        if self.phase == Phase::Arrival && self.has_arrived() {
            self.phase = Phase::Over;
        }
    }

    fn is_acknowledged(&self) -> bool {
        self.producers.iter().all(|producer| producer.in_flight() == 0 && producer.link.is_free())
    }

    fn has_arrived(&self) -> bool {
        self.is_acknowledged()
            && self
                .consumers
                .iter()
                .all(|(place, consumer)| self.plan.consume[*place].again || consumer.has_all(self.written))
    }

    /// A reader of what was written before is not bound to the window, as long as it gets something.
    fn is_in_time(&self) -> bool {
        let since = match self.plan.produce {
            Some(_) => self.plan.warm_up + self.plan.window,
            None => self.progress,
        };
        self.started.elapsed() < since + ARRIVAL_LIMIT
    }

    /// Whether requests leave without an answer that would call for the next one.
    fn sends_unanswered(&self) -> bool {
        self.plan.produce.is_some_and(|produce| produce.acks == 0) && self.phase < Phase::Arrival
    }

    fn patience(&self) -> Duration {
        if self.sends_unanswered() && self.producers.iter().any(|producer| producer.link.is_free()) {
            return Duration::ZERO;
        }
        let rate = self.plan.produce.and_then(|produce| produce.requests_per_second);
        if rate.is_some() && self.phase < Phase::Arrival {
            Duration::from_nanos(self.due_ns.saturating_sub(self.now_ns())).min(TICK)
        } else {
            TICK
        }
    }

    /// Sends what is due, to connections in turn. A request that no connection can take waits, and its latency with it.
    fn pace(&mut self) -> Result<()> {
        let Some(produce) = self.plan.produce else { return Ok(()) };
        let Some(rate) = produce.requests_per_second else { return Ok(()) };
        if self.phase >= Phase::Arrival {
            return Ok(());
        }
        let now = self.now_ns();
        while self.due_ns <= now {
            self.waiting.push_back(self.due_ns);
            self.due_ns += (1e9 / rate) as u64;
        }
        let mut full = 0;
        while full < self.producers.len() && self.payload_left > 0 {
            let Some(&due) = self.waiting.front() else { break };
            let at = self.turn;
            self.turn = (self.turn + 1) % self.producers.len();
            if self.producers[at].has_room(produce.depth) {
                full = 0;
                self.waiting.pop_front();
                self.send(at, due)?;
            } else {
                full += 1;
            }
        }
        Ok(())
    }

    /// Unpaced: gives a connection as many requests as it may have.
    fn fill(&mut self, at: usize) -> Result<()> {
        let Some(produce) = self.plan.produce else { return Ok(()) };
        if produce.requests_per_second.is_some() {
            return Ok(());
        }
        while self.phase < Phase::Arrival
            && self.payload_left > 0
            && self.producers[at].has_room(produce.depth)
        {
            let now = self.now_ns();
            self.send(at, now)?;
            if produce.acks == 0 {
                // Nothing comes back that would end this loop: others have their turn, and the clock is looked at.
                self.count_produced(now);
                break;
            }
        }
        Ok(())
    }

    fn send(&mut self, at: usize, at_ns: u64) -> Result<()> {
        let produce = self.plan.produce.expect("there are producers");
        let payload = produce.shape.payload_bytes() * produce.partitions_per_request as u64;
        self.payload_left = self.payload_left.saturating_sub(payload);
        self.producers[at].send(&self.poll, self.written, at_ns)
    }

    fn counts(&self) -> bool {
        matches!(self.phase, Phase::Window | Phase::Arrival)
    }

    fn count_produced(&mut self, at_ns: u64) {
        if !self.counts() {
            return;
        }
        let produce = self.plan.produce.expect("there are producers");
        let batches = produce.partitions_per_request as u64;
        let now = self.now_ns();
        let flow = &mut self.outcome.produced;
        flow.requests += 1;
        flow.records += u64::from(produce.shape.records) * batches;
        flow.bytes += produce.shape.payload_bytes() * batches;
        // What nobody acknowledges has no latency.
        if produce.acks != 0 {
            flow.latency.add_ns(now.saturating_sub(at_ns));
        }
    }

    fn serve(&mut self, ready: Ready) -> Result<()> {
        match ready.token.checked_sub(self.producers.len()) {
            None => self.serve_producer(ready),
            Some(at) => self.serve_consumer(at, ready),
        }
    }

    fn serve_producer(&mut self, ready: Ready) -> Result<()> {
        let at = ready.token;
        if ready.readable {
            let mut more = true;
            while more {
                more = self.producers[at].link.receive()?;
                while let Some(acknowledged) = self.producers[at].acknowledged(self.written)? {
                    self.count_produced(acknowledged.at_ns);
                }
            }
        }
        if ready.writable {
            self.producers[at].link.flush(&self.poll)?;
        }
        self.fill(at)
    }

    fn serve_consumer(&mut self, at: usize, ready: Ready) -> Result<()> {
        if ready.readable {
            let mut more = true;
            while more {
                more = self.consumers[at].1.link.receive()?;
                self.take(at)?;
            }
        }
        if ready.writable {
            self.consumers[at].1.link.flush(&self.poll)?;
        }
        Ok(())
    }

    /// Takes an answer that has come whole, and asks for more unless all is read.
    fn take(&mut self, at: usize) -> Result<()> {
        let now = self.now_ns();
        let counts = self.counts();
        // Until everything is acknowledged, there may be more to read than there seems to be.
        let last = self.phase >= Phase::Arrival && self.is_acknowledged();
        let (place, consumer) = &mut self.consumers[at];
        let flow = &mut self.outcome.consumed[*place];
        let sent_at = self.written.sent_at.as_ref().filter(|_| self.plan.produce.is_some());
        let age = |ordinal: usize, taken: Taken| {
            let times = sent_at?.get(&(taken.writer, ordinal))?;
            times
                .get(taken.base_sequence as usize / taken.records as usize)
                .map(|sent| now.saturating_sub(*sent))
        };
        let fetched = consumer.fetched(self.written, |ordinal, taken| {
            if let Some(age) = age(ordinal, taken).filter(|_| counts) {
                flow.latency.add_ns(age);
            }
        })?;
        let Some(fetched) = fetched else { return Ok(()) };
        if fetched.bytes > 0 {
            self.progress = Duration::from_nanos(now);
        }
        if counts {
            flow.requests += 1;
            flow.records += fetched.records;
            flow.bytes += fetched.bytes;
            if sent_at.is_none() {
                flow.latency.add_ns(now - fetched.at_ns);
            }
        }
        if self.plan.produce.is_none() && consumer.has_all(self.written) {
            consumer.check_no_more(self.written)?;
            if !(self.plan.consume[*place].again && self.phase < Phase::Arrival) {
                return Ok(());
            }
            consumer.rewind(&self.written.topics);
        }
        if !(last && consumer.has_all(self.written)) {
            consumer.send(&self.poll, &self.written.topics, now)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Outcome> {
        if self.plan.produce.is_some_and(|produce| produce.acks == 0) {
            self.wait_unacknowledged()?;
        }
        for (place, consumer) in &self.consumers {
            if !self.plan.consume[*place].again {
                consumer.check_no_more(self.written)?;
            }
        }
        Ok(std::mem::take(&mut self.outcome))
    }

    /// What nobody acknowledges must be there at last all the same.
    fn wait_unacknowledged(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let ends = self.written.topics.ends(self.plan.port)?;
            if ends == self.written.acknowledged {
                return Ok(());
            }
            ensure!(
                started.elapsed() < ARRIVAL_LIMIT,
                "{} records were sent without acknowledgement and {} arrived",
                self.written.records(),
                ends.iter().sum::<u64>()
            );
            std::thread::sleep(TICK);
        }
    }
}

/// The producers of a plan, connected and with ids of their own.
fn producers(port: u16, produce: &Produce, written: &mut Written, poll: &Poll) -> Result<Vec<Producer>> {
    let per_request = produce.partitions_per_request;
    let ordinals: Vec<usize> = (0..written.topics.count()).collect();
    let groups: Vec<&[usize]> = ordinals.chunks_exact(per_request).collect();
    ensure!(
        groups.len() * per_request == ordinals.len(),
        "{per_request} partitions do not divide the topics"
    );
    let alone = produce.connections <= groups.len();
    let idempotent = produce.acks == -1;
    let ends = written.topics.ends(port)?;
    let mut client = Client::open(port)?;
    let mut producers = Vec::new();
    for number in 0..produce.connections {
        let own: Vec<Vec<usize>> = groups
            .iter()
            .enumerate()
            .filter(|(at, _)| at % produce.connections == number % groups.len())
            .map(|(_, group)| group.to_vec())
            .collect();
        let own = if alone { own } else { vec![groups[number % groups.len()].to_vec()] };
        let id = if idempotent { Some(topics::producer_id(&mut client)?) } else { None };
        let template = Template::new(&produce.shape, id, if idempotent { number as u64 } else { 0 });
        written.writers.insert(id.unwrap_or(ProducerId::NONE), template.clone());
        let link = Link::open(port, number, poll)
            .with_context(|| format!("connection {number} of {}", produce.connections))?;
        let mut producer = Producer::new(link, id, template, &written.topics, own, produce.acks, alone);
        producer.start_at(&ends);
        producers.push(producer);
    }
    if producers.is_empty() {
        bail!("there are no producers");
    }
    Ok(producers)
}
