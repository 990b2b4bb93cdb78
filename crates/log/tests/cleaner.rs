//! Compaction of one log, step by step: what stays, what a kill at each step leaves, what a failing disk and damage do.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::ControlFlow;

use common::*;
use ottla_log::cleaner::*;
use ottla_log::disk::{Disk, Fault, Op, OpenMode, SimDisk};
use ottla_log::{AbortedTxn, Log, LogConfig, LogError, OpenOptions};
use ottla_protocol::records::control::EndTransactionMarker;
use ottla_protocol::records::{BatchBuilder, BatchBytes, BatchHeader, batches};
use ottla_protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

const POLICY: CompactionPolicy = CompactionPolicy {
    min_cleanable_dirty_ratio: 0.0,
    min_compaction_lag_ms: 0,
    max_compaction_lag_ms: i64::MAX,
    delete_retention_ms: 100,
    segment_bytes: 600,
    segment_index_bytes: 10_000,
};

const MEMORY: CleanerMemory = CleanerMemory { dedupe_bytes: 100_000, load_factor: 0.9, io_bytes: 200 };

fn compacted() -> OpenOptions {
    let config =
        LogConfig { segment_bytes: 600, index_interval_bytes: 100, compact: true, ..LogConfig::default() };
    OpenOptions { config, ..options() }
}

fn open_compacted(disk: &SimDisk) -> Log {
    open_with(disk, compacted()).0
}

fn put(log: &mut Log, builder: BatchBuilder) -> Offset {
    let bytes = builder.build();
    put_bytes(log, &bytes)
}

fn put_bytes(log: &mut Log, bytes: &[u8]) -> Offset {
    let mut batch = BatchBytes::new(bytes).expect("sound");
    log.append(&mut batch, LeaderEpoch(1), 0).expect("appends").first_offset
}

/// A record of a key and a value; a value of nothing is a tombstone.
fn put_record(log: &mut Log, key: &str, value: &str) -> Offset {
    let mut builder = BatchBuilder::new();
    let value = (!value.is_empty()).then_some(value.as_bytes());
    builder.append(1000, Some(key.as_bytes()), value, &[]);
    put(log, builder)
}

fn range(log: &Log, policy: &CompactionPolicy, now_ms: i64) -> CompactionRange {
    let flushed = log.recovery_point();
    let facts = log.reader().compaction_facts(policy, flushed, flushed, log.cleaned_to(), now_ms);
    compaction_range(&facts.expect("facts"), policy, now_ms)
}

/// Compacts all that may be, as of a time.
fn clean_at(
    log: &mut Log,
    now_ms: i64,
    last: HashMap<ProducerId, LastRecord>,
) -> Result<CleanerStats, CleanError> {
    let range = range(log, &POLICY, now_ms);
    let mut cleaning = log.prepare_cleaning(range, POLICY, last, MEMORY, now_ms)?;
    let mut pace = |_| ControlFlow::Continue(());
    cleaning.gather_keys(&mut pace)?;
    while let Some(cleaned) = cleaning.next_group(&mut pace)? {
        match log.replace_segments(cleaned)? {
            Replaced::Done(old) => old.remove()?,
            Replaced::Outdated => return Err(CleanError::Aborted),
        }
    }
    log.set_cleaned_to(cleaning.end());
    Ok(cleaning.stats())
}

fn clean(log: &mut Log) -> Result<CleanerStats, CleanError> {
    log.roll(0).expect("rolls");
    log.flush(0).expect("flushes");
    clean_at(log, 5000, HashMap::new())
}

/// Key and value of all records, by offset; a tombstone has no value.
type Contents = BTreeMap<i64, (String, String)>;

fn contents(log: &Log) -> (Contents, Vec<BatchHeader>) {
    let reader = log.reader();
    let (mut records, mut headers) = (Contents::new(), Vec::new());
    let (mut next, end) = (log.log_start_offset(), log.log_end_offset());
    while let Some(region) = reader.read(next, 1 << 20, end, true).expect("in range").region {
        let mut bytes = Vec::new();
        region.read(&mut bytes).expect("reads");
        for batch in batches(&bytes) {
            let batch = batch.expect("whole batches");
            batch.verify_crc().expect("right checksum");
            if !batch.is_control() {
                for record in &batch.records(1 << 20).expect("readable") {
                    let record = record.expect("sound");
                    let text =
                        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"")).into_owned();
                    records.insert(record.offset.0, (text(record.key), text(record.value)));
                }
            }
            headers.push(*batch.header());
            next = batch.next_offset();
        }
    }
    (records, headers)
}

