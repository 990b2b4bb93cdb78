//! Group coordinators: classic, consumer (KIP-848), share (KIP-932) and streams (KIP-1071) groups.

use crate::table::keys;
use crate::table::row::{
    ACCEPTED, ANY, HONOURED, NON_EMPTY_LIST, at_least, between, non_empty_list_of, one_of_any_case,
};

keys! { pub(super) KEYS {
    "group.coordinator.rebalance.protocols": LIST = "classic,consumer,streams",
        non_empty_list_of(&["consumer", "classic", "share", "streams"]), MEDIUM, READ_ONLY, ACCEPTED,
        "Kinds of groups that the coordinator serves.";
    "group.coordinator.threads": INT = "4", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Threads of the group coordinator.";
    "group.coordinator.background.threads": INT = "2", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "Threads that compute assignments for the group coordinator.";
    "group.coordinator.append.linger.ms": INT = "-1", at_least(-1), MEDIUM, READ_ONLY, ACCEPTED,
        "How long the group coordinator collects records before it appends them; -1 adapts to the load.";
    "offsets.commit.timeout.ms": INT = "5000", at_least(1), HIGH, READ_ONLY, HONOURED,
        "How long an offset commit may wait for its replicas.";
    "offsets.load.buffer.size": INT = "5242880", at_least(1), HIGH, READ_ONLY, ACCEPTED,
        "How many bytes are read at a time when offsets are loaded.";
    "offsets.topic.replication.factor": SHORT = "3", at_least(1), HIGH, READ_ONLY, HONOURED,
        "Replicas of __consumer_offsets.";
    "offsets.topic.num.partitions": INT = "50", at_least(1), HIGH, READ_ONLY, HONOURED,
        "Partitions of __consumer_offsets; not to be changed once it exists.";
    "offsets.topic.segment.bytes": INT = "104857600", at_least(1), HIGH, READ_ONLY, HONOURED,
        "Segment size of __consumer_offsets.";
    "offsets.topic.compression.codec": INT = "0", ANY, HIGH, READ_ONLY, ACCEPTED,
        "Codec number for batches in __consumer_offsets.";
    "group.coordinator.cached.buffer.max.bytes": INT = "1048588",
        at_least(524288), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Largest append buffer that the group coordinator keeps for later use.";
    "offset.metadata.max.bytes": INT = "4096", ANY, HIGH, READ_ONLY, HONOURED,
        "Longest text that a client may attach to a committed offset.";
    "offsets.retention.minutes": INT = "10080", at_least(1), HIGH, READ_ONLY, HONOURED,
        "How long the offsets of an empty group, or of a topic it no longer reads, are kept.";
    "offsets.retention.check.interval.ms": LONG = "600000", at_least(1), HIGH, READ_ONLY, HONOURED,
        "How often expired offsets are looked for.";
    "group.min.session.timeout.ms": INT = "6000", ANY, MEDIUM, READ_ONLY, HONOURED,
        "Shortest session timeout that a classic member may ask for.";
    "group.max.session.timeout.ms": INT = "1800000", ANY, MEDIUM, READ_ONLY, HONOURED,
        "Longest session timeout that a classic member may ask for.";
    "group.initial.rebalance.delay.ms": INT = "3000", ANY, MEDIUM, READ_ONLY, HONOURED,
        "How long an empty classic group waits for more members before its first rebalance.";
    "group.max.size": INT = "2147483647", at_least(1), MEDIUM, READ_ONLY, HONOURED,
        "Most members of a classic group.";
    "group.consumer.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "After how long without heartbeats a member leaves a consumer group.";
    "group.consumer.min.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest session timeout that a consumer group can be given.";
    "group.consumer.max.session.timeout.ms": INT = "60000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest session timeout that a consumer group can be given.";
    "group.consumer.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "How often members of a consumer group send heartbeats.";
    "group.consumer.min.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest heartbeat interval that a consumer group can be given.";
    "group.consumer.max.heartbeat.interval.ms": INT = "15000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest heartbeat interval that a consumer group can be given.";
    "group.consumer.max.size": INT = "2147483647", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Most members of a consumer group.";
    "group.consumer.assignors": LIST = "uniform,range", NON_EMPTY_LIST, MEDIUM, READ_ONLY, ACCEPTED,
        "Assignors of consumer groups; the first is the default.";
    "group.consumer.migration.policy": STRING = "bidirectional",
        one_of_any_case(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), MEDIUM, READ_ONLY, ACCEPTED,
        "In which direction a group may change between the classic and the consumer protocol.";
    "group.consumer.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Shortest time between two assignments of a consumer group.";
    "group.consumer.min.assignment.interval.ms": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest assignment interval that a consumer group can be given.";
    "group.consumer.max.assignment.interval.ms": INT = "15000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest assignment interval that a consumer group can be given.";
    "group.consumer.regex.refresh.interval.ms": INT = "600000",
        at_least(10000), MEDIUM internal, READ_ONLY, ACCEPTED,
        "How often regular expressions of subscriptions are matched against topics again.";
    "group.share.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "After how long without heartbeats a member leaves a share group.";
    "group.share.min.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest session timeout that a share group can be given.";
    "group.share.max.session.timeout.ms": INT = "60000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest session timeout that a share group can be given.";
    "group.share.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "How often members of a share group send heartbeats.";
    "group.share.min.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest heartbeat interval that a share group can be given.";
    "group.share.max.heartbeat.interval.ms": INT = "15000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest heartbeat interval that a share group can be given.";
    "group.share.max.size": INT = "200", between(1.0, 1000.0), MEDIUM, READ_ONLY, ACCEPTED,
        "Most members of a share group.";
    "group.share.assignors": LIST = "simple", NON_EMPTY_LIST, MEDIUM, READ_ONLY, ACCEPTED,
        "Assignor of share groups.";
    "group.share.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Shortest time between two assignments of a share group.";
    "group.share.min.assignment.interval.ms": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest assignment interval that a share group can be given.";
    "group.share.max.assignment.interval.ms": INT = "15000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest assignment interval that a share group can be given.";
    "group.share.initialize.retry.interval.ms": INT = "30000",
        at_least(1), LOW internal, READ_ONLY, ACCEPTED,
        "Pause before the state of share partitions is initialized again after a failure.";
    "group.streams.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "After how long without heartbeats a member leaves a streams group.";
    "group.streams.min.session.timeout.ms": INT = "45000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest session timeout that a streams group can be given.";
    "group.streams.max.session.timeout.ms": INT = "60000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest session timeout that a streams group can be given.";
    "group.streams.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "How often members of a streams group send heartbeats.";
    "group.streams.min.heartbeat.interval.ms": INT = "5000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest heartbeat interval that a streams group can be given.";
    "group.streams.max.heartbeat.interval.ms": INT = "15000", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest heartbeat interval that a streams group can be given.";
    "group.streams.max.size": INT = "2147483647", at_least(1), MEDIUM, READ_ONLY, ACCEPTED,
        "Most members of a streams group.";
    "group.streams.num.standby.replicas": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Standby replicas of each task of a streams group.";
    "group.streams.max.standby.replicas": INT = "2", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Most standby replicas that a streams group can be given.";
    "group.streams.initial.rebalance.delay.ms": INT = "3000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "How long an empty streams group waits for more members before its first rebalance.";
    "group.streams.assignment.interval.ms": INT = "1000", at_least(0), MEDIUM, CLUSTER_WIDE, ACCEPTED,
        "Shortest time between two assignments of a streams group.";
    "group.streams.min.assignment.interval.ms": INT = "0", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Smallest assignment interval that a streams group can be given.";
    "group.streams.max.assignment.interval.ms": INT = "15000", at_least(0), MEDIUM, READ_ONLY, ACCEPTED,
        "Largest assignment interval that a streams group can be given.";
} }
