//! The log of cluster metadata, `__cluster_metadata-0`.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least};

keys! { pub(super) KEYS {
    "metadata.log.max.record.bytes.between.snapshots": LONG = "20971520",
        at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "metadata.log.max.snapshot.interval.ms": LONG = "3600000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "metadata.log.dir": STRING = null, ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "metadata.log.segment.bytes": INT = "1073741824", at_least(8388608), HIGH, READ_ONLY, ACCEPTED,
        "";
    "metadata.log.segment.ms": LONG = "604800000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "metadata.max.retention.bytes": LONG = "104857600", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "metadata.max.retention.ms": LONG = "604800000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "metadata.max.idle.interval.ms": INT = "500", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "";
    "internal.metadata.log.segment.bytes": INT = null, ANY, LOW internal, READ_ONLY, ACCEPTED,
        "";
    "internal.metadata.max.batch.size.in.bytes": INT = "8388608", ANY, LOW internal, READ_ONLY, ACCEPTED,
        "";
    "internal.metadata.delete.delay.millis": LONG = "60000", ANY, LOW internal, READ_ONLY, ACCEPTED,
        "";
} }
