//! Files cut, filled and garbled: recovery cuts a torn tail off and says so. Damage that is kept is in `kept_damage.rs`,
//! and what is answered without helper files in `helper_files.rs`.

mod common;

use std::io::ErrorKind;

use common::*;
use ottla_log::disk::{Disk, Fault, Op, SimDisk};
use ottla_log::{AbortedTxn, Log, LogConfig, LogError, OpenOptions};
use ottla_protocol::records::BatchBytes;
use ottla_protocol::{LeaderEpoch, Offset, ProducerId};

#[test]
fn a_tail_torn_anywhere_is_cut_at_the_last_whole_batch_and_said() {
    let (disk, records) = killed(5, -1);
    let bytes = contents(&disk, LOG_0);
    let ends: Vec<usize> = (1..=5).map(|n| whole_batches(&bytes, n)).collect();
    for cut in 0..=bytes.len() {
        let disk = disk.after_process_kill();
        replace(&disk, LOG_0, &bytes[..cut]);
        let (log, report) = recover(&disk, 0);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(all_records(&log), records[..whole], "cut at {cut}");
        let sound = whole.checked_sub(1).map_or(0, |last| ends[last]);
        if cut == sound {
            assert_eq!(report.cuts, []);
        } else {
            let [said] = &report.cuts[..] else { panic!("{report:?}") };
            assert_eq!((said.position, said.bytes), (sound as u64, (cut - sound) as u64));
            assert_eq!((&said.path, said.offset), (&dir().join(LOG_0), Offset(whole as i64)));
        }
        assert_eq!(contents(&disk, LOG_0).len(), sound);
    }
}

