//! Followers, leaders and their elections.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least, one_of};

keys! { pub(super) KEYS {
    "controller.socket.timeout.ms": INT = "30000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "default.replication.factor": INT = "1", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "replica.lag.time.max.ms": LONG = "30000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "replica.socket.timeout.ms": INT = "30000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "replica.socket.receive.buffer.bytes": INT = "65536", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "replica.fetch.max.bytes": INT = "1048576", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "replica.fetch.wait.max.ms": INT = "500", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "replica.fetch.backoff.ms": INT = "1000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "replica.fetch.min.bytes": INT = "1", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "replica.fetch.response.max.bytes": INT = "10485760", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "num.replica.fetchers": INT = "1", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "replica.high.watermark.checkpoint.interval.ms": LONG = "5000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "fetch.purgatory.purge.interval.requests": INT = "1000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "producer.purgatory.purge.interval.requests": INT = "1000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "delete.records.purgatory.purge.interval.requests": INT = "1", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "auto.leader.rebalance.enable": BOOLEAN = "true", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "leader.imbalance.check.interval.seconds": LONG = "300", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "unclean.leader.election.interval.ms": LONG = "300000",
        at_least(1), MEDIUM internal, READ_ONLY, ACCEPTED,
        "";
    "unclean.leader.election.enable": BOOLEAN = "false", ANY, HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "security.inter.broker.protocol": STRING = "PLAINTEXT",
        one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "inter.broker.listener.name": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "replica.selector.class": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "follower.fetch.last.tiered.offset.enable": BOOLEAN = "false", ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
} }
