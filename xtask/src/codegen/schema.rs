//! The JSON message schemas inside Kafka's jars, as data.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Deserializer};

/// One schema file: a request, a response, or a record.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) api_key: Option<i16>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) valid_versions: Versions,
    #[serde(default)]
    pub(super) flexible_versions: Versions,
    #[serde(default)]
    pub(super) latest_version_unstable: bool,
    #[serde(default)]
    pub(super) listeners: Vec<String>,
    #[serde(default)]
    pub(super) fields: Vec<Field>,
    #[serde(default)]
    pub(super) common_structs: Vec<CommonStruct>,
}

/// A struct that several fields of one message share.
#[derive(Deserialize, Clone, Debug)]
pub(super) struct CommonStruct {
    pub(super) name: String,
    pub(super) versions: Versions,
    pub(super) fields: Vec<Field>,
}

/// One field of a message or of a struct in it.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Field {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) ty: Type,
    #[serde(default)]
    pub(super) versions: Versions,
    #[serde(default)]
    pub(super) nullable_versions: Versions,
    #[serde(default)]
    pub(super) tagged_versions: Versions,
    pub(super) tag: Option<u32>,
    pub(super) flexible_versions: Option<Versions>,
    pub(super) default: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) ignorable: bool,
    #[serde(default)]
    pub(super) fields: Vec<Field>,
}

impl Field {
    /// A tagged field may leave its versions out: then it is there where it is tagged.
    fn say_versions(&mut self) {
        if self.tag.is_some() && self.versions.is_empty() {
            self.versions = self.tagged_versions;
        }
        self.fields.iter_mut().for_each(Field::say_versions);
    }
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Bool,
    /// An integer or float, by its Rust name, which is also the name of the codec's method.
    Number(&'static str),
    String,
    Bytes,
    Records,
    Uuid,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    fn parse(name: &str) -> Type {
        if let Some(element) = name.strip_prefix("[]") {
            return Type::Array(Box::new(Type::parse(element)));
        }
        match name {
            "bool" => Type::Bool,
            "int8" => Type::Number("i8"),
            "int16" => Type::Number("i16"),
            "uint16" => Type::Number("u16"),
            "int32" => Type::Number("i32"),
            "uint32" => Type::Number("u32"),
            "int64" => Type::Number("i64"),
            "float64" => Type::Number("f64"),
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "records" => Type::Records,
            "uuid" => Type::Uuid,
            name => Type::Struct(name.to_owned()),
        }
    }

    /// The innermost element type of arrays of arrays; the type itself otherwise.
    pub(super) fn element(&self) -> &Type {
        match self {
            Type::Array(element) => element.element(),
            other => other,
        }
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Type::parse(&String::deserialize(deserializer)?))
    }
}

/// A range of versions, both ends included; empty where `low > high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Versions {
    pub(super) low: i16,
    pub(super) high: i16,
}

impl Default for Versions {
    fn default() -> Self {
        Versions::NONE
    }
}

impl Versions {
    pub(super) const NONE: Versions = Versions { low: 1, high: 0 };

    fn parse(text: &str) -> Result<Versions> {
        if text == "none" || text.is_empty() {
            return Ok(Versions::NONE);
        }
        let number = |text: &str| text.parse::<i16>().with_context(|| format!("version `{text}`"));
        if let Some(low) = text.strip_suffix('+') {
            return Ok(Versions { low: number(low)?, high: i16::MAX });
        }
        match text.split_once('-') {
            Some((low, high)) => Ok(Versions { low: number(low)?, high: number(high)? }),
            None => Ok(Versions { low: number(text)?, high: number(text)? }),
        }
    }

    pub(super) fn and(self, other: Versions) -> Versions {
        Versions { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    pub(super) fn is_empty(self) -> bool {
        self.low > self.high
    }

    /// The Rust condition on `version` for being inside, given that `version` is inside `valid` already.
    pub(super) fn condition(self, valid: Versions) -> Condition {
        let inside = self.and(valid);
        if inside.is_empty() {
            return Condition::Never;
        }
        match (inside.low > valid.low, inside.high < valid.high) {
            (false, false) => Condition::Always,
            (true, false) => Condition::If(format!("version >= {}", inside.low)),
            (false, true) => Condition::If(format!("version <= {}", inside.high)),
            (true, true) => Condition::If(format!("({}..={}).contains(&version)", inside.low, inside.high)),
        }
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.low, self.high) {
            (low, i16::MAX) => write!(f, "{low}+"),
            (low, high) if low == high => write!(f, "{low}"),
            (low, high) => write!(f, "{low}-{high}"),
        }
    }
}

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Versions::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What is known at generation time about a test on `version`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Never,
    Always,
    If(String),
}

impl Condition {
    /// As a Rust expression of type `bool`.
    pub(super) fn expression(&self) -> String {
        match self {
            Condition::Never => "false".into(),
            Condition::Always => "true".into(),
            Condition::If(test) => test.clone(),
        }
    }
}

/// Parses one schema file. Kafka's files are JSON with `//` comments.
pub(super) fn parse(text: &str) -> Result<Message> {
    let mut message: Message = serde_json::from_str(&without_comments(text))?;
    let structs = message.common_structs.iter_mut().flat_map(|common| &mut common.fields);
    message.fields.iter_mut().chain(structs).for_each(Field::say_versions);
    if !["request", "response", "header", "metadata", "data", "coordinator-key", "coordinator-value"]
        .contains(&message.kind.as_str())
    {
        bail!("{}: unknown kind `{}`", message.name, message.kind);
    }
    Ok(message)
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| &line[..comment_start(line)]).collect::<Vec<_>>().join("\n")
}

/// Where the `//` comment of a line begins (outside of a string), or the line's length.
fn comment_start(line: &str) -> usize {
    let mut quoted = false;
    let bytes = line.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        quoted ^= byte == b'"';
        if !quoted && byte == b'/' && bytes.get(at + 1) == Some(&b'/') {
            return at;
        }
    }
    line.len()
}
