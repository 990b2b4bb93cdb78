//! Moves partitions between log directories: AlterReplicaLogDirs (KIP-113), and moves that the last process did not
//! finish.
//!
//! One worker copies for all of them in turn, away from the threads that serve clients.

#[cfg(test)]
mod tests;

use super::dir_assignments::DirAssignments;
use super::dir_state::DirState;
use super::images::Images;
use super::log_dirs::LogDirs;
use super::partition::{MoveStep, Partition};
use super::partitions::Partitions;
use super::{clock, random};
use ottla_log::{LogError, TopicPartition};
use ottla_protocol::{BrokerId, ErrorCode};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Between two attempts of moves that wait: for the controller, the cleaner, or room.
const PAUSE: Duration = Duration::from_millis(100);

/// The moves of this broker.
pub struct Relocations {
    log_dirs: Arc<LogDirs>,
    partitions: Arc<Partitions>,
    assignments: Arc<DirAssignments>,
    images: Arc<Images>,
    node_id: BrokerId,
    moving: Mutex<Vec<Arc<Partition>>>,
    changed: Notify,
}

impl Relocations {
    /// None yet.
    pub(super) fn new(
        log_dirs: Arc<LogDirs>,
        partitions: Arc<Partitions>,
        assignments: Arc<DirAssignments>,
        images: Arc<Images>,
        node_id: BrokerId,
    ) -> Relocations {
        let (moving, changed) = (Mutex::default(), Notify::new());
        Relocations { log_dirs, partitions, assignments, images, node_id, moving, changed }
    }

    /// Has a partition moved to the directory of that path. `partition` is what this broker has of it.
    ///
    /// # Errors
    /// Kafka's codes, in the order in which it looks for them.
    pub fn alter(
        &self,
        topic_partition: &TopicPartition,
        partition: Result<Arc<Partition>, ErrorCode>,
        path: &str,
    ) -> Result<(), ErrorCode> {
        if !ottla_log::can_be_moved(topic_partition) {
            return Err(ErrorCode::InvalidTopicException);
        }
        let target = self.log_dirs.by_path(path).ok_or(ErrorCode::LogDirNotFound)?;
        target.check_online()?;
        if self.log_dirs.is_cordoned(target.index()) {
            return Err(ErrorCode::InvalidReplicaAssignment);
        }
        let partition = match partition {
            Ok(partition) => partition,
            Err(error) => {
                // When it comes, it goes there.
                self.log_dirs.wish(topic_partition, target.index());
                // The code that this request has for it.
                let is_here = error != ErrorCode::NotLeaderOrFollower;
                return Err(if is_here { error } else { ErrorCode::ReplicaNotAvailable });
            }
        };
        partition.dir().check_online()?;
        match partition.moving_to() {
            Some(now) if now.index() == target.index() => return Ok(()),
            Some(_) => self.cancel(&partition),
            None => {}
        }
        if partition.dir().index() == target.index() {
            return Ok(());
        }
        if !self.log_dirs.all_are_online() {
            // The copy of an earlier move may be in one that is offline.
            return Err(ErrorCode::KafkaStorageError);
        }
        let copy = self.log_dirs.begin_future(topic_partition, &partition, &target, clock::now_ms());
        let copy = copy.map_err(|error| {
            tracing::error!(%error, "cannot begin to move a partition");
            target.judge(&error);
            ErrorCode::KafkaStorageError
        })?;
        let (from, to) = (partition.dir().path().display().to_string(), target.path().display().to_string());
        tracing::info!(%topic_partition, from, to, "moving a partition to another log directory");
        partition.begin_move(target, copy);
        self.add(partition);
        Ok(())
    }

    /// A partition has a move to be done.
    pub(super) fn add(&self, partition: Arc<Partition>) {
        self.moving.lock().push(partition);
        self.changed.notify_one();
    }

    /// The metadata is about to name the directory that a partition is moved to.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    /// Takes note of what the controller has answered, if a partition waits for it.
    fn follow_controller(&self, partition: &Partition) {
        let Some(target) = partition.told_move() else { return };
        if self.assignments.is_waiting(partition.topic_id, partition.index) {
            return;
        }
        if self.is_named(partition, &target) {
            partition.accept_move();
        } else {
            // It refused, or another directory was told in between.
            self.assignments.tell(partition.topic_id, partition.index, target.id());
        }
    }

