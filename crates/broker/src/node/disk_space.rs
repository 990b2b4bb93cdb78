//! Keeps the last of a disk free (`ottla.disk.free.min.bytes`): what makes room again, deleting topics and records, has to
//! be written down too, and so have the offsets of consumers.
//!
//! Producers are refused with KAFKA_STORAGE_ERROR, which they retry, while the disk of their partition's directory has less
//! free than that, or has refused an append because it is full. How much there is is asked once a second; in between what is
//! appended is counted, so that a fast producer does not run past the limit before the next question, and an append costs one
//! addition.

use super::dir_state::DirState;
use super::log_dirs::LogDirs;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Between two questions, in milliseconds.
pub(super) const PERIOD_MS: i64 = 1000;

/// How much producers may still append to a directory. Unlimited until it is measured.
#[derive(Debug)]
pub(super) struct Room {
    left: AtomicI64,
    /// What was said last.
    is_low: AtomicBool,
}

impl Default for Room {
    fn default() -> Room {
        Room { left: AtomicI64::new(i64::MAX), is_low: AtomicBool::new(false) }
    }
}

impl Room {
    /// Whether producers may append.
    pub(super) fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// Bytes were appended.
    pub(super) fn take(&self, bytes: usize) {
        // What is not limited stays so: it would take centuries to count it down.
        self.left.fetch_sub(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The disk refused because it is full.
    pub(super) fn none_left(&self, dir: &DirState) {
        self.left.store(0, Ordering::Relaxed);
        self.say(true, dir);
    }

    /// The disk has this many bytes free.
    fn measured(&self, usable: u64, free_min: u64, dir: &DirState) {
        let left = i64::try_from(usable).unwrap_or(i64::MAX).saturating_sub_unsigned(free_min);
        self.left.store(left, Ordering::Relaxed);
        self.say(left <= 0, dir);
    }

    /// Says that it changed, once.
    fn say(&self, is_low: bool, dir: &DirState) {
        if self.is_low.swap(is_low, Ordering::Relaxed) == is_low {
            return;
        }
        let dir = dir.path().display();
        if is_low {
            tracing::warn!(
                %dir,
                "the disk is full, or nearly: producers are refused, everything else goes on \
                 → delete topics or records, lower retention, or give it more room"
            );
        } else {
            tracing::info!(%dir, "the disk has room again: producers are served");
        }
    }
}

/// Measures all of them. `free_min`: what producers leave free, in bytes.
pub(super) fn measure(log_dirs: &LogDirs, free_min: i64) {
    log_dirs.online().iter().for_each(|dir| measure_one(log_dirs, dir, free_min));
}

/// Measures one of them.
pub(super) fn measure_one(log_dirs: &LogDirs, dir: &DirState, free_min: i64) {
    let free_min = u64::try_from(free_min).unwrap_or(0);
    match log_dirs.space(dir) {
        Ok(space) => dir.room().measured(space.usable, free_min, dir),
        Err(error) => tracing::warn!(%error, "cannot ask how much room a disk has"),
    }
}
