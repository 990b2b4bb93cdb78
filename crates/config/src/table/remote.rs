//! Tiered storage (KIP-405): where segments go when they leave the local disk.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, NON_EMPTY_STRING, at_least, between};

keys! { pub(super) KEYS {
    "remote.log.storage.system.enable": BOOLEAN = "false", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.storage.manager.impl.prefix": STRING = "rsm.config.",
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.metadata.manager.impl.prefix": STRING = "rlmm.config.",
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.storage.manager.class.name": STRING = null, NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.storage.manager.class.path": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.metadata.manager.class.name": STRING = "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.metadata.manager.class.path": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.metadata.manager.listener.name": STRING = null,
        NON_EMPTY_STRING, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.metadata.custom.metadata.max.bytes": INT = "128", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "";
    "remote.log.index.file.cache.total.size.bytes": LONG = "1073741824",
        at_least(1), LOW, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.index.file.cache.ttl.ms": LONG = "900000", at_least(-1), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.thread.pool.size": INT = "2", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.copier.thread.pool.size": INT = "10", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.manager.expiration.thread.pool.size": INT = "10",
        at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.manager.follower.thread.pool.size": INT = "2", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.manager.task.interval.ms": LONG = "30000", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.task.retry.backoff.ms": LONG = "500",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.task.retry.backoff.max.ms": LONG = "30000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.task.retry.jitter": DOUBLE = "0.2",
        between(0.0, 0.5), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "remote.log.reader.threads": INT = "10", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.reader.max.pending.tasks": INT = "100", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "log.local.retention.ms": LONG = "-2", at_least(-2), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "log.local.retention.bytes": LONG = "-2", at_least(-2), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.manager.copy.max.bytes.per.second": LONG = "9223372036854775807",
        at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.manager.copy.quota.window.num": INT = "11", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.copy.quota.window.size.seconds": INT = "1",
        at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.fetch.max.bytes.per.second": LONG = "9223372036854775807",
        at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.log.manager.fetch.quota.window.num": INT = "11", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.log.manager.fetch.quota.window.size.seconds": INT = "1",
        at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "remote.fetch.max.wait.ms": INT = "500", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "remote.list.offsets.request.timeout.ms": LONG = "30000", at_least(1), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
} }
