//! Kafka's own command-line tools, run one after the other inside one warm JVM (`conformance/java/src/Runner.java`).

use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::environment::Environment;
use crate::process::Output;

/// Flags that make a short-lived JVM start fast and stay small.
pub const QUICK_JVM: &[&str] = &["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/// The main class of a Kafka tool, by the name of its script without `.sh`.
pub fn main_class(tool: &str) -> Result<&'static str> {
    Ok(match tool {
        "kafka-topics" => "org.apache.kafka.tools.TopicCommand",
        "kafka-console-producer" => "org.apache.kafka.tools.ConsoleProducer",
        "kafka-console-consumer" => "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "kafka-consumer-groups" => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka-configs" => "kafka.admin.ConfigCommand",
        "kafka-get-offsets" => "org.apache.kafka.tools.GetOffsetShell",
        "kafka-delete-records" => "org.apache.kafka.tools.DeleteRecordsCommand",
        "kafka-broker-api-versions" => "org.apache.kafka.tools.BrokerApiVersionsCommand",
        "kafka-cluster" => "org.apache.kafka.tools.ClusterTool",
        "kafka-storage" => "kafka.tools.StorageTool",
        "kafka-metadata-quorum" => "org.apache.kafka.tools.MetadataQuorumCommand",
        "kafka-dump-log" => "org.apache.kafka.tools.DumpLogSegments",
        "kafka-reassign-partitions" => "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        "kafka-log-dirs" => "org.apache.kafka.tools.LogDirsCommand",
        "kafka-producer-perf-test" => "org.apache.kafka.tools.ProducerPerformance",
        "kafka-consumer-perf-test" => "org.apache.kafka.tools.ConsumerPerformance",
        "kafka-e2e-latency" => "org.apache.kafka.tools.EndToEndLatency",
        other => bail!("no main class known for {other}"),
    })
}

/// The warm JVM. Starts at the first run; a run that passes its time limit costs the JVM, and the next run starts anew.
#[derive(Debug)]
pub struct Runner<'e> {
    environment: &'e Environment,
    limit: Duration,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Output>,
}

impl<'e> Runner<'e> {
    /// No JVM yet.
    pub fn new(environment: &'e Environment) -> Runner<'e> {
        Runner { environment, limit: Duration::from_secs(60), running: None }
    }

    /// Runs a tool by the name of its script.
    pub fn tool(&mut self, tool: &str, args: &[&str], stdin: &[u8]) -> Result<Output> {
        self.run(main_class(tool)?, args, stdin)
    }

    /// Runs the main method of any class on the class path.
    pub fn run(&mut self, class: &str, args: &[&str], stdin: &[u8]) -> Result<Output> {
        if self.running.is_none() {
            self.running = Some(self.start()?);
        }
        let running = self.running.as_mut().expect("started above");
        let mut request = Vec::new();
        request.extend((args.len() as i32 + 1).to_be_bytes());
        for word in std::iter::once(&class).chain(args) {
            let length = u16::try_from(word.len()).context("an argument is too long")?;
            request.extend(length.to_be_bytes());
            request.extend(word.as_bytes());
        }
        request.extend((stdin.len() as i32).to_be_bytes());
        request.extend(stdin);
        let sent = running.requests.write_all(&request).and_then(|()| running.requests.flush());
        let answer = match sent {
            Ok(()) => running.answers.recv_timeout(self.limit),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        answer.map_err(|error| {
            self.stop();
            match error {
                RecvTimeoutError::Timeout => {
                    anyhow::anyhow!("{class} {args:?} did not end within {:?}", self.limit)
                }
                RecvTimeoutError::Disconnected => anyhow::anyhow!("the JVM ended during {class} {args:?}"),
            }
        })
    }

    fn start(&self) -> Result<Running> {
        let mut child = Command::new("java")
            .args(["-Xmx256m", "-Djava.security.manager=allow"])
            .args(QUICK_JVM)
            .args(self.environment.java_logging("WARN"))
            .args(["-cp", &self.environment.classpath(), "Runner"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start java")?;
        let requests = child.stdin.take().expect("standard input is piped");
        let mut stream = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let (sender, answers) = channel();
        thread::spawn(move || {
            while let Ok(output) = read_output(&mut stream) {
                if sender.send(output).is_err() {
                    return;
                }
            }
        });
        Ok(Running { child, requests, answers })
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.child.kill().ok();
            running.child.wait().ok();
        }
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

fn read_output(stream: &mut impl Read) -> std::io::Result<Output> {
    let code = read_i32(stream)?;
    Ok(Output { code, stdout: read_text(stream)?, stderr: read_text(stream)? })
}

fn read_text(stream: &mut impl Read) -> std::io::Result<String> {
    let length = read_i32(stream)? as usize;
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_i32(stream: &mut impl Read) -> std::io::Result<i32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(i32::from_be_bytes(bytes))
}
