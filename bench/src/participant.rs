//! The brokers that take turns: each stays where it is for the whole session, and those that are not measured are
//! stopped by SIGSTOP, so that they neither cost anything nor get cold.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ottla_conformance::bench::KAFKA_JVM;
use ottla_conformance::broker::Broker;
use ottla_conformance::environment::Environment;
use ottla_conformance::jvm::Runner;
use ottla_conformance::raw::serves_metadata;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::workload::Durability;

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The yardstick.
    Floor,
    /// Ottla, which answers when the page cache has it.
    Ottla,
    /// Ottla as it is by default: it answers when the disk has it.
    OttlaDurable,
    /// Apache Kafka.
    Kafka,
}

impl Who {
    /// How it is called.
    pub fn name(self) -> &'static str {
        match self {
            Who::Floor => "floor",
            Who::Ottla => "ottla",
            Who::OttlaDurable => "ottla-durable",
            Who::Kafka => "kafka",
        }
    }

    /// Whether it takes part where an acknowledgement means this.
    pub fn plays(self, durability: Durability) -> bool {
        match self {
            Who::Floor | Who::Ottla => durability == Durability::PageCache,
            Who::OttlaDurable => durability == Durability::Disk,
            Who::Kafka => true,
        }
    }
}

/// A broker that runs.
#[derive(Debug)]
pub struct Participant<'e> {
    /// Which.
    pub who: Who,
    /// Where it listens.
    pub port: u16,
    /// Its process.
    pub pid: u32,
    _process: Process<'e>,
}

/// Ends when it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "a handle is kept for what its drop does")]
enum Process<'e> {
    Floor(Floor),
    Broker(Box<Broker<'e>>),
}

#[derive(Debug)]
struct Floor(Child);

impl Drop for Floor {
    fn drop(&mut self) {
        // Nothing more can be done about a process that cannot be killed.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A broker of the benchmark, not started, with its data below `directory`. The floor is none.
pub fn broker<'e>(who: Who, environment: &'e Environment, directory: &Path) -> Broker<'e> {
    let directory = directory.join(who.name());
    let broker = match who {
        Who::Kafka => Broker::kafka(environment, &directory)
            .jvm_flags(KAFKA_JVM)
            // It is stopped for longer than its session lasts.
            .set("broker.session.timeout.ms", "600000"),
        Who::Ottla => Broker::ottla(environment, &directory).set("ottla.flush.acks.all", "never"),
        Who::OttlaDurable | Who::Floor => Broker::ottla(environment, &directory),
    };
    // Nothing is to be removed while it is measured: the timestamps of the benchmark are old.
    // What is deleted after a cell makes room for the next one.
    broker.set("log.retention.hours", "-1").set("log.segment.delete.delay.ms", "1000")
}

impl<'e> Participant<'e> {
    /// Starts a broker with its data below `directory`.
    pub fn start(
        who: Who,
        environment: &'e Environment,
        runner: &mut Runner<'_>,
        directory: &Path,
    ) -> Result<Participant<'e>> {
        if who == Who::Floor {
            return start_floor(environment, &directory.join(who.name()));
        }
        let mut broker = broker(who, environment, directory);
        broker.start(runner).with_context(|| format!("start {}", who.name()))?;
        let pid = broker.pid().context("the broker runs")?;
        Ok(Participant { who, port: broker.port, pid, _process: Process::Broker(Box::new(broker)) })
    }

    /// Stops it where it is.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("signal {}", self.who.name()))
    }
}

fn start_floor<'e>(environment: &Environment, directory: &Path) -> Result<Participant<'e>> {
    fs::create_dir_all(directory)?;
    let port = environment.port();
    let child = Command::new(std::env::current_exe()?)
        .args(["floor", &port.to_string()])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("start the floor")?;
    let participant =
        Participant { who: Who::Floor, port, pid: child.id(), _process: Process::Floor(Floor(child)) };
    let started = Instant::now();
    while !serves_metadata(port) {
        ensure!(started.elapsed() < Duration::from_secs(10), "the floor does not answer");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(participant)
}
