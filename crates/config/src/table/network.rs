//! Listeners, sockets and connection limits.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, NON_EMPTY_LIST, NON_EMPTY_LIST_OR_NULL, at_least};

keys! { pub(super) KEYS {
    "listeners": LIST = "PLAINTEXT://:9092", NON_EMPTY_LIST, HIGH, PER_BROKER, ACCEPTED,
        "";
    "advertised.listeners": LIST = null, NON_EMPTY_LIST_OR_NULL, HIGH, READ_ONLY, ACCEPTED,
        "";
    "listener.security.protocol.map": STRING = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        ANY, LOW, PER_BROKER, ACCEPTED,
        "";
    "socket.send.buffer.bytes": INT = "102400", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "socket.receive.buffer.bytes": INT = "102400", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "socket.request.max.bytes": INT = "104857600", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "socket.listen.backlog.size": INT = "50", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "max.connections.per.ip": INT = "2147483647", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "max.connections.per.ip.overrides": STRING = "", ANY, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "max.connections": INT = "2147483647", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "max.connection.creation.rate": INT = "2147483647", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "connections.max.idle.ms": LONG = "600000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "connection.failed.authentication.delay.ms": INT = "100", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "";
    "queued.max.requests": INT = "500", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "";
    "queued.max.request.bytes": LONG = "-1", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "num.network.threads": INT = "3", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
} }
