//! The commands on a log directory that a broker of the crate underneath wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_log::disk::RealDisk;
use ottla_log::{
    Log, LogConfig, LogContext, LogDir, MetaProperties, OffsetCheckpoint, OpenOptions, TopicPartition,
};
use ottla_protocol::records::{BatchBuilder, BatchBytes};
use ottla_protocol::{LeaderEpoch, Uuid};
use serde_json::{Value, json};

use super::run;
use crate::context::Context;

/// Runs the command; gives exit code and standard output, or standard error where there is none of that.
fn log(words: &[&str]) -> (i32, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let mut cx = Context { out: &mut out, err: &mut err, is_interactive: false, now_ms: || 0 };
    let code = run(&words, &mut cx);
    (code, String::from_utf8(if out.is_empty() { err } else { out }).expect("text"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// A log directory with two partitions of 30 records each, closed.
fn written(dir: &Path) {
    let context = LogContext::new(Arc::new(RealDisk), 10);
    let mut log_dir = LogDir::open(&context, dir).expect("opens");
    log_dir.set_meta_properties(MetaProperties::new("cluster", 1, Uuid([3; 16]))).expect("writes");
    let mut points = Vec::new();
    for index in 0..2 {
        let partition = TopicPartition::new("orders", index);
        let config = LogConfig { segment_bytes: 1000, ..LogConfig::default() };
        let topic_id = Some(Uuid([7; 16]));
        let options = OpenOptions { config, topic_id, ..log_dir.open_options(&partition, 0) };
        let mut log = Log::open(&context, options).expect("opens").0;
        for n in 0..30 {
            let mut builder = BatchBuilder::new();
            builder.append(n, None, Some(format!("value {n}").as_bytes()), &[]);
            let bytes = builder.build();
            log.append(&mut BatchBytes::new(&bytes).expect("sound"), LeaderEpoch(0), n).expect("appends");
        }
        log.flush(0).expect("flushes");
        log.close().expect("closes");
        points.push((partition, log.recovery_point()));
    }
    for checkpoint in [OffsetCheckpoint::RecoveryPoint, OffsetCheckpoint::Replication] {
        let points = points.iter().map(|(partition, offset)| (partition, *offset));
        log_dir.write_checkpoint(checkpoint, points).expect("writes");
    }
    log_dir.write_clean_shutdown(1).expect("writes");
}

fn first_segment(dir: &Path, partition: &str) -> PathBuf {
    dir.join(partition).join("00000000000000000000.log")
}

/// Flips a bit of the second batch.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("reads");
    let size = 12 + u32::from_be_bytes(bytes[8..12].try_into().expect("four")) as usize;
    bytes[size + 61] ^= 1;
    fs::write(file, bytes).expect("writes");
}

#[test]
fn what_is_sound_is_said_to_be() {
    let dir = tempfile::tempdir().expect("makes");
    written(dir.path());
    let (code, said) = log(&["verify", text(dir.path())]);
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("orders-0: sound, offsets 0 to 30, "), "{said}");
    assert!(said.ends_with("bytes: no record is damaged\n"), "{said}");
    let (code, said) = log(&["verify", text(&dir.path().join("orders-1"))]);
    assert!(code == 0 && said.contains("1 partitions"), "{said}");
}

#[test]
fn damage_is_named_with_file_position_and_offsets() {
    let dir = tempfile::tempdir().expect("makes");
    written(dir.path());
    let file = first_segment(dir.path(), "orders-1");
    damage(&file);
    let (code, said) = log(&["verify", text(dir.path())]);
    assert_eq!(code, 1, "{said}");
    let line = format!("  damaged: {} at ", file.display());
    assert!(said.contains("orders-0: sound") && said.contains("orders-1: DAMAGED"), "{said}");
    assert!(said.contains(&line) && said.contains(" bytes, offset 1: stored crc "), "{said}");
    assert!(said.contains("2 partitions") && said.contains(": 1 damaged\n"), "{said}");
    let (code, said) = log(&["verify", "-o", "json", text(dir.path())]);
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &json["sound"]), (1, &json!(false)));
    let damaged = &json["partitions"][1]["damaged"][0];
    assert_eq!((&damaged["startOffset"], &damaged["endOffset"]), (&json!(1), &json!(2)));
    assert_eq!(damaged["file"], json!(text(&file)));
    assert_eq!(json["partitions"][0]["damaged"], json!([]));
}

#[test]
fn files_beside_the_logs_are_looked_at_too() {
    let dir = tempfile::tempdir().expect("makes");
    written(dir.path());
    fs::write(dir.path().join("recovery-point-offset-checkpoint"), "?").expect("writes");
    fs::write(dir.path().join("orders-0").join("leader-epoch-checkpoint"), "?").expect("writes");
    let (code, said) = log(&["verify", text(dir.path())]);
    assert_eq!(code, 1);
    assert!(said.contains("recovery-point-offset-checkpoint: not a checkpoint"), "{said}");
    assert!(said.contains("orders-0: records are sound"), "{said}");
}

#[test]
fn a_copy_has_what_is_sound_and_opens() {
    let dir = tempfile::tempdir().expect("makes");
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    written(&from);
    damage(&first_segment(&from, "orders-1"));
    let (code, said) = log(&["export", text(&from), "--to", text(&to)]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("orders-1: copied") && said.contains("  missing: offset 1\n"), "{said}");
    assert_eq!(log(&["verify", text(&to)]).0, 0);
    let context = LogContext::new(Arc::new(RealDisk), 10);
    let log_dir = LogDir::open(&context, &to).expect("opens");
    assert_eq!(log_dir.meta_properties().and_then(|meta| meta.node_id), Some(1));
    let partition = TopicPartition::new("orders", 1);
    let (copy, report) = Log::open(&context, log_dir.open_options(&partition, 0)).expect("opens");
    assert_eq!((report.cuts, report.damaged, copy.log_end_offset().0), (vec![], vec![], 30));
    let mut offsets = Vec::new();
    copy.replay(ottla_protocol::Offset(0), |batch| {
        offsets.push(batch.header.base_offset.0);
        Ok(())
    })
    .expect("reads");
    assert_eq!(offsets, (0..30).filter(|offset| *offset != 1).collect::<Vec<_>>());
    // Nothing is ever written over.
    let (code, said) = log(&["export", text(&from), "--to", text(&to)]);
    assert!(code == 2 && said.contains("is there already"), "{said}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().expect("makes");
    for words in [&["verify"][..], &["export", "a"], &["export", "a", "b", "--to", "c"], &["mend"]] {
        assert_eq!(log(words).0, 2, "{words:?}");
    }
    let (code, said) = log(&["verify", text(dir.path())]);
    assert!(code == 2 && said.contains("neither a log directory nor a partition's"), "{said}");
    assert_eq!(log(&["--help"]).0, 0);
}
