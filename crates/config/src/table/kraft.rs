//! The roles of a node and its life in the cluster (KIP-500, KIP-631).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, NON_EMPTY_LIST, at_least, non_empty_list_of};

keys! { pub(super) KEYS {
    "process.roles": LIST = required,
        non_empty_list_of(&["broker", "controller"]), HIGH, READ_ONLY, ACCEPTED,
        "";
    "node.id": INT = required, at_least(0), HIGH, READ_ONLY, ACCEPTED,
        "";
    "initial.broker.registration.timeout.ms": INT = "60000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "broker.heartbeat.interval.ms": INT = "2000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "broker.session.timeout.ms": INT = "9000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "controller.listener.names": LIST = required, NON_EMPTY_LIST, HIGH, READ_ONLY, ACCEPTED,
        "";
    "sasl.mechanism.controller.protocol": STRING = "GSSAPI", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "controller.performance.sample.period.ms": LONG = "60000",
        at_least(100), MEDIUM internal, READ_ONLY, ACCEPTED,
        "";
    "controller.performance.always.log.threshold.ms": LONG = "2000",
        at_least(0), MEDIUM internal, READ_ONLY, ACCEPTED,
        "";
    "server.max.startup.time.ms": LONG = "9223372036854775807",
        at_least(0), MEDIUM internal, READ_ONLY, ACCEPTED,
        "";
} }
