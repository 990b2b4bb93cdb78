//! The directories of `log.dirs`: whose they are, which partition is in which, what their checkpoints say.

mod claim;
mod close;
mod moves;
mod placement;
#[cfg(test)]
mod tests;

use super::clock;
use super::dir_state::{DirState, Failures};
use super::partition::{Checkpointed, Partition};
use super::partitions::{CheckpointLine, Partitions};
use super::random;
use claim::Found;
use ottla_config::{BrokerSettings, StartError};
use ottla_log::disk::{DirEntry, Disk, RealDisk, Space};
use ottla_log::{
    DamagedRange, DeletedLog, DeletedSegments, DirKind, LOCK_FILE, Log, LogConfig, LogContext, LogDir,
    LogDirError, LogError, MetaProperties, OffsetCheckpoint, OpenOptions, RecoveryReport, TopicPartition,
};
use ottla_protocol::{Offset, TopicId, Uuid};
use parking_lot::Mutex;
use placement::Candidate;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
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
    removals: Mutex<BTreeMap<i64, Vec<Removal>>>,
    removal_added: Notify,
    failures: Failures,
    /// Indexes of directories that get no new partitions (KIP-1066).
    cordoned: Mutex<BTreeSet<usize>>,
    /// Where partitions are to be that are not there yet.
    wished: Mutex<BTreeMap<TopicPartition, usize>>,
    /// Copies for moves that the last process did not finish, with their directories' indexes.
    futures: Mutex<BTreeMap<TopicPartition, (usize, PathBuf)>>,
}

/// Files whose names already say that they are gone.
pub enum Removal {
    /// A partition's.
    Log(DeletedLog),
    /// Old segments.
    Segments(DeletedSegments),
}

impl Removal {
    /// Something of what is removed.
    fn path(&self) -> Option<PathBuf> {
        match self {
            Removal::Log(log) => Some(log.dir()),
            Removal::Segments(segments) => segments.paths().into_iter().next(),
        }
    }
}

impl From<DeletedLog> for Removal {
    fn from(log: DeletedLog) -> Self {
        Removal::Log(log)
    }
}

impl From<DeletedSegments> for Removal {
    fn from(segments: DeletedSegments) -> Self {
        Removal::Segments(segments)
    }
}

struct Dir {
    /// Missing if it could not be used when the process started.
    log_dir: Option<LogDir>,
    state: Arc<DirState>,
    holds_partitions: bool,
    /// How many logs it has.
    logs: usize,
    high_watermarks: BTreeMap<TopicPartition, Offset>,
    /// What the checkpoints were last written for.
    written: Vec<CheckpointLine>,
    /// What they were last written with.
    checkpointed: Vec<(OffsetCheckpoint, BTreeMap<TopicPartition, Offset>)>,
    /// The same of compaction, which has its own times.
    cleaned_to: BTreeMap<TopicPartition, Offset>,
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

/// A partition's log that has been opened.
pub(super) struct OpenedLog {
    /// The log.
    pub log: Log,
    /// Its directory.
    pub dir: Arc<DirState>,
    /// What the checkpoint says.
    pub high_watermark: Offset,
    /// Indexes of aborted transactions were damaged from here on, and are to be filled again.
    pub replay_from: Option<Offset>,
}

/// Where a partition's log is, or will be.
#[derive(Clone)]
pub(super) struct Located {
    /// The directory.
    pub dir: Arc<DirState>,
    /// Whether it was there when the process started.
    pub is_found: bool,
    /// Whether nothing is to be done before somebody uses it: it was closed, or is not there yet.
    pub may_wait: bool,
    /// What the checkpoint files say about it.
    pub checkpointed: Checkpointed,
}

/// What there is to say about a log that is not there yet.
const NOTHING_YET: Checkpointed = Checkpointed {
    recovery_point: Offset(0),
    log_start_offset: Offset(0),
    high_watermark: Offset(0),
    cleaned_to: None,
};

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
        let mut locked = lock_all(&context, &found)?;
        if let Some(Err(error)) = locked.get_mut(metadata) {
            return Err(std::mem::replace(error, StartError::new("", "")));
        }
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
                log_dir,
                state,
                holds_partitions: index < with_partitions,
                logs: count,
                written: Vec::new(),
                checkpointed: Vec::new(),
                cleaned_to: BTreeMap::new(),
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

