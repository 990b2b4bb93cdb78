//! Share groups and their coordinator (KIP-932).

use crate::table::keys;
use crate::table::row::{ACCEPTED, ANY, at_least, between};

keys! { pub(super) KEYS {
    "group.share.delivery.count.limit": INT = "5", between(2.0, 10.0), MEDIUM, READ_ONLY, ACCEPTED,
        "How often a record is delivered to a share group before it is given up.";
    "group.share.max.delivery.count.limit": INT = "10", between(5.0, 25.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest delivery limit that a share group can be given.";
    "group.share.min.delivery.count.limit": INT = "2", between(2.0, 5.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest delivery limit that a share group can be given.";
    "group.share.record.lock.duration.ms": INT = "30000",
        between(1000.0, 3600000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "How long a member of a share group may hold a record.";
    "group.share.min.record.lock.duration.ms": INT = "15000",
        between(1000.0, 30000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Shortest lock that a share group can be given.";
    "group.share.max.record.lock.duration.ms": INT = "60000",
        between(30000.0, 3600000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Longest lock that a share group can be given.";
    "group.share.partition.max.record.locks": INT = "2000",
        between(100.0, 10000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Most records of a partition that a share group may hold at once.";
    "group.share.max.partition.max.record.locks": INT = "4000",
        between(2000.0, 10000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest number of held records that a share group can be given.";
    "group.share.min.partition.max.record.locks": INT = "100",
        between(100.0, 2000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest number of held records that a share group can be given.";
    "share.fetch.purgatory.purge.interval.requests": INT = "1000", ANY, MEDIUM, READ_ONLY, ACCEPTED,
        "How many answered share fetches may stay in the waiting list before it is swept.";
    "group.share.max.share.sessions": INT = "2000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Most share sessions of a broker.";
    "group.share.persister.class.name": STRING = "org.apache.kafka.server.share.persister.DefaultStatePersister",
        ANY, MEDIUM internal, READ_ONLY, ACCEPTED,
        "Class that keeps the state of share partitions.";
    "share.coordinator.state.topic.num.partitions": INT = "50", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Partitions of __share_group_state; not to be changed once it exists.";
    "share.coordinator.state.topic.replication.factor": SHORT = "3", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Replicas of __share_group_state.";
    "share.coordinator.state.topic.min.isr": SHORT = "2", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "In-sync replicas that writes to __share_group_state need.";
    "share.coordinator.state.topic.segment.bytes": INT = "104857600",
        at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Segment size of __share_group_state.";
    "share.coordinator.threads": INT = "1", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Threads of the share coordinator.";
    "share.coordinator.snapshot.update.records.per.snapshot": INT = "500",
        between(0.0, 500.0), MEDIUM, READ_ONLY, ACCEPTED,
        "How many updates of a share partition are written between two snapshots of it.";
    "share.coordinator.load.buffer.size": INT = "5242880", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "How many bytes are read at a time when share state is loaded.";
    "share.coordinator.state.topic.compression.codec": INT = "0", ANY, HIGH, READ_ONLY, ACCEPTED,
        "Codec number for batches in __share_group_state.";
    "share.coordinator.append.linger.ms": INT = "-1", at_least(-1), MEDIUM, READ_ONLY, ACCEPTED,
        "How long the share coordinator collects records before it appends them; -1 adapts to the load.";
    "share.coordinator.write.timeout.ms": INT = "5000", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "How long a write of share state may wait for its replicas.";
    "share.coordinator.state.topic.prune.interval.ms": INT = "300000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "How often records of __share_group_state that are no longer needed are deleted.";
    "share.coordinator.cold.partition.snapshot.interval.ms": INT = "300000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "How often share partitions without traffic get a snapshot.";
    "share.coordinator.cached.buffer.max.bytes": INT = "1048588",
        at_least(524288), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Largest append buffer that the share coordinator keeps for later use.";
} }
