//! kill -9 under load, and directories that change hands between Kafka and Ottla.
//!
//! Producers are idempotent and retry; a reader follows from the beginning all the while. No acknowledged record may be
//! lost, none may be there twice, and the order of each producer must be kept, however often the broker dies.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::broker::Broker;
use crate::checker::{self, Kind, Outcome, Rules};
use crate::clients::{Client, Clients, Library};
use crate::environment::{Environment, Kind as BrokerKind};
use crate::jvm::Runner;
use crate::random::Random;
use crate::report::Report;

const TOPIC: &str = "under-load";
const PARTITIONS: u32 = 3;
/// A topic that nothing is written to before its directory changes hands.
const UNTOUCHED: &str = "untouched";
/// Per second and producer.
const RATE: u32 = 1_000;
/// How often the broker dies.
const fn kill_count(kind: BrokerKind) -> u32 {
    match kind {
        BrokerKind::Ottla => 20,
        // Kafka lets a broker that died come back only when its session has timed out: 13 seconds each time.
        BrokerKind::Kafka => 4,
    }
}

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let mut broker = Broker::under_test(environment, &directory.path().join("killed"));
    let seed = 4_711;
    report.case("nothing_acknowledged_is_lost_or_doubled_by_kill_9", || {
        kills(environment, &mut runner, &mut broker, &mut Random::new(seed))
            .with_context(|| format!("seed {seed}"))
    });
    report.case("segments_satisfy_kafkas_dump_log", || {
        broker.stop()?;
        dump(&mut runner, &broker.data(), &|name| name.starts_with(TOPIC) || name.starts_with("__"))
    });
    report.case("a_directory_of_kafka_is_taken_over", || {
        let directory = directory.path().join("from-kafka");
        takeover(
            environment,
            &mut runner,
            &directory,
            &["data"],
            BrokerKind::Kafka,
            environment.under_test,
            false,
        )
    });
    report.case("a_directory_of_kafka_is_taken_over_after_kill_9", || {
        let directory = directory.path().join("from-killed-kafka");
        takeover(
            environment,
            &mut runner,
            &directory,
            &["data"],
            BrokerKind::Kafka,
            environment.under_test,
            true,
        )
    });
    report.case("kafka_takes_a_directory_back", || {
        let directory = directory.path().join("to-kafka");
        takeover(
            environment,
            &mut runner,
            &directory,
            &["data"],
            environment.under_test,
            BrokerKind::Kafka,
            false,
        )
    });
    report.case("kafka_takes_a_directory_back_after_kill_9", || {
        let directory = directory.path().join("to-kafka-killed");
        takeover(
            environment,
            &mut runner,
            &directory,
            &["data"],
            environment.under_test,
            BrokerKind::Kafka,
            true,
        )
    });
    Ok(())
}

fn kills(
    environment: &Environment,
    runner: &mut Runner<'_>,
    broker: &mut Broker<'_>,
    random: &mut Random,
) -> Result<()> {
    broker.start(runner)?;
    let bootstrap = broker.bootstrap();
    let partitions = PARTITIONS.to_string();
    let create =
        ["--bootstrap-server", &bootstrap, "--create", "--topic", TOPIC, "--partitions", &partitions];
    runner.tool("kafka-topics", &create, b"")?.success()?;
    let mut clients =
        Clients::new(environment, bootstrap.clone(), &environment.out("crash")?.join("history"))?;
    let endless = i32::MAX as u32;
    let mut producers = Vec::new();
    for library in [Library::Java, Library::Librdkafka, Library::KafkaPython] {
        producers.push(clients.producer(library, TOPIC, PARTITIONS, RATE, endless)?);
    }
    let reader = clients.reader(TOPIC, PARTITIONS)?;
    thread::sleep(Duration::from_secs(2));
    for _ in 0..kill_count(broker.kind) {
        thread::sleep(Duration::from_millis(random.between(300, 1300)));
        broker.kill()?;
        broker.start(runner)?;
    }
    thread::sleep(Duration::from_secs(1));
    for producer in &producers {
        producer.ask_to_end()?;
    }
    producers.into_iter().try_for_each(|producer| producer.wait(Duration::from_secs(120)))?;
    reader.ask_to_end()?;
    reader.wait(Duration::from_secs(30))?;
    // A reader of its own, after everything has ended, reads all from the beginning.
    let last = clients.reader(TOPIC, PARTITIONS)?;
    wait_until_quiet(&clients, &last)?;
    last.ask_to_end()?;
    last.wait(Duration::from_secs(30))?;

    let history = clients.history()?;
    let sent = history.iter().filter(|op| op.kind == Kind::Send && op.outcome == Outcome::Ok).count();
    println!("      {sent} records acknowledged, {} kills", kill_count(broker.kind));
    ensure!(sent >= 1_000, "only {sent} records were acknowledged: nothing is shown");
    let rules = Rules {
        idempotent: true,
        subscribed: false,
        transactional: false,
        complete: true,
        ..Rules::default()
    };
    let anomalies = checker::check(&history, rules);
    ensure!(anomalies.is_empty(), "{}", checker::describe(&anomalies, 5));
    broker.check_alive()
}

