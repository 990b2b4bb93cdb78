//! `cargo xtask profile WORKLOAD`: runs a workload of the benchmark against Ottla alone, with `perf` looking at the
//! broker, prints where its time went and writes a flame graph to `target/profile/WORKLOAD.svg`.

mod flame_graph;
mod stacks;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::setup::{call, repository};
use stacks::Tree;

/// Samples a second: not a divisor of anything that ticks.
const FREQUENCY: &str = "997";
/// How many functions are printed.
const PRINTED: usize = 20;

/// The command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let workload = match args {
        [name] if !name.starts_with('-') => name,
        _ => bail!("profile: takes the name of one of the benchmark's workloads, such as 16k or one-record"),
    };
    check_perf()?;
    crate::setup::run(&[])?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    build(&["--profile", "profiling", "--package", "ottla"], Some("-C force-frame-pointers=yes"))?;
    build(&["--release", "--package", "ottla-bench"], None)?;
    let directory = target.join("profile");
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let recorded = directory.join(format!("{workload}.data"));
    record(workload, &target, &recorded)?;
    let tree = Tree::parse(&script(&recorded)?);
    ensure!(tree.samples() > 0, "perf saw nothing of the broker: the run was too short");
    println!("\nself   function, of {} samples", tree.samples());
    for (name, samples) in tree.by_self().into_iter().take(PRINTED) {
        println!("{:>5.1} % {name}", 100.0 * samples as f64 / tree.samples() as f64);
    }
    let graph = directory.join(format!("{workload}.svg"));
    fs::write(&graph, flame_graph::svg(&format!("ottla under {workload}"), &tree))
        .with_context(|| graph.display().to_string())?;
    println!("\n{}", graph.display());
    Ok(())
}

fn check_perf() -> Result<()> {
    let output = Command::new("perf").args(["record", "-q", "-o", "/dev/null", "true"]).output();
    match output {
        Err(error) => bail!(
            "perf cannot be started ({error}): install it (Debian package linux-perf), it belongs to the kernel"
        ),
        Ok(output) if !output.status.success() => bail!(
            "perf may not look at processes here: {}\n  → as root: sysctl kernel.perf_event_paranoid=1",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
        Ok(_) => Ok(()),
    }
}

fn build(args: &[&str], flags: Option<&str>) -> Result<()> {
    let mut command = Command::new("cargo");
    command.current_dir(repository()).arg("build").args(args);
    if let Some(flags) = flags {
        command.env("RUSTFLAGS", flags);
    }
    call(&mut command)
}

/// Runs the workload, and perf beside it from the moment at which the broker has started.
fn record(workload: &str, target: &Path, into: &Path) -> Result<()> {
    let ottla = target.join("profiling/ottla");
    let mut bench = Command::new(target.join("release/ottla-bench"))
        .args(["--only", workload, "--rounds", "1", "--without", "kafka,floor"])
        .env("OTTLA_BINARY", &ottla)
        .spawn()
        .context("start the benchmark")?;
    let broker = loop {
        if let Some(status) = bench.try_wait()? {
            bail!("the benchmark ended with {status} before its broker was there");
        }
        match find_broker(&bench, &ottla) {
            // perf looks at the threads that are there when it begins, and not at those that come later.
            Some(pid) if threads_stay(pid) => break pid,
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let mut perf = Command::new("perf")
        .args(["record", "-q", "-F", FREQUENCY, "--call-graph", "fp", "-p", &broker.to_string(), "-o"])
        .arg(into)
        .stdin(Stdio::null())
        .spawn()
        .context("start perf")?;
    let status = bench.wait()?;
    // It ends with the broker.
    let recorded = perf.wait()?;
    ensure!(status.success(), "the benchmark ended with {status}");
    ensure!(recorded.success(), "perf ended with {recorded}");
    Ok(())
}

/// The process that the benchmark has started from this file.
fn find_broker(bench: &Child, ottla: &Path) -> Option<u32> {
    let ottla = fs::canonicalize(ottla).ok()?;
    let processes = fs::read_dir("/proc").ok()?;
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| {
        let is_child = fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            // The name in parentheses may have spaces and parentheses itself.
            .and_then(|stat| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok())
            .is_some_and(|parent: u32| parent == bench.id());
        is_child && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == ottla)
    })
}

/// Whether a process has several threads, and as many a little later: it has started.
fn threads_stay(pid: u32) -> bool {
    let count = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let before = count();
    std::thread::sleep(Duration::from_millis(200));
    before > 1 && count() == before
}

/// What perf recorded, as text.
fn script(recorded: &Path) -> Result<String> {
    let output = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,ip,sym,dso", "-i"])
        .arg(recorded)
        .stderr(Stdio::null())
        .output()
        .context("start perf")?;
    ensure!(output.status.success(), "perf script ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
