//! The log cleaner, which compacts.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least, between};

keys! { pub(super) KEYS {
    "log.cleaner.threads": INT = "1", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.io.max.bytes.per.second": DOUBLE = "1.7976931348623157E308",
        ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.dedupe.buffer.size": LONG = "134217728", ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.io.buffer.size": INT = "524288", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.io.buffer.load.factor": DOUBLE = "0.9", ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.backoff.ms": LONG = "15000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.min.cleanable.ratio": DOUBLE = "0.5", between(0.0, 1.0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.enable": BOOLEAN = "true", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "log.cleaner.delete.retention.ms": LONG = "86400000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.min.compaction.lag.ms": LONG = "0", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.cleaner.max.compaction.lag.ms": LONG = "9223372036854775807",
        at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
} }