    /// Whether the metadata has a partition in that directory.
    fn is_named(&self, partition: &Partition, dir: &DirState) -> bool {
        let image = self.images.current();
        let topic = image.topic(partition.topic_id);
        let assigned = topic.and_then(|topic| topic.partitions.get(&partition.index));
        assigned.and_then(|assigned| assigned.directory(self.node_id)) == Some(dir.id())
    }

    fn cancel(&self, partition: &Partition) {
        let Some(target) = partition.moving_to() else { return };
        let deleted = partition.cancel_move(random::uuid());
        self.log_dirs.forget_log(target.index());
        if let Some(deleted) = deleted {
            self.log_dirs.remove_later(deleted, clock::now_ms());
        }
        // The controller may have been told of the other one already.
        self.assignments.tell(partition.topic_id, partition.index, partition.dir().id());
    }

    /// Works for ever.
    pub(super) async fn run(self: &Arc<Self>) {
        loop {
            if self.moving.lock().is_empty() {
                self.changed.notified().await;
            }
            let relocations = Arc::clone(self);
            match tokio::task::spawn_blocking(move || relocations.step_all()).await {
                Ok(true) => {}
                Ok(false) => tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = self.changed.notified() => {}
                },
                Err(_) => {
                    tracing::error!("moving a partition panicked");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// One step of each move; says whether anything was copied.
    fn step_all(&self) -> bool {
        let moving = self.moving.lock().clone();
        let mut has_copied = false;
        for partition in moving {
            let is_done = match self.step(&partition) {
                Ok(MoveStep::Copied) => {
                    has_copied = true;
                    false
                }
                Ok(MoveStep::CaughtUp(dir)) => {
                    self.assignments.tell(partition.topic_id, partition.index, dir);
                    false
                }
                Ok(MoveStep::Waiting) => false,
                Ok(MoveStep::Moved(_) | MoveStep::Idle) => true,
                Err(error) => self.has_failed(&partition, &error),
            };
            if is_done {
                self.moving.lock().retain(|other| !Arc::ptr_eq(other, &partition));
            }
        }
        has_copied
    }

    fn step(&self, partition: &Arc<Partition>) -> Result<MoveStep, LogError> {
        let Some(target) = partition.moving_to() else { return Ok(MoveStep::Idle) };
        if !target.is_online() || !partition.is_online() {
            tracing::error!(topic = %partition.topic, partition = partition.index, "a move ends: its disk failed");
            self.cancel(partition);
            return Ok(MoveStep::Idle);
        }
        self.follow_controller(partition);
        let from = partition.dir();
        let step = partition.step_move(random::uuid(), clock::now_ms())?;
        if let MoveStep::Moved(deleted) = step {
            self.log_dirs.forget_log(from.index());
            // Before the old log is gone for good.
            for dir in [&target, &from] {
                self.log_dirs.write_checkpoints_of(dir, &self.partitions);
            }
            if let Some(deleted) = deleted {
                let delay_ms = partition.settings().file_delete_delay_ms;
                self.log_dirs.remove_later(deleted, clock::now_ms().saturating_add(delay_ms));
            }
            let dir = target.path().display();
            tracing::info!(topic = %partition.topic, partition = partition.index, %dir, "moved a partition");
            return Ok(MoveStep::Moved(None));
        }
        Ok(step)
    }

    /// A step failed; says whether the move has ended. A full disk only holds it up.
    fn has_failed(&self, partition: &Arc<Partition>, error: &LogError) -> bool {
        if error.is_storage_full() {
            return false;
        }
        tracing::error!(%error, "cannot move a partition to another log directory; it stays");
        if let (Some(target), LogError::Io { path, .. }) = (partition.moving_to(), error) {
            let dir = if path.starts_with(target.path()) { target } else { partition.dir() };
            dir.judge(error);
        }
        self.cancel(partition);
        true
    }
}
