//! What is to be done in a directory whose disk is stuck: it waits for a thread of the directory's own. Appends leave the data
//! threads; what the metadata say of its partitions, deletions and the loads of coordinators come behind them.
//!
//! ```text
//! inline ── an fsync runs for longer than STUCK_MS ──▶ detour ── the queue is empty, and the fsync is over ──▶ inline
//! ```
//!
//! A write goes to the page cache and seldom waits for the disk; one that is behind a stuck fsync may, for as long as that
//! takes. On a data thread it would hold up every connection of that thread, heartbeats among them. While there is a
//! queue all appends to the directory go into it, so that they are made in the order in which they came.
//!
//! Appends are bounded by their bytes. Of what has no size there is at most one piece of news and one deletion for each
//! partition; a load for each time that this broker was elected meanwhile, of coordinators alone.

use super::clock;
use super::dir_state::DirState;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes that may wait in the queue of a directory; what comes then is refused.
const BYTES_MAX: usize = 256 << 20;

/// The queue of one log directory.
#[derive(Default)]
pub(crate) struct Detour {
    /// Its thread runs.
    is_open: AtomicBool,
    queue: Mutex<Queue>,
    /// The stuck fsync that was last reported.
    told_of: AtomicU64,
    /// When the append that is being made began, in ticks of the clock and one more; 0 while none is.
    began: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    bytes: usize,
    /// Its thread runs.
    is_open: bool,
}

struct Job {
    size: usize,
    run: Box<dyn FnOnce() + Send>,
}

impl Detour {
    /// Whether an append has to take it now.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// When the append that is being made began, in ticks of the clock.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.began.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Has an append of about `size` bytes made by the directory's thread; false if too much waits already.
    #[must_use]
    pub(super) fn take(dir: &Arc<DirState>, size: usize, append: impl FnOnce() + Send + 'static) -> bool {
        let this = &dir.detour;
        let mut queue = this.queue.lock();
        if queue.bytes + size > BYTES_MAX {
            return false;
        }
        queue.bytes += size;
        queue.waiting.push_back(Job { size, run: Box::new(append) });
        if queue.is_open {
            return true;
        }
        queue.is_open = true;
        this.is_open.store(true, Ordering::Release);
        drop(queue);
        let stuck_from = dir.flusher.stuck_from();
        if this.told_of.swap(stuck_from, Ordering::Relaxed) != stuck_from {
            let dir = dir.path().display();
            tracing::warn!(%dir, "the disk does not answer; its partitions wait for it, others go on");
        }
        let of_thread = Arc::clone(dir);
        let thread = std::thread::Builder::new().name("detour".into()).spawn(move || run(&of_thread));
        if let Err(error) = thread {
            dir.fail(&format_args!(
                "its disk is stuck, and no thread can be started to wait for it: {error}"
            ));
            run(dir);
        }
        true
    }
}

impl fmt::Debug for Detour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detour").field("is_open", &self.is_open).finish_non_exhaustive()
    }
}

fn run(dir: &DirState) {
    let Detour { is_open, queue, .. } = &dir.detour;
    loop {
        let job = {
            let mut queue = queue.lock();
            let Some(job) = queue.waiting.pop_front() else {
                queue.is_open = false;
                is_open.store(false, Ordering::Release);
                return;
            };
            queue.bytes -= job.size;
            job
        };
        dir.detour.began.store(clock::ticks_ms() + 1, Ordering::Relaxed);
        (job.run)();
        dir.detour.began.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Detour {
    /// As if the disk were stuck; [`run_queued`](Detour::run_queued) is its thread.
    pub(in crate::node) fn open_by_hand(&self) {
        self.queue.lock().is_open = true;
        self.is_open.store(true, Ordering::Release);
    }

    /// How much waits.
    pub(in crate::node) fn len(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Makes the appends that wait.
    pub(in crate::node) fn run_queued(dir: &DirState) {
        run(dir);
    }
}
