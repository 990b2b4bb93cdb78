//! The rules of group configs: each within the bounds that the broker sets, and a session longer than the
//! heartbeats that keep it (KIP-848, KIP-932, KIP-1071).

use crate::broker::{BrokerConfig, ConfigMap};
use crate::error::ConfigError;
use crate::java;
use crate::table::{ConfigKey, ConfigTable};
use crate::value::Value;

/// A group key and the broker keys that bound it.
struct Bounds {
    key: &'static str,
    min: Option<&'static str>,
    max: &'static str,
    /// Whether the bounds are looked at only where the group itself has a value.
    only_if_set: bool,
}

const fn bounds(key: &'static str, min: &'static str, max: &'static str) -> Bounds {
    Bounds { key, min: Some(min), max, only_if_set: false }
}

const fn bounds_if_set(key: &'static str, min: &'static str, max: &'static str) -> Bounds {
    Bounds { key, min: Some(min), max, only_if_set: true }
}

/// In the order in which Kafka looks at them.
const BOUNDS: &[Bounds] = &[
    bounds(
        "consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    bounds(
        "consumer.session.timeout.ms",
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    ),
    bounds_if_set(
        "consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    ),
    bounds(
        "share.heartbeat.interval.ms",
        "group.share.min.heartbeat.interval.ms",
        "group.share.max.heartbeat.interval.ms",
    ),
    bounds(
        "share.session.timeout.ms",
        "group.share.min.session.timeout.ms",
        "group.share.max.session.timeout.ms",
    ),
    bounds(
        "share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    ),
    bounds(
        "share.delivery.count.limit",
        "group.share.min.delivery.count.limit",
        "group.share.max.delivery.count.limit",
    ),
    bounds(
        "share.partition.max.record.locks",
        "group.share.min.partition.max.record.locks",
        "group.share.max.partition.max.record.locks",
    ),
    bounds_if_set(
        "share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
    bounds(
        "streams.heartbeat.interval.ms",
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    bounds(
        "streams.session.timeout.ms",
        "group.streams.min.session.timeout.ms",
        "group.streams.max.session.timeout.ms",
    ),
    Bounds {
        key: "streams.num.standby.replicas",
        min: None,
        max: "group.streams.max.standby.replicas",
        only_if_set: false,
    },
    bounds_if_set(
        "streams.assignment.interval.ms",
        "group.streams.min.assignment.interval.ms",
        "group.streams.max.assignment.interval.ms",
    ),
];

pub(super) fn validate(broker: &BrokerConfig, group: &str, configs: &ConfigMap) -> Result<(), ConfigError> {
    if group.is_empty() {
        return Err(ConfigError::invalid_request("Default group resources are not allowed."));
    }
    let mut unknown = java::hash_map_order(configs.keys()).into_iter();
    if let Some(name) = unknown.find(|name| ConfigTable::Group.get(name).is_none()) {
        return Err(ConfigError::invalid_config(format!("Unknown group config name: {name}")));
    }
    let values = resolve(broker, configs)?;
    for rule in BOUNDS.iter().filter(|rule| !rule.only_if_set || configs.contains_key(rule.key)) {
        let value = int(&values, rule.key);
        if let Some(min) = rule.min.filter(|min| value < broker.int(min)) {
            let message = format!("{} must be greater than or equal to {min}", rule.key);
            return Err(ConfigError::invalid_config(message));
        }
        if value > broker.int(rule.max) {
            let message = format!("{} must be less than or equal to {}", rule.key, rule.max);
            return Err(ConfigError::invalid_config(message));
        }
    }
    for kind in ["consumer", "share", "streams"] {
        let (session, heartbeat) =
            (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
        if int(&values, &session) <= int(&values, &heartbeat) {
            return Err(ConfigError::invalid_config(format!("{session} must be greater than {heartbeat}")));
        }
    }
    Ok(())
}

/// The value of every group key, by position in the group table: the group's, else the broker's, else the default.
pub(crate) fn resolve(broker: &BrokerConfig, configs: &ConfigMap) -> Result<Vec<Option<Value>>, ConfigError> {
    let resolve = |key: &&'static ConfigKey| match (configs.get(key.name), broker.group_default(key.name)) {
        (Some(text), _) => key.parse(text).map(Some),
        (None, Some(value)) => key.validator.check(key.name, Some(&value)).map(|()| Some(value)),
        (None, None) => key.default_value(),
    };
    ConfigTable::Group.keys().iter().map(resolve).collect()
}

fn int(values: &[Option<Value>], key: &str) -> i32 {
    match ConfigTable::Group.position(key).and_then(|position| values[position].as_ref()) {
        Some(Value::Int(value)) => *value,
        other => panic!("{key} is no INT of groups: {other:?}"),
    }
}
