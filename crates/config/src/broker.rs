//! One broker's configuration: what its file said, what was changed while it ran, and the values that follow.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::ConfigError;
use crate::synonyms::{GROUP_DEFAULTS, TOPIC_DEFAULTS, broker_synonyms};
use crate::table::ConfigTable;
use crate::value::Value;

/// Names and values as they are written in a file or kept in metadata records.
pub type ConfigMap = BTreeMap<String, String>;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// The configuration of one broker (or controller) with all of its layers. A value is immutable; a dynamic
/// change makes a new one ([`BrokerConfig::with_dynamic`]).
#[derive(Clone)]
pub struct BrokerConfig {
    statics: ConfigMap,
    dynamic_default: ConfigMap,
    dynamic_broker: ConfigMap,
    /// By position in the broker table.
    values: Vec<Option<Value>>,
}

impl BrokerConfig {
    /// The configuration of a file's properties, nothing changed yet. `node.id` and `broker.id` fill each other in.
    ///
    /// # Errors
    /// INVALID_CONFIG with Kafka's message about the first wrong value, in the order of the table.
    pub fn new(mut statics: ConfigMap) -> Result<BrokerConfig, ConfigError> {
        fill_in(&mut statics, "node.id", "broker.id");
        fill_in(&mut statics, "broker.id", "node.id");
        let values = parse_all(&statics)?;
        Ok(BrokerConfig {
            statics,
            dynamic_default: ConfigMap::new(),
            dynamic_broker: ConfigMap::new(),
            values,
        })
    }

    /// The same broker with other dynamic values: those of the whole cluster, and those of this broker.
    /// They are taken as given, but for assignment intervals, which are brought into the bounds that the file sets;
    /// [`crate::alter::usable_broker_configs`] removes what Kafka would ignore.
    ///
    /// # Errors
    /// INVALID_CONFIG with Kafka's message about the first wrong value.
    pub fn with_dynamic(
        &self,
        dynamic_default: ConfigMap,
        dynamic_broker: ConfigMap,
    ) -> Result<BrokerConfig, ConfigError> {
        let mut broker = self.with_proposed(dynamic_default, dynamic_broker)?;
        broker.clamp_assignment_intervals();
        Ok(broker)
    }

    /// As [`BrokerConfig::with_dynamic`], with every value as it was asked for: a proposal to be checked.
    pub(crate) fn with_proposed(
        &self,
        dynamic_default: ConfigMap,
        dynamic_broker: ConfigMap,
    ) -> Result<BrokerConfig, ConfigError> {
        let mut effective = self.statics.clone();
        override_all(&mut effective, &dynamic_default);
        override_all(&mut effective, &dynamic_broker);
        let values = parse_all(&effective)?;
        Ok(BrokerConfig { statics: self.statics.clone(), dynamic_default, dynamic_broker, values })
    }

    /// What the file, the environment and the command line said.
    pub fn statics(&self) -> &ConfigMap {
        &self.statics
    }

    /// What was set for all brokers while they ran.
    pub fn dynamic_default(&self) -> &ConfigMap {
        &self.dynamic_default
    }

    /// What was set for this broker while it ran.
    pub fn dynamic_broker(&self) -> &ConfigMap {
        &self.dynamic_broker
    }

    /// The properties that count now: static ones with the dynamic ones over them. Where a dynamic key has
    /// synonyms, theirs are gone: `log.retention.ms` set while running beats a file's `log.retention.hours`,
    /// and the other way round.
    pub fn effective(&self) -> ConfigMap {
        let mut effective = self.statics.clone();
        override_all(&mut effective, &self.dynamic_default);
        override_all(&mut effective, &self.dynamic_broker);
        effective
    }

