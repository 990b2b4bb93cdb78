//! The roles of a node and its life in the cluster (KIP-500, KIP-631).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, HONOURED, NON_EMPTY_LIST, at_least, non_empty_list_of};

keys! { pub(super) KEYS {
    "process.roles": LIST = required,
        non_empty_list_of(&["broker", "controller"]), HIGH, READ_ONLY, HONOURED,
        "What the node is: broker, controller, or both.";
    "node.id": INT = required, at_least(0), HIGH, READ_ONLY, HONOURED,
        "Number of the node, different from that of every other node of the cluster.";
    "initial.broker.registration.timeout.ms": INT = "60000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How long a broker tries to register with the controllers before it gives up.";
    "broker.heartbeat.interval.ms": INT = "2000", ANY, MEDIUM, READ_ONLY, HONOURED,
        "How often a broker tells the controllers that it lives.";
    "broker.session.timeout.ms": INT = "9000", ANY, MEDIUM, READ_ONLY, HONOURED,
        "After how long without heartbeats controllers fence a broker.";
    "controller.listener.names": LIST = required, NON_EMPTY_LIST, HIGH, READ_ONLY, HONOURED,
        "Names of the listeners that controllers use; brokers connect to the first one.";
    "sasl.mechanism.controller.protocol": STRING = "GSSAPI", ANY, HIGH, READ_ONLY, ACCEPTED,
        "SASL mechanism for connections to controllers.";
    "controller.performance.sample.period.ms": LONG = "60000",
        at_least(100), MEDIUM internal, READ_ONLY, ACCEPTED,
        "How often a controller reports its slowest events.";
    "controller.performance.always.log.threshold.ms": LONG = "2000",
        at_least(0), MEDIUM internal, READ_ONLY, ACCEPTED,
        "Events of a controller that take longer than this are always reported.";
    "server.max.startup.time.ms": LONG = "9223372036854775807",
        at_least(0), MEDIUM internal, READ_ONLY, ACCEPTED,
        "How long a start may take before the node stops again.";
} }
