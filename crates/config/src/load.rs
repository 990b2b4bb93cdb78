//! Reading a node's configuration: built-in values, then the file, then the environment, then the command line;
//! each is stronger than the ones before.

use std::collections::BTreeMap;
use std::fmt;

use crate::broker::{BrokerConfig, ConfigMap};
use crate::consistency;
use crate::environment;
use crate::error::{ConfigError, StartError};
use crate::listeners::SecurityProtocol;
use crate::nearest::nearest_broker_key;
use crate::properties;
use crate::settings::BrokerSettings;
use crate::synonyms::listener_base;
use crate::table::{ConfigKey, ConfigTable, DefaultValue, Effect};
use crate::validator::Validator;

/// Everything a start hands in. Nothing is read from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Inputs<'a> {
    /// The name of `server.properties` (for messages) and its text.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment of the process; only `KAFKA_…` counts.
    pub environment: Vec<(String, String)>,
    /// `key=value` of each `--override`, in their order; the last one of a key counts.
    pub overrides: Vec<String>,
    /// Whether the process runs in a container: without a file it then listens on all addresses, and where nobody
    /// says where data go, they go to the image's volume.
    pub in_container: bool,
}

/// A configuration that a node can start with.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The layers, for DescribeConfigs and dynamic changes.
    pub config: BrokerConfig,
    /// The typed settings.
    pub settings: BrokerSettings,
    /// One line each, for the log: unknown keys, keys without effect, keys given twice.
    pub warnings: Vec<String>,
}

/// Where a value was read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    BuiltIn,
    File { name: String, line: usize },
    Variable(String),
    Override,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.write_str("built in"),
            Origin::File { name, line } => write!(f, "{name} line {line}"),
            Origin::Variable(variable) => write!(f, "environment variable {variable}"),
            Origin::Override => f.write_str("--override"),
        }
    }
}

type Found = BTreeMap<String, (String, Origin)>;

/// The volume of the container image. The official image's own default lies outside of it, and is lost with the container.
const CONTAINER_LOG_DIRS: &str = "/var/lib/kafka/data";

/// What a node without a file starts with: alone, reachable from this machine only, ready at once.
const WITHOUT_FILE: &[(&str, &str)] = &[
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
];

/// What Kafka demands and a single node can say for itself.
const ALONE: &[(&str, &str)] =
    &[("process.roles", "broker,controller"), ("controller.listener.names", "CONTROLLER")];

/// Keys that Kafka once had. Files in use still carry them.
const REMOVED: &[&str] = &[
    "advertised.host.name",
    "advertised.port",
    "auto.include.jmx.reporter",
    "broker.id.generation.enable",
    "control.plane.listener.name",
    "delegation.token.master.key",
    "host.name",
    "inter.broker.protocol.version",
    "log.message.downconversion.enable",
    "log.message.format.version",
    "log.message.timestamp.difference.max.ms",
    "offsets.commit.required.acks",
    "port",
    "reserved.broker.max.id",
];
const REMOVED_PREFIXES: &[&str] = &["zookeeper.", "password.encoder."];

/// Prefixes whose keys belong to plugins that read them themselves, if they are there.
const PLUGIN_PREFIXES: &[&str] =
    &["rsm.config.", "rlmm.config.", "config.providers.", "super.users", "allow.everyone.if.no.acl.found"];

/// Reads and checks a configuration.
///
/// # Errors
/// A cause (with the line or variable it came from) and a fix.
pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, StartError> {
    let mut warnings = Vec::new();
    let found = read(inputs, &mut warnings)?;
    check_values(&found)?;
    warnings.extend(found.iter().filter_map(|(name, (value, origin))| warn_of(name, value, origin)));
    let statics: ConfigMap = found.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
    let conflict = |error: ConfigError| {
        let cause = in_plain_words(error.message);
        let fix = format!("change {}, so that this holds.", mentioned(&cause, &found));
        StartError::new(cause, fix)
    };
    let config = BrokerConfig::new(statics).map_err(conflict)?;
    consistency::check(&config).map_err(conflict)?;
    let settings = BrokerSettings::resolve(&config).map_err(conflict)?;
    check_listeners(&settings, &found)?;
    Ok(Loaded { config, settings, warnings })
}

