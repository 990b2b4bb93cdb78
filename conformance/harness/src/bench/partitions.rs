//! What many partitions cost: creating them, starting and stopping with them, keeping them.
//!
//! A time ends when one Metadata answer shows a leader for every partition and a record has been taken by the last of
//! them. "Small" is two records of 1 KiB in every partition.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{CreateTopicsRequest, MetadataRequest, ProduceRequest};
use ottla_protocol::{Records, Uuid};

use super::{cpu_seconds, print, resident_mib};
use crate::batch::Batch;
use crate::broker::Broker;
use crate::client::Client;
use crate::environment::Environment;
use crate::jvm::Runner;

/// A request may write 10,000 metadata records, of which each partition is one and each topic another.
const RECORDS_PER_REQUEST: usize = 10_000;
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How often each measurement is made.
    pub rounds: usize,
    /// Seconds of idleness.
    pub idle_seconds: u64,
}

impl Size {
    /// A look.
    pub const ONCE: Size = Size { rounds: 1, idle_seconds: 10 };
    /// A few minutes.
    pub const USUAL: Size = Size { rounds: 3, idle_seconds: 20 };
}

/// Topics of the same number of partitions.
#[derive(Clone, Copy)]
struct Shape {
    topics: usize,
    partitions: usize,
}

const THOUSAND_TOPICS: Shape = Shape { topics: 1_000, partitions: 1 };
const ONE_TOPIC: Shape = Shape { topics: 1, partitions: 9_999 };
const HUNDRED_TOPICS: Shape = Shape { topics: 100, partitions: 100 };
const FIFTY_THOUSAND: Shape = Shape { topics: 500, partitions: 100 };

#[derive(Default)]
struct Figures {
    thousand_topics: Vec<f64>,
    one_topic: Vec<f64>,
    hundred_topics: Vec<f64>,
    killed: Vec<f64>,
    stop: Vec<f64>,
    restart: Vec<f64>,
    idle: Vec<f64>,
    many_start: Vec<f64>,
    many_stop: Vec<f64>,
    many_resident: Vec<f64>,
    many_files: Vec<f64>,
    many_threads: Vec<f64>,
}

/// Runs the measurements of partitions and prints them.
pub fn run(environment: &Environment, size: Size) -> Result<()> {
    let mut runner = Runner::new(environment);
    let mut figures = Figures::default();
    for round in 0..size.rounds {
        let last = round + 1 == size.rounds;
        // Each round has a directory of its own. Nothing is removed within a round: that would keep the disk busy.
        let directory = tempfile::tempdir()?;
        figures.thousand_topics.push(create(environment, &mut runner, directory.path(), THOUSAND_TOPICS)?);
        figures.one_topic.push(create(environment, &mut runner, directory.path(), ONE_TOPIC)?);
        small(environment, &mut runner, directory.path(), &mut figures, last.then_some(size.idle_seconds))?;
        many(environment, &mut runner, directory.path(), &mut figures)?;
    }
    let Figures { thousand_topics, one_topic, hundred_topics, killed, stop, restart, .. } = &mut figures;
    print("create 1,000 topics until all led", "200 ms", "ms", thousand_topics);
    print("create 9,999 partitions of one topic", "1000 ms", "ms", one_topic);
    print("create 10,000 partitions of 100 topics", "1000 ms", "ms", hundred_topics);
    print("10,000 small partitions: kill -9 until led", "1000 ms", "ms", killed);
    print("10,000 small partitions: restart until led", "300 ms", "ms", restart);
    print("  their clean stop", "", "ms", stop);
    let Figures { idle, many_start, many_stop, many_resident, many_files, many_threads, .. } = &mut figures;
    print("idle CPU with 10,000 partitions", "0.2 %", "%", idle);
    print("50,000 empty partitions: start until led", "3000 ms", "ms", many_start);
    print("  their clean stop", "", "ms", many_stop);
    print("  resident after the start", "400 MiB", "MiB", many_resident);
    print("  open files", "", "", many_files);
    print("  threads", "", "", many_threads);
    Ok(())
}

/// Creates topics in a new directory.
fn create(environment: &Environment, runner: &mut Runner<'_>, directory: &Path, shape: Shape) -> Result<f64> {
    let path = directory.join(format!("create-{}", shape.topics));
    let mut broker = broker(environment, &path);
    broker.start(runner)?;
    let took = create_topics(&broker, shape)?;
    broker.kill()?;
    Ok(milliseconds(took))
}

/// 10,000 partitions with something in them: killed, and stopped cleanly.
fn small(
    environment: &Environment,
    runner: &mut Runner<'_>,
    directory: &Path,
    figures: &mut Figures,
    idle_seconds: Option<u64>,
) -> Result<()> {
    let path = directory.join("small");
    let mut broker = broker(environment, &path);
    broker.start(runner)?;
    figures.hundred_topics.push(milliseconds(create_topics(&broker, HUNDRED_TOPICS)?));
    fill(&broker, HUNDRED_TOPICS)?;
    broker.kill()?;
    figures.killed.push(start(&mut broker, runner, HUNDRED_TOPICS)?);
    if let Some(seconds) = idle_seconds {
        // What the start left to be done is not idleness.
        std::thread::sleep(Duration::from_secs(5));
        let before = cpu_seconds(&broker)?;
        std::thread::sleep(Duration::from_secs(seconds));
        figures.idle.push((cpu_seconds(&broker)? - before) / seconds as f64 * 100.0);
    }
    figures.stop.push(stop(&mut broker)?);
    figures.restart.push(start(&mut broker, runner, HUNDRED_TOPICS)?);
    broker.kill()
}

