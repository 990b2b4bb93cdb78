//! The log: directories, segments, retention, flushing; and what a new topic gets.

use crate::table::keys;
use crate::table::row::{
    ACCEPTED, ANY, HONOURED, LIST_OR_NULL, NON_EMPTY_LIST, NON_EMPTY_LIST_OR_NULL, at_least, list_of, one_of,
    refused,
};

keys! { pub(super) KEYS {
    "num.partitions": INT = "1", at_least(1), MEDIUM, READ_ONLY, HONOURED,
        "Partitions of a topic whose creator does not say.";
    "log.dir": LIST = "/tmp/kafka-logs", NON_EMPTY_LIST, HIGH, READ_ONLY, HONOURED,
        "Directories of the logs, where log.dirs is not given.";
    "log.dirs": LIST = null, NON_EMPTY_LIST_OR_NULL, HIGH, READ_ONLY, HONOURED,
        "Directories of the logs, one per disk.";
    "cordoned.log.dirs": LIST = "", LIST_OR_NULL, MEDIUM, PER_BROKER, HONOURED,
        "Log directories that get no new partitions; * means all.";
    "log.segment.bytes": INT = "1073741824", at_least(1048576), HIGH, CLUSTER_WIDE, HONOURED,
        "Largest segment of a log, by default for topics.";
    "log.roll.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, HONOURED,
        "Longest time that a segment stays open, in milliseconds.";
    "log.roll.hours": INT = "168", at_least(1), HIGH, READ_ONLY, HONOURED,
        "Longest time that a segment stays open, in hours.";
    "log.roll.jitter.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, HONOURED,
        "Most milliseconds that are taken off that time at random.";
    "log.roll.jitter.hours": INT = "0", at_least(0), HIGH, READ_ONLY, HONOURED,
        "Most hours that are taken off that time at random.";
    "log.retention.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, HONOURED,
        "How long records are kept, in milliseconds; -1 means for ever.";
    "log.retention.minutes": INT = null, ANY, HIGH, READ_ONLY, HONOURED,
        "How long records are kept, in minutes, where milliseconds are not given.";
    "log.retention.hours": INT = "168", ANY, HIGH, READ_ONLY, HONOURED,
        "How long records are kept, in hours, where nothing finer is given.";
    "log.retention.bytes": LONG = "-1", ANY, HIGH, CLUSTER_WIDE, HONOURED,
        "How many bytes of a partition are kept; -1 means all.";
    "log.retention.check.interval.ms": LONG = "300000", at_least(1), MEDIUM, READ_ONLY, HONOURED,
        "How often segments beyond their retention are looked for.";
    "log.cleanup.policy": LIST = "delete", list_of(&["compact", "delete"]), MEDIUM, CLUSTER_WIDE, HONOURED,
        "What happens to old records by default: delete, compact, both or neither.";
    "log.index.size.max.bytes": INT = "10485760", at_least(4), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Largest offset index.";
    "log.index.interval.bytes": INT = "4096", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "How many bytes of records lie between two entries of an index.";
    "log.flush.interval.messages": LONG = "9223372036854775807", at_least(1), HIGH, CLUSTER_WIDE, HONOURED,
        "After how many records a partition is flushed to disk.";
    "log.segment.delete.delay.ms": LONG = "60000", at_least(0), HIGH, CLUSTER_WIDE, HONOURED,
        "How long the files of a deleted segment stay.";
    "log.flush.scheduler.interval.ms": LONG = "9223372036854775807", ANY, HIGH, READ_ONLY, HONOURED,
        "How often logs are looked at for records that must be flushed.";
    "log.flush.interval.ms": LONG = null, ANY, HIGH, CLUSTER_WIDE, HONOURED,
        "After how long records are flushed to disk.";
    "log.flush.offset.checkpoint.interval.ms": INT = "60000", at_least(0), HIGH, READ_ONLY, HONOURED,
        "How often recovery points are saved.";
    "log.flush.start.offset.checkpoint.interval.ms": INT = "60000", at_least(0), HIGH, READ_ONLY, HONOURED,
        "How often log start offsets are saved.";
    "log.preallocate": BOOLEAN = "false", ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Whether new segments take their space on disk at once.";
    "num.recovery.threads.per.data.dir": INT = "2", at_least(1), HIGH, CLUSTER_WIDE, HONOURED,
        "Threads per log directory that open logs at the start and flush them at the end.";
    "auto.create.topics.enable": BOOLEAN = "true", ANY, HIGH, READ_ONLY, HONOURED,
        "Whether a topic is created when a client first asks for it.";
    "min.insync.replicas": INT = "1", at_least(1), HIGH, CLUSTER_WIDE, HONOURED,
        "How many replicas must be in sync for acks=all writes, by default for topics.";
    "log.message.timestamp.type": STRING = "CreateTime",
        one_of(&["CreateTime", "LogAppendTime"]), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Whose clock stamps records by default: CreateTime the producer's, LogAppendTime the broker's.";
    "log.message.timestamp.before.max.ms": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "How far in the past a record's timestamp may lie.";
    "log.message.timestamp.after.max.ms": LONG = "3600000", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "How far in the future a record's timestamp may lie.";
    "create.topic.policy.class.name": CLASS = null, ANY, LOW, READ_ONLY,
        refused("Java classes cannot be loaded, and without the policy any topic could be created",
            "leave it out, and check topics where they are asked for."),
        "Class that may refuse the creation of a topic.";
    "alter.config.policy.class.name": CLASS = null, ANY, LOW, READ_ONLY,
        refused("Java classes cannot be loaded, and without the policy any change would pass",
            "leave it out, and check changes where they are asked for."),
        "Class that may refuse a change of configuration.";
    "log.dir.failure.timeout.ms": LONG = "30000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "A broker that cannot report a failed log directory for this long stops.";
    "log.initial.task.delay.ms": LONG = "30000", at_least(0), LOW internal, READ_ONLY, HONOURED,
        "Pause after the start before jobs on logs run for the first time.";
} }
