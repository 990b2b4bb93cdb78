//! The nine types of a configuration value: how text becomes one, and how one becomes the text that
//! DescribeConfigs carries. Wording and tolerance (trimming, case, `+5`) are Kafka's.

use std::fmt;

use crate::error::ConfigError;
use crate::java;

/// The type of a key; the numbers are those of DescribeConfigs v3+.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigType {
    /// A key that no table knows.
    Unknown = 0,
    /// `true` or `false`, in any case.
    Boolean = 1,
    /// Text, trimmed.
    String = 2,
    /// 32-bit integer.
    Int = 3,
    /// 16-bit integer.
    Short = 4,
    /// 64-bit integer.
    Long = 5,
    /// Double-precision number.
    Double = 6,
    /// Texts separated by commas.
    List = 7,
    /// The name of a Java class.
    Class = 8,
    /// Text that is never shown.
    Password = 9,
}

impl ConfigType {
    /// The number that DescribeConfigs carries.
    pub fn id(self) -> i8 {
        self as i8
    }

    /// Kafka's name of the type, as its messages print it.
    pub fn name(self) -> &'static str {
        match self {
            ConfigType::Unknown => "UNKNOWN",
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }
}

/// Text that `Debug` and `Display` hide.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Hides `secret`.
    pub fn new(secret: impl Into<String>) -> Password {
        Password(secret.into())
    }

    /// The text itself, for the one place that checks it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A value of one of the types.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// See [`ConfigType::Boolean`].
    Boolean(bool),
    /// See [`ConfigType::String`].
    String(String),
    /// See [`ConfigType::Int`].
    Int(i32),
    /// See [`ConfigType::Short`].
    Short(i16),
    /// See [`ConfigType::Long`].
    Long(i64),
    /// See [`ConfigType::Double`].
    Double(f64),
    /// See [`ConfigType::List`].
    List(Vec<String>),
    /// See [`ConfigType::Class`].
    Class(String),
    /// See [`ConfigType::Password`].
    Password(Password),
}

impl Value {
    /// Reads `text` as a value of `config_type`; `name` is for the message only.
    ///
    /// # Errors
    /// INVALID_CONFIG with Kafka's message (`Invalid value abc for configuration x: Not a number of type LONG`).
    pub fn parse(name: &str, text: &str, config_type: ConfigType) -> Result<Value, ConfigError> {
        let trimmed = java::trim(text);
        let number = |parsed: Option<Value>| {
            let why = || format!("Not a number of type {}", config_type.name());
            parsed.ok_or_else(|| ConfigError::invalid_value(name, text, &why()))
        };
        match config_type {
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            ConfigType::Boolean => {
                Err(ConfigError::invalid_value(name, text, "Expected value to be either true or false"))
            }
            ConfigType::String | ConfigType::Unknown => Ok(Value::String(trimmed.to_owned())),
            ConfigType::Password => Ok(Value::Password(Password::new(trimmed))),
            ConfigType::Int => number(trimmed.parse().ok().map(Value::Int)),
            ConfigType::Short => number(trimmed.parse().ok().map(Value::Short)),
            ConfigType::Long => number(trimmed.parse().ok().map(Value::Long)),
            ConfigType::Double => number(java::parse_double(trimmed).map(Value::Double)),
            ConfigType::List => Ok(Value::List(split_list(trimmed))),
            ConfigType::Class if java::KNOWN_CLASSES.contains(&trimmed) => {
                Ok(Value::Class(trimmed.to_owned()))
            }
            ConfigType::Class => {
                Err(ConfigError::invalid_value(name, text, &format!("Class {text} could not be found.")))
            }
        }
    }

    /// The text DescribeConfigs shows; a password is shown as Java prints one, callers hide it altogether.
    pub fn to_config_string(&self) -> String {
        match self {
            Value::Boolean(value) => value.to_string(),
            Value::String(value) | Value::Class(value) => value.clone(),
            Value::Int(value) => value.to_string(),
            Value::Short(value) => value.to_string(),
            Value::Long(value) => value.to_string(),
            Value::Double(value) => java::double_to_string(*value),
            Value::List(values) => values.join(","),
            Value::Password(_) => "[hidden]".to_owned(),
        }
    }

    /// The text error messages show: as [`Value::to_config_string`], but lists in Java's brackets.
    pub(crate) fn to_message_string(&self) -> String {
        match self {
            Value::List(values) => format!("[{}]", values.join(", ")),
            other => other.to_config_string(),
        }
    }

    /// The number in it, for range checks.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(f64::from(*value)),
            Value::Short(value) => Some(f64::from(*value)),
            Value::Long(value) => Some(*value as f64),
            Value::Double(value) => Some(*value),
            _ => None,
        }
    }
}

/// Splits at commas and the white space around them; nothing at all is the empty list, while `a,` has an
/// empty second entry.
fn split_list(trimmed: &str) -> Vec<String> {
    if trimmed.is_empty() {
        return Vec::new();
    }
    trimmed.split(',').map(|part| part.trim_matches(java::is_regex_space).to_owned()).collect()
}
