//! What a group can override (KIP-848, KIP-932, KIP-1071).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, SHARE_AUTO_OFFSET_RESET, at_least, one_of};

keys! { pub(super) KEYS {
    "consumer.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "";
    "consumer.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "";
    "consumer.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "";
    "share.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "";
    "share.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "";
    "share.record.lock.duration.ms": INT = "30000", at_least(1000), MEDIUM, GROUP, ACCEPTED,
        "";
    "share.delivery.count.limit": INT = "5", at_least(2), MEDIUM, GROUP, ACCEPTED,
        "";
    "share.partition.max.record.locks": INT = "2000", at_least(100), MEDIUM, GROUP, ACCEPTED,
        "";
    "share.auto.offset.reset": STRING = "latest", SHARE_AUTO_OFFSET_RESET, MEDIUM, GROUP, ACCEPTED,
        "";
    "share.isolation.level": STRING = "read_uncommitted",
        one_of(&["read_committed", "read_uncommitted"]), MEDIUM, GROUP, ACCEPTED,
        "";
    "share.renew.acknowledge.enable": BOOLEAN = "true", ANY, MEDIUM, GROUP, ACCEPTED,
        "";
    "share.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "";
    "streams.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "";
    "streams.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, GROUP, ACCEPTED,
        "";
    "streams.num.standby.replicas": INT = "0", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "";
    "streams.initial.rebalance.delay.ms": INT = "3000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "";
    "streams.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, GROUP, ACCEPTED,
        "";
} }
