//! Share groups and their coordinator (KIP-932).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least, between};

keys! { pub(super) KEYS {
    "group.share.delivery.count.limit": INT = "5", between(2.0, 10.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.delivery.count.limit": INT = "10", between(5.0, 25.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.min.delivery.count.limit": INT = "2", between(2.0, 5.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.record.lock.duration.ms": INT = "30000",
        between(1000.0, 3600000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.min.record.lock.duration.ms": INT = "15000",
        between(1000.0, 30000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.record.lock.duration.ms": INT = "60000",
        between(30000.0, 3600000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.partition.max.record.locks": INT = "2000",
        between(100.0, 10000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.partition.max.record.locks": INT = "4000",
        between(2000.0, 10000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.min.partition.max.record.locks": INT = "100",
        between(100.0, 2000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "share.fetch.purgatory.purge.interval.requests": INT = "1000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.share.sessions": INT = "2000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.persister.class.name": STRING = "org.apache.kafka.server.share.persister.DefaultStatePersister",
        ANY, MEDIUM internal, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.state.topic.num.partitions": INT = "50", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.state.topic.replication.factor": SHORT = "3", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.state.topic.min.isr": SHORT = "2", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.state.topic.segment.bytes": INT = "104857600",
        at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.threads": INT = "1", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.snapshot.update.records.per.snapshot": INT = "500",
        between(0.0, 500.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.load.buffer.size": INT = "5242880", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.state.topic.compression.codec": INT = "0", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.append.linger.ms": INT = "-1", at_least(-1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.write.timeout.ms": INT = "5000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.state.topic.prune.interval.ms": INT = "300000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.cold.partition.snapshot.interval.ms": INT = "300000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "share.coordinator.cached.buffer.max.bytes": INT = "1048588",
        at_least(524288), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
} }
