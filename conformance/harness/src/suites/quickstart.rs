//! What everybody tries first: Kafka's command-line tools, a kafka-python program and a kafkajs program, unchanged but
//! for the port. The programs lie in `conformance/python/quickstart` and `conformance/node/quickstart`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::broker::Broker;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::process::{self, Output};
use crate::report::Report;

/// How long a program may take to say what it is expected to say.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let mut broker = Broker::under_test(environment, directory.path());
    broker.start(&mut runner)?;
    let bootstrap = broker.bootstrap();

    report.case("kafkas_own_tools", || {
        tools("my-topic", &bootstrap, |tool, args, stdin| runner.tool(tool, args, stdin))
    });
    if environment.under_test == Kind::Ottla {
        report.case("our_tools_by_their_links", || {
            let links = directory.path().join("links");
            let mut install = Command::new(&environment.ottla);
            process::run(install.arg("install-links").arg(&links), b"", LIMIT)?.success()?;
            tools("our-topic", &bootstrap, |tool, args, stdin| {
                process::run(Command::new(links.join(tool)).args(args), stdin, LIMIT)
            })
        });
    } else {
        report.skip("our_tools_by_their_links", "Kafka is under test");
    }
    let out = environment.out("quickstart")?;
    let programs = Programs { environment, port: broker.port, out: &out, directory: directory.path() };
    report.case("kafka_python_consumer_first_then_producer", || {
        let expected: Vec<String> = (0..10).map(|n| format!("received {{'number': {n}}}")).collect();
        programs.consume("python", "py", &expected, || {
            // The consumer is to be there first: it has read its program and asks for a topic that is not there yet.
            thread::sleep(Duration::from_secs(1));
            programs.produce("python", "py")
        })
    });
    report.case("kafkajs_producer_then_consumer_from_beginning", || {
        let expected: Vec<String> = (0..5).map(|n| format!("received message {n}")).collect();
        programs.produce("node", "js")?;
        programs.consume("node", "js", &expected, || Ok(()))
    });
    report.case("broker_is_well", || broker.check_alive());
    report.case("clean_shutdown", || broker.stop());
    Ok(())
}

/// Create, list, describe, produce, consume: `call` runs one tool.
fn tools(
    topic: &str,
    bootstrap: &str,
    mut call: impl FnMut(&str, &[&str], &[u8]) -> Result<Output>,
) -> Result<()> {
    let server = ["--bootstrap-server", bootstrap];
    let mut expect = |tool: &str, args: &[&str], stdin: &[u8], lines: &[&str]| -> Result<()> {
        let args = [args, &server].concat();
        let output = call(tool, &args, stdin)?.success().with_context(|| format!("{tool} {args:?}"))?;
        for line in lines {
            ensure!(
                output.stdout.contains(line),
                "{tool} {args:?} does not say {line:?}:\n{}",
                output.stdout
            );
        }
        Ok(())
    };
    let created = format!("Created topic {topic}.");
    expect(
        "kafka-topics",
        &["--create", "--topic", topic, "--partitions", "3", "--replication-factor", "1"],
        b"",
        &[&created],
    )?;
    expect("kafka-topics", &["--list"], b"", &[topic])?;
    expect(
        "kafka-topics",
        &["--describe", "--topic", topic],
        b"",
        &["PartitionCount: 3\tReplicationFactor: 1", "Partition: 2\tLeader: 1\tReplicas: 1\tIsr: 1"],
    )?;
    expect("kafka-console-producer", &["--topic", topic], b"first\nsecond\nthird\n", &[])?;
    expect(
        "kafka-console-consumer",
        &["--topic", topic, "--from-beginning", "--max-messages", "3", "--timeout-ms", "30000"],
        b"",
        &["first\n", "second\n", "third\n"],
    )
}

/// The client programs, with the port put in.
struct Programs<'a> {
    environment: &'a Environment,
    port: u16,
    out: &'a Path,
    directory: &'a Path,
}

impl Programs<'_> {
    fn produce(&self, language: &str, extension: &str) -> Result<()> {
        process::run(&mut self.command(language, "producer", extension)?, b"", LIMIT)?.success().map(drop)
    }

    /// Starts the consumer, does `meanwhile`, and waits until the consumer has said all that is expected.
    fn consume(
        &self,
        language: &str,
        extension: &str,
        expected: &[String],
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let log = self.out.join(format!("{language}-consumer.log"));
        fs::write(&log, "")?;
        let mut consumer = process::spawn_logged(&mut self.command(language, "consumer", extension)?, &log)?;
        let result = meanwhile().and_then(|()| wait_for_lines(&log, expected));
        process::signal(&consumer, Signal::INT)?;
        if process::wait(&mut consumer, Duration::from_secs(10))?.is_none() {
            consumer.kill()?;
            consumer.wait()?;
        }
        result
    }

    fn command(&self, language: &str, role: &str, extension: &str) -> Result<Command> {
        let source = self.environment.program(format!("{language}/quickstart/{role}.{extension}"));
        let text = fs::read_to_string(&source).with_context(|| source.display().to_string())?;
        ensure!(text.contains("localhost:9092"), "{} does not use localhost:9092", source.display());
        let program: PathBuf = self.directory.join(format!("{role}.{extension}"));
        fs::write(&program, text.replace("localhost:9092", &format!("localhost:{}", self.port)))?;
        Ok(match language {
            "python" => {
                let mut command = Command::new(self.environment.python());
                command.arg(program);
                command
            }
            "node" => {
                let mut command = Command::new("node");
                command.arg(program).env("NODE_PATH", self.environment.node().join("node_modules"));
                command
            }
            other => bail!("no programs in {other}"),
        })
    }
}

/// Waits until the file has all the expected lines; order is not asked for, since records of several partitions have none.
fn wait_for_lines(file: &Path, expected: &[String]) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let text = fs::read_to_string(file)?;
        let missing: Vec<&String> =
            expected.iter().filter(|line| !text.lines().any(|l| l == *line)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("missing {missing:?} in:\n{}", process::tail(&text, 2000));
        }
        thread::sleep(Duration::from_millis(50));
    }
}
