//! What a group can override (KIP-848, KIP-932, KIP-1071).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, SHARE_AUTO_OFFSET_RESET, at_least, one_of};

keys! { pub(super) KEYS {
    "consumer.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "After how long without heartbeats a member leaves the consumer group.";
    "consumer.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "How often members of the consumer group send heartbeats.";
    "consumer.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "Shortest time between two assignments of the consumer group.";
    "share.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "After how long without heartbeats a member leaves the share group.";
    "share.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "How often members of the share group send heartbeats.";
    "share.record.lock.duration.ms": INT = "30000", at_least(1000), MEDIUM, GROUP, ACCEPTED,
        "How long a member of the share group may hold a record.";
    "share.delivery.count.limit": INT = "5", at_least(2), MEDIUM, GROUP, ACCEPTED,
        "How often a record is delivered before it is given up.";
    "share.partition.max.record.locks": INT = "2000", at_least(100), MEDIUM, GROUP, ACCEPTED,
        "Most records of a partition that the share group may hold at once.";
    "share.auto.offset.reset": STRING = "latest", SHARE_AUTO_OFFSET_RESET, MEDIUM, GROUP, ACCEPTED,
        "Where the share group begins a partition: earliest, latest or by_duration: and an ISO-8601 duration.";
    "share.isolation.level": STRING = "read_uncommitted",
        one_of(&["read_committed", "read_uncommitted"]), MEDIUM, GROUP, ACCEPTED,
        "Whether the share group sees records of open and aborted transactions.";
    "share.renew.acknowledge.enable": BOOLEAN = "true", ANY, MEDIUM, GROUP, ACCEPTED,
        "Whether members may prolong their hold on a record.";
    "share.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "Shortest time between two assignments of the share group.";
    "streams.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "After how long without heartbeats a member leaves the streams group.";
    "streams.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "How often members of the streams group send heartbeats.";
    "streams.num.standby.replicas": INT = "0", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "Standby replicas of each task of the streams group.";
    "streams.initial.rebalance.delay.ms": INT = "3000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "How long the empty streams group waits for more members before its first rebalance.";
    "streams.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "Shortest time between two assignments of the streams group.";
} }
