//! Broker keys changed while brokers run (KIP-226): which may be, for one broker or for all, and whether the
//! configuration that results holds together.

use super::{AlterConfig, AlterContext, AlterOp, ConfigChange, ResourceKind, java_split};
use crate::broker::{BrokerConfig, ConfigMap};
use crate::consistency;
use crate::error::ConfigError;
use crate::java;
use crate::settings::ListenerSettings;
use crate::synonyms::{TOPIC_DEFAULTS, listener_base};
use crate::table::{ConfigKey, ConfigTable, DefaultValue, Scope};
use crate::value::ConfigType;

/// Listener keys that may differ per listener but are for all brokers.
const LISTENER_KEYS_OF_ALL_BROKERS: &[&str] =
    &["max.connections", "max.connection.creation.rate", "num.network.threads"];

/// Keys that only a listener's own form can change: `listener.name.x.ssl.keystore.location`.
const LISTENER_ONLY_KEYS: &[&str] = &[
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.key.password",
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.truststore.certificates",
];

/// Thread pools that may at most double or halve at a time.
const THREAD_POOLS: &[&str] = &[
    "num.io.threads",
    "num.replica.fetchers",
    "num.recovery.threads.per.data.dir",
    "background.threads",
    "num.network.threads",
    "remote.log.reader.threads",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
];

/// Checks the name of a broker resource where the broker that the request reaches must be meant: nothing (all
/// brokers) or its own id.
///
/// # Errors
/// INVALID_REQUEST with Kafka's message.
pub fn check_broker_name(name: &str, node_id: i32) -> Result<(), ConfigError> {
    match name.parse::<i32>() {
        _ if name.is_empty() => Ok(()),
        Ok(id) if id == node_id => Ok(()),
        Ok(_) => Err(ConfigError::invalid_request(format!(
            "Unexpected broker id, expected {node_id}, but received {name}"
        ))),
        Err(_) => Err(ConfigError::invalid_request(format!("Node id must be an integer, but it is: {name}"))),
    }
}

/// The name of a broker resource: nothing (all brokers) or an id.
pub(super) fn validate_name(name: &str) -> Result<(), ConfigError> {
    match name.parse::<i32>() {
        _ if name.is_empty() => Ok(()),
        Ok(id) if id >= 0 => Ok(()),
        Ok(_) => Err(ConfigError::invalid_request("Invalid negative broker ID.")),
        Err(_) => Err(ConfigError::invalid_request("Unable to parse broker name as a base 10 number.")),
    }
}

/// What features of the cluster restrict: `min.insync.replicas` under KIP-966, `cordoned.log.dirs` by KIP-1066.
pub(super) fn check_restricted(
    kind: ResourceKind,
    name: &str,
    existing: &ConfigMap,
    change: &ConfigChange,
    context: AlterContext<'_>,
) -> Result<(), ConfigError> {
    if kind != ResourceKind::Broker {
        return Ok(());
    }
    match change.name.as_str() {
        "min.insync.replicas" if context.elr_enabled && !name.is_empty() => Err(ConfigError::invalid_config(
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        )),
        "min.insync.replicas" if context.elr_enabled && change.value.is_none() => {
            Err(ConfigError::invalid_config(
                "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
            ))
        }
        "cordoned.log.dirs" if !context.cordoned_log_dirs_supported => Err(ConfigError::invalid_config(
            "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= 4.3-IV0",
        )),
        "cordoned.log.dirs" if !context.forwarded => check_cordoned_directly(existing, change),
        _ => Ok(()),
    }
}