/// A log of several segments, of which most records are superseded.
fn filled(disk: &SimDisk) -> Log {
    let mut log = open_compacted(disk);
    for round in 0..40 {
        put_record(&mut log, &format!("key {}", round % 7), &format!("{round} {}", "x".repeat(round % 30)));
    }
    put_record(&mut log, "key 0", "");
    log.roll(0).expect("rolls");
    log.flush(0).expect("flushes");
    log
}

fn leftovers(disk: &SimDisk) -> Vec<String> {
    let names = disk.list(&dir()).expect("lists").into_iter().map(|entry| entry.name);
    names.filter(|name| name.ends_with(".cleaned") || name.ends_with(".swap")).collect()
}

#[test]
fn of_each_key_the_newest_record_stays() {
    let disk = new_disk();
    let mut log = filled(&disk);
    let stats = clean_at(&mut log, 5000, HashMap::new()).expect("cleans");
    assert_eq!((stats.keys, stats.records_read, stats.records_written), (7, 41, 7));
    let (records, headers) = contents(&log);
    let offsets: Vec<i64> = records.keys().copied().collect();
    assert_eq!(offsets, [33, 34, 36, 37, 38, 39, 40].as_slice(), "key 0 is a tombstone at the end");
    assert_eq!(log.cleaned_to(), Some(Offset(41)));
    assert!(headers.iter().all(|header| header.last_offset_delta == 0));
}

#[test]
fn tombstones_go_when_their_time_is_over() {
    let disk = new_disk();
    let mut log = filled(&disk);
    clean_at(&mut log, 5000, HashMap::new()).expect("cleans");
    let tombstone = |log: &Log| contents(log).0.contains_key(&40);
    let horizon = contents(&log).1.iter().find_map(BatchHeader::delete_horizon_ms);
    assert_eq!(horizon, Some(5100), "the first compaction says from when on a later one may take it");
    put_record(&mut log, "other", "something new");
    log.roll(0).expect("rolls");
    log.flush(0).expect("flushes");
    clean_at(&mut log, 5099, HashMap::new()).expect("cleans");
    assert!(tombstone(&log), "too early");
    assert_eq!(contents(&log).1.iter().find_map(BatchHeader::delete_horizon_ms), Some(5100), "said once");
    put_record(&mut log, "other", "something newer");
    log.roll(0).expect("rolls");
    log.flush(0).expect("flushes");
    clean_at(&mut log, 5100, HashMap::new()).expect("cleans");
    assert!(!tombstone(&log));
}

#[test]
fn killed_at_each_step_the_log_has_old_or_new_segments() {
    // What the log is before, and after each group of segments.
    let disk = new_disk();
    let mut log = filled(&disk);
    let mut states = vec![contents(&log).0];
    let range = range(&log, &POLICY, 5000);
    let mut cleaning = log.prepare_cleaning(range, POLICY, HashMap::new(), MEMORY, 5000).expect("is online");
    let mut pace = |_| ControlFlow::Continue(());
    cleaning.gather_keys(&mut pace).expect("gathers");
    while let Some(cleaned) = cleaning.next_group(&mut pace).expect("writes") {
        assert!(matches!(log.replace_segments(cleaned), Ok(Replaced::Done(_))));
        states.push(contents(&log).0);
    }
    assert!(states.len() > 3, "{} groups", states.len());
    let is_between = |read: &Contents| {
        states.windows(2).any(|pair| {
            let has = |whole: &Contents, part: &Contents| {
                part.iter().all(|(at, record)| whole.get(at) == Some(record))
            };
            has(&pair[0], read) && has(read, &pair[1])
        })
    };
    for changes in 0.. {
        let disk = new_disk();
        let mut log = filled(&disk);
        disk.stop_after(changes);
        let result = clean_at(&mut log, 5000, HashMap::new());
        if !disk.has_stopped() {
            result.expect("cleans");
            assert!(changes > 60, "only {changes} changes");
            return;
        }
        let seeds = [0, 1, 0xdead_beef].map(Some);
        for seed in seeds.into_iter().chain([None]) {
            let what = format!("{changes} changes, power {seed:?}");
            let disk = seed.map_or_else(|| disk.after_process_kill(), |seed| disk.after_power_failure(seed));
            for recovery_point in [0, 41] {
                let recovery_point = Offset(recovery_point);
                let options = OpenOptions { was_clean: false, recovery_point, ..compacted() };
                let (mut log, _) = open_with(&disk, options);
                let read = contents(&log).0;
                assert!(is_between(&read), "{what}: {read:?}");
                assert_eq!(log.log_end_offset(), Offset(41), "{what}");
                assert_eq!(leftovers(&disk), Vec::<String>::new(), "{what}");
                log.flush(0).expect("flushes");
                clean_at(&mut log, 5000, HashMap::new()).expect("cleans");
                assert_eq!(contents(&log).0, states[states.len() - 1], "{what}");
            }
        }
    }
}

