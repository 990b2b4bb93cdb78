//! The log cleaner: threads that compact the logs of topics with `cleanup.policy=compact`, the filthiest first, internal
//! topics like any other. It also deletes old segments of these topics, as Kafka's does.
//!
//! A thread that finds nothing to do sleeps for `log.cleaner.backoff.ms`. Keys `log.cleaner.*` are read anew for each
//! log, so that all of them can be changed while it runs, the number of threads too.

use super::clock;
use super::config::Config;
use super::log_dirs::LogDirs;
use super::partition::Partition;
use super::partitions::Partitions;
use ottla_config::LogSettings;
use ottla_log::LogError;
use ottla_log::cleaner::{
    CleanError, CleanerMemory, CleanerStats, CleanerThrottle, CompactionRange, Replaced,
};
use ottla_protocol::Offset;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a log is left alone for which there was no room on the disk.
const DISK_FULL_REST_MS: i64 = 60_000;

/// The cleaner's threads; none if `log.cleaner.enable` is false.
pub(super) struct Cleaner(Arc<Shared>);

struct Shared {
    partitions: Arc<Partitions>,
    log_dirs: Arc<LogDirs>,
    config: Arc<Config>,
    /// One thread chooses at a time, so that no two choose the same log.
    choosing: Mutex<()>,
    throttle: Mutex<CleanerThrottle>,
    started: Instant,
    running: Mutex<Running>,
    stop_asked: Condvar,
}

#[derive(Default)]
struct Running {
    stopped: bool,
    threads: Vec<JoinHandle<()>>,
}

/// What became of a log that was chosen.
enum Outcome {
    /// It is compacted up to here.
    Cleaned(Offset, CleanerStats),
    /// Another thread has it, the log has changed, or the broker stops.
    BrokenOff,
}

impl Cleaner {
    /// Starts the first thread.
    pub(super) fn start(
        partitions: Arc<Partitions>,
        log_dirs: Arc<LogDirs>,
        config: Arc<Config>,
    ) -> io::Result<Cleaner> {
        let settings = config.current();
        let started = clock::now();
        let rate = settings.log.cleaner_io_max_bytes_per_second;
        let is_enabled = settings.log.cleaner_enable;
        drop(settings);
        let shared = Arc::new(Shared {
            partitions,
            log_dirs,
            config,
            choosing: Mutex::default(),
            throttle: Mutex::new(CleanerThrottle::new(rate, Duration::ZERO)),
            started,
            running: Mutex::default(),
            stop_asked: Condvar::new(),
        });
        if is_enabled {
            Shared::spawn(&shared, &mut shared.running.lock())?;
        }
        Ok(Cleaner(shared))
    }

    /// Breaks off what is being compacted, and waits for the threads.
    pub(super) fn stop(&self) {
        let threads = {
            let mut running = self.0.running.lock();
            running.stopped = true;
            std::mem::take(&mut running.threads)
        };
        self.0.stop_asked.notify_all();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a cleaner thread panicked");
            }
        }
    }
}

impl Shared {
    fn spawn(shared: &Arc<Shared>, running: &mut Running) -> io::Result<()> {
        let index = running.threads.len();
        let name = format!("kafka-log-cleaner-thread-{index}");
        let mine = Arc::clone(shared);
        let thread = std::thread::Builder::new().name(name).spawn(move || Shared::work(&mine, index))?;
        running.threads.push(thread);
        Ok(())
    }

    /// Works until it is stopped, or there are to be fewer threads.
    fn work(shared: &Arc<Shared>, index: usize) {
        // A start has more urgent things to read.
        let mut is_idle = true;
        while Shared::is_wanted(shared, index) {
            let settings = shared.config.current().log.clone();
            if is_idle {
                let wait = u64::try_from(settings.cleaner_backoff_ms).unwrap_or(0);
                shared.sleep(Duration::from_millis(wait.max(1)));
                is_idle = false;
                continue;
            }
            shared.throttle.lock().set_rate(settings.cleaner_io_max_bytes_per_second);
            is_idle = !shared.clean_filthiest(&settings);
            if index == 0 {
                shared.enforce_retention();
            }
        }
    }

    /// Whether this thread goes on. The last one begins the next if there are to be more, or ends if there are too many.
    fn is_wanted(shared: &Arc<Shared>, index: usize) -> bool {
        let threads = thread_count(&shared.config.current().log);
        let mut running = shared.running.lock();
        let is_last = running.threads.len() == index + 1;
        if running.stopped || is_last && index >= threads {
            // Nobody waits for a thread that ends of itself.
            running.threads.truncate(index);
            return false;
        }
        if is_last
            && index + 1 < threads
            && let Err(error) = Shared::spawn(shared, &mut running)
        {
            tracing::error!(%error, "cannot start a cleaner thread");
        }
        true
    }

