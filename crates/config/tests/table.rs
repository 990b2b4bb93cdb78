//! The table against Kafka's own definitions (`kafka-4.3.1.tsv`), row by row and in their order.

use std::collections::HashSet;

use ottla_config::{ConfigKey, ConfigTable, DefaultValue, Effect, Importance, Scope};

const TABLES: [(&str, ConfigTable); 5] = [
    ("broker", ConfigTable::Broker),
    ("broker-quota", ConfigTable::BrokerQuota),
    ("topic", ConfigTable::Topic),
    ("group", ConfigTable::Group),
    ("client-metrics", ConfigTable::ClientMetrics),
];

fn all_keys() -> impl Iterator<Item = &'static ConfigKey> {
    TABLES.into_iter().flat_map(|(_, table)| table.keys().iter().copied())
}

fn row(table: &str, key: &ConfigKey) -> String {
    let default = match key.default {
        DefaultValue::Text(text) => text,
        DefaultValue::Null => "\\N",
        DefaultValue::Required => "\\R",
    };
    let importance = match key.importance {
        Importance::High => "HIGH",
        Importance::Medium => "MEDIUM",
        Importance::Low => "LOW",
    };
    let scope = match key.scope {
        Scope::ReadOnly => "read-only",
        Scope::PerBroker => "per-broker",
        Scope::ClusterWide => "cluster-wide",
        Scope::Topic | Scope::Group | Scope::ClientMetrics => "",
    };
    let internal = if key.internal { "internal" } else { "" };
    let (name, config_type, validator) = (key.name, key.config_type.name(), key.validator);
    format!("{table}\t{name}\t{config_type}\t{default}\t{validator}\t{importance}\t{internal}\t{scope}")
}

#[test]
fn every_key_of_kafka_is_there_with_its_type_default_and_scope() {
    let is_ours = |key: &&&ConfigKey| !key.name.starts_with("ottla.");
    let rows = |(name, table): (&'static str, ConfigTable)| {
        table.keys().iter().filter(is_ours).map(move |key| row(name, key)).collect::<Vec<_>>()
    };
    let ours: Vec<String> = TABLES.into_iter().flat_map(rows).collect();
    let kafkas: Vec<&str> =
        include_str!("kafka-4.3.1.tsv").lines().filter(|line| !line.starts_with('#')).collect();
    for (ours, kafkas) in ours.iter().zip(&kafkas) {
        assert_eq!(ours, kafkas);
    }
    assert_eq!(ours.len(), kafkas.len());
}

#[test]
fn every_default_reads_as_itself() {
    for key in all_keys() {
        if let DefaultValue::Text(text) = key.default {
            let value = key.parse(text).unwrap_or_else(|error| panic!("{}: {error}", key.name));
            assert_eq!(value.to_config_string(), text, "{}", key.name);
        }
    }
}

#[test]
fn every_key_is_explained_in_one_sentence_of_one_line() {
    for key in all_keys() {
        let text = key.documentation;
        assert!(text.len() > 10 && text.len() < 120, "{}: {text}", key.name);
        assert!(text.ends_with('.') && !text.contains('\n') && !text.contains("  "), "{}: {text}", key.name);
        assert!(text.starts_with(|c: char| c.is_uppercase()), "{}: {text}", key.name);
    }
}

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    for key in all_keys() {
        if let Effect::Refused { cause, fix } = key.effect {
            assert!(!cause.is_empty() && fix.ends_with('.'), "{}", key.name);
        }
    }
}

#[test]
fn no_table_has_a_key_twice() {
    for (name, table) in TABLES {
        let names: HashSet<&str> = table.keys().iter().map(|key| key.name).collect();
        assert_eq!(names.len(), table.keys().len(), "{name}");
    }
}
