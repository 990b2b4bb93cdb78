//! `ottla log verify|export`: looks through the files of a broker that is stopped, its own or a JVM's.

mod export;
mod verify;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_log::disk::{Disk, RealDisk};
use ottla_log::{
    CLEAN_SHUTDOWN_FILE, DirKind, HelperTrouble, META_PROPERTIES, MetaProperties, OffsetCheckpoint,
    TopicPartition, VerifyFacts, partition_of_dir,
};
use ottla_protocol::Offset;

use super::words::Usage;
use crate::context::Context;

/// Runs the command.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match words.first().map_or("--help", String::as_str) {
        "verify" => verify::run(&words[1..], cx),
        "export" => export::run(&words[1..], cx),
        "-h" | "--help" => {
            for Usage { synopsis, about, .. } in [&verify::USAGE, &export::USAGE] {
                writeln!(cx.out, "{:<44} {about}", format!("ottla {synopsis}")).ok();
            }
            0
        }
        verb => {
            writeln!(cx.err, "error: there is no `ottla log {verb}`\n  → log can verify, export").ok();
            2
        }
    }
}

/// A partition's directory.
#[derive(Debug)]
struct Place {
    topic_partition: TopicPartition,
    dir: PathBuf,
    facts: VerifyFacts,
}

/// What somebody named: a log directory, or a partition's.
#[derive(Debug)]
struct Named {
    /// The log directory with its checkpoints, if it is one.
    log_dir: Option<PathBuf>,
    places: Vec<Place>,
    /// What is wrong with the log directory's own files.
    troubles: Vec<HelperTrouble>,
}

/// What cannot be done, and to what.
#[derive(Debug)]
struct Refused {
    path: PathBuf,
    why: String,
}

fn refused(path: &Path, why: impl ToString) -> Refused {
    Refused { path: path.to_owned(), why: why.to_string() }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Finds the partitions in a directory, or takes it for one.
fn find(disk: &dyn Disk, path: &Path) -> Result<Named, Refused> {
    let path = std::path::absolute(path).map_err(|error| refused(path, error))?;
    let entries = disk.list(&path).map_err(|error| refused(&path, error))?;
    let is_log = |name: &str| name.ends_with(".log") || name == "partition.metadata";
    let mut troubles = Vec::new();
    if let Some((topic_partition, _)) = partition_of_dir(&path)
        && entries.iter().any(|entry| !entry.is_dir && is_log(&entry.name))
    {
        let parent = path.parent().unwrap_or(&path);
        let facts = Checkpoints::read(disk, parent, &mut Vec::new())?.facts(&topic_partition);
        let places = vec![Place { topic_partition, dir: path, facts }];
        return Ok(Named { log_dir: None, places, troubles });
    }
    let checkpoints = Checkpoints::read(disk, &path, &mut troubles)?;
    if let Err(error) = MetaProperties::read(disk, &path) {
        troubles.push(HelperTrouble { path: path.join(META_PROPERTIES), what: error.to_string() });
    }
    let mut places = Vec::new();
    for entry in entries.iter().filter(|entry| entry.is_dir) {
        let dir = path.join(&entry.name);
        // Copies that are being made, and what is about to be removed, are nobody's data.
        let Some((topic_partition, DirKind::Current | DirKind::Stray)) = partition_of_dir(&dir) else {
            continue;
        };
        let facts = checkpoints.facts(&topic_partition);
        places.push(Place { topic_partition, dir, facts });
    }
    places.sort_by(|one, other| one.dir.cmp(&other.dir));
    if places.is_empty() {
        return Err(refused(&path, "neither a log directory nor a partition's"));
    }
    Ok(Named { log_dir: Some(path), places, troubles })
}

/// What a log directory says of its partitions.
struct Checkpoints {
    was_clean: bool,
    recovery_points: BTreeMap<TopicPartition, Offset>,
    high_watermarks: BTreeMap<TopicPartition, Offset>,
}

impl Checkpoints {
    fn read(disk: &dyn Disk, dir: &Path, troubles: &mut Vec<HelperTrouble>) -> Result<Checkpoints, Refused> {
        let mut read = |checkpoint: OffsetCheckpoint| match checkpoint.read(disk, dir) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let path = dir.join(checkpoint.file_name());
                troubles.push(HelperTrouble { path, what: error.to_string() });
                Ok(BTreeMap::new())
            }
            read => read.map_err(|error| refused(&dir.join(checkpoint.file_name()), error)),
        };
        let recovery_points = read(OffsetCheckpoint::RecoveryPoint)?;
        let high_watermarks = read(OffsetCheckpoint::Replication)?;
        read(OffsetCheckpoint::LogStartOffset)?;
        read(OffsetCheckpoint::Cleaner)?;
        let was_clean = disk.metadata(&dir.join(CLEAN_SHUTDOWN_FILE)).is_ok();
        Ok(Checkpoints { was_clean, recovery_points, high_watermarks })
    }

    fn facts(&self, topic_partition: &TopicPartition) -> VerifyFacts {
        let offset =
            |of: &BTreeMap<TopicPartition, Offset>| of.get(topic_partition).map_or(0, |offset| offset.0);
        VerifyFacts {
            was_clean: self.was_clean,
            recovery_point: offset(&self.recovery_points),
            high_watermark: offset(&self.high_watermarks),
        }
    }
}

/// `offsets 3 to 7`, or to the end.
fn offsets(range: &std::ops::Range<Offset>) -> String {
    match range.end {
        Offset(i64::MAX) => format!("offsets from {} on", range.start),
        end if end.0 == range.start.0 + 1 => format!("offset {}", range.start),
        end => format!("offsets {} to {}", range.start, end.0 - 1),
    }
}

#[cfg(test)]
mod tests;
