//! The directories of `log.dirs`: whose they are, which partition is in which, what their checkpoints say.

mod checkpoints;
mod claim;
mod close;
mod found;
mod logs;
mod moves;
mod placement;
mod removals;
#[cfg(test)]
mod tests;

use super::dir_state::{DirState, Failures};
use super::disk_space;
use super::partitions::Partitions;
use checkpoints::Checkpoints;
use claim::Found;
use found::{FoundLogs, lock_all, look, make_ready, new_cluster_id};
pub(super) use logs::Located;
use ottla_config::{BrokerSettings, StartError};
use ottla_log::disk::{Disk, RealDisk, Space};
use ottla_log::{LogContext, LogDir, LogDirError, OffsetCheckpoint, TopicPartition};
use ottla_protocol::{Offset, Uuid};
use parking_lot::Mutex;
use removals::Removal;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// The topic whose log is not a partition's.
const METADATA_TOPIC: &str = "__cluster_metadata";
/// Part of the process's limit of open files that segments may take; the rest is for sockets.
const OPEN_FILES_SHARE: u64 = 2;
/// Open files of segments where the limit is not known.
const OPEN_FILES_DEFAULT: u64 = 512;

/// All log directories of this node.
pub struct LogDirs {
    context: LogContext,
    cluster_id: String,
    /// Index of the directory that has the metadata log.
    metadata: usize,
    /// Directories that hold partitions, in the order of `log.dirs`; the metadata log's own comes behind them.
    dirs: Mutex<Vec<Dir>>,
    /// Directories of partitions that were found at the start and that nobody has opened yet.
    unopened: Mutex<BTreeMap<TopicPartition, Vec<usize>>>,
    /// Directories whose removal the last process did not finish.
    leftovers: Mutex<Vec<PathBuf>>,
    /// What is deleted and still there, by the directory's index and when it is to be removed.
    removals: Mutex<BTreeMap<(usize, i64), Vec<Removal>>>,
    removal_added: Notify,
    failures: Failures,
    /// Indexes of directories that get no new partitions (KIP-1066).
    cordoned: Mutex<BTreeSet<usize>>,
    /// Where partitions are to be that are not there yet.
    wished: Mutex<BTreeMap<TopicPartition, usize>>,
    /// Copies for moves that the last process did not finish, with their directories' indexes.
    futures: Mutex<BTreeMap<TopicPartition, (usize, PathBuf)>>,
}

struct Dir {
    /// Missing if it could not be used when the process started.
    log_dir: Option<Arc<LogDir>>,
    state: Arc<DirState>,
    holds_partitions: bool,
    /// How many logs it has.
    logs: usize,
    high_watermarks: BTreeMap<TopicPartition, Offset>,
    /// Behind a lock of its own, which may be held for as long as the disk takes.
    checkpoints: Arc<Mutex<Checkpoints>>,
}

/// Where the metadata log is.
pub struct MetadataPlace {
    /// The directory around `__cluster_metadata-0`.
    pub path: PathBuf,
    /// The directory's id.
    pub directory_id: Uuid,
    /// What its logs share.
    pub context: LogContext,
}

/// What DescribeLogDirs tells of a directory.
pub struct LogDirUsage {
    /// Its index.
    pub index: usize,
    /// Its absolute path.
    pub path: String,
    /// Whether it can be used.
    pub is_online: bool,
    /// Whether it gets no new partitions.
    pub is_cordoned: bool,
    /// Size of the file system, or −1.
    pub total_bytes: i64,
    /// What of it can be used, or −1.
    pub usable_bytes: i64,
}

impl LogDirs {
    /// Locks all directories, makes the ones that are not there, and checks whose they are.
    pub fn open(settings: &BrokerSettings) -> Result<LogDirs, StartError> {
        LogDirs::open_on(Arc::new(RealDisk), settings)
    }

