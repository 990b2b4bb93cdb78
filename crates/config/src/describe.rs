//! Answers to DescribeConfigs (KIP-133, KIP-226, KIP-569): every key of a resource with its value, where the
//! value comes from, and what else could have given it.

use crate::alter::{ResourceKind, resolve_group};
use crate::broker::{BrokerConfig, ConfigMap};
use crate::error::ConfigError;
use crate::java;
use crate::synonyms::{broker_synonyms, group_broker_key, topic_broker_key};
use crate::table::{ConfigKey, ConfigTable, DefaultValue, Scope};
use crate::topic_values::TopicValues;
use crate::value::{ConfigType, Value};

/// Where a value comes from; the numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    /// Set on the topic.
    DynamicTopic = 1,
    /// Set for this broker while it ran.
    DynamicBroker = 2,
    /// Set for all brokers while they ran.
    DynamicDefaultBroker = 3,
    /// In the broker's file, environment or command line.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// A log level set while the broker ran.
    DynamicBrokerLogger = 6,
    /// Set on the client-metrics subscription.
    ClientMetrics = 7,
    /// Set on the group.
    Group = 8,
}

/// One key of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// Its value; nothing where it has none, or where it is secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Its type.
    pub config_type: ConfigType,
    /// Whether it can be changed only by a restart.
    pub read_only: bool,
    /// Whether the value is secret; keys that no table knows are taken for secret.
    pub sensitive: bool,
    /// Every value that could count, strongest first; the first one does.
    pub synonyms: Vec<ConfigSynonym>,
    /// What the key is for.
    pub documentation: Option<&'static str>,
}

/// One of the values that could count for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key it was given for.
    pub name: String,
    /// The value; nothing where it is secret.
    pub value: Option<String>,
    /// Where it was given.
    pub source: ConfigSource,
}

/// Checks the name of a resource to be described by the broker `node_id`. Whether a topic exists, and whether its
/// name is one, is the broker's own business.
///
/// # Errors
/// INVALID_REQUEST with Kafka's message.
pub fn check_resource(kind: ResourceKind, name: &str, node_id: i32) -> Result<(), ConfigError> {
    let id = name.parse::<i32>();
    let why = match kind {
        ResourceKind::Topic => return Ok(()),
        ResourceKind::Group if name.is_empty() => "Group name must not be empty".to_owned(),
        ResourceKind::ClientMetrics if name.is_empty() => {
            "Client metrics subscription name must not be empty".to_owned()
        }
        ResourceKind::Group | ResourceKind::ClientMetrics => return Ok(()),
        ResourceKind::Broker if name.is_empty() => return Ok(()),
        ResourceKind::BrokerLogger if name.is_empty() => "Broker id must not be empty".to_owned(),
        ResourceKind::Broker | ResourceKind::BrokerLogger => match id {
            Ok(id) if id == node_id => return Ok(()),
            Ok(_) if kind == ResourceKind::Broker => {
                format!("Unexpected broker id, expected {node_id} or empty string, but received {name}")
            }
            Ok(_) => format!("Unexpected broker id, expected {node_id} but received {name}"),
            Err(_) => format!("Broker id must be an integer, but it is: {name}"),
        },
    };
    Err(ConfigError::invalid_request(why))
}

/// All keys of a topic. `topic` are the values set on it.
///
/// # Errors
/// INVALID_CONFIG where a stored value cannot be read.
pub fn describe_topic(broker: &BrokerConfig, topic: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
    let values = TopicValues::resolve(broker, topic)?;
    let value = |key: &ConfigKey| values.get(key.name).map(Value::to_config_string);
    let synonyms = |key: &ConfigKey, value: &Option<String>| {
        let own = topic
            .contains_key(key.name)
            .then(|| synonym(key.name, value.clone(), ConfigSource::DynamicTopic));
        let inherited =
            topic_broker_key(key.name).map(|name| broker_layers(broker, name)).unwrap_or_default();
        own.into_iter().chain(inherited).collect()
    };
    Ok(describe_table(ConfigTable::Topic, topic, value, synonyms))
}

/// All keys of this broker.
pub fn describe_broker(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let effective = broker.effective();
    let is_listed = |name: &&str| ConfigTable::Broker.get(name).is_some_and(|key| !key.internal);
    let others = java::hash_map_order(effective.keys()).into_iter().filter(|name| !is_listed(name));
    let others = others.map(|name| describe_broker_key(broker, name, effective.get(name).cloned(), true));
    let listed: Vec<String> = listed_names(ConfigTable::Broker);
    let listed = java::hash_map_order(&listed)
        .into_iter()
        .map(|name| describe_broker_key(broker, name, broker.get(name).map(Value::to_config_string), true));
    others.chain(listed).collect()
}

