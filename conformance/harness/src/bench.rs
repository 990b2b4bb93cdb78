//! The figures that Ottla promises of its log, measured and printed, not asserted. What a broker costs under load is the
//! benchmark's (`bench/`).

pub mod compaction;
pub mod durability;
pub mod partitions;

use std::fs;

use anyhow::{Context, Result};

use crate::broker::Broker;

/// Flags of the broker's JVM as Kafka's scripts set them, with a fixed heap.
pub const KAFKA_JVM: &[&str] = &[
    "-Xms1g",
    "-Xmx1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

fn print(what: &str, bar: &str, unit: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let Some((min, max)) = values.first().zip(values.last()) else { return };
    let median = values[values.len() / 2];
    let figures = format!("{min:.1} / {median:.1} / {max:.1} {unit}");
    println!("{what:<44} {bar:>10} {figures:>30}");
}

fn resident_mib(broker: &Broker<'_>) -> Result<f64> {
    let pid = broker.pid().context("the broker runs")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// User and system time of the broker's process. The system counts it in nanoseconds per thread.
fn cpu_seconds(broker: &Broker<'_>) -> Result<f64> {
    let pid = broker.pid().context("the broker runs")?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may have spaces; what follows has none. Ticks are hundredths of a second.
    let (_, rest) = stat.rsplit_once(')').context("stat")?;
    let mut ticks = rest.split_whitespace().skip(11).map(str::parse::<f64>);
    let mut next = || -> Result<f64> { Ok(ticks.next().context("ticks")??) };
    Ok((next()? + next()?) / 100.0)
}
