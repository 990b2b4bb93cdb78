//! `cargo xtask test [--only SUITE,…] [--list] [--under-test ottla|kafka]`: installs what the tests need and runs them.
//!
//! The conformance suites are those of `conformance/harness`; the others are here. Each suite ends with its counts; the
//! last line has the sums. Any failure makes the exit code non-zero.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::setup::repository;

/// Counts of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Totals {
    /// Counts and prints a test that passed if nothing is wrong.
    pub(crate) fn case(&mut self, name: &str, wrong: &[String]) {
        if wrong.is_empty() {
            self.passed += 1;
            println!("ok    {name}");
        } else {
            self.failed += 1;
            println!("FAIL  {name}");
            for line in wrong {
                println!("      {line}");
            }
        }
    }

    fn one(passed: bool) -> Totals {
        Totals { passed: usize::from(passed), failed: usize::from(!passed), skipped: 0 }
    }

    fn add(&mut self, other: Totals) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Name, what it shows, how it runs.
type Suite = (&'static str, &'static str, fn(&Options) -> Result<Totals>);

/// The suites that need no broker, in the order in which they run; those of the harness follow.
const SUITES: &[Suite] = &[
    ("fmt", "the code is formatted", |_| Ok(Totals::one(cargo(&["fmt", "--all", "--check"])?))),
    ("clippy", "no lint warns", |_| {
        Ok(Totals::one(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?))
    }),
    ("deny", "licences, bans, duplicates and sources of dependencies", |_| crate::deny::check()),
    ("tidy", "what no compiler checks", |_| crate::tidy::check()),
    ("unit", "the tests inside the crates", |_| unit()),
    ("guard", "no request costs a quarter more CPU than it did, beside the floor", |_| {
        counted(&mut crate::bench::guard()?)
    }),
];

/// What the command line says.
struct Options {
    under_test: String,
}

/// The command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut only: Option<Vec<String>> = None;
    let mut options = Options { under_test: "ottla".to_owned() };
    let mut list = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" => list = true,
            "--only" => {
                let names = args.next().context("--only takes the names of suites")?;
                only = Some(names.split(',').map(str::to_owned).collect());
            }
            "--under-test" => {
                options.under_test = args.next().context("--under-test takes ottla or kafka")?.clone()
            }
            other => bail!("test: unknown argument {other}"),
        }
    }
    crate::setup::run(&[])?;
    crate::chaos::build_variants()?;
    let harness = harness_suites()?;
    let names: Vec<&str> =
        SUITES.iter().map(|suite| suite.0).chain(harness.iter().map(|(name, _)| name.as_str())).collect();
    if list {
        for (name, what, _) in SUITES {
            println!("{name:<12} {what}");
        }
        for (name, what) in &harness {
            println!("{name:<12} {what}");
        }
        return Ok(());
    }
    for name in only.iter().flatten() {
        ensure!(names.contains(&name.as_str()), "no suite is called {name}; there are {}", names.join(", "));
    }
    let mut rows = Vec::new();
    for name in names {
        if only.as_ref().is_some_and(|only| !only.iter().any(|wanted| wanted == name)) {
            continue;
        }
        println!("\n== {name}");
        let started = Instant::now();
        let result = match SUITES.iter().find(|suite| suite.0 == name) {
            Some((_, _, run)) => run(&options),
            None => conformance(name, &options),
        };
        let totals = result.unwrap_or_else(|error| {
            println!("FAIL  {name} could not be run: {error:#}");
            Totals::one(false)
        });
        rows.push((name.to_owned(), totals, started.elapsed().as_secs()));
    }
    summary(&rows)
}

