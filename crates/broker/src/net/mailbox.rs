//! How other threads wake the connections of a data thread: many at once.
//!
//! tokio wakes a thread by a system call for each task that another thread wakes. One flush of the disk ends the wait of
//! dozens of requests; so their connections are put on a list, and the thread is woken once for all that are on it.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::ThreadId;
use tokio::sync::Notify;

/// The list of one data thread.
pub(super) struct Mailbox {
    thread: ThreadId,
    to_wake: Mutex<Vec<Arc<Bell>>>,
    arrived: Notify,
}

impl Mailbox {
    /// The list of the thread that calls this.
    pub(super) fn of_this_thread() -> Arc<Mailbox> {
        let (thread, to_wake, arrived) = (std::thread::current().id(), Mutex::default(), Notify::new());
        Arc::new(Mailbox { thread, to_wake, arrived })
    }

    /// Wakes those on the list, for ever. Runs on the list's thread.
    pub(super) async fn deliver(self: Arc<Self>) {
        loop {
            self.arrived.notified().await;
            let to_wake = std::mem::take(&mut *self.to_wake.lock());
            for bell in to_wake {
                bell.ring();
            }
        }
    }

    fn put(&self, bell: &Arc<Bell>) {
        let mut to_wake = self.to_wake.lock();
        to_wake.push(Arc::clone(bell));
        let is_first = to_wake.len() == 1;
        drop(to_wake);
        if is_first {
            self.arrived.notify_one();
        }
    }
}

/// Wakes one connection, from whatever thread.
pub(super) struct Bell {
    mailbox: Arc<Mailbox>,
    /// It is on the list.
    is_listed: AtomicBool,
    /// The connection's own waker, once it was polled.
    task: Mutex<Option<Waker>>,
}

impl Bell {
    /// A bell of a connection on the mailbox's thread.
    pub(super) fn new(mailbox: &Arc<Mailbox>) -> Arc<Bell> {
        let (mailbox, is_listed) = (Arc::clone(mailbox), AtomicBool::new(false));
        Arc::new(Bell { mailbox, is_listed, task: Mutex::default() })
    }

    /// From now on, it wakes the task that is being polled.
    pub(super) fn belongs_to(&self, cx: &Context<'_>) {
        let mut task = self.task.lock();
        match &mut *task {
            Some(task) => task.clone_from(cx.waker()),
            None => *task = Some(cx.waker().clone()),
        }
    }

    fn ring(&self) {
        // Before the task looks: what comes afterwards lists it again.
        self.is_listed.store(false, Ordering::SeqCst);
        if let Some(task) = &*self.task.lock() {
            task.wake_by_ref();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if std::thread::current().id() == self.mailbox.thread {
            self.ring();
        } else if !self.is_listed.swap(true, Ordering::SeqCst) {
            self.mailbox.put(self);
        }
    }
}
