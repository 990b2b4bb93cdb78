//! What can have a configuration.

use ottla_config::alter::ResourceKind;
use ottla_protocol::{BrokerId, ByteString};

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
