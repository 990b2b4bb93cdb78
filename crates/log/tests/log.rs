//! One log: what is appended is what is read, through rolling, truncating, deleting and opening again.

mod common;

use common::*;
use ottla_log::disk::{Disk, SimDisk};
use ottla_log::{Log, LogConfig, LogError, OpenOptions};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::{LeaderEpoch, Offset, Uuid};
use std::path::Path;

fn names(disk: &SimDisk) -> Vec<String> {
    let mut names: Vec<String> = disk.list(&dir()).expect("lists").into_iter().map(|e| e.name).collect();
    names.sort();
    names
}

#[test]
fn what_is_appended_is_read() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    let mut expected = Vec::new();
    for n in 0..100 {
        let info = append(&mut log, &[n, n + 1, n + 2], 1);
        assert_eq!(info.first_offset, Offset(n * 3));
        assert_eq!(info.last_offset, Offset(n * 3 + 2));
        expected.extend([(n * 3, n), (n * 3 + 1, n + 1), (n * 3 + 2, n + 2)]);
    }
    assert!(log.reader().segment_count() > 5);
    assert_eq!(all_records(&log), expected);
    for start in 0..300 {
        assert_eq!(read_records(&log, start, 300), expected[start as usize..], "from {start}");
    }
}

#[test]
fn nothing_at_or_after_the_upper_bound_is_read() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    for n in 0..60 {
        append(&mut log, &[n, n], 1);
    }
    for bound in 0..=120 {
        let read = read_records(&log, 0, bound);
        // A batch holds two records and is read as a whole.
        assert_eq!(read.len() as i64, bound / 2 * 2, "up to {bound}");
    }
}

#[test]
fn a_closed_log_is_as_it_was() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    for n in 0..50 {
        append(&mut log, &[n], n as i32 / 20);
    }
    let (expected, epochs) = (all_records(&log), log.epochs());
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    let (log, report) = open_with(&disk, options());
    assert_eq!(report.scanned_segments, 0);
    assert_eq!((all_records(&log), log.epochs()), (expected, epochs));
    assert_eq!(log.recovery_point(), Offset(50));
}

#[test]
fn a_log_that_nothing_was_appended_to_costs_no_segment_file() {
    let disk = SimDisk::new();
    let topic_id = Some(Uuid(100u128.to_be_bytes()));
    let (mut log, _) = open_with(&disk, OpenOptions { topic_id, defers_dir: false, ..options() });
    assert_eq!(names(&disk), ["partition.metadata"]);
    log.assign_epoch(LeaderEpoch(0));
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    assert_eq!(names(&disk), ["partition.metadata"]);
    assert_eq!(disk.syncs(), 0);
    let (log, _) = open_with(&disk, options());
    assert_eq!(log.topic_id(), topic_id);
    assert_eq!(log.log_end_offset(), Offset(0));
}

#[test]
fn a_log_whose_directory_may_wait_costs_nothing_until_the_first_append() {
    let disk = new_disk();
    let topic_id = Some(Uuid(100u128.to_be_bytes()));
    let options = || OpenOptions { topic_id, ..options() };
    let (mut log, _) = open_with(&disk, options());
    log.assign_epoch(LeaderEpoch(0));
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    assert_eq!(disk.list(Path::new("/data")).expect("lists"), []);
    let (mut never_used, _) = open_with(&disk, options());
    never_used.delete(7).expect("deletes").remove().expect("removes");

    append(&mut log, &[1], 0);
    log.flush(0).expect("flushes");
    let (log, _) = open_with(&disk.after_power_failure(1), OpenOptions { was_clean: false, ..options() });
    assert_eq!((log.topic_id(), all_records(&log)), (topic_id, vec![(0, 1)]));
}

#[test]
fn another_topics_directory_is_refused() {
    let disk = SimDisk::new();
    let id = |n: u128| Some(Uuid(n.to_be_bytes()));
    open_with(&disk, OpenOptions { topic_id: id(100), defers_dir: false, ..options() });
    let other = OpenOptions { topic_id: id(101), ..options() };
    let error = ottla_log::Log::open(&context(&disk), other).expect_err("another topic");
    assert!(matches!(error, LogError::InconsistentTopicId { .. }), "{error}");
}

