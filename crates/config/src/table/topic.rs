//! What a topic can override.

use crate::table::keys;
use crate::table::row::{
    ACCEPTED, ANY, GZIP_LEVEL, HONOURED, THROTTLED_REPLICAS, at_least, between, list_of, one_of,
};

keys! { pub(super) KEYS {
    "segment.bytes": INT = "1073741824", at_least(1048576), MEDIUM, TOPIC, HONOURED,
        "Largest segment of the log.";
    "segment.ms": LONG = "604800000", at_least(1), MEDIUM, TOPIC, HONOURED,
        "Longest time that a segment stays open.";
    "segment.jitter.ms": LONG = "0", at_least(0), MEDIUM, TOPIC, HONOURED,
        "Most that is taken off that time at random, so that not all segments close at once.";
    "segment.index.bytes": INT = "10485760", at_least(4), MEDIUM, TOPIC, HONOURED,
        "Largest offset index.";
    "flush.messages": LONG = "9223372036854775807", at_least(1), MEDIUM, TOPIC, HONOURED,
        "After how many records the log is flushed to disk.";
    "flush.ms": LONG = "9223372036854775807", at_least(0), MEDIUM, TOPIC, HONOURED,
        "After how long records are flushed to disk.";
    "retention.bytes": LONG = "-1", ANY, MEDIUM, TOPIC, HONOURED,
        "How many bytes of each partition are kept; -1 means all.";
    "retention.ms": LONG = "604800000", at_least(-1), MEDIUM, TOPIC, HONOURED,
        "How long records are kept; -1 means for ever.";
    "max.message.bytes": INT = "1048588", at_least(0), MEDIUM, TOPIC, HONOURED,
        "Largest record batch that is accepted, after compression.";
    "index.interval.bytes": INT = "4096", at_least(0), MEDIUM, TOPIC, HONOURED,
        "How many bytes of records lie between two entries of an index.";
    "delete.retention.ms": LONG = "86400000", at_least(0), MEDIUM, TOPIC, HONOURED,
        "How long compaction keeps the tombstone of a deleted key.";
    "min.compaction.lag.ms": LONG = "0", at_least(0), MEDIUM, TOPIC, HONOURED,
        "How long a record stays uncompacted at least.";
    "max.compaction.lag.ms": LONG = "9223372036854775807", at_least(1), MEDIUM, TOPIC, HONOURED,
        "How long a record stays out of compaction's reach at most.";
    "file.delete.delay.ms": LONG = "60000", at_least(0), MEDIUM, TOPIC, HONOURED,
        "How long the files of a deleted segment stay.";
    "min.cleanable.dirty.ratio": DOUBLE = "0.5", between(0.0, 1.0), MEDIUM, TOPIC, HONOURED,
        "Share of the log that must be uncompacted before it is compacted.";
    "cleanup.policy": LIST = "delete", list_of(&["compact", "delete"]), MEDIUM, TOPIC, HONOURED,
        "What happens to old records: delete, compact, both or neither.";
    "unclean.leader.election.enable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, HONOURED,
        "Whether a replica out of sync may lead where no other is left, at the loss of records.";
    "min.insync.replicas": INT = "1", at_least(1), MEDIUM, TOPIC, HONOURED,
        "How many replicas must be in sync for acks=all writes.";
    "compression.type": STRING = "producer",
        one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), MEDIUM, TOPIC, HONOURED,
        "How batches are stored: a codec, uncompressed, or producer for as they came.";
    "compression.gzip.level": INT = "-1", GZIP_LEVEL, MEDIUM, TOPIC, HONOURED,
        "Level of gzip where compression.type is gzip; -1 is gzip's own default.";
    "compression.lz4.level": INT = "9", between(1.0, 17.0), MEDIUM, TOPIC, ACCEPTED,
        "Level of LZ4 where compression.type is lz4.";
    "compression.zstd.level": INT = "3", between(-131072.0, 22.0), MEDIUM, TOPIC, HONOURED,
        "Level of Zstandard where compression.type is zstd.";
    "preallocate": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "Whether new segments take their space on disk at once.";
    "message.timestamp.type": STRING = "CreateTime",
        one_of(&["CreateTime", "LogAppendTime"]), MEDIUM, TOPIC, HONOURED,
        "Whose clock stamps records: CreateTime the producer's, LogAppendTime the broker's.";
    "message.timestamp.before.max.ms": LONG = "9223372036854775807", at_least(0), MEDIUM, TOPIC, HONOURED,
        "How far in the past a record's timestamp may lie.";
    "message.timestamp.after.max.ms": LONG = "3600000", at_least(0), MEDIUM, TOPIC, HONOURED,
        "How far in the future a record's timestamp may lie.";
    "leader.replication.throttled.replicas": LIST = "", THROTTLED_REPLICAS, MEDIUM, TOPIC, ACCEPTED,
        "Replicas whose leaders are throttled: entries partition:broker, or * for all.";
    "follower.replication.throttled.replicas": LIST = "", THROTTLED_REPLICAS, MEDIUM, TOPIC, ACCEPTED,
        "Replicas that are throttled as followers: entries partition:broker, or * for all.";
    "remote.storage.enable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "Whether segments are moved to remote storage.";
    "local.retention.ms": LONG = "-2", at_least(-2), MEDIUM, TOPIC, ACCEPTED,
        "How long records stay on the local disk; -2 means as long as retention.ms.";
    "local.retention.bytes": LONG = "-2", at_least(-2), MEDIUM, TOPIC, ACCEPTED,
        "How many bytes of each partition stay on the local disk; -2 means as many as retention.bytes.";
    "remote.log.copy.disable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "Whether no more segments are copied to remote storage, while those there can be read.";
    "remote.log.delete.on.disable": BOOLEAN = "false", ANY, MEDIUM, TOPIC, ACCEPTED,
        "Whether switching remote storage off deletes what is in it.";
    "internal.segment.bytes": INT = null, ANY, MEDIUM internal, TOPIC, HONOURED,
        "Largest segment of the log, for tests.";
} }
