//! Metrics and client telemetry (KIP-714).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST, at_least};

keys! { pub(super) KEYS {
    "metrics.num.samples": INT = "2", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Number of samples over which metrics are computed.";
    "metrics.sample.window.ms": LONG = "30000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Length of one of those samples.";
    "metric.reporters": LIST = "org.apache.kafka.common.metrics.JmxReporter",
        LIST, LOW, CLUSTER_WIDE, ACCEPTED,
        "Classes that report metrics.";
    "metrics.recording.level": STRING = "INFO", ANY, LOW, READ_ONLY, ACCEPTED,
        "How detailed the recorded metrics are: INFO, DEBUG or TRACE.";
    "kafka.metrics.reporters": LIST = "", LIST, LOW, READ_ONLY, ACCEPTED,
        "Classes that report the metrics of the old library.";
    "kafka.metrics.polling.interval.secs": INT = "10", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "How often those classes report.";
    "telemetry.max.bytes": INT = "1048576", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Largest push of client metrics.";
} }
