//! A log directory on the real disk: one that Apache Kafka 4.3.1 wrote (`kafka-4.3.1/`, with `UnifiedLog`,
//! `OffsetCheckpointFile`, `CleanShutdownFileHandler` and `MetaProperties`), and ones made here.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use common::{append, read_records};
use ottla_log::disk::RealDisk;
use ottla_log::{
    AbortedTxn, DirKind, Log, LogConfig, LogContext, LogDir, LogDirError, MetaProperties, OffsetCheckpoint,
    OpenOptions, TopicPartition,
};
use ottla_protocol::records::producer_snapshot;
use ottla_protocol::{Offset, ProducerId, Uuid};
use tempfile::TempDir;

/// The first timestamp in Kafka's directory.
const T: i64 = 1_700_000_000_000;

fn context() -> LogContext {
    LogContext::new(Arc::new(RealDisk), 100)
}

fn of_kafka() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka-4.3.1"), dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("makes");
    for entry in std::fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copies");
        }
    }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).expect("lists").map(|entry| entry.expect("an entry"));
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().expect("text"), std::fs::read(entry.path()).expect("reads"))
    };
    entries.map(read).collect()
}

fn kafkas_options(log_dir: &LogDir) -> OpenOptions {
    let config = LogConfig { segment_bytes: 600, index_interval_bytes: 150, ..LogConfig::default() };
    OpenOptions { config, ..log_dir.open_options(&TopicPartition::new("t", 0), 0) }
}

fn check_kafkas_log(log: &Log) {
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(3), Offset(38)));
    assert_eq!(log.topic_id(), Some(Uuid(0x1234_5678_9abc_u128.to_be_bytes())));
    let epochs: Vec<_> = log.epochs().entries().iter().map(|e| (e.epoch.0, e.start_offset.0)).collect();
    assert_eq!(epochs, [(0, 3), (1, 12), (2, 24), (3, 30)]);
    let offsets: Vec<i64> = read_records(log, 3, 38).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(offsets, (3..38).collect::<Vec<_>>());
    let reader = log.reader();
    // As Kafka's own lookup answered.
    let by_time = [
        (-5, 6, 30),
        (30, 6, 30),
        (35, 12, 60),
        (90, 18, 90),
        (95, 24, 120),
        (125, 30, 200),
        (200, 30, 200),
        (205, 32, 205),
        (210, 33, 210),
        (220, 34, 220),
        (230, 35, 230),
    ];
    for (wanted, offset, timestamp) in by_time {
        let found = reader.offset_for_timestamp(T + wanted).expect("looks up").expect("there");
        assert_eq!((found.offset, found.timestamp), (Offset(offset), T + timestamp), "{wanted}");
    }
    assert_eq!(reader.offset_for_timestamp(T + 235).expect("looks up"), None);
    let aborted = AbortedTxn {
        producer_id: ProducerId(42),
        first_offset: Offset(30),
        last_offset: Offset(33),
        last_stable_offset: Offset(34),
    };
    assert_eq!(reader.aborted_txns(Offset(0), Offset(100)).expect("reads"), [aborted]);
}

#[test]
fn a_directory_that_kafka_closed_is_opened_and_left_as_it_was() {
    let dir = of_kafka();
    let before = files(&dir.path().join("t-0"));
    let log_dir = LogDir::open(&context(), dir.path()).expect("opens");
    assert_eq!((log_dir.was_clean(), log_dir.previous_broker_epoch()), (true, Some(77)));
    let expected = MetaProperties::new("p8fFEbKGQ22B6M_Da_vCBw", 4, Uuid(100_u128.to_be_bytes()));
    assert_eq!(log_dir.meta_properties(), Some(&expected));
    let [partition] = &log_dir.partitions().expect("lists")[..] else { panic!("one partition") };
    assert_eq!((partition.topic_partition.to_string().as_str(), partition.kind), ("t-0", DirKind::Current));

    let (mut log, report) = Log::open(&context(), kafkas_options(&log_dir)).expect("opens");
    assert_eq!((report.scanned_segments, log.recovery_point()), (0, Offset(38)));
    check_kafkas_log(&log);
    let (at, bytes) = log.latest_snapshot(Offset(38)).expect("reads").expect("there");
    let producers = producer_snapshot::decode(&bytes).expect("sound");
    assert_eq!((at, producers.len(), producers[0].producer_id), (Offset(38), 1, ProducerId(42)));
    assert_eq!((producers[0].last_sequence, producers[0].current_txn_first_offset), (2, Offset(34)));
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    let after = files(&dir.path().join("t-0"));
    for (name, bytes) in &before {
        assert_eq!(after.get(name), Some(bytes), "{name}");
    }
}

