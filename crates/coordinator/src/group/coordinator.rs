//! One partition of `__consumer_offsets`: the entry points.

use super::{Effect, Input, Settings};
use ottla_protocol::ErrorCode;

/// Groups and committed offsets of one partition of `__consumer_offsets`, on the broker that leads it. Made when the
/// broker becomes leader, dropped when it is leader no more.
pub struct GroupCoordinator {
    settings: Settings,
    seed: u64,
}

impl GroupCoordinator {
    /// An empty coordinator that waits for the replay of its partition. `seed` is where the ids of new members come from:
    /// a random number.
    pub fn new(settings: Settings, seed: u64) -> GroupCoordinator {
        GroupCoordinator { settings, seed }
    }

    /// Takes in what happened at `now`, in milliseconds of wall-clock time, and adds what follows from it to `effects`.
    pub fn step(&mut self, now: i64, input: Input, effects: &mut Vec<Effect>) {
        let _ = (now, &self.settings, self.seed);
        if let Input::Request { id, context, request } = input {
            let response = request.error_response(context.api_version, ErrorCode::CoordinatorNotAvailable);
            effects.push(Effect::Reply { id, response });
        }
    }

    /// When to be called again with [`Input::Timeout`] if nothing else happens, in milliseconds of wall-clock time.
    pub fn deadline(&self) -> Option<i64> {
        None
    }

    /// Asserts the invariants of [`crate::group`].
    pub fn check(&self) {}
}
