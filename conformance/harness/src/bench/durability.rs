//! What an acknowledgement costs: the append path beside the page cache, group commit beside one sync after the other, and
//! how long a large log takes to be opened again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::print;
use crate::broker::Broker;
use crate::environment::Environment;
use crate::jvm::Runner;
use crate::process;

/// How long each rate is measured.
const SECONDS: f64 = 4.0;

/// Runs the measurements and prints them.
pub fn run(environment: &Environment, rounds: usize) -> Result<()> {
    println!("{:<44} {:>10} {:>30}", "what", "bar", "min / median / max");
    append(environment, rounds)?;
    commit(environment, rounds)?;
    recovery(environment)
}

/// A program of `crates/log/examples`, built beside the broker.
fn example(environment: &Environment, name: &str) -> Result<Command> {
    let path = environment.ottla.with_file_name("examples").join(name);
    ensure!(path.exists(), "{} is missing: `cargo xtask bench log` builds it", path.display());
    Ok(Command::new(path))
}

fn append(environment: &Environment, rounds: usize) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut command = example(environment, "append_rate")?;
    command.arg(directory.path()).args(["512", &rounds.to_string()]);
    let output = process::run(&mut command, b"", Duration::from_secs(300))?.success()?;
    let (mut log, mut plain, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for line in output.stdout.lines() {
        let (ours, theirs) = line.split_once(' ').context("two numbers")?;
        let (ours, theirs): (f64, f64) = (ours.parse()?, theirs.parse()?);
        log.push(ours);
        plain.push(theirs);
        shares.push(ours / theirs * 100.0);
    }
    print("append of 16 KiB batches, no fsync", "", "MB/s", &mut log);
    print("  the same bytes into the page cache", "", "MB/s", &mut plain);
    print("  of what the page cache takes", "60 %", "%", &mut shares);
    Ok(())
}

fn commit(environment: &Environment, rounds: usize) -> Result<()> {
    let (mut sync, mut one, mut many) = (Vec::new(), Vec::new(), Vec::new());
    let (mut one_ratio, mut many_ratio) = (Vec::new(), Vec::new());
    let mut runner = Runner::new(environment);
    for _ in 0..rounds {
        let directory = tempfile::tempdir()?;
        let before = syncs_per_second(directory.path())?;
        let mut broker = Broker::ottla(environment, &directory.path().join("broker"));
        broker.start(&mut runner)?;
        let single = committed_per_second(environment, &broker, 1)?;
        let thousand = committed_per_second(environment, &broker, 1_000)?;
        broker.stop()?;
        let after = syncs_per_second(directory.path())?;
        let syncs = (before + after) / 2.0;
        sync.push(1e6 / syncs);
        one.push(single);
        many.push(thousand);
        one_ratio.push(single / syncs);
        many_ratio.push(thousand / syncs);
    }
    print("fdatasync after 16 KiB", "", "us", &mut sync);
    print("acks=all, 64 producers, one partition", "", "batches/s", &mut one);
    print("  over 1 / fdatasync", "10 x", "x", &mut one_ratio);
    print("acks=all, 64 producers, 1,000 partitions", "", "batches/s", &mut many);
    print("  over 1 / fdatasync", "3 x", "x", &mut many_ratio);
    Ok(())
}

/// How often one after the other can write 16 KiB and sync them.
fn syncs_per_second(directory: &Path) -> Result<f64> {
    let file = File::create(directory.join("synced"))?;
    let bytes = vec![7; 16 << 10];
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed().as_secs_f64() < SECONDS / 2.0 {
        file.write_all_at(&bytes, count * bytes.len() as u64)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Batches that a load generator on one thread gets acknowledged: 64 producers, each with one of 1 KiB on the way.
fn committed_per_second(environment: &Environment, broker: &Broker<'_>, partitions: usize) -> Result<f64> {
    let path = environment.ottla.with_file_name("ottla-bench");
    ensure!(path.exists(), "{} is missing: `cargo xtask bench log` builds it", path.display());
    let mut command = Command::new(path);
    command.args(["commits", &broker.port.to_string(), &partitions.to_string()]);
    let output = process::run(&mut command, b"", Duration::from_secs(120))?.success()?;
    Ok(output.stdout.trim().parse()?)
}

/// 10 GiB in segments of 1 GiB, opened after a kill and after a clean stop.
fn recovery(environment: &Environment) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut command = example(environment, "recovery")?;
    command.arg(directory.path().join("log")).arg("10");
    let output = process::run(&mut command, b"", Duration::from_secs(600))?.success()?;
    for (what, name, bar) in [
        ("opening 10 GiB after kill -9", "killed", "2000 ms"),
        ("opening 10 GiB after a clean stop", "closed", "100 ms"),
    ] {
        let line = output.stdout.lines().find(|line| line.starts_with(name)).context("what was measured")?;
        let (_, time) = line.rsplit_once(": ").context("a time")?;
        print(what, bar, "ms", &mut [time.trim_end_matches(" ms").parse()?]);
    }
    Ok(())
}
