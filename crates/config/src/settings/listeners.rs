//! Which addresses a node opens and which it tells others, with Kafka's rules between `listeners`,
//! `advertised.listeners`, `controller.listener.names`, `inter.broker.listener.name`, the roles and the quorum.

use std::collections::BTreeMap;

use crate::broker::BrokerConfig;
use crate::consistency::require;
use crate::error::ConfigError;
use crate::listeners::{Endpoint, SecurityProtocol, parse_endpoints, parse_protocol_map, parse_voter};

/// Addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerSettings {
    /// `listeners`: where sockets are opened, controller listeners included.
    pub listeners: Vec<Endpoint>,
    /// What clients and brokers are told: `advertised.listeners`, without controller listeners.
    pub advertised: Vec<Endpoint>,
    /// What controllers and brokers are told about controller listeners, in the order of
    /// `controller.listener.names`.
    pub advertised_controller: Vec<Endpoint>,
    /// `controller.listener.names`.
    pub controller_listener_names: Vec<String>,
    /// The listener that brokers use among themselves, in capitals.
    pub inter_broker_listener_name: String,
    /// How that listener is protected.
    pub inter_broker_security_protocol: SecurityProtocol,
}

impl ListenerSettings {
    /// Reads and checks the addresses of a node. A controller that is a quorum of itself needs no listener of
    /// its own: nobody else would call. This is the one rule that differs from Kafka's.
    ///
    /// # Errors
    /// INVALID_CONFIG with the sentence Kafka would stop its start with.
    pub fn resolve(broker: &BrokerConfig) -> Result<ListenerSettings, ConfigError> {
        let controller_listener_names = broker.list("controller.listener.names").unwrap_or_default().to_vec();
        let entries = broker.list("listeners").unwrap_or_default();
        let protocols = protocol_map(broker, entries, &controller_listener_names)?;
        let listeners = parse_endpoints(entries, &protocols, true)?;
        let advertised_entries = broker.list("advertised.listeners");
        let all_advertised = match advertised_entries {
            Some(entries) => Some(parse_endpoints(entries, &protocols, false)?),
            None => None,
        };
        let is_controller = |endpoint: &Endpoint| controller_listener_names.contains(&endpoint.listener);
        let advertised = all_advertised
            .as_ref()
            .unwrap_or(&listeners)
            .iter()
            .filter(|e| !is_controller(e))
            .cloned()
            .collect();
        let advertised_controller = controller_listener_names
            .iter()
            .enumerate()
            .filter_map(|(index, name)| {
                advertise_controller(broker, name, index == 0, all_advertised.as_deref(), &listeners)
            })
            .collect();
        let (inter_broker_listener_name, inter_broker_security_protocol) = inter_broker(broker, &protocols)?;
        let settings = ListenerSettings {
            listeners,
            advertised,
            advertised_controller,
            controller_listener_names,
            inter_broker_listener_name,
            inter_broker_security_protocol,
        };
        settings.check_roles(broker, &protocols)?;
        settings.check_advertised(broker)?;
        Ok(settings)
    }

    /// Whether the node opens a listener of this name.
    pub(super) fn is_listening(&self, name: &str) -> bool {
        self.listeners.iter().any(|endpoint| endpoint.listener == name)
    }

    /// Whether an address is surely that of this node's own controller.
    pub(super) fn is_own_controller(&self, host: &str, port: u16) -> bool {
        let is_local = matches!(host, "localhost" | "127.0.0.1" | "::1");
        let own = self
            .listeners
            .iter()
            .filter(|endpoint| self.controller_listener_names.contains(&endpoint.listener));
        let is_advertised =
            |endpoint: &Endpoint| endpoint.host.as_deref() == Some(host) && endpoint.port == port;
        own.into_iter()
            .any(|endpoint| endpoint.port == port && (is_local || endpoint.host.as_deref() == Some(host)))
            || self.advertised_controller.iter().any(is_advertised)
    }