    /// The same on another disk.
    pub(super) fn open_on(disk: Arc<dyn Disk>, settings: &BrokerSettings) -> Result<LogDirs, StartError> {
        let context = LogContext::new(disk, open_files_max());
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in &settings.log.log_dirs {
            let path = absolute(path)?;
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let with_partitions = paths.len();
        let metadata_path = absolute(&settings.metadata_log.dir)?;
        let metadata = paths.iter().position(|path| *path == metadata_path).unwrap_or_else(|| {
            paths.push(metadata_path);
            paths.len() - 1
        });
        let found: Vec<(PathBuf, Found)> =
            paths.iter().map(|path| (path.clone(), look(context.disk(), path))).collect();
        let cluster_id = claim::check(&found, metadata, settings.roles.node_id)?;
        let cluster_id = cluster_id.unwrap_or_else(new_cluster_id);
        let mut locked = lock_all(&context, &found, metadata)?;
        // The metadata log's directory last: that it is made ready says that all are (see `claim`).
        let order = (0..locked.len()).filter(|index| *index != metadata).chain([metadata]);
        for index in order {
            if let Ok(log_dir) = &mut locked[index]
                && let Err(error) = make_ready(log_dir, &cluster_id, settings.roles.node_id)
            {
                locked[index] = Err(into_start_error(error));
            }
        }
        let failures = Failures::default();
        let mut logs = FoundLogs::default();
        let mut dirs = Vec::new();
        for (index, (locked, path)) in locked.into_iter().zip(&paths).enumerate() {
            let id_of = |log_dir: &LogDir| log_dir.meta_properties().and_then(|meta| meta.directory_id);
            let id = locked.as_ref().ok().and_then(id_of).unwrap_or_default();
            let state = DirState::online(index, path, id, failures.clone());
            let in_use = locked.and_then(|log_dir| {
                let count = logs.add(index, &log_dir).map_err(into_start_error)?;
                Ok((log_dir, count))
            });
            let (log_dir, count) = match in_use {
                Ok((log_dir, count)) => (Some(log_dir), count),
                Err(error) => {
                    state.fail(&error.cause);
                    (None, 0)
                }
            };
            let checkpointed = |log_dir: &LogDir| log_dir.read_checkpoint(OffsetCheckpoint::Replication).ok();
            dirs.push(Dir {
                high_watermarks: log_dir.as_ref().and_then(checkpointed).unwrap_or_default(),
                log_dir: log_dir.map(Arc::new),
                state,
                holds_partitions: index < with_partitions,
                logs: count,
                checkpoints: Arc::default(),
            });
        }
        let FoundLogs { unopened, leftovers, futures } = logs;
        let log_dirs = LogDirs {
            context,
            cluster_id,
            metadata,
            dirs: Mutex::new(dirs),
            unopened: Mutex::new(unopened),
            leftovers: Mutex::new(leftovers),
            removals: Mutex::default(),
            removal_added: Notify::new(),
            failures,
            cordoned: Mutex::default(),
            wished: Mutex::default(),
            futures: Mutex::new(futures),
        };
        log_dirs.cordon(&settings.log.cordoned_log_dirs);
        if let Some(error) = log_dirs.why_not_go_on() {
            return Err(error);
        }
        // Before the first producer comes, not a moment after.
        disk_space::measure(&log_dirs, settings.log.disk_free_min_bytes);
        Ok(log_dirs)
    }

    /// The cluster that the directories belong to.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Ids of the directories that hold partitions and can be used.
    pub fn directory_ids(&self) -> Vec<Uuid> {
        let dirs = self.dirs.lock();
        let usable = dirs.iter().filter(|dir| dir.holds_partitions && dir.state.is_online());
        usable.map(|dir| dir.state.id()).collect()
    }

    /// Absolute paths of the directories that hold partitions.
    pub fn paths(&self) -> Vec<String> {
        let dirs = self.dirs.lock();
        let holding = dirs.iter().filter(|dir| dir.holds_partitions);
        holding.map(|dir| dir.state.path().display().to_string()).collect()
    }

    /// Epoch of the incarnation before this one, if it closed all directories; otherwise −1.
    pub fn previous_broker_epoch(&self) -> i64 {
        let dirs = self.dirs.lock();
        let epochs: BTreeSet<Option<i64>> =
            dirs.iter().map(|dir| dir.log_dir.as_ref()?.previous_broker_epoch()).collect();
        match epochs.first() {
            Some(Some(epoch)) if epochs.len() == 1 => *epoch,
            _ => -1,
        }
    }

    /// Takes a directory offline.
    #[cfg(test)]
    pub(super) fn fail(&self, index: usize, cause: &dyn std::fmt::Display) {
        let state = Arc::clone(&self.dirs.lock()[index].state);
        state.fail(cause);
    }

    /// The directories that can be used.
    pub(super) fn online(&self) -> Vec<Arc<DirState>> {
        let dirs = self.dirs.lock();
        dirs.iter().filter(|dir| dir.state.is_online()).map(|dir| Arc::clone(&dir.state)).collect()
    }

    /// How much room the disk of a directory has.
    pub(super) fn space(&self, dir: &DirState) -> io::Result<Space> {
        self.context.disk().space(dir.path())
    }

    /// Ids of the directories that failed.
    pub(super) fn offline_ids(&self) -> Vec<Uuid> {
        let dirs = self.dirs.lock();
        let failed = dirs.iter().filter(|dir| !dir.state.is_online()).map(|dir| dir.state.id());
        failed.filter(|id| *id != Uuid::ZERO).collect()
    }

    /// Hears of every directory that fails from now on.
    pub(super) fn failures(&self) -> watch::Receiver<usize> {
        self.failures.subscribe()
    }

    /// Ends when a directory has failed without which the node cannot go on: the metadata log's, or the last one with
    /// partitions.
    pub(super) async fn cannot_go_on(&self) -> StartError {
        let mut failures = self.failures.subscribe();
        loop {
            if let Some(error) = self.why_not_go_on() {
                return error;
            }
            if failures.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the node goes on if this directory fails now.
    pub(super) fn goes_on_without(&self, dir: &DirState) -> bool {
        let dirs = self.dirs.lock();
        let mut others = dirs.iter().filter(|other| other.state.index() != dir.index());
        dir.index() != self.metadata && others.any(|other| other.holds_partitions && other.state.is_online())
    }

    /// Why the node cannot go on, if it cannot.
    pub(super) fn why_not_go_on(&self) -> Option<StartError> {
        let dirs = self.dirs.lock();
        let metadata = &dirs.get(self.metadata)?.state;
        if !metadata.is_online() {
            let dir = metadata.path().display();
            return Some(StartError::new(
                format!("the log directory {dir} failed, which has the metadata log"),
                "replace its disk, or restore the directory, and start again",
            ));
        }
        if dirs.iter().any(|dir| dir.holds_partitions && dir.state.is_online()) {
            return None;
        }
        let paths: Vec<String> = dirs.iter().map(|dir| dir.state.path().display().to_string()).collect();
        Some(StartError::new(
            format!("all log directories failed: {}", paths.join(", ")),
            "replace the disk, or restore the directories, and start again",
        ))
    }

    /// Where the metadata log is.
    pub fn metadata_dir(&self) -> MetadataPlace {
        let dirs = self.dirs.lock();
        let dir = &dirs[self.metadata];
        MetadataPlace {
            path: dir.state.path().to_owned(),
            directory_id: dir.state.id(),
            context: self.context.clone(),
        }
    }

    /// A log is no longer in a directory.
    pub(super) fn forget_log(&self, index: usize) {
        let dir = &mut self.dirs.lock()[index];
        dir.logs = dir.logs.saturating_sub(1);
    }

    /// `cordoned.log.dirs` names the directories that get no new partitions.
    pub(super) fn cordon(&self, paths: &[String]) {
        let paths: Vec<PathBuf> = paths.iter().filter_map(|path| absolute(path).ok()).collect();
        let dirs = self.dirs.lock();
        let named = dirs.iter().filter(|dir| paths.iter().any(|path| path == dir.state.path()));
        let named = named.map(|dir| dir.state.index()).collect();
        drop(dirs);
        *self.cordoned.lock() = named;
    }

    /// Ids of the directories that get no new partitions.
    pub(super) fn cordoned_ids(&self) -> Vec<Uuid> {
        let cordoned = self.cordoned.lock().clone();
        let dirs = self.dirs.lock();
        cordoned.into_iter().map(|index| dirs[index].state.id()).collect()
    }

    /// What DescribeLogDirs tells.
    pub fn usage(&self) -> Vec<LogDirUsage> {
        let cordoned = self.cordoned.lock().clone();
        let dirs = self.dirs.lock();
        let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let usage = |(index, dir): (usize, &Dir)| {
            let space = dir.log_dir.as_ref().and_then(|log_dir| log_dir.space().ok());
            LogDirUsage {
                index,
                path: dir.state.path().display().to_string(),
                is_online: dir.state.is_online(),
                is_cordoned: cordoned.contains(&index),
                total_bytes: space.map_or(-1, |space| number(space.total)),
                usable_bytes: space.map_or(-1, |space| number(space.usable)),
            }
        };
        dirs.iter().enumerate().filter(|(_, dir)| dir.holds_partitions).map(usage).collect()
    }

    /// Waits for all that is being flushed, or is to be. A directory that is not done by the deadline is given up.
    pub(super) fn drain(&self, deadline: Instant) {
        let dirs: Vec<Arc<DirState>> = self.dirs.lock().iter().map(|dir| Arc::clone(&dir.state)).collect();
        for dir in dirs.iter().filter(|dir| dir.is_online()) {
            if !dir.flusher.drain(deadline) {
                dir.fail(&"the disk does not answer, and the node stops");
            }
        }
    }

    /// Lets nothing be flushed but by hand.
    #[cfg(test)]
    pub(super) fn flush_by_hand(&self) {
        for dir in self.dirs.lock().iter() {
            dir.state.flusher.by_hand();
        }
    }

    /// Closes the partitions that are open, on so many threads for each directory, and says in each directory that it
    /// did: the last thing that happens there.
    pub(super) fn close(&self, partitions: &Partitions, threads: usize, broker_epoch: i64, is_clean: bool) {
        let mut failed = partitions.unexamined_dirs();
        failed.extend(self.close_all(&partitions.all(), threads));
        self.write_checkpoints(partitions);
        self.remove_deleted(i64::MAX - 1);
        for (index, dir) in std::mem::take(&mut *self.dirs.lock()).into_iter().enumerate() {
            if !is_clean || !dir.state.is_online() || failed.contains(&index) {
                continue;
            }
            let Some(log_dir) = &dir.log_dir else { continue };
            // A job that is late has written what it had.
            let _writing = dir.checkpoints.lock();
            if let Err(error) = log_dir.write_clean_shutdown(broker_epoch) {
                tracing::error!(%error, "cannot note the clean shutdown");
            }
        }
    }
}

fn absolute(path: &str) -> Result<PathBuf, StartError> {
    std::path::absolute(Path::new(path))
        .map_err(|error| StartError::new(format!("log.dirs has {path:?}: {error}"), "name a directory"))
}

fn into_start_error(error: LogDirError) -> StartError {
    let fix = match &error {
        LogDirError::Locked { .. } => "stop the broker that runs there, or set log.dirs to another directory",
        LogDirError::NotADirectory { .. } => "set log.dirs to a directory",
        LogDirError::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            "mount it for writing, or set log.dirs to another directory"
        }
        _ => "look at the directory and its permissions, or set log.dirs to another one",
    };
    StartError::new(error.to_string(), fix)
}

/// How many files of segments may be open at once.
fn open_files_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    usize::try_from(limit.map_or(OPEN_FILES_DEFAULT, |limit| limit / OPEN_FILES_SHARE)).unwrap_or(usize::MAX)
}
