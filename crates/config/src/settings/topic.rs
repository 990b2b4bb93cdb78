//! What a partition's log and its leader need to know of its topic.

use crate::broker::{BrokerConfig, ConfigMap};
use crate::error::ConfigError;
use crate::topic_values::TopicValues;

/// The settings of one topic, each from the topic where it has a value, else from the broker.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicSettings {
    /// `segment.bytes`: a segment is closed before it grows beyond this.
    pub segment_bytes: i32,
    /// `segment.ms`: a segment is closed when its first record is this old.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: how much of `segment_ms` may be taken off at random.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: how large an index file may be.
    pub segment_index_bytes: i32,
    /// `index.interval.bytes`: how many bytes of records lie between two index entries.
    pub index_interval_bytes: i32,
    /// `flush.messages`: after how many records an fsync is forced.
    pub flush_messages: i64,
    /// `flush.ms`: after how long an fsync is forced.
    pub flush_ms: i64,
    /// `retention.bytes`: how much is kept; negative means everything.
    pub retention_bytes: i64,
    /// `retention.ms`: how long is kept; -1 means for ever.
    pub retention_ms: i64,
    /// `max.message.bytes`: how large a record batch may be.
    pub max_message_bytes: i32,
    /// `delete.retention.ms`: how long compaction keeps a tombstone.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`: how long compaction leaves a record alone.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: after how long compaction must have seen a record.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`: which share of a log must be uncompacted before it is compacted.
    pub min_cleanable_dirty_ratio: f64,
    /// `file.delete.delay.ms`: how long a deleted segment's files stay.
    pub file_delete_delay_ms: i64,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `unclean.leader.election.enable`: whether a replica that lacks records may lead.
    pub unclean_leader_election_enable: bool,
    /// `min.insync.replicas`: how many replicas must be in sync for an `acks=all` write.
    pub min_insync_replicas: i32,
    /// `compression.type` and the level that goes with it.
    pub compression_type: CompressionType,
    /// `preallocate`: whether a new segment takes its space at once.
    pub preallocate: bool,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record's time may lie in the past.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far a record's time may lie in the future.
    pub message_timestamp_after_max_ms: i64,
    /// `leader.replication.throttled.replicas`: `partition:broker` entries, or `*`.
    pub leader_replication_throttled_replicas: Vec<String>,
    /// `follower.replication.throttled.replicas`: `partition:broker` entries, or `*`.
    pub follower_replication_throttled_replicas: Vec<String>,
    /// `remote.storage.enable` (KIP-405).
    pub remote_storage_enable: bool,
    /// `local.retention.ms`, where -2 has become `retention_ms`.
    pub local_retention_ms: i64,
    /// `local.retention.bytes`, where -2 has become `retention_bytes`.
    pub local_retention_bytes: i64,
    /// `remote.log.copy.disable` (KIP-950).
    pub remote_log_copy_disable: bool,
    /// `remote.log.delete.on.disable` (KIP-950).
    pub remote_log_delete_on_disable: bool,
}

/// What is done with old records. Neither means that they stay for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Segments beyond the retention are deleted.
    pub delete: bool,
    /// Of several records with one key the last one stays.
    pub compact: bool,
}

/// How record batches are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// gzip at this level; -1 is the default level.
    Gzip(i32),
    /// LZ4 at this level.
    Lz4(i32),
    /// Snappy.
    Snappy,
    /// Zstandard at this level.
    Zstd(i32),
}

/// Whose clock a record's timestamp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append.
    LogAppendTime,
}

impl TopicSettings {
    /// The settings of a topic. `topic` are the values set on it.
    ///
    /// # Errors
    /// INVALID_CONFIG where a value cannot be read; what was validated when it was set can.
    pub fn resolve(broker: &BrokerConfig, topic: &ConfigMap) -> Result<TopicSettings, ConfigError> {
        let values = TopicValues::resolve(broker, topic)?;
        let retention_ms = values.long("retention.ms");
        let retention_bytes = values.long("retention.bytes");
        let or_total = |local: i64, total: i64| if local == -2 { total } else { local };
        Ok(TopicSettings {
            segment_bytes: values
                .optional_int("internal.segment.bytes")
                .unwrap_or(values.int("segment.bytes")),
            segment_ms: values.long("segment.ms"),
            segment_jitter_ms: values.long("segment.jitter.ms"),
            segment_index_bytes: values.int("segment.index.bytes"),
            index_interval_bytes: values.int("index.interval.bytes"),
            flush_messages: values.long("flush.messages"),
            flush_ms: values.long("flush.ms"),
            retention_bytes,
            retention_ms,
            max_message_bytes: values.int("max.message.bytes"),
            delete_retention_ms: values.long("delete.retention.ms"),
            min_compaction_lag_ms: values.long("min.compaction.lag.ms"),
            max_compaction_lag_ms: values.long("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio: values.double("min.cleanable.dirty.ratio"),
            file_delete_delay_ms: values.long("file.delete.delay.ms"),
            cleanup_policy: cleanup_policy(&values),
            unclean_leader_election_enable: values.boolean("unclean.leader.election.enable"),
            min_insync_replicas: values.int("min.insync.replicas"),
            compression_type: compression_type(&values),
            preallocate: values.boolean("preallocate"),
            message_timestamp_type: timestamp_type(&values),
            message_timestamp_before_max_ms: values.long("message.timestamp.before.max.ms"),
            message_timestamp_after_max_ms: values.long("message.timestamp.after.max.ms"),
            leader_replication_throttled_replicas: values
                .list("leader.replication.throttled.replicas")
                .to_vec(),
            follower_replication_throttled_replicas: values
                .list("follower.replication.throttled.replicas")
                .to_vec(),
            remote_storage_enable: values.boolean("remote.storage.enable"),
            local_retention_ms: or_total(values.long("local.retention.ms"), retention_ms),
            local_retention_bytes: or_total(values.long("local.retention.bytes"), retention_bytes),
            remote_log_copy_disable: values.boolean("remote.log.copy.disable"),
            remote_log_delete_on_disable: values.boolean("remote.log.delete.on.disable"),
        })
    }
}

fn cleanup_policy(values: &TopicValues) -> CleanupPolicy {
    let has = |policy: &str| values.list("cleanup.policy").iter().any(|entry| entry == policy);
    CleanupPolicy { delete: has("delete"), compact: has("compact") }
}

fn timestamp_type(values: &TopicValues) -> TimestampType {
    match values.string("message.timestamp.type") {
        "CreateTime" => TimestampType::CreateTime,
        "LogAppendTime" => TimestampType::LogAppendTime,
        other => panic!("the table lets no other timestamp type through: {other}"),
    }
}

fn compression_type(values: &TopicValues) -> CompressionType {
    match values.string("compression.type") {
        "producer" => CompressionType::Producer,
        "uncompressed" => CompressionType::Uncompressed,
        "gzip" => CompressionType::Gzip(values.int("compression.gzip.level")),
        "lz4" => CompressionType::Lz4(values.int("compression.lz4.level")),
        "snappy" => CompressionType::Snappy,
        "zstd" => CompressionType::Zstd(values.int("compression.zstd.level")),
        other => panic!("the table lets no other compression through: {other}"),
    }
}
