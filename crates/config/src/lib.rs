//! Kafka's configuration as data: the table of keys, the reading of files, environment and command line, the
//! layers of values with their sources, the rules of changes, and the typed settings that the rest of Ottla uses.
//!
//! Pure words: text comes in, values go out. No file is read here, no clock, no socket.
//!
//! | to … | use |
//! |---|---|
//! | look a key up | [`ConfigTable`], [`ConfigKey`] |
//! | read a configuration at start | [`load`], [`BrokerSettings`] |
//! | know a topic's values | [`TopicSettings`] |
//! | answer DescribeConfigs | [`describe`] |
//! | decide AlterConfigs, IncrementalAlterConfigs, CreateTopics | [`alter`] |
//! | say which keys do what | [`compat`] |

pub mod alter;
mod broker;
pub mod compat;
mod consistency;
pub mod describe;
mod duration;
mod environment;
mod error;
mod java;
mod listeners;
mod load;
mod nearest;
pub mod properties;
mod settings;
mod synonyms;
mod table;
mod topic_values;
mod validator;
mod value;

pub use broker::{BrokerConfig, ConfigMap};
pub use error::{ConfigError, StartError};
pub use java::hash_map_order as java_hash_map_order;
pub use listeners::{Endpoint, SecurityProtocol, Voter, parse_bootstrap_server, parse_voter};
pub use load::{Inputs, Loaded, load};
pub use settings::{
    BrokerSettings, CleanupPolicy, CompressionType, FlushAcksAll, GroupSettings, InternalTopicSettings,
    ListenerSettings, LogSettings, MetadataLogSettings, NetworkSettings, QuorumSettings, ReplicationSettings,
    RoleSettings, TimestampType, TopicSettings, TransactionSettings,
};
pub use synonyms::{group_broker_key, topic_broker_key};
pub use table::{ConfigKey, ConfigTable, DefaultValue, Effect, Importance, Scope};
pub use validator::Validator;
pub use value::{ConfigType, Password, Value};
