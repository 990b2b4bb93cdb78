//! The quorum of controllers (KIP-595, KIP-853).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, QUORUM_BOOTSTRAP_SERVERS, QUORUM_VOTERS, at_least};

keys! { pub(super) KEYS {
    "controller.quorum.voters": LIST = "", QUORUM_VOTERS, HIGH, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.bootstrap.servers": LIST = "", QUORUM_BOOTSTRAP_SERVERS, HIGH, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.election.timeout.ms": INT = "1000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.fetch.timeout.ms": INT = "2000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.election.backoff.max.ms": INT = "1000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.append.linger.ms": INT = "25", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.request.timeout.ms": INT = "2000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.retry.backoff.ms": INT = "20", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.auto.join.enable": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.fetch.snapshot.max.bytes": INT = "1048576", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
    "controller.quorum.fetch.max.bytes": INT = "1048576", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "";
} }
