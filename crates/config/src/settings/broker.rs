//! What the node itself reads, by subject.

use crate::broker::BrokerConfig;
use crate::consistency::max_connections_per_ip_overrides;
use crate::error::ConfigError;
use crate::listeners::{Voter, parse_bootstrap_server, parse_voter};
use crate::settings::ListenerSettings;

/// The settings of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerSettings {
    /// Who it is.
    pub roles: RoleSettings,
    /// Where it listens.
    pub listeners: ListenerSettings,
    /// Sockets, connections and requests.
    pub network: NetworkSettings,
    /// Its logs.
    pub log: LogSettings,
    /// Followers and elections.
    pub replication: ReplicationSettings,
    /// The group coordinator.
    pub groups: GroupSettings,
    /// Transactions and producer ids.
    pub transactions: TransactionSettings,
    /// The quorum of controllers.
    pub quorum: QuorumSettings,
    /// The metadata log.
    pub metadata_log: MetadataLogSettings,
    /// `__consumer_offsets`.
    pub offsets_topic: InternalTopicSettings,
    /// `__transaction_state`.
    pub transaction_state_topic: InternalTopicSettings,
    /// `__share_group_state`.
    pub share_state_topic: InternalTopicSettings,
}

/// Identity and life in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleSettings {
    /// `node.id`.
    pub node_id: i32,
    /// Whether `process.roles` has `broker`.
    pub is_broker: bool,
    /// Whether `process.roles` has `controller`.
    pub is_controller: bool,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
    /// `broker.session.timeout.ms`, read by controllers.
    pub session_timeout_ms: i32,
    /// `initial.broker.registration.timeout.ms`.
    pub initial_registration_timeout_ms: i32,
    /// `controlled.shutdown.enable`.
    pub controlled_shutdown_enable: bool,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `auto.create.topics.enable`.
    pub auto_create_topics_enable: bool,
    /// `num.partitions`: of a topic created without a number.
    pub num_partitions: i32,
    /// `default.replication.factor`: of a topic created without one.
    pub default_replication_factor: i32,
    /// `unstable.api.versions.enable`.
    pub unstable_api_versions_enable: bool,
    /// `unstable.feature.versions.enable`.
    pub unstable_feature_versions_enable: bool,
}

/// Sockets, connections, requests.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSettings {
    /// `socket.send.buffer.bytes`; -1 leaves it to the system.
    pub socket_send_buffer_bytes: i32,
    /// `socket.receive.buffer.bytes`; -1 leaves it to the system.
    pub socket_receive_buffer_bytes: i32,
    /// `socket.request.max.bytes`: the largest frame.
    pub socket_request_max_bytes: i32,
    /// `socket.listen.backlog.size`.
    pub socket_listen_backlog_size: i32,
    /// `max.connections`.
    pub max_connections: i32,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: i32,
    /// `max.connections.per.ip.overrides`: host or address, and its limit.
    pub max_connections_per_ip_overrides: Vec<(String, i32)>,
    /// `max.connection.creation.rate`, per second.
    pub max_connection_creation_rate: i32,
    /// `connections.max.idle.ms`; negative means for ever.
    pub connections_max_idle_ms: i64,
    /// `connection.failed.authentication.delay.ms`.
    pub failed_authentication_delay_ms: i32,
    /// `queued.max.requests`.
    pub queued_max_requests: i32,
    /// `queued.max.request.bytes`; not positive means no limit.
    pub queued_max_request_bytes: i64,
    /// `request.timeout.ms`.
    pub request_timeout_ms: i32,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub max_incremental_fetch_session_cache_slots: i32,
    /// `max.request.partition.size.limit`.
    pub max_request_partition_size_limit: i32,
    /// `sasl.server.max.receive.size`.
    pub sasl_server_max_receive_size: i32,
    /// `telemetry.max.bytes`.
    pub telemetry_max_bytes: i32,
}