#[test]
fn offsets_outside_the_log_are_refused() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    for n in 0..10 {
        append(&mut log, &[n], 1);
    }
    log.advance_log_start_offset(Offset(4));
    let reader = log.reader();
    for outside in [-1, 3, 11] {
        let error = reader.read(Offset(outside), 100, Offset(10), true).expect_err("outside");
        assert!(matches!(error, LogError::OffsetOutOfRange { .. }), "{error}");
    }
    assert!(reader.read(Offset(10), 100, Offset(10), true).expect("the end").region.is_none());
}

#[test]
fn a_first_batch_that_is_too_large_is_given_only_if_asked_for() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    let size = append(&mut log, &[40], 1).size;
    append(&mut log, &[1], 1);
    let reader = log.reader();
    let read = reader.read(Offset(0), 10, Offset(2), false).expect("in range");
    assert!(read.region.is_none() && read.is_first_batch_too_large);
    let read = reader.read(Offset(0), 10, Offset(2), true).expect("in range");
    assert_eq!(read.region.expect("bytes").len(), size);
}

#[test]
fn truncating_takes_the_end_away() {
    for at in [0, 1, 17, 38, 39, 40] {
        let disk = SimDisk::new();
        let mut log = open(&disk);
        for n in 0..40 {
            append(&mut log, &[n], n as i32 / 10);
        }
        let expected: Vec<_> = all_records(&log).into_iter().take(at).collect();
        let before = log.reader();
        let deleted = log.truncate_to(Offset(at as i64), 0).expect("truncates");
        assert_eq!(all_records(&log), expected, "at {at}");
        assert_eq!(before.log_end_offset(), Offset(at as i64));
        deleted.remove().expect("removes");
        append(&mut log, &[1000], 9);
        assert_eq!(log.epochs().latest().expect("an epoch").start_offset, Offset(at as i64));
        let expected = all_records(&log);
        assert_eq!(expected.len(), at + 1);
        log.flush(0).expect("flushes");
        log.close().expect("closes");
        assert_eq!(all_records(&open(&disk)), expected);
    }
}

#[test]
fn truncating_fully_starts_at_any_offset() {
    for at in [0, 5, 20, 1000] {
        let disk = SimDisk::new();
        let mut log = open(&disk);
        for n in 0..20 {
            append(&mut log, &[n], 1);
        }
        log.truncate_fully_and_start_at(Offset(at), 0).expect("truncates").remove().expect("removes");
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(at), Offset(at)));
        assert_eq!(append(&mut log, &[7], 2).first_offset, Offset(at));
        assert_eq!(all_records(&log), [(at, 7)]);
        log.flush(0).expect("flushes");
        log.close().expect("closes");
        assert_eq!(all_records(&open(&disk)), [(at, 7)]);
    }
}

#[test]
fn deleting_segments_moves_the_start() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    for n in 0..60 {
        append(&mut log, &[n], 1);
    }
    let facts = log.segment_facts().expect("facts");
    assert!(facts.len() > 3);
    let slow_reader = log.reader().read(Offset(0), 100, Offset(60), true).expect("in range");
    let deleted = log.delete_segments(2, 0).expect("deletes");
    assert_eq!(log.log_start_offset(), facts[2].base_offset);
    assert_eq!(all_records(&log).first().expect("records").0, facts[2].base_offset.0);
    assert_eq!(names(&disk).iter().filter(|name| name.ends_with(".log.deleted")).count(), 2);
    deleted.remove().expect("removes");
    assert!(names(&disk).iter().all(|name| !name.contains("deleted")));
    let mut bytes = Vec::new();
    slow_reader.region.expect("bytes").read(&mut bytes).expect("a region outlives its segment");

    let count = facts.len();
    log.delete_segments(count, 0).expect("deletes").remove().expect("removes");
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(60), Offset(60)));
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    assert_eq!(open(&disk).log_end_offset(), Offset(60), "the place of an empty log is not forgotten");
}

