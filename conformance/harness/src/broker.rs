//! One broker process on its own ports and its own data directory: Ottla or Apache Kafka behind the same handle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::environment::{Environment, Kind};
use crate::jvm::{QUICK_JVM, Runner};
use crate::process;
use crate::raw;

/// The cluster id that Kafka's directories are formatted with.
const CLUSTER_ID: &str = "T3R0bGEtY29uZm9ybWFuYw";

/// How long a broker may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a broker may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Properties that both brokers are given in every suite: those of a cluster of one.
const COMMON: &[(&str, &str)] = &[
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
];

/// A broker that is or was running. Dropping the handle kills the process.
#[derive(Debug)]
pub struct Broker<'e> {
    environment: &'e Environment,
    /// Which program this is.
    pub kind: Kind,
    /// The port of the client listener on 127.0.0.1.
    pub port: u16,
    controller_port: u16,
    directory: PathBuf,
    /// The log directories; the first has the metadata.
    log_dirs: Vec<PathBuf>,
    /// Words in front of the command: another program that becomes the broker.
    prefix: Vec<String>,
    properties: Vec<(String, String)>,
    jvm_flags: Vec<String>,
    binary: Option<PathBuf>,
    variables: Vec<(String, String)>,
    child: Option<Child>,
}

impl<'e> Broker<'e> {
    /// Apache Kafka in `directory` (data, configuration and log), not started.
    pub fn kafka(environment: &'e Environment, directory: &Path) -> Broker<'e> {
        Broker::new(environment, Kind::Kafka, directory)
    }

    /// Ottla in `directory`, not started.
    pub fn ottla(environment: &'e Environment, directory: &Path) -> Broker<'e> {
        Broker::new(environment, Kind::Ottla, directory)
    }

    /// The broker under test in `directory`, not started.
    pub fn under_test(environment: &'e Environment, directory: &Path) -> Broker<'e> {
        Broker::new(environment, environment.under_test, directory)
    }

    /// A broker of either kind, not started.
    pub fn new(environment: &'e Environment, kind: Kind, directory: &Path) -> Broker<'e> {
        let mut jvm_flags = vec!["-Xms256m".to_owned(), "-Xmx512m".to_owned()];
        jvm_flags.extend(QUICK_JVM.iter().map(|&flag| flag.to_owned()));
        Broker {
            environment,
            kind,
            port: environment.port(),
            controller_port: environment.port(),
            directory: directory.to_path_buf(),
            log_dirs: vec![directory.join("data")],
            prefix: Vec::new(),
            properties: COMMON.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            jvm_flags,
            binary: None,
            variables: Vec::new(),
            child: None,
        }
    }

    /// Listens where another broker listened, so that a directory changes hands without its clients noticing.
    pub fn on_ports_of(mut self, other: &Broker<'_>) -> Self {
        self.port = other.port;
        self.controller_port = other.controller_port;
        self
    }

    /// Adds or replaces a property; effective at the next start.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.properties.retain(|(k, _)| k != key);
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Has several log directories, of these names in its directory; the first has the metadata.
    pub fn log_dirs(mut self, names: &[&str]) -> Self {
        self.log_dirs = names.iter().map(|name| self.directory.join(name)).collect();
        self
    }

    /// Is started by another program, which becomes the broker: these words come before the broker's command.
    pub fn started_by(mut self, words: &[String]) -> Self {
        self.prefix = words.to_vec();
        self
    }

    /// Runs another build of Ottla.
    pub fn binary(mut self, path: &Path) -> Self {
        self.binary = Some(path.to_path_buf());
        self
    }

    /// Adds a variable to Ottla's environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the flags of Kafka's JVM, for measurements.
    pub fn jvm_flags(mut self, flags: &[&str]) -> Self {
        self.jvm_flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        self
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The directory with the partitions; of several the first.
    pub fn data(&self) -> PathBuf {
        self.log_dirs[0].clone()
    }

    /// The file with all that the process printed, over all its starts.
    pub fn log_file(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.kind.name()))
    }

    /// What the process printed so far.
    pub fn log(&self) -> Result<String> {
        let path = self.log_file();
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts the process and waits until it answers Metadata. An empty directory of Kafka's is formatted first, by
    /// the tool that Kafka has for that.
    pub fn start(&mut self, runner: &mut Runner<'_>) -> Result<Duration> {
        ensure!(self.child.is_none(), "the broker is running");
        fs::create_dir_all(&self.directory)?;
        let properties = self.write_properties()?;
        if self.kind == Kind::Kafka && !self.data().join("meta.properties").exists() {
            let path = properties.to_string_lossy();
            runner
                .tool("kafka-storage", &["format", "--standalone", "-t", CLUSTER_ID, "-c", &path], b"")?
                .success()?;
        }
        let started = Instant::now();
        self.child = Some(process::spawn_logged(&mut self.command(&properties), &self.log_file())?);
        self.wait_ready()?;
        Ok(started.elapsed())
    }

    fn command(&self, properties: &Path) -> Command {
        let program = match self.kind {
            Kind::Ottla => self.binary.as_ref().unwrap_or(&self.environment.ottla).as_path(),
            Kind::Kafka => Path::new("java"),
        };
        let mut command = match self.prefix.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        match self.kind {
            Kind::Ottla => {
                command.arg("server").arg(properties).current_dir(&self.directory);
                command.envs(self.variables.iter().map(|(name, value)| (name, value)));
            }
            Kind::Kafka => {
                command
                    .args(&self.jvm_flags)
                    .args(self.environment.java_logging("INFO"))
                    .args(["-cp", &self.environment.classpath(), "kafka.Kafka"])
                    .arg(properties);
            }
        }
        command
    }

    fn write_properties(&self) -> Result<PathBuf> {
        let (port, controller) = (self.port, self.controller_port);
        let log_dirs: Vec<String> = self.log_dirs.iter().map(|dir| dir.display().to_string()).collect();
        // The same file for both: what Kafka must be told, Ottla must understand.
        let mut text = format!(
            "process.roles=broker,controller\nnode.id=1\nlog.dirs={}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=PLAINTEXT\n",
            log_dirs.join(",")
        );
        for (key, value) in &self.properties {
            text.push_str(&format!("{key}={value}\n"));
        }
        let path = self.directory.join("server.properties");
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("started by the caller");
            if let Some(status) = child.try_wait()? {
                self.child = None;
                bail!("the broker ended with {status}\n{}", process::tail(&self.log()?, 3000));
            }
            if raw::serves_metadata(self.port) {
                return Ok(());
            }
            thread::sleep(match self.kind {
                // How long the start takes is measured: the question must not cost much more than the answer.
                Kind::Ottla => Duration::from_millis(1),
                Kind::Kafka => Duration::from_millis(20),
            });
        }
        bail!("the broker does not answer after {START_LIMIT:?}\n{}", process::tail(&self.log()?, 3000));
    }

    /// Clean shutdown: SIGTERM, and exit code 0 (Kafka's JVM: 143) within the time limit.
    pub fn stop(&mut self) -> Result<()> {
        let Some(child) = self.child.as_mut() else { return Ok(()) };
        process::signal(child, Signal::TERM)?;
        let Some(status) = process::wait(child, STOP_LIMIT)? else {
            self.kill()?;
            bail!("the broker did not end within {STOP_LIMIT:?} of SIGTERM");
        };
        self.child = None;
        let expected = match self.kind {
            Kind::Ottla => 0,
            Kind::Kafka => 143,
        };
        ensure!(status.code() == Some(expected), "the broker ended with {status} on SIGTERM");
        Ok(())
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Whether the process has ended by itself, and says that something went wrong.
    pub fn has_ended(&mut self) -> Result<bool> {
        let Some(child) = self.child.as_mut() else { return Ok(true) };
        let Some(status) = child.try_wait()? else { return Ok(false) };
        self.child = None;
        ensure!(status.code().is_some_and(|code| code != 0), "the broker ended with {status}");
        Ok(true)
    }

    /// An error unless the process still runs and its log shows no panic.
    pub fn check_alive(&mut self) -> Result<()> {
        let Some(child) = self.child.as_mut() else { bail!("the broker is not running") };
        if let Some(status) = child.try_wait()? {
            self.child = None;
            bail!("the broker ended with {status}\n{}", process::tail(&self.log()?, 3000));
        }
        let log = self.log()?;
        if let Some(at) = log.find("panicked at") {
            bail!("the broker panicked: {}", &log[at..log.len().min(at + 500)]);
        }
        ensure!(raw::serves_metadata(self.port), "the broker does not answer other connections");
        Ok(())
    }
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        // Nothing more can be done about a process that cannot be killed.
        drop(self.kill());
    }
}
