//! `kafka-dump-log` beside Kafka's, on the same files: what brokers of both kinds wrote, and what was broken on purpose.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ottla_protocol::records::BatchBuilder;

use crate::broker::Broker;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::process::{self, Output};
use crate::report::Report;
use crate::suites::compaction::transactions;
use crate::suites::compaction::world::World;

/// How long a command, or a broker's work, may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Flags for the files of any partition.
const FLAGS: &[&[&str]] = &[
    &[],
    &["--deep-iteration"],
    &["--print-data-log"],
    &["--print-data-log", "--skip-record-metadata"],
    &["--deep-iteration", "--skip-record-metadata"],
    &["--verify-index-only"],
    &["--index-sanity-check"],
    &["--max-bytes", "900"],
    &["--max-message-size", "100"],
    &["--value-decoder-class", "org.apache.kafka.tools.api.StringDecoder"],
    &["--key-decoder-class", "org.apache.kafka.tools.api.StringDecoder", "--skip-record-metadata"],
];

/// Decoders for the topics whose names begin so.
const DECODERS: &[(&str, &[&str])] = &[
    (
        "numbers",
        &[
            "--key-decoder-class",
            "org.apache.kafka.tools.api.IntegerDecoder",
            "--value-decoder-class",
            "org.apache.kafka.tools.api.LongDecoder",
        ],
    ),
    ("numbers", &["--value-decoder-class", "org.apache.kafka.tools.api.IntegerDecoder"]),
    ("numbers", &["--value-decoder-class", "org.example.NoDecoder"]),
    ("__consumer_offsets", &["--offsets-decoder"]),
    ("__consumer_offsets", &["--offsets-decoder", "--skip-record-metadata"]),
    ("__transaction_state", &["--transaction-log-decoder"]),
    ("__share_group_state", &["--share-group-state-decoder"]),
    ("__cluster_metadata", &["--cluster-metadata-decoder"]),
    ("__cluster_metadata", &["--cluster-metadata-decoder", "--skip-record-metadata"]),
];

/// Runs the cases.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    for kind in [environment.under_test, Kind::Kafka] {
        let place = directory.path().join(kind.name());
        let mut broker = Broker::new(environment, kind, &place)
            .set("offsets.topic.num.partitions", "2")
            .set("transaction.state.log.num.partitions", "2")
            .set("share.coordinator.state.topic.num.partitions", "2")
            .set("log.cleaner.backoff.ms", "200")
            .set("log.index.interval.bytes", "2000");
        broker.start(&mut runner)?;
        write(&mut broker, &mut runner).with_context(|| format!("write by {}", kind.name()))?;
        broker.stop()?;
        for partition in partitions(&broker.data())? {
            let name =
                partition.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            report.case(&format!("{}_of_{}_is_dumped_alike", name, kind.name()), || {
                let mut tools = Tools { environment, runner: &mut runner, wrong: Vec::new() };
                let files = files(&partition)?;
                for flags in FLAGS {
                    tools.compare("", &files, flags)?;
                }
                for (_, flags) in DECODERS.iter().filter(|(topic, _)| name.starts_with(topic)) {
                    tools.compare("", &files, flags)?;
                }
                tools.verdict()
            });
        }
        if kind == Kind::Kafka {
            continue;
        }
        report.case("broken_files_are_dumped_alike", || {
            let mut tools = Tools { environment, runner: &mut runner, wrong: Vec::new() };
            broken(&mut tools, &broker.data(), directory.path())?;
            tools.verdict()
        });
    }
    Ok(())
}

/// Both tools.
struct Tools<'t, 'e> {
    environment: &'e Environment,
    runner: &'t mut Runner<'e>,
    /// What differs.
    wrong: Vec<String>,
}

impl Tools<'_, '_> {
    /// Notes where the two do not print the same of these files.
    fn compare(&mut self, what: &str, files: &[PathBuf], flags: &[&str]) -> Result<()> {
        let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let list = list.join(",");
        let args = [&["--files", &list][..], flags].concat();
        let kafkas = self.runner.tool("kafka-dump-log", &args, b"")?;
        let mut ours = Command::new(&self.environment.ottla);
        let ours = process::run(ours.arg("dump-log").args(&args), b"", LIMIT)?;
        let (kafkas, ours) = (lines(&kafkas), lines(&ours));
        if kafkas != ours {
            self.wrong.push(format!("{what} {flags:?}\n{}", differences(&kafkas, &ours).join("\n")));
        }
        Ok(())
    }

