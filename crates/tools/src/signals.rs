//! SIGINT and SIGTERM: a tool that is asked to stop finishes what it has begun.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for either.
pub(crate) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

/// Which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Ctrl-C.
    Interrupt,
    /// `kill`.
    Terminate,
}

impl Asked {
    /// What a shell sees of a process that the signal ended, and what the JVM exits with.
    pub(crate) fn exit_code(self) -> i32 {
        match self {
            Asked::Interrupt => 130,
            Asked::Terminate => 143,
        }
    }
}

impl Signals {
    /// From now on the signals do not end the process by themselves.
    pub(crate) fn new() -> Signals {
        // Where they cannot be caught, they end the process as ever.
        Signals {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            Some(()) = next(&mut self.interrupt) => Asked::Interrupt,
            Some(()) = next(&mut self.terminate) => Asked::Terminate,
            else => std::future::pending().await,
        }
    }
}

async fn next(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => None,
    }
}
