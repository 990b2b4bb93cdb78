//! The process itself: identity, threads, request limits, recompression.

use crate::table::keys;
use crate::table::row::{
    ACCEPTED, ANY, GZIP_LEVEL, HONOURED, LIST, LIST_OR_NULL, NON_NULL, at_least, between, one_of, refused,
};

keys! { pub(super) KEYS {
    "broker.id": INT = "-1", ANY, HIGH, READ_ONLY, HONOURED,
        "Former name of node.id.";
    "message.max.bytes": INT = "1048588", at_least(0), HIGH, CLUSTER_WIDE, HONOURED,
        "Largest record batch that topics accept by default.";
    "num.io.threads": INT = "8", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "Threads that work on requests; here the network threads do.";
    "num.replica.alter.log.dirs.threads": INT = null, ANY, HIGH, READ_ONLY, ACCEPTED,
        "Threads that move replicas between log directories.";
    "background.threads": INT = "10", at_least(1), HIGH, CLUSTER_WIDE, ACCEPTED,
        "Threads for jobs in the background.";
    "request.timeout.ms": INT = "30000", ANY, HIGH, READ_ONLY, ACCEPTED,
        "How long a request to another node may take.";
    "socket.connection.setup.timeout.ms": LONG = "10000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How long the first attempt to connect to another node may take.";
    "socket.connection.setup.timeout.max.ms": LONG = "30000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How long later attempts to connect may take.";
    "config.providers": LIST = "", LIST, LOW, CLUSTER_WIDE,
        refused("values cannot be taken from providers",
            "write the values themselves, or put them into KAFKA_ variables of the environment."),
        "Names of the providers that replace ${provider:key} in values.";
    "authorizer.class.name": STRING = "", NON_NULL, LOW, READ_ONLY,
        refused("there is no authorizer, and without it everybody may do everything",
            "leave it out (super.users and allow.everyone.if.no.acl.found too), and let only trusted hosts reach the listeners."),
        "Class that decides who may do what; empty means that everybody may do everything.";
    "early.start.listeners": LIST = null, LIST_OR_NULL, HIGH, READ_ONLY, ACCEPTED,
        "Listeners that open before the authorizer is ready.";
    "broker.rack": STRING = null, ANY, MEDIUM, READ_ONLY, HONOURED,
        "Rack or zone of the broker, so that replicas are spread and consumers can read nearby.";
    "controlled.shutdown.enable": BOOLEAN = "true", ANY, MEDIUM, READ_ONLY, HONOURED,
        "Whether the broker hands over its leaderships before it stops.";
    "delete.topic.enable": BOOLEAN = "true", ANY, HIGH, READ_ONLY, HONOURED,
        "Whether topics can be deleted.";
    "compression.type": STRING = "producer",
        one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), HIGH, CLUSTER_WIDE, HONOURED,
        "How topics store batches by default: a codec, uncompressed, or producer for as they came.";
    "compression.gzip.level": INT = "-1", GZIP_LEVEL, MEDIUM, CLUSTER_WIDE, HONOURED,
        "Level of gzip where batches are compressed by the broker; -1 is gzip's own default.";
    "compression.lz4.level": INT = "9", between(1.0, 17.0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Level of LZ4 where batches are compressed by the broker.";
    "compression.zstd.level": INT = "3", between(-131072.0, 22.0), MEDIUM, CLUSTER_WIDE, HONOURED,
        "Level of Zstandard where batches are compressed by the broker.";
    "max.incremental.fetch.session.cache.slots": INT = "1000", at_least(0), MEDIUM, READ_ONLY, HONOURED,
        "How many incremental fetch sessions are remembered.";
    "fetch.max.bytes": INT = "57671680", at_least(1024), MEDIUM, READ_ONLY, HONOURED,
        "Most bytes that a fetch is answered with, whatever the client allows; at least one batch always goes out.";
    "max.request.partition.size.limit": INT = "2000", at_least(1), MEDIUM, READ_ONLY, HONOURED,
        "Most partitions that a request may ask about in one answer.";
    "unstable.api.versions.enable": BOOLEAN = "false", ANY, HIGH internal, READ_ONLY, ACCEPTED,
        "Whether request versions are served that may still change.";
    "unstable.feature.versions.enable": BOOLEAN = "false", ANY, HIGH internal, READ_ONLY, ACCEPTED,
        "Whether feature levels can be chosen that may still change.";
} }
