//! Changes of configuration asked for by clients: what AlterConfigs, IncrementalAlterConfigs and CreateTopics
//! may set, and which records follow. Pure: the existing values come in, the changes go out.
//!
//! Kafka checks twice. The broker that a request reaches looks at its shape and, for broker resources, at the
//! whole configuration that would result ([`check_operations`], [`check_broker_change`]); the controller then
//! applies the operations to what is stored and validates the result ([`incremental_alter`], [`legacy_alter`],
//! [`create_topic_configs`]). The name of a topic, and whether the topic exists, is the controller's own business.

mod broker;
mod client_metrics;
mod group;
mod topic;

pub use broker::{check_broker_change, check_broker_name, usable_broker_configs};
pub(crate) use group::resolve as resolve_group;
pub use topic::validate_topic_configs;

use crate::broker::{BrokerConfig, ConfigMap};
use crate::error::ConfigError;
use crate::table::{ConfigTable, DefaultValue};
use crate::value::ConfigType;

/// What kind of thing has a configuration; the numbers are those of the wire and of `ConfigRecord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ResourceKind {
    /// A topic, by name.
    Topic = 2,
    /// A broker by id, or all brokers where the name is empty.
    Broker = 4,
    /// The log levels of a broker (KIP-412); never in the metadata log.
    BrokerLogger = 8,
    /// A client-metrics subscription, by name (KIP-714).
    ClientMetrics = 16,
    /// A group, by id (KIP-848).
    Group = 32,
}

impl ResourceKind {
    /// The kind of a number from the wire.
    pub fn from_id(id: i8) -> Option<ResourceKind> {
        [
            ResourceKind::Topic,
            ResourceKind::Broker,
            ResourceKind::BrokerLogger,
            ResourceKind::ClientMetrics,
            ResourceKind::Group,
        ]
        .into_iter()
        .find(|kind| *kind as i8 == id)
    }

    /// The number on the wire.
    pub fn id(self) -> i8 {
        self as i8
    }

    /// Kafka's name, as messages print it.
    pub fn name(self) -> &'static str {
        match self {
            ResourceKind::Topic => "TOPIC",
            ResourceKind::Broker => "BROKER",
            ResourceKind::BrokerLogger => "BROKER_LOGGER",
            ResourceKind::ClientMetrics => "CLIENT_METRICS",
            ResourceKind::Group => "GROUP",
        }
    }
}

/// One operation of IncrementalAlterConfigs (KIP-339); the numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum AlterOp {
    /// Give the key this value.
    Set = 0,
    /// Forget the key's value.
    Delete = 1,
    /// Add entries to a list.
    Append = 2,
    /// Take entries out of a list.
    Subtract = 3,
}

impl AlterOp {
    /// The operation of a number from the wire.
    ///
    /// # Errors
    /// INVALID_REQUEST where there is none. So does Kafka answer for brokers; for other resources its controller
    /// stumbles, and answers UNKNOWN_SERVER_ERROR without a message.
    pub fn from_id(id: i8) -> Result<AlterOp, ConfigError> {
        match id {
            0 => Ok(AlterOp::Set),
            1 => Ok(AlterOp::Delete),
            2 => Ok(AlterOp::Append),
            3 => Ok(AlterOp::Subtract),
            _ => Err(ConfigError::invalid_request(format!("Unknown operations type {id}"))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            AlterOp::Set => "SET",
            AlterOp::Delete => "DELETE",
            AlterOp::Append => "APPEND",
            AlterOp::Subtract => "SUBTRACT",
        }
    }
}

/// One key, what to do with it, and the value (nothing for [`AlterOp::Delete`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterConfig {
    /// The key.
    pub name: String,
    /// What to do.
    pub op: AlterOp,
    /// With which value.
    pub value: Option<String>,
}

/// A `ConfigRecord` to write: a new value, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The key.
    pub name: String,
    /// Its value from now on; nothing removes it.
    pub value: Option<String>,
}

