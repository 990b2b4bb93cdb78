//! The quorum of controllers (KIP-595, KIP-853).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, HONOURED, QUORUM_BOOTSTRAP_SERVERS, QUORUM_VOTERS, at_least};

keys! { pub(super) KEYS {
    "controller.quorum.voters": LIST = "", QUORUM_VOTERS, HIGH, READ_ONLY, HONOURED,
        "The controllers of a static quorum: entries id@host:port.";
    "controller.quorum.bootstrap.servers": LIST = "", QUORUM_BOOTSTRAP_SERVERS, HIGH, READ_ONLY, HONOURED,
        "Where controllers can be found at first: entries host:port.";
    "controller.quorum.election.timeout.ms": INT = "1000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "How long a candidate waits for votes before it tries again.";
    "controller.quorum.fetch.timeout.ms": INT = "2000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "How long a controller does without its leader before it wants an election; for a leader, without a majority.";
    "controller.quorum.election.backoff.max.ms": INT = "1000", at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "Longest random pause before another election.";
    "controller.quorum.append.linger.ms": INT = "25", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "How long the active controller collects records before it appends them.";
    "controller.quorum.request.timeout.ms": INT = "2000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "How long a request among controllers may take.";
    "controller.quorum.retry.backoff.ms": INT = "20", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "Pause before a failed request among controllers is sent again.";
    "controller.quorum.auto.join.enable": BOOLEAN = "false", ANY, LOW, READ_ONLY, ACCEPTED,
        "Whether a new controller makes itself a voter.";
    "controller.quorum.fetch.snapshot.max.bytes": INT = "1048576", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Most bytes of a snapshot that are asked for at a time.";
    "controller.quorum.fetch.max.bytes": INT = "1048576", at_least(1), LOW, READ_ONLY, ACCEPTED,
        "Most bytes of the metadata log that are asked for at a time.";
} }
