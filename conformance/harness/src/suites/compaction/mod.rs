//! Compaction beside Kafka's: the same batches, compacted by both, leave the same records; each goes on with what the other
//! one compacted. Likewise retention and deleted records. And what a broker makes of batches that are to be stored in
//! another codec.
//!
//! Topics are not compacted while they are written (`min.cleanable.dirty.ratio=1`), and then all at once, so that how
//! often each broker looks does not matter. Time in the batches decides when segments end.

mod deletion;
pub(crate) mod transactions;
pub(crate) mod world;
mod written;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::crash;
use crate::broker::Broker;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::random::Random;
use crate::report::Report;
use world::World;
use written::{TOPICS, Topic, Writer};

/// How long a broker may take to compact what is due.
const LIMIT: Duration = Duration::from_secs(60);

/// What both brokers are given: a cleaner that looks often, with little memory.
const PROPERTIES: &[(&str, &str)] = &[
    ("log.cleaner.backoff.ms", "200"),
    ("log.cleaner.dedupe.buffer.size", "1048600"),
    ("log.segment.delete.delay.ms", "100"),
    ("log.retention.check.interval.ms", "300"),
];

fn broker<'e>(environment: &'e Environment, kind: Kind, directory: &Path) -> Broker<'e> {
    let broker = Broker::new(environment, kind, directory);
    PROPERTIES.iter().fold(broker, |broker, (key, value)| broker.set(key, value))
}

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let (mine, kafkas) = (directory.path().join("under-test"), directory.path().join("kafka"));
    let mut under_test = broker(environment, environment.under_test, &mine);
    let mut kafka = broker(environment, Kind::Kafka, &kafkas);
    under_test.start(&mut runner)?;
    kafka.start(&mut runner)?;
    let mut worlds = [World::new(&under_test)?, World::new(&kafka)?];
    let seed = 20_260;
    let mut writers: Vec<Writer> = TOPICS.iter().map(|topic| Writer::new(topic, Random::new(seed))).collect();
    for topic in TOPICS {
        worlds.iter_mut().try_for_each(|world| world.create(topic.name, topic.configs))?;
    }
    for pass in ["first", "second"] {
        for (topic, writer) in TOPICS.iter().zip(&mut writers) {
            report.case(&format!("{}_is_compacted_alike_the_{pass}_time", topic.name), || {
                compact_alike(&mut worlds, topic, writer)
            });
        }
    }
    report.case("deleted_records_are_gone_alike", || deleted_alike(&mut worlds));
    let deleted = deletion::run(report, &mut worlds)?;
    under_test.check_alive()?;
    let before: Vec<String> =
        TOPICS.iter().map(|topic| worlds[0].everything_of(topic.name)).collect::<Result<_>>()?;
    under_test.stop()?;
    kafka.stop()?;
    report.case("compacted_segments_satisfy_kafkas_dump_log", || {
        crash::dump(&mut runner, &under_test.data(), &|name| name.starts_with("compacted"))
    });
    for (kind, from, what) in [
        (Kind::Kafka, &mine, "kafka_goes_on_with_what_was_compacted_here"),
        (environment.under_test, &kafkas, "what_kafka_compacted_is_gone_on_with"),
    ] {
        report.case(what, || {
            let mut other = broker(environment, kind, from);
            other.start(&mut runner)?;
            let mut world = World::new(&other)?;
            for (topic, before) in TOPICS.iter().zip(&before) {
                same(topic.name, before, &world.everything_of(topic.name)?)?;
                world.set_ratio(topic.name, "0")?;
            }
            for (topic, before) in &deleted {
                same(topic, before, &world.everything_of(topic)?)?;
            }
            other.check_alive()?;
            other.stop()
        });
    }
    transactions::run(environment, report, &mut runner, directory.path())
}

fn compact_alike(worlds: &mut [World; 2], topic: &Topic, writer: &mut Writer) -> Result<()> {
    let batches = writer.write();
    for world in worlds.iter_mut() {
        world.set_ratio(topic.name, "1")?;
        for batch in &batches {
            world.produce(topic.name, batch)?;
        }
    }
    let before = worlds[0].everything_of(topic.name)?;
    same(topic.name, &worlds[1].everything_of(topic.name)?, &before)?;
    for world in worlds.iter_mut() {
        world.set_ratio(topic.name, "0")?;
        world.wait_until_compacted(topic.name, LIMIT)?;
    }
    let after = worlds[0].everything_of(topic.name)?;
    let percent = after.len() * 100 / before.len();
    println!("      {}: {percent} % is left", topic.name);
    ensure!(percent < 90, "compaction did not do much");
    same(topic.name, &worlds[1].everything_of(topic.name)?, &after)?;
    let mut segments = [worlds[1].segments(topic.name)?, worlds[0].segments(topic.name)?];
    if topic.is_compressed() {
        // Codecs of different libraries make different sizes.
        segments.iter_mut().flatten().for_each(|(_, size)| *size = 0);
    }
    ensure!(segments[0] == segments[1], "segments of Kafka: {:?}\nhere: {:?}", segments[0], segments[1]);
    Ok(())
}

fn deleted_alike(worlds: &mut [World; 2]) -> Result<()> {
    let topic = "compacted-deleted";
    for world in worlds.iter_mut() {
        let active = world.segments(topic)?.last().map_or(0, |(base, _)| *base);
        world.delete_records(topic, active + 3)?;
        world.wait_until(LIMIT, "the first segments are gone", |world| {
            Ok(world.segments(topic)?.first().is_some_and(|(base, _)| *base > 0))
        })?;
    }
    let [mine, kafkas] = worlds;
    same(topic, &kafkas.everything_of(topic)?, &mine.everything_of(topic)?)
}

/// Compares line by line and shows where the first difference is.
fn same(what: &str, expected: &str, found: &str) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let at = expected.lines().zip(found.lines()).position(|(expected, found)| expected != found);
    let at = at.unwrap_or(expected.lines().count().min(found.lines().count()));
    let around = |text: &str| {
        text.lines().skip(at.saturating_sub(2)).take(5).map(|line| format!("  {line}\n")).collect::<String>()
    };
    let counts = (expected.lines().count(), found.lines().count());
    anyhow::bail!(
        "{what}, line {at} of {} and {}: expected\n{}found\n{}",
        counts.0,
        counts.1,
        around(expected),
        around(found)
    )
}
