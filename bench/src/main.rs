//! `ottla-bench floor PORT DIRECTORY [--fault NAME]` is the floor; `ottla-bench commits PORT PARTITIONS` prints how many
//! batches a second are acknowledged with acks=all to 64 producers that wait for each; `ottla-bench clients` compares what
//! real clients see; without a command, the benchmark itself: see `docs/benchmarks/README.md`.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ottla_bench::floor::{Fault, Floor};
use ottla_bench::load::batch::Shape;
use ottla_bench::load::{Plan, Produce, Topics, Written, run, verify};
use ottla_bench::{clients, driver};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("floor") => floor(&args[1..]),
        Some("clients") => clients::run(&args[1..]),
        Some("commits") => commits(&args[1..]),
        _ => driver::Options::parse(&args).and_then(|options| driver::run(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Producers, each with one batch on the way.
const PRODUCERS: usize = 64;

fn commits(args: &[String]) -> Result<()> {
    let [port, partitions] = args else { bail!("ottla-bench commits PORT PARTITIONS") };
    let (port, partitions) =
        (port.parse().context("the port")?, partitions.parse().context("the partitions")?);
    let topics = Topics::new(&format!("commits-{partitions}"), 1, partitions);
    topics.create(port, &[])?;
    let plan = Plan {
        port,
        produce: Some(Produce {
            connections: PRODUCERS,
            depth: 1,
            partitions_per_request: 1,
            shape: Shape::random(1, 1024),
            acks: -1,
            requests_per_second: None,
            payload_bytes_max: u64::MAX,
        }),
        consume: Vec::new(),
        // Files are made at first, and syncs of their names are due.
        warm_up: Duration::from_secs(2),
        window: Duration::from_secs(4),
    };
    let mut written = Written::new(topics);
    let outcome = run(&plan, &mut written, &mut |_| {})?;
    verify(port, &mut written)?;
    println!("{:.1}", outcome.produced.requests as f64 / outcome.seconds);
    Ok(())
}

fn floor(args: &[String]) -> Result<()> {
    let (port, directory, fault) = match args {
        [port, directory] => (port, directory, None),
        [port, directory, flag, name] if flag == "--fault" => {
            let fault = Fault::parse(name).with_context(|| format!("no fault is called {name}"))?;
            (port, directory, Some(fault))
        }
        _ => bail!("ottla-bench floor PORT DIRECTORY [--fault NAME]"),
    };
    let port = port.parse().context("the port")?;
    Floor::bind(port, Path::new(directory), fault)?.serve(&Arc::new(AtomicBool::new(false)))
}