#[test]
fn a_damaged_batch_ends_the_compaction_and_nothing_is_lost() {
    let disk = new_disk();
    let mut log = filled(&disk);
    let second = log.segment_facts().expect("facts")[1].base_offset;
    let path = dir().join(format!("{:020}.log", second.0));
    let file = disk.open(&path, OpenMode::Write).expect("opens");
    let mut byte = [0];
    file.read_at(&mut byte, 75).expect("reads");
    file.write_at(&[io::IoSlice::new(&[byte[0] ^ 1])], 75).expect("writes");
    let before = log.reader().size();
    let error = clean_at(&mut log, 5000, HashMap::new()).expect_err("the checksum is wrong");
    assert!(matches!(error, CleanError::Log(LogError::Corrupt { .. })), "{error}");
    assert_eq!(log.reader().size(), before);
    assert_eq!(leftovers(&disk), Vec::<String>::new());
}

#[test]
fn a_full_disk_loses_nothing_and_compaction_goes_on_when_there_is_room() {
    let disk = new_disk();
    let mut log = filled(&disk);
    let before = contents(&log).0;
    for partial in [false, true] {
        if partial {
            let fault = Fault::once(Op::Write, ".log.cleaned", io::ErrorKind::StorageFull);
            disk.inject(Fault { partial: 33, ..fault });
        } else {
            // Not even room for one group.
            disk.set_capacity(Some(log.reader().size() + 300));
        }
        match clean_at(&mut log, 5000, HashMap::new()).expect_err("the disk is full") {
            CleanError::Log(error) => assert!(error.is_storage_full(), "{error}"),
            CleanError::Aborted => panic!("nobody asked for it"),
        }
        // What was compacted before stays compacted.
        let now = contents(&log).0;
        assert!(now.iter().all(|(at, record)| before.get(at) == Some(record)));
        assert!([33, 34, 36, 37, 38, 39, 40].iter().all(|newest| now.contains_key(newest)));
        assert_eq!(leftovers(&disk), Vec::<String>::new());
        disk.set_capacity(None);
        put_record(&mut log, "another", "goes in");
        log.truncate_to(Offset(41), 0).expect("truncates").remove().expect("removes");
    }
    clean_at(&mut log, 5000, HashMap::new()).expect("cleans");
    assert_eq!(contents(&log).0.len(), 7);
}

#[test]
fn an_error_at_each_step_leaves_old_or_new_segments() {
    for op in [Op::Open, Op::Read, Op::Write, Op::Sync, Op::SyncDir, Op::Rename, Op::Remove] {
        for after in 0.. {
            let disk = new_disk();
            let mut log = filled(&disk);
            let before = contents(&log).0;
            disk.inject(Fault { after, ..Fault::once(op, "", io::ErrorKind::Other) });
            let result = clean_at(&mut log, 5000, HashMap::new());
            let is_done = result.is_ok();
            let options = OpenOptions { was_clean: false, recovery_point: Offset(41), ..compacted() };
            let (mut log, _) = open_with(&disk.after_process_kill(), options);
            let read = contents(&log).0;
            assert!(read.iter().all(|(at, record)| before.get(at) == Some(record)), "{op:?} {after}");
            clean_at(&mut log, 5000, HashMap::new()).expect("cleans");
            assert_eq!(contents(&log).0.len(), 7, "{op:?} {after}");
            if is_done && after > 40 {
                break;
            }
        }
    }
}