/// 50,000 partitions that nothing was ever written to.
fn many(
    environment: &Environment,
    runner: &mut Runner<'_>,
    directory: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let path = directory.join("many");
    let mut broker = broker(environment, &path);
    broker.start(runner)?;
    create_topics(&broker, FIFTY_THOUSAND)?;
    figures.many_stop.push(stop(&mut broker)?);
    figures.many_start.push(start(&mut broker, runner, FIFTY_THOUSAND)?);
    figures.many_resident.push(resident_mib(&broker)?);
    figures.many_files.push(entries(&broker, "fd")?);
    figures.many_threads.push(entries(&broker, "task")?);
    broker.kill()
}

fn broker<'e>(environment: &'e Environment, path: &Path) -> Broker<'e> {
    Broker::ottla(environment, path)
}

/// Starts the process; the time until all partitions are led.
fn start(broker: &mut Broker<'_>, runner: &mut Runner<'_>, shape: Shape) -> Result<f64> {
    let begin = Instant::now();
    broker.start(runner)?;
    await_leaders(broker, shape)?;
    Ok(milliseconds(begin.elapsed()))
}

fn stop(broker: &mut Broker<'_>) -> Result<f64> {
    let begin = Instant::now();
    broker.stop()?;
    Ok(milliseconds(begin.elapsed()))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Entries of one of the process's directories in `/proc`.
fn entries(broker: &Broker<'_>, what: &str) -> Result<f64> {
    let pid = broker.pid().context("the broker runs")?;
    Ok(fs::read_dir(PathBuf::from(format!("/proc/{pid}/{what}")))?.count() as f64)
}

fn name(topic: usize) -> String {
    format!("many-{topic}")
}

fn create_topics(broker: &Broker<'_>, shape: Shape) -> Result<Duration> {
    let mut client = Client::open_patient(broker.port, LIMIT)?;
    let begin = Instant::now();
    let topics: Vec<usize> = (0..shape.topics).collect();
    for topics in topics.chunks(RECORDS_PER_REQUEST / (shape.partitions + 1)) {
        let topics = topics.iter().map(|topic| CreatableTopic {
            name: name(*topic).as_str().into(),
            num_partitions: shape.partitions as i32,
            replication_factor: 1,
            ..Default::default()
        });
        let request =
            CreateTopicsRequest { topics: topics.collect(), timeout_ms: 60_000, ..Default::default() };
        let answer = client.ask(7, &request)?;
        for topic in &answer.topics {
            ensure!(topic.error_code == 0, "{} cannot be created: {}", topic.name, topic.error_code);
        }
    }
    await_leaders(broker, shape)?;
    Ok(begin.elapsed())
}

/// Returns when every partition has a leader, and the last one takes a record.
fn await_leaders(broker: &Broker<'_>, shape: Shape) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut client = Client::open_patient(broker.port, LIMIT)?;
    while Instant::now() < deadline {
        let answer = client.ask(12, &MetadataRequest { topics: None, ..Default::default() })?;
        let ours = answer.topics.iter().filter(|topic| !topic.is_internal);
        let led = ours.flat_map(|topic| &topic.partitions).filter(|partition| partition.leader_id >= 0);
        if led.count() == shape.topics * shape.partitions {
            let topic = answer
                .topics
                .iter()
                .find(|topic| topic.name.as_deref() == Some(name(shape.topics - 1).as_str()));
            let id = topic.context("the last topic is there")?.topic_id;
            return produce(&mut client, &[(id, vec![shape.partitions as i32 - 1])]);
        }
    }
    bail!("not all partitions are led after {LIMIT:?}")
}

/// Two records for every partition, those of one topic in one request.
fn fill(broker: &Broker<'_>, shape: Shape) -> Result<()> {
    let mut client = Client::open_patient(broker.port, LIMIT)?;
    let answer = client.ask(12, &MetadataRequest { topics: None, ..Default::default() })?;
    for topic in answer.topics.iter().filter(|topic| !topic.is_internal) {
        produce(&mut client, &[(topic.topic_id, (0..shape.partitions as i32).collect())])?;
    }
    Ok(())
}

fn produce(client: &mut Client, topics: &[(Uuid, Vec<i32>)]) -> Result<()> {
    let value = "x".repeat(1024);
    let records = Records::Bytes(Batch::of(&[&value, &value]).bytes().into());
    let data = |index: &i32| PartitionProduceData {
        index: *index,
        records: Some(records.clone()),
        ..Default::default()
    };
    let topic = |(topic_id, partitions): &(Uuid, Vec<i32>)| TopicProduceData {
        topic_id: *topic_id,
        partition_data: partitions.iter().map(data).collect(),
        ..Default::default()
    };
    let request = ProduceRequest {
        acks: 1,
        timeout_ms: 30_000,
        topic_data: topics.iter().map(topic).collect(),
        ..Default::default()
    };
    let answer = client.ask(13, &request)?;
    for topic in &answer.responses {
        for partition in &topic.partition_responses {
            ensure!(partition.error_code == 0, "a record was refused with {}", partition.error_code);
        }
    }
    Ok(())
}
