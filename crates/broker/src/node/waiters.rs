//! Fetches that wait for more data: a partition keeps the ones that look at it and wakes them when something is new.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The waiting fetches of one partition. Looking whether there are any costs an append one relaxed load.
#[derive(Default)]
pub struct Waiters {
    any: AtomicBool,
    waiting: Mutex<Vec<Arc<Notify>>>,
}

impl Waiters {
    /// Adds a fetch. It must look at the partition once more afterwards: what was new before this call wakes nobody.
    pub(crate) fn add(&self, waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        waiting.push(Arc::clone(waiter));
        self.any.store(true, Ordering::SeqCst);
    }

    /// Takes a fetch out, if it is still there.
    pub(crate) fn remove(&self, waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        waiting.retain(|other| !Arc::ptr_eq(other, waiter));
        self.any.store(!waiting.is_empty(), Ordering::SeqCst);
    }

    /// Wakes all of them; they add themselves again if it was not enough.
    pub(crate) fn wake(&self) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let woken = {
            let mut waiting = self.waiting.lock();
            self.any.store(false, Ordering::SeqCst);
            std::mem::take(&mut *waiting)
        };
        for waiter in woken {
            waiter.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_that_comes_while_others_are_woken_is_not_forgotten() {
        let waiters = Arc::new(Waiters::default());
        let waker = Arc::clone(&waiters);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let waking = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                waker.wake();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..10_000 {
                let woken = Arc::new(Notify::new());
                waiters.add(&woken);
                // Hangs if the one that wakes has overlooked it.
                woken.notified().await;
            }
        });
        stop.store(true, Ordering::SeqCst);
        waking.join().unwrap();
    }
}