/// A controller does not know a broker's paths, so that it lets directories only be taken off the list.
fn check_cordoned_directly(existing: &ConfigMap, change: &ConfigChange) -> Result<(), ConfigError> {
    let entries =
        |text: &str| -> Vec<String> { text.split(',').map(|entry| entry.trim().to_owned()).collect() };
    let new = change.value.as_deref().map(java::trim).unwrap_or_default();
    let current =
        existing.get("cordoned.log.dirs").map(|value| entries(java::trim(value))).unwrap_or_default();
    if new.is_empty() || entries(new).iter().all(|entry| current.contains(entry)) {
        return Ok(());
    }
    Err(ConfigError::invalid_config(
        "When updating cordoned.log.dirs via controllers,  the new value must be a subset of the current \
         configuration value.",
    ))
}

/// What of the stored dynamic values a broker uses: not what it cannot read, what cannot be changed while it
/// runs, or what only one broker may have. Returns the usable values and a warning for each kind left out.
pub fn usable_broker_configs(stored: &ConfigMap, per_broker: bool) -> (ConfigMap, Vec<String>) {
    let mut usable = stored.clone();
    let mut warnings = Vec::new();
    let whose = if per_broker { "broker" } else { "default cluster" };
    let mut leave_out = |what: &str, names_of: fn(&ConfigMap) -> Vec<String>| {
        let names = names_of(&usable);
        if !names.is_empty() {
            usable.retain(|name, _| !names.contains(name));
            warnings.push(format!("{what}: [{}]", names.join(", ")));
        }
    };
    leave_out(&format!("Dynamic {whose} config contains invalid values, which are ignored"), unreadable);
    leave_out("Non-dynamic configs are ignored", non_dynamic);
    leave_out("Security configs are ignored without the prefix of a listener", without_listener);
    if !per_broker {
        leave_out("Per-broker configs are ignored at cluster level", of_one_broker);
    }
    (usable, warnings)
}

/// The check of the broker that a change of broker keys reaches: applies the operations to what is stored for
/// the resource and looks at the whole configuration that would result. `stored` are the values of the same
/// resource (this broker's where `per_broker`, else the cluster's).
///
/// For the legacy AlterConfigs, pass an empty `stored` and only [`AlterOp::Set`].
///
/// # Errors
/// INVALID_REQUEST with Kafka's message, or INVALID_CONFIG where a list operation does not fit.
pub fn check_broker_change(
    broker: &BrokerConfig,
    per_broker: bool,
    stored: &ConfigMap,
    ops: &[AlterConfig],
) -> Result<(), ConfigError> {
    let (mut properties, _) = usable_broker_configs(stored, per_broker);
    ops.iter().try_for_each(|op| apply(&mut properties, op))?;
    check_properties(&properties, per_broker)
        .and_then(|()| check_result(broker, per_broker, properties))
        // Kafka answers so for historical reasons (KAFKA-13609).
        .map_err(|error| ConfigError::invalid_request(error.message))
}

fn apply(properties: &mut ConfigMap, op: &AlterConfig) -> Result<(), ConfigError> {
    let value = op.value.clone().unwrap_or_default();
    let value = match op.op {
        AlterOp::Delete => {
            properties.remove(&op.name);
            return Ok(());
        }
        AlterOp::Set => value,
        AlterOp::Append | AlterOp::Subtract => {
            let verb = if op.op == AlterOp::Append { "append" } else { "subtract" };
            let key = ConfigTable::Broker
                .get(&op.name)
                .ok_or_else(|| ConfigError::invalid_config(format!("Unknown config name: {}", op.name)))?;
            if key.config_type != ConfigType::List {
                let message = format!("Config value {verb} is not allowed for config key: {}", op.name);
                return Err(ConfigError::invalid_config(message));
            }
            changed_list(properties.get(&op.name), key, op.op, &value)
        }
    };
    properties.insert(op.name.clone(), value);
    Ok(())
}

fn changed_list(current: Option<&String>, key: &ConfigKey, op: AlterOp, value: &str) -> String {
    let default = match key.default {
        DefaultValue::Text(text) => text,
        DefaultValue::Null | DefaultValue::Required => "",
    };
    let current = current.map_or(default, String::as_str);
    let mut entries: Vec<&str> = if current.is_empty() { Vec::new() } else { java_split(current) };
    for entry in java_split(value) {
        let position = entries.iter().position(|existing| *existing == entry);
        match (op, position) {
            (AlterOp::Append, None) => entries.push(entry),
            (AlterOp::Subtract, Some(position)) => drop(entries.remove(position)),
            _ => {}
        }
    }
    entries.join(",")
}