    fn has_stopped(&self) -> bool {
        self.running.lock().stopped
    }

    /// Sleeps, or until it is to stop.
    fn sleep(&self, duration: Duration) {
        let mut running = self.running.lock();
        if !running.stopped {
            self.stop_asked.wait_for(&mut running, duration);
        }
    }

    /// Compacts the log that needs it most; says whether there was one.
    fn clean_filthiest(&self, settings: &LogSettings) -> bool {
        let now_ms = clock::now_ms();
        let Some((partition, range, cleaning)) = self.choose(settings, now_ms) else { return false };
        let cleaned = catch_unwind(AssertUnwindSafe(|| self.clean(&partition, cleaning, now_ms)));
        let (topic, index) = (&partition.topic, partition.index);
        match cleaned {
            Ok(Ok(Outcome::Cleaned(end, stats))) => {
                partition.cleaned(end);
                self.log_dirs.write_cleaner_checkpoint(&partition, &self.partitions);
                let from = range.first_dirty_offset;
                tracing::info!(
                    %topic, partition = index, %from, to = %end, bytes_read = stats.bytes_read,
                    bytes_written = stats.bytes_written, records_read = stats.records_read,
                    records_written = stats.records_written, keys = stats.keys, "compacted a log"
                );
            }
            Ok(Ok(Outcome::BrokenOff)) => {}
            Ok(Err(error)) => self.give_up(&partition, &error, now_ms),
            Err(_) => {
                tracing::error!(%topic, partition = index, "compacting a log panicked; it is left alone from now on");
                partition.mark_uncleanable();
            }
        }
        partition.end_cleaning();
        true
    }

    /// The partitions of compacted topics, but for those whose disk does not answer: the others need not wait for it.
    fn within_reach(&self) -> impl Iterator<Item = Arc<Partition>> {
        let reachable = |partition: &Arc<Partition>| partition.is_online() && !partition.is_stuck();
        self.partitions.all_compacted().into_iter().filter(reachable)
    }

    /// The log that is due and has the largest dirty share.
    fn choose(
        &self,
        settings: &LogSettings,
        now_ms: i64,
    ) -> Option<(Arc<Partition>, CompactionRange, ottla_log::cleaner::Cleaning)> {
        let _choosing = self.choosing.lock();
        let mut filthiest: Option<(Arc<Partition>, CompactionRange)> = None;
        for partition in self.within_reach() {
            match partition.compaction_due(now_ms) {
                Ok(Some(range)) => {
                    let is_filthier =
                        filthiest.as_ref().is_none_or(|(_, most)| range.dirty_ratio() > most.dirty_ratio());
                    if is_filthier {
                        filthiest = Some((partition, range));
                    }
                }
                Ok(None) => {}
                Err(error) => self.give_up(&partition, &error, now_ms),
            }
        }
        let (partition, range) = filthiest?;
        match partition.begin_cleaning(range, memory(settings), now_ms) {
            Ok(cleaning) => cleaning.map(|cleaning| (partition, range, cleaning)),
            Err(error) => {
                self.give_up(&partition, &error, now_ms);
                None
            }
        }
    }

    fn clean(
        &self,
        partition: &Arc<Partition>,
        mut cleaning: ottla_log::cleaner::Cleaning,
        now_ms: i64,
    ) -> Result<Outcome, LogError> {
        let mut pace = |bytes| self.pace(partition, bytes);
        let result = (|| {
            cleaning.gather_keys(&mut pace)?;
            while let Some(cleaned) = cleaning.next_group(&mut pace)? {
                match partition.replace_segments(cleaned)? {
                    Replaced::Done(old) => {
                        let due_ms = now_ms.saturating_add(partition.settings().file_delete_delay_ms);
                        self.log_dirs.remove_later(old, due_ms);
                    }
                    Replaced::Outdated => return Err(CleanError::Aborted),
                }
            }
            Ok(Outcome::Cleaned(cleaning.end(), cleaning.stats()))
        })();
        match result {
            Ok(outcome) => Ok(outcome),
            Err(CleanError::Aborted) => Ok(Outcome::BrokenOff),
            // The log was deleted meanwhile.
            Err(CleanError::Log(_)) if !self.has(partition) => Ok(Outcome::BrokenOff),
            Err(CleanError::Log(error)) => Err(error),
        }
    }

