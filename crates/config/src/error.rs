//! The two ways a configuration can be wrong: a client asked for something Kafka refuses
//! ([`ConfigError`], answered with a code and Kafka's words), or the node itself cannot start
//! ([`StartError`], printed as one line of cause and one line of fix).

use std::fmt;

use ottla_protocol::ErrorCode;

/// What a client is told when a configuration it sent is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The code of the answer; never [`ErrorCode::None`].
    pub code: ErrorCode,
    /// The message of the answer, worded as Kafka words it because tools print it.
    pub message: String,
}

impl ConfigError {
    /// A value that cannot be: Kafka's `InvalidConfigurationException` and `ConfigException`.
    pub fn invalid_config(message: impl Into<String>) -> ConfigError {
        ConfigError { code: ErrorCode::InvalidConfig, message: message.into() }
    }

    /// A request that cannot be: Kafka's `InvalidRequestException`.
    pub fn invalid_request(message: impl Into<String>) -> ConfigError {
        ConfigError { code: ErrorCode::InvalidRequest, message: message.into() }
    }

    /// Kafka's sentence about one value of one key.
    pub(crate) fn invalid_value(name: &str, value: &str, why: &str) -> ConfigError {
        let detail = if why.is_empty() { String::new() } else { format!(": {why}") };
        ConfigError::invalid_config(format!("Invalid value {value} for configuration {name}{detail}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Why the node does not start, for a person at a terminal. Both lines are one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    /// What is wrong, and where it was read.
    pub cause: String,
    /// What to change.
    pub fix: String,
}

impl StartError {
    /// A start error of two sentences; line breaks in them become spaces, so that each stays one line.
    pub fn new(cause: impl AsRef<str>, fix: impl AsRef<str>) -> StartError {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        StartError { cause: one_line(cause.as_ref()), fix: one_line(fix.as_ref()) }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.cause, self.fix)
    }
}

impl std::error::Error for StartError {}
