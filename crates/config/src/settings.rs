//! Typed settings: what the rest of Ottla reads, once, as plain data. Each is made from a [`BrokerConfig`] (and
//! a topic's own values) and is made anew when a dynamic value changes.
//!
//! [`BrokerConfig`]: crate::BrokerConfig

mod broker;
mod listeners;
mod topic;

pub use broker::{
    BrokerSettings, FlushAcksAll, GroupSettings, InternalTopicSettings, LogSettings, MetadataLogSettings,
    NetworkSettings, QuorumSettings, ReplicationSettings, RoleSettings, TransactionSettings,
};
pub use listeners::ListenerSettings;
pub use topic::{CleanupPolicy, CompressionType, TimestampType, TopicSettings};
