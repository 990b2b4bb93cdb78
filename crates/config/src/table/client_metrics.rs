//! Client-metrics subscriptions (KIP-714).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST};

keys! { pub(super) KEYS {
    "metrics": LIST = "", LIST, MEDIUM, CLIENT_METRICS, ACCEPTED,
        "";
    "interval.ms": INT = "300000", ANY, MEDIUM, CLIENT_METRICS, ACCEPTED,
        "";
    "match": LIST = "", LIST, MEDIUM, CLIENT_METRICS, ACCEPTED,
        "";
} }
