//! Files that help to find something, deleted, or garbled at the right size: everything is answered as before, after a
//! clean stop too. A lookup believes no index; it looks at the batch that the index speaks of.

mod common;

use common::random::{Random, first_seed, seeds};
use common::*;
use std::path::Path;

use ottla_log::disk::{Disk, OpenMode, SimDisk, write_all_at};
use ottla_log::{EpochCache, Log, LogConfig, LogDir, OffsetCheckpoint, OpenOptions, TimestampOffset};
use ottla_protocol::{Offset, Uuid};

const END: i64 = 400;

/// Segments of some kilobytes, with an index entry for every third batch or so.
fn small(was_clean: bool) -> OpenOptions {
    let config = LogConfig { segment_bytes: 8000, index_interval_bytes: 250, ..LogConfig::default() };
    let topic_id = Some(Uuid(7_u128.to_be_bytes()));
    let end = Offset(END);
    OpenOptions { config, was_clean, topic_id, recovery_point: end, high_watermark: end, ..options() }
}

/// A log whose timestamps do not always grow, closed.
fn closed() -> SimDisk {
    let disk = new_disk();
    let (mut log, _) = open_with(&disk, small(true));
    let mut random = Random::new(1);
    while log.log_end_offset() < Offset(END) {
        let n = log.log_end_offset().0;
        let timestamp = 1000 + n * 2 + random.between(0, 60) - 30;
        append(&mut log, &[timestamp], (n / 90) as i32);
    }
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    disk
}

/// Everything that can be asked of a log.
#[derive(Debug, PartialEq)]
struct Answers {
    /// Base offset and size of what a read of one batch gives, for every offset.
    reads: Vec<(i64, usize)>,
    by_timestamp: Vec<Option<TimestampOffset>>,
    of_max_timestamp: Option<TimestampOffset>,
    epochs: EpochCache,
    records: Vec<(i64, i64)>,
    segments: Vec<ottla_log::SegmentFacts>,
}

fn answers(log: &Log) -> Answers {
    let reader = log.reader();
    let read = |offset| {
        let read = reader.read(Offset(offset), 1, Offset(END), true).expect("reads");
        let region = read.region.expect("bytes");
        (region.base_offset().0, region.len())
    };
    let at = |timestamp| reader.offset_for_timestamp(timestamp).expect("looks up");
    Answers {
        reads: (0..END).map(read).collect(),
        by_timestamp: (950..1850).step_by(3).map(at).collect(),
        of_max_timestamp: reader.offset_of_max_timestamp().expect("looks up"),
        epochs: log.epochs(),
        records: all_records(log),
        segments: log.segment_facts().expect("facts"),
    }
}

/// Another content of the same size, as a bad disk or a bad program leaves it.
fn garble(bytes: &mut [u8], entry: usize, random: &mut Random) {
    let len = bytes.len() as u64;
    let at = random.below(len) as usize;
    let count = (random.below(len) as usize + 1).min(bytes.len() - at);
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at..at + count].fill(0),
        2 => bytes[at..at + count].fill_with(|| random.bits() as u8),
        3 => bytes[at..at + count].fill(0xff),
        4 => bytes.rotate_left(entry * (1 + random.below(3) as usize) % bytes.len()),
        _ => {
            // Two entries have changed places.
            let entries = len / entry as u64;
            let (one, other) = (random.below(entries) as usize, random.below(entries) as usize);
            for byte in 0..entry {
                bytes.swap(one * entry + byte, other * entry + byte);
            }
        }
    }
}

#[test]
fn indexes_that_lie_are_not_believed() {
    let disk = closed();
    let expected = answers(&open_with(&disk.after_process_kill(), small(true)).0);
    let files: Vec<String> = names(&disk).into_iter().filter(|name| name.ends_with("index")).collect();
    assert!(files.len() > 6, "{files:?}");
    let first = first_seed("OTTLA_HELPER_FIRST");
    for seed in first..first + seeds("OTTLA_HELPERS", 40) {
        let mut random = Random::new(seed);
        let disk = disk.after_process_kill();
        for _ in 0..1 + random.below(3) {
            let name = &files[random.below(files.len() as u64) as usize];
            let mut bytes = contents(&disk, name);
            if !bytes.is_empty() {
                garble(&mut bytes, if name.ends_with(".timeindex") { 12 } else { 8 }, &mut random);
                replace(&disk, name, &bytes);
            }
        }
        for was_clean in [true, false] {
            let (log, report) = open_with(&disk.after_process_kill(), small(was_clean));
            assert_eq!(answers(&log), expected, "seed {seed} clean {was_clean}");
            assert_eq!(report.damaged, [], "seed {seed}");
        }
    }
}

#[test]
fn without_helper_files_everything_is_answered_as_before() {
    let disk = closed();
    let expected = answers(&open_with(&disk.after_process_kill(), small(true)).0);
    let is_helper = |name: &String| !name.ends_with(".log");
    let files: Vec<String> = names(&disk).into_iter().filter(is_helper).collect();
    for kind in [".index", ".timeindex", "leader-epoch-checkpoint", "partition.metadata"] {
        assert!(files.iter().any(|name| name.ends_with(kind)), "{kind} of {files:?}");
    }
    for name in &files {
        for damage in [None, Some(&b""[..]), Some(b"\x01"), Some(b"gar\xffbage\n0\n")] {
            for was_clean in [true, false] {
                let disk = disk.after_process_kill();
                match damage {
                    None => disk.remove_file(&dir().join(name)).expect("removes"),
                    Some(bytes) => replace(&disk, name, bytes),
                }
                let (log, _) = open_with(&disk, small(was_clean));
                assert_eq!(answers(&log), expected, "{name} {damage:?} clean {was_clean}");
                assert_eq!(log.topic_id(), small(true).topic_id);
            }
        }
    }
}

#[test]
fn the_start_of_a_log_is_known_without_its_checkpoint() {
    let disk = new_disk();
    let context = context(&disk);
    let data = Path::new("/data");
    let log_dir = LogDir::open(&context, data).expect("opens");
    let config = config();
    let options = OpenOptions { config, ..log_dir.open_options(&partition(), 0) };
    let (mut log, _) = Log::open(&context, options).expect("opens");
    for n in 0..30 {
        append(&mut log, &[n], 1);
    }
    log.advance_log_start_offset(Offset(7));
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    for (checkpoint, offset) in
        [(OffsetCheckpoint::RecoveryPoint, Offset(30)), (OffsetCheckpoint::LogStartOffset, Offset(7))]
    {
        log_dir.write_checkpoint(checkpoint, [(&partition(), offset)]).expect("writes");
    }
    log_dir.write_clean_shutdown(1).expect("writes");
    let name = OffsetCheckpoint::LogStartOffset.file_name();
    for (damage, is_known) in [(None, true), (Some(&b"0\n9\n"[..]), true), (Some(&b"0\n0\n"[..]), false)] {
        let disk = disk.after_process_kill();
        match damage {
            None => disk.remove_file(&data.join(name)).expect("removes"),
            Some(bytes) => {
                let file = disk.open(&data.join(name), OpenMode::CreateEmpty).expect("opens");
                write_all_at(&*file, bytes, &[], 0).expect("writes");
            }
        }
        let context = common::context(&disk);
        let log_dir = LogDir::open(&context, data).expect("opens");
        let (log, _) = Log::open(&context, log_dir.open_options(&partition(), 0)).expect("opens");
        // One that is sound is believed: the log may have been copied from elsewhere.
        assert_eq!(log.log_start_offset(), Offset(if is_known { 7 } else { 0 }), "{damage:?}");
    }
}
