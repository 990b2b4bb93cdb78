//! One entry of `log.dirs`: a directory of logs, owned by one process at a time.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_protocol::Offset;
use parking_lot::Mutex;

use crate::checkpoint::OffsetCheckpoint;
use crate::disk::{Disk, LockGuard, OpenMode, Space, read_file, write_all_at};
use crate::error::{LogError, TopicPartition, is_failure_of_the_disk};
use crate::file_cache::{LogContext, exists};
use crate::log::Log;
use crate::meta_properties::MetaProperties;
use crate::names::{self, DirKind};
use crate::open::OpenOptions;
use crate::recovery::RecoveryReport;

/// Name of the file that is locked for as long as the directory is used; the JVM locks it too.
pub const LOCK_FILE: &str = ".lock";
/// Name of the file that says that all logs were closed.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";

const CLEAN_SHUTDOWN_SIZE_MAX: u64 = 4096;

/// Why a log directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogDirError {
    /// Another process uses it.
    #[error("{} is used by another process, which holds its {LOCK_FILE}", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The path is there and not a directory.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The disk refused, or a file in it is damaged.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The answer.
        source: io::Error,
    },
}

impl LogDirError {
    /// Whether the disk failed, so that nothing in the directory can be relied upon any more.
    pub fn is_storage_failure(&self) -> bool {
        matches!(self, LogDirError::Io { source, .. } if is_failure_of_the_disk(source))
    }
}

fn refused<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> LogDirError + 'p {
    move |source| LogDirError::Io { path: path.to_owned(), action, source }
}

/// A log directory, locked.
#[derive(Debug)]
pub struct LogDir {
    context: LogContext,
    path: PathBuf,
    meta_properties: Option<MetaProperties>,
    /// Whether the last process closed all logs, and the broker epoch that it had.
    clean_shutdown: Option<Option<i64>>,
    recovery_points: BTreeMap<TopicPartition, Offset>,
    log_start_offsets: BTreeMap<TopicPartition, Offset>,
    /// That checkpoint could not be read, or is gone while others are there.
    log_starts_are_lost: bool,
    cleaned_to: BTreeMap<TopicPartition, Offset>,
    _lock: Box<dyn LockGuard>,
}

/// What opening a log comes to.
type OpenResult = Result<(Log, RecoveryReport), LogError>;

/// A partition's directory within a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDir {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// What it is for.
    pub kind: DirKind,
    /// Where it is.
    pub path: PathBuf,
}

impl LogDir {
    /// Locks a directory and begins to use it.
    ///
    /// # Errors
    /// Those of [`lock`](LogDir::lock) and [`begin`](LogDir::begin).
    pub fn open(context: &LogContext, path: &Path) -> Result<LogDir, LogDirError> {
        let log_dir = LogDir::lock(context, path)?;
        log_dir.begin()?;
        Ok(log_dir)
    }

