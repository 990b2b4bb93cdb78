//! Reading a node's configuration: built-in values, then the file, then the environment, then the command line.

use crate::broker::BrokerConfig;
use crate::error::StartError;
use crate::settings::BrokerSettings;

/// Everything a start hands in. Nothing is read from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Inputs<'a> {
    /// The name of `server.properties` (for messages) and its text.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment of the process; only `KAFKA_…` counts.
    pub environment: Vec<(String, String)>,
    /// `key=value` of each `--override`, in their order.
    pub overrides: Vec<String>,
    /// Whether the process runs in a container: without a file it then listens on all addresses.
    pub in_container: bool,
}

/// A configuration that a node can start with.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The layers, for DescribeConfigs and dynamic changes.
    pub config: BrokerConfig,
    /// The typed settings.
    pub settings: BrokerSettings,
    /// One line each, for the log: unknown keys, keys without effect.
    pub warnings: Vec<String>,
}

/// Reads and checks a configuration.
///
/// # Errors
/// A cause (with the line or variable it came from) and a fix.
pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, StartError> {
    let statics = inputs.overrides.iter().filter_map(|entry| entry.split_once('='));
    let statics = statics.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let config =
        BrokerConfig::new(statics).map_err(|error| StartError::new(error.message, "correct the value"))?;
    let settings = BrokerSettings::resolve(&config)?;
    Ok(Loaded { config, settings, warnings: Vec::new() })
}
