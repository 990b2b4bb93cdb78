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
    pub fn add(&self, waiter: &Arc<Notify>) {
        self.waiting.lock().push(Arc::clone(waiter));
        self.any.store(true, Ordering::SeqCst);
    }

    /// Takes a fetch out, if it is still there.
    pub fn remove(&self, waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        waiting.retain(|other| !Arc::ptr_eq(other, waiter));
        self.any.store(!waiting.is_empty(), Ordering::SeqCst);
    }

    /// Wakes all of them; they add themselves again if it was not enough.
    pub fn wake(&self) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let woken = std::mem::take(&mut *self.waiting.lock());
        self.any.store(false, Ordering::SeqCst);
        for waiter in woken {
            waiter.notify_one();
        }
    }
}
