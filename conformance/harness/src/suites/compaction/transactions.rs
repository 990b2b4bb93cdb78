//! Transactions in compacted topics: written by Kafka into one directory, of which each broker compacts a copy.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use ottla_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use ottla_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::{ProducerEpoch, ProducerId};

use super::world::{World, copy_dir};
use super::{LIMIT, broker, same};
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::random::Random;
use crate::report::Report;

pub(crate) const TOPIC: &str = "compacted-transactions";
const CONFIGS: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "1"),
    // Markers have the time of day, so records have it too.
    ("segment.ms", "200"),
    ("delete.retention.ms", "0"),
];

pub(super) fn run(
    environment: &Environment,
    report: &mut Report,
    runner: &mut Runner<'_>,
    directory: &Path,
) -> Result<()> {
    let original = directory.join("transactions");
    let mut writer = broker(environment, Kind::Kafka, &original);
    writer.start(runner)?;
    write(&mut World::new(&writer)?)?;
    writer.stop()?;
    let mut brokers = Vec::new();
    let mut worlds = Vec::new();
    for (kind, name) in [(environment.under_test, "mine"), (Kind::Kafka, "kafkas")] {
        let copy = directory.join(format!("transactions-{name}"));
        copy_dir(&original, &copy)?;
        let mut broker = broker(environment, kind, &copy);
        broker.start(runner)?;
        worlds.push(World::new(&broker)?);
        brokers.push(broker);
    }
    for pass in ["first", "second", "third"] {
        report.case(&format!("transactions_are_compacted_alike_the_{pass}_time"), || {
            for world in &mut worlds {
                world.set_ratio(TOPIC, "0")?;
                world.wait_until_compacted(TOPIC, LIMIT)?;
                world.set_ratio(TOPIC, "1")?;
            }
            let found = worlds[0].everything_of(TOPIC)?;
            let markers = found.lines().filter(|line| line.contains(", control")).count();
            let data = found.lines().filter(|line| line.starts_with("batch")).count() - markers;
            println!("      {data} batches of data and {markers} markers are left");
            same(TOPIC, &worlds[1].everything_of(TOPIC)?, &found)?;
            // Something new, so that there is a reason for the next one.
            let now_ms = now_ms()?;
            for world in &mut worlds {
                for at in 1..4 {
                    let mut builder = BatchBuilder::new();
                    builder.append(now_ms + at * 1000, Some(pass.as_bytes()), Some(b"new"), &[]);
                    world.produce(TOPIC, &builder.build())?;
                }
            }
            Ok(())
        });
    }
    brokers.iter_mut().try_for_each(|broker| broker.check_alive())
}

/// Transactions of several producers, committed and aborted, with other records between theirs.
pub(crate) fn write(world: &mut World) -> Result<()> {
    world.create(TOPIC, CONFIGS)?;
    let mut random = Random::new(77);
    let mut producers = Vec::new();
    for number in 0..3 {
        producers.push(Producer::new(world, format!("transactional-{number}"))?);
    }
    for round in 0..120_u64 {
        let mut open = Vec::new();
        for producer in &mut producers {
            if random.below(3) > 0 {
                producer.begin(world)?;
                open.push(producer);
            }
        }
        for _ in 0..random.between(1, 6) {
            let now_ms = now_ms()?;
            let key = format!("key {}", random.below(25));
            let value = format!("round {round}");
            let value = (random.below(5) > 0).then_some(value.as_bytes());
            match random.below(open.len() as u64 + 1) as usize {
                at if at < open.len() => open[at].produce(world, now_ms, key.as_bytes(), value)?,
                _ => {
                    let mut builder = BatchBuilder::new();
                    builder.append(now_ms, Some(key.as_bytes()), value, &[]);
                    world.produce(TOPIC, &builder.build())?;
                }
            }
        }
        for producer in open {
            producer.end(world, random.below(2) == 0)?;
        }
    }
    Ok(())
}

struct Producer {
    transactional_id: String,
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl Producer {
    fn new(world: &mut World, transactional_id: String) -> Result<Producer> {
        let find = FindCoordinatorRequest {
            key_type: 1,
            coordinator_keys: vec![transactional_id.as_str().into()],
            ..Default::default()
        };
        let init = InitProducerIdRequest {
            transactional_id: Some(transactional_id.as_str().into()),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let mut found = None;
        // The coordinator's topic is made when it is first asked for.
        world.wait_until(Duration::from_secs(30), "a transaction coordinator is there", |world| {
            let coordinators = world.client.ask(4, &find)?.coordinators;
            if coordinators.first().context("a coordinator")?.error_code != 0 {
                return Ok(false);
            }
            let answer = world.client.ask(4, &init)?;
            found = (answer.error_code == 0).then_some((answer.producer_id, answer.producer_epoch));
            Ok(found.is_some())
        })?;
        let (id, epoch) = found.context("a producer id")?;
        Ok(Producer { transactional_id, id, epoch, sequence: 0 })
    }

    fn begin(&mut self, world: &mut World) -> Result<()> {
        let topic = AddPartitionsToTxnTopic { name: TOPIC.into(), partitions: vec![0], ..Default::default() };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.transactional_id.as_str().into(),
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        };
        // The transaction before may still be ending.
        world.wait_until(Duration::from_secs(10), "the transaction has begun", |world| {
            let answer = world.client.ask(3, &request)?;
            let topic = answer.results_by_topic_v3_and_below.first().context("a topic")?;
            let error = topic.results_by_partition.first().context("a partition")?.partition_error_code;
            ensure!([0, 51].contains(&error), "add the partition: {error}");
            Ok(error == 0)
        })
    }

    fn produce(&mut self, world: &mut World, now_ms: i64, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let mut builder = BatchBuilder::new()
            .producer(ProducerId(self.id), ProducerEpoch(self.epoch), self.sequence)
            .transactional(true);
        builder.append(now_ms, Some(key), value, &[]);
        self.sequence += 1;
        world.produce_in(Some(&self.transactional_id), TOPIC, &builder.build())
    }

    fn end(&mut self, world: &mut World, committed: bool) -> Result<()> {
        let request = EndTxnRequest {
            transactional_id: self.transactional_id.as_str().into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed,
            ..Default::default()
        };
        world.wait_until(Duration::from_secs(10), "the transaction has ended", |world| {
            let error = world.client.ask(3, &request)?.error_code;
            ensure!([0, 51].contains(&error), "end the transaction: {error}");
            Ok(error == 0)
        })
    }
}

fn now_ms() -> Result<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64)
}
