//! `ottla-bench clients [--rounds N]`: what users of real clients see. Each client writes and reads the same records at
//! Ottla and at Kafka in turn; what counts is the ratio of the two throughputs of one round. Most of these clients cost
//! more than a good broker, so that they measure themselves: then 1 is the most that can be seen.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ottla_conformance::environment::Environment;
use ottla_conformance::jvm::Runner;
use ottla_conformance::process;

use crate::driver::environment;
use crate::participant::{Participant, Who};
use crate::table::{Spread, short};

/// How long one client may take for one topic.
const LIMIT: Duration = Duration::from_secs(120);
const RECORD_BYTES: usize = 1_000;

/// A client and how many records it is given.
struct Client {
    name: &'static str,
    records: usize,
    program: Program,
}

#[derive(Clone, Copy)]
enum Program {
    /// Kafka's own tools, in one warm JVM.
    Java,
    /// The same tools of ours.
    Ottla,
    /// A library of Python.
    Python,
    /// kafkajs.
    Node,
}

const CLIENTS: &[Client] = &[
    Client { name: "java", records: 200_000, program: Program::Java },
    Client { name: "ottla", records: 200_000, program: Program::Ottla },
    Client { name: "librdkafka", records: 100_000, program: Program::Python },
    Client { name: "kafka-python", records: 20_000, program: Program::Python },
    Client { name: "kafkajs", records: 50_000, program: Program::Node },
];

/// What is done with the records.
#[derive(Clone, Copy)]
enum Role {
    Produce,
    Consume,
}

const ROLES: [Role; 2] = [Role::Produce, Role::Consume];

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Produce => "produce",
            Role::Consume => "consume",
        }
    }
}

/// Runs them all and prints a line for each.
pub fn run(args: &[String]) -> Result<()> {
    let rounds: usize = match args {
        [] => 3,
        [flag, rounds] if flag == "--rounds" => rounds.parse().context("--rounds takes a number")?,
        other => bail!("clients: takes --rounds N, not {other:?}"),
    };
    ensure!(rounds > 0, "no rounds, no figures");
    let environment = environment()?;
    let directory = tempfile::Builder::new().prefix("ottla-clients-").tempdir()?;
    let mut runner = Runner::new(&environment);
    let brokers = [Who::Ottla, Who::Kafka].map(|who| {
        let broker = Participant::start(who, &environment, &mut runner, directory.path())?;
        broker.pause()?;
        Ok::<_, anyhow::Error>(broker)
    });
    let [ottla, kafka] = brokers;
    let brokers = [ottla?, kafka?];
    println!("client and role: MB/s at Ottla, at Kafka, and the ratio, min/median/max of {rounds} rounds");
    for client in CLIENTS {
        // What is not measured: a JVM gets warm, topics of brokers are made for the first time.
        one_round(client, "warm", &environment, &mut runner, brokers.iter())?;
        let mut measured = Vec::new();
        for round in 0..rounds {
            let name = round.to_string();
            measured.push(match round % 2 {
                0 => one_round(client, &name, &environment, &mut runner, brokers.iter())?,
                _ => {
                    let [kafka, ottla] =
                        one_round(client, &name, &environment, &mut runner, brokers.iter().rev())?;
                    [ottla, kafka]
                }
            });
        }
        for (at, role) in ROLES.iter().enumerate() {
            let spread = |rate: &dyn Fn(&[[f64; 2]; 2]) -> f64| {
                Spread::of(measured.iter().map(rate)).context("there were rounds")
            };
            println!(
                "{:<13} {}  {}  {}  {}",
                client.name,
                role.name(),
                short(spread(&|rates| rates[0][at])?.median),
                short(spread(&|rates| rates[1][at])?.median),
                spread(&|rates| rates[0][at] / rates[1][at])?,
            );
        }
    }
    Ok(())
}

