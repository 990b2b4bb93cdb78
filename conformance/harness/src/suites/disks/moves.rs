//! Partitions that are moved between two log directories (AlterReplicaLogDirs): by Kafka's own tool, and with the broker
//! killed, or its power cut, at each disk call of a move. Afterwards one copy counts, and nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::error::ErrorCode;
use ottla_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use crate::broker::Broker;
use crate::chaos::{FaultFs, Produced, Single, libc_binary};
use crate::client::Client;
use crate::environment::Environment;
use crate::jvm::Runner;
use crate::process;
use crate::random::Random;
use crate::raw;
use crate::report::Report;

/// What is moved.
const TOPIC: &str = "moved";
/// Values so large that the log has segments and a move has chunks.
const LARGE: usize = 300 << 10;
/// How long a move may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Between two records, so that most of the disk calls are those of the move.
const PAUSE: Duration = Duration::from_millis(10);
/// No move has as many disk calls.
const CALLS_MAX: u64 = 2_000;

/// Runs the cases; `stride` tells how many disk calls of a move are passed over between two kills, at most. The seed
/// chooses them, and what a power cut takes back.
pub(crate) fn run(environment: &Environment, report: &mut Report, stride: u64, seed: u64) -> Result<()> {
    for (name, has_journal) in [("killed", false), ("without_power", true)] {
        report.case(
            &format!("a_broker_{name}_at_any_step_of_a_move_has_one_log_and_all_its_records"),
            || {
                let directory = tempfile::tempdir()?;
                let mut world = World::new(environment, directory.path(), has_journal)?;
                let result = world.at_each_step(&mut Random::new(seed), stride);
                result.map_err(|error| {
                    let log = world.broker.log().unwrap_or_default();
                    error.context(format!("seed {seed}\n{}", process::tail(&log, 2500)))
                })
            },
        );
    }
    Ok(())
}

/// A broker with two directories and one partition to move.
struct World<'e> {
    broker: Broker<'e>,
    runner: Runner<'e>,
    faultfs: FaultFs,
    has_journal: bool,
    dirs: [PathBuf; 2],
    /// Values that were acknowledged.
    acknowledged: Vec<String>,
    next: usize,
}

/// How an attempt to move ended.
#[derive(PartialEq)]
enum Ended {
    /// At the disk call that was to be the last.
    Crashed,
    /// The partition is where it was to be.
    Moved,
}

