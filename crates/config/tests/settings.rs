//! Typed settings: which layer a topic's value comes from, and what the values mean.

use ottla_config::alter::{
    AlterConfig, AlterContext, AlterOp, ResourceKind, check_broker_change, incremental_alter,
    usable_broker_configs,
};
use ottla_config::{
    BrokerConfig, CleanupPolicy, CompressionType, ConfigMap, ConfigTable, Inputs, TimestampType,
    TopicSettings, load,
};

fn map(properties: &[(&str, &str)]) -> ConfigMap {
    properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn broker(properties: &[(&str, &str)]) -> BrokerConfig {
    let text: String = properties.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    load(&Inputs { file: Some(("f", &text)), ..Inputs::default() }).expect("a good start").config
}

fn resolve(broker: &BrokerConfig, topic: &[(&str, &str)]) -> TopicSettings {
    TopicSettings::resolve(broker, &map(topic)).expect("readable")
}

#[test]
fn a_topic_without_values_has_kafkas_defaults() {
    let settings = resolve(&broker(&[]), &[]);
    assert_eq!(settings.segment_bytes, 1 << 30);
    assert_eq!(settings.segment_ms, 604_800_000);
    assert_eq!(settings.retention_ms, 604_800_000);
    assert_eq!(settings.local_retention_ms, settings.retention_ms);
    assert_eq!(settings.local_retention_bytes, -1);
    assert_eq!(settings.flush_ms, i64::MAX);
    assert_eq!(settings.max_message_bytes, 1_048_588);
    assert_eq!(settings.cleanup_policy, CleanupPolicy { delete: true, compact: false });
    assert_eq!(settings.compression_type, CompressionType::Producer);
    assert_eq!(settings.message_timestamp_type, TimestampType::CreateTime);
    assert!(settings.leader_replication_throttled_replicas.is_empty());
}

#[test]
fn a_topics_own_value_beats_the_brokers_and_the_brokers_beats_the_default() {
    let broker = broker(&[
        ("log.retention.hours", "2"),
        ("log.segment.bytes", "2097152"),
        ("compression.type", "zstd"),
        ("compression.zstd.level", "7"),
    ]);
    let settings = resolve(&broker, &[("segment.bytes", "1048576"), ("cleanup.policy", "compact,delete")]);
    assert_eq!(settings.retention_ms, 7_200_000);
    assert_eq!(settings.segment_bytes, 1_048_576);
    assert_eq!(settings.compression_type, CompressionType::Zstd(7));
    assert_eq!(settings.cleanup_policy, CleanupPolicy { delete: true, compact: true });
    assert_eq!(
        resolve(&broker, &[("cleanup.policy", "")]).cleanup_policy,
        CleanupPolicy { delete: false, compact: false }
    );
}

#[test]
fn the_finest_unit_of_a_broker_counts_unless_a_dynamic_value_does() {
    let with_minutes = broker(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]);
    assert_eq!(resolve(&with_minutes, &[]).retention_ms, 180_000);
    let dynamic =
        with_minutes.with_dynamic(map(&[("log.retention.ms", "-1")]), ConfigMap::new()).expect("readable");
    assert_eq!(resolve(&dynamic, &[]).retention_ms, -1);
    let own =
        with_minutes.with_dynamic(map(&[("log.retention.ms", "-1")]), map(&[("log.retention.ms", "9")]));
    assert_eq!(resolve(&own.expect("readable"), &[]).retention_ms, 9);
}

#[test]
fn an_internal_segment_size_may_be_smaller_than_any_public_one() {
    assert_eq!(resolve(&broker(&[]), &[("internal.segment.bytes", "1024")]).segment_bytes, 1024);
}

#[test]
fn quotas_of_brokers_exist_only_dynamically() {
    let broker = broker(&[]);
    assert_eq!(broker.quota("leader.replication.throttled.rate"), i64::MAX);
    let default =
        map(&[("leader.replication.throttled.rate", "5"), ("follower.replication.throttled.rate", "6")]);
    let own = map(&[("leader.replication.throttled.rate", "7")]);
    let dynamic = broker.with_dynamic(default, own).expect("readable");
    assert_eq!(dynamic.quota("leader.replication.throttled.rate"), 7);
    assert_eq!(dynamic.quota("follower.replication.throttled.rate"), 6);
}

