//! What a tool may touch of the outside: its two output streams and the clock.
//!
//! A tool gets a [`Context`] and never prints to the process' streams by itself, so that a test reads what it said.

use std::io::{IsTerminal, Write};

/// The outside of one run of a tool.
pub struct Context<'a> {
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
    /// Whether somebody sits in front of standard input; nothing is ever asked when not.
    pub is_interactive: bool,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
}

impl Context<'_> {
    /// Runs `tool` on the process' own streams and returns its exit code. Standard output is buffered and flushed
    /// when the tool ends; a tool whose output is read while it runs flushes by itself.
    pub fn with_process<T>(tool: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
        let mut err = std::io::stderr();
        let mut context = Context {
            out: &mut out,
            err: &mut err,
            is_interactive: std::io::stdin().is_terminal(),
            now_ms: wall_clock_ms,
        };
        let result = tool(&mut context);
        // A reader that went away (`… | head`) is no failure of ours.
        out.flush().ok();
        result
    }
}

#[allow(clippy::disallowed_methods, reason = "a tool is a host of its own: this is its clock seam")]
fn wall_clock_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}
