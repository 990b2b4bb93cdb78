//! How busy each data thread is: what [`balance`](super::balance) decides by, and where connections hear what it asks for.

use super::balance::{Load, Shift, first_with_room, shift};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::RuntimeMetrics;
use tokio::time::Instant;

/// How long loads are measured before they are acted upon.
const WINDOW: Duration = Duration::from_millis(20);

/// Of all data threads.
pub(super) struct Loads {
    threads: Vec<Thread>,
    measured: Mutex<Measured>,
    began: Instant,
    /// When this window ends, in microseconds since `began`.
    ends_us: AtomicU64,
    /// Counts windows, for a connection to know whether it was counted in this one.
    window: AtomicU32,
}

struct Thread {
    runtime: RuntimeMetrics,
    /// Connections that were active in this window.
    active: AtomicUsize,
    /// Connections to be given away, and to which thread.
    gives: AtomicUsize,
    gives_to: AtomicUsize,
    /// Share of the last window during which it worked, in thousandths.
    busy: AtomicU32,
}

/// Where the measurement stands.
struct Measured {
    at: Instant,
    /// Of each thread: how long it has worked since it began, and how often it was parked or woken.
    threads: Vec<(Duration, u64)>,
}

impl Loads {
    /// Of threads that have just begun.
    pub(super) fn new(runtimes: impl Iterator<Item = RuntimeMetrics>) -> Loads {
        let thread = |runtime| Thread {
            runtime,
            active: AtomicUsize::new(0),
            gives: AtomicUsize::new(0),
            gives_to: AtomicUsize::new(0),
            busy: AtomicU32::new(0),
        };
        let threads: Vec<Thread> = runtimes.map(thread).collect();
        let began = Instant::now();
        let measured = Measured { at: began, threads: vec![Default::default(); threads.len()] };
        Loads {
            threads,
            measured: Mutex::new(measured),
            began,
            ends_us: AtomicU64::new(0),
            window: AtomicU32::new(1),
        }
    }

    /// The thread that a new connection goes to that arrives at `now`.
    pub(super) fn first_with_room(&self, now: Instant) -> usize {
        self.end_window(now);
        first_with_room(
            self.threads.iter().map(|thread| f64::from(thread.busy.load(Ordering::Relaxed)) / 1e3),
        )
    }

    /// Something arrived on a connection of a thread; `counted` is what the connection remembers of the last time.
    pub(super) fn note_active(&self, thread: usize, counted: &mut u32, now: Instant) {
        let window = self.window.load(Ordering::Relaxed);
        if *counted != window {
            *counted = window;
            self.threads[thread].active.fetch_add(1, Ordering::Relaxed);
        }
        self.end_window(now);
    }

    /// Measures if the window is over. Nothing runs for it while nothing arrives.
    fn end_window(&self, now: Instant) {
        let now_us = now.saturating_duration_since(self.began).as_micros() as u64;
        let ends_us = self.ends_us.load(Ordering::Relaxed);
        let next_us = now_us + WINDOW.as_micros() as u64;
        let is_first =
            || self.ends_us.compare_exchange(ends_us, next_us, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if now_us >= ends_us && is_first() {
            self.measure(now);
        }
    }

    /// Where a connection of a thread should go that is between two requests, if anywhere.
    pub(super) fn take_shift(&self, thread: usize) -> Option<usize> {
        let Thread { gives, gives_to, .. } = &self.threads[thread];
        if gives.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let taken = gives.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.ok().map(|_| gives_to.load(Ordering::Relaxed))
    }

    fn measure(&self, now: Instant) {
        let Some(mut measured) = self.measured.try_lock() else { return };
        let elapsed = now.saturating_duration_since(measured.at).max(Duration::from_micros(1));
        measured.at = now;
        let loads: Vec<Load> = (self.threads.iter().zip(&mut measured.threads))
            .map(|(thread, before)| {
                let after = (
                    thread.runtime.worker_total_busy_duration(0),
                    thread.runtime.worker_park_unpark_count(0),
                );
                let worked = after.0.saturating_sub(before.0);
                // An odd count is a parked thread. One that has not parked since the last window worked all the time,
                // and has not told yet.
                let never_rested = after.1 == before.1 && after.1.is_multiple_of(2);
                *before = after;
                let busy = if never_rested { 1.0 } else { worked.div_duration_f64(elapsed).min(1.0) };
                thread.busy.store((busy * 1e3) as u32, Ordering::Relaxed);
                thread.gives.store(0, Ordering::Relaxed);
                Load { busy, active: thread.active.swap(0, Ordering::Relaxed) }
            })
            .collect();
        if let Some(Shift { from, to, count }) = shift(&loads) {
            self.threads[from].gives_to.store(to, Ordering::Relaxed);
            self.threads[from].gives.store(count, Ordering::Release);
        }
        self.window.fetch_add(1, Ordering::Relaxed);
    }
}
