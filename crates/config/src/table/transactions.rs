//! Transactions and idempotent producers.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, HONOURED, at_least};

keys! { pub(super) KEYS {
    "transaction.state.log.min.isr": INT = "2", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "In-sync replicas that writes to __transaction_state need.";
    "transaction.state.log.load.buffer.size": INT = "5242880", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "How many bytes are read at a time when transactions are loaded.";
    "transaction.state.log.replication.factor": SHORT = "3", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Replicas of __transaction_state.";
    "transaction.state.log.num.partitions": INT = "50", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Partitions of __transaction_state; not to be changed once it exists.";
    "transaction.state.log.segment.bytes": INT = "104857600", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Segment size of __transaction_state.";
    "transaction.partition.verification.enable": BOOLEAN = "true", ANY, LOW, CLUSTER_WIDE, ACCEPTED,
        "Whether a leader asks the coordinator if a transactional write belongs to an open transaction.";
    "producer.id.expiration.ms": INT = "86400000", at_least(1), LOW, CLUSTER_WIDE, HONOURED,
        "After how long without writes a leader forgets an idempotent producer.";
    "producer.id.expiration.check.interval.ms": INT = "600000",
        at_least(1), LOW internal, READ_ONLY, HONOURED,
        "How often forgotten producers are looked for.";
    "transactional.id.expiration.ms": INT = "604800000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "After how long without transactions the coordinator forgets a transactional id.";
    "transaction.max.timeout.ms": INT = "900000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Longest transaction timeout that a producer may ask for.";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": INT = "10000",
        at_least(1), LOW, READ_ONLY, ACCEPTED,
        "How often transactions beyond their timeout are looked for and aborted.";
    "transaction.remove.expired.transaction.cleanup.interval.ms": INT = "3600000",
        at_least(1), LOW, READ_ONLY, ACCEPTED,
        "How often expired transactional ids are looked for.";
    "transaction.two.phase.commit.enable": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "Whether producers may take part in two-phase commits of others.";
} }

keys! { pub(super) ADD_PARTITIONS_KEYS {
    "add.partitions.to.txn.retry.backoff.max.ms": INT = "100", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "Longest pause before partitions are added to a transaction again.";
    "add.partitions.to.txn.retry.backoff.ms": INT = "20", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "First pause before partitions are added to a transaction again.";
} }