/// The keys set for all brokers while they ran.
pub fn describe_cluster(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let set = broker.dynamic_default();
    let entry = |name| describe_broker_key(broker, name, set.get(name).cloned(), false);
    java::hash_map_order(set.keys()).into_iter().map(entry).collect()
}

/// All keys of a group. `group` are the values set on it.
///
/// # Errors
/// INVALID_CONFIG where a stored value cannot be read.
pub fn describe_group(broker: &BrokerConfig, group: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
    let values = resolve_group(broker, group)?;
    let value = |key: &ConfigKey| {
        let position = ConfigTable::Group.position(key.name).expect("the key comes from the table");
        values[position].as_ref().map(Value::to_config_string)
    };
    let synonyms = |key: &ConfigKey, value: &Option<String>| {
        let own = group.contains_key(key.name).then(|| synonym(key.name, value.clone(), ConfigSource::Group));
        let inherited = match (group_broker_key(key.name), key.default) {
            (Some(name), _) => broker_layers(broker, name),
            (None, DefaultValue::Text(text)) => {
                vec![synonym(key.name, Some(text.to_owned()), ConfigSource::Default)]
            }
            (None, _) => Vec::new(),
        };
        own.into_iter().chain(inherited).collect()
    };
    Ok(describe_table(ConfigTable::Group, group, value, synonyms))
}

/// All keys of a client-metrics subscription. `subscription` are the values set on it.
///
/// # Errors
/// INVALID_CONFIG where a stored value cannot be read.
pub fn describe_client_metrics(subscription: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
    for key in ConfigTable::ClientMetrics.keys() {
        subscription.get(key.name).map(|text| key.parse(text)).transpose()?;
    }
    let value = |key: &ConfigKey| {
        let set = subscription.get(key.name).and_then(|text| key.parse(text).ok());
        set.or_else(|| key.default_value().ok().flatten()).as_ref().map(Value::to_config_string)
    };
    let synonyms = |key: &ConfigKey, value: &Option<String>| {
        let own = subscription.contains_key(key.name);
        own.then(|| synonym(key.name, value.clone(), ConfigSource::ClientMetrics)).into_iter().collect()
    };
    Ok(describe_table(ConfigTable::ClientMetrics, subscription, value, synonyms))
}

/// The configs of a topic as CreateTopics v5+ answers them (KIP-525): sorted by name, without synonyms, and with
/// a broker's hours and minutes already counted as the source of a value in milliseconds. `topic` are the values
/// set on it; `broker` is the controller.
pub fn describe_created_topic(broker: &BrokerConfig, topic: &ConfigMap) -> Vec<ConfigEntry> {
    let shown = |key: &&&ConfigKey| !key.internal || topic.contains_key(key.name);
    let mut entries: Vec<ConfigEntry> = ConfigTable::Topic
        .keys()
        .iter()
        .filter(shown)
        .map(|key| {
            let (value, source) = created_value(broker, topic, key);
            entry(key, value, source, false, Vec::new())
        })
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// The text of a topic's value as it was written, and where. Kafka's controller looks through the layers by
/// itself here, and does not stop at keys of other units as DescribeConfigs does.
fn created_value(
    broker: &BrokerConfig,
    topic: &ConfigMap,
    key: &ConfigKey,
) -> (Option<String>, ConfigSource) {
    if let Some(value) = topic.get(key.name) {
        return (Some(value.clone()), ConfigSource::DynamicTopic);
    }
    let names = topic_broker_key(key.name).map(|name| broker_synonyms(name, false)).unwrap_or_default();
    for (layer, source) in layers(broker) {
        let found = names.iter().find_map(|name| layer.get(*name).map(|value| to_milliseconds(name, value)));
        if found.is_some() {
            return (found, source);
        }
    }
    let default = key.default_value().ok().flatten();
    (default.as_ref().map(Value::to_config_string), ConfigSource::Default)
}

/// A value of `log.retention.hours` and the like as one of `log.retention.ms`.
fn to_milliseconds(name: &str, value: &str) -> String {
    let unit = match name {
        name if name.ends_with(".hours") => 3_600_000,
        name if name.ends_with(".minutes") => 60_000,
        _ => return value.to_owned(),
    };
    (java::trim(value).parse::<i32>().map_or(0, i64::from) * unit).to_string()
}

/// The entries of a table: first the internal keys that were set, then all others, in the order of Java's maps.
fn describe_table(
    table: ConfigTable,
    own: &ConfigMap,
    value: impl Fn(&ConfigKey) -> Option<String>,
    synonyms: impl Fn(&ConfigKey, &Option<String>) -> Vec<ConfigSynonym>,
) -> Vec<ConfigEntry> {
    let is_internal = |name: &&String| table.get(name).is_some_and(|key| key.internal);
    let internal: Vec<String> = own.keys().filter(is_internal).cloned().collect();
    let listed = listed_names(table);
    let names = java::hash_map_order(&internal).into_iter().chain(java::hash_map_order(&listed));
    names
        .filter_map(|name| table.get(name))
        .map(|key| {
            let value = value(key);
            let synonyms = synonyms(key, &value);
            let source = synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source);
            entry(key, value, source, false, synonyms)
        })
        .collect()
}

