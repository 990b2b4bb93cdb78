//! Client-metrics subscriptions (KIP-714).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, LIST};

keys! { pub(super) KEYS {
    "metrics": LIST = "", LIST, MEDIUM, CLIENT_METRICS, ACCEPTED,
        "Prefixes of the metrics that clients push; * means all.";
    "interval.ms": INT = "300000", ANY, MEDIUM, CLIENT_METRICS, ACCEPTED,
        "How often clients push metrics.";
    "match": LIST = "", LIST, MEDIUM, CLIENT_METRICS, ACCEPTED,
        "Clients that push: entries attribute=regular expression, all of which must match.";
} }
