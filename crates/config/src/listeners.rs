//! Addresses in configuration: `listeners`, `listener.security.protocol.map`, quorum voters and bootstrap
//! servers, with Kafka's rules and sentences.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::ConfigError;
use crate::java;

/// How a listener protects and authenticates connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext = 0,
    /// TLS.
    Ssl = 1,
    /// SASL without encryption.
    SaslPlaintext = 2,
    /// SASL over TLS.
    SaslSsl = 3,
}

impl SecurityProtocol {
    /// All of them, by number.
    pub const ALL: [SecurityProtocol; 4] = [
        SecurityProtocol::Plaintext,
        SecurityProtocol::Ssl,
        SecurityProtocol::SaslPlaintext,
        SecurityProtocol::SaslSsl,
    ];

    /// The number in broker registrations.
    pub fn id(self) -> i16 {
        self as i16
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "PLAINTEXT",
            SecurityProtocol::Ssl => "SSL",
            SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
            SecurityProtocol::SaslSsl => "SASL_SSL",
        }
    }

    /// The protocol of a name in any case.
    pub fn from_name(name: &str) -> Option<SecurityProtocol> {
        SecurityProtocol::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One listener: a name, how it is protected, and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name in capitals, as Kafka compares them.
    pub listener: String,
    /// How connections of this listener are protected.
    pub security_protocol: SecurityProtocol,
    /// Host name or address; nothing means every address of the machine.
    pub host: Option<String>,
    /// TCP port; 0 lets the system choose (tests).
    pub port: u16,
}

impl Endpoint {
    /// The addresses to open sockets on, each by itself (an IPv6 socket takes IPv6 only). `localhost` is both
    /// loopback addresses, no host is every address. What the machine does not have may be left out, as long as
    /// one is left.
    pub fn bind_hosts(&self) -> Vec<&str> {
        match self.host.as_deref() {
            None => vec!["0.0.0.0", "::"],
            Some(host) if host.eq_ignore_ascii_case("localhost") => vec!["127.0.0.1", "::1"],
            Some(host) => vec![host],
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("");
        if host.contains(':') {
            write!(f, "{}://[{host}]:{}", self.listener, self.port)
        } else {
            write!(f, "{}://{host}:{}", self.listener, self.port)
        }
    }
}

/// One of `controller.quorum.voters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The node id of the controller.
    pub id: i32,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Reads `id@host:port`.
///
/// # Errors
/// INVALID_CONFIG with Kafka's message.
pub fn parse_voter(entry: &str) -> Result<Voter, ConfigError> {
    const FORM: &str = "Each entry should be in the form `{id}@{host}:{port}`.";
    const KEY: &str = "controller.quorum.voters";
    let invalid = |message: String| ConfigError::invalid_config(message);
    // Java's split drops empty parts at the end, so `1@` has one part and `1@h:1@` has two.
    let parts: Vec<&str> = entry.trim_end_matches('@').split('@').collect();
    let [id, address] = parts[..] else {
        return Err(invalid(format!("Invalid configuration value for {KEY}. {FORM}")));
    };
    let id = id.parse().map_err(|_| invalid(format!("Failed to parse voter ID as an integer from {id}")))?;
    let Some((host, port)) = split_host_port(address) else {
        return Err(invalid(format!(
            "Failed to parse host name from entry {entry} for the configuration {KEY}. {FORM}"
        )));
    };
    let port = port.parse().map_err(|_| invalid(format!("port out of range:{port}")))?;
    Ok(Voter { id, host: host.to_owned(), port })
}

/// Reads `host:port` of `controller.quorum.bootstrap.servers`.
///
/// # Errors
/// INVALID_CONFIG with Kafka's message.
pub fn parse_bootstrap_server(entry: &str) -> Result<(String, u16), ConfigError> {
    let Some((host, port)) = split_host_port(entry) else {
        return Err(ConfigError::invalid_config(format!(
            "Failed to parse host name from {entry} for the configuration controller.quorum.bootstrap.servers. \
             Each entry should be in the form \"{{host}}:{{port}}\""
        )));
    };
    let port = port.parse().map_err(|_| ConfigError::invalid_config(format!("port out of range:{port}")))?;
    Ok((host.to_owned(), port))
}

/// `[protocol://]host:port`, the host perhaps in brackets; the port are digits of any number.
fn split_host_port(address: &str) -> Option<(&str, &str)> {
    let rest = match address.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| is_host_char(c) && c != ':') => rest,
        Some(_) => return None,
        None => address,
    };
    let (host, port) = rest.rsplit_once(':')?;
    let host = strip_brackets(host);
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (is_port && host.chars().all(is_host_char)).then_some((host, port))
}

fn strip_brackets(host: &str) -> &str {
    let host = host.strip_prefix('[').unwrap_or(host);
    host.strip_suffix(']').unwrap_or(host)
}

fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':')
}

