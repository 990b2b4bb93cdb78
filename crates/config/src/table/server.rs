//! The process itself: identity, threads, request limits, recompression.

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, GZIP_LEVEL, LIST, LIST_OR_NULL, NON_NULL, at_least, between, one_of};

keys! { pub(super) KEYS {
    "broker.id": INT = "-1", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "message.max.bytes": INT = "1048588", at_least(0), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "num.io.threads": INT = "8", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "num.replica.alter.log.dirs.threads": INT = null, ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "background.threads": INT = "10", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "request.timeout.ms": INT = "30000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "socket.connection.setup.timeout.ms": LONG = "10000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "socket.connection.setup.timeout.max.ms": LONG = "30000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "config.providers": LIST = "", LIST, LOW, CLUSTER_WIDE, ACCEPTED,
        "";
    "authorizer.class.name": STRING = "", NON_NULL, LOW, READ_ONLY, ACCEPTED,
        "";
    "early.start.listeners": LIST = null, LIST_OR_NULL, HIGH, READ_ONLY, ACCEPTED,
        "";
    "broker.rack": STRING = null, ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "controlled.shutdown.enable": BOOLEAN = "true", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "delete.topic.enable": BOOLEAN = "true", ANY, HIGH, READ_ONLY, ACCEPTED,
        "";
    "compression.type": STRING = "producer",
        one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), HIGH, CLUSTER_WIDE, ACCEPTED,
        "";
    "compression.gzip.level": INT = "-1", GZIP_LEVEL, MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "compression.lz4.level": INT = "9", between(1.0, 17.0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "compression.zstd.level": INT = "3", between(-131072.0, 22.0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "";
    "max.incremental.fetch.session.cache.slots": INT = "1000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "fetch.max.bytes": INT = "57671680", at_least(1024), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "max.request.partition.size.limit": INT = "2000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "";
    "unstable.api.versions.enable": BOOLEAN = "false", ANY, HIGH internal, READ_ONLY, ACCEPTED,
        "";
    "unstable.feature.versions.enable": BOOLEAN = "false", ANY, HIGH internal, READ_ONLY, ACCEPTED,
        "";
} }
