//! What a parsed value must satisfy, with Kafka's wording of the refusal and of the range in manuals.

use std::fmt;

use crate::error::ConfigError;
use crate::listeners::{parse_bootstrap_server, parse_voter};
use crate::value::Value;

/// The check of one key. `Display` prints it as Kafka's manual does: `[1,...]`, `[compact, delete]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Validator {
    /// Whatever the type allows.
    Any,
    /// A number not below `min`.
    AtLeast {
        /// Smallest value allowed.
        min: f64,
    },
    /// A number from `min` to `max`, both allowed.
    Between {
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// A list without empty entries; duplicates are dropped before it is looked at.
    List {
        /// What entries may be; nothing means anything.
        one_of: &'static [&'static str],
        /// Whether the list may have no entry.
        empty: bool,
        /// Whether the list may be absent.
        null: bool,
    },
    /// Text of at least one character, or none given.
    NonEmptyString,
    /// A text must be given.
    NonNull,
    /// A level of gzip: 1 to 9, or -1 for gzip's own default.
    GzipLevel,
    /// `earliest`, `latest` or `by_duration:` and an ISO-8601 duration.
    ShareAutoOffsetReset,
    /// `*`, or entries `partition:broker`.
    ThrottledReplicas,
    /// Entries `id@host:port`.
    QuorumVoters,
    /// Entries `host:port`.
    QuorumBootstrapServers,
}

impl Validator {
    /// Refuses what is not allowed. `value` is `None` where a key has no value.
    ///
    /// # Errors
    /// INVALID_CONFIG with Kafka's message.
    pub fn check(&self, name: &str, value: Option<&Value>) -> Result<(), ConfigError> {
        let shown = value.map_or_else(|| "null".to_owned(), Value::to_message_string);
        let invalid = |why: &str| Err(ConfigError::invalid_value(name, &shown, why));
        match (*self, value) {
            (Validator::Any, _) => Ok(()),
            (Validator::AtLeast { min }, value) => check_range(name, value, min, f64::INFINITY),
            (Validator::Between { min, max }, value) => check_range(name, value, min, max),
            (Validator::GzipLevel, Some(Value::Int(-1 | 1..=9))) => Ok(()),
            (Validator::GzipLevel, None) => invalid("Value must be non-null"),
            (Validator::GzipLevel, _) => invalid("Value must be between 1 and 9 or equal to -1"),
            (Validator::OneOf(valid), Some(Value::String(text))) if valid.contains(&text.as_str()) => Ok(()),
            (Validator::OneOf(valid), _) => invalid(&format!("String must be one of: {}", valid.join(", "))),
            (Validator::OneOfAnyCase(valid), Some(Value::String(text)))
                if valid.iter().any(|one| one.eq_ignore_ascii_case(text)) =>
            {
                Ok(())
            }
            (Validator::OneOfAnyCase(valid), _) => {
                invalid(&format!("String must be one of (case insensitive): {}", valid.join(", ")))
            }
            (Validator::List { null: true, .. }, None) => Ok(()),
            (Validator::List { .. }, None) => {
                Err(ConfigError::invalid_config(format!("Configuration '{name}' values must not be null.")))
            }
            (Validator::List { one_of, empty, .. }, Some(Value::List(entries))) => {
                check_list(name, entries, one_of, empty)
            }
            (Validator::NonEmptyString, Some(Value::String(text))) if text.is_empty() => {
                invalid("String must be non-empty")
            }
            (Validator::NonNull, None) => invalid("entry must be non null"),
            (Validator::ShareAutoOffsetReset, Some(Value::String(text))) if is_offset_reset(text) => Ok(()),
            (Validator::ShareAutoOffsetReset, _) => invalid(&format!(
                "Invalid value `{shown}` for configuration {name}. The value must be either 'earliest', \
                 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
            )),
            (Validator::ThrottledReplicas, Some(Value::List(entries)))
                if !are_throttled_replicas(entries) =>
            {
                invalid(&format!(
                    "{name} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],..."
                ))
            }
            (Validator::QuorumVoters | Validator::QuorumBootstrapServers, None) => invalid(""),
            (Validator::QuorumVoters, Some(Value::List(entries))) => {
                entries.iter().try_for_each(|entry| parse_voter(entry).map(|_| ()))
            }
            (Validator::QuorumBootstrapServers, Some(Value::List(entries))) => {
                entries.iter().try_for_each(|entry| parse_bootstrap_server(entry).map(|_| ()))
            }
            _ => Ok(()),
        }
    }
}