/// MB/s of both roles at the two brokers, in their order.
fn one_round<'b, 'e: 'b>(
    client: &Client,
    round: &str,
    environment: &Environment,
    runner: &mut Runner<'_>,
    brokers: impl Iterator<Item = &'b Participant<'e>>,
) -> Result<[[f64; 2]; 2]> {
    let mut rates = [[0.0; 2]; 2];
    for (broker, rates) in brokers.zip(&mut rates) {
        broker.resume()?;
        let bootstrap = format!("127.0.0.1:{}", broker.port);
        let topic = format!("clients-{}-{round}", client.name);
        for (role, rate) in ROLES.into_iter().zip(rates) {
            let measured = client.measure(role, &bootstrap, &topic, environment, runner);
            *rate = measured
                .with_context(|| format!("{} {} at {}", client.name, role.name(), broker.who.name()))?;
        }
        broker.pause()?;
    }
    Ok(rates)
}

impl Client {
    /// MB/s, as the client has measured it.
    fn measure(
        &self,
        role: Role,
        bootstrap: &str,
        topic: &str,
        environment: &Environment,
        runner: &mut Runner<'_>,
    ) -> Result<f64> {
        let (records, size) = (self.records.to_string(), RECORD_BYTES.to_string());
        let tool = match role {
            Role::Produce => vec!["producer-perf-test", "--record-size", &size, "--throughput", "-1"],
            Role::Consume => vec!["consumer-perf-test", "--timeout", "60000", "--hide-header"],
        };
        let mut words = vec!["--bootstrap-server", bootstrap, "--topic", topic, "--num-records", &records];
        words.extend(&tool[1..]);
        let library = |command: &mut Command| {
            command.args([role.name(), bootstrap, topic, &records, &size]);
            let said = process::run(command, b"", LIMIT)?.success()?.stdout;
            let seconds: f64 = said.trim().parse().with_context(|| format!("{said:?}"))?;
            Ok((self.records * RECORD_BYTES) as f64 / 1e6 / seconds)
        };
        match self.program {
            Program::Java => rate_of_tool(
                role,
                &runner.tool(&format!("kafka-{}", tool[0]), &words, b"")?.success()?.stdout,
            ),
            Program::Ottla => {
                let mut command = Command::new(&environment.ottla);
                command.arg(tool[0]).args(&words);
                rate_of_tool(role, &process::run(&mut command, b"", LIMIT)?.success()?.stdout)
            }
            Program::Python => {
                let script = environment.program("python/clients/perf.py");
                library(Command::new(environment.python()).arg(script).arg(self.name))
            }
            Program::Node => {
                let script = environment.program("node/clients/perf.js");
                library(
                    Command::new("node")
                        .arg(script)
                        .env("NODE_PATH", environment.node().join("node_modules")),
                )
            }
        }
    }
}

/// MB/s, of which the tools call 2^20 bytes one: of a producer in all, of a consumer while it fetched.
fn rate_of_tool(role: Role, said: &str) -> Result<f64> {
    let last = said.lines().last().unwrap_or_default();
    let rate = match role {
        Role::Produce => last.split_once('(').and_then(|(_, rest)| rest.split(' ').next()),
        Role::Consume => last.split(", ").nth(8),
    };
    let mib: f64 = rate.and_then(|rate| rate.parse().ok()).with_context(|| format!("no rate in {said:?}"))?;
    Ok(mib * f64::from(1 << 20) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_from_the_tools_lines() {
        let produced = "1 records sent, 2.0 records/sec (3.00 MB/sec), 1.0 ms avg latency, 1.0 ms max latency.\n\
                        9 records sent, 347463.516331 records/sec (1000.00 MB/sec), 92.27 ms avg latency\n";
        assert_eq!(rate_of_tool(Role::Produce, produced).unwrap(), 1048.576);
        let consumed =
            "2026-11-24 18:39:10:473, 2026-11-24 18:39:11:547, 0.1, 0.2, 10, 0.3, 3, 1071, 500.0, 7.0\n";
        assert_eq!(rate_of_tool(Role::Consume, consumed).unwrap(), 524.288);
        assert!(rate_of_tool(Role::Consume, "WARNING: Exiting").is_err());
    }
}
