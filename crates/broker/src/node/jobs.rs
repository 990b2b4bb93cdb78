//! What a node does by the clock: retention, flushing and checkpoints, forgetting producers, removing deleted logs.

use super::clock;
use super::config::Config;
use super::dir_state::DirState;
use super::images::Images;
use super::log_dirs::LogDirs;
use super::partition::Partition;
use super::partitions::Partitions;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often logs are asked whether they want to be flushed.
const FLUSH_CHECK_MS: i64 = 1000;

/// What is done in each directory.
#[derive(Clone, Copy, Debug)]
enum Job {
    Retention,
    Flush,
    Checkpoints,
    Producers,
}

/// Which jobs run in a directory: each once at a time.
#[derive(Debug, Default)]
pub(super) struct Running([AtomicBool; 4]);

/// Says that a job has ended, however it did.
struct Ended<'d>(&'d DirState, Job);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.jobs.0[self.1 as usize].store(false, Ordering::Release);
    }
}

/// The node's jobs.
pub(super) struct Jobs {
    partitions: Arc<Partitions>,
    log_dirs: Arc<LogDirs>,
    config: Arc<Config>,
    images: Arc<Images>,
}

impl Jobs {
    /// Works on these.
    pub(super) fn new(
        partitions: Arc<Partitions>,
        log_dirs: Arc<LogDirs>,
        config: Arc<Config>,
        images: Arc<Images>,
    ) -> Jobs {
        Jobs { partitions, log_dirs, config, images }
    }

    /// Works for ever.
    pub(super) async fn run(&self) {
        let settings = self.config.current();
        let mut retention = every(settings.log.retention_check_interval_ms);
        let mut flush = every(settings.log.flush_scheduler_interval_ms.min(FLUSH_CHECK_MS));
        // All three files are written together, those that changed.
        let checkpoint_ms = [
            settings.log.flush_offset_checkpoint_interval_ms.into(),
            settings.log.flush_start_offset_checkpoint_interval_ms.into(),
            settings.replication.high_watermark_checkpoint_interval_ms,
        ];
        let mut checkpoint = every(checkpoint_ms.into_iter().fold(i64::MAX, i64::min));
        let mut producers = every(settings.log.producer_id_expiration_check_interval_ms.into());
        drop(settings);
        loop {
            tokio::select! {
                _ = retention.tick() => self.in_each_dir(Job::Retention),
                _ = flush.tick() => {
                    if self.has_flush_interval() {
                        self.in_each_dir(Job::Flush);
                    }
                }
                _ = checkpoint.tick() => self.in_each_dir(Job::Checkpoints),
                _ = producers.tick() => self.in_each_dir(Job::Producers),
                () = self.log_dirs.removal_due() => self.remove_deleted(),
            }
        }
    }

    /// Work for each directory by itself, off the thread that has the timers: a disk that does not answer holds up its own.
    /// Where the job still runs, or hangs, it is left out this time.
    fn in_each_dir(&self, job: Job) {
        for dir in self.log_dirs.online() {
            if dir.jobs.0[job as usize].swap(true, Ordering::Acquire) {
                continue;
            }
            let at = At {
                partitions: Arc::clone(&self.partitions),
                log_dirs: Arc::clone(&self.log_dirs),
                config: Arc::clone(&self.config),
                dir: Arc::clone(&dir),
            };
            tokio::task::spawn_blocking(move || {
                let _ended = Ended(&at.dir, job);
                match job {
                    Job::Retention => at.enforce_retention(),
                    Job::Flush => at.flush(),
                    Job::Checkpoints => at.log_dirs.write_checkpoints_of(&at.dir, &at.partitions),
                    Job::Producers => at.forget_producers(),
                }
            });
        }
    }

    /// Whether any log wants to be flushed by the clock: usually none does, and then nothing is looked at.
    fn has_flush_interval(&self) -> bool {
        self.config.layers().log_flush_interval_ms() != i64::MAX
            || self.images.current().configs().any(|(_, values)| values.contains_key("flush.ms"))
    }

    /// The files whose time has come, of each directory by itself.
    fn remove_deleted(&self) {
        for due in self.log_dirs.take_deleted(clock::now_ms()) {
            let log_dirs = Arc::clone(&self.log_dirs);
            tokio::task::spawn_blocking(move || log_dirs.remove(due));
        }
    }
}

/// The work in one directory.
struct At {
    partitions: Arc<Partitions>,
    log_dirs: Arc<LogDirs>,
    config: Arc<Config>,
    dir: Arc<DirState>,
}

impl At {
    fn enforce_retention(&self) {
        // What is compacted is looked after by those who compact it.
        let has_cleaner = self.config.current().log.cleaner_enable;
        let is_ours =
            |partition: &Arc<Partition>| !(has_cleaner && partition.settings().cleanup_policy.compact);
        let partitions = self.partitions.all_with_logs_in(self.dir.index());
        for partition in partitions.into_iter().filter(is_ours) {
            self.log_dirs.enforce_retention(&partition, clock::now_ms());
        }
    }

    fn flush(&self) {
        for partition in self.partitions.all_in(self.dir.index()) {
            partition.flush_if_due(clock::now_ms());
        }
    }

    fn forget_producers(&self) {
        let expiration_ms = self.config.current().log.producer_id_expiration_ms.into();
        for partition in self.partitions.all_in(self.dir.index()) {
            partition.forget_producers(clock::now_ms(), expiration_ms);
        }
    }
}
/// Ticks, the first time after one whole interval.
fn every(interval_ms: i64) -> tokio::time::Interval {
    let period = Duration::from_millis(u64::try_from(interval_ms).unwrap_or(u64::MAX).max(1));
    let mut ticks = interval(period);
    ticks.reset();
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
