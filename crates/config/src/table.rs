//! The one table of configuration keys: everything that is known about a key stands in its row, and parsing,
//! validation, DescribeConfigs and the manual are all made from it. Which keys stand for one another is in
//! `synonyms.rs`.
//!
//! The rows are in files by subject, in the order in which Kafka defines them: where several values are wrong,
//! the one defined first is complained about. A row reads
//!
//! ```text
//! "name": TYPE = default, validator, IMPORTANCE [internal], scope, effect,
//!     "What it does, in one sentence.";
//! ```
//!
//! where `default` is a text, `null` (no value) or `required`.

mod cleaner;
mod client_metrics;
mod group;
mod groups;
mod kraft;
mod log;
mod metadata_log;
mod metrics;
mod network;
mod ottla;
mod quorum;
mod quotas;
mod remote;
mod replication;
mod sasl;
mod security;
mod server;
mod share;
mod topic;
mod transactions;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::error::ConfigError;
use crate::validator::Validator;
use crate::value::{ConfigType, Value};

/// Everything known about one configuration key.
#[derive(Debug)]
pub struct ConfigKey {
    /// Kafka's name of the key.
    pub name: &'static str,
    /// The type of its value.
    pub config_type: ConfigType,
    /// The value where none is given.
    pub default: DefaultValue,
    /// What a value must satisfy.
    pub validator: Validator,
    /// How likely one needs to change it, as Kafka's manual ranks it.
    pub importance: Importance,
    /// Whether Kafka keeps it out of its manual and out of DescribeConfigs.
    pub internal: bool,
    /// Where and when it may be changed.
    pub scope: Scope,
    /// What this broker does with it.
    pub effect: Effect,
    /// What it is for, in one sentence.
    pub documentation: &'static str,
}

/// The value of a key nobody set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// This value, as it is written in a file.
    Text(&'static str),
    /// No value.
    Null,
    /// The key must be set.
    Required,
}

/// Kafka's ranking of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Most installations set it.
    High,
    /// Some do.
    Medium,
    /// Few do.
    Low,
}

/// Where a key lives and when it may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A broker key that is read at start only.
    ReadOnly,
    /// A broker key that a running broker takes for itself alone.
    PerBroker,
    /// A broker key that may be changed on a running broker, for one or for all.
    ClusterWide,
    /// A key of a topic.
    Topic,
    /// A key of a group.
    Group,
    /// A key of a client-metrics subscription.
    ClientMetrics,
}

/// What this broker does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what Kafka's manual says.
    Honoured,
    /// It is checked, kept and shown, and changes nothing (yet).
    Accepted,
    /// Any value but the default stops the start: doing without would break a promise.
    Refused {
        /// What cannot be had.
        cause: &'static str,
        /// What to do instead.
        fix: &'static str,
    },
}

/// The tables by the kind of resource that has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigTable {
    /// What `server.properties` holds.
    Broker,
    /// Broker quotas that exist only as dynamic values.
    BrokerQuota,
    /// What a topic can override.
    Topic,
    /// What a group can override.
    Group,
    /// What a client-metrics subscription holds.
    ClientMetrics,
}

impl ConfigTable {
    /// All rows, in Kafka's order of definition.
    pub fn keys(self) -> &'static [&'static ConfigKey] {
        &self.index().keys
    }

    /// The row of `name`.
    pub fn get(self, name: &str) -> Option<&'static ConfigKey> {
        self.position(name).map(|position| self.index().keys[position])
    }

    /// The place of `name` in [`ConfigTable::keys`].
    pub(crate) fn position(self, name: &str) -> Option<usize> {
        self.index().positions.get(name).copied()
    }

    fn index(self) -> &'static Index {
        static BROKER: LazyLock<Index> = LazyLock::new(|| Index::new(BROKER_ROWS));
        static BROKER_QUOTA: LazyLock<Index> = LazyLock::new(|| Index::new(&[quotas::DYNAMIC_ONLY_KEYS]));
        static TOPIC: LazyLock<Index> = LazyLock::new(|| Index::new(&[topic::KEYS]));
        static GROUP: LazyLock<Index> = LazyLock::new(|| Index::new(&[group::KEYS]));
        static CLIENT_METRICS: LazyLock<Index> = LazyLock::new(|| Index::new(&[client_metrics::KEYS]));
        match self {
            ConfigTable::Broker => &BROKER,
            ConfigTable::BrokerQuota => &BROKER_QUOTA,
            ConfigTable::Topic => &TOPIC,
            ConfigTable::Group => &GROUP,
            ConfigTable::ClientMetrics => &CLIENT_METRICS,
        }
    }
}