/// Log directories and the jobs on them.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// `log.dirs`, else `log.dir`.
    pub log_dirs: Vec<String>,
    /// `cordoned.log.dirs`, with `*` resolved: directories that get no new partitions.
    pub cordoned_log_dirs: Vec<String>,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `log.initial.task.delay.ms`: before the first run of the jobs.
    pub initial_task_delay_ms: i64,
    /// `log.flush.scheduler.interval.ms`.
    pub flush_scheduler_interval_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub flush_offset_checkpoint_interval_ms: i32,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub flush_start_offset_checkpoint_interval_ms: i32,
    /// `num.recovery.threads.per.data.dir`.
    pub num_recovery_threads_per_data_dir: i32,
    /// `log.dir.failure.timeout.ms`.
    pub log_dir_failure_timeout_ms: i64,
    /// `log.cleaner.enable`.
    pub cleaner_enable: bool,
    /// `log.cleaner.threads`.
    pub cleaner_threads: i32,
    /// `log.cleaner.backoff.ms`.
    pub cleaner_backoff_ms: i64,
    /// `log.cleaner.dedupe.buffer.size`.
    pub cleaner_dedupe_buffer_size: i64,
    /// `log.cleaner.io.buffer.size`.
    pub cleaner_io_buffer_size: i32,
    /// `log.cleaner.io.buffer.load.factor`.
    pub cleaner_io_buffer_load_factor: f64,
    /// `log.cleaner.io.max.bytes.per.second`.
    pub cleaner_io_max_bytes_per_second: f64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i32,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_id_expiration_check_interval_ms: i32,
    /// `ottla.flush.acks.all`.
    pub flush_acks_all: FlushAcksAll,
    /// `ottla.disk.free.min.bytes`; 0 means no check.
    pub disk_free_min_bytes: i64,
    /// `ottla.disk.stall.max.ms`; 0 means never.
    pub disk_stall_max_ms: i64,
}

/// When an `acks=all` write is fsynced before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushAcksAll {
    /// Where the partition has one replica.
    Auto,
    /// Always.
    Always,
    /// Never: the page cache is enough, as with Kafka.
    Never,
}

/// Followers, leaders, elections.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicationSettings {
    /// `replica.lag.time.max.ms`.
    pub lag_time_max_ms: i64,
    /// `replica.fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `replica.fetch.response.max.bytes`.
    pub fetch_response_max_bytes: i32,
    /// `replica.fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `replica.fetch.wait.max.ms`.
    pub fetch_wait_max_ms: i32,
    /// `replica.fetch.backoff.ms`.
    pub fetch_backoff_ms: i32,
    /// `replica.socket.timeout.ms`.
    pub socket_timeout_ms: i32,
    /// `num.replica.fetchers`.
    pub num_replica_fetchers: i32,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval_ms: i64,
    /// `auto.leader.rebalance.enable`.
    pub auto_leader_rebalance_enable: bool,
    /// `leader.imbalance.check.interval.seconds`.
    pub leader_imbalance_check_interval_seconds: i64,
    /// `unclean.leader.election.interval.ms`.
    pub unclean_leader_election_interval_ms: i64,
}

/// The group coordinator.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`, classic groups.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`, classic groups.
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`.
    pub max_size: i32,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `offsets.commit.timeout.ms`.
    pub offsets_commit_timeout_ms: i32,
    /// `offsets.load.buffer.size`.
    pub offsets_load_buffer_size: i32,
    /// `group.coordinator.rebalance.protocols`.
    pub rebalance_protocols: Vec<String>,
}

/// Transactions and producer ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`.
    pub max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`.
    pub transactional_id_expiration_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_timed_out_interval_ms: i32,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub remove_expired_interval_ms: i32,
    /// `transaction.partition.verification.enable`.
    pub partition_verification_enable: bool,
    /// `transaction.two.phase.commit.enable`.
    pub two_phase_commit_enable: bool,
}

/// The quorum of controllers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuorumSettings {
    /// Whether the node is a quorum of itself, as far as the configuration says: it names no other voter, and no
    /// bootstrap server but itself. Voters in the metadata log count more.
    pub is_alone: bool,
    /// `controller.quorum.voters`.
    pub voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers`.
    pub bootstrap_servers: Vec<(String, u16)>,
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout_ms: i32,
    /// `controller.quorum.election.backoff.max.ms`.
    pub election_backoff_max_ms: i32,
    /// `controller.quorum.fetch.timeout.ms`.
    pub fetch_timeout_ms: i32,
    /// `controller.quorum.append.linger.ms`.
    pub append_linger_ms: i32,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout_ms: i32,
    /// `controller.quorum.retry.backoff.ms`.
    pub retry_backoff_ms: i32,
    /// `controller.quorum.auto.join.enable` (KIP-1186).
    pub auto_join_enable: bool,
    /// `controller.quorum.fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `controller.quorum.fetch.snapshot.max.bytes`.
    pub fetch_snapshot_max_bytes: i32,
}

