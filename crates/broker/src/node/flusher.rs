//! The threads that wait for a disk: a few for each log directory.
//!
//! A partition that wants a flush is queued; a thread takes it, lets the disk make it durable and tells the partition.
//! Partitions are flushed side by side, because the file system's journal makes one commit of fsyncs that wait together:
//! `docs/decisions/many-files-one-commit.md` has the figures. When very many wait, one sync of the whole file system is for
//! all of them. There are threads only while there is something to do.

use super::clock;
use super::dir_state::DirState;
use super::partition::{Flushing, Partition};
use ottla_log::LogError;
use ottla_protocol::ErrorCode;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Files of one directory that are synced at the same time.
const THREADS_MAX: usize = 16;
/// From so many waiting partitions on the file system is synced as a whole. Below it that may be dear: others' files are
/// on it too.
pub(super) const SYNC_ALL_MIN: usize = 128;
/// A disk whose fsync takes longer is stuck, until it is done. A healthy one is done ten times over by then.
const STUCK_MS: u64 = 500;
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// The flusher of one log directory.
#[derive(Default)]
pub(crate) struct Flusher {
    queue: Mutex<Queue>,
    /// Something was queued.
    arrived: Condvar,
    /// The last one was flushed.
    drained: Condvar,
    /// From when on the disk is stuck unless an fsync ends before: 0 while none runs. In ticks of the clock.
    stuck_from: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<Partition>>,
    threads: usize,
    /// Threads that wait for work.
    idle: usize,
    /// When the flushes that run began, in ticks of the clock.
    flushing: Vec<u64>,
    /// While there is one, nothing is taken from the queue.
    holds: usize,
    /// Threads are not started: a test flushes when it says so.
    is_by_hand: bool,
}

/// As long as it lives, the flusher of a directory only collects.
pub(super) struct Hold(Arc<DirState>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.flusher.queue.lock().holds -= 1;
        while Flusher::start(&self.0) {}
    }
}

impl Flusher {
    /// Queues a partition that is not queued.
    pub(super) fn queue(dir: &Arc<DirState>, partition: Arc<Partition>) {
        dir.flusher.queue.lock().waiting.push_back(partition);
        Flusher::start(dir);
    }

    /// Has everything collected that is queued from now on in directories that are named very often: whoever opens so many
    /// partitions waits for one sync of all of them when it is done, not for the disk meanwhile.
    pub(super) fn hold_of_many<'d>(dirs: impl Iterator<Item = &'d Arc<DirState>>) -> Vec<Hold> {
        let mut counts: BTreeMap<usize, (&Arc<DirState>, usize)> = BTreeMap::new();
        for dir in dirs {
            counts.entry(dir.index()).or_insert((dir, 0)).1 += 1;
        }
        let many = counts.into_values().filter(|(_, count)| *count >= SYNC_ALL_MIN);
        many.map(|(dir, _)| Flusher::hold(dir)).collect()
    }

    fn hold(dir: &Arc<DirState>) -> Hold {
        dir.flusher.queue.lock().holds += 1;
        Hold(Arc::clone(dir))
    }

    /// Sees to it that somebody takes what is queued. Whether that took another thread.
    fn start(dir: &Arc<DirState>) -> bool {
        let this = &dir.flusher;
        let mut queue = this.queue.lock();
        if queue.is_by_hand || queue.holds > 0 || queue.waiting.is_empty() {
            return false;
        }
        // One takes very many at once.
        let threads_max = if queue.waiting.len() >= SYNC_ALL_MIN { 1 } else { THREADS_MAX };
        let needs_thread = queue.waiting.len() > queue.idle && queue.threads < threads_max;
        if needs_thread {
            queue.threads += 1;
        }
        drop(queue);
        this.arrived.notify_one();
        if needs_thread {
            spawn(dir);
        }
        needs_thread
    }

    /// When the oldest fsync that runs began, in ticks of the clock.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.stuck_from().checked_sub(STUCK_MS)
    }

    /// Whether an fsync has been running for so long that nobody should wait for the disk who has other things to do.
    pub(super) fn is_stuck(&self) -> bool {
        match self.stuck_from() {
            0 => false,
            stuck_from => clock::ticks_ms() > stuck_from,
        }
    }

    /// From when on the disk counts as stuck; 0 while no fsync runs.
    pub(super) fn stuck_from(&self) -> u64 {
        self.stuck_from.load(Ordering::Relaxed)
    }

    fn began(&self, queue: &mut Queue) -> u64 {
        let now = clock::ticks_ms();
        queue.flushing.push(now);
        self.note_oldest(queue);
        now
    }

    fn ended(&self, queue: &mut Queue, began: u64) {
        if let Some(at) = queue.flushing.iter().position(|other| *other == began) {
            queue.flushing.remove(at);
        }
        self.note_oldest(queue);
        if queue.flushing.is_empty() && queue.waiting.is_empty() {
            self.drained.notify_all();
        }
    }

    fn note_oldest(&self, queue: &Queue) {
        // They are in the order in which they began.
        let stuck_from = queue.flushing.first().map_or(0, |oldest| oldest + STUCK_MS);
        self.stuck_from.store(stuck_from, Ordering::Relaxed);
    }

    /// Waits until all that is queued is flushed, but not after `deadline`; false when it is not.
    pub(super) fn drain(&self, deadline: Instant) -> bool {
        let mut queue = self.queue.lock();
        while !(queue.waiting.is_empty() && queue.flushing.is_empty()) {
            if clock::now() >= deadline {
                return false;
            }
            self.drained.wait_until(&mut queue, deadline);
        }
        true
    }
}