    fn verdict(self) -> Result<()> {
        ensure!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        Ok(())
    }
}

/// What is compared of an output: of a stack trace only its first line.
fn lines(output: &Output) -> Vec<String> {
    let mut lines = vec![format!("exit code {}", output.code)];
    lines.extend(output.stdout.lines().map(|line| format!("out: {line}")));
    let is_told = |line: &&str| !line.starts_with("\tat ") && !line.starts_with("\t... ");
    // A thread of its own would say whose exception it is.
    let plain = |line: &str| line.replace("Exception in thread \"main\" ", "");
    lines.extend(output.stderr.lines().filter(is_told).map(|line| format!("err: {}", plain(line))));
    // How many replacement characters bytes that are no UTF-8 make is the decoder's business.
    lines.into_iter().map(|line| without_runs(&line)).collect()
}

/// Each run of replacement characters made one.
fn without_runs(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for char in line.chars() {
        if char != char::REPLACEMENT_CHARACTER || !out.ends_with(char) {
            out.push(char);
        }
    }
    out
}

fn differences(expected: &[String], got: &[String]) -> Vec<String> {
    let mut told = Vec::new();
    for at in 0..expected.len().max(got.len()) {
        let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
        if line(expected) != line(got) {
            told.push(format!("Kafka: {}\nours:  {}", line(expected), line(got)));
        }
    }
    told.truncate(2);
    told
}