/// The metadata log.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataLogSettings {
    /// `metadata.log.dir`, else the first log directory.
    pub dir: String,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: i32,
    /// `metadata.log.segment.ms`.
    pub segment_ms: i64,
    /// `metadata.max.retention.bytes`.
    pub max_retention_bytes: i64,
    /// `metadata.max.retention.ms`.
    pub max_retention_ms: i64,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub max_record_bytes_between_snapshots: i64,
    /// `metadata.log.max.snapshot.interval.ms`.
    pub max_snapshot_interval_ms: i64,
    /// `metadata.max.idle.interval.ms`; 0 writes no no-op records.
    pub max_idle_interval_ms: i32,
}

/// How an internal topic is created.
#[derive(Clone, Debug, PartialEq)]
pub struct InternalTopicSettings {
    /// Number of partitions.
    pub num_partitions: i32,
    /// Number of replicas.
    pub replication_factor: i32,
    /// `min.insync.replicas` where the broker has a key for it.
    pub min_insync_replicas: Option<i32>,
    /// `segment.bytes`.
    pub segment_bytes: i32,
}

const MINUTE_MS: i64 = 60_000;

impl BrokerSettings {
    /// Reads the settings of a node. What the table refuses is not looked at here; [`crate::load`] does.
    ///
    /// # Errors
    /// INVALID_CONFIG where the addresses do not hold together.
    pub fn resolve(config: &BrokerConfig) -> Result<BrokerSettings, ConfigError> {
        let listeners = ListenerSettings::resolve(config)?;
        Ok(BrokerSettings {
            roles: roles(config),
            network: network(config)?,
            log: log(config),
            replication: replication(config),
            groups: groups(config),
            transactions: transactions(config),
            quorum: quorum(config, &listeners)?,
            listeners,
            metadata_log: metadata_log(config),
            offsets_topic: InternalTopicSettings {
                num_partitions: config.int("offsets.topic.num.partitions"),
                replication_factor: config.int("offsets.topic.replication.factor"),
                min_insync_replicas: None,
                segment_bytes: config.int("offsets.topic.segment.bytes"),
            },
            transaction_state_topic: InternalTopicSettings {
                num_partitions: config.int("transaction.state.log.num.partitions"),
                replication_factor: config.int("transaction.state.log.replication.factor"),
                min_insync_replicas: Some(config.int("transaction.state.log.min.isr")),
                segment_bytes: config.int("transaction.state.log.segment.bytes"),
            },
            share_state_topic: InternalTopicSettings {
                num_partitions: config.int("share.coordinator.state.topic.num.partitions"),
                replication_factor: config.int("share.coordinator.state.topic.replication.factor"),
                min_insync_replicas: Some(config.int("share.coordinator.state.topic.min.isr")),
                segment_bytes: config.int("share.coordinator.state.topic.segment.bytes"),
            },
        })
    }
}

fn roles(config: &BrokerConfig) -> RoleSettings {
    let has =
        |role: &str| config.list("process.roles").is_some_and(|roles| roles.iter().any(|one| one == role));
    RoleSettings {
        node_id: config.int("node.id"),
        is_broker: has("broker"),
        is_controller: has("controller"),
        rack: config.string("broker.rack").map(str::to_owned),
        heartbeat_interval_ms: config.int("broker.heartbeat.interval.ms"),
        session_timeout_ms: config.int("broker.session.timeout.ms"),
        initial_registration_timeout_ms: config.int("initial.broker.registration.timeout.ms"),
        controlled_shutdown_enable: config.boolean("controlled.shutdown.enable"),
        delete_topic_enable: config.boolean("delete.topic.enable"),
        auto_create_topics_enable: config.boolean("auto.create.topics.enable"),
        num_partitions: config.int("num.partitions"),
        default_replication_factor: config.int("default.replication.factor"),
        unstable_api_versions_enable: config.boolean("unstable.api.versions.enable"),
        unstable_feature_versions_enable: config.boolean("unstable.feature.versions.enable"),
    }
}

