//! Long-running client programs that write histories: producers and group members of four client libraries.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::checker::Op;
use crate::checker::history;
use crate::environment::Environment;
use crate::jvm::QUICK_JVM;
use crate::process;

/// A client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// Apache Kafka's own.
    Java,
    /// librdkafka, through Python.
    Librdkafka,
    /// kafka-python.
    KafkaPython,
    /// kafkajs.
    Kafkajs,
}

impl Library {
    fn name(self) -> &'static str {
        match self {
            Library::Java => "java",
            Library::Librdkafka => "librdkafka",
            Library::KafkaPython => "kafka-python",
            Library::Kafkajs => "kafkajs",
        }
    }
}

/// Starts client programs whose histories and logs lie in one folder. Each program has a number of its own.
#[derive(Debug)]
pub struct Clients<'e> {
    environment: &'e Environment,
    bootstrap: String,
    folder: PathBuf,
    /// The library of each program, by its number.
    started: Vec<Library>,
}

/// A running client program; killed when dropped.
#[derive(Debug)]
pub struct Client {
    /// Its number in the history.
    pub number: u64,
    /// What it is built on.
    pub library: Library,
    child: Child,
    log: PathBuf,
}

impl<'e> Clients<'e> {
    /// `folder` is emptied.
    pub fn new(environment: &'e Environment, bootstrap: String, folder: &Path) -> Result<Clients<'e>> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::create_dir_all(folder)?;
        Ok(Clients { environment, bootstrap, folder: folder.to_path_buf(), started: Vec::new() })
    }

    /// An idempotent producer of `count` values at `rate` per second.
    pub fn producer(
        &mut self,
        library: Library,
        topic: &str,
        partitions: u32,
        rate: u32,
        count: u32,
    ) -> Result<Client> {
        let (partitions, rate, count) = (partitions.to_string(), rate.to_string(), count.to_string());
        self.start(library, "produce", |number| {
            vec![topic.to_owned(), partitions, number.to_string(), rate, count]
        })
    }

    /// A member of a group that commits after each poll.
    pub fn member(&mut self, library: Library, topic: &str, group: &str) -> Result<Client> {
        self.start(library, "consume", |number| vec![topic.to_owned(), group.to_owned(), number.to_string()])
    }

    /// A reader of all partitions from the beginning, without a group.
    pub fn reader(&mut self, topic: &str, partitions: u32) -> Result<Client> {
        self.member(Library::Librdkafka, topic, &format!("-{partitions}"))
    }

    fn start(
        &mut self,
        library: Library,
        role: &str,
        args: impl FnOnce(u64) -> Vec<String>,
    ) -> Result<Client> {
        let number = self.started.len() as u64;
        self.started.push(library);
        let name = format!("{number:03}-{role}-{}", library.name());
        let history = self.folder.join(format!("{name}.jsonl"));
        let log = self.folder.join(format!("{name}.log"));
        let environment = self.environment;
        let mut command = match library {
            Library::Java => {
                let mut command = Command::new("java");
                command.arg("-Xmx96m").args(QUICK_JVM).args(environment.java_logging("WARN"));
                command.args([
                    "-cp",
                    &environment.classpath(),
                    if role == "produce" { "Produce" } else { "Consume" },
                ]);
                command
            }
            Library::Librdkafka | Library::KafkaPython => {
                let mut command = Command::new(environment.python());
                command.arg(environment.program(format!("python/clients/{role}.py"))).arg(library.name());
                command
            }
            Library::Kafkajs => {
                ensure!(role == "consume", "kafkajs is not used as a producer here");
                let mut command = Command::new("node");
                command.arg(environment.program("node/clients/consume.js"));
                command.env("NODE_PATH", environment.node().join("node_modules"));
                command
            }
        };
        command.arg(&self.bootstrap).args(args(number)).arg(&history);
        let child = process::spawn_logged(&mut command, &log)?;
        Ok(Client { number, library, child, log })
    }

    /// What a program is built on, by its number in the history.
    pub fn library(&self, number: u64) -> Library {
        self.started[number as usize]
    }

    /// How many bytes of history a program has written so far.
    pub fn written(&self, client: &Client) -> u64 {
        fs::metadata(client.log.with_extension("jsonl")).map_or(0, |meta| meta.len())
    }

    /// All that the programs did, in the order in which it ended.
    pub fn history(&self) -> Result<Vec<Op>> {
        let mut histories = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let text = fs::read_to_string(&path)?;
                histories.push(history::parse(&text).with_context(|| path.display().to_string())?);
            }
        }
        Ok(history::merge(histories))
    }
}

impl Client {
    /// Whether the program still runs.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// kill -9.
    pub fn crash(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the program to end, without waiting for it.
    pub fn ask_to_end(&self) -> Result<()> {
        process::signal(&self.child, Signal::TERM)
    }

    /// Waits until the program has ended by itself; it must not have failed.
    pub fn wait(mut self, limit: Duration) -> Result<()> {
        match process::wait(&mut self.child, limit)? {
            // A JVM that was asked to end has 143, whatever its hooks did; one that was asked before it listened dies.
            Some(status) if status.success() || status.code() == Some(143) || status.signal() == Some(15) => {
                Ok(())
            }
            status => {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let ended = status
                    .map_or(format!("did not end within {limit:?}"), |status| format!("ended with {status}"));
                bail!(
                    "client {} ({}) {ended}\n{}",
                    self.number,
                    self.library.name(),
                    process::tail(&log, 1500)
                )
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended long ago.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
