//! The value of every topic key: the topic's own where it has one, else the broker's, else the default.

use crate::broker::{BrokerConfig, ConfigMap};
use crate::error::ConfigError;
use crate::table::{ConfigKey, ConfigTable};
use crate::value::Value;

/// The resolved values of one topic, by position in the topic table.
pub(crate) struct TopicValues(Vec<Option<Value>>);

impl TopicValues {
    /// # Errors
    /// INVALID_CONFIG with Kafka's message about the first wrong value in the order of the table.
    pub(crate) fn resolve(broker: &BrokerConfig, topic: &ConfigMap) -> Result<TopicValues, ConfigError> {
        let resolve = |key: &&'static ConfigKey| match (topic.get(key.name), broker.topic_default(key.name)) {
            (Some(text), _) => key.parse(text).map(Some),
            // The topic's rules hold for what comes from the broker as well.
            (None, Some(value)) => key.validator.check(key.name, Some(&value)).map(|()| Some(value)),
            (None, None) => key.default_value(),
        };
        ConfigTable::Topic.keys().iter().map(resolve).collect::<Result<_, _>>().map(TopicValues)
    }

    /// The value of a key of the topic table.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let position = ConfigTable::Topic.position(name);
        self.0[position.unwrap_or_else(|| panic!("{name} is not in the table of topic keys"))].as_ref()
    }

    pub(crate) fn boolean(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Boolean(true)))
    }

    pub(crate) fn int(&self, name: &str) -> i32 {
        self.optional_int(name).unwrap_or_else(|| panic!("{name} has no value"))
    }

    pub(crate) fn optional_int(&self, name: &str) -> Option<i32> {
        match self.get(name)? {
            Value::Int(value) => Some(*value),
            other => panic!("{name} is no INT: {other:?}"),
        }
    }

    pub(crate) fn long(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Value::Long(value)) => *value,
            other => panic!("{name} is no LONG with a default: {other:?}"),
        }
    }

    pub(crate) fn double(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Double(value)) => *value,
            other => panic!("{name} is no DOUBLE with a default: {other:?}"),
        }
    }

    pub(crate) fn string(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::String(value)) => value,
            other => panic!("{name} is no STRING with a default: {other:?}"),
        }
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(Value::List(values)) => values,
            other => panic!("{name} is no LIST with a default: {other:?}"),
        }
    }
}
