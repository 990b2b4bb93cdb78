//! The log of cluster metadata, `__cluster_metadata-0`.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, HONOURED, at_least};

keys! { pub(super) KEYS {
    "metadata.log.max.record.bytes.between.snapshots": LONG = "20971520",
        at_least(1), HIGH, READ_ONLY, HONOURED,
        "After how many bytes of new records the metadata log gets a snapshot.";
    "metadata.log.max.snapshot.interval.ms": LONG = "3600000", at_least(0), HIGH, READ_ONLY, HONOURED,
        "After how long the metadata log gets a snapshot if there is anything new; 0 means never by time.";
    "metadata.log.dir": STRING = null, ANY, HIGH, READ_ONLY, HONOURED,
        "Where the metadata log is kept; without it, in the first log directory.";
    "metadata.log.segment.bytes": INT = "1073741824", at_least(8388608), HIGH, READ_ONLY, HONOURED,
        "Largest segment of the metadata log.";
    "metadata.log.segment.ms": LONG = "604800000", ANY, HIGH, READ_ONLY, HONOURED,
        "After how long the metadata log gets a new segment.";
    "metadata.max.retention.bytes": LONG = "104857600", ANY, HIGH, READ_ONLY, HONOURED,
        "How many bytes of metadata log and snapshots are kept before old ones are deleted.";
    "metadata.max.retention.ms": LONG = "604800000", ANY, HIGH, READ_ONLY, HONOURED,
        "How long metadata log and snapshots are kept before old ones are deleted.";
    "metadata.max.idle.interval.ms": INT = "500", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "How often an idle active controller writes a no-op record; 0 means never.";
    "internal.metadata.log.segment.bytes": INT = null, ANY, LOW internal, READ_ONLY, HONOURED,
        "Largest segment of the metadata log, for tests.";
    "internal.metadata.max.batch.size.in.bytes": INT = "8388608", ANY, LOW internal, READ_ONLY, ACCEPTED,
        "Largest batch of the metadata log, for tests.";
    "internal.metadata.delete.delay.millis": LONG = "60000", ANY, LOW internal, READ_ONLY, ACCEPTED,
        "How long deleted files of the metadata log stay, for tests.";
} }
