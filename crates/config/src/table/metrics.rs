//! Metrics and client telemetry (KIP-714).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST, at_least};

keys! { pub(super) KEYS {
    "metrics.num.samples": INT = "2", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "metrics.sample.window.ms": LONG = "30000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "metric.reporters": LIST = "org.apache.kafka.common.metrics.JmxReporter",
        LIST, LOW, CLUSTER_WIDE, ACCEPTED,
        "";
    "metrics.recording.level": STRING = "INFO", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "kafka.metrics.reporters": LIST = "", LIST, LOW, READ_ONLY, ACCEPTED,
        "";
    "kafka.metrics.polling.interval.secs": INT = "10", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "telemetry.max.bytes": INT = "1048576", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
} }
