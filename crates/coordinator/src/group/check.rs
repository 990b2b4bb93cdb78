//! The invariants that hold between two steps; their numbers are those of the module's description.

use super::GroupCoordinator;
use super::timers::Timer;

impl GroupCoordinator {
    /// Asserts the numbered invariants of [`crate::group`].
    ///
    /// # Panics
    /// If one does not hold, which is a bug.
    pub fn check(&self) {
        let state = &self.state;
        for group in state.groups.iter_written() {
            group.check(&self.timers);
        }
        for write in state.groups.writes().chain(state.offsets.writes()) {
            assert!(self.writes.contains(write), "8: {write:?} has a version but is not under way");
        }
        if self.writes.is_empty() {
            for group in state.offsets.groups() {
                assert!(state.groups.written(group).is_some(), "9: {group} has offsets but is no group");
            }
        }
        for timer in self.timers.iter() {
            let is_about_something = match timer {
                Timer::Session { group, member } => {
                    state.groups.written(group).is_some_and(|group| group.knows(member))
                }
                Timer::Join(group) => {
                    state.groups.written(group).is_some_and(|group| group.waits_for_joins())
                }
                Timer::Sync(group) => {
                    state.groups.written(group).is_some_and(|group| group.waits_for_syncs())
                }
                Timer::Write(write) => self.writes.contains(*write),
                Timer::Expiration => true,
            };
            assert!(is_about_something, "10: {timer:?} is about nothing");
        }
    }
}
