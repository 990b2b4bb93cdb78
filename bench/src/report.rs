//! The report of a session: JSON for machines, Markdown for people, plots for a first look.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cell::Measured;
use crate::occasion::{Figure, OCCASIONS};
use crate::participant::Who;
use crate::plot;
use crate::state::State;
use crate::table::{self, Judged, Row, Spread};
use crate::workload::{NOT_YET, Unit, WORKLOADS, Workload};

/// What the session was made with.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    /// The arguments.
    pub command: String,
    /// The commit that was measured.
    pub commit: String,
    /// Processor, cores and memory.
    pub machine: String,
    /// The kernel.
    pub kernel: String,
    /// Load average at the end.
    pub load: String,
}

impl Header {
    /// Of this machine, now.
    pub fn now(command: &str, repository: &Path) -> Header {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let git =
            Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(repository).output();
        let after_colon = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let processor = after_colon(&read("/proc/cpuinfo"), "model name").unwrap_or_default();
        let memory = after_colon(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Header {
            command: command.to_owned(),
            commit: git.map_or(String::new(), |git| String::from_utf8_lossy(&git.stdout).trim().to_owned()),
            machine: format!("{processor}, {cores} cores, {memory}"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    header: &'a Header,
    measured: Vec<&'a Measured>,
    figures: Vec<&'a Figure>,
}

/// Writes `report.json`, `report.md` and the plots.
pub fn write(directory: &Path, header: &Header, state: &State) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let json = Json {
        header,
        measured: WORKLOADS.iter().flat_map(|workload| state.of(workload)).collect(),
        figures: OCCASIONS.iter().flat_map(|occasion| state.figures_of(occasion)).collect(),
    };
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    write("report.json", &serde_json::to_string_pretty(&json)?)?;
    write("report.md", &markdown(header, state))?;
    write("cpu.svg", &plot::ratios("CPU per unit, Ottla / floor and Kafka / floor", &cpu_of_floor(state)))?;
    write("latency.svg", &plot::ratios("p99 latency, Ottla / floor and Kafka / floor", &p99_of_floor(state)))
}

/// Of each workload: its name, and the medians of Ottla's and Kafka's ratios to the floor.
fn of_floor(state: &State, figure: fn(&Measured) -> f64) -> Vec<(&'static str, Option<f64>, Option<f64>)> {
    let ratio = |measured: &[&Measured], who| {
        table::ratios(measured, who, Who::Floor, figure).map(|spread| spread.median)
    };
    WORKLOADS
        .iter()
        .map(|workload| (workload.name, state.of(workload)))
        .filter(|(_, measured)| measured.iter().any(|m| m.who == Who::Floor))
        .map(|(name, measured)| (name, ratio(&measured, Who::Ottla), ratio(&measured, Who::Kafka)))
        .collect()
}

fn cpu_of_floor(state: &State) -> Vec<(&'static str, Option<f64>, Option<f64>)> {
    of_floor(state, |m| m.cpu_per_unit)
}

fn p99_of_floor(state: &State) -> Vec<(&'static str, Option<f64>, Option<f64>)> {
    of_floor(state, |m| m.latency.p99_us as f64)
}

fn markdown(header: &Header, state: &State) -> String {
    let mut out = String::new();
    let Header { command, commit, machine, kernel, load } = header;
    let _ = writeln!(
        out,
        "# Report of the benchmark\n\n`cargo xtask bench {command}` at commit {commit}, on {machine}, Linux {kernel}; load \
         average {load}. How to read it: [README](README.md). Each figure is minimum / **median** / maximum over the \
         rounds; a ratio is of measurements of the same round.\n\n![CPU](cpu.svg)\n![Latency](latency.svg)\n"
    );
    targets(&mut out, state);
    let _ = writeln!(out, "## Workloads\n");
    for workload in WORKLOADS {
        let measured = state.of(workload);
        if !measured.is_empty() {
            section(&mut out, workload, &measured);
        }
    }
    occasions(&mut out, state);
    let _ = writeln!(out, "## Not measured yet\n");
    for (name, why) in NOT_YET {
        let _ = writeln!(out, "- {name}: {why}");
    }
    out
}

fn targets(out: &mut String, state: &State) {
    let _ = writeln!(out, "## Targets\n\n| workload | what | target | reached | |\n|---|---|---|---|---|");
    let mut row = |name: &str, judged: Judged| {
        let Judged { what, bar, reached, verdict } = judged;
        let _ = writeln!(out, "| {name} | {what} | {bar} | {} | {} |", bold(reached), verdict.name());
    };
    for workload in WORKLOADS {
        let measured = state.of(workload);
        for judged in workload.bars.iter().filter_map(|&bar| table::judge(bar, &measured)) {
            row(workload.name, judged);
        }
    }
    for occasion in OCCASIONS {
        let figures = state.figures_of(occasion);
        for (what, limit) in occasion.limits {
            if let Some(judged) = table::judge_figure(what, *limit, &figures) {
                row(occasion.name, Judged { what: (*what).to_owned(), ..judged });
            }
        }
    }
    let _ = writeln!(out);
}

fn section(out: &mut String, workload: &Workload, measured: &[&Measured]) {
    let Workload { name, what, unit, durability, .. } = workload;
    let (rate, scale) = match unit {
        Unit::Gigabyte => ("MB/s", 1e3),
        Unit::Request => ("requests/s", 1.0),
        Unit::Message => ("messages/s", 1.0),
    };
    let _ = writeln!(
        out,
        "### {name}\n\n{what}. Acknowledged by the {}.\n\n| broker | CPU {} | {rate} | p50 µs | p99 µs | p99.9 µs | switches \
         per request | resident MiB | client CPU | noisy |\n|---|---|---|---|---|---|---|---|---|---|",
        durability.name(),
        unit.name()
    );
    for who in [Who::Floor, Who::Ottla, Who::OttlaDurable, Who::Kafka] {
        let of: Vec<&&Measured> = measured.iter().filter(|m| m.who == who).collect();
        if of.is_empty() {
            continue;
        }
        let spread = |figure: &dyn Fn(&Measured) -> f64| {
            Spread::of(of.iter().map(|m| figure(m))).map_or(String::new(), bold)
        };
        let median = |figure: &dyn Fn(&Measured) -> f64| {
            Spread::of(of.iter().map(|m| figure(m)))
                .map_or(String::new(), |spread| table::short(spread.median))
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {}/{} |",
            who.name(),
            spread(&|m| m.cpu_per_unit),
            spread(&|m| m.rate * scale),
            spread(&|m| m.latency.p50_us as f64),
            spread(&|m| m.latency.p99_us as f64),
            median(&|m| m.latency.p999_us as f64),
            median(&|m| m.cost.switches as f64 / m.requests as f64),
            median(&|m| m.resident_bytes as f64 / f64::from(1 << 20)),
            median(&|m| m.client_cpu_seconds / m.seconds),
            of.iter().filter(|m| m.noisy).count(),
            of.len()
        );
    }
    let _ = writeln!(out);
}

fn occasions(out: &mut String, state: &State) {
    let _ = writeln!(out, "## Occasions\n\n| occasion | what | broker | |\n|---|---|---|---|");
    for occasion in OCCASIONS {
        for Row { what, unit, spreads } in table::by_what(&state.figures_of(occasion)) {
            for (who, spread) in spreads {
                let _ = writeln!(
                    out,
                    "| {} | {what} | {} | {} {unit} |",
                    occasion.name,
                    who.name(),
                    bold(spread)
                );
            }
        }
    }
    let _ = writeln!(out);
}

fn bold(spread: Spread) -> String {
    let Spread { min, median, max } = spread;
    format!("{} / **{}** / {}", table::short(min), table::short(median), table::short(max))
}
