//! The figures that Ottla promises, measured beside Kafka in the same run and printed, not asserted.
//!
//! Times are of whole processes: from their start to the first Metadata answer, or to their end. Throughput is what
//! Kafka's own perf tools say, the brokers taking turns; CPU time is what the system counted for the broker's process.

pub mod compaction;
pub mod durability;
pub mod partitions;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::CreatableTopic;

use crate::broker::Broker;
use crate::client::Client;
use crate::environment::{Environment, Kind};
use crate::jvm::{Runner, main_class};
use crate::process;

/// Flags of the broker's JVM as Kafka's scripts set them, with a fixed heap.
const KAFKA_JVM: &[&str] = &[
    "-Xms1g",
    "-Xmx1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

const RECORD_BYTES: u32 = 1024;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Starts of a broker.
    pub starts: usize,
    /// Seconds of idleness.
    pub idle_seconds: u64,
    /// Rounds of producing and consuming, per broker.
    pub rounds: usize,
    /// Records of a round.
    pub records: u32,
}

impl Size {
    /// What fits into a few minutes.
    pub const QUICK: Size = Size { starts: 20, idle_seconds: 15, rounds: 3, records: 400_000 };
    /// What is worth publishing.
    pub const FULL: Size = Size { starts: 20, idle_seconds: 60, rounds: 7, records: 2_000_000 };
}

/// Runs all measurements and prints them.
pub fn run(environment: &Environment, size: Size) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    println!("{:<44} {:>10} {:>30}", "what", "bar", "min / median / max");
    starts(environment, &mut runner, directory.path(), size)?;
    idle(environment, &mut runner, directory.path(), size)?;
    throughput(environment, &mut runner, directory.path(), size)
}

fn print(what: &str, bar: &str, unit: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let Some((min, max)) = values.first().zip(values.last()) else { return };
    let median = values[values.len() / 2];
    let figures = format!("{min:.1} / {median:.1} / {max:.1} {unit}");
    println!("{what:<44} {bar:>10} {figures:>30}");
}

fn starts(environment: &Environment, runner: &mut Runner<'_>, directory: &Path, size: Size) -> Result<()> {
    let (mut new, mut existing) = (Vec::new(), Vec::new());
    for round in 0..size.starts {
        let mut broker = Broker::ottla(environment, &directory.join(format!("start-{round}")));
        new.push(broker.start(runner)?.as_secs_f64() * 1e3);
        broker.stop()?;
        existing.push(broker.start(runner)?.as_secs_f64() * 1e3);
        broker.stop()?;
    }
    print("start to first Metadata answer, new directory", "60 ms", "ms", &mut new);
    print("start to first Metadata answer, existing one", "60 ms", "ms", &mut existing);
    let mut kafka = Broker::kafka(environment, &directory.join("start-kafka")).jvm_flags(KAFKA_JVM);
    let took = kafka.start(runner)?.as_secs_f64() * 1e3;
    print("  Kafka's, new directory, formatted before", "", "ms", &mut [took]);
    Ok(())
}

fn idle(environment: &Environment, runner: &mut Runner<'_>, directory: &Path, size: Size) -> Result<()> {
    let mut broker = Broker::ottla(environment, &directory.join("idle"));
    broker.start(runner)?;
    thread::sleep(Duration::from_secs(3));
    print("resident after start", "20 MiB", "MiB", &mut [resident_mib(&broker)?]);
    print("idle CPU", "0.2 %", "%", &mut [idle_percent(&broker, size)?]);
    for hundred in 0..10 {
        let topics = (0..100).map(|n| CreatableTopic {
            name: format!("idle-{hundred}-{n}").as_str().into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        });
        let request =
            CreateTopicsRequest { topics: topics.collect(), timeout_ms: 30_000, ..Default::default() };
        let answer = Client::open(broker.port)?.ask(7, &request)?;
        ensure!(answer.topics.iter().all(|topic| topic.error_code == 0), "the topics cannot be created");
    }
    thread::sleep(Duration::from_secs(5));
    print("resident with 1,000 topics", "40 MiB", "MiB", &mut [resident_mib(&broker)?]);
    print("idle CPU with 1,000 topics", "0.2 %", "%", &mut [idle_percent(&broker, size)?]);
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..size.starts {
        let (ms, mib) = list_topics(environment, &broker)?;
        times.push(ms);
        memory.push(mib);
    }
    print("our `kafka-topics --list`, 1,000 topics", "20 ms", "ms", &mut times);
    print("  its resident memory", "15 MiB", "MiB", &mut memory);
    broker.stop()
}

/// Time and peak memory of one run of our tool. Python reads what the system counted for a child; the child's peak cannot
/// be seen below that of the interpreter that started it, some 10 MiB.
fn list_topics(environment: &Environment, broker: &Broker<'_>) -> Result<(f64, f64)> {
    const MEASURE: &str = "import resource, subprocess, sys, time\n\
        begin = time.perf_counter()\n\
        subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n\
        print((time.perf_counter() - begin) * 1e3, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)";
    let mut command = Command::new("python3");
    command.args(["-S", "-E", "-c", MEASURE]).arg(&environment.ottla);
    command.args(["topics", "--bootstrap-server", &broker.bootstrap(), "--list"]);
    let output = process::run(&mut command, b"", Duration::from_secs(30))?.success()?;
    let mut words = output.stdout.split_whitespace().map(str::parse);
    let mut next = || -> Result<f64> { Ok(words.next().context("two numbers")??) };
    Ok((next()?, next()?))
}

