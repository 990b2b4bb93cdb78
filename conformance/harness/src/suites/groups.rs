//! One group whose members are of four client libraries: they join, leave, crash and come back while records pass.
//! Every record must be seen at least once by the group, committed offsets never go back, and rebalances must end.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::*;

use crate::broker::Broker;
use crate::checker::{self, Kind, Op, Outcome, Rules};
use crate::client;
use crate::clients::{Client, Clients, Library};
use crate::environment::Environment;
use crate::jvm::Runner;
use crate::random::Random;
use crate::report::Report;

const TOPIC: &str = "passing";
const GROUP: &str = "mixed";
const PARTITIONS: i32 = 12;
const RECORDS: u32 = 100_000;
const RATE: u32 = 4_000;
const MEMBERS: usize = 10;
const LIBRARIES: [Library; 4] = [Library::KafkaPython, Library::Kafkajs, Library::Librdkafka, Library::Java];

/// How long the group may take to read the rest after the last change.
const DRAIN_LIMIT: Duration = Duration::from_secs(90);

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let mut broker = Broker::under_test(environment, directory.path());
    broker.start(&mut runner)?;
    create_topic(broker.port)?;
    let mut clients =
        Clients::new(environment, broker.bootstrap(), &environment.out("groups")?.join("history"))?;
    let seed = 20_261;
    let mut members = Vec::new();
    report.case("members_come_and_go_and_the_group_reads_all", || {
        let producer = clients.producer(Library::Librdkafka, TOPIC, PARTITIONS as u32, RATE, RECORDS)?;
        churn(&mut clients, &mut members, producer, &mut Random::new(seed))?;
        drained(broker.port)
    });
    report.case("rebalances_end", || stable(broker.port, members.len()));
    report.case("members_end_well", || {
        for member in &members {
            member.ask_to_end()?;
        }
        members.drain(..).try_for_each(|member| member.wait(Duration::from_secs(30)))
    });
    report.case("history_shows_no_anomaly", || {
        let history = clients.history()?;
        let count =
            |kind, outcome| history.iter().filter(|op| op.kind == kind && op.outcome == outcome).count();
        let (sent, polls, commits) = (
            count(Kind::Send, Outcome::Ok),
            count(Kind::Poll, Outcome::Ok),
            count(Kind::Commit, Outcome::Ok),
        );
        println!("      {sent} records, {polls} polls, {commits} commits, seed {seed}");
        ensure!(sent == RECORDS as usize, "only {sent} records were acknowledged");
        for library in LIBRARIES {
            let read = |op: &Op| op.kind == Kind::Poll && clients.library(op.process) == library;
            ensure!(history.iter().any(read), "no member of {library:?} read anything");
        }
        let rules = Rules {
            idempotent: true,
            subscribed: true,
            transactional: false,
            complete: true,
            ..Rules::default()
        };
        let anomalies = checker::check(&history, rules);
        ensure!(anomalies.is_empty(), "{}", checker::describe(&anomalies, 5));
        Ok(())
    });
    report.case("broker_is_well", || broker.check_alive());
    Ok(())
}

fn create_topic(port: u16) -> Result<()> {
    let topic = CreatableTopic {
        name: TOPIC.into(),
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let answer = client::Client::open(port)?.ask(7, &request)?;
    ensure!(answer.topics[0].error_code == 0, "{answer:?}");
    Ok(())
}

/// Starts members and, as long as the producer runs, lets one leave, crash or come every so often.
fn churn(
    clients: &mut Clients<'_>,
    members: &mut Vec<Client>,
    mut producer: Client,
    random: &mut Random,
) -> Result<()> {
    let mut leaving: Vec<Client> = Vec::new();
    let mut join = |members: &mut Vec<Client>, started: usize| -> Result<()> {
        members.push(clients.member(LIBRARIES[started % LIBRARIES.len()], TOPIC, GROUP)?);
        Ok(())
    };
    let mut started = 0;
    while producer.runs()? {
        if started < MEMBERS {
            join(members, started)?;
            started += 1;
            thread::sleep(Duration::from_millis(300));
            continue;
        }
        match random.below(3) {
            0 if members.len() > MEMBERS / 2 => {
                let member = members.swap_remove(random.below(members.len() as u64) as usize);
                member.crash()?;
            }
            1 if members.len() > MEMBERS / 2 => {
                let member = members.swap_remove(random.below(members.len() as u64) as usize);
                member.ask_to_end()?;
                leaving.push(member);
            }
            _ if members.len() < MEMBERS => {
                join(members, started)?;
                started += 1;
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(random.between(300, 1500)));
    }
    producer.wait(Duration::from_secs(5))?;
    while members.len() < MEMBERS {
        join(members, started)?;
        started += 1;
    }
    leaving.into_iter().try_for_each(|member| member.wait(Duration::from_secs(30)))
}

/// Waits until the group has committed the end of every partition.
fn drained(port: u16) -> Result<()> {
    let deadline = Instant::now() + DRAIN_LIMIT;
    loop {
        let (ends, committed) = (ends(port)?, committed(port)?);
        if ends == committed {
            ensure!(ends.iter().sum::<i64>() == i64::from(RECORDS), "the partitions end at {ends:?}");
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("after {DRAIN_LIMIT:?}: ends {ends:?}, committed {committed:?}");
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn ends(port: u16) -> Result<Vec<i64>> {
    let partitions = (0..PARTITIONS)
        .map(|partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() })
        .collect();
    let topic = ListOffsetsTopic { name: TOPIC.into(), partitions, ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let mut answer = client::Client::open(port)?.ask(6, &request)?;
    let mut partitions = std::mem::take(&mut answer.topics[0].partitions);
    partitions.sort_by_key(|partition| partition.partition_index);
    Ok(partitions.iter().map(|partition| partition.offset).collect())
}

fn committed(port: u16) -> Result<Vec<i64>> {
    let group = OffsetFetchRequestGroup { group_id: GROUP.into(), topics: None, ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    let answer = client::Client::open(port)?.ask(8, &request)?;
    let mut offsets = vec![0; PARTITIONS as usize];
    for partition in answer.groups[0].topics.iter().flat_map(|topic| &topic.partitions) {
        offsets[partition.partition_index as usize] = partition.committed_offset;
    }
    Ok(offsets)
}

/// Waits until the group is stable with as many members as there are programs.
fn stable(port: u16, members: usize) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let request = DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() };
        let answer = client::Client::open(port)?.ask(5, &request)?;
        let group = &answer.groups[0];
        if group.group_state == "Stable" && group.members.len() == members {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "the group is {} with {} members, not stable with {members}",
                group.group_state,
                group.members.len()
            );
        }
        thread::sleep(Duration::from_millis(100));
    }
}
