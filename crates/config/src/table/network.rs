//! Listeners, sockets and connection limits.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, HONOURED, NON_EMPTY_LIST, NON_EMPTY_LIST_OR_NULL, at_least};

keys! { pub(super) KEYS {
    "listeners": LIST = "PLAINTEXT://:9092", NON_EMPTY_LIST, HIGH, PER_BROKER, HONOURED,
        "Where the node listens: entries NAME://host:port, where no host means all addresses.";
    "advertised.listeners": LIST = null, NON_EMPTY_LIST_OR_NULL, HIGH, READ_ONLY, HONOURED,
        "Addresses that clients and other nodes are told to connect to; without it, those of listeners.";
    "listener.security.protocol.map": STRING = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        ANY, LOW, PER_BROKER, HONOURED,
        "Which security protocol each listener name has.";
    "socket.send.buffer.bytes": INT = "102400", ANY, HIGH, READ_ONLY, HONOURED,
        "Send buffer of sockets; -1 leaves it to the operating system.";
    "socket.receive.buffer.bytes": INT = "102400", ANY, HIGH, READ_ONLY, HONOURED,
        "Receive buffer of sockets; -1 leaves it to the operating system.";
    "socket.request.max.bytes": INT = "104857600", at_least(1), HIGH, READ_ONLY, HONOURED,
        "Largest request that is read.";
    "socket.listen.backlog.size": INT = "50", at_least(1), MEDIUM, READ_ONLY, HONOURED,
        "How many connections may wait to be accepted.";
    "max.connections.per.ip": INT = "2147483647", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Most connections from one address.";
    "max.connections.per.ip.overrides": STRING = "", ANY, MEDIUM, CLUSTER_WIDE, HONOURED,
        "Other limits for some hosts: entries host:limit.";
    "max.connections": INT = "2147483647", at_least(0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Most connections of the broker, or of a listener with the listener's prefix.";
    "max.connection.creation.rate": INT = "2147483647", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Most new connections per second of the broker, or of a listener with the listener's prefix.";
    "connections.max.idle.ms": LONG = "600000", ANY, MEDIUM, READ_ONLY, HONOURED,
        "After how long without a request a connection is closed.";
    "connection.failed.authentication.delay.ms": INT = "100", at_least(0), LOW, READ_ONLY, ACCEPTED,
        "How long a client that failed to authenticate waits for its connection to be closed.";
    "queued.max.requests": INT = "500", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "How many requests may wait before no more are read.";
    "queued.max.request.bytes": LONG = "-1", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How many bytes of requests may wait before no more are read; -1 means no limit.";
    "num.network.threads": INT = "3", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "Threads per listener that read and write sockets.";
} }
