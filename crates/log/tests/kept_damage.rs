//! Damage that is kept: what lies in it is answered with an error, everything else as before, and nothing is ever cut
//! away that was flushed or has something sound behind it.

mod common;

use std::ops::Range;

use common::*;
use ottla_log::disk::{Disk, SimDisk};
use ottla_log::{DamagedRange, Log, LogConfig, LogError, OpenOptions, RecoveryReport};
use ottla_protocol::Offset;
use ottla_protocol::records::batches;

/// A log of `count` batches of one record in segments of about 60 KiB, flushed and closed, and its records.
fn closed(count: i64) -> (SimDisk, Vec<(i64, i64)>) {
    let disk = new_disk();
    let (mut log, _) = open_with(&disk, large(true, 0, 0));
    for n in 0..count {
        append(&mut log, &[n * 10, n * 10 + 1, n * 10 + 2][..1 + n as usize % 3], n as i32 / 100);
    }
    log.flush(0).expect("flushes");
    let records = all_records(&log);
    log.close().expect("closes");
    (disk, records)
}

fn large(was_clean: bool, recovery_point: i64, high_watermark: i64) -> OpenOptions {
    let config = LogConfig { segment_bytes: 60_000, index_interval_bytes: 700, ..LogConfig::default() };
    OpenOptions {
        config,
        was_clean,
        recovery_point: Offset(recovery_point),
        high_watermark: Offset(high_watermark),
        ..options()
    }
}

fn logs(disk: &SimDisk) -> Vec<String> {
    names(disk).into_iter().filter(|name| name.ends_with(".log")).collect()
}

/// The batches of a file: where they are, and which offsets they have.
fn layout(bytes: &[u8]) -> Vec<(Range<usize>, Range<i64>)> {
    let mut at = 0;
    let place = |batch: Result<ottla_protocol::records::RecordBatch<'_>, _>| {
        let batch = batch.expect("sound");
        let start = at;
        at += batch.size();
        (start..at, batch.header().base_offset.0..batch.next_offset().0)
    };
    batches(bytes).map(place).collect()
}

fn open_damaged(disk: &SimDisk, options: OpenOptions) -> (Log, RecoveryReport) {
    match Log::open(&context(disk), options) {
        Ok(opened) => opened,
        Err(error) => panic!("{error}"),
    }
}

/// Reads everything as a client does that skips what it cannot get: every record is one that was written, in order.
/// Gives what is missing.
fn missing(log: &Log, records: &[(i64, i64)]) -> Vec<i64> {
    let read = all_records(log);
    assert!(read.is_sorted(), "in order");
    assert!(read.iter().all(|record| records.contains(record)), "nothing that was not written");
    let read: std::collections::BTreeSet<i64> = read.into_iter().map(|(offset, _)| offset).collect();
    records.iter().map(|(offset, _)| *offset).filter(|offset| !read.contains(offset)).collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Bytes of a file that were changed: a bit, a block that was lost, two blocks that changed places, noise.
fn harm(bytes: &mut [u8], random: &mut Random) -> Vec<Range<usize>> {
    const BLOCK: usize = 4096;
    let blocks = bytes.len() / BLOCK;
    let block = |number: usize| number * BLOCK..(number + 1) * BLOCK;
    match random.below(4) {
        0 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            std::iter::once(at..at + 1).collect()
        }
        1 => {
            let lost = block(random.below(blocks));
            bytes[lost.clone()].fill(0);
            vec![lost]
        }
        2 => {
            let (one, other) = (block(random.below(blocks)), block(random.below(blocks)));
            let copy = bytes[one.clone()].to_vec();
            bytes.copy_within(other.clone(), one.start);
            bytes[other.clone()].copy_from_slice(&copy);
            vec![one, other]
        }
        _ => {
            let start = random.below(bytes.len() - 200);
            let noise = start..start + 1 + random.below(200);
            bytes[noise.clone()].fill_with(|| random.below(256) as u8);
            vec![noise]
        }
    }
}