fn network(config: &BrokerConfig) -> Result<NetworkSettings, ConfigError> {
    Ok(NetworkSettings {
        socket_send_buffer_bytes: config.int("socket.send.buffer.bytes"),
        socket_receive_buffer_bytes: config.int("socket.receive.buffer.bytes"),
        socket_request_max_bytes: config.int("socket.request.max.bytes"),
        socket_listen_backlog_size: config.int("socket.listen.backlog.size"),
        max_connections: config.int("max.connections"),
        max_connections_per_ip: config.int("max.connections.per.ip"),
        max_connections_per_ip_overrides: max_connections_per_ip_overrides(config)?,
        max_connection_creation_rate: config.int("max.connection.creation.rate"),
        connections_max_idle_ms: config.long("connections.max.idle.ms"),
        failed_authentication_delay_ms: config.int("connection.failed.authentication.delay.ms"),
        queued_max_requests: config.int("queued.max.requests"),
        queued_max_request_bytes: config.long("queued.max.request.bytes"),
        request_timeout_ms: config.int("request.timeout.ms"),
        fetch_max_bytes: config.int("fetch.max.bytes"),
        max_incremental_fetch_session_cache_slots: config.int("max.incremental.fetch.session.cache.slots"),
        max_request_partition_size_limit: config.int("max.request.partition.size.limit"),
        sasl_server_max_receive_size: config.int("sasl.server.max.receive.size"),
        telemetry_max_bytes: config.int("telemetry.max.bytes"),
    })
}

fn log(config: &BrokerConfig) -> LogSettings {
    let log_dirs = config.log_dirs().to_vec();
    let cordoned = config.list("cordoned.log.dirs").unwrap_or_default();
    let is_everything = cordoned.iter().any(|dir| dir == "*");
    LogSettings {
        cordoned_log_dirs: if is_everything { log_dirs.clone() } else { cordoned.to_vec() },
        log_dirs,
        retention_check_interval_ms: config.long("log.retention.check.interval.ms"),
        initial_task_delay_ms: config.long("log.initial.task.delay.ms"),
        flush_scheduler_interval_ms: config.long("log.flush.scheduler.interval.ms"),
        flush_offset_checkpoint_interval_ms: config.int("log.flush.offset.checkpoint.interval.ms"),
        flush_start_offset_checkpoint_interval_ms: config
            .int("log.flush.start.offset.checkpoint.interval.ms"),
        num_recovery_threads_per_data_dir: config.int("num.recovery.threads.per.data.dir"),
        log_dir_failure_timeout_ms: config.long("log.dir.failure.timeout.ms"),
        cleaner_enable: config.boolean("log.cleaner.enable"),
        cleaner_threads: config.int("log.cleaner.threads"),
        cleaner_backoff_ms: config.long("log.cleaner.backoff.ms"),
        cleaner_dedupe_buffer_size: config.long("log.cleaner.dedupe.buffer.size"),
        cleaner_io_buffer_size: config.int("log.cleaner.io.buffer.size"),
        cleaner_io_buffer_load_factor: config.double("log.cleaner.io.buffer.load.factor"),
        cleaner_io_max_bytes_per_second: config.double("log.cleaner.io.max.bytes.per.second"),
        producer_id_expiration_ms: config.int("producer.id.expiration.ms"),
        producer_id_expiration_check_interval_ms: config.int("producer.id.expiration.check.interval.ms"),
        flush_acks_all: match config.string("ottla.flush.acks.all") {
            Some("always") => FlushAcksAll::Always,
            Some("never") => FlushAcksAll::Never,
            _ => FlushAcksAll::Auto,
        },
        disk_free_min_bytes: config.long("ottla.disk.free.min.bytes"),
        disk_stall_max_ms: config.long("ottla.disk.stall.max.ms"),
    }
}

fn replication(config: &BrokerConfig) -> ReplicationSettings {
    ReplicationSettings {
        lag_time_max_ms: config.long("replica.lag.time.max.ms"),
        fetch_max_bytes: config.int("replica.fetch.max.bytes"),
        fetch_response_max_bytes: config.int("replica.fetch.response.max.bytes"),
        fetch_min_bytes: config.int("replica.fetch.min.bytes"),
        fetch_wait_max_ms: config.int("replica.fetch.wait.max.ms"),
        fetch_backoff_ms: config.int("replica.fetch.backoff.ms"),
        socket_timeout_ms: config.int("replica.socket.timeout.ms"),
        num_replica_fetchers: config.int("num.replica.fetchers"),
        high_watermark_checkpoint_interval_ms: config.long("replica.high.watermark.checkpoint.interval.ms"),
        auto_leader_rebalance_enable: config.boolean("auto.leader.rebalance.enable"),
        leader_imbalance_check_interval_seconds: config.long("leader.imbalance.check.interval.seconds"),
        unclean_leader_election_interval_ms: config.long("unclean.leader.election.interval.ms"),
    }
}

