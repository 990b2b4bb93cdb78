//! The rules of client-metrics subscriptions (KIP-714).

use regex::Regex;

use crate::broker::ConfigMap;
use crate::error::ConfigError;
use crate::java;
use crate::table::ConfigTable;
use crate::value::Value;

/// What a client can be matched by.
const MATCH_KEYS: &[&str] = &[
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

pub(super) fn validate(subscription: &str, configs: &ConfigMap) -> Result<(), ConfigError> {
    if subscription.is_empty() {
        return Err(ConfigError::invalid_request("Subscription name can't be empty"));
    }
    let mut unknown = java::hash_map_order(configs.keys()).into_iter();
    if let Some(name) = unknown.find(|name| ConfigTable::ClientMetrics.get(name).is_none()) {
        return Err(ConfigError::invalid_request(format!("Unknown client metrics configuration: {name}")));
    }
    let mut patterns = Vec::new();
    let mut interval_ms = None;
    for key in ConfigTable::ClientMetrics.keys() {
        match (key.name, configs.get(key.name).map(|text| key.parse(text)).transpose()?) {
            ("interval.ms", Some(Value::Int(value))) => interval_ms = Some(value),
            ("match", Some(Value::List(entries))) => patterns = entries,
            _ => {}
        }
    }
    if let Some(value) = interval_ms.filter(|value| !(100..=3_600_000).contains(value)) {
        return Err(ConfigError::invalid_request(format!(
            "Invalid value {value} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        )));
    }
    patterns.iter().try_for_each(|pattern| check_pattern(pattern))
}

/// `name=regular expression`. Expressions are of this crate's flavour: what Java has beyond regular languages
/// (look-around, back references) is refused like a syntax error.
fn check_pattern(pattern: &str) -> Result<(), ConfigError> {
    let parts: Vec<&str> = pattern.trim_end_matches('=').split('=').collect();
    let is_valid = match parts[..] {
        [key, expression] => {
            MATCH_KEYS.contains(&java::trim(key)) && Regex::new(java::trim(expression)).is_ok()
        }
        _ => false,
    };
    if is_valid {
        return Ok(());
    }
    Err(ConfigError::invalid_config(format!("Illegal client matching pattern: {pattern}")))
}