/// What the rules depend on besides the values themselves.
#[derive(Clone, Copy, Debug)]
pub struct AlterContext<'a> {
    /// The controller's own configuration: topics and groups take their defaults and bounds from it.
    pub broker: &'a BrokerConfig,
    /// Whether eligible leader replicas (KIP-966) are finalized: `min.insync.replicas` is then restricted.
    pub elr_enabled: bool,
    /// Whether the finalized metadata version knows `cordoned.log.dirs` (4.3-IV0, KIP-1066).
    pub cordoned_log_dirs_supported: bool,
    /// Whether a broker has forwarded the request, and so has checked broker resources before.
    pub forwarded: bool,
}

/// The longest value that a record can hold, in characters.
const VALUE_LENGTH_MAX: usize = i16::MAX as usize;

/// Checks the shape of a request for one resource: no key twice, a value wherever one is needed. `ops` are name,
/// whether the operation is a deletion, and value; the legacy AlterConfigs has no deletions.
///
/// # Errors
/// INVALID_REQUEST with Kafka's message.
pub fn check_operations<'a>(
    ops: impl IntoIterator<Item = (&'a str, bool, Option<&'a str>)> + Clone,
) -> Result<(), ConfigError> {
    let mut names: Vec<&str> = ops.clone().into_iter().map(|(name, ..)| name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    if names.len() != count {
        return Err(ConfigError::invalid_request("Error due to duplicate config keys"));
    }
    let lacks_value =
        |(name, deletes, value): (&'a str, bool, Option<&str>)| (!deletes && value.is_none()).then_some(name);
    let nulls: Vec<&str> = ops.into_iter().filter_map(lacks_value).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(ConfigError::invalid_request(format!("Null value not supported for : {}", nulls.join(", "))))
}

/// Applies the operations of IncrementalAlterConfigs to the stored values of one resource, validates what comes
/// out, and returns the records to write. Broker resources get a record even where nothing changes, because
/// brokers reload key stores on it.
///
/// # Errors
/// INVALID_CONFIG or INVALID_REQUEST with Kafka's message; then nothing may be written.
pub fn incremental_alter(
    kind: ResourceKind,
    name: &str,
    existing: &ConfigMap,
    ops: &[AlterConfig],
    context: AlterContext<'_>,
) -> Result<Vec<ConfigChange>, ConfigError> {
    let mut changes = Vec::with_capacity(ops.len());
    for op in ops {
        let current = existing.get(&op.name);
        let value = match op.op {
            AlterOp::Set => op.value.clone(),
            AlterOp::Delete => None,
            AlterOp::Append | AlterOp::Subtract => Some(alter_list(kind, current, op)?),
        };
        if current != value.as_ref() || kind == ResourceKind::Broker {
            changes.push(ConfigChange { name: op.name.clone(), value });
        }
    }
    validate(kind, name, existing, &changes, context)?;
    Ok(changes)
}

/// Replaces all values of a resource (AlterConfigs): `new` is everything that shall be set afterwards.
///
/// # Errors
/// As [`incremental_alter`].
pub fn legacy_alter(
    kind: ResourceKind,
    name: &str,
    existing: &ConfigMap,
    new: &[(String, Option<String>)],
    context: AlterContext<'_>,
) -> Result<Vec<ConfigChange>, ConfigError> {
    let is_new = |(key, value): &&(String, Option<String>)| {
        existing.get(key) != value.as_ref() || kind == ResourceKind::Broker
    };
    let set = new
        .iter()
        .filter(is_new)
        .map(|(key, value)| ConfigChange { name: key.clone(), value: value.clone() });
    let gone = existing.keys().filter(|key| !new.iter().any(|(new_key, _)| new_key == *key));
    let changes: Vec<ConfigChange> =
        set.chain(gone.map(|key| ConfigChange { name: key.clone(), value: None })).collect();
    validate(kind, name, existing, &changes, context)?;
    Ok(changes)
}

/// Validates the configs of a topic to be created and returns the records to write.
///
/// # Errors
/// INVALID_CONFIG with Kafka's message.
pub fn create_topic_configs(
    topic: &str,
    requested: &[(String, Option<String>)],
    context: AlterContext<'_>,
) -> Result<Vec<ConfigChange>, ConfigError> {
    let nulls: Vec<&str> =
        requested.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(ConfigError::invalid_config(message));
    }
    // The last value of a key counts; validation must not see an earlier one.
    let latest: ConfigMap =
        requested.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    if latest.is_empty() {
        return Ok(Vec::new());
    }
    let changes: Vec<ConfigChange> =
        latest.into_iter().map(|(name, value)| ConfigChange { name, value: Some(value) }).collect();
    validate(ResourceKind::Topic, topic, &ConfigMap::new(), &changes, context)?;
    Ok(changes)
}

/// The list of a key with the entries of `op` added or taken out. A list that is not stored starts from the
/// default. Entries are taken as they are, with the white space around them.
fn alter_list(kind: ResourceKind, current: Option<&String>, op: &AlterConfig) -> Result<String, ConfigError> {
    // Only broker and topic lists can be altered by entry.
    let table = match kind {
        ResourceKind::Broker => Some(ConfigTable::Broker),
        ResourceKind::Topic => Some(ConfigTable::Topic),
        _ => None,
    };
    let key = table.and_then(|table| table.get(&op.name)).filter(|key| key.config_type == ConfigType::List);
    let Some(key) = key else {
        let message = format!("Can't {} to key {} because its type is not LIST.", op.op.name(), op.name);
        return Err(ConfigError::invalid_config(message));
    };
    let default = match key.default {
        DefaultValue::Text(text) => text,
        DefaultValue::Null | DefaultValue::Required => "",
    };
    let stored = current.map_or(default, String::as_str);
    let mut entries: Vec<&str> = stored.split(',').filter(|entry| !entry.is_empty()).collect();
    for entry in java_split(op.value.as_deref().unwrap_or_default()) {
        let position = entries.iter().position(|existing| *existing == entry);
        match (op.op, position) {
            (AlterOp::Append, None) => entries.push(entry),
            (AlterOp::Subtract, Some(position)) => {
                entries.remove(position);
            }
            _ => {}
        }
    }
    Ok(entries.join(","))
}

/// `String.split(",")`: empty parts at the end are dropped, but the whole of an empty text is one part.
fn java_split(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(',').collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    if parts == [""] && !text.is_empty() { Vec::new() } else { parts }
}

/// What the controller refuses, for any kind of resource.
fn validate(
    kind: ResourceKind,
    name: &str,
    existing: &ConfigMap,
    changes: &[ConfigChange],
    context: AlterContext<'_>,
) -> Result<(), ConfigError> {
    let mut all = existing.clone();
    for change in changes {
        broker::check_restricted(kind, name, existing, change, context)?;
        match &change.value {
            None => {
                all.remove(&change.name);
            }
            Some(value) if value.encode_utf16().count() > VALUE_LENGTH_MAX => {
                return Err(ConfigError::invalid_config(format!(
                    "The configuration value cannot be added because it exceeds the maximum value size of \
                     {VALUE_LENGTH_MAX} bytes."
                )));
            }
            Some(value) => {
                all.insert(change.name.clone(), value.clone());
            }
        }
    }
    match kind {
        ResourceKind::Topic if name.is_empty() => {
            Err(ConfigError::invalid_request("Default topic resources are not allowed."))
        }
        ResourceKind::Topic => validate_topic_configs(context.broker, existing, &all),
        ResourceKind::Broker => broker::validate_name(name),
        ResourceKind::ClientMetrics => client_metrics::validate(name, &all),
        ResourceKind::Group => group::validate(context.broker, name, &all),
        ResourceKind::BrokerLogger => {
            Err(ConfigError::invalid_request(format!("Unknown resource type {}", kind.name())))
        }
    }
}
