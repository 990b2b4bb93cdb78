//! The log: directories, segments, retention, flushing; and what a new topic gets.

use crate::table::keys;
use crate::table::row::{
    ACCEPTED, ANY, LIST_OR_NULL, NON_EMPTY_LIST, NON_EMPTY_LIST_OR_NULL, at_least, list_of, one_of,
};

keys! { pub(super) KEYS {
    "num.partitions": INT = "1", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "log.dir": LIST = "/tmp/kafka-logs", NON_EMPTY_LIST, HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.dirs": LIST = null, NON_EMPTY_LIST_OR_NULL, HIGH, READ_ONLY, ACCEPTED,
        "";
    "cordoned.log.dirs": LIST = "", LIST_OR_NULL, MEDIUM, PER_BROKER, ACCEPTED,
        "";
    "log.segment.bytes": INT = "1073741824", at_least(1048576), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.roll.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.roll.hours": INT = "168", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.roll.jitter.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.roll.jitter.hours": INT = "0", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.retention.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.retention.minutes": INT = null, ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.retention.hours": INT = "168", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.retention.bytes": LONG = "-1", ANY, HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.retention.check.interval.ms": LONG = "300000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "log.cleanup.policy": LIST = "delete", list_of(&["compact", "delete"]), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.index.size.max.bytes": INT = "10485760", at_least(4), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.index.interval.bytes": INT = "4096", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.flush.interval.messages": LONG = "9223372036854775807", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.segment.delete.delay.ms": LONG = "60000", at_least(0), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.flush.scheduler.interval.ms": LONG = "9223372036854775807", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.flush.interval.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.flush.offset.checkpoint.interval.ms": INT = "60000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.flush.start.offset.checkpoint.interval.ms": INT = "60000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "log.preallocate": BOOLEAN = "false", ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "num.recovery.threads.per.data.dir": INT = "2", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "auto.create.topics.enable": BOOLEAN = "true", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "min.insync.replicas": INT = "1", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.message.timestamp.type": STRING = "CreateTime",
        one_of(&["CreateTime", "LogAppendTime"]), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.message.timestamp.before.max.ms": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.message.timestamp.after.max.ms": LONG = "3600000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "create.topic.policy.class.name": CLASS = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "alter.config.policy.class.name": CLASS = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "log.dir.failure.timeout.ms": LONG = "30000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "log.initial.task.delay.ms": LONG = "30000", at_least(0), LOW internal, READ_ONLY, ACCEPTED,
        "";
} }
