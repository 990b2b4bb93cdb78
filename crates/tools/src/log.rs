//! Lines that Kafka's tools log: to standard error, with the time before and the name of the class behind.

use crate::context::Context;

/// Logs an error.
pub(crate) fn error(cx: &mut Context<'_>, class: &str, text: &str) {
    line(cx, "ERROR", class, text);
}

/// Logs a warning.
pub(crate) fn warn(cx: &mut Context<'_>, class: &str, text: &str) {
    line(cx, "WARN", class, text);
}

fn line(cx: &mut Context<'_>, level: &str, class: &str, text: &str) {
    let now = jiff::Timestamp::from_millisecond((cx.now_ms)()).unwrap_or_default();
    let now = now.to_zoned_datetime(jiff::tz::TimeZone::system());
    // Nobody is left to tell when standard error is gone.
    writeln!(cx.err, "[{}] {level} {text} ({class})", now.strftime("%Y-%m-%d %H:%M:%S,%3f")).ok();
}

/// From now on warnings of the client underneath are shown too.
pub(crate) fn show_warnings() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    // Whoever runs the tool inside a larger program may have decided otherwise.
    tracing::subscriber::set_global_default(subscriber).ok();
}
