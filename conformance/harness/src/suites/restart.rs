//! What must still be there after a restart, clean or not: topics, their configs, records, group offsets, dynamic
//! configs of brokers, producers' sequences.

use anyhow::{Result, ensure};

use crate::broker::Broker;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::report::Report;

/// Each line is run before and after; what it prints must be the same.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("kafka-topics", &["--describe"]),
    ("kafka-topics", &["--list"]),
    ("kafka-get-offsets", &[]),
    ("kafka-get-offsets", &["--time", "-2"]),
    ("kafka-consumer-groups", &["--describe", "--group", "restarted"]),
    ("kafka-consumer-groups", &["--list"]),
    ("kafka-configs", &["--describe", "--entity-type", "brokers", "--entity-default"]),
    ("kafka-configs", &["--describe", "--entity-type", "brokers", "--entity-name", "1"]),
    ("kafka-configs", &["--describe", "--entity-type", "topics", "--entity-name", "kept"]),
    ("kafka-configs", &["--describe", "--entity-type", "topics", "--entity-name", "kept", "--all"]),
    ("kafka-cluster", &["cluster-id"]),
    (
        "kafka-console-consumer",
        &["--topic", "kept", "--partition", "0", "--offset", "0", "--max-messages", "200"],
    ),
];

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let mut broker = Broker::under_test(environment, directory.path());
    broker.start(&mut runner)?;
    let bootstrap = broker.bootstrap();
    prepare(&mut runner, &bootstrap)?;
    let before = answers(&mut runner, &bootstrap)?;
    for how in ["clean_stop", "kill_9", "kill_9_again"] {
        report.case(&format!("all_is_there_after_{how}"), || {
            if how == "clean_stop" {
                broker.stop()?;
                let marker = broker.data().join(".kafka_cleanshutdown");
                ensure!(marker.exists(), "a clean stop leaves no .kafka_cleanshutdown");
            } else {
                broker.kill()?;
            }
            broker.start(&mut runner)?;
            let after = answers(&mut runner, &bootstrap)?;
            for ((tool, args), (before, after)) in QUESTIONS.iter().zip(before.iter().zip(&after)) {
                ensure!(before == after, "{tool} {args:?}\nbefore:\n{before}\nafter:\n{after}");
            }
            Ok(())
        });
    }
    report.case("deleted_topics_stay_deleted", || {
        let server = ["--bootstrap-server", &bootstrap];
        runner
            .tool("kafka-topics", &[&server[..], &["--delete", "--topic", "kept"]].concat(), b"")?
            .success()?;
        broker.kill()?;
        broker.start(&mut runner)?;
        let list = runner.tool("kafka-topics", &[&server[..], &["--list"]].concat(), b"")?.success()?;
        ensure!(!list.stdout.lines().any(|line| line == "kept"), "{}", list.stdout);
        Ok(())
    });
    report.case("broker_is_well", || broker.check_alive());
    // Last: a JVM writes to the metadata log before it asks for the lock, so the directory is good for nothing afterwards.
    let kinds =
        if environment.under_test == Kind::Ottla { &[Kind::Kafka, Kind::Ottla][..] } else { &[Kind::Kafka] };
    for &kind in kinds {
        report.case(&format!("directory_is_locked_against_another_{}", kind.name()), || {
            let mut second = Broker::new(environment, kind, directory.path());
            let error = second.start(&mut runner).err().map(|error| format!("{error:#}")).unwrap_or_default();
            ensure!(error.contains("ended with"), "a second broker in the same directory: {error:?}");
            let log = second.log()?.to_lowercase();
            ensure!(log.contains("lock"), "the reason is not told: {error}");
            broker.check_alive()
        });
    }
    Ok(())
}

fn prepare(runner: &mut Runner<'_>, bootstrap: &str) -> Result<()> {
    let lines: String = (0..200).map(|number| format!("value {number}\n")).collect();
    let steps: &[(&str, &[&str], &str)] = &[
        (
            "kafka-topics",
            &["--create", "--topic", "kept", "--partitions", "1", "--config", "retention.ms=80000000"],
            "",
        ),
        ("kafka-topics", &["--create", "--topic", "kept-too", "--partitions", "4"], ""),
        ("kafka-topics", &["--create", "--topic", "gone"], ""),
        ("kafka-topics", &["--delete", "--topic", "gone"], ""),
        ("kafka-topics", &["--alter", "--topic", "kept-too", "--partitions", "6"], ""),
        (
            "kafka-configs",
            &[
                "--alter",
                "--entity-type",
                "topics",
                "--entity-name",
                "kept",
                "--add-config",
                "max.message.bytes=90000",
            ],
            "",
        ),
        (
            "kafka-configs",
            &[
                "--alter",
                "--entity-type",
                "brokers",
                "--entity-default",
                "--add-config",
                "log.cleaner.backoff.ms=20000",
            ],
            "",
        ),
        (
            "kafka-configs",
            &[
                "--alter",
                "--entity-type",
                "brokers",
                "--entity-name",
                "1",
                "--add-config",
                "log.retention.ms=90000000",
            ],
            "",
        ),
        ("kafka-console-producer", &["--topic", "kept"], &lines),
        ("kafka-console-producer", &["--topic", "kept-too"], "some\nmore\n"),
        (
            "kafka-console-consumer",
            &["--topic", "kept", "--group", "restarted", "--from-beginning", "--max-messages", "50"],
            "",
        ),
    ];
    for (tool, args, stdin) in steps {
        let args = [args, &["--bootstrap-server", bootstrap][..]].concat();
        runner.tool(tool, &args, stdin.as_bytes())?.success()?;
    }
    Ok(())
}

fn answers(runner: &mut Runner<'_>, bootstrap: &str) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    for (tool, args) in QUESTIONS {
        let args = [args, &["--bootstrap-server", bootstrap][..]].concat();
        let output = runner.tool(tool, &args, b"")?.success()?;
        let mut lines: Vec<&str> = output.stdout.lines().collect();
        if *tool != "kafka-console-consumer" {
            lines.sort_unstable();
        }
        answers.push(lines.join("\n"));
    }
    Ok(answers)
}
