//! What AlterConfigs and IncrementalAlterConfigs have in common: the checks of the broker that a request reaches, before
//! the controller sees it.

use crate::node::config::Config;
use crate::node::identity::Identity;
use ottla_config::ConfigError;
use ottla_config::alter::{
    AlterConfig, AlterOp, ResourceKind, check_broker_change, check_broker_name, check_operations,
};
use ottla_controller::check_topic_name;
use ottla_metadata::{ConfigResource, Image};
use ottla_protocol::{ByteString, ErrorCode};
use std::collections::HashSet;

/// One operation as it came.
pub(super) struct Operation<'a> {
    pub(super) name: &'a ByteString,
    /// The number on the wire; the legacy request sets.
    pub(super) operation: i8,
    pub(super) value: Option<&'a ByteString>,
}

/// What the checks look at.
pub(super) struct Checking<'a> {
    pub(super) image: &'a Image,
    pub(super) config: &'a Config,
    pub(super) identity: &'a Identity,
    /// The legacy request replaces all values, so that what is stored does not count.
    pub(super) replaces: bool,
}

impl Checking<'_> {
    /// Checks the operations on one resource.
    pub(super) fn check(
        &self,
        resource_type: i8,
        name: &str,
        operations: &[Operation<'_>],
    ) -> Result<(), ConfigError> {
        let deletes = |operation: i8| operation == AlterOp::Delete as i8;
        check_operations(
            operations.iter().map(|one| (&**one.name, deletes(one.operation), one.value.map(|v| &**v))),
        )?;
        match ResourceKind::from_id(resource_type) {
            None => Err(ConfigError::invalid_request(format!("Unknown resource type {resource_type}"))),
            Some(ResourceKind::BrokerLogger) => {
                Err(ConfigError::invalid_request("Log levels cannot be changed while the broker runs"))
            }
            Some(ResourceKind::Broker) => self.check_broker(name, operations),
            Some(ResourceKind::Topic) => check_topic_name(name)
                .map_err(|message| ConfigError { code: ErrorCode::InvalidTopicException, message }),
            Some(ResourceKind::ClientMetrics | ResourceKind::Group) => Ok(()),
        }
    }

    fn check_broker(&self, name: &str, operations: &[Operation<'_>]) -> Result<(), ConfigError> {
        check_broker_name(name, self.identity.node_id.0)?;
        let change = |one: &Operation<'_>| {
            Ok(AlterConfig {
                name: one.name.to_string(),
                op: AlterOp::from_id(one.operation)?,
                value: one.value.map(ToString::to_string),
            })
        };
        let changes = operations.iter().map(change).collect::<Result<Vec<_>, ConfigError>>()?;
        let per_broker = !name.is_empty();
        let resource = if per_broker {
            ConfigResource::broker(self.identity.node_id)
        } else {
            ConfigResource::default_broker()
        };
        let empty = Default::default();
        let stored = if self.replaces { &empty } else { self.image.config(&resource) };
        check_broker_change(&self.config.layers(), per_broker, stored, &changes)
    }
}

/// Resources that a request names more than once.
pub(super) fn named_twice<'a>(
    resources: impl Iterator<Item = (i8, &'a ByteString)>,
) -> HashSet<(i8, &'a ByteString)> {
    let mut seen = HashSet::new();
    resources.filter(|resource| !seen.insert(*resource)).collect()
}

/// Kafka's answer to those.
pub(super) fn twice() -> ConfigError {
    ConfigError::invalid_request("Each resource must appear at most once.")
}
