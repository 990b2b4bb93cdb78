//! Tiered storage (KIP-405): where segments go when they leave the local disk.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, NON_EMPTY_STRING, at_least, between, refused};

keys! { pub(super) KEYS {
    "remote.log.storage.system.enable": BOOLEAN = "false", ANY, MEDIUM, READ_ONLY,
        refused("there is no tiered storage, and without it the disk would fill up",
            "leave it out, and size log.retention.bytes for the local disk."),
        "Whether segments may be moved to remote storage at all.";
    "remote.log.storage.manager.impl.prefix": STRING = "rsm.config.",
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "Prefix of the properties that are handed to the remote storage plugin.";
    "remote.log.metadata.manager.impl.prefix": STRING = "rlmm.config.",
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "Prefix of the properties that are handed to the plugin for remote log metadata.";
    "remote.log.storage.manager.class.name": STRING = null, NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "Class of the remote storage plugin.";
    "remote.log.storage.manager.class.path": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Where the class of the remote storage plugin is loaded from.";
    "remote.log.metadata.manager.class.name": STRING = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that keeps track of what is in remote storage.";
    "remote.log.metadata.manager.class.path": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Where the class for remote log metadata is loaded from.";
    "remote.log.metadata.manager.listener.name": STRING = null,
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "Listener through which the remote log metadata manager reaches this broker.";
    "remote.log.metadata.custom.metadata.max.bytes": INT = "128", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "How many bytes a remote storage plugin may attach to a segment's metadata.";
    "remote.log.index.file.cache.total.size.bytes": LONG = "1073741824",
        at_least(1), LOW, CLUSTER_WIDE, ACCEPTED,
        "Disk space for cached indexes of remote segments.";
    "remote.log.index.file.cache.ttl.ms": LONG = "900000", at_least(-1), LOW internal, READ_ONLY, ACCEPTED,
        "How long a cached index of a remote segment may stay unused.";
    "remote.log.manager.thread.pool.size": INT = "2", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Threads of the remote log manager where a more particular key does not say.";
    "remote.log.manager.copier.thread.pool.size": INT = "10", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Threads that copy segments to remote storage.";
    "remote.log.manager.expiration.thread.pool.size": INT = "10",
        at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Threads that delete expired remote segments.";
    "remote.log.manager.follower.thread.pool.size": INT = "2", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Threads that look after the remote part of followed partitions.";
    "remote.log.manager.task.interval.ms": LONG = "30000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "How often remote log tasks of a partition run.";
    "remote.log.manager.task.retry.backoff.ms": LONG = "500",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "First pause after a remote log task failed.";
    "remote.log.manager.task.retry.backoff.max.ms": LONG = "30000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "Longest pause after remote log tasks failed again and again.";
    "remote.log.manager.task.retry.jitter": DOUBLE = "0.2",
        between(0.0, 0.5), LOW internal, READ_ONLY, ACCEPTED,
        "Random share by which those pauses vary.";
    "remote.log.reader.threads": INT = "10", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Threads that read from remote storage for fetches.";
    "remote.log.reader.max.pending.tasks": INT = "100", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "How many remote reads may wait before more are refused.";
    "log.local.retention.ms": LONG = "-2", at_least(-2), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "How long a tiered topic's records stay on the local disk; -2 means as long as the topic's retention.";
    "log.local.retention.bytes": LONG = "-2", at_least(-2), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "How many bytes of a tiered partition stay on the local disk; -2 means as many as the topic's retention.";
    "remote.log.manager.copy.max.bytes.per.second": LONG = "9223372036854775807",
        at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Rate limit of copying to remote storage.";
    "remote.log.manager.copy.quota.window.num": INT = "11", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Number of windows over which the copy rate is averaged.";
    "remote.log.manager.copy.quota.window.size.seconds": INT = "1",
        at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Length of one of those windows.";
    "remote.log.manager.fetch.max.bytes.per.second": LONG = "9223372036854775807",
        at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Rate limit of reading from remote storage.";
    "remote.log.manager.fetch.quota.window.num": INT = "11", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Number of windows over which the read rate is averaged.";
    "remote.log.manager.fetch.quota.window.size.seconds": INT = "1",
        at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Length of one of those windows.";
    "remote.fetch.max.wait.ms": INT = "500", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "How long a fetch may wait for remote storage before it answers with what there is.";
    "remote.list.offsets.request.timeout.ms": LONG = "30000", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "How long a ListOffsets request may wait for remote storage.";
} }
