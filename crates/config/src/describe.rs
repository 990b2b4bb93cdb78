//! Answers to DescribeConfigs (KIP-133, KIP-226, KIP-569): every key of a resource with its value, where the
//! value comes from, and what else could have given it.

use crate::alter::ResourceKind;
use crate::broker::{BrokerConfig, ConfigMap};
use crate::error::ConfigError;
use crate::value::ConfigType;

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

/// All keys of a topic. `topic` are the values set on it.
///
/// # Errors
/// INVALID_CONFIG where a stored value cannot be read.
pub fn describe_topic(broker: &BrokerConfig, topic: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
    let _ = (broker, topic);
    Ok(Vec::new())
}

/// All keys of this broker.
pub fn describe_broker(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let _ = broker;
    Vec::new()
}

/// The keys set for all brokers while they ran.
pub fn describe_cluster(broker: &BrokerConfig) -> Vec<ConfigEntry> {
    let _ = broker;
    Vec::new()
}

/// All keys of a group. `group` are the values set on it.
///
/// # Errors
/// INVALID_CONFIG where a stored value cannot be read.
pub fn describe_group(broker: &BrokerConfig, group: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
    let _ = (broker, group, ResourceKind::Group);
    Ok(Vec::new())
}

/// All keys of a client-metrics subscription. `subscription` are the values set on it.
///
/// # Errors
/// INVALID_CONFIG where a stored value cannot be read.
pub fn describe_client_metrics(subscription: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
    let _ = subscription;
    Ok(Vec::new())
}

/// The configs of a topic as CreateTopics v5+ answers them (KIP-525): sorted by name, without synonyms, and with
/// a broker's hours and minutes already counted as the source of a value in milliseconds. `topic` are the values
/// set on it; `broker` is the controller.
pub fn describe_created_topic(broker: &BrokerConfig, topic: &ConfigMap) -> Vec<ConfigEntry> {
    let _ = (broker, topic);
    Vec::new()
}
