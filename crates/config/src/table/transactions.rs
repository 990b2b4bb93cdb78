//! Transactions and idempotent producers.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least};

keys! { pub(super) KEYS {
    "transaction.state.log.min.isr": INT = "2", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "transaction.state.log.load.buffer.size": INT = "5242880", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "transaction.state.log.replication.factor": SHORT = "3", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "transaction.state.log.num.partitions": INT = "50", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "transaction.state.log.segment.bytes": INT = "104857600", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "transaction.partition.verification.enable": BOOLEAN = "true", ANY, LOW, CLUSTER_WIDE, ACCEPTED,
        "";
    "producer.id.expiration.ms": INT = "86400000", at_least(1), LOW, CLUSTER_WIDE, ACCEPTED,
        "";
    "producer.id.expiration.check.interval.ms": INT = "600000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "";
    "transactional.id.expiration.ms": INT = "604800000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "transaction.max.timeout.ms": INT = "900000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": INT = "10000",
        at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "transaction.remove.expired.transaction.cleanup.interval.ms": INT = "3600000",
        at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "transaction.two.phase.commit.enable": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
} }

keys! { pub(super) ADD_PARTITIONS_KEYS {
    "add.partitions.to.txn.retry.backoff.max.ms": INT = "100", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "add.partitions.to.txn.retry.backoff.ms": INT = "20", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
} }