impl<'e> World<'e> {
    fn new(environment: &'e Environment, directory: &Path, has_journal: bool) -> Result<World<'e>> {
        let disks = directory.join("disks");
        fs::create_dir_all(&disks)?;
        let broker = Broker::ottla(environment, directory)
            .log_dirs(&["disks/first", "disks/second"])
            .set("log.segment.delete.delay.ms", "0")
            .set("offsets.topic.num.partitions", "1")
            .binary(&libc_binary(environment)?);
        let faultfs = FaultFs::new(environment, directory, &disks)?;
        let mut world = World {
            broker: faultfs.around(broker, has_journal),
            runner: Runner::new(environment),
            faultfs,
            has_journal,
            dirs: [disks.join("first"), disks.join("second")],
            acknowledged: Vec::new(),
            next: 0,
        };
        world.broker.start(&mut world.runner)?;
        let mut client = Single::open(world.broker.port)?;
        client.create(TOPIC, &[("segment.bytes", "1048576"), ("file.delete.delay.ms", "0")])?;
        for _ in 0..8 {
            ensure!(world.produce(&mut client, LARGE)?, "a record is refused before anything fails");
        }
        Ok(world)
    }

    /// Sends a record; whether the broker answered.
    fn produce(&mut self, client: &mut Single, padding: usize) -> Result<bool> {
        let value = format!("{} {}", self.next, "x".repeat(padding));
        self.next += 1;
        match client.produce(TOPIC, &value, -1)? {
            Produced::At(_) => self.acknowledged.push(value),
            Produced::Refused(error) if error.is_retriable() => {}
            Produced::Refused(error) => bail!("a record is refused: {error}"),
            Produced::Lost => return Ok(false),
        }
        Ok(true)
    }

    /// Moves to and fro, and is killed at a later disk call each time, until a move has no more of them.
    fn at_each_step(&mut self, random: &mut Random, stride: u64) -> Result<()> {
        let (mut call, mut kills) = (0, 0);
        while call < CALLS_MAX {
            let ended = self.move_until(call).with_context(|| format!("killed at disk call {call}"))?;
            self.check().with_context(|| format!("after a kill at disk call {call}"))?;
            if ended == Ended::Moved {
                println!("      {kills} kills in {call} disk calls, {} records", self.acknowledged.len());
                ensure!(kills > 5, "only {kills} kills came in time");
                return self.broker.check_alive();
            }
            kills += 1;
            call += 1 + random.below(stride);
        }
        bail!("a move does not end within {CALLS_MAX} disk calls")
    }

    /// Has the partition moved from where it is, and the broker killed at a disk call; then the move goes to its end.
    fn move_until(&mut self, call: u64) -> Result<Ended> {
        let from = self.places()?.first().copied().context("it is somewhere")?;
        let to = 1 - from;
        self.faultfs.set_faults(&format!("any {call} 1 crash 0 {TOPIC}-0\n"))?;
        let moved = self.move_now(to);
        self.faultfs.set_faults("")?;
        let ended = match moved {
            // It may die after it has said that it is done.
            _ if !raw::serves_metadata(self.broker.port) => Ended::Crashed,
            Ok(()) => Ended::Moved,
            Err(error) => return Err(error),
        };
        if ended == Ended::Crashed {
            self.broker.kill()?;
            if self.has_journal {
                self.faultfs.cut_power(call)?;
            }
            self.broker.start(&mut self.runner)?;
            self.move_now(to).context("when the broker is there again")?;
        }
        Ok(ended)
    }

    /// Asks for a move and writes until it is done. An error tells that the broker is gone, or that it takes too long.
    fn move_now(&mut self, to: usize) -> Result<()> {
        let begun = Instant::now();
        let mut client = Single::open(self.broker.port)?;
        let mut asking = Client::open(self.broker.port)?;
        let path = self.dirs[to].display().to_string();
        loop {
            ensure!(self.produce(&mut client, 100)?, "the connection is lost");
            let found = found(&mut asking)?;
            if found == [(path.clone(), false)] {
                return Ok(());
            }
            if !found.contains(&(path.clone(), true)) {
                alter(&mut asking, &path)?;
            }
            ensure!(begun.elapsed() < LIMIT, "the move does not end: {found:?}");
            thread::sleep(PAUSE);
        }
    }

    /// The directories that have a log of the partition under its own name.
    fn places(&self) -> Result<Vec<usize>> {
        Ok((0..2).filter(|&dir| self.dirs[dir].join(format!("{TOPIC}-0")).exists()).collect())
    }

    /// One log counts, the other one goes; what was acknowledged is there once, in its order.
    fn check(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let mut names = Vec::new();
            for dir in &self.dirs {
                for entry in fs::read_dir(dir)? {
                    let name = entry?.file_name().to_string_lossy().into_owned();
                    names.extend(Some(name).filter(|name| name.starts_with(TOPIC)));
                }
            }
            if names == [format!("{TOPIC}-0")] {
                break;
            }
            ensure!(begun.elapsed() < LIMIT, "there are {names:?}");
            thread::sleep(Duration::from_millis(20));
        }
        let found = Single::open(self.broker.port)?.read_all(TOPIC)?;
        let number = |value: &String| value.split(' ').next().and_then(|number| number.parse::<usize>().ok());
        let numbers: Vec<usize> = found.iter().filter_map(number).collect();
        ensure!(numbers.is_sorted_by(|a, b| a < b), "out of order, or there twice: {numbers:?}");
        let mut rest = found.iter();
        for value in &self.acknowledged {
            ensure!(
                rest.any(|found| found == value),
                "{:?} was acknowledged and is not there: {numbers:?}",
                number(value)
            );
        }
        Ok(())
    }
}

/// Asks for a move; one that cannot be now is asked for again.
fn alter(client: &mut Client, path: &str) -> Result<()> {
    let topic = AlterReplicaLogDirTopic { name: TOPIC.into(), partitions: vec![0], ..Default::default() };
    let dir = AlterReplicaLogDir { path: path.into(), topics: vec![topic], ..Default::default() };
    let request = AlterReplicaLogDirsRequest { dirs: vec![dir], ..Default::default() };
    let answer = client.ask(2, &request)?;
    let error = ErrorCode::from_code(answer.results[0].partitions[0].error_code);
    ensure!(error == ErrorCode::None || error.is_retriable(), "AlterReplicaLogDirs: {error}");
    Ok(())
}

/// Paths of the directories that have a log of the partition, and whether it is only being made.
fn found(client: &mut Client) -> Result<Vec<(String, bool)>> {
    let request = DescribeLogDirsRequest { topics: None, ..Default::default() };
    let answer = client.ask(4, &request)?;
    let mut found = Vec::new();
    for dir in &answer.results {
        ensure!(dir.error_code == 0, "{}: {}", dir.log_dir, ErrorCode::from_code(dir.error_code));
        for topic in dir.topics.iter().filter(|topic| &*topic.name == TOPIC) {
            found.extend(topic.partitions.iter().map(|log| (dir.log_dir.to_string(), log.is_future_key)));
        }
    }
    Ok(found)
}