#[test]
fn an_earlier_log_does_not_come_back_once_what_is_beside_a_copy_is_synced() {
    let returns = |is_synced: bool| {
        let disk = new_disk();
        let mut log = open(&disk);
        append(&mut log, &[1, 2], 1);
        log.flush(0).expect("flushes");
        let deleted = log.delete(0xfeed).expect("renames");
        // A copy in which there is nothing yet.
        let copy = open(&disk);
        if is_synced {
            copy.sync_beside().expect("syncs");
        }
        drop(deleted);
        (0..20).filter(|seed| disk.after_power_failure(*seed).metadata(&dir()).is_ok()).count()
    };
    assert!(returns(false) > 0);
    assert_eq!(returns(true), 0);
}

#[test]
fn a_deleted_log_can_be_read_until_it_is_removed() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    append(&mut log, &[1, 2], 1);
    let reader = log.reader();
    let deleted = log.delete(0xfeed).expect("renames");
    assert_eq!(
        deleted.dir().file_name().and_then(|name| name.to_str()),
        Some("orders-3.0000000000000000000000000000feed-delete")
    );
    let region = reader.read(Offset(0), 100, Offset(2), true).expect("in range").region;
    region.expect("bytes").read(&mut Vec::new()).expect("reads");
    let gone = deleted.dir();
    deleted.remove().expect("removes");
    assert!(disk.metadata(&gone).is_err());
}

#[test]
fn timestamps_are_found_as_a_linear_search_finds_them() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    for n in 0..80_i64 {
        let timestamp = n * 10 + (n * 37) % 50;
        append(&mut log, &[timestamp, timestamp - 15, timestamp + 3], 1);
    }
    log.advance_log_start_offset(Offset(10));
    let records = all_records(&log);
    let reader = log.reader();
    for timestamp in 0..900 {
        let expected = records.iter().find(|(_, at)| *at >= timestamp);
        let found = reader.offset_for_timestamp(timestamp).expect("looks up");
        assert_eq!(found.map(|found| (found.offset.0, found.timestamp)), expected.copied(), "{timestamp}");
    }
    let max = records.iter().map(|(_, at)| *at).max().expect("records");
    let expected = records.iter().find(|(_, at)| *at == max).expect("there");
    let found = reader.offset_of_max_timestamp().expect("looks up").expect("there");
    assert_eq!((found.offset.0, found.timestamp), *expected);
}

#[test]
fn segments_roll_by_time_of_their_records() {
    let disk = SimDisk::new();
    let config = LogConfig { segment_bytes: 1 << 20, segment_ms: 100, ..config() };
    let (mut log, _) = open_with(&disk, OpenOptions { config, ..options() });
    append(&mut log, &[1000], 1);
    append(&mut log, &[1100], 1);
    assert_eq!(log.reader().segment_count(), 1);
    assert!(append(&mut log, &[1101], 1).has_rolled);
    assert_eq!(log.reader().segment_count(), 2);
    assert!(!append(&mut log, &[900], 1).has_rolled, "an older record does not roll");
}

#[test]
fn segments_roll_when_an_index_is_full() {
    let disk = SimDisk::new();
    // Two places in the time index, of which one is kept.
    let config =
        LogConfig { segment_index_bytes: 24, index_interval_bytes: 0, segment_bytes: 1 << 20, ..config() };
    let (mut log, _) = open_with(&disk, OpenOptions { config, ..options() });
    append(&mut log, &[1], 1);
    append(&mut log, &[2], 1);
    assert!(append(&mut log, &[3], 1).has_rolled);
}

#[test]
fn a_flush_is_due_when_a_segment_is_done_or_time_is_up() {
    let disk = SimDisk::new();
    let config = LogConfig { flush_ms: 1000, flush_messages: 5, ..config() };
    let (mut log, _) = open_with(&disk, OpenOptions { config, ..options() });
    assert!(!log.is_flush_due(5000), "there is nothing to flush");
    assert!(!append(&mut log, &[1], 1).is_flush_due);
    assert!(!log.is_flush_due(999));
    assert!(log.is_flush_due(1000));
    log.flush(1000).expect("flushes");
    assert!(!log.is_flush_due(1999));
    append(&mut log, &[1], 1);
    log.roll(1100).expect("rolls");
    assert!(log.is_flush_due(1100));
    log.flush(1100).expect("flushes");
    assert!(append(&mut log, &[1, 2, 3, 4, 5], 1).is_flush_due, "five records");
}

