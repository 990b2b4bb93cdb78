//! What is to happen when: at most one time per timer.

use super::WriteId;
use ottla_protocol::ByteString;
use std::collections::{BTreeMap, HashMap};

/// Something that has a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Timer {
    /// A member has not been heard of: its session, or its first JoinGroup, is over.
    Session {
        /// Its group.
        group: ByteString,
        /// The member, which may be one that has only been given an id.
        member: ByteString,
    },
    /// The group has waited long enough for its members to join.
    Join(ByteString),
    /// The group has waited long enough for its members to sync.
    Sync(ByteString),
    /// Those who wait for the write have waited long enough.
    Write(WriteId),
    /// Time to look for expired offsets and empty groups.
    Expiration,
}

/// The timers, by time; those of the same time in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeMap<(i64, u64), Timer>,
    by_timer: HashMap<Timer, (i64, u64)>,
    /// Number of the next one to be set.
    next: u64,
}

impl Timers {
    /// Sets a timer, in place of the time that it had.
    pub(super) fn schedule(&mut self, timer: Timer, at: i64) {
        self.cancel(&timer);
        let place = (at, self.next);
        self.next += 1;
        self.by_time.insert(place, timer.clone());
        self.by_timer.insert(timer, place);
    }

    /// Forgets a timer, if it is set.
    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some(place) = self.by_timer.remove(timer) {
            self.by_time.remove(&place);
        }
    }

    pub(super) fn is_scheduled(&self, timer: &Timer) -> bool {
        self.by_timer.contains_key(timer)
    }

    /// Takes the first timer whose time has come.
    pub(super) fn pop_due(&mut self, now: i64) -> Option<Timer> {
        let entry = self.by_time.first_entry().filter(|entry| entry.key().0 <= now)?;
        let timer = entry.remove();
        self.by_timer.remove(&timer);
        Some(timer)
    }

    /// The time of the first timer.
    pub(super) fn deadline(&self) -> Option<i64> {
        self.by_time.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn clear(&mut self) {
        self.by_time.clear();
        self.by_timer.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Timer> {
        self.by_time.values()
    }
}