fn throughput(
    environment: &Environment,
    runner: &mut Runner<'_>,
    directory: &Path,
    size: Size,
) -> Result<()> {
    let mut brokers = [
        Broker::ottla(environment, &directory.join("perf-ottla")),
        Broker::kafka(environment, &directory.join("perf-kafka")).jvm_flags(KAFKA_JVM),
    ];
    for broker in &mut brokers {
        broker.start(runner)?;
    }
    let mut measured: [Measured; 2] = Default::default();
    // The first round warms up the JVM's compiler and the page cache, and is not counted.
    for round in 0..=size.rounds {
        for (broker, measured) in brokers.iter().zip(&mut measured) {
            let topic = format!("perf-{round}");
            let create = [
                "--bootstrap-server",
                &broker.bootstrap(),
                "--create",
                "--topic",
                &topic,
                "--partitions",
                "1",
            ];
            runner.tool("kafka-topics", &create, b"")?.success()?;
            let produced = perf(environment, broker, size, "kafka-producer-perf-test", &topic)?;
            let consumed = perf(environment, broker, size, "kafka-consumer-perf-test", &topic)?;
            if round > 0 {
                measured.produce.push(produced);
                measured.consume.push(consumed);
            }
            let delete = ["--bootstrap-server", &broker.bootstrap(), "--delete", "--topic", &topic];
            runner.tool("kafka-topics", &delete, b"")?.success()?;
        }
    }
    for (broker, measured) in brokers.iter().zip(measured) {
        let (name, bars) = match broker.kind {
            Kind::Ottla => ("ottla", ["≥ Kafka's", "≤ half"]),
            Kind::Kafka => ("kafka", ["", ""]),
        };
        for (what, runs) in [("produce", measured.produce), ("consume", measured.consume)] {
            let mut rates: Vec<f64> = runs.iter().map(|run| run.mib_per_second).collect();
            let mut cpu: Vec<f64> = runs.iter().map(|run| run.cpu_seconds_per_gb).collect();
            print(&format!("{name}: {what}, 1 KiB, one partition"), bars[0], "MB/s", &mut rates);
            print(&format!("{name}: broker CPU seconds per GB, {what}"), bars[1], "s", &mut cpu);
        }
    }
    for broker in &mut brokers {
        broker.stop()?;
    }
    Ok(())
}

#[derive(Default)]
struct Measured {
    produce: Vec<Run>,
    consume: Vec<Run>,
}

struct Run {
    mib_per_second: f64,
    cpu_seconds_per_gb: f64,
}

/// One run of one of Kafka's perf tools, in a JVM of its own.
fn perf(environment: &Environment, broker: &Broker<'_>, size: Size, tool: &str, topic: &str) -> Result<Run> {
    let before = cpu_seconds(broker)?;
    let mut command = Command::new("java");
    command.args(["-Xmx512m", "-XX:+UseG1GC"]).args(environment.java_logging("ERROR"));
    command.args(["-cp", &environment.classpath(), main_class(tool)?]);
    let (records, bytes, bootstrap) =
        (size.records.to_string(), RECORD_BYTES.to_string(), broker.bootstrap());
    command.args(["--bootstrap-server", &bootstrap, "--topic", topic, "--num-records", &records]);
    let produces = tool == "kafka-producer-perf-test";
    if produces {
        command.args(["--record-size", &bytes, "--throughput", "-1"]);
    } else {
        command.args(["--timeout", "60000", "--hide-header"]);
    }
    let started = Instant::now();
    let output = process::run(&mut command, b"", Duration::from_secs(300))?.success()?;
    let seconds = cpu_seconds(broker)? - before;
    let gigabytes = f64::from(size.records) * f64::from(RECORD_BYTES) / 1e9;
    let rate = if produces { producer_rate(&output.stdout) } else { consumer_rate(&output.stdout) };
    let mib_per_second =
        rate.with_context(|| format!("{tool} after {:?}: {}", started.elapsed(), output.stdout))?;
    Ok(Run { mib_per_second, cpu_seconds_per_gb: seconds / gigabytes })
}

/// The rate in `400000 records sent, 91234.5 records/sec (89.10 MB/sec), …`, of the last such line.
fn producer_rate(stdout: &str) -> Option<f64> {
    let line = stdout.lines().rev().find(|line| line.contains("records sent"))?;
    let (before, _) = line.split_once(" MB/sec")?;
    before.rsplit('(').next()?.parse().ok()
}

/// The ninth column of the only line: the rate while it fetched, without the time until the group was there.
fn consumer_rate(stdout: &str) -> Option<f64> {
    let line = stdout.lines().rev().find(|line| line.split(", ").count() >= 10)?;
    line.split(", ").nth(8)?.trim().parse().ok()
}

fn resident_mib(broker: &Broker<'_>) -> Result<f64> {
    let pid = broker.pid().context("the broker runs")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

fn idle_percent(broker: &Broker<'_>, size: Size) -> Result<f64> {
    let before = cpu_seconds(broker)?;
    thread::sleep(Duration::from_secs(size.idle_seconds));
    Ok((cpu_seconds(broker)? - before) / size.idle_seconds as f64 * 100.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_from_what_the_tools_print() {
        let producer = "250000 records sent, 49990.0 records/sec (48.82 MB/sec), 12.0 ms avg latency\n\
             400000 records sent, 91234.500000 records/sec (89.10 MB/sec), 310.84 ms avg latency, 5 ms 50th\n";
        assert_eq!(producer_rate(producer), Some(89.10));
        let consumer = "2026-11-24 12:00:00:000, 2026-11-24 12:00:02:000, 390.6250, 195.3125, 400000, 200000.0, \
             300, 1700, 229.7794, 235294.1\n";
        assert_eq!(consumer_rate(consumer), Some(229.7794));
        assert_eq!(producer_rate("nothing"), None);
        assert_eq!(consumer_rate("WARN nothing"), None);
    }
}