fn check_range(name: &str, value: Option<&Value>, min: f64, max: f64) -> Result<(), ConfigError> {
    let invalid = |shown: &str, why: &str| Err(ConfigError::invalid_value(name, shown, why));
    let Some(value) = value else {
        return invalid("null", "Value must be non-null");
    };
    // NaN is neither below nor above, in Java too.
    let number = value.as_number().unwrap_or(f64::NAN);
    if number < min {
        return invalid(&value.to_message_string(), &format!("Value must be at least {min}"));
    }
    if number > max {
        return invalid(&value.to_message_string(), &format!("Value must be no more than {max}"));
    }
    Ok(())
}

fn check_list(name: &str, entries: &[String], one_of: &[&str], empty: bool) -> Result<(), ConfigError> {
    if entries.is_empty() && !empty {
        let valid = if one_of.is_empty() {
            "any non-empty value".to_owned()
        } else {
            format!("[{}]", one_of.join(", "))
        };
        let message = format!("Configuration '{name}' must not be empty. Valid values include: {valid}");
        return Err(ConfigError::invalid_config(message));
    }
    for entry in entries {
        if entry.is_empty() {
            let message = format!("Configuration '{name}' values must not be empty.");
            return Err(ConfigError::invalid_config(message));
        }
        if !one_of.is_empty() && !one_of.contains(&entry.as_str()) {
            let why = format!("String must be one of: {}", one_of.join(", "));
            return Err(ConfigError::invalid_value(name, entry, &why));
        }
    }
    Ok(())
}

fn are_throttled_replicas(entries: &[String]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_replica = |entry: &String| {
        let entry = crate::java::trim(entry);
        entry.is_empty() || entry.split_once(':').is_some_and(|(p, b)| is_number(p) && is_number(b))
    };
    entries.iter().all(is_replica) || entries.concat().trim() == "*"
}

/// Whether `text` is a way to start reading where a share group has no offset (KIP-1106 durations included).
fn is_offset_reset(text: &str) -> bool {
    matches!(text, "earliest" | "latest")
        || text.strip_prefix("by_duration:").and_then(crate::duration::parse).is_some_and(|ms| ms >= 0)
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Validator::Any => Ok(()),
            Validator::AtLeast { min } => write!(f, "[{min},...]"),
            Validator::Between { min, max } => write!(f, "[{min},...,{max}]"),
            Validator::OneOf(valid) => write!(f, "[{}]", valid.join(", ")),
            Validator::OneOfAnyCase(valid) => write!(f, "(case insensitive) [{}]", valid.join(", ")),
            Validator::List { one_of: [], .. } => Ok(()),
            Validator::List { one_of, .. } => write!(f, "[{}]", one_of.join(", ")),
            Validator::NonEmptyString => f.write_str("non-empty string"),
            Validator::NonNull => f.write_str("non-null string"),
            Validator::GzipLevel => f.write_str("[1,...,9] or -1"),
            Validator::ShareAutoOffsetReset => f.write_str("[latest, earliest, by_duration:PnDTnHnMn.nS]"),
            Validator::ThrottledReplicas => {
                f.write_str("[partitionId]:[brokerId],[partitionId]:[brokerId],...")
            }
            Validator::QuorumVoters | Validator::QuorumBootstrapServers => f.write_str("non-empty list"),
        }
    }
}
