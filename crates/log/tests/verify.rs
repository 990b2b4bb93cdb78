//! Looking through a log that nobody has open, and copying what is sound of it.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::*;
use ottla_log::disk::{Disk, SimDisk};
use ottla_log::{ExportedLog, Log, LogFindings, OpenOptions, VerifyFacts, export_log, verify_log};
use ottla_protocol::Offset;

/// A log of 60 records in several segments, closed; with a snapshot at the last one.
fn closed() -> (SimDisk, Vec<(i64, i64)>) {
    let (disk, records) = killed(60, -1);
    let (mut log, _) = recover(&disk, 0);
    log.flush(0).expect("flushes");
    log.close().expect("closes");
    (disk, records)
}

fn verify(disk: &SimDisk, was_clean: bool, mark: i64) -> LogFindings {
    let facts = VerifyFacts { was_clean, recovery_point: mark, high_watermark: 0 };
    let before = disk.writes();
    let dyn_disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let found = verify_log(&dyn_disk, &partition(), &dir(), facts).expect("reads");
    assert_eq!(disk.writes(), before, "nothing is changed");
    found
}

fn exported_dir() -> PathBuf {
    PathBuf::from("/copy/orders-3")
}

fn export(disk: &SimDisk) -> ExportedLog {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    export_log(&disk, &partition(), &dir(), &exported_dir()).expect("copies")
}

/// Opens the copy as a broker does that finds it.
fn open_copy(disk: &SimDisk) -> Log {
    let options = OpenOptions { dir: exported_dir(), was_clean: false, ..options() };
    let (log, report) = open_with(disk, options);
    assert_eq!((report.cuts, report.damaged), (vec![], vec![]));
    log
}

#[test]
fn of_a_sound_log_there_is_nothing_to_say() {
    let (disk, records) = closed();
    let found = verify(&disk, true, 60);
    assert!(found.is_sound() && found.torn_end.is_none() && found.missing.is_empty(), "{found:?}");
    assert_eq!(found.offsets, Offset(0)..Offset(60));
    assert_eq!(found.segments, names(&disk).iter().filter(|name| name.ends_with(".log")).count());
    let exported = export(&disk);
    assert_eq!((exported.offsets.clone(), exported.bytes), (Offset(0)..Offset(60), found.bytes));
    assert_eq!((exported.missing, exported.left_out), (vec![], vec![]));
    assert_eq!(all_records(&open_copy(&disk)), records);
}

#[test]
fn damage_is_named_and_copied_around() {
    let (disk, records) = closed();
    let files: Vec<String> = names(&disk).into_iter().filter(|name| name.ends_with(".log")).collect();
    // The second record of the first segment, all of the second segment, and the end of the third.
    let mut bytes = contents(&disk, &files[0]);
    let (start, end) = (whole_batches(&bytes, 1), whole_batches(&bytes, 2));
    bytes[start + 65] ^= 1;
    replace(&disk, &files[0], &bytes);
    replace(&disk, &files[1], &vec![0; contents(&disk, &files[1]).len()]);
    let third = contents(&disk, &files[2]);
    replace(&disk, &files[2], &third[..third.len() - 3]);
    let base = |name: &String| name.trim_end_matches(".log").parse::<i64>().expect("a number");
    let found = verify(&disk, true, 60);
    let named: Vec<_> = found.damaged.iter().map(|d| (d.path.clone(), d.offsets.clone())).collect();
    let at = |name: &String, start, end| (dir().join(name), Offset(start)..Offset(end));
    assert_eq!(
        named,
        [
            at(&files[0], 1, 2),
            at(&files[1], base(&files[1]), base(&files[2])),
            at(&files[2], base(&files[3]) - 1, base(&files[3])),
        ]
    );
    assert_eq!((found.damaged[0].position, found.damaged[0].bytes), (start as u64, (end - start) as u64));
    assert_eq!(found.helpers, [], "indexes of what is damaged are not blamed");
    let exported = export(&disk);
    let missing = [1..2, base(&files[1])..base(&files[2]), base(&files[3]) - 1..base(&files[3])];
    assert_eq!(exported.missing, missing.clone().map(|range| Offset(range.start)..Offset(range.end)));
    let left: Vec<_> = records
        .into_iter()
        .filter(|(offset, _)| !missing.iter().any(|range| range.contains(offset)))
        .collect();
    assert_eq!(all_records(&open_copy(&disk)), left);
}

#[test]
fn a_torn_end_is_no_damage_unless_something_says_that_it_was_there() {
    let (disk, _) = closed();
    let last = names(&disk).into_iter().rfind(|name| name.ends_with(".log")).expect("one");
    let bytes = contents(&disk, &last);
    replace(&disk, &last, &bytes[..bytes.len() - 1]);
    let found = verify(&disk, false, 59);
    assert_eq!(found.torn_end.map(|torn| torn.offsets.start), Some(Offset(59)));
    assert_eq!(found.damaged, []);
    for (was_clean, mark) in [(true, 0), (false, 60)] {
        let found = verify(&disk, was_clean, mark);
        assert_eq!((found.torn_end, found.damaged.len()), (None, 1));
    }
}

#[test]
fn what_is_wrong_beside_the_segments_is_named() {
    let (disk, _) = closed();
    let check = |name: &str, bytes: &[u8], expected: &str| {
        let disk = disk.after_process_kill();
        replace(&disk, name, bytes);
        let found = verify(&disk, true, 60);
        let [trouble] = &found.helpers[..] else { panic!("{name}: {found:?}") };
        assert_eq!(trouble.path, dir().join(name));
        assert!(trouble.what.contains(expected), "{}", trouble.what);
        assert_eq!(found.damaged, []);
    };
    let index = contents(&disk, "00000000000000000000.index");
    let mut wrong = index.clone();
    wrong[7] ^= 4;
    check("00000000000000000000.index", &wrong, "no batch at");
    let mut wrong = contents(&disk, "00000000000000000000.timeindex");
    wrong[0] = 1;
    check("00000000000000000000.timeindex", &wrong, "timestamp");
    check("00000000000000000000.txnindex", &[1; 33], "aborted");
    check("00000000000000000007.index", b"", "no segment");
    check("00000000000000000060.snapshot", b"x", "");
    check("leader-epoch-checkpoint", b"0\n0\n", "begins at offset");
    check("leader-epoch-checkpoint", b"?", "checkpoint");
    check("partition.metadata", b"?", "");
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let disk: Arc<dyn Disk> = Arc::new(new_disk());
    assert!(verify_log(&disk, &partition(), Path::new("/nowhere"), VerifyFacts::default()).is_err());
}