    /// What the roles of the node demand of its listeners and of the quorum's keys.
    fn check_roles(
        &self,
        broker: &BrokerConfig,
        protocols: &BTreeMap<String, SecurityProtocol>,
    ) -> Result<(), ConfigError> {
        let roles = broker.list("process.roles").unwrap_or_default();
        let is_broker = roles.iter().any(|role| role == "broker");
        let is_controller = roles.iter().any(|role| role == "controller");
        let node_id = broker.int("node.id");
        let voters = broker.list("controller.quorum.voters").unwrap_or_default();
        let voter_ids =
            voters.iter().map(|entry| parse_voter(entry).map(|v| v.id)).collect::<Result<Vec<i32>, _>>()?;
        let shown_ids = || {
            let ids: Vec<String> = voter_ids.iter().map(i32::to_string).collect();
            format!("Set({})", ids.join(", "))
        };
        let has_servers =
            broker.list("controller.quorum.bootstrap.servers").is_some_and(|list| !list.is_empty());
        let names = &self.controller_listener_names;
        let in_listeners = |name: &String| self.is_listening(name);
        if is_broker && !is_controller {
            if voter_ids.is_empty() && !has_servers {
                return Err(ConfigError::invalid_config(
                    "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of \
                     bootstrap controllers or controller.quorum.voters must contain a parseable set of controllers.",
                ));
            }
            require(!voter_ids.contains(&node_id), || {
                format!(
                    "If process.roles contains just the 'broker' role, the node id {node_id} must not be included \
                     in the set of voters controller.quorum.voters={}",
                    shown_ids()
                )
            })?;
            require(!names.is_empty(), || {
                "controller.listener.names must contain at least one value when running KRaft with just the broker \
                 role"
                    .to_owned()
            })?;
            require(!names.iter().any(in_listeners), || {
                "controller.listener.names must not contain a value appearing in the 'listeners' configuration \
                 when running KRaft with just the broker role"
                    .to_owned()
            })?;
            if let Some(name) = names.iter().find(|name| !protocols.contains_key(&name.to_uppercase())) {
                return Err(ConfigError::invalid_config(format!(
                    "Controller listener with name {} defined in controller.listener.names not found in \
                     listener.security.protocol.map  (an explicit security mapping for each controller listener is \
                     required if listener.security.protocol.map is non-empty, or if there are security protocols \
                     other than PLAINTEXT in use)",
                    name.to_uppercase()
                )));
            }
            return require(!broker.boolean("controller.quorum.auto.join.enable"), || {
                "controller.quorum.auto.join.enable is only supported when process.roles contains the 'controller' \
                 role."
                    .to_owned()
            });
        }
        if is_controller && !is_broker {
            require(self.advertised_controller.len() == self.listeners.len(), || {
                "The listeners config must only contain KRaft controller listeners from controller.listener.names \
                 when process.roles=controller"
                    .to_owned()
            })?;
            require(
                broker.string("inter.broker.listener.name").is_none()
                    || !names.contains(&self.inter_broker_listener_name),
                || {
                    "controller.listener.names must not contain an explicitly set inter.broker.listener.name \
                     configuration value when process.roles=controller'"
                        .to_owned()
                },
            )?;
        }
        require(voter_ids.is_empty() || voter_ids.contains(&node_id), || {
            format!(
                "If process.roles contains the 'controller' role, the node id {node_id} must be included in the \
                 set of voters controller.quorum.voters={}",
                shown_ids()
            )
        })?;
        if is_broker && voter_ids.is_empty() && !has_servers {
            return Ok(());
        }
        require(!self.advertised_controller.is_empty(), || {
            "controller.listener.names must contain at least one value appearing in the 'listeners' configuration \
             when running the KRaft controller role"
                .to_owned()
        })?;
        require(names.iter().all(in_listeners), || {
            "controller.listener.names must only contain values appearing in the 'listeners' configuration when \
             running the KRaft controller role"
                .to_owned()
        })
    }

