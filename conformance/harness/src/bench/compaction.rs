//! What compaction takes: 1 GiB of 1 KiB records of which a tenth have keys of their own, compacted by Ottla and by Kafka
//! in turn, each from a copy of the same directory.
//!
//! A time goes from the answer to the request that makes the log due until the checkpoint says that it is compacted; both
//! brokers look every 50 ms. Memory is the largest resident size meanwhile, less the one before.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ottla_protocol::records::BatchBuilder;

use super::{KAFKA_JVM, print, resident_mib};
use crate::broker::Broker;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::random::Random;
use crate::suites::compaction::world::{World, copy_dir};

const TOPIC: &str = "compacted";
const RECORDS: u64 = 1 << 20;
const KEYS: u64 = RECORDS / 10;
const RECORDS_PER_BATCH: u64 = 16;
const VALUE_BYTES: usize = 1000;
const MIB: f64 = 1024.0 * 1024.0;
const LIMIT: Duration = Duration::from_secs(300);

const CONFIGS: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "1"),
    ("segment.bytes", "104857600"),
    ("compression.type", "producer"),
];

#[derive(Default)]
struct Figures {
    seconds: Vec<f64>,
    mib_per_second: Vec<f64>,
    memory: Vec<f64>,
    left: Vec<f64>,
}

/// Runs the measurement and prints it.
pub fn run(environment: &Environment, rounds: usize) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let original = directory.path().join("original");
    let mut writer = broker(environment, Kind::Ottla, &original);
    writer.start(&mut runner)?;
    write(&mut World::new(&writer)?)?;
    writer.stop()?;
    let (mut ottla, mut kafka) = (Figures::default(), Figures::default());
    for _ in 0..rounds {
        for (kind, figures) in [(Kind::Ottla, &mut ottla), (Kind::Kafka, &mut kafka)] {
            let copy = directory.path().join("copy");
            copy_dir(&original, &copy)?;
            measure(environment, &mut runner, kind, &copy, figures)?;
            fs::remove_dir_all(copy)?;
        }
    }
    println!("{:<44} {:>10} {:>30}", "what", "bar", "min / median / max");
    let mut ratios: Vec<f64> =
        ottla.seconds.iter().zip(&kafka.seconds).map(|(ours, kafkas)| kafkas / ours).collect();
    print("compaction of 1 GiB", "", "s", &mut ottla.seconds);
    print("  of Kafka's cleaner", "", "s", &mut kafka.seconds);
    print("  Kafka's time over ours", "2 x", "x", &mut ratios);
    print("  rate", "", "MiB/s", &mut ottla.mib_per_second);
    print("  rate of Kafka's cleaner", "", "MiB/s", &mut kafka.mib_per_second);
    print("  memory meanwhile", "128 MiB", "MiB", &mut ottla.memory);
    print("  memory of Kafka's meanwhile", "", "MiB", &mut kafka.memory);
    print("  what is left", "", "MiB", &mut ottla.left);
    print("  what Kafka's leaves", "", "MiB", &mut kafka.left);
    Ok(())
}

fn broker<'e>(environment: &'e Environment, kind: Kind, directory: &Path) -> Broker<'e> {
    Broker::new(environment, kind, directory)
        .jvm_flags(KAFKA_JVM)
        .set("log.cleaner.backoff.ms", "50")
        .set("log.segment.delete.delay.ms", "60000")
}

fn write(world: &mut World) -> Result<()> {
    world.create(TOPIC, CONFIGS)?;
    let mut random = Random::new(1);
    let value = vec![b'v'; VALUE_BYTES];
    for _ in 0..RECORDS / RECORDS_PER_BATCH {
        let mut builder = BatchBuilder::new();
        for _ in 0..RECORDS_PER_BATCH {
            let key = format!("key-{:012}", random.below(KEYS));
            builder.append(1_700_000_000_000, Some(key.as_bytes()), Some(&value), &[]);
        }
        world.produce(TOPIC, &builder.build())?;
    }
    Ok(())
}

fn measure(
    environment: &Environment,
    runner: &mut Runner<'_>,
    kind: Kind,
    directory: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let mut broker = broker(environment, kind, directory);
    broker.start(runner)?;
    let mut world = World::new(&broker)?;
    let size = |world: &World| -> Result<f64> {
        Ok(world.segments(TOPIC)?.iter().map(|(_, size)| *size as f64).sum::<f64>() / MIB)
    };
    let before_mib = size(&world)?;
    ensure!(before_mib > 1000.0, "only {before_mib} MiB were written");
    // All is there, and the JVM has calmed down.
    thread::sleep(Duration::from_secs(2));
    let resident = resident_mib(&broker)?;
    forget_peak(&broker)?;
    let started = Instant::now();
    world.set_ratio(TOPIC, "0")?;
    world.wait_until_compacted(TOPIC, LIMIT)?;
    let seconds = started.elapsed().as_secs_f64();
    figures.seconds.push(seconds);
    figures.mib_per_second.push(before_mib / seconds);
    figures.memory.push(peak_mib(&broker)? - resident);
    figures.left.push(size(&world)?);
    broker.check_alive()?;
    broker.kill()
}

fn forget_peak(broker: &Broker<'_>) -> Result<()> {
    let pid = broker.pid().context("the broker runs")?;
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

fn peak_mib(broker: &Broker<'_>) -> Result<f64> {
    let pid = broker.pid().context("the broker runs")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