#[test]
fn a_tail_of_zeros_or_garbage_is_cut() {
    let (disk, records) = killed(5, -1);
    let bytes = contents(&disk, LOG_0);
    let garbage: Vec<u8> = (0..5000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for tail in [vec![0; 10_000], garbage, bytes[..61].to_vec(), bytes.clone()] {
        let disk = disk.after_process_kill();
        replace(&disk, LOG_0, &[&bytes[..], &tail[..]].concat());
        let (mut log, report) = recover(&disk, 0);
        assert_eq!(all_records(&log), records);
        assert_eq!(report.cuts[0].bytes, tail.len() as u64);
        append(&mut log, &[77], 1);
        assert_eq!(all_records(&log).len(), 6);
    }
}

#[test]
fn only_segments_from_the_recovery_point_on_are_read() {
    let (disk, records) = killed(60, 40);
    let (log, report) = recover(&disk, 40);
    assert_eq!(all_records(&log), records);
    let facts = log.segment_facts().expect("facts");
    let from = facts.iter().rposition(|segment| segment.base_offset <= Offset(40)).expect("one");
    assert_eq!(report.scanned_segments as usize, facts.len() - from);
    assert_eq!(report.scanned_bytes, facts[from..].iter().map(|segment| segment.size).sum::<u64>());
}

#[test]
fn random_files_never_make_it_panic() {
    let (disk, _) = killed(30, 20);
    let mut seed = 88_172_645_463_325_252_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..400 {
        let disk = disk.after_process_kill();
        for name in names(&disk) {
            let mut bytes = contents(&disk, &name);
            for _ in 0..random() % 4 {
                if !bytes.is_empty() {
                    let at = random() as usize % bytes.len();
                    bytes[at] = random() as u8;
                }
            }
            if random() % 8 == 0 {
                bytes.truncate(random() as usize % (bytes.len() + 1));
            }
            replace(&disk, &name, &bytes);
        }
        for was_clean in [true, false] {
            let disk = disk.after_process_kill();
            let recovery_point = Offset((random() % 40) as i64);
            let options = OpenOptions { was_clean, recovery_point, ..options() };
            let Ok((mut log, _)) = Log::open(&context(&disk), options) else { continue };
            let reader = log.reader();
            for offset in (0..40).step_by(3) {
                let _ = reader.read(Offset(offset), 100, Offset(100), true);
                let _ = reader.offset_for_timestamp(offset);
            }
            let _ = reader.offset_of_max_timestamp();
            let _ = reader.aborted_txns(Offset(0), Offset(100));
            let _ = log.segment_facts();
            let _ = log.replay(Offset(0), |_| Ok(()));
            let _ = log.close();
        }
    }
}

#[test]
fn a_full_disk_refuses_and_the_log_goes_on_when_there_is_room() {
    let disk = new_disk();
    let mut log = open(&disk);
    append(&mut log, &[1], 1);
    disk.set_capacity(Some(200));
    let bytes = batch(&[2; 5]);
    for _ in 0..3 {
        let mut batch = BatchBytes::new(&bytes).expect("sound");
        let error = log.append(&mut batch, LeaderEpoch(1), 0).expect_err("full");
        assert!(error.is_storage_full() && !error.is_storage_failure(), "{error}");
        assert_eq!(log.log_end_offset(), Offset(1));
    }
    assert_eq!(all_records(&log), [(0, 1)]);
    disk.set_capacity(None);
    append(&mut log, &[3], 1);
    assert_eq!(all_records(&log), [(0, 1), (1, 3)]);
}

#[test]
fn a_full_disk_at_rolling_leaves_the_log_as_it_was() {
    for op in [Op::Open, Op::Write, Op::SetLen] {
        let disk = new_disk();
        let mut log = open(&disk);
        let mut count = 0;
        // Up to just before the segment is full.
        while !log.should_roll(&facts_of(40, count), count).expect("decides") {
            append(&mut log, &[count], 1);
            count += 1;
        }
        disk.inject(Fault::once(op, "/", ErrorKind::StorageFull));
        let bytes = batch(&[40]);
        let result = log.append(&mut BatchBytes::new(&bytes).expect("sound"), LeaderEpoch(1), 0);
        let appended = i64::from(result.is_ok());
        assert_eq!(log.log_end_offset(), Offset(count + appended), "{op:?}");
        append(&mut log, &[count], 1);
        assert_eq!(all_records(&log).len() as i64, count + appended + 1, "{op:?}");
    }
}

/// The files beside the batches are written by the flush: epochs, the topic's id, the last entries of indexes.
#[test]
fn a_disk_that_is_too_full_for_a_flush_takes_it_when_there_is_room() {
    for file in ["leader-epoch-checkpoint", "partition.metadata", "index"] {
        let disk = new_disk();
        let mut log = open(&disk);
        for timestamp in 0..20 {
            append(&mut log, &[timestamp], 1);
        }
        let end_offset = log.log_end_offset();
        disk.inject(Fault { times: 3, ..Fault::once(Op::Write, file, ErrorKind::StorageFull) });
        for _ in 0..3 {
            if let Err(error) = log.flush(0) {
                assert!(error.is_storage_full(), "{file}: {error}");
                assert_eq!(log.recovery_point(), Offset(0), "{file}");
            }
        }
        append(&mut log, &[20], 1);
        log.flush(0).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(log.recovery_point(), Offset(end_offset.0 + 1), "{file}");
        // All of it is durable: the power may fail.
        let log = open(&disk.after_power_failure(0));
        assert_eq!(all_records(&log).len(), 21, "{file}");
    }
}

fn facts_of(timestamp: i64, offset: i64) -> ottla_log::RollFacts {
    let size = batch(&[timestamp]).len();
    ottla_log::RollFacts { size, max_timestamp: timestamp, last_offset: Offset(offset) }
}

#[test]
fn after_a_sync_that_failed_nothing_is_written_any_more() {
    let disk = new_disk();
    let mut log = open(&disk);
    append(&mut log, &[1], 1);
    log.flush(0).expect("flushes");
    append(&mut log, &[2], 1);
    disk.inject(Fault::once(Op::Sync, ".log", ErrorKind::Other));
    let error = log.flush(0).expect_err("EIO");
    assert!(error.is_storage_failure(), "{error}");
    assert_eq!(log.recovery_point(), Offset(1));
    let bytes = batch(&[2]);
    let error = log.append(&mut BatchBytes::new(&bytes).expect("sound"), LeaderEpoch(1), 0);
    assert!(matches!(error, Err(LogError::Offline { .. })));
    assert!(matches!(log.flush(0), Err(LogError::Offline { .. })));
    assert_eq!(read_records(&log, 0, 1), [(0, 1)], "what is on the disk can be read");
    assert!(matches!(log.close(), Err(LogError::Offline { .. })));
}

/// A disk that fails under an index is one that fails; one that is full is not.
#[test]
fn an_index_that_cannot_be_written_ends_the_log_unless_the_disk_is_full() {
    for (kind, ends) in [(ErrorKind::Other, true), (ErrorKind::StorageFull, false)] {
        let disk = new_disk();
        let config = LogConfig { index_interval_bytes: 0, ..LogConfig::default() };
        let (mut log, _) = open_with(&disk, OpenOptions { config, ..options() });
        disk.inject(Fault { times: u32::MAX, ..Fault::once(Op::Write, "index", kind) });
        let failed = (0..1000).find_map(|timestamp| {
            let bytes = batch(&[timestamp]);
            log.append(&mut BatchBytes::new(&bytes).expect("sound"), LeaderEpoch(1), 0).err()
        });
        assert_eq!(failed.is_some_and(|error| error.is_storage_failure()), ends, "{kind}");
        assert_eq!(log.is_online(), !ends, "{kind}");
        // What was acknowledged can be read, nothing else.
        let end = log.log_end_offset();
        assert_eq!(all_records(&log).len() as i64, end.0, "{kind}");
    }
}

#[test]
fn a_flush_from_before_a_truncation_says_nothing_about_what_came_after() {
    let disk = new_disk();
    let mut log = open(&disk);
    append(&mut log, &[1, 2, 3], 1);
    let flush = log.prepare_flush().expect("online").expect("something");
    flush.run().expect("syncs");
    log.truncate_to(Offset(0), 0).expect("truncates").remove().expect("removes");
    append(&mut log, &[4, 5, 6], 2);
    log.flushed(&flush, true, 0);
    assert_eq!(log.recovery_point(), Offset(0));
}

#[test]
fn one_sync_makes_many_appends_durable() {
    let disk = new_disk();
    let mut log = open(&disk);
    append(&mut log, &[0], 1);
    log.flush(0).expect("flushes");
    for n in 1..10 {
        append(&mut log, &[n], 1);
    }
    let before = disk.syncs();
    log.flush(0).expect("flushes");
    assert_eq!(disk.syncs(), before + 1);
    log.flush(0).expect("nothing to do");
    assert_eq!(disk.syncs(), before + 1);
    let (log, _) = recover(&disk.after_power_failure(0), 10);
    assert_eq!(all_records(&log).len(), 10);
}

#[test]
fn an_append_is_one_write() {
    let disk = new_disk();
    let mut log = open(&disk);
    append(&mut log, &[0], 1);
    let before = disk.writes();
    append(&mut log, &[1], 1);
    assert_eq!(disk.writes(), before + 1);
}

#[test]
fn an_interrupted_cleaning_is_completed_or_undone() {
    let (disk, records) = {
        let (disk, _) = killed(60, -1);
        let (mut log, _) = recover(&disk, 0);
        log.flush(0).expect("flushes");
        let records = all_records(&log);
        log.close().expect("closes");
        (disk, records)
    };
    let first = contents(&disk, LOG_0);
    // Written, but not all of it: removed.
    let undone = disk.after_process_kill();
    replace(&undone, &format!("{LOG_0}.cleaned"), &first[..100]);
    replace(&undone, "00000000000000000000.index.cleaned", b"");
    assert_eq!(all_records(&open(&undone)), records);
    assert!(names(&undone).iter().all(|name| !name.contains("cleaned")));
    // Written and being put in place: the first segment without its second batch, say.
    let (start, end) = (whole_batches(&first, 1), whole_batches(&first, 2));
    let completed = disk.after_process_kill();
    replace(&completed, &format!("{LOG_0}.swap"), &[&first[..start], &first[end..]].concat());
    let (log, report) = open_with(&completed, options());
    let mut expected = records.clone();
    expected.remove(1);
    assert_eq!(all_records(&log), expected);
    assert_eq!(report.completed_swaps, [dir().join(LOG_0)]);
    // Of a splitting that was not complete: removed.
    let split = disk.after_process_kill();
    replace(&split, &format!("{LOG_0}.cleaned"), b"");
    replace(&split, "00000000000000000003.log.swap", &first[..start]);
    assert_eq!(all_records(&open(&split)), records);
}

#[test]
fn what_was_to_be_removed_is_removed() {
    let (disk, records) = killed(5, -1);
    for name in ["00000000000000000000.log.deleted", "00000000000000000009.index", "9-1.checkpoint.deleted"] {
        replace(&disk, name, b"x");
    }
    assert_eq!(all_records(&recover(&disk, 0).0), records);
    let left = names(&disk);
    assert!(!left.contains(&"00000000000000000000.log.deleted".to_owned()));
    assert!(!left.contains(&"00000000000000000009.index".to_owned()), "an index without its segment");
    assert!(left.contains(&"9-1.checkpoint.deleted".to_owned()), "not this log's business");
}

#[test]
fn snapshots_are_kept_where_they_are_of_use() {
    let disk = new_disk();
    let mut log = open(&disk);
    for n in 0..60 {
        let roll = log.should_roll(&facts_of(n, n), n).expect("decides");
        if roll {
            log.roll(n).expect("rolls");
            log.write_snapshot(Offset(n), format!("at {n}").as_bytes(), false).expect("writes");
        }
        append(&mut log, &[n], 1);
    }
    log.write_snapshot(Offset(33), b"at 33", false).expect("writes");
    log.flush(0).expect("flushes");
    log.write_snapshot(Offset(60), b"at 60", true).expect("writes");
    log.close().expect("closes");
    let mut log = open(&disk);
    let bases: Vec<Offset> =
        log.segment_facts().expect("facts").iter().map(|s| s.base_offset).skip(1).collect();
    let expected: Vec<Offset> = bases.iter().copied().chain([Offset(60)]).collect();
    assert_eq!(log.snapshots().collect::<Vec<_>>(), expected, "the stray one is gone");
    let latest = log.latest_snapshot(Offset(59)).expect("reads").expect("there");
    assert_eq!(latest, (bases[bases.len() - 1], format!("at {}", bases[bases.len() - 1]).into_bytes()));
    log.truncate_to(bases[2], 0).expect("truncates").remove().expect("removes");
    assert_eq!(log.snapshots().last(), Some(bases[2]));
    log.delete_segments(2, 0).expect("deletes").remove().expect("removes");
    assert_eq!(log.snapshots().collect::<Vec<_>>(), bases[1..3], "that of the new first segment stays");
}

#[test]
fn snapshots_after_the_recovery_point_are_not_trusted_after_an_unclean_stop() {
    let disk = new_disk();
    let mut log = open(&disk);
    for n in 0..20 {
        append(&mut log, &[n], 1);
    }
    log.flush(0).expect("flushes");
    log.roll(0).expect("rolls");
    log.write_snapshot(Offset(20), b"at 20", false).expect("writes");
    append(&mut log, &[20], 1);
    let (log, _) = recover(&disk, 15);
    assert_eq!(log.latest_snapshot(Offset(21)).expect("reads"), None);
    let mut replayed = Vec::new();
    log.replay(Offset(0), |batch| {
        replayed.push(batch.header.base_offset.0);
        Ok(())
    })
    .expect("replays");
    assert_eq!(replayed, (0..21).collect::<Vec<_>>());
}

#[test]
fn aborted_transactions_are_found_and_survive() {
    let disk = new_disk();
    let mut log = open(&disk);
    for n in 0..40 {
        append(&mut log, &[n], 1);
    }
    let aborted = |first: i64, last: i64| AbortedTxn {
        producer_id: ProducerId(first),
        first_offset: Offset(first),
        last_offset: Offset(last),
        last_stable_offset: Offset(last + 1),
    };
    let all = [aborted(2, 5), aborted(3, 20), aborted(25, 30)];
    for entry in &all {
        log.append_aborted_txn(entry).expect("notes");
        log.append_aborted_txn(entry).expect("notes it once");
    }
    let check = |log: &Log| {
        let reader = log.reader();
        let find = |start, end| reader.aborted_txns(Offset(start), Offset(end)).expect("reads");
        assert_eq!(find(0, 40), all);
        assert_eq!(find(6, 40), all[1..]);
        assert_eq!(find(21, 25), []);
        assert_eq!(find(0, 3), all[..1]);
    };
    check(&log);
    log.flush(0).expect("flushes");
    check(&recover(&disk.after_power_failure(0), 40).0);
    log.truncate_to(Offset(20), 0).expect("truncates").remove().expect("removes");
    assert_eq!(log.reader().aborted_txns(Offset(0), Offset(40)).expect("reads"), all[..1]);
    // What a crash left behind the last entry is cut off.
    let name = names(&disk).into_iter().find(|name| name.ends_with(".txnindex")).expect("there");
    let bytes = contents(&disk, &name);
    replace(&disk, &name, &[&bytes[..], &[0; 34], &[7; 20]].concat());
    let (mut log, _) = recover(&disk, 0);
    assert_eq!(log.reader().aborted_txns(Offset(0), Offset(40)).expect("reads"), all[..1]);
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    // What is not an index after a clean stop is emptied, and said, so that it can be made anew.
    let segment = ottla_protocol::Offset(name.trim_end_matches(".txnindex").parse().expect("a number"));
    for garbage in [&[7; 34][..], &[0; 34], &bytes[..20], &[&bytes[..34], &bytes[..34]].concat()] {
        replace(&disk, &name, garbage);
        let (mut log, report) = open_with(&disk, options());
        assert_eq!(report.cleared_txn_indexes, [segment], "{garbage:?}");
        assert_eq!(log.reader().aborted_txns(Offset(0), Offset(40)).expect("reads"), []);
        log.append_aborted_txn(&all[0]).expect("notes it again");
        assert_eq!(open_with(&disk, options()).1.cleared_txn_indexes, []);
    }
}

#[test]
fn a_log_that_ends_before_its_start_begins_anew_there() {
    let (disk, _) = killed(5, -1);
    let log_start_offset = Offset(9);
    let (log, _) = open_with(&disk, OpenOptions { was_clean: false, log_start_offset, ..options() });
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(9), Offset(9)));
    drop(log);
    assert_eq!(open(&disk).log_end_offset(), Offset(9));
}