impl fmt::Debug for Flusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flusher").finish_non_exhaustive()
    }
}

fn spawn(dir: &Arc<DirState>) {
    let of_thread = Arc::clone(dir);
    let thread = std::thread::Builder::new().name("flusher".into()).spawn(move || run(&of_thread));
    let Err(error) = thread else { return };
    let mut queue = dir.flusher.queue.lock();
    queue.threads -= 1;
    let nobody_flushes = queue.threads == 0;
    let waiting = if nobody_flushes { std::mem::take(&mut queue.waiting) } else { VecDeque::new() };
    drop(queue);
    if nobody_flushes {
        dir.fail(&format_args!("no thread can be started to flush it: {error}"));
    }
    for partition in waiting {
        partition.fail(ErrorCode::KafkaStorageError);
    }
}

/// One thread: flushes what is queued until nothing was for a while.
fn run(dir: &DirState) {
    let Flusher { queue, arrived, .. } = &dir.flusher;
    let mut queue = queue.lock();
    loop {
        let taken = queue.take();
        if !taken.is_empty() {
            let began = dir.flusher.began(&mut queue);
            drop(queue);
            let again = flush(dir, taken);
            queue = dir.flusher.queue.lock();
            // This thread takes the first of them next; nobody is woken for it.
            queue.waiting.extend(again);
            if queue.waiting.len() > 1 {
                arrived.notify_one();
            }
            dir.flusher.ended(&mut queue, began);
            continue;
        }
        queue.idle += 1;
        let timed_out = arrived.wait_for(&mut queue, IDLE).timed_out();
        queue.idle -= 1;
        if timed_out && queue.waiting.is_empty() {
            queue.threads -= 1;
            return;
        }
    }
}

impl Queue {
    /// What one thread flushes next.
    fn take(&mut self) -> Vec<Arc<Partition>> {
        let count = match self.waiting.len() {
            _ if self.holds > 0 => 0,
            many if many >= SYNC_ALL_MIN => many,
            few => few.min(1),
        };
        self.waiting.drain(..count).collect()
    }
}

/// Flushes partitions. After a failure of the disk it is not known what the kernel kept of the data, and another sync would
/// not tell: so none is asked for, of no partition of the directory, and who waits hears the truth. Gives those that have to
/// be flushed again.
fn flush(dir: &DirState, partitions: Vec<Arc<Partition>>) -> Vec<Arc<Partition>> {
    let mut begun = Vec::with_capacity(partitions.len());
    let mut here = Vec::with_capacity(partitions.len());
    for partition in partitions {
        match partition.begin_flush(dir) {
            Ok(Some(flushing)) => begun.push(flushing),
            Ok(None) => continue,
            Err(error) => dir.fail(&error),
        }
        here.push(partition);
    }
    if dir.is_online()
        && let Err(error) = write(&begun)
    {
        dir.fail(&error);
    }
    let is_durable = dir.is_online();
    let again = begun.into_iter().filter_map(|flushing| flushing.end(is_durable)).collect();
    if !dir.is_online() {
        here.iter().for_each(|partition| partition.fail(ErrorCode::KafkaStorageError));
    }
    again
}

/// Makes everything durable: by a sync of each, or by one of the file system.
fn write(begun: &[Flushing]) -> Result<(), LogError> {
    let with_work: Vec<_> = begun.iter().filter(|flushing| flushing.has_work()).collect();
    let Some(first) = with_work.first().filter(|_| with_work.len() > THREADS_MAX) else {
        return with_work.iter().try_for_each(|flushing| flushing.run());
    };
    with_work.iter().try_for_each(|flushing| flushing.write_out())?;
    first.sync_all().inspect_err(|_| {
        // Each file knows whether it is one of those that were not written, and forgets what only the kernel has of it.
        with_work.iter().for_each(|flushing| drop(flushing.run()));
    })
}

#[cfg(test)]
impl Flusher {
    /// From now on, only [`flush_queued`](Flusher::flush_queued) flushes.
    pub(in crate::node) fn by_hand(&self) {
        self.queue.lock().is_by_hand = true;
    }

    /// Flushes what is queued now.
    pub(in crate::node) fn flush_queued(dir: &DirState) {
        let mut left = dir.flusher.len();
        while left > 0 {
            let taken = dir.flusher.queue.lock().take();
            left -= taken.len();
            let again = flush(dir, taken);
            dir.flusher.queue.lock().waiting.extend(again);
        }
    }

    /// Whether it waits to be told.
    pub(in crate::node) fn is_by_hand(&self) -> bool {
        self.queue.lock().is_by_hand
    }

    /// How many partitions are queued.
    pub(in crate::node) fn len(&self) -> usize {
        self.queue.lock().waiting.len()
    }
}