    /// The value of a key; nothing where it has none. The key must be in the table.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let position = ConfigTable::Broker.position(name);
        let position = position.unwrap_or_else(|| panic!("{name} is not in the table of broker keys"));
        self.values[position].as_ref()
    }

    /// Whether somebody set the key, as opposed to its default.
    pub fn is_set(&self, name: &str) -> bool {
        [&self.statics, &self.dynamic_default, &self.dynamic_broker]
            .iter()
            .any(|layer| layer.contains_key(name))
    }

    /// The value of a BOOLEAN key.
    pub fn boolean(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Boolean(value)) => *value,
            other => panic!("{name} is no BOOLEAN with a default: {other:?}"),
        }
    }

    /// The value of an INT or SHORT key that has a default.
    pub fn int(&self, name: &str) -> i32 {
        self.optional_int(name).unwrap_or_else(|| panic!("{name} has no value"))
    }

    /// The value of an INT or SHORT key.
    pub fn optional_int(&self, name: &str) -> Option<i32> {
        match self.get(name)? {
            Value::Int(value) => Some(*value),
            Value::Short(value) => Some(i32::from(*value)),
            other => panic!("{name} is neither INT nor SHORT: {other:?}"),
        }
    }

    /// The value of a LONG key that has a default.
    pub fn long(&self, name: &str) -> i64 {
        self.optional_long(name).unwrap_or_else(|| panic!("{name} has no value"))
    }

    /// The value of a LONG key.
    pub fn optional_long(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Long(value) => Some(*value),
            other => panic!("{name} is no LONG: {other:?}"),
        }
    }

    /// The value of a DOUBLE key.
    pub fn double(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Double(value)) => *value,
            other => panic!("{name} is no DOUBLE with a default: {other:?}"),
        }
    }

    /// The value of a STRING or CLASS key, nothing where it has none.
    pub fn string(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::String(value) | Value::Class(value) => Some(value),
            other => panic!("{name} is neither STRING nor CLASS: {other:?}"),
        }
    }

    /// The value of a LIST key, nothing where it has none.
    pub fn list(&self, name: &str) -> Option<&[String]> {
        match self.get(name)? {
            Value::List(values) => Some(values),
            other => panic!("{name} is no LIST: {other:?}"),
        }
    }

    /// How long a log keeps its records, in milliseconds; -1 means for ever.
    pub fn log_retention_ms(&self) -> i64 {
        let minutes =
            || self.optional_int("log.retention.minutes").map(|minutes| i64::from(minutes) * MINUTE_MS);
        let hours = || i64::from(self.int("log.retention.hours")) * HOUR_MS;
        self.optional_long("log.retention.ms").or_else(minutes).unwrap_or_else(hours).max(-1)
    }

    /// After how many milliseconds a segment is closed though it is not full.
    pub fn log_roll_ms(&self) -> i64 {
        let hours = || i64::from(self.int("log.roll.hours")) * HOUR_MS;
        self.optional_long("log.roll.ms").unwrap_or_else(hours)
    }

    /// By how many milliseconds at most that time is shortened at random.
    pub fn log_roll_jitter_ms(&self) -> i64 {
        let hours = || i64::from(self.int("log.roll.jitter.hours")) * HOUR_MS;
        self.optional_long("log.roll.jitter.ms").unwrap_or_else(hours)
    }

    /// After how many milliseconds records are fsynced.
    pub fn log_flush_interval_ms(&self) -> i64 {
        let scheduler = || self.long("log.flush.scheduler.interval.ms");
        self.optional_long("log.flush.interval.ms").unwrap_or_else(scheduler)
    }

    /// The directories of the logs.
    pub fn log_dirs(&self) -> &[String] {
        self.list("log.dirs").or_else(|| self.list("log.dir")).unwrap_or_default()
    }

    /// The rate of a quota that exists only dynamically (`leader.replication.throttled.rate` and its like), in
    /// bytes per second: this broker's, else the cluster's, else no limit.
    pub fn quota(&self, name: &str) -> i64 {
        let key =
            ConfigTable::BrokerQuota.get(name).unwrap_or_else(|| panic!("{name} is no quota of brokers"));
        let set = self.dynamic_broker.get(name).or_else(|| self.dynamic_default.get(name));
        match set.and_then(|text| key.parse(text).ok()) {
            Some(Value::Long(rate)) => rate,
            _ => i64::MAX,
        }
    }

    /// A stored interval may be from a time when the file's bounds were wider.
    fn clamp_assignment_intervals(&mut self) {
        for kind in ["consumer", "share", "streams"] {
            let int = |which: &str| self.int(&format!("group.{kind}.{which}assignment.interval.ms"));
            // Not `clamp`, which panics where a file has the bounds the wrong way round.
            let value = int("").max(int("min.")).min(int("max."));
            let position = ConfigTable::Broker.position(&format!("group.{kind}.assignment.interval.ms"));
            self.values[position.expect("the key is in the table")] = Some(Value::Int(value));
        }
    }

    /// The broker's value for a topic key that it gives a default to.
    pub(crate) fn topic_default(&self, topic_key: &str) -> Option<Value> {
        let (_, broker_key) = TOPIC_DEFAULTS.iter().find(|(topic, _)| *topic == topic_key)?;
        match topic_key {
            "segment.ms" => Some(Value::Long(self.log_roll_ms())),
            "segment.jitter.ms" => Some(Value::Long(self.log_roll_jitter_ms())),
            "flush.ms" => Some(Value::Long(self.log_flush_interval_ms())),
            "retention.ms" => Some(Value::Long(self.log_retention_ms())),
            _ => self.get(broker_key).cloned(),
        }
    }

    /// The broker's value for a group key that it gives a default to.
    pub(crate) fn group_default(&self, group_key: &str) -> Option<Value> {
        let (_, broker_key) = GROUP_DEFAULTS.iter().find(|(group, _)| *group == group_key)?;
        self.get(broker_key).cloned()
    }
}

/// Names only: values may be secrets, and keys that no table knows cannot be told from them.
impl fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConfig")
            .field("statics", &self.statics.keys())
            .field("dynamic_default", &self.dynamic_default.keys())
            .field("dynamic_broker", &self.dynamic_broker.keys())
            .finish_non_exhaustive()
    }
}

fn fill_in(statics: &mut ConfigMap, missing: &str, from: &str) {
    if let (None, Some(value)) = (statics.get(missing), statics.get(from)) {
        let value = value.clone();
        statics.insert(missing.to_owned(), value);
    }
}

fn override_all(properties: &mut ConfigMap, with: &ConfigMap) {
    for (name, value) in with {
        for synonym in broker_synonyms(name, false) {
            properties.remove(synonym);
        }
        properties.insert(name.clone(), value.clone());
    }
}

/// The value of every broker key, by position in the table.
fn parse_all(properties: &ConfigMap) -> Result<Vec<Option<Value>>, ConfigError> {
    let parse = |key: &&'static crate::table::ConfigKey| match properties.get(key.name) {
        Some(text) => key.parse(text).map(Some),
        None => key.default_value(),
    };
    ConfigTable::Broker.keys().iter().map(parse).collect()
}
