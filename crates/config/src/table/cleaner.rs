//! The log cleaner, which compacts.

use crate::table::keys;
use crate::table::row::{ANY, HONOURED, at_least, between};

keys! { pub(super) KEYS {
    "log.cleaner.threads": INT = "1", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Threads that compact logs.";
    "log.cleaner.io.max.bytes.per.second": DOUBLE = "1.7976931348623157E308",
        ANY, MEDIUM, CLUSTER_WIDE, HONOURED,
        "Rate limit of reading and writing by compaction.";
    "log.cleaner.dedupe.buffer.size": LONG = "134217728", ANY, MEDIUM, CLUSTER_WIDE, HONOURED,
        "Memory for the keys that compaction has seen, for all its threads together.";
    "log.cleaner.io.buffer.size": INT = "524288", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Memory for reading and writing by compaction, for all its threads together.";
    "log.cleaner.io.buffer.load.factor": DOUBLE = "0.9", ANY, MEDIUM, CLUSTER_WIDE, HONOURED,
        "How full the memory for keys may become; fuller means more collisions.";
    "log.cleaner.backoff.ms": LONG = "15000", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Pause of compaction when no log needs it.";
    "log.cleaner.min.cleanable.ratio": DOUBLE = "0.5", between(0.0, 1.0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Share of a log that must be uncompacted before topics are compacted by default.";
    "log.cleaner.enable": BOOLEAN = "true", ANY, MEDIUM, READ_ONLY, HONOURED,
        "Whether logs are compacted; without, compacted topics grow without end.";
    "log.cleaner.delete.retention.ms": LONG = "86400000", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "How long topics keep tombstones by default.";
    "log.cleaner.min.compaction.lag.ms": LONG = "0", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "How long topics leave a record uncompacted by default.";
    "log.cleaner.max.compaction.lag.ms": LONG = "9223372036854775807",
        at_least(1), MEDIUM, CLUSTER_WIDE, HONOURED,
        "After how long a record must be open to compaction by default.";
} }
