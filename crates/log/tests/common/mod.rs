//! What the tests of a log share: a log on a disk in memory, and batches to put into it.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod random;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_log::disk::{Disk, OpenMode, SimDisk, read_file, write_all_at};
use ottla_log::{
    AppendInfo, Log, LogConfig, LogContext, LogError, OpenOptions, RecoveryReport, TopicPartition,
};
use ottla_protocol::records::{BatchBuilder, BatchBytes, batches};
use ottla_protocol::{LeaderEpoch, Offset};

pub(crate) fn partition() -> TopicPartition {
    TopicPartition::new("orders", 3)
}

pub(crate) fn dir() -> PathBuf {
    PathBuf::from("/data/orders-3")
}

/// A disk with the log directory on it.
pub(crate) fn new_disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/data")).expect("makes");
    disk.sync_dir(Path::new("/")).expect("syncs");
    disk
}

/// Opens what an unclean stop left.
pub(crate) fn recover(disk: &SimDisk, recovery_point: i64) -> (Log, RecoveryReport) {
    let recovery_point = Offset(recovery_point);
    open_with(disk, OpenOptions { was_clean: false, recovery_point, ..options() })
}

pub(crate) fn context(disk: &SimDisk) -> LogContext {
    LogContext::new(Arc::new(disk.clone()), 8)
}

/// Small segments and many index entries.
pub(crate) fn config() -> LogConfig {
    LogConfig { segment_bytes: 2000, index_interval_bytes: 200, ..LogConfig::default() }
}

pub(crate) fn options() -> OpenOptions {
    OpenOptions { config: config(), defers_dir: true, ..OpenOptions::new(partition(), dir(), 0) }
}

pub(crate) fn open_with(disk: &SimDisk, options: OpenOptions) -> (Log, RecoveryReport) {
    Log::open(&context(disk), options).expect("opens")
}

pub(crate) fn open(disk: &SimDisk) -> Log {
    open_with(disk, options()).0
}

/// A batch whose records have the timestamps.
pub(crate) fn batch(timestamps: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for timestamp in timestamps {
        let value = format!("value of {timestamp} {}", "x".repeat(*timestamp as usize % 50));
        builder.append(*timestamp, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder.build()
}

pub(crate) fn append(log: &mut Log, timestamps: &[i64], epoch: i32) -> AppendInfo {
    let bytes = batch(timestamps);
    let mut batch = BatchBytes::new(&bytes).expect("sound");
    log.append(&mut batch, LeaderEpoch(epoch), timestamps[0]).expect("appends")
}

/// Offsets and timestamps of all records that can be read from `start` up to `upper_bound`, around what is known to be
/// damaged.
pub(crate) fn read_records(log: &Log, start: i64, upper_bound: i64) -> Vec<(i64, i64)> {
    let reader = log.reader();
    let mut records = Vec::new();
    let mut next = Offset(start);
    loop {
        let read = match reader.read(next, 300, Offset(upper_bound), true) {
            Err(LogError::Corrupt { .. }) => {
                next = reader.end_of_damage(next).expect("damage that is known");
                continue;
            }
            other => other.expect("in range"),
        };
        let Some(region) = read.region else { return records };
        let mut bytes = Vec::new();
        region.read(&mut bytes).expect("reads");
        let mut any = false;
        for batch in batches(&bytes).map_while(Result::ok) {
            assert_eq!(batch.verify_crc(), Ok(()));
            for record in &batch.records(1 << 20).expect("readable") {
                let record = record.expect("sound");
                if record.offset >= next {
                    records.push((record.offset.0, record.timestamp));
                }
            }
            next = batch.next_offset();
            any = true;
        }
        assert!(any, "a region begins with a whole batch");
    }
}

/// Whether an offset is within what is known to be damaged.
pub(crate) fn is_damaged(log: &Log, offset: i64) -> bool {
    log.reader().damaged_ranges().iter().any(|range| range.offsets.contains(&Offset(offset)))
}

pub(crate) fn all_records(log: &Log) -> Vec<(i64, i64)> {
    read_records(log, log.log_start_offset().0, log.log_end_offset().0)
}

pub(crate) const LOG_0: &str = "00000000000000000000.log";

pub(crate) fn contents(disk: &SimDisk, name: &str) -> Vec<u8> {
    read_file(disk, &dir().join(name), 1 << 20).expect("reads")
}

pub(crate) fn replace(disk: &SimDisk, name: &str, bytes: &[u8]) {
    let file = disk.open(&dir().join(name), OpenMode::CreateEmpty).expect("opens");
    write_all_at(&*file, bytes, &[], 0).expect("writes");
}

pub(crate) fn names(disk: &SimDisk) -> Vec<String> {
    let mut names: Vec<String> = disk.list(&dir()).expect("lists").into_iter().map(|e| e.name).collect();
    names.sort();
    names
}

/// A log of `count` batches of one record, flushed at `flushed`, whose process was killed.
pub(crate) fn killed(count: i64, flushed: i64) -> (SimDisk, Vec<(i64, i64)>) {
    let disk = new_disk();
    let mut log = open(&disk);
    for n in 0..count {
        if n == flushed {
            log.flush(0).expect("flushes");
        }
        append(&mut log, &[n], n as i32 / 7);
    }
    (disk.clone(), all_records(&log))
}

/// Bytes of the first batches.
pub(crate) fn whole_batches(bytes: &[u8], count: usize) -> usize {
    ottla_protocol::records::batches(bytes).take(count).map(|batch| batch.expect("sound").size()).sum()
}