/// Waits until a reader has read nothing new for a while.
fn wait_until_quiet(clients: &Clients<'_>, reader: &Client) -> Result<()> {
    let mut before = 0;
    for _ in 0..60 {
        thread::sleep(Duration::from_secs(1));
        let written = clients.written(reader);
        if written > 0 && written == before {
            return Ok(());
        }
        before = written;
    }
    bail!("the last reader does not come to an end")
}

/// Every segment, index and snapshot of a directory, read by Kafka's own tool.
pub(super) fn dump(runner: &mut Runner<'_>, data: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    let mut dumped = 0;
    for entry in fs::read_dir(data).with_context(|| data.display().to_string())? {
        let folder = entry?.path();
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !folder.is_dir() || !is_wanted(&name) {
            continue;
        }
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder)?.map(|file| file.map(|f| f.path())).collect::<std::io::Result<_>>()?;
        files.retain(|file| {
            let extension = file.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
            let empty = fs::metadata(file).map(|meta| meta.len() == 0).unwrap_or(true);
            match extension.as_str() {
                // What was reserved but not written is zeros; the tool reads an index together with its log.
                "log" | "index" | "timeindex" => !empty,
                "snapshot" => true,
                _ => false,
            }
        });
        // Fifty partitions of offsets that were never used tell nothing new.
        if files.iter().all(|file| file.extension().is_none_or(|extension| extension != "log")) {
            continue;
        }
        files.sort();
        for file in files {
            let path = file.to_string_lossy().into_owned();
            let mut args = vec!["--files", path.as_str()];
            if name.starts_with("__cluster_metadata") {
                args.push("--cluster-metadata-decoder");
            } else if name.starts_with("__consumer_offsets") && path.ends_with(".log") {
                args.push("--offsets-decoder");
            } else if path.ends_with(".log") {
                args.push("--deep-iteration");
            }
            let output = runner.tool("kafka-dump-log", &args, b"")?;
            let text = format!("{}{}", output.stdout, output.stderr);
            let complaint = ["Found", "isvalid: false", "rror", "xception", "Missing", "ismatch"]
                .iter()
                .find_map(|word| text.lines().find(|line| line.contains(word)));
            ensure!(output.code == 0 && complaint.is_none(), "{path}: {:?}", complaint.unwrap_or(&text));
            dumped += 1;
        }
    }
    ensure!(dumped >= 3, "only {dumped} files were there to be read");
    Ok(())
}