#[test]
fn readers_go_on_with_what_they_found() {
    let disk = new_disk();
    let mut log = filled(&disk);
    let region = log.reader().read(Offset(0), 1 << 20, Offset(41), true).expect("in range").region;
    let region = region.expect("bytes");
    let mut before = Vec::new();
    region.read(&mut before).expect("reads");
    clean_at(&mut log, 5000, HashMap::new()).expect("cleans");
    let mut after = Vec::new();
    region.read(&mut after).expect("reads what is removed");
    assert_eq!(before, after);
    assert!(log.reader().size() < 600);
}

#[test]
fn what_changes_meanwhile_breaks_the_compaction_off() {
    type Change = fn(&mut Log);
    let changes: [Change; 3] = [
        |log| drop(log.truncate_to(Offset(38), 0).expect("truncates").remove()),
        |log| drop(log.delete_segments(1, 0).expect("deletes").remove()),
        |log| drop(log.truncate_fully_and_start_at(Offset(100), 0).expect("truncates").remove()),
    ];
    for change in changes {
        let disk = new_disk();
        let mut log = filled(&disk);
        let range = range(&log, &POLICY, 5000);
        let mut cleaning =
            log.prepare_cleaning(range, POLICY, HashMap::new(), MEMORY, 5000).expect("is online");
        let mut pace = |_| ControlFlow::Continue(());
        cleaning.gather_keys(&mut pace).expect("gathers");
        let cleaned = cleaning.next_group(&mut pace).expect("writes").expect("a group");
        change(&mut log);
        let before = contents(&log).0;
        assert!(matches!(log.replace_segments(cleaned), Ok(Replaced::Outdated)));
        assert_eq!(contents(&log).0, before);
        assert_eq!(leftovers(&disk), Vec::<String>::new());
    }
}

#[test]
fn a_deleted_log_is_not_put_in_place() {
    let disk = new_disk();
    let mut log = filled(&disk);
    let range = range(&log, &POLICY, 5000);
    let mut cleaning = log.prepare_cleaning(range, POLICY, HashMap::new(), MEMORY, 5000).expect("is online");
    let mut pace = |_| ControlFlow::Continue(());
    cleaning.gather_keys(&mut pace).expect("gathers");
    let cleaned = cleaning.next_group(&mut pace).expect("writes").expect("a group");
    let deleted = log.delete(7).expect("renames");
    assert!(matches!(log.replace_segments(cleaned), Err(LogError::Offline { .. })));
    deleted.remove().expect("removes");
}

#[test]
fn breaking_off_leaves_nothing_behind() {
    let disk = new_disk();
    let mut log = filled(&disk);
    let range = range(&log, &POLICY, 5000);
    let mut cleaning = log.prepare_cleaning(range, POLICY, HashMap::new(), MEMORY, 5000).expect("is online");
    cleaning.gather_keys(&mut |_| ControlFlow::Continue(())).expect("gathers");
    let broken_off = cleaning.next_group(&mut |_| ControlFlow::Break(()));
    assert!(matches!(broken_off, Err(CleanError::Aborted)));
    assert_eq!(leftovers(&disk), Vec::<String>::new());
    let mut cleaning = log.prepare_cleaning(range, POLICY, HashMap::new(), MEMORY, 5000).expect("is online");
    assert!(matches!(cleaning.gather_keys(&mut |_| ControlFlow::Break(())), Err(CleanError::Aborted)));
    assert_eq!(log.log_end_offset(), Offset(41));
    put_record(&mut log, "goes", "on");
}

