//! Followers, leaders and their elections.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, HONOURED, at_least, one_of};

keys! { pub(super) KEYS {
    "controller.socket.timeout.ms": INT = "30000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How long controllers wait for an answer of a broker.";
    "default.replication.factor": INT = "1", ANY, MEDIUM, READ_ONLY, HONOURED,
        "Replicas of a topic whose creator does not say.";
    "replica.lag.time.max.ms": LONG = "30000", ANY, HIGH, READ_ONLY, HONOURED,
        "A follower that has not caught up for this long leaves the in-sync replicas.";
    "replica.socket.timeout.ms": INT = "30000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "How long a follower waits for its leader's answer.";
    "replica.socket.receive.buffer.bytes": INT = "65536", ANY, HIGH, READ_ONLY, ACCEPTED,
        "Receive buffer of sockets to leaders.";
    "replica.fetch.max.bytes": INT = "1048576", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "How much a follower asks for per partition; a larger batch still comes whole.";
    "replica.fetch.wait.max.ms": INT = "500", ANY, HIGH, READ_ONLY, ACCEPTED,
        "How long a leader may let a follower wait for new records.";
    "replica.fetch.backoff.ms": INT = "1000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Pause of a follower after a failed fetch.";
    "replica.fetch.min.bytes": INT = "1", ANY, HIGH, READ_ONLY, ACCEPTED,
        "How many bytes a follower waits for.";
    "replica.fetch.response.max.bytes": INT = "10485760", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "How much a follower asks for altogether; a larger batch still comes whole.";
    "num.replica.fetchers": INT = "1", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "Connections on which a follower fetches from each leader.";
    "replica.high.watermark.checkpoint.interval.ms": LONG = "5000", ANY, HIGH, READ_ONLY, HONOURED,
        "How often high watermarks are saved.";
    "fetch.purgatory.purge.interval.requests": INT = "1000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How many answered fetches may stay in the waiting list before it is swept.";
    "producer.purgatory.purge.interval.requests": INT = "1000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How many answered produce requests may stay in the waiting list before it is swept.";
    "delete.records.purgatory.purge.interval.requests": INT = "1", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How many answered DeleteRecords requests may stay in the waiting list before it is swept.";
    "auto.leader.rebalance.enable": BOOLEAN = "true", ANY, HIGH, READ_ONLY, ACCEPTED,
        "Whether leaderships go back to preferred replicas by themselves.";
    "leader.imbalance.check.interval.seconds": LONG = "300", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "How often that is looked after.";
    "unclean.leader.election.interval.ms": LONG = "300000",
        at_least(1), MEDIUM internal, READ_ONLY, ACCEPTED,
        "How often partitions without a leader are looked at for an unclean election, where a topic allows one.";
    "unclean.leader.election.enable": BOOLEAN = "false", ANY, HIGH, CLUSTER_WIDE, HONOURED,
        "Whether a replica out of sync may lead where no other is left, at the loss of records.";
    "security.inter.broker.protocol": STRING = "PLAINTEXT",
        one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), MEDIUM, READ_ONLY, HONOURED,
        "Security protocol between brokers; inter.broker.listener.name says it better.";
    "inter.broker.listener.name": STRING = null, ANY, MEDIUM, READ_ONLY, HONOURED,
        "Listener that brokers use among themselves.";
    "replica.selector.class": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "Class that chooses the replica a consumer reads from.";
    "follower.fetch.last.tiered.offset.enable": BOOLEAN = "false", ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Whether a new follower starts at the last offset in remote storage instead of copying the whole local log.";
} }