/// The names of the keys that are always shown, in the order in which Kafka puts them into its map.
fn listed_names(table: ConfigTable) -> Vec<String> {
    table.keys().iter().filter(|key| !key.internal).map(|key| key.name.to_owned()).collect()
}

/// One broker key. For the cluster's entry only what was set for all brokers is a synonym.
fn describe_broker_key(
    broker: &BrokerConfig,
    name: &str,
    value: Option<String>,
    all_layers: bool,
) -> ConfigEntry {
    let mut synonyms = broker_layers(broker, name);
    synonyms.retain(|synonym| all_layers || synonym.source == ConfigSource::DynamicDefaultBroker);
    let source = synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source);
    let key = known_key(name);
    let sensitive = key.is_none_or(ConfigKey::is_sensitive);
    ConfigEntry {
        name: name.to_owned(),
        value: value.filter(|_| !sensitive),
        source,
        config_type: key.map_or(ConfigType::Unknown, |key| key.config_type),
        // A listener's form of a key counts as read-only even where it can be changed.
        read_only: exact_key(name).is_none_or(|key| key.scope == Scope::ReadOnly),
        sensitive,
        synonyms,
        documentation: exact_key(name).map(|key| key.documentation),
    }
}

fn exact_key(name: &str) -> Option<&'static ConfigKey> {
    ConfigTable::Broker.get(name).or_else(|| ConfigTable::BrokerQuota.get(name))
}

/// The key of a name, or the key that a listener's form of it stands for.
fn known_key(name: &str) -> Option<&'static ConfigKey> {
    exact_key(name)
        .or_else(|| broker_synonyms(name, true).into_iter().find_map(|name| ConfigTable::Broker.get(name)))
}

/// Everything that could give a broker key its value, strongest first: all dynamic values of this broker, all of
/// the cluster, all of the file, all defaults. What stands before the key's own name is dropped: it is another
/// key's value, converted.
fn broker_layers(broker: &BrokerConfig, name: &str) -> Vec<ConfigSynonym> {
    let names = broker_synonyms(name, true);
    let sensitive = known_key(name).is_none_or(ConfigKey::is_sensitive);
    let hide = |value: String| (!sensitive).then_some(value);
    let set = layers(broker).into_iter().flat_map(|(layer, source)| {
        names.iter().filter_map(move |name| layer.get(*name).map(|value| (*name, value.clone(), source)))
    });
    let defaults = names.iter().filter_map(|name| {
        let default = ConfigTable::Broker.get(name)?.default_value().ok().flatten()?;
        Some((*name, default.to_config_string(), ConfigSource::Default))
    });
    let all = set.chain(defaults).skip_while(|(other, ..)| *other != name);
    all.map(|(name, value, source)| synonym(name, hide(value), source)).collect()
}

/// The layers that hold what was set, strongest first.
fn layers(broker: &BrokerConfig) -> [(&ConfigMap, ConfigSource); 3] {
    [
        (broker.dynamic_broker(), ConfigSource::DynamicBroker),
        (broker.dynamic_default(), ConfigSource::DynamicDefaultBroker),
        (broker.statics(), ConfigSource::StaticBroker),
    ]
}

fn synonym(name: &str, value: Option<String>, source: ConfigSource) -> ConfigSynonym {
    ConfigSynonym { name: name.to_owned(), value, source }
}

fn entry(
    key: &ConfigKey,
    value: Option<String>,
    source: ConfigSource,
    read_only: bool,
    synonyms: Vec<ConfigSynonym>,
) -> ConfigEntry {
    let sensitive = key.is_sensitive();
    ConfigEntry {
        name: key.name.to_owned(),
        value: value.filter(|_| !sensitive),
        source,
        config_type: key.config_type,
        read_only,
        sensitive,
        synonyms,
        documentation: Some(key.documentation),
    }
}