    /// Keeps to the rate; breaks off when the broker stops or the partition is gone.
    fn pace(&self, partition: &Arc<Partition>, bytes: usize) -> ControlFlow<()> {
        if self.has_stopped() || !self.has(partition) {
            return ControlFlow::Break(());
        }
        let wait = self.throttle.lock().pace(bytes, clock::now() - self.started);
        if !wait.is_zero() {
            self.sleep(wait);
        }
        ControlFlow::Continue(())
    }

    fn has(&self, partition: &Arc<Partition>) -> bool {
        let now = self.partitions.get(partition.topic_id, partition.index);
        now.is_some_and(|now| Arc::ptr_eq(&now, partition))
    }

    /// A log could not be compacted: it is left alone, and the others go on.
    fn give_up(&self, partition: &Partition, error: &LogError, now_ms: i64) {
        if error.is_storage_full() {
            tracing::warn!(%error, "no room to compact a log; it is tried again later");
            partition.rest_from_cleaning(now_ms.saturating_add(DISK_FULL_REST_MS));
            return;
        }
        tracing::error!(%error, "a log cannot be compacted; it is left alone until the broker is started again");
        partition.mark_uncleanable();
        partition.dir().judge(error);
    }

    /// Deletes old segments of compacted topics: here, so that it does not take away what is being compacted.
    fn enforce_retention(&self) {
        for partition in self.within_reach() {
            self.log_dirs.enforce_retention(&partition, clock::now_ms());
        }
    }
}

fn thread_count(settings: &LogSettings) -> usize {
    usize::try_from(settings.cleaner_threads).unwrap_or(0).max(1)
}

/// Each thread's part of the memory.
fn memory(settings: &LogSettings) -> CleanerMemory {
    let threads = thread_count(settings);
    let dedupe_bytes = u64::try_from(settings.cleaner_dedupe_buffer_size).unwrap_or(0) / threads as u64;
    CleanerMemory {
        // A thread of Kafka's cannot use more.
        dedupe_bytes: dedupe_bytes.min(i32::MAX as u64),
        load_factor: settings.cleaner_io_buffer_load_factor,
        io_bytes: usize::try_from(settings.cleaner_io_buffer_size).unwrap_or(0) / threads / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::partition::tests::{World, produce_batch, read};
    use crate::node::partitions::Held;
    use ottla_log::disk::RealDisk;
    use ottla_protocol::records::BatchBuilder;
    use std::os::unix::fs::FileExt;
    use std::path::Path;

    const SETTINGS: &[&str] = &[
        "log.cleanup.policy=compact",
        "log.cleaner.min.cleanable.ratio=0",
        "log.roll.ms=1000",
        // No threads: the test does what they would.
        "log.cleaner.enable=false",
    ];

    /// Four values of one key, each in a segment of its own.
    fn fill(partition: &Arc<Partition>) {
        for at in 0..4_i64 {
            let mut builder = BatchBuilder::new();
            let timestamp = 1_700_000_000_000 + at * 10_000;
            builder.append(timestamp, Some(b"key"), Some(format!("value {at}").as_bytes()), &[]);
            assert_eq!(produce_batch(partition, &builder.build()), Ok(at));
        }
    }

    fn damage(log: &Path) {
        let file = std::fs::OpenOptions::new().write(true).open(log).unwrap();
        file.write_at(&[0xff; 4], 70).unwrap();
    }

    #[test]
    fn a_damaged_log_is_left_alone_and_the_others_are_compacted() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open_on(Arc::new(RealDisk), dir.path(), SETTINGS);
        let held = [0, 1].map(|index| world.partition_of(index, 0));
        held.iter().for_each(fill);
        damage(&dir.path().join("t-1/00000000000000000001.log"));
        let partitions = Arc::new(Partitions::default());
        partitions.update(held.clone().map(Held::Open), []);
        let config = world.config();
        let settings = config.current().log.clone();
        let cleaner = Cleaner::start(partitions, Arc::clone(&world.log_dirs), config).unwrap();
        // Each is chosen once.
        let chosen = (0..9).take_while(|_| cleaner.0.clean_filthiest(&settings)).count();
        assert_eq!(chosen, 2);
        let [sound, damaged] = held;
        assert_eq!(
            (sound.checkpointed().cleaned_to, damaged.checkpointed().cleaned_to),
            (Some(Offset(3)), None)
        );
        assert_eq!(read(&sound, 0), Ok(vec!["value 2".into()]));
        assert_eq!(read(&sound, 3), Ok(vec!["value 3".into()]));
        let checkpoint = std::fs::read_to_string(dir.path().join("cleaner-offset-checkpoint")).unwrap();
        assert_eq!(checkpoint, "0\n1\nt 0 3\n");
        assert!(damaged.is_online(), "its directory goes on");
        assert_eq!(damaged.size_bytes(), 2 * sound.size_bytes());
        cleaner.stop();
    }
}
