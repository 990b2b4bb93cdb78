//! `ottla log export`: copies what is sound, around what is not.

use std::path::Path;

use ottla_log::disk::{Disk, OpenMode, read_file, write_all_at};
use ottla_log::{ExportedLog, META_PROPERTIES, OffsetCheckpoint, export_log};
use ottla_protocol::Offset;

use super::{Named, Place, Refused, disk, find, offsets, refused};
use crate::context::Context;
use crate::short::words::{Flag, Usage};

/// The largest file beside the logs that is copied.
const FILE_SIZE_MAX: u64 = 1 << 30;
/// The topic of the metadata log, which has files of its own.
const METADATA_TOPIC: &str = "__cluster_metadata";

const TO: Flag =
    Flag { short: 't', long: "to", value: "DIR", help: "where the copy goes; made if it is not there" };

pub(super) const USAGE: Usage = Usage {
    synopsis: "log export DIR --to DIR",
    about: "Copies what is sound of a log directory, or of a partition's.",
    flags: &[&TO],
    notes: "The copy is a directory that Ottla and Apache Kafka open: set log.dirs to it, or put a partition's\n\
            directory in the place of the damaged one while the broker is stopped. What is not in it is said.\n\
            Ends with 0 if everything was copied, 1 if something is missing, 2 if it could not be done.",
};

pub(super) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    let words = match USAGE.read(words, cx) {
        Ok(words) => words,
        Err(code) => return code,
    };
    let ([from], Some(to)) = (&words.operands[..], words.last(&TO)) else {
        return USAGE.complain(cx, "name one directory, and another one with --to");
    };
    match export(Path::new(from), Path::new(to), cx) {
        Ok(is_whole) => i32::from(!is_whole),
        Err(error) => {
            cx.out.flush().ok();
            writeln!(cx.err, "error: {error}\n  → give --to a directory that is new, on a disk with room")
                .ok();
            2
        }
    }
}

/// Says whether nothing is missing.
fn export(from: &Path, to: &Path, cx: &mut Context<'_>) -> Result<bool, Refused> {
    let disk = disk();
    let Named { log_dir, places, .. } = find(&*disk, from)?;
    let to = std::path::absolute(to).map_err(|error| refused(to, error))?;
    let mut is_whole = true;
    let mut ends = Vec::new();
    for place in &places {
        let name = place.dir.file_name().unwrap_or_default();
        let copy = to.join(name);
        if disk.metadata(&copy).is_ok() {
            return Err(refused(&copy, "is there already"));
        }
        let exported = export_log(&disk, &place.topic_partition, &place.dir, &copy);
        let exported = exported.map_err(|error| refused(&copy, error))?;
        if &*place.topic_partition.topic == METADATA_TOPIC {
            copy_metadata_files(&*disk, &place.dir, &copy)?;
        }
        write!(cx.out, "{}", text_of(&exported)).map_err(|error| refused(&copy, error))?;
        is_whole &= exported.missing.is_empty() && is_complete(place, exported.offsets.end);
        ends.push(exported);
    }
    if let Some(log_dir) = log_dir {
        copy_dir_files(&*disk, &log_dir, &to, &ends)?;
    }
    disk.sync_dir(&to).map_err(|error| refused(&to, error))?;
    Ok(is_whole)
}

/// Whether the copy reaches as far as the checkpoints know the log.
fn is_complete(place: &Place, end: Offset) -> bool {
    end.0 >= place.facts.high_watermark
}

fn text_of(exported: &ExportedLog) -> String {
    let ExportedLog { topic_partition, offsets: copied, bytes, missing, left_out } = exported;
    let mut text =
        format!("{topic_partition}: copied {bytes} bytes, offsets {} to {}\n", copied.start, copied.end);
    for gap in missing {
        text.push_str(&format!("  missing: {}\n", offsets(gap)));
    }
    for path in left_out {
        text.push_str(&format!("  left out: {}, which is damaged\n", path.display()));
    }
    text
}

/// The checkpoints of the metadata log, and what its quorum has decided.
fn copy_metadata_files(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), Refused> {
    let entries = disk.list(from).map_err(|error| refused(from, error))?;
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        if entry.name.ends_with(".checkpoint") || entry.name == "quorum-state" {
            copy_file(disk, &from.join(&entry.name), &to.join(&entry.name))?;
        }
    }
    Ok(())
}

/// Whose the directory is, and what is known of its partitions. Not where they were flushed, nor that they were closed:
/// who opens the copy examines it.
fn copy_dir_files(disk: &dyn Disk, from: &Path, to: &Path, exported: &[ExportedLog]) -> Result<(), Refused> {
    for name in [META_PROPERTIES, "bootstrap.checkpoint"] {
        if disk.metadata(&from.join(name)).is_ok() {
            copy_file(disk, &from.join(name), &to.join(name))?;
        }
    }
    for checkpoint in [OffsetCheckpoint::LogStartOffset, OffsetCheckpoint::Replication] {
        // One that is damaged is made anew.
        let known = checkpoint.read(disk, from).unwrap_or_default();
        let offsets = exported.iter().filter_map(|log| {
            let offset = known.get(&log.topic_partition)?;
            Some((&log.topic_partition, (*offset).min(log.offsets.end)))
        });
        let path = to.join(checkpoint.file_name());
        checkpoint.write(disk, to, offsets).map_err(|error| refused(&path, error))?;
    }
    Ok(())
}

fn copy_file(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), Refused> {
    let bytes = read_file(disk, from, FILE_SIZE_MAX).map_err(|error| refused(from, error))?;
    let write = || {
        let file = disk.open(to, OpenMode::CreateEmpty)?;
        write_all_at(&*file, &bytes, &[], 0)?;
        file.sync()
    };
    write().map_err(|error| refused(to, error))
}
