//! What the cluster knows of its processes: registrations of brokers and controllers.

use crate::compact;
use crate::feature::VersionRange;
use ottla_protocol::messages::{
    RegisterBrokerRecord, RegisterControllerRecord, register_broker_record, register_controller_record,
};
use ottla_protocol::{BrokerId, ByteString, Uuid};
use std::collections::BTreeMap;

/// Directory id of a replica from before directories were recorded (KIP-858).
pub const MIGRATING_DIR: Uuid = Uuid::ZERO;

/// Where a listener of a process is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the listener.
    pub name: ByteString,
    /// Advertised host.
    pub host: ByteString,
    /// Advertised port.
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// A broker as it is registered: one incarnation of it. It stays until it is unregistered or another incarnation comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// `node.id`.
    pub id: BrokerId,
    /// Offset of the record that registered this incarnation.
    pub epoch: i64,
    /// Drawn anew by each start of the process.
    pub incarnation_id: Uuid,
    /// Advertised listeners, in the order in which the broker named them.
    pub endpoints: Vec<Endpoint>,
    /// Levels the broker can run at, by feature.
    pub features: BTreeMap<ByteString, VersionRange>,
    /// `broker.rack`.
    pub rack: Option<ByteString>,
    /// A fenced broker leads nothing and is shown to no client.
    pub fenced: bool,
    /// Whether it has asked to be shut down; leaders have moved away.
    pub in_controlled_shutdown: bool,
    /// Registered by a broker that ran on ZooKeeper; always false since 4.0, kept because records have it.
    pub is_migrating_zk_broker: bool,
    /// Ids of the log directories that are online.
    pub directories: Vec<Uuid>,
    /// Ids of the directories that take no new replicas (KIP-1066); nothing before the broker has caught up.
    pub cordoned_directories: Option<Vec<Uuid>>,
}

impl BrokerRegistration {
    /// The endpoint of a listener.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == listener)
    }

    /// Whether clients may be sent to it: not fenced. (Kafka still names brokers that are shutting down.)
    pub fn is_alive(&self) -> bool {
        !self.fenced
    }

    /// Whether it may lead or join an ISR.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether a replica in this directory can be read. Ids that stand for "not known yet" count, LOST does not.
    pub fn has_online_dir(&self, dir: Uuid) -> bool {
        match dir {
            Uuid::LOST_DIR => false,
            Uuid::UNASSIGNED_DIR | MIGRATING_DIR => true,
            // A broker that registered before directories were recorded lists none; it stops when all of them fail.
            _ => self.directories.is_empty() || self.directories.contains(&dir),
        }
    }

    /// Whether all of its directories refuse new replicas.
    pub fn is_cordoned(&self) -> bool {
        let Some(cordoned) = &self.cordoned_directories else { return false };
        !self.directories.is_empty() && self.directories.iter().all(|dir| cordoned.contains(dir))
    }

    pub(crate) fn from_record(record: &RegisterBrokerRecord) -> BrokerRegistration {
        let endpoint = |endpoint: &register_broker_record::BrokerEndpoint| Endpoint {
            name: compact(&endpoint.name),
            host: compact(&endpoint.host),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        };
        let feature = |feature: &register_broker_record::BrokerFeature| {
            let range =
                VersionRange { min: feature.min_supported_version, max: feature.max_supported_version };
            (compact(&feature.name), range)
        };
        BrokerRegistration {
            id: BrokerId(record.broker_id),
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            endpoints: record.end_points.iter().map(endpoint).collect(),
            features: record.features.iter().map(feature).collect(),
            rack: record.rack.as_ref().map(compact),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            is_migrating_zk_broker: record.is_migrating_zk_broker,
            directories: record.log_dirs.clone(),
            cordoned_directories: record.cordoned_log_dirs.clone(),
        }
    }

    pub(crate) fn to_record(&self) -> RegisterBrokerRecord {
        let endpoint = |endpoint: &Endpoint| register_broker_record::BrokerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
            ..Default::default()
        };
        let feature = |(name, range): (&ByteString, &VersionRange)| register_broker_record::BrokerFeature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        };
        RegisterBrokerRecord {
            broker_id: self.id.0,
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.endpoints.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.directories.clone(),
            cordoned_log_dirs: self.cordoned_directories.clone(),
            ..Default::default()
        }
    }
}

/// A controller as it is registered (KIP-919). Registrations of controllers that left the quorum stay for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// `node.id`.
    pub id: BrokerId,
    /// Drawn anew by each start of the process.
    pub incarnation_id: Uuid,
    /// Kept because records have it; false since 4.0.
    pub zk_migration_ready: bool,
    /// Listeners.
    pub endpoints: Vec<Endpoint>,
    /// Levels the controller can run at, by feature.
    pub features: BTreeMap<ByteString, VersionRange>,
}

impl ControllerRegistration {
    pub(crate) fn from_record(record: &RegisterControllerRecord) -> ControllerRegistration {
        let endpoint = |endpoint: &register_controller_record::ControllerEndpoint| Endpoint {
            name: compact(&endpoint.name),
            host: compact(&endpoint.host),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        };
        let feature = |feature: &register_controller_record::ControllerFeature| {
            let range =
                VersionRange { min: feature.min_supported_version, max: feature.max_supported_version };
            (compact(&feature.name), range)
        };
        ControllerRegistration {
            id: BrokerId(record.controller_id),
            incarnation_id: record.incarnation_id,
            zk_migration_ready: record.zk_migration_ready,
            endpoints: record.end_points.iter().map(endpoint).collect(),
            features: record.features.iter().map(feature).collect(),
        }
    }

    pub(crate) fn to_record(&self) -> RegisterControllerRecord {
        let endpoint = |endpoint: &Endpoint| register_controller_record::ControllerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
            ..Default::default()
        };
        let feature =
            |(name, range): (&ByteString, &VersionRange)| register_controller_record::ControllerFeature {
                name: name.clone(),
                min_supported_version: range.min,
                max_supported_version: range.max,
                ..Default::default()
            };
        RegisterControllerRecord {
            controller_id: self.id.0,
            incarnation_id: self.incarnation_id,
            zk_migration_ready: self.zk_migration_ready,
            end_points: self.endpoints.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
            ..Default::default()
        }
    }
}
