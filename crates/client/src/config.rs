//! Settings by Kafka's property names, typed and checked once.

use crate::backoff::Backoff;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Properties as a file or a command line gives them; the later of two values of one key counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Sets a key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// The same, to be chained.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Properties {
        self.set(key, value);
        self
    }

    /// Sets a key that has no value yet.
    pub fn set_default(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_owned()).or_insert_with(|| value.into());
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The value of a key as given.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A number not below `least`.
    pub fn number<T>(&self, key: &str, default: T, least: T) -> Result<T>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        let Some(text) = self.get(key) else { return Ok(default) };
        match text.trim().parse() {
            Ok(value) if value >= least => Ok(value),
            Ok(_) => Err(refused(key, text, format!("must be at least {least}"))),
            Err(_) => Err(refused(key, text, format!("must be a whole number; the default is {default}"))),
        }
    }

    /// A time in milliseconds.
    pub fn millis(&self, key: &str, default: u64) -> Result<Duration> {
        // Java's clients write "for ever" as the largest number; a century does not overflow any clock.
        const LONGEST_MS: u64 = 100 * 365 * 86_400_000;
        Ok(Duration::from_millis(self.number(key, default, 0)?.min(LONGEST_MS)))
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key).map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(text) => Err(refused(key, text, "must be true or false".to_owned())),
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, key: &str, default: T, words: &[(&str, T)]) -> Result<T> {
        let Some(text) = self.get(key) else { return Ok(default) };
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            refused(key, text, format!("must be one of {}", words.join(", ")))
        })
    }

    /// A list of words with commas between them; empty words are left out.
    pub fn list(&self, key: &str) -> Vec<String> {
        let words = self.get(key).unwrap_or_default().split(',').map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Properties {
        Properties(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Properties {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.0.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

/// A value that cannot be used.
pub(crate) fn refused(key: &str, value: &str, reason: impl Into<String>) -> Error {
    Error::Config { key: key.to_owned(), value: value.to_owned(), reason: reason.into() }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// Name or IP address, without the brackets of an IPv6 one.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, `[v6]:port` or `PROTOCOL://host:port`.
    pub fn parse(text: &str) -> Option<Address> {
        let text = text.trim();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').map_or(host, |inner| inner.strip_suffix(']').unwrap_or(inner));
        Some(Address { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which listeners a client starts from (KIP-919).
#[derive(Clone, Debug, PartialEq)]
pub enum Bootstrap {
    /// `bootstrap.servers`: any brokers.
    Brokers(Vec<Address>),
    /// `bootstrap.controllers`: any controllers; only administration goes to those.
    Controllers(Vec<Address>),
}

impl Bootstrap {
    /// The addresses.
    pub fn addresses(&self) -> &[Address] {
        match self {
            Bootstrap::Brokers(addresses) | Bootstrap::Controllers(addresses) => addresses,
        }
    }
}

/// What all clients of a cluster have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientConfig {
    /// `bootstrap.servers` or `bootstrap.controllers`.
    pub bootstrap: Bootstrap,
    /// `client.id`: what the broker's logs and quotas know the client by.
    pub client_id: String,
    /// `request.timeout.ms`: the longest wait for an answer.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: the longest time for an operation with all its retries.
    pub api_timeout: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub backoff: Backoff,
    /// `metadata.max.age.ms`: when what is known about topics is asked for again.
    pub metadata_max_age: Duration,
    /// `socket.connection.setup.timeout.ms`.
    pub connect_timeout: Duration,
    /// `allow.auto.create.topics`: whether asking for a topic may create it, if the broker allows that too.
    pub allow_auto_create_topics: bool,
}

impl ClientConfig {
    /// Brokers and nothing else.
    pub fn brokers(servers: &str) -> Result<ClientConfig> {
        ClientConfig::from_properties(&Properties::default().with("bootstrap.servers", servers))
    }

    /// Reads the properties; keys that belong to others are left alone.
    pub fn from_properties(properties: &Properties) -> Result<ClientConfig> {
        properties.word("security.protocol", (), &[("PLAINTEXT", ())]).map_err(|_| {
            let value = properties.get("security.protocol").unwrap_or_default();
            refused("security.protocol", value, "only PLAINTEXT is there yet; use a PLAINTEXT listener")
        })?;
        Ok(ClientConfig {
            bootstrap: bootstrap(properties)?,
            client_id: properties.get("client.id").unwrap_or_default().to_owned(),
            request_timeout: properties.millis("request.timeout.ms", 30_000)?,
            api_timeout: properties.millis("default.api.timeout.ms", 60_000)?,
            backoff: Backoff {
                first: properties.millis("retry.backoff.ms", 100)?,
                longest: properties.millis("retry.backoff.max.ms", 1_000)?,
            },
            metadata_max_age: properties.millis("metadata.max.age.ms", 300_000)?,
            connect_timeout: properties.millis("socket.connection.setup.timeout.ms", 10_000)?,
            allow_auto_create_topics: properties.boolean("allow.auto.create.topics", true)?,
        })
    }
}

fn bootstrap(properties: &Properties) -> Result<Bootstrap> {
    let brokers = addresses(properties, "bootstrap.servers")?;
    let controllers = addresses(properties, "bootstrap.controllers")?;
    match (brokers.is_empty(), controllers.is_empty()) {
        (false, true) => Ok(Bootstrap::Brokers(brokers)),
        (true, false) => Ok(Bootstrap::Controllers(controllers)),
        (true, true) => Err(refused("bootstrap.servers", "", "must be a list like host1:9092,host2:9092")),
        (false, false) => {
            Err(refused("bootstrap.controllers", "…", "cannot be given together with bootstrap.servers"))
        }
    }
}

fn addresses(properties: &Properties, key: &str) -> Result<Vec<Address>> {
    let parse = |text: &String| {
        Address::parse(text).ok_or_else(|| refused(key, text, "must be a list like host1:9092,host2:9092"))
    };
    properties.list(key).iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kafka_reads_them() {
        let check = |text: &str, expect: Option<(&str, u16)>| {
            let expect = expect.map(|(host, port)| Address { host: host.to_owned(), port });
            assert_eq!(Address::parse(text), expect, "{text}");
        };
        check("localhost:9092", Some(("localhost", 9092)));
        check("[::1]:9092", Some(("::1", 9092)));
        check("PLAINTEXT://h-1.example:1", Some(("h-1.example", 1)));
        check("localhost", None);
        check("localhost:", None);
        check("localhost:70000", None);
    }

    #[test]
    fn a_bad_value_names_its_key() {
        let check = |key: &str, value: &str, expect: &str| {
            let properties = Properties::default().with("bootstrap.servers", "h:1").with(key, value);
            let error = ClientConfig::from_properties(&properties).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check(
            "request.timeout.ms",
            "soon",
            "request.timeout.ms=soon: must be a whole number; the default is 30000",
        );
        check(
            "security.protocol",
            "SSL",
            "security.protocol=SSL: only PLAINTEXT is there yet; use a PLAINTEXT listener",
        );
        check("bootstrap.servers", "h", "bootstrap.servers=h: must be a list like host1:9092,host2:9092");
        check("allow.auto.create.topics", "yes", "allow.auto.create.topics=yes: must be true or false");
    }
}
