//! The bit fields of operations that a client may do: all of them while there is no authorizer.

/// Bit of an ACL operation by its number.
const fn bit(operation: u32) -> i32 {
    1 << operation
}

const READ: i32 = bit(3);
const WRITE: i32 = bit(4);
const CREATE: i32 = bit(5);
const DELETE: i32 = bit(6);
const ALTER: i32 = bit(7);
const DESCRIBE: i32 = bit(8);
const CLUSTER_ACTION: i32 = bit(9);
const DESCRIBE_CONFIGS: i32 = bit(10);
const ALTER_CONFIGS: i32 = bit(11);
const IDEMPOTENT_WRITE: i32 = bit(12);

/// What the field holds when it was not asked for.
const NOT_ASKED: i32 = i32::MIN;

/// Operations on a topic.
pub(super) fn on_topic(asked: bool) -> i32 {
    let all = READ | WRITE | CREATE | DELETE | ALTER | DESCRIBE | DESCRIBE_CONFIGS | ALTER_CONFIGS;
    if asked { all } else { NOT_ASKED }
}

/// Operations on a group.
pub(super) fn on_group(asked: bool) -> i32 {
    let all = READ | DELETE | DESCRIBE | DESCRIBE_CONFIGS | ALTER_CONFIGS;
    if asked { all } else { NOT_ASKED }
}

/// Operations on the cluster.
pub(super) fn on_cluster(asked: bool) -> i32 {
    let all =
        CREATE | ALTER | DESCRIBE | CLUSTER_ACTION | DESCRIBE_CONFIGS | ALTER_CONFIGS | IDEMPOTENT_WRITE;
    if asked { all } else { NOT_ASKED }
}
