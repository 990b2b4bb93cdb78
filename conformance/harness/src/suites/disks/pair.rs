//! Two log directories, each thought of as a disk. One of them fails: it is given up for as long as the process lives, the
//! other one serves, and when it works again after a restart, all that was acknowledged is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::error::ErrorCode;

use crate::broker::Broker;
use crate::chaos::{FaultFs, Produced, Single, libc_binary};
use crate::environment::Environment;
use crate::jvm::Runner;
use crate::process;
use crate::report::Report;

/// The directories. The first has the metadata log, without which no node goes on.
pub(super) const DIRS: [&str; 2] = ["first", "second"];
/// Topics of one partition.
const TOPICS: usize = 6;
/// Records in each before anything fails.
const RECORDS: usize = 20;
/// How long the controller may take to hear of a failure.
const LIMIT: Duration = Duration::from_secs(20);

/// What happens to the second directory, and the faults that make it happen.
const FAILURES: &[(&str, &str)] = &[
    ("write", "write 3 1000000 errno 5 second/\nsync 0 1000000 errno 5 second/\n"),
    ("sync", "sync 2 1000000 errno 5 second/\n"),
    ("read_only", "write 1 1000000 errno 30 second/\nopen 0 1000000 errno 30 second/\n"),
];

/// Runs the cases.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    for (name, faults) in FAILURES {
        for is_killed in [false, true] {
            let end = if is_killed { "kill_9" } else { "clean_stop" };
            report.case(&format!("a_directory_that_fails_to_{name}_is_whole_again_after_{end}"), || {
                let directory = tempfile::tempdir()?;
                let mut pair = Pair::new(environment, directory.path())?;
                pair.fail(faults, is_killed).map_err(|error| {
                    let log = pair.broker.log().unwrap_or_default();
                    error.context(process::tail(&log, 1500).to_owned())
                })
            });
        }
    }
    report.case("tools_tell_of_a_failed_directory", || {
        let directory = tempfile::tempdir()?;
        Pair::new(environment, directory.path())?.told(environment)
    });
    Ok(())
}

/// A broker with two directories, of which the second one can be made to fail.
struct Pair<'e> {
    broker: Broker<'e>,
    runner: Runner<'e>,
    faultfs: FaultFs,
    directory: PathBuf,
    /// What was acknowledged, by topic.
    acknowledged: BTreeMap<String, Vec<String>>,
}

impl<'e> Pair<'e> {
    /// Started, with topics and records.
    fn new(environment: &'e Environment, directory: &Path) -> Result<Pair<'e>> {
        let broker = Broker::ottla(environment, directory).log_dirs(&DIRS).binary(&libc_binary(environment)?);
        let faultfs = FaultFs::new(environment, directory, &directory.join(DIRS[1]))?;
        let mut pair = Pair {
            broker: faultfs.around(broker, false),
            runner: Runner::new(environment),
            faultfs,
            directory: directory.to_path_buf(),
            acknowledged: BTreeMap::new(),
        };
        pair.broker.start(&mut pair.runner)?;
        let mut client = pair.client()?;
        for number in 0..TOPICS {
            let topic = format!("topic-{number}");
            client.create(&topic, &[])?;
            pair.acknowledged.insert(topic.clone(), Vec::new());
            for record in 0..RECORDS {
                ensure!(pair.produce(&mut client, &topic, record)?.is_none(), "{topic} refuses a record");
            }
        }
        let second = pair.placed(DIRS[1])?;
        ensure!(second.len() == TOPICS / 2, "{second:?} of {TOPICS} topics are in the second directory");
        Ok(pair)
    }

    fn client(&self) -> Result<Single> {
        Single::open(self.broker.port)
    }

    /// The topics whose logs are in a directory.
    fn placed(&self, dir: &str) -> Result<Vec<String>> {
        let mut topics = Vec::new();
        for entry in fs::read_dir(self.directory.join(dir))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            topics.extend(name.strip_suffix("-0").filter(|name| !name.starts_with("__")).map(str::to_owned));
        }
        topics.sort();
        Ok(topics)
    }