/// All values by key, each from the strongest place that has it.
fn read(inputs: &Inputs<'_>, warnings: &mut Vec<String>) -> Result<Found, StartError> {
    let mut found = Found::new();
    if let Some((name, text)) = inputs.file {
        let properties = properties::parse(text).map_err(|error| {
            StartError::new(
                format!("{name} line {}: {}", error.line, error.message),
                "write \\uXXXX with four digits, or a backslash as \\\\.",
            )
        })?;
        for property in properties {
            let origin = Origin::File { name: name.to_owned(), line: property.line };
            let earlier = found.insert(property.name.clone(), (property.value, origin));
            if let Some((_, Origin::File { line, .. })) = earlier {
                let key = &property.name;
                warnings.push(format!(
                    "{key} is given twice in {name}; line {line} is overridden by line {}",
                    property.line
                ));
            }
        }
    }
    let overrides =
        inputs.overrides.iter().map(|entry| split_override(entry)).collect::<Result<Vec<_>, _>>()?;
    let has_listeners =
        found.contains_key("listeners") || overrides.iter().any(|(name, _)| *name == "listeners");
    let variables =
        environment::properties_of(&inputs.environment, has_listeners).map_err(|(variable, why)| {
            StartError::new(
                format!("environment variable {variable}: {why}"),
                "write \\uXXXX with four digits, or a backslash as \\\\.",
            )
        })?;
    for property in variables {
        found.insert(property.name, (property.value, Origin::Variable(property.variable)));
    }
    for (name, value) in overrides {
        found.insert(name.to_owned(), (value.to_owned(), Origin::Override));
    }
    add_built_in(&mut found, inputs);
    Ok(found)
}

fn split_override(entry: &str) -> Result<(&str, &str), StartError> {
    let (name, value) = entry.split_once('=').ok_or_else(|| {
        StartError::new(
            format!("--override {entry} has no '='"),
            "write --override key=value, for example --override log.dirs=/var/lib/ottla.",
        )
    })?;
    Ok((name.trim(), value))
}

fn add_built_in(found: &mut Found, inputs: &Inputs<'_>) {
    let add = |found: &mut Found, name: &str, value: &str| {
        found.entry(name.to_owned()).or_insert_with(|| (value.to_owned(), Origin::BuiltIn));
    };
    if !found.contains_key("broker.id") {
        add(found, "node.id", "1");
    }
    for (name, value) in ALONE {
        add(found, name, value);
    }
    // Whoever gives the singular means the plural.
    let log_dirs = match inputs {
        _ if found.contains_key("log.dir") => None,
        Inputs { in_container: true, .. } => Some(CONTAINER_LOG_DIRS),
        Inputs { file: None, .. } => Some("./ottla-data"),
        Inputs { file: Some(_), .. } => None,
    };
    if let Some(log_dirs) = log_dirs {
        add(found, "log.dirs", log_dirs);
    }
    if inputs.file.is_some() {
        return;
    }
    if !found.contains_key("listeners") {
        let host = if inputs.in_container { "0.0.0.0" } else { "localhost" };
        add(found, "listeners", &format!("PLAINTEXT://{host}:9092"));
        add(found, "advertised.listeners", "PLAINTEXT://localhost:9092");
    }
    for (name, value) in WITHOUT_FILE {
        add(found, name, value);
    }
}

/// Each value against its own key, in the order of the table.
fn check_values(found: &Found) -> Result<(), StartError> {
    for key in ConfigTable::Broker.keys() {
        let Some((value, origin)) = found.get(key.name) else { continue };
        let read = match key.parse(value) {
            Ok(read) => read,
            // A class that cannot be had is refused below with a better reason.
            Err(_) if matches!(key.effect, Effect::Refused { .. }) => {
                crate::value::Value::String(value.clone())
            }
            Err(error) => return Err(StartError::new(format!("{} ({origin})", error.message), fix_of(key))),
        };
        if let Effect::Refused { cause, fix } = key.effect {
            let default = key.default_value().ok().flatten();
            if default.as_ref() != Some(&read) {
                return Err(StartError::new(format!("{}={value} ({origin}): {cause}", key.name), fix));
            }
        }
    }
    Ok(())
}

