//! Whether threads of a broker get in each other's way: `scaling DIR [ROUNDS]`. One thread and then two hand requests to
//! a node in this process, without sockets: appends to and reads from a thousand partitions, each thread on its own half
//! or both on all. Prints how much more two threads do, in requests for each second of a thread that is not spent
//! waiting for a processor, so that other processes do not count: what is left is waiting for each other (locks, the
//! file system), and caches.

#[path = "../tests/frames/mod.rs"]
mod frames;

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_broker::node::{InProcess, Node};
use ottla_config::{Inputs, load};
use ottla_protocol::records::Compression;

const PARTITIONS: usize = 1_000;
/// How long one measurement lasts.
const LASTS: Duration = Duration::from_secs(2);
const TOPIC: &str = "scaling";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is done to which partitions.
struct Workload {
    name: &'static str,
    frames: Vec<Bytes>,
    /// Each thread has a part of the frames for itself.
    apart: bool,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = Path::new(arguments.first().ok_or("which directory?")?);
    let rounds: usize = arguments.get(1).map_or(Ok(5), |text| text.parse())?;
    let inputs = Inputs {
        file: None,
        environment: Vec::new(),
        overrides: vec![
            String::from("listeners=PLAINTEXT://127.0.0.1:0"),
            format!("log.dirs={}", directory.display()),
            String::from("ottla.flush.acks.all=never"),
        ],
        in_container: false,
    };
    let loaded = load(&inputs).map_err(|error| error.cause)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (node, _) = runtime.block_on(Node::start(loaded)).map_err(|error| error.cause)?;
    let create = Bytes::from(frames::create_topic(TOPIC, PARTITIONS as i32)).slice(4..);
    runtime.block_on(node.in_process().call(create, &mut Vec::new()))?;

    let frames = |make: &dyn Fn(i32) -> Vec<u8>| -> Vec<Bytes> {
        // Without the size in front.
        (0..PARTITIONS as i32).map(|partition| Bytes::from(make(partition)).slice(4..)).collect()
    };
    let (small, large) = (frames::batch(Compression::None, 1), frames::batch(Compression::None, 140));
    let append = |batch: &[u8]| frames(&|partition| frames::produce(TOPIC, partition, batch));
    let fetch = frames(&|partition| frames::fetch(TOPIC, partition));
    let workloads = [
        Workload { name: "append 1 record, apart", frames: append(&small), apart: true },
        Workload { name: "append 1 record, mixed", frames: append(&small), apart: false },
        Workload { name: "append 16 KiB, apart", frames: append(&large), apart: true },
        Workload { name: "read, apart", frames: fetch.clone(), apart: true },
        Workload { name: "read, mixed", frames: fetch, apart: false },
    ];
    println!(
        "two threads beside one, min/median/max of {rounds} rounds; microseconds of one request with 1, 2 threads"
    );
    for workload in &workloads {
        // Every partition has its first batch, and every log is open.
        run(&node, workload, 1)?;
        let mut measured = Vec::new();
        for _ in 0..rounds {
            measured.push((run(&node, workload, 1)?, run(&node, workload, 2)?));
        }
        measured.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
        let scaling = |at: usize| measured[at].1 / measured[at].0;
        let (one, two) = measured[rounds / 2];
        println!(
            "{:<24} {:.2}/{:.2}/{:.2}   {:.2}, {:.2}",
            workload.name,
            scaling(0),
            scaling(rounds / 2),
            scaling(rounds - 1),
            1e6 / one,
            2e6 / two,
        );
    }
    runtime.block_on(node.stop());
    Ok(())
}

/// Requests a second, of all threads together.
fn run(node: &Node, workload: &Workload, threads: usize) -> Result<f64, Failure> {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        let run = |thread: usize| {
            let (client, start) = (node.in_process(), &start);
            scope.spawn(move || one_thread(client, workload, (thread, threads), start))
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().expect("it does not panic")).sum()
    })
}

/// Requests for each second that the thread was not waiting for a processor.
#[allow(clippy::disallowed_methods, reason = "measuring is what this program is for")]
fn one_thread(
    mut client: InProcess,
    workload: &Workload,
    (thread, threads): (usize, usize),
    start: &Barrier,
) -> Result<f64, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut answer = Vec::new();
    let mut count = 0_u64;
    start.wait();
    let (begin, waited) = (Instant::now(), waited_for_processor()?);
    runtime.block_on(async {
        while begin.elapsed() < LASTS {
            for (partition, frame) in workload.frames.iter().enumerate() {
                // Where all is mixed, the threads begin at different ends.
                let frame = match (workload.apart, thread) {
                    (true, _) if partition % threads != thread => continue,
                    (false, 1) => &workload.frames[PARTITIONS - 1 - partition],
                    _ => frame,
                };
                answer.clear();
                client.call(frame.clone(), &mut answer).await?;
                count += 1;
            }
        }
        Ok::<_, Failure>(())
    })?;
    let busy = begin.elapsed().saturating_sub(waited_for_processor()? - waited);
    Ok(count as f64 / busy.as_secs_f64())
}

/// How long this thread could have run and was not let.
fn waited_for_processor() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().nth(1).ok_or("no time of waiting in schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
