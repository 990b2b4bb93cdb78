//! The same command lines through our tools and through Kafka's, against Ottla and against Kafka: standard output and
//! exit code must be equal in all four combinations, but for ids, times and addresses.

mod commands;
mod normal;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::differences::Differences;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::process::{self, Output};
use crate::report::Report;

use commands::{COMMANDS, Line};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let accepted = Differences::read(&environment.program("differences.txt"))?;
    // Each combination begins with an empty broker, so that lists show the same in all of them.
    let expected = all(environment, &mut runner, directory.path(), Kind::Kafka, Kind::Kafka)?;
    let combinations: &[(Kind, Kind)] = match environment.under_test {
        Kind::Kafka => &[(Kind::Kafka, Kind::Kafka)],
        Kind::Ottla => &[(Kind::Kafka, Kind::Ottla), (Kind::Ottla, Kind::Kafka), (Kind::Ottla, Kind::Ottla)],
    };
    for &(tools, broker) in combinations {
        let got = match all(environment, &mut runner, directory.path(), tools, broker) {
            Ok(got) => got,
            Err(error) => {
                report.abort(&error.context(format!("{} tools on {}", tools.name(), broker.name())));
                continue;
            }
        };
        for (line, (expected, got)) in COMMANDS.iter().zip(expected.iter().zip(got)) {
            let name = format!("{}::{}_tools_on_{}", line.name, tools.name(), broker.name());
            report.case(&name, || {
                let expected =
                    normal::text(expected.as_ref().ok().context("Kafka's own run failed")?, line.unordered);
                let got = normal::text(&got?, line.unordered);
                let differences = accepted.unexplained("tools", &name, normal::differences(&expected, &got));
                ensure!(differences.is_empty(), "{} {:?}\n{}", line.tool, line.args, differences.join("\n"));
                Ok(())
            });
        }
    }
    Ok(())
}

/// Runs every command line against a broker of its own.
fn all(
    environment: &Environment,
    runner: &mut Runner<'_>,
    directory: &Path,
    tools: Kind,
    broker: Kind,
) -> Result<Vec<Result<Output>>> {
    let place = tempfile::tempdir_in(directory)?;
    let mut broker = Broker::new(environment, broker, place.path());
    broker.start(runner)?;
    let links = place.path().join("links");
    if tools == Kind::Ottla {
        process::run(Command::new(&environment.ottla).arg("install-links").arg(&links), b"", LIMIT)?
            .success()?;
    }
    let offsets = directory.join("offsets.json");
    std::fs::write(&offsets, r#"{"partitions":[{"topic":"single","partition":0,"offset":2}],"version":1}"#)?;
    let (bootstrap, offsets) = (broker.bootstrap(), offsets.to_string_lossy().into_owned());
    let outputs = COMMANDS.iter().map(|line| {
        let args: Vec<&str> = line
            .args
            .iter()
            .map(|&arg| match arg {
                "BOOTSTRAP" => bootstrap.as_str(),
                "OFFSETS" => offsets.as_str(),
                other => other,
            })
            .collect();
        let run = |runner: &mut Runner<'_>| match tools {
            Kind::Kafka => runner.tool(line.tool, &args, line.stdin.as_bytes()),
            Kind::Ottla => {
                process::run(Command::new(links.join(line.tool)).args(&args), line.stdin.as_bytes(), LIMIT)
            }
        };
        settled(line, || run(runner))
    });
    Ok(outputs.collect())
}

/// What one command leads to shows a little later in what the next one reads: a line that is to see it waits for it.
fn settled(line: &Line, mut run: impl FnMut() -> Result<Output>) -> Result<Output> {
    let mut output = run()?;
    for _ in 0..20 {
        if line.until.is_empty() || output.stdout.contains(line.until) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        output = run()?;
    }
    Ok(output)
}