/// Names and values of what shall be set dynamically.
fn check_properties(properties: &ConfigMap, per_broker: bool) -> Result<(), ConfigError> {
    let refuse_any = |what: &str, names: Vec<String>| match &names[..] {
        [] => Ok(()),
        _ => Err(ConfigError::invalid_config(format!("{what}: [{}]", names.join(", ")))),
    };
    refuse_any("Cannot update these configs dynamically", non_dynamic(properties))?;
    refuse_any(
        "These security configs can be dynamically updated only per-listener using the listener prefix",
        without_listener(properties),
    )?;
    let base_values: Vec<(&str, &str)> = properties
        .iter()
        .map(|(name, value)| (listener_base(name).unwrap_or(name), value.as_str()))
        .collect();
    for key in dynamic_keys() {
        for (_, value) in base_values.iter().filter(|(name, _)| *name == key.name) {
            key.parse(value)?;
        }
    }
    if per_broker {
        return Ok(());
    }
    refuse_any(
        "Cannot update these configs at default cluster level, broker id must be specified",
        of_one_broker(properties),
    )
}

/// The whole configuration that would result.
fn check_result(broker: &BrokerConfig, per_broker: bool, properties: ConfigMap) -> Result<(), ConfigError> {
    let (default, own) = match per_broker {
        true => (broker.dynamic_default().clone(), properties),
        false => (properties, broker.dynamic_broker().clone()),
    };
    let result = broker.with_proposed(default, own)?;
    consistency::check(&result)?;
    check_reconfiguration(broker, &result).map_err(|why| {
        // The words of Kafka, whose exception ends up where the value belongs.
        let value = format!("org.apache.kafka.common.config.ConfigException: {why}");
        ConfigError::invalid_value("Invalid dynamic configuration", &value, "")
    })
}

/// What a running broker cannot do at once, or not at all. Only what changes is looked at.
fn check_reconfiguration(old: &BrokerConfig, new: &BrokerConfig) -> Result<(), String> {
    let changes = |key: &str| old.get(key) != new.get(key);
    if let Some(key) = ["listeners", "listener.security.protocol.map"].into_iter().find(|key| changes(key)) {
        return Err(format!("{key} is read at start only; change it in the file and restart the broker"));
    }
    let known_reporter = |class: &String| class == "org.apache.kafka.common.metrics.JmxReporter";
    if changes("metric.reporters")
        && !new.list("metric.reporters").unwrap_or_default().iter().all(known_reporter)
    {
        return Err("Validation of dynamic config update of Set(metric.reporters) failed with class class \
                    kafka.server.DynamicMetricsReporters"
            .to_owned());
    }
    THREAD_POOLS.iter().try_for_each(|pool| check_pool(pool, old.int(pool), new.int(pool)))?;
    check_cleaners(old.int("log.cleaner.threads"), new.int("log.cleaner.threads"))?;
    check_connection_limits(old, new)?;
    if TOPIC_DEFAULTS.iter().any(|(_, key)| changes(key)) {
        check_local_retention(new)?;
    }
    Ok(())
}

fn check_pool(pool: &str, old: i32, new: i32) -> Result<(), String> {
    let why = match new {
        _ if new < old / 2 => format!("be at least half the current value {old}"),
        _ if i64::from(new) > i64::from(old) * 2 => {
            format!("not be greater than double the current value {old}")
        }
        _ => return Ok(()),
    };
    Err(format!("Dynamic thread count update validation failed for {pool}={new}, value should {why}"))
}

