//! Which keys do what: the material of the compatibility table.

use crate::table::{ConfigKey, ConfigTable, Effect};

/// The keys of a table by what this broker does with them, each list in the order of names.
#[derive(Debug, Default)]
pub struct KeysByEffect {
    /// Do what Kafka's manual says.
    pub honoured: Vec<&'static ConfigKey>,
    /// Are checked, kept and shown, and change nothing (yet).
    pub accepted: Vec<&'static ConfigKey>,
    /// Stop the start where they have any value but the default.
    pub refused: Vec<&'static ConfigKey>,
}

/// Sorts the keys of a table by their effect.
pub fn keys_by_effect(table: ConfigTable) -> KeysByEffect {
    let mut sorted = KeysByEffect::default();
    let mut keys = table.keys().to_vec();
    keys.sort_by_key(|key| key.name);
    for key in keys {
        match key.effect {
            Effect::Honoured => sorted.honoured.push(key),
            Effect::Accepted => sorted.accepted.push(key),
            Effect::Refused { .. } => sorted.refused.push(key),
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_effect() {
        for table in [ConfigTable::Broker, ConfigTable::Topic, ConfigTable::Group, ConfigTable::ClientMetrics]
        {
            let sorted = keys_by_effect(table);
            let count = sorted.honoured.len() + sorted.accepted.len() + sorted.refused.len();
            assert_eq!(count, table.keys().len());
        }
        let broker = keys_by_effect(ConfigTable::Broker);
        assert!(broker.refused.iter().any(|key| key.name == "authorizer.class.name"));
        assert!(broker.honoured.iter().any(|key| key.name == "log.dirs"));
    }
}