/// Damages one place of a random segment, and opens the log after a stop of any kind.
fn check_harm(disk: &SimDisk, records: &[(i64, i64)], seed: u64) {
    let mut random = Random(seed);
    let disk = disk.after_process_kill();
    let files = logs(&disk);
    let name = &files[random.below(files.len())];
    let mut bytes = contents(&disk, name);
    let layout = layout(&bytes);
    let sound = bytes.clone();
    let harmed = harm(&mut bytes, &mut random);
    // No checksum covers a batch's first 16 bytes; what tells there is the batch behind.
    let (last, _) = layout[layout.len() - 1].clone();
    if harmed.iter().any(|at| at.start < last.start + 17 && last.start < at.end) {
        return;
    }
    replace(&disk, name, &bytes);
    let is_harmed = |place: &Range<usize>| sound[place.clone()] != bytes[place.clone()];
    let lost: Vec<i64> = layout
        .iter()
        .filter(|(place, _)| is_harmed(place))
        .flat_map(|(_, offsets)| offsets.clone())
        .collect();
    let end = records[records.len() - 1].0 + 1;
    let recovery_point = if random.below(2) == 0 { 0 } else { end };
    let (mut log, report) = open_damaged(&disk, large(false, recovery_point, end));
    assert_eq!(log.log_end_offset(), Offset(end), "seed {seed}");
    let what = format!("seed {seed} {name} {harmed:?} {report:?}");
    if recovery_point == 0 {
        assert_eq!(report.damaged.is_empty(), lost.is_empty(), "{what}");
    }
    assert_eq!((&report.cuts, &report.removed_segments), (&vec![], &vec![]), "{what}");
    assert_eq!(contents(&disk, name), bytes, "nothing was cut or mended, {what}");
    // Only what a read verifies is known to be damaged where recovery has not looked.
    if recovery_point == 0 {
        let gone = missing(&log, records);
        // A whole block's batches at a place next to their own are still in order.
        let is_moved = harmed.len() == 2;
        assert!(gone == lost || is_moved && gone.iter().all(|offset| lost.contains(offset)), "{what}");
        let lost = gone;
        check_answers(&log, records, &lost, &what);
        append(&mut log, &[1_000_000], 99);
        log.flush(0).expect("flushes");
        log.close().expect("closes");
        let (log, report) = open_damaged(&disk, large(true, end + 1, end + 1));
        assert_eq!(report.damaged.is_empty(), lost.is_empty(), "{what}");
        let with_new: Vec<_> = records.iter().copied().chain([(end, 1_000_000)]).collect();
        check_answers(&log, &with_new, &lost, &what);
    }
}

fn check_answers(log: &Log, records: &[(i64, i64)], lost: &[i64], what: &str) {
    assert_eq!(missing(log, records), lost, "{what}");
    let reader = log.reader();
    let left: Vec<(i64, i64)> =
        records.iter().copied().filter(|(offset, _)| !lost.contains(offset)).collect();
    for &(offset, timestamp) in left.iter().step_by(97) {
        let read = reader.read(Offset(offset), 100, Offset(i64::MAX), true).expect(what);
        assert!(read.region.expect("bytes").base_offset().0 <= offset, "{what}");
        let first = left.iter().find(|(_, at)| *at >= timestamp).expect("there");
        let found = reader.offset_for_timestamp(timestamp).expect(what).expect("there");
        assert_eq!((found.offset.0, found.timestamp), *first, "{what}");
    }
    for &offset in lost {
        let error = reader.read(Offset(offset), 100, Offset(i64::MAX), true).expect_err(what);
        assert!(matches!(error, LogError::Corrupt { .. }), "{error} {what}");
    }
    let mut replayed = Vec::new();
    log.replay(Offset(0), |batch| {
        replayed.extend(batch.header.base_offset.0..batch.header.next_offset().0);
        Ok(())
    })
    .expect(what);
    assert_eq!(replayed, left.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), "{what}");
}

