//! Something that is asked for again and again, but once at a time, and after a failure not at once.

use crate::Client;
use tokio::time::Instant;

#[derive(Default)]
pub(crate) struct Errand {
    running: bool,
    failures: u32,
    not_before: Option<Instant>,
}

impl Errand {
    /// Whether it may start; then it has.
    pub(crate) fn start(&mut self, now: Instant) -> bool {
        let may = !self.running && self.not_before.is_none_or(|at| at <= now);
        self.running |= may;
        may
    }

    /// It ended well and may start again at any time, or from some time on.
    pub(crate) fn succeeded(&mut self, not_before: Option<Instant>) {
        *self = Errand { not_before, ..Errand::default() };
    }

    /// It failed and is to be tried again after a pause.
    pub(crate) fn failed(&mut self, client: &Client) {
        self.running = false;
        self.not_before = Some(Instant::now() + client.config().backoff.pause(self.failures));
        self.failures += 1;
    }

    /// How often it has failed since it last ended well.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// When it may start again, if that is not already.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|at| !self.running && *at > now)
    }
}