    /// Sends a record; what came instead of an acknowledgement.
    fn produce(&mut self, client: &mut Single, topic: &str, record: usize) -> Result<Option<Produced>> {
        let value = format!("{topic} {record}");
        match client.produce(topic, &value, -1)? {
            Produced::At(_) => {
                self.acknowledged.get_mut(topic).context("a topic")?.push(value);
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    /// Sends to a topic in the second directory until it is refused, as it must be.
    fn until_refused(&mut self, topic: &str) -> Result<()> {
        let mut client = self.client()?;
        for record in RECORDS..RECORDS + 50 {
            match self.produce(&mut client, topic, record)? {
                None => {}
                Some(Produced::Refused(
                    ErrorCode::KafkaStorageError
                    | ErrorCode::NotLeaderOrFollower
                    | ErrorCode::LeaderNotAvailable,
                )) => return Ok(()),
                Some(other) => bail!("{topic}: {other:?}"),
            }
        }
        bail!("{topic} takes records although its disk fails")
    }

    /// The second directory fails.
    fn fail(&mut self, faults: &str, is_killed: bool) -> Result<()> {
        let (first, second) = (self.placed(DIRS[0])?, self.placed(DIRS[1])?);
        self.faultfs.set_faults(faults)?;
        for topic in &second {
            self.until_refused(topic)?;
        }
        self.served(&first, RECORDS)?;
        // The disk would take it again. Nobody may believe it.
        self.faultfs.set_faults("")?;
        for topic in &second {
            self.until_refused(topic)?;
        }
        let mut client = self.client()?;
        client.create("made-later", &[]).context("with one directory left")?;
        ensure!(
            matches!(client.produce("made-later", "one", -1)?, Produced::At(0)),
            "a new topic is not served"
        );
        ensure!(!self.placed(DIRS[1])?.contains(&"made-later".to_owned()), "a log is made in what failed");
        self.broker.check_alive()?;
        // The next start finds it broken, and then it is repaired.
        self.end(is_killed)?;
        let marker = |dir: &str| self.directory.join(dir).join(".kafka_cleanshutdown").exists();
        ensure!(!marker(DIRS[1]), "what failed is said to be shut down cleanly");
        ensure!(is_killed || marker(DIRS[0]), "what did not fail is not said to be shut down cleanly");
        self.faultfs.set_faults("open 0 1000000 errno 5 second\n")?;
        self.broker.start(&mut self.runner).context("with a broken directory")?;
        self.served(&first, RECORDS + 10)?;
        for topic in &second {
            self.until_refused(topic)?;
        }
        self.end(is_killed)?;
        self.faultfs.set_faults("")?;
        self.broker.start(&mut self.runner).context("with a repaired directory")?;
        self.all_is_there()?;
        self.served(&first, RECORDS + 20)?;
        self.served(&second, RECORDS + 60)?;
        ensure!(self.placed(DIRS[1])? == second, "logs are elsewhere than they were");
        self.broker.check_alive()
    }

    fn end(&mut self, is_killed: bool) -> Result<()> {
        if is_killed { self.broker.kill() } else { self.broker.stop() }
    }

    /// Topics take a record, once they are led.
    fn served(&mut self, topics: &[String], record: usize) -> Result<()> {
        let mut client = self.client()?;
        for topic in topics {
            let begun = Instant::now();
            while let Some(refused) = self.produce(&mut client, topic, record)? {
                ensure!(begun.elapsed() < LIMIT, "{topic}: {refused:?}, although its disk works");
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// What was acknowledged is there in its order, and nothing twice. What was refused may be there too: a sync failed
    /// after it was written.
    fn all_is_there(&self) -> Result<()> {
        let mut client = self.client()?;
        for (topic, acknowledged) in &self.acknowledged {
            let found = client.read_all(topic)?;
            let mut rest = found.iter();
            for value in acknowledged {
                ensure!(
                    rest.any(|found| found == value),
                    "{value:?} was acknowledged and is not there: {found:?}"
                );
            }
        }
        Ok(())
    }

    /// What Kafka's tools, and ours, say while the second directory is offline.
    fn told(&mut self, environment: &Environment) -> Result<()> {
        let second = self.placed(DIRS[1])?;
        let before = self.log_dirs(environment)?;
        ensure!(before.matches("\"error\":null").count() == 2, "{before}");
        for topic in self.acknowledged.keys() {
            ensure!(before.contains(&format!("\"partition\":\"{topic}-0\"")), "{topic} is missing: {before}");
        }
        self.faultfs.set_faults(FAILURES[0].1)?;
        self.until_refused(&second[0])?;
        let begun = Instant::now();
        loop {
            let bootstrap = self.broker.bootstrap();
            let ask = ["--bootstrap-server", &bootstrap, "--describe", "--unavailable-partitions"];
            let output = self.runner.tool("kafka-topics", &ask, b"")?.success()?;
            let mut topics: Vec<&str> =
                output.stdout.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
            topics.sort_unstable();
            if topics == second {
                break;
            }
            ensure!(begun.elapsed() < LIMIT, "{second:?} have no leader, but it is said: {}", output.stdout);
        }
        let after = self.log_dirs(environment)?;
        let dir = self.directory.join(DIRS[1]);
        let failed = format!(
            "{{\"partitions\":[],\"error\":\"org.apache.kafka.common.errors.KafkaStorageException\",\"logDir\":\"{}\"}}",
            dir.display()
        );
        ensure!(after.contains(&failed), "{after}");
        ensure!(after.matches("\"error\":null").count() == 1, "{after}");
        Ok(())
    }

    /// What `kafka-log-dirs` prints, the same by Kafka's and by ours.
    fn log_dirs(&mut self, environment: &Environment) -> Result<String> {
        let bootstrap = self.broker.bootstrap();
        let mut said = String::new();
        for args in [
            &["--describe"][..],
            &["--describe", "--topic-list", "topic-1,topic-2"],
            &["--describe", "--broker-list", "1", "--topic-list", "nowhere"],
            &["--describe", "--broker-list", "1,7"],
        ] {
            let args = [&["--bootstrap-server", &bootstrap][..], args].concat();
            let kafkas = self.runner.tool("kafka-log-dirs", &args, b"")?;
            let mut ours = Command::new(&environment.ottla);
            let ours = process::run(ours.arg("log-dirs").args(&args), b"", LIMIT)?;
            ensure!((kafkas.code, &kafkas.stdout) == (ours.code, &ours.stdout), "{kafkas:?}\n{ours:?}");
            if said.is_empty() {
                said = kafkas.success()?.stdout;
            }
        }
        Ok(said)
    }
}