#[test]
fn damage_at_any_place_takes_nothing_but_what_lies_in_it() {
    let (disk, records) = closed(1500);
    assert!(logs(&disk).len() > 2);
    for seed in 1..=100 {
        check_harm(&disk, &records, u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
    }
}

#[test]
fn a_flipped_bit_before_something_sound_stays_where_it_is() {
    let (disk, records) = killed(60, -1);
    let mut bytes = contents(&disk, LOG_0);
    let third = whole_batches(&bytes, 2);
    bytes[third + 70] ^= 1;
    replace(&disk, LOG_0, &bytes);
    let (log, report) = recover(&disk, 0);
    let fourth = whole_batches(&contents(&disk.after_process_kill(), LOG_0)[third..], 1) + third;
    let [said] = &report.damaged[..] else { panic!("{report:?}") };
    assert_eq!((said.position, said.bytes), (third as u64, (fourth - third) as u64));
    assert_eq!((said.path.clone(), said.offsets.clone()), (dir().join(LOG_0), Offset(2)..Offset(3)));
    assert!(said.what.contains("crc"), "{}", said.what);
    assert_eq!(missing(&log, &records), [2]);
    let error = log.reader().read(Offset(2), 100, Offset(60), true).expect_err("damaged");
    let LogError::Corrupt { position, offset, .. } = error else { panic!("{error}") };
    assert_eq!((position, offset), (third as u64, Offset(2)));
    let before =
        log.reader().read(Offset(0), 10_000, Offset(60), true).expect("reads").region.expect("bytes");
    assert_eq!(before.len(), third, "a read that begins before it ends before it");
}

/// Damage of the last segment, of which `flushed` says how far a checkpoint knows it.
fn check_tail(
    harm: impl Fn(&mut Vec<u8>),
    marks: (i64, i64),
    was_clean: bool,
    left: i64,
) -> Vec<DamagedRange> {
    let (disk, records) = killed(60, 60);
    let (mut log, _) = recover(&disk, 60);
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    let name = logs(&disk).pop().expect("one");
    let mut bytes = contents(&disk, &name);
    harm(&mut bytes);
    replace(&disk, &name, &bytes);
    let options = OpenOptions {
        was_clean,
        recovery_point: Offset(marks.0),
        high_watermark: Offset(marks.1),
        ..options()
    };
    let (mut log, report) = open_damaged(&disk, options.clone());
    assert_eq!(missing(&log, &records), (left..60).collect::<Vec<_>>());
    assert_eq!(contents(&disk, &name), bytes, "nothing was cut off");
    assert_eq!(append(&mut log, &[99], 9).first_offset, Offset(60), "no offset is given twice");
    drop(log);
    let (mut log, again) = open_damaged(&disk, OpenOptions { was_clean: false, ..options });
    assert_eq!(again.damaged, report.damaged);
    assert_eq!(all_records(&log).last(), Some(&(60, 99)));
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    assert_eq!(open(&disk).reader().damaged_ranges(), report.damaged);
    report.damaged
}

#[test]
fn an_end_that_a_checkpoint_covers_stays_and_the_log_goes_on_behind_it() {
    let fill = |bytes: &mut Vec<u8>| bytes.fill(0);
    let tear = |bytes: &mut Vec<u8>| {
        let len = bytes.len();
        bytes[len - 200..].fill(7);
    };
    let lose = |bytes: &mut Vec<u8>| bytes.truncate(whole_batches(bytes, 1));
    for was_clean in [true, false] {
        for marks in [(60, 0), (60, 60), (0, 60)] {
            let damaged = check_tail(fill, marks, was_clean, 55);
            assert_eq!(damaged[0].offsets, Offset(55)..Offset(60));
            check_tail(tear, marks, was_clean, 57);
        }
        let damaged = check_tail(lose, (0, 60), was_clean, 56);
        assert_eq!((damaged[0].bytes, damaged[0].offsets.clone()), (0, Offset(56)..Offset(60)));
    }
}

#[test]
fn a_segment_that_is_missing_in_the_middle_is_known() {
    let (disk, records) = killed(60, -1);
    let (mut log, _) = recover(&disk, 0);
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    let files = logs(&disk);
    let lost: Vec<i64> = (base(&files[1])..base(&files[2])).collect();
    for was_clean in [true, false] {
        for recovery_point in [0, 60] {
            let disk = disk.after_process_kill();
            disk.remove_file(&dir().join(&files[1])).expect("removes");
            let recovery_point = Offset(recovery_point);
            let (mut log, report) =
                open_damaged(&disk, OpenOptions { was_clean, recovery_point, ..options() });
            assert_eq!(missing(&log, &records), lost);
            assert_eq!(report.damaged[0].offsets, Offset(lost[0])..Offset(lost[lost.len() - 1] + 1));
            log.flush(0).expect("flushes");
            log.close().expect("closes");
            assert_eq!(open(&disk).reader().damaged_ranges(), report.damaged);
        }
    }
}

fn base(name: &str) -> i64 {
    name.trim_end_matches(".log").parse().expect("a number")
}

#[test]
fn damage_that_is_mended_is_forgotten() {
    let (disk, records) = killed(60, -1);
    let sound = contents(&disk, LOG_0);
    let mut bytes = sound.clone();
    bytes[200] ^= 1;
    replace(&disk, LOG_0, &bytes);
    let (mut log, _) = recover(&disk, 0);
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    assert_eq!(open(&disk).reader().damaged_ranges().len(), 1);
    replace(&disk, LOG_0, &sound);
    let log = open(&disk);
    assert_eq!((log.reader().damaged_ranges(), all_records(&log)), (Vec::new(), records));
}

#[test]
fn damage_goes_with_what_is_deleted_or_truncated() {
    let (disk, records) = killed(60, -1);
    let mut bytes = contents(&disk, LOG_0);
    bytes[200] ^= 1;
    replace(&disk, LOG_0, &bytes);
    let (mut log, report) = recover(&disk, 0);
    let damaged = report.damaged[0].offsets.clone();
    log.delete_segments(1, 0).expect("deletes").remove().expect("removes");
    assert_eq!(log.reader().damaged_ranges(), []);
    assert!(names(&disk).iter().all(|name| !name.ends_with(".damaged")), "{:?}", names(&disk));
    drop(log);
    replace(&disk, LOG_0, &bytes);
    let (mut log, _) = recover(&disk, 0);
    log.truncate_to(damaged.end, 0).expect("truncates").remove().expect("removes");
    assert_eq!(missing(&log, &records[..damaged.end.0 as usize]).len(), 1);
    log.truncate_to(damaged.start, 0).expect("truncates").remove().expect("removes");
    assert_eq!(log.reader().damaged_ranges(), []);
    append(&mut log, &[5], 9);
    assert_eq!(all_records(&log).len() as i64, damaged.start.0 + 1);
}

/// A log that was closed, whose third record's bytes were changed while nobody looked.
fn secretly_damaged() -> (SimDisk, Vec<(i64, i64)>, u64) {
    let (disk, records) = killed(60, -1);
    let (mut log, _) = recover(&disk, 0);
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    let mut bytes = contents(&disk, LOG_0);
    let third = whole_batches(&bytes, 2);
    bytes[third + 70] ^= 1;
    replace(&disk, LOG_0, &bytes);
    (disk, records, third as u64)
}

#[test]
fn what_is_verified_when_it_is_read_ends_before_damage_and_makes_it_known() {
    let (disk, records, third) = secretly_damaged();
    let log = open(&disk);
    let reader = log.reader();
    assert_eq!(reader.damaged_ranges(), [], "nobody has looked yet");
    let read = |offset| reader.read(Offset(offset), 100_000, Offset(60), true);
    let region = read(0).expect("reads").region.expect("bytes");
    assert!(region.len() as u64 > third);
    let sound = region.verified().expect("the first batch is sound");
    assert_eq!((sound.position(), sound.len() as u64), (0, third));
    assert_eq!(reader.damaged_ranges()[0].offsets, Offset(2)..Offset(3));
    assert!(matches!(read(2), Err(LogError::Corrupt { .. })));
    let whole = read(3).expect("reads").region.expect("bytes");
    assert_eq!(whole.len(), whole.clone().verified().expect("sound").len());
    assert_eq!(missing(&log, &records), [2]);
    // The next process knows it without looking.
    drop((log, reader));
    assert_eq!(open(&disk).reader().damaged_ranges().len(), 1);
    let (disk, _, _) = secretly_damaged();
    let log = open(&disk);
    let region = log.reader().read(Offset(2), 100, Offset(60), true).expect("reads").region.expect("bytes");
    assert!(matches!(region.verified(), Err(LogError::Corrupt { .. })));
}

#[test]
fn a_search_by_time_goes_around_damage_that_it_meets() {
    let (disk, records, _) = secretly_damaged();
    let log = open(&disk);
    let found = log.reader().offset_for_timestamp(records[2].1).expect("looks up").expect("there");
    assert_eq!((found.offset.0, found.timestamp), records[3]);
    assert_eq!(log.reader().damaged_ranges().len(), 1);
}

#[test]
fn a_batch_between_two_damaged_places_is_found_where_it_was_known_to_be() {
    let (disk, records) = killed(6, -1);
    for lost in [1, 3] {
        let mut bytes = contents(&disk, LOG_0);
        let layout = layout(&contents(&killed(6, -1).0, LOG_0));
        bytes[layout[lost].0.clone()].fill(0xee);
        replace(&disk, LOG_0, &bytes);
        let (mut log, _) = recover(&disk, 0);
        log.flush(0).expect("flushes");
        log.close().expect("closes");
    }
    let (log, _) = recover(&disk, 0);
    assert_eq!(missing(&log, &records), [1, 3]);
}