/// The rows of the broker table; ours come last.
const BROKER_ROWS: &[&[ConfigKey]] = &[
    remote::KEYS,
    server::KEYS,
    kraft::KEYS,
    metadata_log::KEYS,
    network::KEYS,
    replication::KEYS,
    groups::KEYS,
    cleaner::KEYS,
    log::KEYS,
    share::KEYS,
    transactions::KEYS,
    quorum::KEYS,
    metrics::KEYS,
    quotas::KEYS,
    security::KEYS,
    sasl::KEYS,
    transactions::ADD_PARTITIONS_KEYS,
    ottla::KEYS,
];

struct Index {
    keys: Vec<&'static ConfigKey>,
    positions: HashMap<&'static str, usize>,
}

impl Index {
    fn new(rows: &[&'static [ConfigKey]]) -> Index {
        let keys: Vec<&'static ConfigKey> = rows.iter().flat_map(|rows| rows.iter()).collect();
        let positions = keys.iter().enumerate().map(|(position, key)| (key.name, position)).collect();
        Index { keys, positions }
    }
}

impl ConfigKey {
    /// Reads and checks a value that was given.
    ///
    /// # Errors
    /// INVALID_CONFIG with Kafka's message.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let mut value = Value::parse(self.name, text, self.config_type)?;
        if let (Validator::List { .. }, Value::List(entries)) = (&self.validator, &mut value) {
            drop_duplicates(entries);
        }
        self.validator.check(self.name, Some(&value))?;
        Ok(value)
    }

    /// The value where none was given.
    ///
    /// # Errors
    /// INVALID_CONFIG where the key must be set.
    pub fn default_value(&self) -> Result<Option<Value>, ConfigError> {
        match self.default {
            DefaultValue::Text(text) => self.parse(text).map(Some),
            DefaultValue::Null => Ok(None),
            DefaultValue::Required => Err(ConfigError::invalid_config(format!(
                "Missing required configuration \"{}\" which has no default value.",
                self.name
            ))),
        }
    }

    /// Whether answers must hide the value.
    pub fn is_sensitive(&self) -> bool {
        self.config_type == ConfigType::Password
    }
}

fn drop_duplicates(entries: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    entries.retain(|entry| seen.insert(entry.clone()));
}

