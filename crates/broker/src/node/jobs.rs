//! What a node does by the clock: retention, flushing and checkpoints, forgetting producers, measuring
//! disks, removing deleted logs.

use super::clock;
use super::config::Config;
use super::dir_state::DirState;
use super::disk_space;
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
    Space,
    Removals,
}

/// Which jobs run in a directory: each once at a time.
#[derive(Debug, Default)]
pub(super) struct Running {
    retention: AtomicBool,
    flush: AtomicBool,
    checkpoints: AtomicBool,
    producers: AtomicBool,
    space: AtomicBool,
    removals: AtomicBool,
}

impl Running {
    fn of(&self, job: Job) -> &AtomicBool {
        match job {
            Job::Retention => &self.retention,
            Job::Flush => &self.flush,
            Job::Checkpoints => &self.checkpoints,
            Job::Producers => &self.producers,
            Job::Space => &self.space,
            Job::Removals => &self.removals,
        }
    }

    /// Whether deleted files are being removed.
    pub(super) fn removes(&self) -> bool {
        self.removals.load(Ordering::Acquire)
    }
}

/// A job that runs in a directory; says that it has ended, however it did.
struct Runs {
    dir: Arc<DirState>,
    job: Job,
}

impl Runs {
    /// Nothing if it runs already, or hangs.
    fn begin(dir: &Arc<DirState>, job: Job) -> Option<Runs> {
        let runs_already = dir.jobs.of(job).swap(true, Ordering::AcqRel);
        (!runs_already).then(|| Runs { dir: Arc::clone(dir), job })
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.dir.jobs.of(self.job).store(false, Ordering::Release);
        if std::thread::panicking() {
            let (dir, job) = (self.dir.path().display(), self.job);
            tracing::error!(%dir, ?job, "a background job panicked");
        }
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
        let mut space = every(disk_space::PERIOD_MS);
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
                _ = space.tick() => self.in_each_dir(Job::Space),
                () = self.log_dirs.removal_due() => self.in_each_dir(Job::Removals),
            }
        }
    }

    /// Work for each directory by itself, off the thread that has the timers: a disk that does not answer holds up its own.
    /// Where the job still runs, or hangs, it is left out this time.
    fn in_each_dir(&self, job: Job) {
        for runs in self.log_dirs.online().iter().filter_map(|dir| Runs::begin(dir, job)) {
            let at = At {
                partitions: Arc::clone(&self.partitions),
                log_dirs: Arc::clone(&self.log_dirs),
                config: Arc::clone(&self.config),
                dir: Arc::clone(&runs.dir),
            };
            tokio::task::spawn_blocking(move || {
                at.work(job);
                drop(runs);
                if let Job::Removals = job {
                    at.log_dirs.on_removed();
                }
            });
        }
    }

    /// Whether any log wants to be flushed by the clock: usually none does, and then nothing is looked at.
    fn has_flush_interval(&self) -> bool {
        self.config.layers().log_flush_interval_ms() != i64::MAX
            || self.images.current().configs().any(|(_, values)| values.contains_key("flush.ms"))
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
    fn work(&self, job: Job) {
        match job {
            Job::Retention => self.enforce_retention(),
            Job::Flush => self.flush(),
            Job::Checkpoints => self.log_dirs.write_checkpoints_of(&self.dir, &self.partitions),
            Job::Producers => self.forget_producers(),
            Job::Space => {
                let free_min = self.config.current().log.disk_free_min_bytes;
                disk_space::measure_one(&self.log_dirs, &self.dir, free_min);
            }
            Job::Removals => self.log_dirs.remove_deleted_in(&self.dir, clock::now_ms()),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::partition::tests::{World, produce};
    use crate::node::random;
    use std::path::Path;

    #[test]
    fn a_job_that_hangs_is_not_begun_again_and_what_is_deleted_there_waits_for_it() {
        let root = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| root.path().join(name).display().to_string());
        let world = World::open(Path::new(&paths.join(",")));
        let (log_dirs, partitions) = (&world.log_dirs, [world.partition_of(0, 0), world.partition_of(1, 0)]);
        for (partition, due_ms) in partitions.iter().zip([5, 7]) {
            assert_eq!(produce(partition, 0, &["a"]), Ok(0));
            log_dirs.remove_later(partition.delete(random::uuid()).unwrap(), due_ms);
        }
        let dir = partitions[0].dir();
        assert_eq!(log_dirs.next_due_ms(), Some(5));
        let hangs = Runs::begin(&dir, Job::Removals).unwrap();
        assert!(Runs::begin(&dir, Job::Removals).is_none());
        assert!(Runs::begin(&dir, Job::Space).is_some(), "others are begun");
        assert_eq!(log_dirs.next_due_ms(), Some(7), "of the other directory");
        log_dirs.remove_deleted_in(&partitions[1].dir(), 7);
        assert_eq!(log_dirs.next_due_ms(), None);
        drop(hangs);
        assert_eq!(log_dirs.next_due_ms(), Some(5));
    }
}