#[test]
fn the_last_batch_of_a_producer_stays_without_its_records() {
    let disk = new_disk();
    let mut log = open_compacted(&disk);
    let producer = |sequence| BatchBuilder::new().producer(ProducerId(9), ProducerEpoch(2), sequence);
    for sequence in 0..3 {
        let mut builder = producer(sequence);
        builder.append(1000, Some(b"key"), Some(b"value"), &[]);
        put(&mut log, builder);
    }
    put_record(&mut log, "key", "of nobody");
    log.roll(0).expect("rolls");
    log.flush(0).expect("flushes");
    let last = LastRecord { last_data_offset: Some(Offset(2)), producer_epoch: ProducerEpoch(2) };
    clean_at(&mut log, 5000, HashMap::from([(ProducerId(9), last)])).expect("cleans");
    let (records, headers) = contents(&log);
    assert_eq!(records.len(), 1);
    let of_producer: Vec<_> = headers.iter().filter(|header| header.producer_id == ProducerId(9)).collect();
    assert_eq!(of_producer.len(), 1, "{headers:?}");
    assert_eq!(
        (of_producer[0].base_offset, of_producer[0].last_sequence(), of_producer[0].record_count),
        (Offset(2), 2, 0)
    );
}

#[test]
fn the_end_of_what_is_compacted_is_never_lost() {
    let disk = new_disk();
    let mut log = open_compacted(&disk);
    for round in 0..3 {
        put_record(&mut log, "key", &format!("value {round}"));
        log.roll(0).expect("rolls");
    }
    // Only the last segment that may be compacted has records without key: nothing of it stays.
    let mut builder = BatchBuilder::new();
    builder.append(1000, None, Some(b"no key"), &[]);
    put(&mut log, builder);
    let stats = clean(&mut log).expect("cleans");
    assert_eq!(stats.records_without_key, 1);
    let (records, headers) = contents(&log);
    assert_eq!(records.len(), 1);
    assert_eq!(headers.last().map(BatchHeader::next_offset), Some(Offset(4)));
}

#[test]
fn aborted_records_go_and_their_markers_follow() {
    let disk = new_disk();
    let mut log = open_compacted(&disk);
    let (id, epoch) = (ProducerId(5), ProducerEpoch(0));
    let transaction = |log: &mut Log, sequence: i32, commit: bool| {
        let mut builder = BatchBuilder::new().producer(id, epoch, sequence).transactional(true);
        let key = format!("key {commit}");
        builder.append(1000, Some(key.as_bytes()), Some(b"in a transaction"), &[]);
        let first_offset = put(log, builder);
        let marker = EndTransactionMarker { commit, coordinator_epoch: 0 };
        let last_offset = put_bytes(log, &marker.to_batch(Offset(0), 1000, LeaderEpoch(1), id, epoch));
        if !commit {
            let txn =
                AbortedTxn { producer_id: id, first_offset, last_offset, last_stable_offset: last_offset };
            log.append_aborted_txn(&txn).expect("is noted");
        }
    };
    transaction(&mut log, 0, true);
    transaction(&mut log, 1, false);
    transaction(&mut log, 2, true);
    let markers = |log: &Log| {
        let headers = contents(log).1.into_iter().filter(|header| header.attributes.is_control());
        headers.map(|header| (header.base_offset.0, header.delete_horizon_ms())).collect::<Vec<_>>()
    };
    let aborted =
        |log: &Log| log.reader().aborted_txns(Offset(0), log.log_end_offset()).expect("reads").len();
    clean(&mut log).expect("cleans");
    // The first committed record is superseded, the aborted one gone; all markers were met with their data.
    assert_eq!(contents(&log).0.into_keys().collect::<Vec<_>>(), [4]);
    assert_eq!(markers(&log), [(1, None), (3, None), (5, None)]);
    assert_eq!(aborted(&log), 1);
    let next = |log: &mut Log, now_ms: i64| {
        put_record(log, "other", &now_ms.to_string());
        log.roll(0).expect("rolls");
        log.flush(0).expect("flushes");
        clean_at(log, now_ms, HashMap::new()).expect("cleans");
    };
    next(&mut log, 6000);
    assert_eq!(
        markers(&log),
        [(1, Some(6100)), (3, Some(6100)), (5, None)],
        "two have nothing to mark any more"
    );
    assert_eq!(aborted(&log), 0);
    next(&mut log, 6050);
    assert_eq!(markers(&log).len(), 3, "too early");
    next(&mut log, 6100);
    assert_eq!(markers(&log), [(5, None)]);
}
