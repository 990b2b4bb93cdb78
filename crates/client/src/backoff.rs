//! How long to wait before the next try: doubling from a first pause to a longest one, a fifth up or down by chance
//! (KIP-580), so that many clients do not come back in step.

use crate::clock::random;
use std::time::Duration;

/// `retry.backoff.ms` and `retry.backoff.max.ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Before the first retry.
    pub first: Duration,
    /// Before every later one at the most.
    pub longest: Duration,
}

impl Backoff {
    /// The pause before retry number `attempt`, counted from 0.
    pub(crate) fn pause(&self, attempt: u32) -> Duration {
        self.pause_by(attempt, (random() % 1000) as f64 / 1000.0)
    }

    /// The same with the chance given, from 0 to 1.
    fn pause_by(&self, attempt: u32, chance: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt.min(30)));
        doubled.mul_f64(0.8 + 0.4 * chance).min(self.longest.max(self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        let pauses = [0, 1, 2, 3, 4, 40].map(|attempt| backoff.pause_by(attempt, 0.5).as_millis());
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.pause_by(0, 0.0), Duration::from_millis(80));
        assert_eq!(backoff.pause_by(0, 1.0), Duration::from_millis(120));
    }
}