    /// Locks a directory, made if it is not there, and reads what it says about itself. Nothing in it is changed before
    /// [`begin`](LogDir::begin): it may turn out to be somebody else's.
    ///
    /// Damaged checkpoints are no error: all logs are examined from their starts then, as Kafka does.
    ///
    /// # Errors
    /// [`LogDirError::Locked`]; what the disk says; what is wrong with `meta.properties`.
    pub fn lock(context: &LogContext, path: &Path) -> Result<LogDir, LogDirError> {
        let disk = context.disk();
        make_dir(disk, path)?;
        let lock_path = path.join(LOCK_FILE);
        let lock = disk.try_lock(&lock_path).map_err(refused("lock", &lock_path))?;
        let lock = lock.ok_or_else(|| LogDirError::Locked { path: path.to_owned() })?;
        let meta_properties = MetaProperties::read(disk, path)
            .map_err(|error| refused("read", &path.join(crate::META_PROPERTIES))(error))?;
        let checkpoint = |which: OffsetCheckpoint| match which.read(disk, path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let file = which.file_name();
                tracing::warn!(dir = %path.display(), file, %error, "ignoring a damaged checkpoint");
                Ok(None)
            }
            other => other.map(Some).map_err(|error| refused("read", &path.join(which.file_name()))(error)),
        };
        let recovery_points = checkpoint(OffsetCheckpoint::RecoveryPoint)?.unwrap_or_default();
        let log_start_offsets = checkpoint(OffsetCheckpoint::LogStartOffset)?;
        let cleaned_to = checkpoint(OffsetCheckpoint::Cleaner)?.unwrap_or_default();
        let log_start_path = path.join(OffsetCheckpoint::LogStartOffset.file_name());
        // It is written together with the recovery points.
        let is_gone = !recovery_points.is_empty()
            && !exists(disk, &log_start_path).map_err(refused("look at", &log_start_path))?;
        Ok(LogDir {
            context: context.clone(),
            path: path.to_owned(),
            meta_properties,
            clean_shutdown: read_clean_shutdown(disk, path)?,
            recovery_points,
            log_starts_are_lost: log_start_offsets.is_none() || is_gone,
            log_start_offsets: log_start_offsets.unwrap_or_default(),
            cleaned_to,
            _lock: lock,
        })
    }

    /// Takes the note of a clean shutdown away: from now on only another one will count. The removal is durable before
    /// anything is appended: a note that came back after a power failure would hide what that did.
    ///
    /// # Errors
    /// What the disk says.
    pub fn begin(&self) -> Result<(), LogDirError> {
        if self.clean_shutdown.is_none() {
            return Ok(());
        }
        let (disk, path) = (self.context.disk(), self.path.join(CLEAN_SHUTDOWN_FILE));
        let remove = || {
            disk.remove_file(&path)?;
            disk.sync_dir(&self.path)
        };
        remove().map_err(refused("remove", &path))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the logs in it share.
    pub fn context(&self) -> &LogContext {
        &self.context
    }

    /// Whose it is; `None` if it was not formatted yet.
    pub fn meta_properties(&self) -> Option<&MetaProperties> {
        self.meta_properties.as_ref()
    }

    /// Says whose it is, durably.
    ///
    /// # Errors
    /// What the disk says.
    pub fn set_meta_properties(&mut self, meta_properties: MetaProperties) -> Result<(), LogDirError> {
        meta_properties
            .write(self.context.disk(), &self.path)
            .map_err(|error| refused("write", &self.path.join(crate::META_PROPERTIES))(error))?;
        self.meta_properties = Some(meta_properties);
        Ok(())
    }

    /// Whether the last process closed all logs here.
    pub fn was_clean(&self) -> bool {
        self.clean_shutdown.is_some()
    }

    /// The broker epoch that the last process had, if it closed all logs here and said so (KIP-966).
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        self.clean_shutdown.flatten()
    }

    /// How much room there is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn space(&self) -> Result<Space, LogDirError> {
        self.context.disk().space(&self.path).map_err(refused("look at", &self.path))
    }

    /// The partitions' directories in it, by name.
    ///
    /// # Errors
    /// What the disk says.
    pub fn partitions(&self) -> Result<Vec<PartitionDir>, LogDirError> {
        let entries = self.context.disk().list(&self.path).map_err(refused("list", &self.path))?;
        let mut partitions = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.is_dir) {
            let path = self.path.join(&entry.name);
            match names::parse_partition_dir(&entry.name) {
                Some((topic_partition, kind)) => {
                    partitions.push(PartitionDir { topic_partition, kind, path });
                }
                None => tracing::warn!(path = %path.display(), "not the directory of a partition"),
            }
        }
        partitions.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(partitions)
    }

    /// Renames a partition's directory that belongs to no partition any more, so that it is in nobody's way and an
    /// operator can look into it (KIP-866): the name gets `unique` and `-stray`. Gives its new path.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_stray_aside(
        &self,
        topic_partition: &TopicPartition,
        unique: u128,
    ) -> Result<PathBuf, LogDirError> {
        let from = self.path.join(names::partition_dir(topic_partition));
        let to = self.path.join(names::aside_dir(topic_partition, unique, DirKind::Stray));
        self.context.disk().rename(&from, &to).map_err(refused("rename", &from))?;
        Ok(to)
    }

    /// How a partition's log here is opened, as far as the directory knows: where it is, whether it was closed, and
    /// what the checkpoints say.
    pub fn open_options(&self, topic_partition: &TopicPartition, now_ms: i64) -> OpenOptions {
        let offset = |offsets: &BTreeMap<TopicPartition, Offset>| {
            offsets.get(topic_partition).copied().unwrap_or(Offset(0))
        };
        let dir = self.path.join(names::partition_dir(topic_partition));
        OpenOptions {
            was_clean: self.was_clean(),
            log_start_offset: offset(&self.log_start_offsets),
            log_start_is_lost: self.log_starts_are_lost,
            recovery_point: offset(&self.recovery_points),
            cleaned_to: self.cleaned_to.get(topic_partition).copied(),
            ..OpenOptions::new(topic_partition.clone(), dir, now_ms)
        }
    }

    /// Opens logs, several at a time (`num.recovery.threads.per.data.dir`). The results are in the order of the
    /// options.
    pub fn open_logs(&self, options: Vec<OpenOptions>, threads: usize) -> Vec<OpenResult> {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<OpenResult>>> = options.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            let work = || {
                while let Some(index) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < options.len())
                {
                    let result = Log::open(&self.context, options[index].clone());
                    *results[index].lock() = Some(result);
                }
            };
            for _ in 1..threads.clamp(1, options.len().max(1)) {
                scope.spawn(work);
            }
            work();
        });
        let taken = results.into_iter().map(Mutex::into_inner);
        taken.map(|result| result.expect("every log was opened")).collect()
    }

    /// Writes a checkpoint, durably.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_checkpoint<'a>(
        &self,
        checkpoint: OffsetCheckpoint,
        offsets: impl IntoIterator<Item = (&'a TopicPartition, Offset)>,
    ) -> Result<(), LogDirError> {
        checkpoint
            .write(self.context.disk(), &self.path, offsets)
            .map_err(|error| refused("write", &self.path.join(checkpoint.file_name()))(error))
    }

    /// Corrects the recovery point of a log that was found to end before it ([`RecoveryReport::missing_before`]),
    /// durably: before anything is appended there that the old one would call flushed.
    ///
    /// # Errors
    /// What the disk says.
    pub fn lower_recovery_point(
        &self,
        topic_partition: &TopicPartition,
        recovery_point: Offset,
    ) -> Result<(), LogDirError> {
        let which = OffsetCheckpoint::RecoveryPoint;
        let mut points = self.read_checkpoint(which).unwrap_or_default();
        points.insert(topic_partition.clone(), recovery_point);
        self.write_checkpoint(which, points.iter().map(|(partition, point)| (partition, *point)))
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// What the disk says; `InvalidData` if it is damaged.
    pub fn read_checkpoint(
        &self,
        checkpoint: OffsetCheckpoint,
    ) -> Result<BTreeMap<TopicPartition, Offset>, LogDirError> {
        checkpoint
            .read(self.context.disk(), &self.path)
            .map_err(|error| refused("read", &self.path.join(checkpoint.file_name()))(error))
    }

    /// Notes that all logs were flushed and closed and the checkpoints written, durably: the last thing a process does
    /// here.
    ///
    /// # Errors
    /// What the disk says; the next process then examines the logs.
    pub fn write_clean_shutdown(&self, broker_epoch: i64) -> Result<(), LogDirError> {
        let disk = self.context.disk();
        let path = self.path.join(CLEAN_SHUTDOWN_FILE);
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        let write = || {
            let file = disk.open(&path, OpenMode::CreateEmpty)?;
            write_all_at(&*file, text.as_bytes(), &[], 0)?;
            file.sync()?;
            disk.sync_dir(&self.path)
        };
        write().map_err(refused("write", &path))
    }
}

