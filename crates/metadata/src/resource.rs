//! What can have a configuration.

use ottla_protocol::{BrokerId, ByteString};
use std::collections::BTreeMap;

/// Stored configuration of one resource: value by key.
pub type ConfigMap = BTreeMap<String, String>;

/// What kind of thing has a configuration; the numbers are those of the wire and of `ConfigRecord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ResourceKind {
    /// A topic, by name.
    Topic = 2,
    /// A broker by id, or all brokers where the name is empty.
    Broker = 4,
    /// The log levels of a broker (KIP-412); never in the metadata log.
    BrokerLogger = 8,
    /// A client-metrics subscription, by name (KIP-714).
    ClientMetrics = 16,
    /// A group, by id (KIP-848).
    Group = 32,
}

impl ResourceKind {
    /// The kind of a number from the wire.
    pub fn from_id(id: i8) -> Option<ResourceKind> {
        [
            ResourceKind::Topic,
            ResourceKind::Broker,
            ResourceKind::BrokerLogger,
            ResourceKind::ClientMetrics,
            ResourceKind::Group,
        ]
        .into_iter()
        .find(|kind| *kind as i8 == id)
    }

    /// The number on the wire.
    pub fn id(self) -> i8 {
        self as i8
    }
}

/// One thing that has a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name; a broker's is its id, and the empty one means all brokers.
    pub name: ByteString,
}

impl ConfigResource {
    /// A topic.
    pub fn topic(name: impl Into<ByteString>) -> ConfigResource {
        ConfigResource { kind: ResourceKind::Topic, name: name.into() }
    }

    /// One broker.
    pub fn broker(id: BrokerId) -> ConfigResource {
        ConfigResource { kind: ResourceKind::Broker, name: id.to_string().into() }
    }

    /// All brokers that have no value of their own.
    pub fn default_broker() -> ConfigResource {
        ConfigResource { kind: ResourceKind::Broker, name: ByteString::new() }
    }

    /// A group.
    pub fn group(id: impl Into<ByteString>) -> ConfigResource {
        ConfigResource { kind: ResourceKind::Group, name: id.into() }
    }

    /// A client-metrics subscription.
    pub fn client_metrics(name: impl Into<ByteString>) -> ConfigResource {
        ConfigResource { kind: ResourceKind::ClientMetrics, name: name.into() }
    }
}