    /// Takes a directory offline: its disk cannot be relied upon.
    pub fn fail(&self, index: usize, cause: &dyn Display) {
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

    fn offline_paths(&self) -> Vec<PathBuf> {
        let dirs = self.dirs.lock();
        dirs.iter().filter(|dir| !dir.state.is_online()).map(|dir| dir.state.path().to_owned()).collect()
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

    /// Opens the metadata log.
    pub fn open_metadata_log(
        &self,
        topic_partition: TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<Log, LogError> {
        let mut options = {
            let dirs = self.dirs.lock();
            let log_dir = dirs[self.metadata].log_dir.as_ref();
            log_dir.expect("without it there is no start").open_options(&topic_partition, now_ms)
        };
        options.config = config;
        options.topic_id = Some(topic_id);
        let (log, report) = Log::open(&self.context, options)?;
        tell(&report);
        Ok(log)
    }

    /// Where a partition's log is, or the directory that the rule chooses for it. `assigned` is where the metadata has it.
    pub(super) fn locate(
        &self,
        topic_partition: &TopicPartition,
        assigned: Uuid,
    ) -> Result<Located, LogError> {
        let found = self.found(topic_partition, assigned).or_else(|| self.promote(topic_partition, assigned));
        let index = found.or_else(|| self.place(topic_partition, assigned));
        let offline =
            || LogError::Offline { topic_partition: topic_partition.clone(), dir: self.path_of(assigned) };
        let index = index.ok_or_else(offline)?;
        let dirs = self.dirs.lock();
        let dir = &dirs[index];
        let log_dir = dir.log_dir.as_ref().expect("only a directory that can be used was chosen");
        let is_found = found.is_some();
        // What a checkpoint says of an earlier partition of this name does not concern a new one.
        let checkpointed = if is_found { dir.checkpointed(log_dir, topic_partition) } else { NOTHING_YET };
        Ok(Located {
            dir: Arc::clone(&dir.state),
            is_found,
            may_wait: !is_found || log_dir.was_clean(),
            checkpointed,
        })
    }

    /// Opens a partition's log, or begins one. The directory of a new one comes with the first append.
    pub(super) fn open_located(
        &self,
        topic_partition: TopicPartition,
        topic_id: TopicId,
        located: &Located,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<OpenedLog, LogError> {
        let Located { dir: state, is_found, checkpointed, .. } = located;
        let offline =
            || LogError::Offline { topic_partition: topic_partition.clone(), dir: state.path().to_owned() };
        let options = {
            let dirs = self.dirs.lock();
            let log_dir = dirs.get(state.index()).and_then(|dir| dir.log_dir.as_ref());
            log_dir.ok_or_else(offline)?.open_options(&topic_partition, now_ms)
        };
        let options = OpenOptions {
            defers_dir: true,
            config,
            topic_id: Some(topic_id),
            log_start_offset: checkpointed.log_start_offset,
            recovery_point: checkpointed.recovery_point,
            high_watermark: checkpointed.high_watermark,
            cleaned_to: checkpointed.cleaned_to,
            ..options
        };
        let (log, report) = match Log::open(&self.context, options) {
            Err(LogError::InconsistentTopicId { .. }) if *is_found => {
                // An earlier topic of this name was deleted, and the process ended before its directory was.
                self.put_stray_aside(&topic_partition, state.index());
                let anew = Located { is_found: false, checkpointed: NOTHING_YET, ..located.clone() };
                return self.open_located(topic_partition, topic_id, &anew, config, now_ms);
            }
            other => other.inspect_err(|error| state.judge(error))?,
        };
        tell(&report);
        if report.missing_before.is_some() {
            // What is appended now would count as flushed.
            let dirs = self.dirs.lock();
            let point = log.recovery_point();
            let lowered = match dirs.get(state.index()).and_then(|dir| dir.log_dir.as_ref()) {
                Some(log_dir) => log_dir.lower_recovery_point(&topic_partition, point),
                None => Ok(()),
            };
            if let Err(error) = lowered {
                tracing::error!(%error, "cannot correct a recovery point");
                state.fail(&error);
            }
        }
        // One replica: what is in the log after a restart is all there is, and committed.
        let high_watermark =
            if *is_found { checkpointed.high_watermark.max(log.log_end_offset()) } else { Offset(0) };
        let replay_from = report.cleared_txn_indexes.iter().min().copied();
        Ok(OpenedLog { log, dir: Arc::clone(state), high_watermark, replay_from })
    }

    /// Where a partition's log was found at the start. If it is in two directories, the process was stopped between the
    /// renames of a move: the one that the metadata names counts, and the other one is removed.
    fn found(&self, topic_partition: &TopicPartition, assigned: Uuid) -> Option<usize> {
        let found = self.unopened.lock().remove(topic_partition)?;
        let chosen = {
            let dirs = self.dirs.lock();
            let is_assigned = |index: &&usize| dirs[**index].state.id() == assigned;
            *found.iter().find(is_assigned).or(found.first())?
        };
        for index in found.into_iter().filter(|index| *index != chosen) {
            self.remove_twin(topic_partition, index);
        }
        Some(chosen)
    }

    /// Chooses the directory of a new log.
    fn place(&self, topic_partition: &TopicPartition, assigned: Uuid) -> Option<usize> {
        let wished = self.wished.lock().remove(topic_partition);
        let cordoned = self.cordoned.lock();
        let mut dirs = self.dirs.lock();
        let candidate = |(index, dir): (usize, &Dir)| Candidate {
            id: dir.state.id(),
            is_online: dir.state.is_online(),
            is_cordoned: cordoned.contains(&index),
            logs: dir.logs,
        };
        let holding = dirs.iter().take_while(|dir| dir.holds_partitions);
        let candidates: Vec<Candidate> = holding.enumerate().map(candidate).collect();
        let index = placement::place(&candidates, assigned, wished)?;
        dirs[index].logs += 1;
        Some(index)
    }

    /// The path of a directory, or its id where that is not known.
    fn path_of(&self, id: Uuid) -> PathBuf {
        let dirs = self.dirs.lock();
        let found = dirs.iter().find(|dir| dir.state.id() == id);
        found.map_or_else(|| id.to_string().into(), |dir| dir.state.path().to_owned())
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

    /// Puts the directories aside that belong to no partition of this broker.
    pub(crate) fn put_strays_aside(&self) {
        for (topic_partition, indexes) in std::mem::take(&mut *self.unopened.lock()) {
            for index in indexes {
                self.put_stray_aside(&topic_partition, index);
            }
        }
        // Nobody has gone on with these.
        for (_, (index, path)) in std::mem::take(&mut *self.futures.lock()) {
            self.forget_log(index);
            self.leftovers.lock().push(path);
            self.removal_added.notify_one();
        }
    }

    fn put_stray_aside(&self, topic_partition: &TopicPartition, index: usize) {
        let unique = u128::from_be_bytes(random::uuid().0);
        let mut dirs = self.dirs.lock();
        let dir = &mut dirs[index];
        let Some(log_dir) = &dir.log_dir else { return };
        match log_dir.put_stray_aside(topic_partition, unique) {
            Ok(path) => {
                dir.logs = dir.logs.saturating_sub(1);
                let path = path.display();
                tracing::warn!(%topic_partition, %path, "a directory belongs to no partition of this broker; put aside");
            }
            Err(error) => tracing::error!(%error, "cannot put a stray directory aside"),
        }
    }

    /// Removes deleted files when the time has come.
    pub fn remove_later(&self, deleted: impl Into<Removal>, due_ms: i64) {
        self.removals.lock().entry(due_ms).or_default().push(deleted.into());
        self.removal_added.notify_one();
    }

    /// Ends when there are deleted files that are to be removed.
    pub async fn removal_due(&self) {
        loop {
            if !self.leftovers.lock().is_empty() {
                return;
            }
            let first = self.removals.lock().keys().next().copied();
            match first.map(|due_ms| due_ms - clock::now_ms()) {
                None => self.removal_added.notified().await,
                Some(wait_ms) if wait_ms <= 0 => return,
                Some(wait_ms) => {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())) => {}
                        () = self.removal_added.notified() => {}
                    }
                }
            }
        }
    }

    /// Removes the deleted files whose time has come, and those that the last process left.
    pub fn remove_deleted(&self, now_ms: i64) {
        let offline = self.offline_paths();
        let can_be_reached = |path: &Path| !offline.iter().any(|dir| path.starts_with(dir));
        let leftovers = std::mem::take(&mut *self.leftovers.lock());
        for path in leftovers.into_iter().filter(|path| can_be_reached(path)) {
            if let Err(error) = self.context.disk().remove_dir(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove a deleted log");
            }
        }
        let due = {
            let mut removals = self.removals.lock();
            let later = removals.split_off(&(now_ms + 1));
            std::mem::replace(&mut *removals, later)
        };
        for removal in due.into_values().flatten() {
            if removal.path().is_some_and(|path| !can_be_reached(&path)) {
                continue;
            }
            let removed = match removal {
                Removal::Log(log) => log.remove(),
                Removal::Segments(segments) => segments.remove(),
            };
            if let Err(error) = removed {
                tracing::warn!(%error, "cannot remove deleted files");
            }
        }
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

    /// Writes the checkpoints of recovery points, log starts, high watermarks and compaction, where they have changed.
    pub(super) fn write_checkpoints(&self, lines: &[CheckpointLine]) {
        self.write_lines(lines, Dir::write_checkpoints, |_| true);
    }

    /// Writes up to where partitions are compacted, for the directory of one that was just now.
    pub(super) fn write_cleaner_checkpoint(&self, partition: &Partition, lines: &[CheckpointLine]) {
        let index = partition.dir().index();
        self.write_lines(lines, Dir::write_cleaner_checkpoint, |dir| dir.state.index() == index);
    }

    fn write_lines(
        &self,
        lines: &[CheckpointLine],
        write: fn(&mut Dir, &[&CheckpointLine]) -> Result<(), LogDirError>,
        concerns: impl Fn(&Dir) -> bool,
    ) {
        let mut dirs = self.dirs.lock();
        for dir in dirs.iter_mut().filter(|dir| dir.holds_partitions && dir.state.is_online()) {
            if !concerns(dir) {
                continue;
            }
            let index = dir.state.index();
            let here: Vec<_> = lines.iter().filter(|line| line.log_dir == index).collect();
            if let Err(error) = write(dir, &here) {
                tracing::error!(%error, "cannot write a checkpoint");
                if error.is_storage_failure() {
                    dir.state.fail(&error);
                }
            }
        }
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

    /// Deletes what a partition need not keep any more.
    pub(super) fn enforce_retention(&self, partition: &Arc<Partition>, now_ms: i64) {
        match partition.enforce_retention(now_ms) {
            Ok(deleted) if deleted.is_empty() => {}
            Ok(deleted) => {
                let due_ms = now_ms.saturating_add(partition.settings().file_delete_delay_ms);
                self.remove_later(deleted, due_ms);
            }
            Err(error) => {
                tracing::error!(%error, "cannot delete old segments");
                partition.dir().judge(&error);
            }
        }
    }

    /// Closes the partitions that are open, on so many threads for each directory, and says in each directory that it did: the last thing that happens there.
    pub(super) fn close(&self, partitions: &Partitions, threads: usize, broker_epoch: i64, is_clean: bool) {
        let mut failed = partitions.unexamined_dirs();
        failed.extend(self.close_all(&partitions.all(), threads));
        self.write_checkpoints(&partitions.checkpoint_lines());
        self.remove_deleted(i64::MAX - 1);
        for (index, dir) in std::mem::take(&mut *self.dirs.lock()).into_iter().enumerate() {
            if !is_clean || !dir.state.is_online() || failed.contains(&index) {
                continue;
            }
            let Some(log_dir) = dir.log_dir else { continue };
            if let Err(error) = log_dir.write_clean_shutdown(broker_epoch) {
                tracing::error!(%error, "cannot note the clean shutdown");
            }
        }
    }
}

impl Dir {
    fn checkpointed(&self, log_dir: &LogDir, topic_partition: &TopicPartition) -> Checkpointed {
        let options = log_dir.open_options(topic_partition, 0);
        Checkpointed {
            recovery_point: options.recovery_point,
            log_start_offset: options.log_start_offset,
            high_watermark: self.high_watermarks.get(topic_partition).copied().unwrap_or(Offset(0)),
            cleaned_to: options.cleaned_to,
        }
    }

    fn write_checkpoints(&mut self, lines: &[&CheckpointLine]) -> Result<(), LogDirError> {
        // Nearly always nothing has changed, and that is to cost nothing.
        if lines.iter().copied().eq(&self.written) {
            return Ok(());
        }
        let mut recovery_points = BTreeMap::new();
        let mut log_start_offsets = BTreeMap::new();
        let mut high_watermarks = BTreeMap::new();
        for CheckpointLine { topic, index, offsets, .. } in lines {
            let topic_partition = TopicPartition::new(&**topic, *index);
            if offsets.log_start_offset > Offset(0) {
                log_start_offsets.insert(topic_partition.clone(), offsets.log_start_offset);
            }
            recovery_points.insert(topic_partition.clone(), offsets.recovery_point);
            high_watermarks.insert(topic_partition, offsets.high_watermark);
        }
        let Some(log_dir) = &self.log_dir else { return Ok(()) };
        let now = vec![
            (OffsetCheckpoint::RecoveryPoint, recovery_points),
            (OffsetCheckpoint::LogStartOffset, log_start_offsets),
            (OffsetCheckpoint::Replication, high_watermarks),
        ];
        for written in &now {
            if !self.checkpointed.contains(written) {
                let (which, offsets) = written;
                log_dir.write_checkpoint(*which, offsets.iter().map(|(key, offset)| (key, *offset)))?;
            }
        }
        self.checkpointed = now;
        self.write_cleaner_checkpoint(lines)?;
        self.written = lines.iter().map(|line| (*line).clone()).collect();
        Ok(())
    }

    fn write_cleaner_checkpoint(&mut self, lines: &[&CheckpointLine]) -> Result<(), LogDirError> {
        let cleaned_to = lines.iter().filter_map(|line| {
            Some((TopicPartition::new(&*line.topic, line.index), line.offsets.cleaned_to?))
        });
        let cleaned_to: BTreeMap<_, _> = cleaned_to.collect();
        if cleaned_to != self.cleaned_to
            && let Some(log_dir) = &self.log_dir
        {
            let offsets = cleaned_to.iter().map(|(key, offset)| (key, *offset));
            log_dir.write_checkpoint(OffsetCheckpoint::Cleaner, offsets)?;
            self.cleaned_to = cleaned_to;
        }
        Ok(())
    }
}

/// Partitions' directories, as they are found at the start.
#[derive(Default)]
struct FoundLogs {
    unopened: BTreeMap<TopicPartition, Vec<usize>>,
    leftovers: Vec<PathBuf>,
    futures: BTreeMap<TopicPartition, (usize, PathBuf)>,
}

impl FoundLogs {
    /// Takes note of what is in a directory; gives the number of its logs.
    fn add(&mut self, index: usize, log_dir: &LogDir) -> Result<usize, LogDirError> {
        let mut count = 0;
        for found in log_dir.partitions()? {
            match found.kind {
                DirKind::Current if &*found.topic_partition.topic != METADATA_TOPIC => {
                    self.unopened.entry(found.topic_partition).or_default().push(index);
                    count += 1;
                }
                // Its removal was interrupted.
                DirKind::Delete => self.leftovers.push(found.path),
                DirKind::Future => {
                    let again = self.futures.insert(found.topic_partition, (index, found.path));
                    self.leftovers.extend(again.map(|(_, path)| path));
                    count += 1;
                }
                DirKind::Current | DirKind::Stray => {}
            }
        }
        Ok(count)
    }
}

/// What there is at a path, without touching it.
fn look(disk: &dyn Disk, path: &Path) -> Found {
    match MetaProperties::read(disk, path) {
        Ok(None) => Found::Unformatted,
        Ok(Some(meta)) => {
            let entries = disk.list(path).unwrap_or_default();
            let of_formatting = [ottla_log::META_PROPERTIES, LOCK_FILE, "bootstrap.checkpoint"];
            let is_used = |entry: &DirEntry| !of_formatting.contains(&entry.name.trim_end_matches(".tmp"));
            Found::Formatted { meta, is_used: entries.iter().any(is_used) }
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Found::Unknown(error.to_string()),
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

/// Locks all directories that can be read. One that another process has stops the start; one that the disk refuses does
/// not.
fn lock_all(
    context: &LogContext,
    found: &[(PathBuf, Found)],
) -> Result<Vec<Result<LogDir, StartError>>, StartError> {
    let lock = |(path, found): &(PathBuf, Found)| match found {
        Found::Unreadable(why) => Ok(Err(StartError::new(
            format!("{} cannot be read: {why}", path.display()),
            "look at the disk and the directory's permissions",
        ))),
        _ => match LogDir::lock(context, path) {
            Err(error @ LogDirError::Locked { .. }) => Err(into_start_error(error)),
            other => Ok(other.map_err(into_start_error)),
        },
    };
    found.iter().map(lock).collect()
}

/// Makes a directory this node's, if it is not yet, and begins to use it.
fn make_ready(log_dir: &mut LogDir, cluster_id: &str, node_id: i32) -> Result<(), LogDirError> {
    let has_id = log_dir.meta_properties().is_some_and(|meta| meta.directory_id.is_some());
    if !has_id {
        log_dir.set_meta_properties(MetaProperties::new(cluster_id, node_id, random::uuid()))?;
    }
    log_dir.begin()
}

/// The id of a new cluster: `CLUSTER_ID` if the container was given one.
fn new_cluster_id() -> String {
    std::env::var("CLUSTER_ID").ok().filter(|id| !id.is_empty()).unwrap_or_else(|| random::uuid().to_string())
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

/// Says what recovery took away, and what cannot be read.
fn tell(report: &RecoveryReport) {
    let partition = &report.topic_partition;
    for cut in &report.cuts {
        let (file, what) = (cut.path.display(), &cut.what);
        tracing::warn!(%partition, %file, cut.position, cut.bytes, offset = %cut.offset, what, "cut a torn tail off");
    }
    for (file, bytes) in &report.removed_segments {
        tracing::warn!(%partition, file = %file.display(), bytes, "removed a segment behind a torn one");
    }
    for DamagedRange { path, position, bytes, offsets, what } in &report.damaged {
        let (file, start, end) = (path.display(), offsets.start, offsets.end);
        tracing::error!(
            %partition, %file, position, bytes, first_offset = %start, end_offset = %end, %what,
            "a log is damaged; these offsets are answered with an error, all others can be read"
        );
    }
    if let Some(offset) = report.missing_before {
        tracing::error!(%partition, %offset, end = %report.end_offset, "records that had been flushed are missing");
    }
}
