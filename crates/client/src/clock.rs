//! The client's clock and chance: the only place that asks the system for either.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::UNIX_EPOCH;

/// Wall-clock time in milliseconds since 1970: what a record's timestamp is made of.
#[allow(clippy::disallowed_methods, reason = "this is the clock seam of the client")]
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A number by chance; not for secrets.
pub(crate) fn random() -> u64 {
    // The standard library seeds its hash maps from the system and steps the seed with each.
    RandomState::new().build_hasher().finish()
}