/// One broker writes log directories, another one opens them: records of every compression, topics, configs, group
/// offsets. No log is somewhere else afterwards.
pub(super) fn takeover(
    environment: &Environment,
    runner: &mut Runner<'_>,
    directory: &Path,
    log_dirs: &[&str],
    first: BrokerKind,
    second: BrokerKind,
    killed: bool,
) -> Result<()> {
    let mut writer = Broker::new(environment, first, directory).log_dirs(log_dirs);
    writer.start(runner)?;
    let bootstrap = writer.bootstrap();
    let server = ["--bootstrap-server", bootstrap.as_str()];
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("from-{codec}");
        let create =
            [&server[..], &["--create", "--topic", &topic, "--config", "retention.ms=7000000"]].concat();
        runner.tool("kafka-topics", &create, b"")?.success()?;
        let lines: String = (0..500).map(|number| format!("{codec} {number}\n")).collect();
        let produce = [&server[..], &["--topic", &topic, "--compression-codec", codec]].concat();
        runner.tool("kafka-console-producer", &produce, lines.as_bytes())?.success()?;
    }
    // Its partitions may have no directories yet.
    let create = ["--create", "--topic", UNTOUCHED, "--partitions", "3"];
    runner.tool("kafka-topics", &[&server[..], &create].concat(), b"")?.success()?;
    let read = ["--topic", "from-none", "--group", "takeover", "--from-beginning", "--max-messages", "100"];
    runner.tool("kafka-console-consumer", &[&server[..], &read].concat(), b"")?.success()?;
    let before = state(runner, &server)?;
    if killed {
        writer.kill()?
    } else {
        writer.stop()?
    }

    let placed = placed(directory, log_dirs)?;
    let mut reader = Broker::new(environment, second, directory).log_dirs(log_dirs).on_ports_of(&writer);
    reader.start(runner)?;
    let after = state(runner, &server)?;
    ensure!(before == after, "before:\n{before}\nafter:\n{after}");
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("from-{codec}");
        let consume =
            ["--topic", &topic, "--from-beginning", "--max-messages", "500", "--timeout-ms", "30000"];
        let output =
            runner.tool("kafka-console-consumer", &[&server[..], &consume].concat(), b"")?.success()?;
        let expected: String = (0..500).map(|number| format!("{codec} {number}\n")).collect();
        ensure!(output.stdout == expected, "{topic}: {} lines", output.stdout.lines().count());
    }
    // The rest of the group's records, and new ones.
    let rest =
        ["--topic", "from-none", "--group", "takeover", "--max-messages", "400", "--timeout-ms", "30000"];
    let output = runner.tool("kafka-console-consumer", &[&server[..], &rest].concat(), b"")?.success()?;
    ensure!(
        output.stdout.starts_with("none 100\n"),
        "the group goes on at {:?}",
        output.stdout.lines().next()
    );
    runner
        .tool("kafka-console-producer", &[&server[..], &["--topic", "from-none"]].concat(), b"new\n")?
        .success()?;
    let new = ["--topic", "from-none", "--partition", "0", "--offset", "500", "--max-messages", "1"];
    let output = runner.tool("kafka-console-consumer", &[&server[..], &new].concat(), b"")?.success()?;
    ensure!(output.stdout == "new\n", "{:?} is at offset 500", output.stdout);
    runner
        .tool("kafka-console-producer", &[&server[..], &["--topic", UNTOUCHED]].concat(), b"first\n")?
        .success()?;
    let first = ["--topic", UNTOUCHED, "--from-beginning", "--max-messages", "1", "--timeout-ms", "30000"];
    let output = runner.tool("kafka-console-consumer", &[&server[..], &first].concat(), b"")?.success()?;
    ensure!(output.stdout == "first\n", "{:?} is the first record", output.stdout);
    reader.check_alive()?;
    reader.stop()?;
    for (dir, before) in log_dirs.iter().zip(placed) {
        let moved: Vec<&String> =
            before.iter().filter(|name| !directory.join(dir).join(name).exists()).collect();
        ensure!(moved.is_empty(), "{moved:?} are no longer in {dir}");
    }
    Ok(())
}

/// The directories of partitions in each log directory; all of these have some.
fn placed(directory: &Path, log_dirs: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut placed = Vec::new();
    for dir in log_dirs {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory.join(dir))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(Some(name).filter(|name| name.starts_with("from-") || name.starts_with("__")));
        }
        ensure!(names.len() > 2, "{dir} has {names:?}");
        placed.push(names);
    }
    Ok(placed)
}

/// Topics with their ids and configs, the ends of partitions, and what groups committed, as Kafka's tools tell it.
fn state(runner: &mut Runner<'_>, server: &[&str]) -> Result<String> {
    let mut text = String::new();
    for (tool, args) in [
        ("kafka-topics", &["--describe", "--exclude-internal"][..]),
        ("kafka-get-offsets", &["--exclude-internal-topics"]),
        ("kafka-consumer-groups", &["--describe", "--group", "takeover"]),
    ] {
        let output = runner.tool(tool, &[server, args].concat(), b"")?.success()?;
        let mut lines: Vec<&str> = output.stdout.lines().collect();
        lines.sort_unstable();
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    Ok(text)
}
