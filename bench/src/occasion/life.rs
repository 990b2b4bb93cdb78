//! Starting, idling, many partitions, being killed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ottla_conformance::broker::Broker;
use ottla_conformance::process;

use super::{Stage, Values};
use crate::load::batch::Shape;
use crate::load::{Plan, Produce, Topics, Written, run, verify};
use crate::participant::{Who, broker};
use crate::sample::{Moment, resident_bytes};

const MIB: f64 = (1 << 20) as f64;
/// What a start leaves to be done is not idleness.
const SETTLING: Duration = Duration::from_secs(5);

pub(super) fn start(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    let mut broker = broker(who, stage.environment, stage.directory);
    let new = broker.start(stage.runner)?;
    let cpu = Moment::of(pid(&broker)?)?.cpu_seconds();
    thread::sleep(SETTLING);
    let resident = resident(&broker)?;
    let idle = idle_percent(&broker, stage)?;
    broker.stop()?;
    let existing = broker.start(stage.runner)?;
    broker.stop()?;
    Ok(vec![
        ("start, new directory", "ms", milliseconds(new)),
        ("start, existing directory", "ms", milliseconds(existing)),
        ("CPU of a start", "s", cpu),
        ("resident, empty", "MiB", resident),
        ("idle CPU, empty", "%", idle),
    ])
}

pub(super) fn list(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    // Python tells what the system counted for a child. The child's peak cannot be seen below that of the interpreter
    // that started it, some 10 MiB.
    const MEASURE: &str = "import resource, subprocess, sys, time\n\
        begin = time.perf_counter()\n\
        subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n\
        print((time.perf_counter() - begin) * 1e3, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)";
    let mut broker = broker(who, stage.environment, stage.directory);
    broker.start(stage.runner)?;
    Topics::new("listed", 1000, 1).create(broker.port, &[])?;
    let mut command = std::process::Command::new("python3");
    command.args(["-S", "-E", "-c", MEASURE]).arg(&stage.environment.ottla);
    command.args(["topics", "--bootstrap-server", &broker.bootstrap(), "--list"]);
    let output = process::run(&mut command, b"", Duration::from_secs(30))?.success()?;
    let mut words = output.stdout.split_whitespace().map(str::parse);
    let mut next = || -> Result<f64> { Ok(words.next().context("two numbers")??) };
    let figures = vec![("list 1,000 topics", "ms", next()?), ("resident of the tool", "MiB", next()?)];
    broker.stop()?;
    Ok(figures)
}

pub(super) fn create_topics(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    let mut broker = broker(who, stage.environment, stage.directory);
    broker.start(stage.runner)?;
    let (took, cpu) = create(&broker, &Topics::new("created", 1000, 1))?;
    broker.kill()?;
    Ok(vec![("until all are led", "ms", took), ("CPU", "s", cpu)])
}

pub(super) fn ten_thousand(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    let topics = Topics::new("thousands", 100, 100);
    let mut broker = broker(who, stage.environment, stage.directory);
    broker.start(stage.runner)?;
    let (created, created_cpu) = create(&broker, &topics)?;
    let mut written = Written::new(topics.clone());
    fill(broker.port, &mut written, Shape::random(2, 1024))?;
    thread::sleep(SETTLING);
    let (resident, idle) = (resident(&broker)?, idle_percent(&broker, stage)?);
    broker.kill()?;
    let killed = restart(&mut broker, stage, &topics)?;
    let killed_cpu = Moment::of(pid(&broker)?)?.cpu_seconds();
    verify(broker.port, &mut written).context("after kill -9")?;
    broker.stop()?;
    let restarted = restart(&mut broker, stage, &topics)?;
    broker.kill()?;
    Ok(vec![
        ("create until all are led", "ms", created),
        ("CPU to create", "s", created_cpu),
        ("resident", "MiB", resident),
        ("idle CPU", "%", idle),
        ("kill -9 until all are led", "ms", killed),
        ("CPU after kill -9", "s", killed_cpu),
        ("clean restart until all are led", "ms", restarted),
    ])
}

pub(super) fn fifty_thousand(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    let topics = Topics::new("many", 500, 100);
    let mut broker = broker(who, stage.environment, stage.directory);
    broker.start(stage.runner)?;
    create(&broker, &topics)?;
    broker.stop()?;
    let restarted = restart(&mut broker, stage, &topics)?;
    let resident = resident(&broker)?;
    broker.kill()?;
    Ok(vec![("restart until all are led", "ms", restarted), ("resident", "MiB", resident)])
}

/// Milliseconds and CPU seconds of creating topics.
fn create(broker: &Broker<'_>, topics: &Topics) -> Result<(f64, f64)> {
    let (begin, before) = (Instant::now(), Moment::of(pid(broker)?)?);
    topics.create(broker.port, &[])?;
    let took = milliseconds(begin.elapsed());
    Ok((took, Moment::of(pid(broker)?)?.since(&before).cpu_seconds))
}

/// Milliseconds from the start of the process until every partition is led.
fn restart(broker: &mut Broker<'_>, stage: &mut Stage<'_, '_>, topics: &Topics) -> Result<f64> {
    let begin = Instant::now();
    broker.start(stage.runner)?;
    topics.wait_led(broker.port)?;
    Ok(milliseconds(begin.elapsed()))
}

/// One batch for every partition.
fn fill(port: u16, written: &mut Written, shape: Shape) -> Result<()> {
    let produce = Produce {
        connections: 1,
        depth: 5,
        partitions_per_request: 10,
        shape,
        acks: -1,
        requests_per_second: None,
        payload_bytes_max: shape.payload_bytes() * written.topics.count() as u64,
    };
    let plan = Plan {
        port,
        produce: Some(produce),
        consume: Vec::new(),
        warm_up: Duration::ZERO,
        window: Duration::from_secs(300),
    };
    run(&plan, written, &mut |_| {}).map(|_| ())
}

fn pid(broker: &Broker<'_>) -> Result<u32> {
    broker.pid().context("the broker runs")
}

fn resident(broker: &Broker<'_>) -> Result<f64> {
    Ok(resident_bytes(pid(broker)?)? as f64 / MIB)
}

/// CPU of a broker that has nothing to do, in percent of a core.
pub(super) fn idle_percent(broker: &Broker<'_>, stage: &Stage<'_, '_>) -> Result<f64> {
    let length = Duration::from_secs(if stage.quick { 10 } else { 30 });
    let before = Moment::of(pid(broker)?)?;
    thread::sleep(length);
    let cost = Moment::of(pid(broker)?)?.since(&before);
    Ok(cost.cpu_seconds / length.as_secs_f64() * 100.0)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