fn make_dir(disk: &dyn Disk, path: &Path) -> Result<(), LogDirError> {
    match disk.metadata(path) {
        Ok(metadata) if metadata.is_dir => Ok(()),
        Ok(_) => Err(LogDirError::NotADirectory { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let make = || {
                disk.create_dir(path)?;
                path.parent().map_or(Ok(()), |parent| disk.sync_dir(parent))
            };
            make().map_err(refused("make", path))
        }
        Err(error) => Err(refused("look at", path)(error)),
    }
}

/// Reads the note of a clean shutdown.
fn read_clean_shutdown(disk: &dyn Disk, dir: &Path) -> Result<Option<Option<i64>>, LogDirError> {
    let path = dir.join(CLEAN_SHUTDOWN_FILE);
    if !exists(disk, &path).map_err(refused("look at", &path))? {
        return Ok(None);
    }
    let text = read_file(disk, &path, CLEAN_SHUTDOWN_SIZE_MAX).map_err(refused("read", &path))?;
    Ok(Some(broker_epoch_of(&String::from_utf8_lossy(&text))))
}

/// The number behind `"brokerEpoch":`. Older Kafkas left the file empty.
fn broker_epoch_of(json: &str) -> Option<i64> {
    let after = json.split_once("\"brokerEpoch\"")?.1.trim_start().strip_prefix(':')?.trim_start();
    let end = after.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_epoch_is_found_in_kafkas_json() {
        assert_eq!(broker_epoch_of("{\"version\":0,\"brokerEpoch\":42}"), Some(42));
        assert_eq!(broker_epoch_of("{ \"brokerEpoch\" : -1 , \"version\" : 0 }"), Some(-1));
        assert_eq!(broker_epoch_of(""), None);
        assert_eq!(broker_epoch_of("{\"version\":0}"), None);
    }
}