    /// What can be advertised.
    fn check_advertised(&self, broker: &BrokerConfig) -> Result<(), ConfigError> {
        let names = |endpoints: &[Endpoint]| -> Vec<String> {
            let mut names: Vec<String> = endpoints.iter().map(|endpoint| endpoint.listener.clone()).collect();
            names.dedup();
            names
        };
        let (listening, advertised) = (names(&self.listeners), names(&self.advertised));
        if broker.list("process.roles").unwrap_or_default().iter().any(|role| role == "broker") {
            require(!advertised.is_empty(), || {
                "There must be at least one broker advertised listener. Perhaps all listeners appear in \
                 controller.listener.names?"
                    .to_owned()
            })?;
            require(advertised.contains(&self.inter_broker_listener_name), || {
                format!(
                    "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid \
                     options based on currently configured listeners are {}",
                    advertised.join(",")
                )
            })?;
            require(advertised.iter().all(|name| listening.contains(name)), || {
                format!(
                    "advertised.listeners listener names must be equal to or a subset of the ones defined in \
                     listeners. Found {}. The valid options based on the current configuration are {}",
                    advertised.join(","),
                    listening.join(",")
                )
            })?;
        }
        let everybody = self.advertised.iter().chain(&self.advertised_controller);
        require(everybody.clone().all(|endpoint| endpoint.host.as_deref() != Some("0.0.0.0")), || {
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
                .to_owned()
        })?;
        let mechanism = broker.string("sasl.mechanism.inter.broker.protocol").unwrap_or_default().to_owned();
        let uses_sasl = matches!(
            self.inter_broker_security_protocol,
            SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl
        );
        let enabled = broker.list("sasl.enabled.mechanisms").unwrap_or_default();
        require(!uses_sasl || enabled.contains(&mechanism), || {
            "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used \
             for inter-broker communication"
                .to_owned()
        })
    }
}

/// The protocol of every listener name. Without an explicit map, controller listeners are PLAINTEXT, unless
/// something else is in use.
fn protocol_map(
    broker: &BrokerConfig,
    listeners: &[String],
    controller_listener_names: &[String],
) -> Result<BTreeMap<String, SecurityProtocol>, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let mut protocols = parse_protocol_map(broker.string(KEY).unwrap_or_default())?;
    if broker.is_set(KEY) {
        return Ok(protocols);
    }
    let is_protected = |name: &str| {
        SecurityProtocol::ALL.iter().any(|p| *p != SecurityProtocol::Plaintext && p.name() == name)
    };
    let listener_name = |entry: &String| match entry.split_once(':') {
        Some((name, _)) => Ok(name.to_uppercase()),
        None => Err(ConfigError::invalid_config(format!("Unable to parse a listener name from {entry}"))),
    };
    let listener_names = listeners.iter().map(listener_name).collect::<Result<Vec<String>, _>>()?;
    if !controller_listener_names.iter().chain(&listener_names).any(|name| is_protected(name)) {
        let plaintext = |name: &String| (name.clone(), SecurityProtocol::Plaintext);
        protocols.extend(controller_listener_names.iter().map(plaintext));
    }
    Ok(protocols)
}

/// Where a controller listener can be reached: as advertised, else where it listens; the first one, if it listens
/// everywhere, where `controller.quorum.voters` says.
fn advertise_controller(
    broker: &BrokerConfig,
    name: &str,
    is_first: bool,
    advertised: Option<&[Endpoint]>,
    listeners: &[Endpoint],
) -> Option<Endpoint> {
    let named = |endpoint: &&Endpoint| endpoint.listener.eq_ignore_ascii_case(name);
    if let Some(endpoint) = advertised.unwrap_or_default().iter().find(named) {
        return Some(endpoint.clone());
    }
    let mut endpoint = listeners.iter().find(named)?.clone();
    if !matches!(endpoint.host.as_deref(), None | Some("0.0.0.0")) {
        return Some(endpoint);
    }
    endpoint.host = None;
    let voters = broker.list("controller.quorum.voters").unwrap_or_default();
    let own = |entry: &String| parse_voter(entry).ok().filter(|voter| voter.id == broker.int("node.id"));
    if let Some(voter) = voters.iter().find_map(own).filter(|_| is_first) {
        endpoint.host = Some(voter.host);
        endpoint.port = voter.port;
    }
    Some(endpoint)
}

fn inter_broker(
    broker: &BrokerConfig,
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<(String, SecurityProtocol), ConfigError> {
    const NAME: &str = "inter.broker.listener.name";
    const PROTOCOL: &str = "security.inter.broker.protocol";
    let Some(name) = broker.string(NAME) else {
        let protocol = broker.string(PROTOCOL).and_then(SecurityProtocol::from_name);
        let protocol = protocol.expect("the table lets only protocols through");
        return Ok((protocol.name().to_owned(), protocol));
    };
    if broker.is_set(PROTOCOL) {
        return Err(ConfigError::invalid_config(format!("Only one of {NAME} and {PROTOCOL} should be set.")));
    }
    let name = name.to_uppercase();
    match protocols.get(&name) {
        Some(protocol) => Ok((name, *protocol)),
        None => Err(ConfigError::invalid_config(format!(
            "Listener with name {name} defined in {NAME} not found in listener.security.protocol.map."
        ))),
    }
}