/// Whether `host` has only characters that a host can have.
pub(crate) fn is_valid_host(host: &str) -> bool {
    host.chars().all(is_host_char)
}

/// Reads entries `NAME://host:port`.
///
/// # Errors
/// INVALID_CONFIG with the sentence Kafka would stop its start with.
pub(crate) fn parse_endpoints(
    entries: &[String],
    protocols: &BTreeMap<String, SecurityProtocol>,
    distinct_ports: bool,
) -> Result<Vec<Endpoint>, ConfigError> {
    let shown = format!("[{}]", entries.join(", "));
    let in_context = |why: String| {
        ConfigError::invalid_config(format!("Error creating broker listeners from '{shown}': {why}"))
    };
    let endpoints = entries
        .iter()
        .map(|entry| parse_endpoint(entry, protocols))
        .collect::<Result<Vec<_>, String>>()
        .map_err(in_context)?;
    check_distinct(&endpoints, &shown, distinct_ports).map_err(in_context)?;
    Ok(endpoints)
}

fn parse_endpoint(entry: &str, protocols: &BTreeMap<String, SecurityProtocol>) -> Result<Endpoint, String> {
    let unable = || format!("Unable to parse {entry} to a broker endpoint");
    let (name, address) = entry.rsplit_once("://").ok_or_else(unable)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(unable)?;
    let host = strip_brackets(host);
    let digits = port.strip_prefix('-').unwrap_or(port);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || !host.chars().all(is_host_char) {
        return Err(unable());
    }
    let listener = name.to_uppercase();
    let security_protocol = *protocols
        .get(&listener)
        .ok_or_else(|| format!("No security protocol defined for listener {listener}"))?;
    let port = port.parse().map_err(|_| format!("port {port} of {entry} is not between 0 and 65535"))?;
    let host = (!host.is_empty()).then(|| host.to_owned());
    Ok(Endpoint { listener, security_protocol, host, port })
}

/// Names must differ, and ports too, except that one IPv4 and one IPv6 address may share one.
fn check_distinct(endpoints: &[Endpoint], shown: &str, distinct_ports: bool) -> Result<(), String> {
    let mut names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.listener.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() != endpoints.len() {
        return Err(format!("Each listener must have a different name, listeners: {shown}"));
    }
    if !distinct_ports {
        return Ok(());
    }
    let mut by_port: BTreeMap<u16, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.port != 0) {
        by_port.entry(endpoint.port).or_default().push(endpoint);
    }
    by_port
        .iter()
        .filter(|(_, sharing)| sharing.len() > 1)
        .try_for_each(|(port, sharing)| check_shared_port(*port, sharing, shown))
}

fn check_shared_port(port: u16, sharing: &[&Endpoint], shown: &str) -> Result<(), String> {
    let addresses: Vec<std::net::IpAddr> =
        sharing.iter().filter_map(|endpoint| endpoint.host.as_deref()?.parse().ok()).collect();
    let named = sharing.len() - addresses.len();
    if named > 1 {
        return Err(format!("Each listener must have a different port, listeners: {shown}"));
    }
    match addresses[..] {
        [first, second] if named == 0 && first.is_ipv4() != second.is_ipv4() => Ok(()),
        [_, _] => Err(format!(
            "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, \
             listeners: {shown}, port: {port}"
        )),
        _ => Err(format!(
            "Each listener must have a different port unless exactly one listener has an IPv4 address and the \
             other IPv6 address, listeners: {shown}, port: {port}"
        )),
    }
}

/// Reads `NAME:PROTOCOL,…`.
///
/// # Errors
/// INVALID_CONFIG with the sentence Kafka would stop its start with.
pub(crate) fn parse_protocol_map(text: &str) -> Result<BTreeMap<String, SecurityProtocol>, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let mut protocols = BTreeMap::new();
    for (name, protocol) in parse_csv_map(KEY, text)? {
        let protocol = SecurityProtocol::from_name(&protocol).ok_or_else(|| {
            ConfigError::invalid_config(format!("Invalid security protocol `{protocol}` defined in {KEY}"))
        })?;
        protocols.insert(name.to_uppercase(), protocol);
    }
    Ok(protocols)
}

/// Reads `key:value,…`; the last colon of an entry divides it.
///
/// # Errors
/// INVALID_CONFIG where an entry has no colon.
pub(crate) fn parse_csv_map(key: &str, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let mut entries: Vec<&str> = text.split(',').map(java::trim).collect();
    while entries.last().is_some_and(|entry| entry.is_empty()) {
        entries.pop();
    }
    let read = |entry: &str| {
        let (name, value) = entry.rsplit_once(':').ok_or_else(|| {
            let why = format!("begin 0, end -1, length {}", entry.encode_utf16().count());
            ConfigError::invalid_config(format!("Error parsing configuration property '{key}': {why}"))
        })?;
        Ok((java::trim(name).to_owned(), java::trim(value).to_owned()))
    };
    entries.into_iter().map(read).collect()
}
