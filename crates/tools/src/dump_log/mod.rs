//! `kafka-dump-log`: prints what is in the files of a log directory: batches, records, indexes, snapshots.

mod index;
mod log;
mod records;

use std::fs::File;
use std::path::{Path, PathBuf};

use ottla_protocol::records::producer_snapshot;

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::{MapSize, hash_map_order, string_hash};
use crate::options::{Arguments, Opt};
use records::Decoder;

const TABLE: &[Opt] = &[
    Opt::flag("print-data-log", "Print the contents of records too; any decoder has the same effect."),
    Opt::flag("verify-index-only", "Check indexes and print nothing of them."),
    Opt::flag(
        "index-sanity-check",
        "Do the check of a starting broker on indexes, and print nothing of them.",
    ),
    Opt::text("files", "file1, file2, ...", "Required. The files, separated by commas."),
    Opt::integer("max-message-size", "size", "The size of the largest batch.").or("5242880"),
    Opt::integer("max-bytes", "size", "How much of a log is read.").or("2147483647"),
    Opt::flag("deep-iteration", "Look at each record, not at batches alone."),
    Opt::optional_text(
        "value-decoder-class",
        "class",
        "How values are read: org.apache.kafka.tools.api.StringDecoder, IntegerDecoder or LongDecoder.",
    )
    .or(records::STRING_DECODER),
    Opt::optional_text(
        "key-decoder-class",
        "class",
        "How keys are read: org.apache.kafka.tools.api.StringDecoder, IntegerDecoder or LongDecoder.",
    )
    .or(records::STRING_DECODER),
    Opt::flag("offsets-decoder", "The records are those of __consumer_offsets."),
    Opt::flag("transaction-log-decoder", "The records are those of __transaction_state."),
    Opt::flag("cluster-metadata-decoder", "The records are those of __cluster_metadata."),
    Opt::flag("remote-log-metadata-decoder", "The records are those of __remote_log_metadata."),
    Opt::flag("share-group-state-decoder", "The records are those of __share_group_state."),
    Opt::flag("skip-record-metadata", "Print the contents of records alone."),
];

const ABOUT: &str = "Print what is in the files of a log directory.";

/// The decoder of a topic whose records this version does not know.
const NOT_THERE: &str = "remote-log-metadata-decoder";
/// What makes the contents of records be printed.
const PRINTING: [&str; 8] = [
    "print-data-log",
    "offsets-decoder",
    "transaction-log-decoder",
    "cluster-metadata-decoder",
    "remote-log-metadata-decoder",
    "value-decoder-class",
    "key-decoder-class",
    "share-group-state-decoder",
];

/// What is to be printed.
struct Settings {
    prints_contents: bool,
    is_deep: bool,
    skips_metadata: bool,
    verifies_only: bool,
    checks_sanity_only: bool,
    max_message_size: u64,
    max_bytes: u64,
}

/// What is told of all files at the end: by file, in the order in which it was found.
#[derive(Default)]
struct Findings {
    index_mismatches: Vec<(PathBuf, Vec<(i64, i64)>)>,
    time_mismatches: Vec<(PathBuf, Vec<(i64, i64)>)>,
    time_disorder: Vec<(PathBuf, Vec<(i64, i64)>)>,
    missing_offsets: Vec<(PathBuf, Vec<(i64, i64)>)>,
    gaps: Vec<(PathBuf, Vec<(i64, i64)>)>,
}

/// Adds a finding of a file.
fn note(found: &mut Vec<(PathBuf, Vec<(i64, i64)>)>, file: &Path, pair: (i64, i64)) {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    match found.iter_mut().find(|(known, _)| *known == path) {
        Some((_, pairs)) => pairs.push(pair),
        None => found.push((path, vec![pair])),
    }
}

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => exception.uncaught(cx),
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = Arguments::parse(TABLE, words)?;
    arguments.answer_help(cx, ABOUT)?;
    arguments.require(cx, &["files"])?;
    let settings = settings(&arguments)?;
    let mut findings = Findings::default();
    let files = arguments.text("files")?.expect("its presence has been checked");
    for file in crate::java::split(files, ',') {
        let path = Path::new(file);
        writeln!(cx.out, "Dumping {file}")?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let suffix = name.rfind('.').map(|at| name[at..].to_owned());
        match suffix.as_deref() {
            Some(".log" | ".checkpoint") => {
                // A class that is not there is missed when a log is to be read, not before.
                let decoder = decoder(&arguments)?;
                log::dump(path, &name, &settings, &decoder, &mut findings, cx)?;
            }
            Some(".index") => index::dump_offsets(path, &name, &settings, &mut findings, cx)?,
            Some(".timeindex") => index::dump_times(path, &name, &settings, &mut findings, cx)?,
            Some(".snapshot") => dump_producers(path, cx)?,
            Some(".txnindex") => index::dump_transactions(path, cx)?,
            _ => writeln!(cx.err, "Ignoring unknown file {file}")?,
        }
    }
    tell(&findings, cx)?;
    Ok(())
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    if arguments.has(NOT_THERE) {
        return Err(Exception::illegal_argument(format!(
            "--{NOT_THERE} is not there: there is no tiered storage"
        ))
        .into());
    }
    let prints_contents = PRINTING.iter().any(|name| arguments.has(name));
    let size = |name| Ok::<_, Failure>(arguments.number::<i32>(name)?.unwrap_or_default());
    Ok(Settings {
        prints_contents,
        is_deep: arguments.has("deep-iteration") || prints_contents,
        skips_metadata: arguments.has("skip-record-metadata"),
        verifies_only: arguments.has("verify-index-only"),
        checks_sanity_only: arguments.has("index-sanity-check"),
        max_message_size: u64::try_from(size("max-message-size")?).unwrap_or(0),
        max_bytes: u64::try_from(size("max-bytes")?).unwrap_or(0),
    })
}

