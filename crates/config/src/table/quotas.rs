//! Quota windows, and the broker quotas that can only be set on a running broker.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least};

keys! { pub(super) KEYS {
    "quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "replication.quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "alter.log.dirs.replication.quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "controller.quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "quota.window.size.seconds": INT = "1", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "replication.quota.window.size.seconds": INT = "1", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "alter.log.dirs.replication.quota.window.size.seconds": INT = "1",
        at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "controller.quota.window.size.seconds": INT = "1", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "client.quota.callback.class": CLASS = null, ANY, LOW, READ_ONLY, ACCEPTED,
        "";
} }

keys! { pub(super) DYNAMIC_ONLY_KEYS {
    "leader.replication.throttled.rate": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "follower.replication.throttled.rate": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "replica.alter.log.dirs.io.max.bytes.per.second": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
} }