fn summary(rows: &[(String, Totals, u64)]) -> Result<()> {
    println!("\n{:<12} {:>7} {:>7} {:>8} {:>8}", "suite", "passed", "failed", "skipped", "seconds");
    let mut sum = Totals::default();
    for (name, totals, seconds) in rows {
        println!("{name:<12} {:>7} {:>7} {:>8} {seconds:>8}", totals.passed, totals.failed, totals.skipped);
        sum.add(*totals);
    }
    println!("\n{sum}");
    ensure!(sum.failed == 0, "{} tests failed", sum.failed);
    ensure!(sum.passed > 0, "no test ran");
    Ok(())
}

/// Whether a cargo command succeeds; its output is shown.
fn cargo(args: &[&str]) -> Result<bool> {
    let status =
        Command::new("cargo").args(args).current_dir(repository()).status().context("start cargo")?;
    Ok(status.success())
}

/// `cargo test` of the whole workspace; the counts are the sums of what each test binary says.
fn unit() -> Result<Totals> {
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--no-fail-fast", "--quiet"]).current_dir(repository());
    let mut totals = Totals::default();
    let success = each_line(&mut command, |line| {
        if let Some(counts) = test_result(line) {
            totals.add(counts);
        } else {
            println!("{line}");
        }
    })?;
    if !success && totals.failed == 0 {
        // It did not compile, or a test binary died before it could count.
        totals.failed = 1;
    }
    Ok(totals)
}

/// The counts in `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn test_result(line: &str) -> Option<Totals> {
    let counts = line.strip_prefix("test result: ")?;
    let count = |word: &str| {
        let part = counts.split(['.', ';']).find(|part| part.trim().ends_with(word))?;
        part.split_whitespace().next()?.parse().ok()
    };
    Some(Totals { passed: count(" passed")?, failed: count(" failed")?, skipped: count(" ignored")? })
}

/// Name and description of the harness's suites.
fn harness_suites() -> Result<Vec<(String, String)>> {
    let mut suites = Vec::new();
    let mut command = harness();
    let success = each_line(command.arg("--list"), |line| {
        if let Some((name, what)) = line.split_once('\t') {
            suites.push((name.to_owned(), what.to_owned()));
        }
    })?;
    ensure!(success, "the conformance harness does not list its suites");
    Ok(suites)
}

fn harness() -> Command {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--package", "ottla-conformance", "--"]).current_dir(repository());
    command
}

fn conformance(name: &str, options: &Options) -> Result<Totals> {
    counted(harness().args(["--under-test", &options.under_test, name]))
}

/// Runs a program that prints its counts last.
fn counted(command: &mut Command) -> Result<Totals> {
    let mut totals = None;
    each_line(command, |line| match closing_line(line) {
        Some(counts) => totals = Some(counts),
        None => println!("{line}"),
    })?;
    totals.context("the program ended before its last line")
}

/// The counts in `3 passed, 0 failed, 1 skipped`, alone on the line.
fn closing_line(line: &str) -> Option<Totals> {
    let mut counts = line.split(", ").map(|part| part.split_once(' '));
    let mut next = |word: &str| {
        let (count, name) = counts.next()??;
        (name == word).then(|| count.parse().ok())?
    };
    Some(Totals { passed: next("passed")?, failed: next("failed")?, skipped: next("skipped")? })
}

/// Runs a command and gives each line of its standard output; whether it succeeded.
fn each_line(command: &mut Command, mut take: impl FnMut(&str)) -> Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("start a command")?;
    let stdout = child.stdout.take().context("standard output")?;
    for line in BufReader::new(stdout).lines() {
        take(&line?);
    }
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_cargo_are_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(test_result(line), Some(Totals { passed: 12, failed: 3, skipped: 1 }));
        assert_eq!(test_result("running 3 tests"), None);
    }

    #[test]
    fn counts_of_the_harness_are_read() {
        assert_eq!(
            closing_line("5 passed, 0 failed, 1 skipped"),
            Some(Totals { passed: 5, failed: 0, skipped: 1 })
        );
        assert_eq!(closing_line("suite x: 5 passed, 0 failed, 1 skipped in 3 s"), None);
        assert_eq!(closing_line(""), None);
    }
}