/// The directories of partitions that have a log with something in it.
fn partitions(data: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let has_records = |path: &Path| {
            let files = fs::read_dir(path).into_iter().flatten().flatten();
            files
                .filter(|file| file.path().extension().is_some_and(|e| e == "log"))
                .any(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 0))
        };
        if path.is_dir() && has_records(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Every file of a partition, those that no tool knows too.
fn files(partition: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(partition)?.map(|file| file.map(|f| f.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    Ok(files)
}

/// Batches of every kind that the broker takes.
fn write(broker: &mut Broker<'_>, runner: &mut Runner<'_>) -> Result<()> {
    let bootstrap = broker.bootstrap();
    let server = ["--bootstrap-server", bootstrap.as_str()];
    let mut world = World::new(broker)?;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("of-{codec}");
        world.create(&topic, &[])?;
        let lines = "h1:v1,h2:\tkey 1\tvalue 1\n∅\tkey ü\tvalue €\nh:x\tkey 3\t∅\n∅\t∅\tno key\n";
        let args = [
            "--topic",
            &topic,
            "--compression-codec",
            codec,
            "--property",
            "parse.key=true",
            "--property",
            "parse.headers=true",
            "--property",
            "null.marker=∅",
        ];
        for _ in 0..2 {
            runner
                .tool("kafka-console-producer", &[&server[..], &args].concat(), lines.as_bytes())?
                .success()?;
        }
    }
    world.create("numbers", &[])?;
    let mut batch = BatchBuilder::new();
    for number in 0..5_i32 {
        let value = (i64::from(number) << 33).to_be_bytes();
        batch.append(1_700_000_000_000 + i64::from(number), Some(&number.to_be_bytes()), Some(&value), &[]);
    }
    world.produce("numbers", &batch.build())?;
    world.create("appended", &[("message.timestamp.type", "LogAppendTime"), ("compression.type", "lz4")])?;
    world.create("rolled", &[("segment.bytes", "1048576"), ("retention.ms", "-1")])?;
    for number in 0..60_i64 {
        let mut batch = BatchBuilder::new();
        for record in 0..3 {
            batch.append(1_700_000_000_000 + number * 1000 + record, None, Some(&[b'v'; 9000]), &[]);
        }
        let batch = batch.build();
        world.produce("rolled", &batch)?;
        world.produce("appended", &batch)?;
    }
    world.delete_records("rolled", 20)?;
    for protocol in ["classic", "consumer"] {
        let property = format!("group.protocol={protocol}");
        let group = format!("by-{protocol}");
        let args = [
            "--topic",
            "of-none",
            "--group",
            &group,
            "--from-beginning",
            "--max-messages",
            "3",
            "--consumer-property",
            &property,
            "--timeout-ms",
            "20000",
        ];
        runner.tool("kafka-console-consumer", &[&server[..], &args].concat(), b"")?.success()?;
    }
    if broker.kind == Kind::Kafka {
        let args = [
            "--alter",
            "--entity-type",
            "groups",
            "--entity-name",
            "shared",
            "--add-config",
            "share.auto.offset.reset=earliest",
        ];
        runner.tool("kafka-configs", &[&server[..], &args].concat(), b"")?.success()?;
        let args = [
            "--bootstrap-server",
            &bootstrap,
            "--topic",
            "of-gzip",
            "--group",
            "shared",
            "--max-messages",
            "3",
            "--timeout-ms",
            "20000",
        ];
        runner.run("org.apache.kafka.tools.consumer.ConsoleShareConsumer", &args, b"")?.success()?;
        transactions::write(&mut world)?;
        world.set_ratio(transactions::TOPIC, "0")?;
        world.wait_until_compacted(transactions::TOPIC, LIMIT)?;
    }
    Ok(())
}

/// Copies of good files that are damaged, one at a time.
fn broken(tools: &mut Tools<'_, '_>, data: &Path, directory: &Path) -> Result<()> {
    let name = "00000000000000000000";
    let place = directory.join("broken-0");
    fs::create_dir_all(&place)?;
    let file = |extension: &str| place.join(format!("{name}.{extension}"));
    let reset = || -> Result<()> {
        for extension in ["log", "index", "timeindex"] {
            fs::copy(data.join("rolled-0").join(format!("{name}.{extension}")), file(extension))?;
        }
        Ok(())
    };
    let all = [file("log"), file("index"), file("timeindex")];
    let change = |path: &Path, change: &dyn Fn(&mut Vec<u8>)| -> Result<()> {
        let mut bytes = fs::read(path)?;
        change(&mut bytes);
        Ok(fs::write(path, bytes)?)
    };
    type Damage = (&'static str, &'static str, fn(&mut Vec<u8>));
    let damages: &[Damage] = &[
        ("a torn tail", "log", |bytes| bytes.truncate(bytes.len() - 100)),
        ("a few bytes at the end", "log", |bytes| bytes.extend([0; 5])),
        ("zeros at the end", "log", |bytes| bytes.extend([0; 4096])),
        ("a wrong checksum", "log", |bytes| bytes[200] ^= 1),
        ("a wrong offset", "log", |bytes| bytes[7] = 9),
        ("an empty log", "log", |bytes| bytes.clear()),
        ("an index of zeros", "index", |bytes| bytes.fill(0)),
        ("zeros behind an index", "index", |bytes| bytes.extend([0; 80])),
        ("half an entry in an index", "index", |bytes| bytes.truncate(bytes.len() - 3)),
        ("a wrong offset in an index", "index", |bytes| bytes[11] ^= 1),
        ("an empty index", "index", |bytes| bytes.clear()),
        ("a wrong offset in a time index", "timeindex", |bytes| bytes[23] ^= 1),
        ("a wrong time in a time index", "timeindex", |bytes| bytes[19] ^= 1),
        ("a time index out of order", "timeindex", |bytes| bytes[12..20].fill(0)),
        ("zeros behind a time index", "timeindex", |bytes| bytes.extend([0; 120])),
        ("half an entry in a time index", "timeindex", |bytes| bytes.truncate(bytes.len() - 5)),
    ];
    for (what, extension, damage) in damages {
        reset()?;
        change(&file(extension), damage)?;
        for file in &all {
            for flags in [&[][..], &["--verify-index-only"], &["--index-sanity-check"], &["--deep-iteration"]]
            {
                tools.compare(&format!("{what}: {}", file.display()), std::slice::from_ref(file), flags)?;
            }
        }
    }
    reset()?;
    fs::remove_file(file("log"))?;
    for file in &all {
        tools.compare("without the log", std::slice::from_ref(file), &[])?;
    }
    let unknown = [
        place.join("partition.metadata"),
        place.join("no-extension"),
        place.join("12x.log"),
        place.join("leader-epoch-checkpoint"),
    ];
    for file in &unknown {
        fs::write(file, b"")?;
        tools.compare("an unknown file", std::slice::from_ref(file), &[])?;
    }
    for name in [
        "00000000000000000003.snapshot",
        "00000000000000000003.txnindex",
        "00000000000000000003-0000000001.checkpoint",
    ] {
        let file = place.join(name);
        for bytes in [&b""[..], &[0; 40], &[7; 68]] {
            fs::write(&file, bytes)?;
            tools.compare(&format!("{name} of {} bytes", bytes.len()), std::slice::from_ref(&file), &[])?;
        }
    }
    Ok(())
}
