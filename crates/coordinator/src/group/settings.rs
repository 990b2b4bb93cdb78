//! The configuration that the coordinator needs, as plain data.

/// Kafka's `group.*` and `offsets.*` settings. The default is Kafka's.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms` (KIP-134): how long the first rebalance of an empty group waits for more
    /// members; the wait begins anew with each, within the rebalance timeout.
    pub group_initial_rebalance_delay_ms: i32,
    /// `group.max.size` (KIP-389), members per group.
    pub group_max_size: i32,
    /// `offset.metadata.max.bytes`. Kafka counts UTF-16 code units, in spite of the name.
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes`, here in milliseconds (KIP-211).
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `offsets.commit.timeout.ms`: how long a request waits for its write to be committed.
    pub offsets_commit_timeout_ms: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 30 * 60 * 1_000,
            group_initial_rebalance_delay_ms: 3_000,
            group_max_size: i32::MAX,
            offset_metadata_max_bytes: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            offsets_retention_check_interval_ms: 10 * 60 * 1_000,
            offsets_commit_timeout_ms: 5_000,
        }
    }
}
