//! `ottla-bench floor PORT DIRECTORY [--fault NAME]` is the floor; without a command, the benchmark itself: see
//! `docs/benchmarks/README.md`.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use ottla_bench::driver;
use ottla_bench::floor::{Fault, Floor};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("floor") => floor(&args[1..]),
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