fn check_cleaners(old: i32, new: i32) -> Result<(), String> {
    if new < old / 2 {
        return Err(format!(
            "Log cleaner threads cannot be reduced to less than half the current value {old}"
        ));
    }
    if i64::from(new) > i64::from(old) * 2 {
        return Err(format!(
            "Log cleaner threads cannot be increased to more than double the current value {old}"
        ));
    }
    Ok(())
}

/// A listener that would take no connection any more, by its own limit or by the broker's.
fn check_connection_limits(old: &BrokerConfig, new: &BrokerConfig) -> Result<(), String> {
    let limit = |broker: &BrokerConfig, listener: &str, key: &str| {
        let own =
            broker.effective().get(&format!("listener.name.{}.{key}", listener.to_lowercase())).cloned();
        own.and_then(|value| java::trim(&value).parse().ok()).unwrap_or(broker.int(key))
    };
    let listeners = ListenerSettings::resolve(new).map(|settings| settings.listeners).unwrap_or_default();
    for endpoint in &listeners {
        for key in ["max.connections", "max.connection.creation.rate"] {
            let value = limit(new, &endpoint.listener, key);
            if value <= 0 && value != limit(old, &endpoint.listener, key) {
                return Err(format!("Invalid {key} {value}"));
            }
        }
    }
    Ok(())
}

fn check_local_retention(broker: &BrokerConfig) -> Result<(), String> {
    let totals = [("ms", broker.log_retention_ms()), ("bytes", broker.long("log.retention.bytes").max(-1))];
    for (unit, total) in totals {
        let key = format!("log.local.retention.{unit}");
        let local = broker.long(&key);
        if total == -1 || local == -2 {
            continue;
        }
        let invalid = |why: String| Err(ConfigError::invalid_value(&key, &local.to_string(), &why).message);
        if local == -1 {
            return invalid(format!("Value must not be -1 as log.retention.{unit} value is set as {total}."));
        }
        if local > total {
            return invalid(format!(
                "Value must not be more than log.retention.{unit} property value: {total}"
            ));
        }
    }
    Ok(())
}

/// The key of a name that can be set dynamically.
fn dynamic_key(name: &str) -> Option<&'static ConfigKey> {
    let broker_key = ConfigTable::Broker.get(name).filter(|key| key.scope != Scope::ReadOnly);
    broker_key.or_else(|| ConfigTable::BrokerQuota.get(name))
}

/// All keys that can be set dynamically, in the order in which Kafka reads them.
fn dynamic_keys() -> impl Iterator<Item = &'static ConfigKey> {
    let broker_keys = ConfigTable::Broker.keys().iter().copied().filter(|key| key.scope != Scope::ReadOnly);
    ConfigTable::BrokerQuota.keys().iter().copied().chain(broker_keys)
}

/// The names with `is_wanted`, in the order in which Kafka's messages list them.
fn names_where(properties: &ConfigMap, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let wanted = properties.keys().filter(|name| is_wanted(name));
    java::hash_map_order(wanted).into_iter().map(str::to_owned).collect()
}

fn unreadable(properties: &ConfigMap) -> Vec<String> {
    names_where(properties, |name| {
        let key = dynamic_key(listener_base(name).unwrap_or(name));
        key.is_some_and(|key| key.parse(&properties[name]).is_err())
    })
}

fn non_dynamic(properties: &ConfigMap) -> Vec<String> {
    names_where(properties, |name| {
        ConfigTable::Broker.get(name).is_some_and(|key| key.scope == Scope::ReadOnly)
    })
}

fn without_listener(properties: &ConfigMap) -> Vec<String> {
    names_where(properties, |name| LISTENER_ONLY_KEYS.contains(&name))
}

fn of_one_broker(properties: &ConfigMap) -> Vec<String> {
    names_where(properties, |name| match ConfigTable::Broker.get(name) {
        Some(key) => key.scope == Scope::PerBroker,
        None => listener_base(name).is_some_and(|base| !LISTENER_KEYS_OF_ALL_BROKERS.contains(&base)),
    })
}
