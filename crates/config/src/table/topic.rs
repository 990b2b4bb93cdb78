//! What a topic can override.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, GZIP_LEVEL, THROTTLED_REPLICAS, at_least, between, list_of, one_of};

keys! { pub(super) KEYS {
    "segment.bytes": INT = "1073741824", at_least(1048576), MEDIUM, TOPIC, ACCEPTED,
        "";
    "segment.ms": LONG = "604800000", at_least(1), MEDIUM, TOPIC, ACCEPTED,
        "";
    "segment.jitter.ms": LONG = "0", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "segment.index.bytes": INT = "10485760", at_least(4), MEDIUM, TOPIC, ACCEPTED,
        "";
    "flush.messages": LONG = "9223372036854775807", at_least(1), MEDIUM, TOPIC, ACCEPTED,
        "";
    "flush.ms": LONG = "9223372036854775807", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "retention.bytes": LONG = "-1", ANY, MEDIUM, TOPIC, ACCEPTED,
        "";
    "retention.ms": LONG = "604800000", at_least(-1), MEDIUM, TOPIC, ACCEPTED,
        "";
    "max.message.bytes": INT = "1048588", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "index.interval.bytes": INT = "4096", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "delete.retention.ms": LONG = "86400000", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "min.compaction.lag.ms": LONG = "0", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "max.compaction.lag.ms": LONG = "9223372036854775807", at_least(1), MEDIUM, TOPIC, ACCEPTED,
        "";
    "file.delete.delay.ms": LONG = "60000", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "min.cleanable.dirty.ratio": DOUBLE = "0.5", between(0.0, 1.0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "cleanup.policy": LIST = "delete", list_of(&["compact", "delete"]), MEDIUM, TOPIC, ACCEPTED,
        "";
    "unclean.leader.election.enable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "";
    "min.insync.replicas": INT = "1", at_least(1), MEDIUM, TOPIC, ACCEPTED,
        "";
    "compression.type": STRING = "producer",
        one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), MEDIUM, TOPIC, ACCEPTED,
        "";
    "compression.gzip.level": INT = "-1", GZIP_LEVEL, MEDIUM, TOPIC, ACCEPTED,
        "";
    "compression.lz4.level": INT = "9", between(1.0, 17.0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "compression.zstd.level": INT = "3", between(-131072.0, 22.0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "preallocate": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "";
    "message.timestamp.type": STRING = "CreateTime",
        one_of(&["CreateTime", "LogAppendTime"]), MEDIUM, TOPIC, ACCEPTED,
        "";
    "message.timestamp.before.max.ms": LONG = "9223372036854775807", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "message.timestamp.after.max.ms": LONG = "3600000", at_least(0), MEDIUM, TOPIC, ACCEPTED,
        "";
    "leader.replication.throttled.replicas": LIST = "", THROTTLED_REPLICAS, MEDIUM, TOPIC, ACCEPTED,
        "";
    "follower.replication.throttled.replicas": LIST = "", THROTTLED_REPLICAS, MEDIUM, TOPIC, ACCEPTED,
        "";
    "remote.storage.enable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "";
    "local.retention.ms": LONG = "-2", at_least(-2), MEDIUM, TOPIC, ACCEPTED,
        "";
    "local.retention.bytes": LONG = "-2", at_least(-2), MEDIUM, TOPIC, ACCEPTED,
        "";
    "remote.log.copy.disable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "";
    "remote.log.delete.on.disable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "";
    "internal.segment.bytes": INT = null, ANY, MEDIUM internal, TOPIC, ACCEPTED,
        "";
} }
