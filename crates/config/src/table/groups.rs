//! Group coordinators: classic, consumer (KIP-848), share (KIP-932) and streams (KIP-1071) groups.

use crate::table::keys;
use crate::table::row::{
    ACCEPTED, ANY, NON_EMPTY_LIST, at_least, between, non_empty_list_of, one_of_any_case,
};

keys! { pub(super) KEYS {
    "group.coordinator.rebalance.protocols": LIST = "classic,consumer,streams",
        non_empty_list_of(&["consumer", "classic", "share", "streams"]), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.coordinator.threads": INT = "4", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "group.coordinator.background.threads": INT = "2", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "group.coordinator.append.linger.ms": INT = "-1", at_least(-1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "offsets.commit.timeout.ms": INT = "5000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "offsets.load.buffer.size": INT = "5242880", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "offsets.topic.replication.factor": SHORT = "3", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "offsets.topic.num.partitions": INT = "50", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "offsets.topic.segment.bytes": INT = "104857600", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "offsets.topic.compression.codec": INT = "0", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "group.coordinator.cached.buffer.max.bytes": INT = "1048588",
        at_least(524288), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "offset.metadata.max.bytes": INT = "4096", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "offsets.retention.minutes": INT = "10080", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "offsets.retention.check.interval.ms": LONG = "600000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "group.min.session.timeout.ms": INT = "6000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.max.session.timeout.ms": INT = "1800000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.initial.rebalance.delay.ms": INT = "3000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.max.size": INT = "2147483647", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.min.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.max.session.timeout.ms": INT = "60000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.min.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.max.heartbeat.interval.ms": INT = "15000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.max.size": INT = "2147483647", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.assignors": LIST = "uniform,range", NON_EMPTY_LIST, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.migration.policy": STRING = "bidirectional",
        one_of_any_case(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "group.consumer.min.assignment.interval.ms": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.max.assignment.interval.ms": INT = "15000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.consumer.regex.refresh.interval.ms": INT = "600000",
        at_least(10000), MEDIUM internal, READ_ONLY, ACCEPTED,
        "";
    "group.share.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.min.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.session.timeout.ms": INT = "60000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.min.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.heartbeat.interval.ms": INT = "15000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.size": INT = "200", between(1.0, 1000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.assignors": LIST = "simple", NON_EMPTY_LIST, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "group.share.min.assignment.interval.ms": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.max.assignment.interval.ms": INT = "15000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.share.initialize.retry.interval.ms": INT = "30000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "group.streams.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.min.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.max.session.timeout.ms": INT = "60000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.min.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.max.heartbeat.interval.ms": INT = "15000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.max.size": INT = "2147483647", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.num.standby.replicas": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.max.standby.replicas": INT = "2", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.initial.rebalance.delay.ms": INT = "3000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "group.streams.min.assignment.interval.ms": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "group.streams.max.assignment.interval.ms": INT = "15000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
} }
