//! Kafka's checkpoint files: version, number of entries, one entry a line.
//!
//! ```text
//! 0
//! 2
//! orders 0 1520
//! orders 1 97
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use ottla_protocol::{LeaderEpoch, Offset, TopicId};

use crate::disk::{Disk, read_file, replace_file, replace_file_unsynced};
use crate::epoch_cache::{EpochCache, EpochEntry};
use crate::{TopicPartition, names};

/// The largest checkpoint that is read: more partitions than a broker can have.
const SIZE_MAX: u64 = 1 << 30;
const VERSION: &str = "0";

/// A checkpoint of a log directory: an offset for each of its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetCheckpoint {
    /// Up to where each log is known to be on the disk; after an unclean stop the rest is examined.
    RecoveryPoint,
    /// Where each log begins, where that is not where its first segment does.
    LogStartOffset,
    /// High watermarks.
    Replication,
    /// Up to where each log has been compacted.
    Cleaner,
}

impl OffsetCheckpoint {
    /// The file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            OffsetCheckpoint::RecoveryPoint => "recovery-point-offset-checkpoint",
            OffsetCheckpoint::LogStartOffset => "log-start-offset-checkpoint",
            OffsetCheckpoint::Replication => "replication-offset-checkpoint",
            OffsetCheckpoint::Cleaner => "cleaner-offset-checkpoint",
        }
    }

    /// Reads the checkpoint of a log directory; nothing if there is none yet.
    ///
    /// # Errors
    /// `InvalidData` if the file is damaged.
    pub fn read(self, disk: &dyn Disk, log_dir: &Path) -> io::Result<BTreeMap<TopicPartition, Offset>> {
        let text = read_text(disk, &log_dir.join(self.file_name()))?;
        parse(&text, |line| {
            let (topic, rest) = line.split_once(' ')?;
            let (partition, offset) = rest.split_once(' ')?;
            let offset = Offset(offset.parse().ok()?);
            Some((TopicPartition::new(topic, partition.parse().ok()?), offset))
        })
    }

    /// Replaces the checkpoint of a log directory; it is durable afterwards.
    pub fn write<'a>(
        self,
        disk: &dyn Disk,
        log_dir: &Path,
        offsets: impl IntoIterator<Item = (&'a TopicPartition, Offset)>,
    ) -> io::Result<()> {
        let lines = offsets.into_iter().map(|(tp, offset)| format!("{} {} {offset}", tp.topic, tp.partition));
        replace_file(disk, &log_dir.join(self.file_name()), format(lines).as_bytes())
    }
}

/// Reads the epochs of a log.
pub(crate) fn read_epochs(disk: &dyn Disk, dir: &Path) -> io::Result<EpochCache> {
    let text = read_text(disk, &dir.join(names::LEADER_EPOCH_CHECKPOINT))?;
    let entries: Vec<EpochEntry> = parse(&text, |line| {
        let (epoch, offset) = line.split_once(' ')?;
        let (epoch, start_offset) = (LeaderEpoch(epoch.parse().ok()?), Offset(offset.parse().ok()?));
        Some(EpochEntry { epoch, start_offset })
    })?;
    let mut cache = EpochCache::default();
    for entry in entries {
        cache.assign(entry.epoch, entry.start_offset);
    }
    Ok(cache)
}

/// Replaces the epochs of a log; if `sync`, the file itself is durable afterwards, its name once the directory is synced.
pub(crate) fn write_epochs(disk: &dyn Disk, dir: &Path, epochs: &EpochCache, sync: bool) -> io::Result<()> {
    let lines = epochs.entries().iter().map(|entry| format!("{} {}", entry.epoch, entry.start_offset));
    replace_file_unsynced(disk, &dir.join(names::LEADER_EPOCH_CHECKPOINT), format(lines).as_bytes(), sync)
}

/// The topic id of a log; `None` if there is no file, or an empty one that a power failure left.
pub(crate) fn read_topic_id(disk: &dyn Disk, dir: &Path) -> io::Result<Option<TopicId>> {
    let text = read_text(disk, &dir.join(names::PARTITION_METADATA))?;
    if text.is_empty() {
        return Ok(None);
    }
    let value = |name: &str| {
        let value = |line: &str| {
            line.split_once(':').filter(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
        };
        text.lines().find_map(value)
    };
    match (value("version").as_deref(), value("topic_id").as_deref().and_then(TopicId::parse)) {
        (Some(VERSION), Some(id)) => Ok(Some(id)),
        _ => Err(invalid(&text)),
    }
}

/// Writes the topic id of a log; durable afterwards if `sync`, once the directory is synced.
pub(crate) fn write_topic_id(disk: &dyn Disk, dir: &Path, id: TopicId, sync: bool) -> io::Result<()> {
    let text = format!("version: {VERSION}\ntopic_id: {id}");
    replace_file_unsynced(disk, &dir.join(names::PARTITION_METADATA), text.as_bytes(), sync)
}

fn read_text(disk: &dyn Disk, path: &Path) -> io::Result<String> {
    match read_file(disk, path, SIZE_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The text of a checkpoint: one line an entry.
pub(crate) fn format(lines: impl Iterator<Item = String>) -> String {
    let mut body = String::new();
    let mut count = 0;
    for line in lines {
        body.push_str(&line);
        body.push('\n');
        count += 1;
    }
    let mut text = format!("{VERSION}\n{count}\n");
    let _ = write!(text, "{body}");
    text
}

/// Reads all entries. An empty file has none; that is how Kafka makes it.
pub(crate) fn parse<T, C: FromIterator<T>>(text: &str, entry: impl Fn(&str) -> Option<T>) -> io::Result<C> {
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(C::from_iter([])) };
    if version != VERSION {
        return Err(invalid(version));
    }
    let count: usize = match lines.next() {
        Some(count) => count.parse().map_err(|_| invalid(count))?,
        None => 0,
    };
    if text.lines().count().saturating_sub(2) != count {
        return Err(invalid("wrong number of entries"));
    }
    lines.map(|line| entry(line).ok_or_else(|| invalid(line))).collect()
}

fn invalid(what: &str) -> io::Error {
    let shown: String = what.chars().take(100).collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("not a checkpoint: {shown:?}"))
}