#[test]
fn flushed_records_that_are_missing_are_said() {
    let (disk, records) = killed(5, -1);
    let bytes = contents(&disk, LOG_0);
    replace(&disk, LOG_0, &bytes[..whole_batches(&bytes, 3)]);
    let (log, report) = recover(&disk, 5);
    assert_eq!(all_records(&log), records[..3]);
    assert_eq!(report.missing_before, Some(Offset(5)));
}

#[test]
fn epochs_before_a_start_that_is_not_remembered_are_known() {
    let disk = new_disk();
    let mut log = open(&disk);
    for timestamp in 1..=10 {
        append(&mut log, &[timestamp], (timestamp / 4) as i32);
    }
    log.flush(0).expect("flushes");
    log.advance_log_start_offset(Offset(7));
    append(&mut log, &[11], 2);
    log.flush(0).expect("flushes");
    // The checkpoint of log starts does not say 7 yet.
    let (log, _) = recover(&disk.after_power_failure(0), 11);
    let epochs: Vec<_> = (0..11).map(|at| log.reader().epoch_for(Offset(at)).expect("known").0).collect();
    assert_eq!(epochs, [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
}

#[test]
fn what_a_failed_sync_lost_is_not_taken_for_written_by_the_next_process() {
    let disk = new_disk();
    let mut log = open(&disk);
    append(&mut log, &[1, 2], 0);
    log.flush(0).expect("flushes");
    append(&mut log, &[3, 4], 0);
    disk.inject(Fault::once(Op::Sync, ".log", std::io::ErrorKind::Other));
    log.flush(0).expect_err("the disk fails");
    assert!(matches!(log.flush(0), Err(LogError::Offline { .. })), "the next sync would succeed");
    // Another process, on a disk that works again: what it calls flushed is.
    let disk = disk.after_process_kill();
    let (mut log, _) = recover(&disk, 2);
    append(&mut log, &[5, 6], 0);
    log.flush(0).expect("flushes");
    let expected = all_records(&log);
    assert_eq!(expected.len(), 4);
    let (log, _) = recover(&disk.after_power_failure(0), 2);
    assert_eq!(all_records(&log), expected);
}

#[test]
fn short_writes_and_interruptions_make_no_difference() {
    let (short, whole) = (new_disk(), new_disk());
    short.set_write_bytes_max(7);
    short.inject(Fault {
        times: 3,
        after: 20,
        ..Fault::once(Op::Write, "", std::io::ErrorKind::Interrupted)
    });
    for disk in [&short, &whole] {
        let mut log = open(disk);
        for timestamp in 1..100 {
            append(&mut log, &[timestamp, timestamp + 1], 0);
        }
        log.flush(0).expect("flushes");
        log.close().expect("closes");
    }
    let contents = |disk: &SimDisk| {
        let mut names: Vec<_> =
            disk.list(&dir()).expect("lists").into_iter().map(|entry| entry.name).collect();
        names.sort();
        let read =
            |name: &String| ottla_log::disk::read_file(disk, &dir().join(name), 1 << 20).expect("reads");
        names.iter().map(|name| (name.clone(), read(name))).collect::<Vec<_>>()
    };
    assert_eq!(contents(&short), contents(&whole));
}