#[test]
fn a_stored_assignment_interval_is_brought_into_the_files_bounds() {
    let broker = broker(&[("group.consumer.max.assignment.interval.ms", "2000")]);
    let dynamic =
        broker.with_dynamic(map(&[("group.consumer.assignment.interval.ms", "9000")]), ConfigMap::new());
    assert_eq!(dynamic.expect("readable").int("group.consumer.assignment.interval.ms"), 2000);
}

#[test]
fn a_broker_leaves_out_stored_values_it_cannot_use_and_says_so() {
    let stored = map(&[
        ("log.retention.ms", "abc"),
        ("num.partitions", "3"),
        ("ssl.keystore.location", "/x"),
        ("listeners", "PLAINTEXT://:1"),
        ("message.max.bytes", "5"),
        ("custom", "x"),
    ]);
    let (usable, warnings) = usable_broker_configs(&stored, false);
    assert_eq!(usable, map(&[("message.max.bytes", "5"), ("custom", "x")]));
    assert_eq!(
        warnings,
        [
            "Dynamic default cluster config contains invalid values, which are ignored: [log.retention.ms]",
            "Non-dynamic configs are ignored: [num.partitions]",
            "Security configs are ignored without the prefix of a listener: [ssl.keystore.location]",
            "Per-broker configs are ignored at cluster level: [listeners]",
        ]
    );
    let (own, _) = usable_broker_configs(&stored, true);
    assert!(own.contains_key("listeners"));
}

#[test]
fn a_change_needs_no_record_where_nothing_changes_but_for_brokers() {
    let broker = broker(&[]);
    let context = AlterContext {
        broker: &broker,
        elr_enabled: false,
        cordoned_log_dirs_supported: true,
        forwarded: true,
    };
    let ops = |name: &str, value: &str| {
        [AlterConfig { name: name.to_owned(), op: AlterOp::Set, value: Some(value.to_owned()) }]
    };
    let stored = map(&[("retention.ms", "5"), ("log.retention.ms", "5")]);
    let topic = incremental_alter(
        ResourceKind::Topic,
        "t",
        &map(&[("retention.ms", "5")]),
        &ops("retention.ms", "5"),
        context,
    );
    assert_eq!(topic.expect("valid"), []);
    let changes =
        incremental_alter(ResourceKind::Broker, "1", &stored, &ops("log.retention.ms", "5"), context);
    assert_eq!(changes.expect("valid").len(), 1);
}

#[test]
fn nothing_a_client_sends_makes_a_change_panic() {
    let broker = broker(&[]);
    let context = AlterContext {
        broker: &broker,
        elr_enabled: true,
        cordoned_log_dirs_supported: true,
        forwarded: false,
    };
    let long = "x".repeat(40_000);
    let values = [
        "",
        ",",
        "-1",
        "99999999999999999999",
        "1e400",
        "a:b",
        "*",
        "\u{0}",
        "é😀",
        "=",
        "client_id=(",
        "PT",
        &long,
    ];
    for (kind, table) in [
        (ResourceKind::Topic, ConfigTable::Topic),
        (ResourceKind::Group, ConfigTable::Group),
        (ResourceKind::ClientMetrics, ConfigTable::ClientMetrics),
        (ResourceKind::Broker, ConfigTable::Broker),
        (ResourceKind::BrokerLogger, ConfigTable::Topic),
    ] {
        for key in table.keys() {
            for value in values {
                for op in [AlterOp::Set, AlterOp::Append, AlterOp::Subtract, AlterOp::Delete] {
                    let value = Some(value.to_owned()).filter(|value| !value.is_empty());
                    let ops = [AlterConfig { name: key.name.to_owned(), op, value }];
                    let _ = incremental_alter(kind, "1", &ConfigMap::new(), &ops, context);
                    if kind == ResourceKind::Broker {
                        let _ = check_broker_change(&broker, true, &ConfigMap::new(), &ops);
                    }
                }
            }
        }
    }
}

#[test]
fn secrets_are_not_printed() {
    let broker = broker(&[("ssl.keystore.password", "s3cret"), ("my.key", "s3cret")]);
    assert!(!format!("{broker:?}").contains("s3cret"));
    let described = ottla_config::describe::describe_broker(&broker);
    assert!(!format!("{described:?}").contains("s3cret"));
}