#[test]
fn a_flush_that_meets_a_truncation_leaves_the_new_indexes_alone() {
    let disk = new_disk();
    let mut log = open(&disk);
    for timestamp in 1..=60 {
        append(&mut log, &[timestamp], 0);
    }
    let flush = log.prepare_flush().expect("online").expect("there is something to flush");
    let cut = log.segment_facts().expect("known")[0].end_offset.0 - 1;
    log.truncate_to(Offset(cut), 0).expect("truncates").remove().expect("removes");
    for timestamp in 101..=160 {
        append(&mut log, &[timestamp], 0);
    }
    let result = flush.run();
    log.flushed(&flush, result.is_ok(), 0);
    let first_of = |log: &Log| {
        let found = log.reader().offset_for_timestamp(101).expect("looks up").expect("there");
        (found.offset.0, found.timestamp)
    };
    assert_eq!(first_of(&log), (cut, 101));
    log.truncate_to(Offset(cut + 2), 0).expect("the indexes are whole").remove().expect("removes");
    assert_eq!(first_of(&log), (cut, 101));
}

#[test]
fn an_append_larger_than_a_segment_is_refused() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    let bytes = batch(&[40; 50]);
    let mut batch = ottla_protocol::records::BatchBytes::new(&bytes).expect("sound");
    let error = log.append(&mut batch, LeaderEpoch(1), 0).expect_err("too large");
    assert!(matches!(error, LogError::BatchTooLarge { .. }), "{error}");
    assert_eq!(log.log_end_offset(), Offset(0));
}

fn assigned(base_offset: i64, epoch: i32) -> Vec<u8> {
    let builder = BatchBuilder::new().base_offset(Offset(base_offset)).leader_epoch(LeaderEpoch(epoch));
    let mut builder = builder;
    builder.append(base_offset, None, Some(b"v"), &[]);
    builder.append(base_offset, None, Some(b"w"), &[]);
    builder.build()
}

#[test]
fn a_follower_keeps_the_leaders_offsets_and_epochs() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    let mut bytes = [assigned(10, 3), assigned(12, 3), assigned(20, 4)].concat();
    bytes.extend(&assigned(22, 4)[..50]);
    let info = log.append_as_follower(&bytes, LeaderEpoch(4), 0).expect("appends").expect("some");
    assert_eq!((info.first_offset, info.last_offset), (Offset(10), Offset(21)));
    assert_eq!(info.last_leader_epoch, LeaderEpoch(4));
    let offsets: Vec<i64> = read_records(&log, 0, 22).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(offsets, [10, 11, 12, 13, 20, 21]);
    let starts: Vec<_> = log.epochs().entries().iter().map(|e| (e.epoch.0, e.start_offset.0)).collect();
    assert_eq!(starts, [(3, 10), (4, 20)]);
}

#[test]
fn a_follower_refuses_what_does_not_follow() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    log.append_as_follower(&assigned(10, 3), LeaderEpoch(3), 0).expect("appends");
    let mut check = |bytes: Vec<u8>, what: &str| {
        let error = log.append_as_follower(&bytes, LeaderEpoch(3), 0).expect_err(what);
        assert!(format!("{error:?}").starts_with(what), "{error:?}");
        assert_eq!(log.log_end_offset(), Offset(12));
    };
    check(assigned(11, 3), "UnexpectedAppendOffset");
    check([assigned(14, 3), assigned(15, 3)].concat(), "OffsetsOutOfOrder");
    let mut flipped = assigned(12, 3);
    *flipped.last_mut().expect("bytes") ^= 1;
    check(flipped, "InvalidBatch");
    let later = log.append_as_follower(&assigned(12, 4), LeaderEpoch(3), 0).expect("nothing to do");
    assert_eq!(later, None, "an epoch that is not known yet is left out");
}

#[test]
fn few_files_are_open_however_many_segments_there_are() {
    let disk = SimDisk::new();
    let mut log = open(&disk);
    for n in 0..400 {
        append(&mut log, &[n], 1);
    }
    assert!(log.reader().segment_count() > 20);
    for start in (0..400).step_by(7) {
        read_records(&log, start, 400);
        assert!(disk.open_files() <= 9, "{}", disk.open_files());
    }
}