/// What a value may be.
fn fix_of(key: &ConfigKey) -> String {
    let range = match key.validator {
        Validator::Any => String::new(),
        validator => format!(" in {validator}").replace(" in non-empty", ": a non-empty"),
    };
    let example = match key.default {
        DefaultValue::Text(text) if !text.is_empty() => format!(", such as its default {text}"),
        _ => String::new(),
    };
    format!("give {} a value of type {}{range}{example}.", key.name, key.config_type.name())
}

/// Where Kafka passes on Java's own words they help nobody; at a start they need not be the same.
fn in_plain_words(message: String) -> String {
    let message = message.strip_prefix("requirement failed: ").unwrap_or(&message);
    match message {
        "/ by zero" => "log.cleaner.threads must be at least 1".to_owned(),
        _ if message.starts_with("For input string: ") => {
            format!("max.connections.per.ip.overrides has no number after a colon ({message})")
        }
        _ => match message.split_once(": begin 0, end -1") {
            Some((what, _)) => format!("{what}: an entry has no colon"),
            None => message.to_owned(),
        },
    }
}

/// The keys that a sentence names, each with the place it was read, for a fix.
fn mentioned(message: &str, found: &Found) -> String {
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let words: Vec<&str> = message.split(|c| !in_name(c)).map(|word| word.trim_matches('.')).collect();
    let places: Vec<String> = ConfigTable::Broker
        .keys()
        .iter()
        .filter(|key| words.contains(&key.name))
        .map(|key| match found.get(key.name) {
            Some((_, Origin::BuiltIn)) | None => key.name.to_owned(),
            Some((_, origin)) => format!("{} ({origin})", key.name),
        })
        .collect();
    if places.is_empty() { "the configuration".to_owned() } else { places.join(" or ") }
}

/// TLS and SASL are not there yet; a listener that asks for them must not open without.
fn check_listeners(settings: &BrokerSettings, found: &Found) -> Result<(), StartError> {
    let protected = |endpoint: &&crate::Endpoint| endpoint.security_protocol != SecurityProtocol::Plaintext;
    let Some(endpoint) = settings.listeners.listeners.iter().find(protected) else { return Ok(()) };
    let place = found.get("listeners").map(|(_, origin)| format!(" ({origin})")).unwrap_or_default();
    Err(StartError::new(
        format!(
            "listeners: {endpoint} asks for {}, which this version does not have{place}",
            endpoint.security_protocol
        ),
        "give the listener PLAINTEXT in listener.security.protocol.map, and keep it on a trusted network or \
         behind a TLS proxy.",
    ))
}

/// What is said about a key that was given but does nothing. Nothing is said about a default, nor about a variable
/// like none of the keys: it is meant for another program.
fn warn_of(name: &str, value: &str, origin: &Origin) -> Option<String> {
    if *origin == Origin::BuiltIn {
        return None;
    }
    if let Some(key) = ConfigTable::Broker.get(name) {
        let is_default = key.parse(value).ok() == key.default_value().ok().flatten();
        let without_effect = key.effect == Effect::Accepted && !is_default;
        return without_effect.then(|| format!("{name} ({origin}) is accepted without effect"));
    }
    let is_listener_key = listener_base(name).is_some_and(|base| {
        ConfigTable::Broker
            .keys()
            .iter()
            .any(|key| base == key.name || base.ends_with(&format!(".{}", key.name)))
    });
    if is_listener_key || PLUGIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    if REMOVED.contains(&name) || REMOVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Some(format!("{name} ({origin}) no longer exists in Kafka 4 and is ignored"));
    }
    match (nearest_broker_key(name), origin) {
        (Some(nearest), _) => {
            Some(format!("{name} ({origin}) is not known and is ignored; did you mean {nearest}?"))
        }
        (None, Origin::Variable(_)) => None,
        (None, _) => Some(format!("{name} ({origin}) is not known and is ignored")),
    }
}