#[test]
fn a_directory_of_a_killed_kafka_is_recovered_to_what_kafka_would_have_closed() {
    let dir = of_kafka();
    let before = files(&dir.path().join("t-0"));
    // A JVM's indexes are as large as they may become until they are closed, and its checkpoints lag behind.
    std::fs::remove_file(dir.path().join(".kafka_cleanshutdown")).expect("removes");
    std::fs::write(dir.path().join("recovery-point-offset-checkpoint"), "0\n1\nt 0 20\n").expect("writes");
    for ending in ["index", "timeindex"] {
        let path = dir.path().join(format!("t-0/00000000000000000030.{ending}"));
        std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .expect("opens")
            .set_len(10_485_756)
            .expect("fills");
    }
    let log_dir = LogDir::open(&context(), dir.path()).expect("opens");
    assert!(!log_dir.was_clean());
    let (mut log, report) = Log::open(&context(), kafkas_options(&log_dir)).expect("opens");
    assert_eq!((report.scanned_segments, &report.cuts[..]), (2, &[][..]));
    check_kafkas_log(&log);
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    let after = files(&dir.path().join("t-0"));
    for (name, bytes) in before.iter().filter(|(name, _)| !name.ends_with(".snapshot")) {
        assert_eq!(after.get(name), Some(bytes), "{name}");
    }
}

#[test]
fn a_directory_belongs_to_one_process_and_one_part_of_it() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("new/data");
    let first = LogDir::open(&context(), &path).expect("opens");
    for _ in 0..2 {
        let error = LogDir::open(&context(), &path).expect_err("locked");
        assert!(matches!(error, LogDirError::Locked { .. }), "{error}");
    }
    drop(first);
    LogDir::open(&context(), &path).expect("opens");
    let file = dir.path().join("a file");
    std::fs::write(&file, "").expect("writes");
    let error = LogDir::open(&context(), &file).expect_err("a file");
    assert!(matches!(error, LogDirError::NotADirectory { .. }), "{error}");
}

#[test]
fn a_clean_shutdown_counts_once() {
    let dir = TempDir::new().expect("a directory");
    let open = || LogDir::open(&context(), dir.path()).expect("opens");
    assert!(!open().was_clean());
    open().write_clean_shutdown(5).expect("writes");
    let log_dir = open();
    assert_eq!((log_dir.was_clean(), log_dir.previous_broker_epoch()), (true, Some(5)));
    drop(log_dir);
    assert!(!open().was_clean());
}

#[test]
fn checkpoints_read_back_and_damaged_ones_examine_everything() {
    let dir = TempDir::new().expect("a directory");
    let partition = |n| TopicPartition::new("with-dashes.and_dots", n);
    let log_dir = LogDir::open(&context(), dir.path()).expect("opens");
    let offsets = BTreeMap::from([(partition(0), Offset(7)), (partition(12), Offset(0))]);
    let given = || offsets.iter().map(|(partition, offset)| (partition, *offset));
    for checkpoint in [OffsetCheckpoint::RecoveryPoint, OffsetCheckpoint::Replication] {
        log_dir.write_checkpoint(checkpoint, given()).expect("writes");
        assert_eq!(log_dir.read_checkpoint(checkpoint).expect("reads"), offsets);
    }
    drop(log_dir);
    let recovery_point = || {
        let log_dir = LogDir::open(&context(), dir.path()).expect("opens");
        log_dir.open_options(&partition(0), 0).recovery_point
    };
    assert_eq!(recovery_point(), Offset(7));
    let path = dir.path().join(OffsetCheckpoint::RecoveryPoint.file_name());
    for damaged in ["", "0\n", "1\n0\n", "0\n2\nt 0 7\n", "0\n1\nt 0\n", "0\nx\n", "\u{0}\u{0}"] {
        std::fs::write(&path, damaged).expect("writes");
        assert_eq!(recovery_point(), Offset(0), "{damaged:?}");
    }
}

#[test]
fn many_logs_are_opened_at_once() {
    let dir = TempDir::new().expect("a directory");
    let partitions: Vec<_> = (0..40).map(|n| TopicPartition::new("t", n)).collect();
    let log_dir = LogDir::open(&context(), dir.path()).expect("opens");
    let options = || partitions.iter().map(|partition| log_dir.open_options(partition, 0)).collect();
    for (n, opened) in log_dir.open_logs(options(), 4).into_iter().enumerate() {
        let (mut log, _) = opened.expect("opens");
        for _ in 0..n {
            append(&mut log, &[1], 1);
        }
    }
    std::fs::write(dir.path().join("t-7/00000000000000000000.log"), "damaged").expect("writes");
    for (n, opened) in log_dir.open_logs(options(), 3).into_iter().enumerate() {
        let (log, report) = opened.expect("opens");
        let expected = if n == 7 { 0 } else { n as i64 };
        assert_eq!(log.log_end_offset(), Offset(expected));
        assert_eq!(report.cuts.len(), usize::from(n == 7));
    }
    let found = log_dir.partitions().expect("lists");
    assert_eq!(found.len(), 40);
}
