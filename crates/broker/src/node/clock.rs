//! The one place where the host reads clocks.

use ottla_config::StartError;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as record timestamps and group timers count.
#[allow(clippy::disallowed_methods, reason = "this is the seam")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A point in time that no adjustment of the wall clock moves.
#[allow(clippy::disallowed_methods, reason = "this is the seam")]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since this was first asked, as short durations count.
pub(super) fn ticks_ms() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(now);
    u64::try_from(FIRST.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The first of January 2020: before it nobody ran this.
const CREDIBLE_SINCE_MS: i64 = 1_577_836_800_000;

/// Refuses a clock that was not set: what is written would be too old for retention and too new for the next start.
pub(super) fn check(now_ms: i64) -> Result<(), StartError> {
    if now_ms >= CREDIBLE_SINCE_MS {
        return Ok(());
    }
    Err(StartError::new(
        format!("the clock says {now_ms} ms since 1970, which is before 2020"),
        "set the clock of this machine (is its time service running?)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_refused() {
        assert!(check(0).is_err());
        assert!(check(CREDIBLE_SINCE_MS - 1).is_err());
        assert!(check(now_ms()).is_ok());
    }
}
