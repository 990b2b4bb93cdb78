//! Quota windows, and the broker quotas that can only be set on a running broker.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least, refused};

keys! { pub(super) KEYS {
    "quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Number of windows over which client quotas are measured.";
    "replication.quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Number of windows over which replication quotas are measured.";
    "alter.log.dirs.replication.quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Number of windows over which moves between log directories are measured.";
    "controller.quota.window.num": INT = "11", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Number of windows over which controller mutation quotas are measured.";
    "quota.window.size.seconds": INT = "1", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Length of a window of client quotas.";
    "replication.quota.window.size.seconds": INT = "1", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Length of a window of replication quotas.";
    "alter.log.dirs.replication.quota.window.size.seconds": INT = "1",
        at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Length of a window of moves between log directories.";
    "controller.quota.window.size.seconds": INT = "1", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Length of a window of controller mutation quotas.";
    "client.quota.callback.class": CLASS = null, ANY, LOW, READ_ONLY,
        refused("Java classes cannot be loaded",
            "leave it out."),
        "Class that computes the quota of a client.";
} }

keys! { pub(super) DYNAMIC_ONLY_KEYS {
    "leader.replication.throttled.rate": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Bytes per second that leaders send to throttled followers.";
    "follower.replication.throttled.rate": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Bytes per second that throttled followers take.";
    "replica.alter.log.dirs.io.max.bytes.per.second": LONG = "9223372036854775807",
        at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Bytes per second of moves between log directories.";
} }