fn decoder(arguments: &Arguments) -> Result<Decoder, Failure> {
    Ok(if arguments.has("offsets-decoder") {
        Decoder::Coordinator(records::group_record)
    } else if arguments.has("transaction-log-decoder") {
        Decoder::Coordinator(records::transaction_record)
    } else if arguments.has("share-group-state-decoder") {
        Decoder::Coordinator(records::share_record)
    } else if arguments.has("cluster-metadata-decoder") {
        Decoder::Metadata
    } else {
        let class = |name| Ok::<_, Failure>(arguments.text(name)?.unwrap_or(records::STRING_DECODER));
        Decoder::classes(class("key-decoder-class")?, class("value-decoder-class")?)?
    })
}

fn tell(findings: &Findings, cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut tell = |found: &[(PathBuf, Vec<(i64, i64)>)], title: &str, line: &dyn Fn(i64, i64) -> String| {
        let found = hash_map_order(found.iter().collect(), MapSize::Default, |(file, _)| {
            string_hash(&file.to_string_lossy())
        });
        for (file, pairs) in found {
            writeln!(cx.err, "{title}{}", file.display())?;
            for (first, second) in pairs {
                writeln!(cx.err, "{}", line(*first, *second))?;
            }
        }
        Ok::<(), std::io::Error>(())
    };
    let mut mismatches = findings.index_mismatches.to_vec();
    for (_, pairs) in &mut mismatches {
        pairs.sort_by_key(|(offset, _)| std::cmp::Reverse(*offset));
    }
    tell(&mismatches, "Mismatches in :", &|a, b| format!("  Index offset: {a}, log offset: {b}"))?;
    tell(&findings.time_mismatches, "Found timestamp mismatch in :", &|a, b| {
        format!("  Index timestamp: {a}, log timestamp: {b}")
    })?;
    tell(&findings.time_disorder, "Found out of order timestamp in :", &|a, b| {
        format!("  Index timestamp: {a}, Previously indexed timestamp: {b}")
    })?;
    tell(&findings.missing_offsets, "The following indexed offsets are not found in :", &|a, b| {
        format!("Indexed offset: {a}, found log offset: {b}")
    })?;
    tell(&findings.gaps, "Non-consecutive offsets in ", &|a, b| format!("  {a} is followed by {b}"))?;
    Ok(())
}

fn dump_producers(path: &Path, cx: &mut Context<'_>) -> Result<(), Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let entries = match producer_snapshot::decode(&bytes) {
        Ok(entries) => entries,
        Err(error) => {
            writeln!(cx.err, "{}", snapshot_complaint(&bytes, &error.to_string()))?;
            return Ok(());
        }
    };
    for entry in entries {
        let first_offset = match entry.current_txn_first_offset.0 {
            -1 => "OptionalLong.empty".to_owned(),
            offset => format!("OptionalLong[{offset}]"),
        };
        write!(
            cx.out,
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {first_offset} \
             lastTimestamp: {}",
            entry.producer_id, entry.producer_epoch, entry.coordinator_epoch, entry.timestamp
        )?;
        if entry.last_offset.0 >= 0 {
            let first = ottla_protocol::records::decrement_sequence(entry.last_sequence, entry.offset_delta);
            write!(
                cx.out,
                " firstSequence: {first} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                entry.last_sequence, entry.last_offset, entry.offset_delta, entry.timestamp
            )?;
        }
        writeln!(cx.out)?;
    }
    Ok(())
}

/// What Kafka says of a snapshot that is none.
fn snapshot_complaint(bytes: &[u8], error: &str) -> String {
    let what = match bytes.first_chunk::<2>().map(|version| i16::from_be_bytes(*version)) {
        None => "null".to_owned(),
        Some(1) => return error.to_owned(),
        Some(version) => format!("Snapshot contained an unknown file version {version}"),
    };
    format!("Snapshot failed schema validation: {what}")
}

/// The first number in a file's name: the offset that it begins with.
fn start_offset(name: &str) -> Result<i64, Exception> {
    let digits = name.split('.').next().unwrap_or_default();
    digits.parse().map_err(|_| {
        Exception::new("java.lang.NumberFormatException", format!("For input string: \"{digits}\""))
    })
}

fn open(path: &Path) -> Result<File, Exception> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Exception {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Exception::new("java.nio.file.NoSuchFileException", path.display().to_string())
        }
        _ => Exception::file(&path.display().to_string(), error),
    }
}