fn groups(config: &BrokerConfig) -> GroupSettings {
    let protocols = config.list("group.coordinator.rebalance.protocols").unwrap_or_default();
    GroupSettings {
        min_session_timeout_ms: config.int("group.min.session.timeout.ms"),
        max_session_timeout_ms: config.int("group.max.session.timeout.ms"),
        initial_rebalance_delay_ms: config.int("group.initial.rebalance.delay.ms"),
        max_size: config.int("group.max.size"),
        offset_metadata_max_bytes: config.int("offset.metadata.max.bytes"),
        offsets_retention_ms: i64::from(config.int("offsets.retention.minutes")) * MINUTE_MS,
        offsets_retention_check_interval_ms: config.long("offsets.retention.check.interval.ms"),
        offsets_commit_timeout_ms: config.int("offsets.commit.timeout.ms"),
        offsets_load_buffer_size: config.int("offsets.load.buffer.size"),
        rebalance_protocols: protocols.to_vec(),
    }
}

fn transactions(config: &BrokerConfig) -> TransactionSettings {
    TransactionSettings {
        max_timeout_ms: config.int("transaction.max.timeout.ms"),
        transactional_id_expiration_ms: config.int("transactional.id.expiration.ms"),
        abort_timed_out_interval_ms: config
            .int("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        remove_expired_interval_ms: config.int("transaction.remove.expired.transaction.cleanup.interval.ms"),
        partition_verification_enable: config.boolean("transaction.partition.verification.enable"),
        two_phase_commit_enable: config.boolean("transaction.two.phase.commit.enable"),
    }
}

fn quorum(config: &BrokerConfig, own: &ListenerSettings) -> Result<QuorumSettings, ConfigError> {
    let voters = config.list("controller.quorum.voters").unwrap_or_default();
    let servers = config.list("controller.quorum.bootstrap.servers").unwrap_or_default();
    let voters: Vec<Voter> = voters.iter().map(|entry| parse_voter(entry)).collect::<Result<_, _>>()?;
    let bootstrap_servers: Vec<(String, u16)> =
        servers.iter().map(|entry| parse_bootstrap_server(entry)).collect::<Result<_, _>>()?;
    let is_controller = own.controller_listener_names.iter().any(|name| own.is_listening(name));
    let is_only_voter = voters.iter().all(|voter| voter.id == config.int("node.id"));
    let is_only_server = bootstrap_servers.iter().all(|(host, port)| own.is_own_controller(host, *port));
    let names_nobody = voters.is_empty() && bootstrap_servers.is_empty();
    Ok(QuorumSettings {
        is_alone: names_nobody || is_controller && is_only_voter && is_only_server,
        voters,
        bootstrap_servers,
        election_timeout_ms: config.int("controller.quorum.election.timeout.ms"),
        election_backoff_max_ms: config.int("controller.quorum.election.backoff.max.ms"),
        fetch_timeout_ms: config.int("controller.quorum.fetch.timeout.ms"),
        append_linger_ms: config.int("controller.quorum.append.linger.ms"),
        request_timeout_ms: config.int("controller.quorum.request.timeout.ms"),
        retry_backoff_ms: config.int("controller.quorum.retry.backoff.ms"),
        auto_join_enable: config.boolean("controller.quorum.auto.join.enable"),
        fetch_max_bytes: config.int("controller.quorum.fetch.max.bytes"),
        fetch_snapshot_max_bytes: config.int("controller.quorum.fetch.snapshot.max.bytes"),
    })
}

fn metadata_log(config: &BrokerConfig) -> MetadataLogSettings {
    let first_dir = || config.log_dirs().first().map(String::as_str);
    MetadataLogSettings {
        dir: config.string("metadata.log.dir").or_else(first_dir).unwrap_or_default().to_owned(),
        segment_bytes: config
            .optional_int("internal.metadata.log.segment.bytes")
            .unwrap_or(config.int("metadata.log.segment.bytes")),
        segment_ms: config.long("metadata.log.segment.ms"),
        max_retention_bytes: config.long("metadata.max.retention.bytes"),
        max_retention_ms: config.long("metadata.max.retention.ms"),
        max_record_bytes_between_snapshots: config.long("metadata.log.max.record.bytes.between.snapshots"),
        max_snapshot_interval_ms: config.long("metadata.log.max.snapshot.interval.ms"),
        max_idle_interval_ms: config.int("metadata.max.idle.interval.ms"),
    }
}
