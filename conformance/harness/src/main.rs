//! `ottla-conformance [--under-test ottla|kafka] [--bench WHAT] [--write-compat] [--chaos FIRST COUNT [--broken]] SUITE...`: runs suites; the exit code tells whether
//! all cases passed.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use ottla_conformance::environment::{Environment, Kind};
use ottla_conformance::report::{Report, Totals};
use ottla_conformance::suites::SUITES;
use ottla_conformance::{bench, compat};

fn main() -> ExitCode {
    match run() {
        Ok(totals) => {
            if totals != Totals::default() {
                println!("{totals}");
            }
            if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What is measured.
enum Bench {
    /// All that is promised of the log.
    Log,
    /// Compaction beside Kafka's, so many times.
    Compaction(usize),
    /// Many partitions.
    Partitions(bench::partitions::Size),
}

fn run() -> Result<Totals> {
    let mut under_test = Kind::Ottla;
    let mut chosen = Vec::new();
    let mut bench = None;
    let mut write_compat = false;
    let (mut chaos, mut broken) = (None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--under-test" => match args.next().as_deref() {
                Some("ottla") => under_test = Kind::Ottla,
                Some("kafka") => under_test = Kind::Kafka,
                other => bail!("--under-test takes ottla or kafka, not {other:?}"),
            },
            "--bench" => {
                bench = Some(match args.next().as_deref() {
                    Some("log") => Bench::Log,
                    Some("compaction") => Bench::Compaction(3),
                    Some("partitions-once") => Bench::Partitions(bench::partitions::Size::ONCE),
                    Some("partitions") => Bench::Partitions(bench::partitions::Size::USUAL),
                    other => {
                        bail!("--bench takes log, compaction, partitions or partitions-once, not {other:?}")
                    }
                });
            }
            "--write-compat" => write_compat = true,
            "--chaos" => {
                let mut number =
                    || -> Result<u64> { Ok(args.next().context("--chaos FIRST COUNT")?.parse()?) };
                chaos = Some((number()?, number()?));
            }
            "--broken" => broken = true,
            "--list" => {
                for suite in SUITES {
                    println!("{}\t{}", suite.name, suite.what);
                }
                return Ok(Totals::default());
            }
            name => {
                let suite = SUITES.iter().find(|suite| suite.name == name);
                chosen.push(suite.with_context(|| format!("no suite is called {name}"))?);
            }
        }
    }
    let repository =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the repository")?.to_path_buf();
    let cache = std::env::var_os("OTTLA_CACHE").map_or_else(|| repository.join(".cache"), PathBuf::from);
    let ottla = match std::env::var_os("OTTLA_BINARY") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("ottla"),
    };
    let ports = match std::env::var("OTTLA_TEST_PORTS") {
        Ok(port) => port.parse().context("OTTLA_TEST_PORTS")?,
        Err(_) => 21200,
    };
    let environment = Environment::new(repository, cache, ottla, under_test, ports)?;
    match bench {
        Some(Bench::Log) => {
            bench::durability::run(&environment, 5)?;
            bench::partitions::run(&environment, bench::partitions::Size::USUAL)?;
            bench::compaction::run(&environment, 3)?;
        }
        Some(Bench::Compaction(rounds)) => bench::compaction::run(&environment, rounds)?,
        Some(Bench::Partitions(size)) => bench::partitions::run(&environment, size)?,
        None => {}
    }
    if write_compat {
        let (path, _, text) = compat::written(&environment)?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    let mut totals = Totals::default();
    if let Some((first, seeds)) = chaos {
        let mut report = Report::new("chaos");
        match broken {
            false => ottla_conformance::chaos::log(&environment, first, seeds, &mut report)?,
            true => ottla_conformance::chaos::broken(&environment, first, &mut report)?,
        }
        totals += report.finish();
    }
    for suite in chosen {
        println!("{}: {}", suite.name, suite.what);
        let mut report = Report::new(suite.name);
        if let Err(error) = (suite.run)(&environment, &mut report) {
            report.abort(&error);
        }
        totals += report.finish();
    }
    Ok(totals)
}