/// Makes a `KEYS` table of rows; the module's head shows a row.
macro_rules! keys {
    ($vis:vis $table:ident {
        $($name:literal: $type:ident = $default:tt, $validator:expr, $importance:ident $($internal:ident)?,
          $scope:ident, $effect:expr, $documentation:literal;)*
    }) => {
        $vis const $table: &[$crate::table::ConfigKey] = &[$($crate::table::ConfigKey {
            name: $name,
            config_type: $crate::table::keys!(@type $type),
            default: $crate::table::keys!(@default $default),
            validator: $validator,
            importance: $crate::table::keys!(@importance $importance),
            internal: $crate::table::keys!(@internal $($internal)?),
            scope: $crate::table::keys!(@scope $scope),
            effect: $effect,
            documentation: $documentation,
        },)*];
    };
    (@type BOOLEAN) => { $crate::value::ConfigType::Boolean };
    (@type STRING) => { $crate::value::ConfigType::String };
    (@type INT) => { $crate::value::ConfigType::Int };
    (@type SHORT) => { $crate::value::ConfigType::Short };
    (@type LONG) => { $crate::value::ConfigType::Long };
    (@type DOUBLE) => { $crate::value::ConfigType::Double };
    (@type LIST) => { $crate::value::ConfigType::List };
    (@type CLASS) => { $crate::value::ConfigType::Class };
    (@type PASSWORD) => { $crate::value::ConfigType::Password };
    (@default null) => { $crate::table::DefaultValue::Null };
    (@default required) => { $crate::table::DefaultValue::Required };
    (@default $text:literal) => { $crate::table::DefaultValue::Text($text) };
    (@importance HIGH) => { $crate::table::Importance::High };
    (@importance MEDIUM) => { $crate::table::Importance::Medium };
    (@importance LOW) => { $crate::table::Importance::Low };
    (@internal) => { false };
    (@internal internal) => { true };
    (@scope READ_ONLY) => { $crate::table::Scope::ReadOnly };
    (@scope PER_BROKER) => { $crate::table::Scope::PerBroker };
    (@scope CLUSTER_WIDE) => { $crate::table::Scope::ClusterWide };
    (@scope TOPIC) => { $crate::table::Scope::Topic };
    (@scope GROUP) => { $crate::table::Scope::Group };
    (@scope CLIENT_METRICS) => { $crate::table::Scope::ClientMetrics };
}
pub(crate) use keys;

/// The words rows are written in.
pub(crate) mod row {
    use super::{Effect, Validator};

    pub(crate) const ANY: Validator = Validator::Any;
    pub(crate) const LIST: Validator = list(&[], true, false);
    pub(crate) const LIST_OR_NULL: Validator = list(&[], true, true);
    pub(crate) const NON_EMPTY_LIST: Validator = list(&[], false, false);
    pub(crate) const NON_EMPTY_LIST_OR_NULL: Validator = list(&[], false, true);
    pub(crate) const NON_EMPTY_STRING: Validator = Validator::NonEmptyString;
    pub(crate) const NON_NULL: Validator = Validator::NonNull;
    pub(crate) const GZIP_LEVEL: Validator = Validator::GzipLevel;
    pub(crate) const SHARE_AUTO_OFFSET_RESET: Validator = Validator::ShareAutoOffsetReset;
    pub(crate) const THROTTLED_REPLICAS: Validator = Validator::ThrottledReplicas;
    pub(crate) const QUORUM_VOTERS: Validator = Validator::QuorumVoters;
    pub(crate) const QUORUM_BOOTSTRAP_SERVERS: Validator = Validator::QuorumBootstrapServers;

    pub(crate) const HONOURED: Effect = Effect::Honoured;
    pub(crate) const ACCEPTED: Effect = Effect::Accepted;

    pub(crate) const fn at_least(min: i64) -> Validator {
        Validator::AtLeast { min: min as f64 }
    }

    pub(crate) const fn between(min: f64, max: f64) -> Validator {
        Validator::Between { min, max }
    }

    pub(crate) const fn one_of(valid: &'static [&'static str]) -> Validator {
        Validator::OneOf(valid)
    }

    pub(crate) const fn one_of_any_case(valid: &'static [&'static str]) -> Validator {
        Validator::OneOfAnyCase(valid)
    }

    pub(crate) const fn list_of(valid: &'static [&'static str]) -> Validator {
        list(valid, true, false)
    }

    pub(crate) const fn non_empty_list_of(valid: &'static [&'static str]) -> Validator {
        list(valid, false, false)
    }

    pub(crate) const fn refused(cause: &'static str, fix: &'static str) -> Effect {
        Effect::Refused { cause, fix }
    }

    const fn list(one_of: &'static [&'static str], empty: bool, null: bool) -> Validator {
        Validator::List { one_of, empty, null }
    }
}
