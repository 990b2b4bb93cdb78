//! The rules of topic configs, alone and against one another.

use crate::broker::{BrokerConfig, ConfigMap};
use crate::error::ConfigError;
use crate::java;
use crate::table::ConfigTable;
use crate::topic_values::TopicValues;

/// Checks everything that shall be set on a topic: names, values, and values against one another and against the
/// broker's defaults. `existing` is what was set before (nothing for a new topic).
///
/// # Errors
/// INVALID_CONFIG with Kafka's message.
pub fn validate_topic_configs(
    broker: &BrokerConfig,
    existing: &ConfigMap,
    new: &ConfigMap,
) -> Result<(), ConfigError> {
    let mut unknown = java::hash_map_order(new.keys()).into_iter();
    if let Some(name) = unknown.find(|name| ConfigTable::Topic.get(name).is_none()) {
        return Err(ConfigError::invalid_config(format!("Unknown topic config name: {name}")));
    }
    let values = TopicValues::resolve(broker, new)?;
    check_compaction_lag(&values)?;
    if values.boolean("remote.storage.enable") {
        check_remote_storage(broker, &values)
    } else {
        check_remote_storage_turned_off(existing, &values)
    }
}

fn check_compaction_lag(values: &TopicValues) -> Result<(), ConfigError> {
    let (min, max) = (values.long("min.compaction.lag.ms"), values.long("max.compaction.lag.ms"));
    if min <= max {
        return Ok(());
    }
    Err(ConfigError::invalid_config(format!(
        "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
    )))
}

/// KIP-405: a topic with remote storage needs a broker that has one, deletes only, and keeps no more locally
/// than altogether.
fn check_remote_storage(broker: &BrokerConfig, values: &TopicValues) -> Result<(), ConfigError> {
    if !broker.boolean("remote.log.storage.system.enable") {
        return Err(ConfigError::invalid_config(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log \
             storage.",
        ));
    }
    if values.list("cleanup.policy").iter().any(|policy| policy != "delete") {
        return Err(ConfigError::invalid_config(
            "Remote log storage only supports topics with cleanup.policy=delete or cleanup.policy being an empty \
             list.",
        ));
    }
    check_local_retention(values, "bytes")?;
    check_local_retention(values, "ms")?;
    if !values.boolean("remote.log.copy.disable") {
        return Ok(());
    }
    for unit in ["bytes", "ms"] {
        let local = values.long(&format!("local.retention.{unit}"));
        if local != -2 && local != values.long(&format!("retention.{unit}")) {
            return Err(ConfigError::invalid_config(format!(
                "When `remote.log.copy.disable` is set to true, the `local.retention.{unit}` and \
                 `retention.{unit}` must be set to the identical value because there will be no more logs copied \
                 to the remote storage."
            )));
        }
    }
    Ok(())
}

fn check_local_retention(values: &TopicValues, unit: &str) -> Result<(), ConfigError> {
    let (total_key, local_key) = (format!("retention.{unit}"), format!("local.retention.{unit}"));
    let (total, local) = (values.long(&total_key), values.long(&local_key));
    // Less than -1 bytes is unlimited too, while milliseconds have no such values.
    let is_limited = if unit == "bytes" { total > -1 } else { total != -1 };
    let why = match local {
        _ if !is_limited => return Ok(()),
        -2 => return Ok(()),
        -1 => format!("Value must not be -1 as {total_key} value is set as {total}."),
        local if local > total => format!("Value must not be more than {total_key} property value: {total}"),
        _ => return Ok(()),
    };
    Err(ConfigError::invalid_value(&local_key, &local.to_string(), &why))
}

fn check_remote_storage_turned_off(existing: &ConfigMap, values: &TopicValues) -> Result<(), ConfigError> {
    let was_enabled =
        existing.get("remote.storage.enable").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if !was_enabled || values.boolean("remote.log.delete.on.disable") {
        return Ok(());
    }
    Err(ConfigError::invalid_config(
        "It is invalid to disable remote storage without deleting remote data. If you want to keep the remote data \
         and turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If you want \
         to disable remote storage and delete all remote data, please set \
         `remote.storage.enable=false,remote.log.delete.on.disable=true`.",
    ))
}
