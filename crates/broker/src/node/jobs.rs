//! What a node does by the clock: retention, flushing and checkpoints, forgetting producers, removing deleted logs.

use super::clock;
use super::config::Config;
use super::images::Images;
use super::log_dirs::LogDirs;
use super::partition::Partition;
use super::partitions::Partitions;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often logs are asked whether they want to be flushed.
const FLUSH_CHECK_MS: i64 = 1000;

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
                _ = retention.tick() => self.in_background(Jobs::enforce_retention).await,
                _ = flush.tick() => {
                    if self.has_flush_interval() {
                        self.in_background(Jobs::flush).await;
                    }
                }
                _ = checkpoint.tick() => self.in_background(Jobs::write_checkpoints).await,
                _ = producers.tick() => self.forget_producers(),
                () = self.log_dirs.removal_due() => self.in_background(Jobs::remove_deleted).await,
            }
        }
    }

    /// Disk work, off the thread that has the timers.
    async fn in_background(&self, job: fn(&Jobs)) {
        let jobs = Jobs {
            partitions: Arc::clone(&self.partitions),
            log_dirs: Arc::clone(&self.log_dirs),
            config: Arc::clone(&self.config),
            images: Arc::clone(&self.images),
        };
        if tokio::task::spawn_blocking(move || job(&jobs)).await.is_err() {
            tracing::error!("a background job panicked");
        }
    }

    fn enforce_retention(&self) {
        // What is compacted is looked after by those who compact it.
        let has_cleaner = self.config.current().log.cleaner_enable;
        let is_ours =
            |partition: &Arc<Partition>| !(has_cleaner && partition.settings().cleanup_policy.compact);
        for partition in self.partitions.all_with_logs().into_iter().filter(is_ours) {
            self.log_dirs.enforce_retention(&partition, clock::now_ms());
        }
    }

    /// Whether any log wants to be flushed by the clock: usually none does, and then nothing is looked at.
    fn has_flush_interval(&self) -> bool {
        self.config.layers().log_flush_interval_ms() != i64::MAX
            || self.images.current().configs().any(|(_, values)| values.contains_key("flush.ms"))
    }

    fn flush(&self) {
        for partition in self.partitions.all() {
            partition.flush_if_due(clock::now_ms());
        }
    }

    fn write_checkpoints(&self) {
        self.log_dirs.write_checkpoints(&self.partitions.checkpoint_lines());
    }

    fn remove_deleted(&self) {
        self.log_dirs.remove_deleted(clock::now_ms());
    }

    fn forget_producers(&self) {
        let expiration_ms = self.config.current().log.producer_id_expiration_ms.into();
        for partition in self.partitions.all() {
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
