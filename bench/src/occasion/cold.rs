//! A reader that catches up with data that only the disk has, beside readers of the tail: do they notice?

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{Advice, fadvise};

use super::{Stage, Values};
use crate::load::batch::Shape;
use crate::load::{Consume, Fetching, Latency, Outcome, Plan, Produce, Topics, Written, run};
use crate::participant::{Who, broker};
use crate::sample::Moment;

/// 16 KiB.
const SHAPE: Shape = Shape::random(16, 1000);
const TAIL_PER_SECOND: f64 = 1250.0;

pub(super) fn beside_a_tail(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    let (megabytes, window) = if stage.quick { (300, 3) } else { (1500, 10) };
    let window = Duration::from_secs(window);
    let mut broker = broker(who, stage.environment, stage.directory);
    broker.start(stage.runner)?;
    let pid = broker.pid().context("the broker runs")?;
    let topics = Topics::new("cold", 1, 16);
    topics.create(broker.port, &[])?;
    let mut cold = Written::new(topics);
    fill(broker.port, &mut cold, megabytes * 1_000_000)?;
    // Once before anything counts: a new JVM is slow at everything.
    tail(broker.port, "warm", window)?;
    let before = Moment::of(pid)?;
    let alone = tail(broker.port, "alone", window)?;
    let alone_cost = Moment::of(pid)?.since(&before);
    let over = AtomicBool::new(false);
    let before = Moment::of(pid)?;
    let (beside, drained) = thread::scope(|scope| {
        let drain = scope.spawn(|| drain(broker.port, &mut cold, &broker.data(), &over));
        let beside = tail(broker.port, "beside", window);
        over.store(true, Ordering::Relaxed);
        (beside, drain.join().expect("the cold reader does not panic"))
    });
    let (beside, drained) = (beside?, drained?);
    let cost = Moment::of(pid)?.since(&before);
    broker.kill()?;
    let gigabytes = drained.consumed[0].bytes as f64 / 1e9;
    Ok(vec![
        ("tail p50 alone", "µs", alone.p50_us as f64),
        ("tail p99 alone", "µs", alone.p99_us as f64),
        ("tail p50 beside it", "µs", beside.p50_us as f64),
        ("tail p99 beside it", "µs", beside.p99_us as f64),
        ("tail p99 beside it, of the tail's alone", "×", beside.p99_us as f64 / alone.p99_us as f64),
        ("cold reader", "MB/s", gigabytes * 1e3 / drained.seconds),
        ("CPU of the cold reader's GB", "s/GB", (cost.cpu_seconds - alone_cost.cpu_seconds) / gigabytes),
    ])
}

/// Latency from the sending of a batch to its arrival at a reader of the tail.
fn tail(port: u16, name: &str, window: Duration) -> Result<Latency> {
    let topics = Topics::new(&format!("tail-{name}"), 1, 16);
    topics.create(port, &[])?;
    let mut written = Written::new(topics);
    let produce = Produce {
        connections: 4,
        depth: 5,
        partitions_per_request: 1,
        shape: SHAPE,
        acks: -1,
        requests_per_second: Some(TAIL_PER_SECOND),
        payload_bytes_max: u64::MAX,
    };
    let consume = Consume { connections: 1, everything: true, fetching: Fetching::default(), again: false };
    let plan = Plan {
        port,
        produce: Some(produce),
        consume: vec![consume],
        warm_up: Duration::from_millis(500),
        window,
    };
    Ok(run(&plan, &mut written, &mut |_| {})?.consumed[0].latency.latency())
}

fn fill(port: u16, written: &mut Written, payload_bytes_max: u64) -> Result<()> {
    let produce = Produce {
        connections: 1,
        depth: 5,
        partitions_per_request: 1,
        shape: Shape::random(100, 1000),
        acks: -1,
        requests_per_second: None,
        payload_bytes_max,
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

/// Reads what the page cache does not have, again and again until it is over.
fn drain(port: u16, written: &mut Written, data: &Path, over: &AtomicBool) -> Result<Outcome> {
    let consume = Consume { connections: 1, everything: true, fetching: Fetching::default(), again: false };
    let plan =
        Plan { port, produce: None, consume: vec![consume], warm_up: Duration::ZERO, window: Duration::ZERO };
    let mut sum: Option<Outcome> = None;
    while sum.is_none() || !over.load(Ordering::Relaxed) {
        evict(data)?;
        let outcome = run(&plan, written, &mut |_| {})?;
        sum = Some(match sum {
            None => outcome,
            Some(mut sum) => {
                sum.seconds += outcome.seconds;
                sum.consumed[0].bytes += outcome.consumed[0].bytes;
                sum
            }
        });
    }
    sum.context("it is read at least once")
}

/// Has the page cache forget the segments of the cold topic, and nothing else.
fn evict(data: &Path) -> Result<()> {
    for partition in fs::read_dir(data).with_context(|| data.display().to_string())? {
        let partition = partition?;
        if !partition.file_name().to_string_lossy().starts_with("cold-") {
            continue;
        }
        for file in fs::read_dir(partition.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let file = File::open(&path).with_context(|| path.display().to_string())?;
                // What is not on the disk yet cannot be forgotten.
                file.sync_data()?;
                fadvise(&file, 0, None, Advice::DontNeed)?;
            }
        }
    }
    Ok(())
}
