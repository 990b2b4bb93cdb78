//! The generator against the floor: all is well with a right one, and each way of being wrong is found.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary, whose helpers are tests too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use ottla_bench::floor::{Fault, Floor};
use ottla_bench::load::batch::Shape;
use ottla_bench::load::{Consume, Fetching, Outcome, Plan, Produce, Topics, Written, run, verify};
use ottla_protocol::records::Compression;

/// A floor on a port of its own, in a thread of this process.
struct Running {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Running {
    fn start(fault: Option<Fault>) -> Running {
        let directory = tempfile::tempdir().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, bound) = channel();
        let (told, path) = (stop.clone(), directory.path().to_path_buf());
        let thread = thread::spawn(move || {
            let mut floor = Floor::bind(0, &path, fault).unwrap();
            tell.send(floor.port()).unwrap();
            floor.serve(&told).unwrap();
        });
        Running { port: bound.recv().unwrap(), stop, thread: Some(thread), _directory: directory }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().ok();
    }
}

const PRODUCE: Produce = Produce {
    connections: 4,
    depth: 5,
    partitions_per_request: 2,
    shape: Shape::random(3, 100),
    acks: -1,
    requests_per_second: None,
    payload_bytes_max: 200_000,
};

const TAIL: Consume = Consume { connections: 2, everything: true, fetching: LOOK_AT_ALL, again: false };

const LOOK_AT_ALL: Fetching = Fetching {
    wait_ms: 100,
    bytes_min: 1,
    bytes_max: 1 << 20,
    partition_bytes_max: 5_000,
    check: ottla_bench::load::Check::All,
};

/// Produces, consumes the tail if wished, and reads everything back.
fn round(broker: &Running, produce: Produce, consume: Vec<Consume>) -> Result<Outcome> {
    let topics = Topics::new("verified", 2, 4);
    topics.create(broker.port, &[])?;
    let mut written = Written::new(topics);
    let plan = Plan {
        port: broker.port,
        produce: Some(produce),
        consume,
        warm_up: Duration::from_millis(1),
        window: Duration::from_secs(20),
    };
    let outcome = run(&plan, &mut written, &mut |_| {})?;
    verify(broker.port, &mut written)?;
    written.topics.delete(broker.port)?;
    Ok(outcome)
}

#[test]
fn all_is_well_with_a_broker_that_is_right() {
    let broker = Running::start(None);
    let outcome = round(&broker, PRODUCE, vec![TAIL]).unwrap();
    assert!(outcome.produced.requests > 0 && outcome.produced.latency.latency().count > 0);
    assert!(outcome.consumed[0].records > 0 && outcome.consumed[0].latency.latency().count > 0);
    for acks in [0, 1] {
        round(&broker, Produce { acks, ..PRODUCE }, vec![]).unwrap();
    }
    let crowded = Produce { connections: 40, partitions_per_request: 1, ..PRODUCE };
    round(&broker, crowded, vec![TAIL]).unwrap();
    let packed = Shape { compression: Compression::Lz4, random_percent: 30, ..PRODUCE.shape };
    round(&broker, Produce { shape: packed, ..PRODUCE }, vec![]).unwrap();
    let paced = Produce { requests_per_second: Some(2_000.0), ..PRODUCE };
    round(&broker, paced, vec![TAIL]).unwrap();
}

#[test]
fn each_way_of_being_wrong_is_found() {
    for fault in Fault::all() {
        let broker = Running::start(Some(fault));
        let wrong = round(&broker, PRODUCE, vec![]).expect_err(&format!("{fault:?} is not found"));
        println!("{fault:?}: {wrong:#}");
    }
}

#[test]
fn a_reader_of_the_tail_finds_what_is_stored_wrongly() {
    let stored = [Fault::FlipByte, Fault::FlipByteAndChecksum, Fault::SwapBatches, Fault::DropBatch];
    for fault in stored {
        let broker = Running::start(Some(fault));
        let topics = Topics::new("tail", 1, 1);
        topics.create(broker.port, &[]).unwrap();
        let mut written = Written::new(topics);
        let plan = Plan {
            port: broker.port,
            produce: Some(Produce { partitions_per_request: 1, connections: 1, ..PRODUCE }),
            consume: vec![TAIL],
            warm_up: Duration::ZERO,
            window: Duration::from_secs(20),
        };
        let wrong = run(&plan, &mut written, &mut |_| {}).expect_err(&format!("{fault:?} is not found"));
        println!("{fault:?}: {wrong:#}");
    }
}

#[test]
fn a_broker_that_is_not_there_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut written = Written::new(Topics::new("nowhere", 1, 1));
    let plan =
        Plan { port, produce: None, consume: vec![TAIL], warm_up: Duration::ZERO, window: Duration::ZERO };
    let error = run(&plan, &mut written, &mut |_| {}).unwrap_err();
    assert!(
        format!("{error:#}").contains(&format!("no broker can be reached at 127.0.0.1:{port}")),
        "{error:#}"
    );
}
