//! What settings belong to.

use crate::failure::{Exception, Failure};
use crate::options::Arguments;

/// A type of entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntityType {
    Topic,
    Client,
    User,
    Broker,
    Ip,
    ClientMetrics,
    Group,
    BrokerLogger,
}

use EntityType::{Broker, BrokerLogger, Client, ClientMetrics, Group, Ip, Topic, User};

impl EntityType {
    /// All, in the order in which they are listed.
    pub(super) const ALL: [EntityType; 8] =
        [Topic, Client, User, Broker, Ip, ClientMetrics, Group, BrokerLogger];

    /// The name after `--entity-type`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Topic => "topics",
            Client => "clients",
            User => "users",
            Broker => "brokers",
            Ip => "ips",
            ClientMetrics => "client-metrics",
            Group => "groups",
            BrokerLogger => "broker-loggers",
        }
    }

    /// The name of one: without its last letter, whatever that is.
    pub(super) fn singular(self) -> &'static str {
        let name = self.name();
        &name[..name.len() - 1]
    }

    /// The number of the type in requests, for those that have settings.
    pub(super) fn resource_type(self) -> i8 {
        match self {
            Topic => 2,
            Broker => 4,
            BrokerLogger => 8,
            ClientMetrics => 16,
            Group => 32,
            Client | User | Ip => 0,
        }
    }

    /// The name of the type in requests, for those that have quotas.
    pub(super) fn quota_type(self) -> &'static str {
        match self {
            User => "user",
            Client => "client-id",
            _ => "ip",
        }
    }

    /// Whether it has quotas instead of settings.
    pub(super) fn has_quotas(self) -> bool {
        matches!(self, Client | User | Ip)
    }
}

/// The entities of a command line; an empty name is the default of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entities {
    pub(super) types: Vec<EntityType>,
    pub(super) names: Vec<String>,
}

/// `--topic x` is short for `--entity-type topics --entity-name x`.
pub(super) const SHORT: [(&str, EntityType); 8] = [
    ("topic", Topic),
    ("client", Client),
    ("user", User),
    ("broker", Broker),
    ("broker-logger", BrokerLogger),
    ("ip", Ip),
    ("client-metrics", ClientMetrics),
    ("group", Group),
];

/// `--user-defaults` is short for `--entity-type users --entity-default`.
pub(super) const SHORT_DEFAULTS: [(&str, EntityType); 4] =
    [("client-defaults", Client), ("user-defaults", User), ("broker-defaults", Broker), ("ip-defaults", Ip)];

/// The types named, as they were named.
pub(super) fn type_names(arguments: &Arguments) -> Vec<String> {
    let mut names: Vec<String> = arguments.texts("entity-type").into_iter().map(str::to_string).collect();
    let short = SHORT.iter().chain(&SHORT_DEFAULTS).filter(|(option, _)| arguments.has(option));
    names.extend(short.map(|(_, kind)| kind.name().to_string()));
    names
}

/// The names of the entities, in the order in which their types come.
pub(super) fn names(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let mut given = arguments.texts("entity-name").into_iter();
    let mut names = Vec::new();
    for option in arguments.given() {
        match option {
            "entity-name" => names.extend(given.next().map(str::to_string)),
            "entity-default" => names.push(String::new()),
            _ => {}
        }
    }
    for (option, _) in SHORT {
        if arguments.has(option) {
            names.push(arguments.text(option)?.unwrap_or_default().to_string());
        }
    }
    names.extend(SHORT_DEFAULTS.iter().filter(|(option, _)| arguments.has(option)).map(|_| String::new()));
    Ok(names)
}

/// A broker is called by its number.
pub(super) fn broker_id(kind: EntityType, name: &str) -> Result<i32, Exception> {
    name.parse().map_err(|_| {
        let kind = kind.name();
        let text = format!("The entity name for {kind} must be a valid integer broker id, found: {name}");
        Exception::illegal_argument(text)
    })
}
