//! What can go wrong, in one line each: the thing, the cause and, where there is one, the fix.

use ottla_protocol::codec::{DecodeError, EncodeError};
use ottla_protocol::{ApiKey, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was not done. Cheap to clone: one failed batch fails many records.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A property has a value that cannot be used.
    #[error("{key}={value}: {reason}")]
    Config {
        /// Kafka's name of the property.
        key: String,
        /// The value as given.
        value: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// No connection could be made.
    #[error("cannot connect to {address}: {cause}")]
    Connect {
        /// `host:port`.
        address: String,
        /// The system's word.
        cause: Arc<std::io::Error>,
    },
    /// A connection ended while an answer was outstanding.
    #[error("{address} closed the connection{}", during(.cause))]
    Disconnected {
        /// `host:port`.
        address: String,
        /// The system's word, where there is one.
        cause: Option<Arc<std::io::Error>>,
    },
    /// No answer in time.
    #[error("{what} took longer than {} ms", .after.as_millis())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// The two sides have no common version of a request.
    #[error("{address} {}", no_common_version(*.key, *.theirs))]
    UnsupportedVersion {
        /// The request.
        key: ApiKey,
        /// `host:port`.
        address: String,
        /// Lowest and highest version that the broker knows, if it knows the request at all.
        theirs: Option<(i16, i16)>,
    },
    /// An answer that is not one.
    #[error(
        "{address} sent an answer to {key:?} that does not decode ({cause}): is it a Kafka listener of this security protocol?"
    )]
    Answer {
        /// The request.
        key: ApiKey,
        /// `host:port`.
        address: String,
        /// What the decoder says.
        cause: DecodeError,
    },
    /// Bytes that are no Kafka frame.
    #[error("{address} does not speak Kafka here: {reason}")]
    Frame {
        /// `host:port`.
        address: String,
        /// What is wrong with them.
        reason: String,
    },
    /// A request that cannot be written at the version that the broker knows.
    #[error("{key:?} version {version} cannot carry the request ({cause}): the broker is too old for it")]
    Request {
        /// The request.
        key: ApiKey,
        /// The version chosen.
        version: i16,
        /// What the encoder says.
        cause: EncodeError,
    },
    /// The broker's answer is an error.
    #[error("{about}: {}", .message.as_deref().unwrap_or(.code.message()))]
    Broker {
        /// Kafka's code.
        code: ErrorCode,
        /// The topic, partition, group … that it is about.
        about: String,
        /// The broker's own text, where it sent one.
        message: Option<String>,
    },
    /// A partition, broker or coordinator that the cluster does not have at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// Record batches that are damaged or too new.
    #[error("{topic}-{partition} at offset {offset}: {reason}")]
    Records {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where the batch should begin.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// A call that makes no sense in the state that the producer or consumer is in.
    #[error("{0}")]
    State(String),
}

impl Error {
    /// An error answer about something.
    pub fn broker(code: ErrorCode, about: impl Into<String>) -> Error {
        Error::Broker { code, about: about.into(), message: None }
    }

    /// `Ok` for code 0, else an error answer with the broker's text, if it sent one.
    pub fn check(code: i16, about: impl FnOnce() -> String, message: Option<&str>) -> Result<()> {
        match ErrorCode::from_code(code) {
            ErrorCode::None => Ok(()),
            code => {
                let message = message.filter(|text| !text.is_empty()).map(str::to_owned);
                Err(Error::Broker { code, about: about(), message })
            }
        }
    }

    /// Kafka's code, where the broker gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Broker { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same may succeed later without anybody changing anything.
    pub fn is_retriable(&self) -> bool {
        match self {
            Error::Broker { code, .. } => code.is_retriable(),
            Error::Connect { .. }
            | Error::Disconnected { .. }
            | Error::Timeout { .. }
            | Error::Unavailable(_) => true,
            _ => false,
        }
    }

    /// Whether the connection is at fault, so that another broker might be asked at once.
    pub(crate) fn is_connection(&self) -> bool {
        matches!(
            self,
            Error::Connect { .. } | Error::Disconnected { .. } | Error::Timeout { .. } | Error::Frame { .. }
        )
    }
}

fn during(cause: &Option<Arc<std::io::Error>>) -> String {
    cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default()
}

fn no_common_version(key: ApiKey, theirs: Option<(i16, i16)>) -> String {
    let (low, high) = key.versions();
    match theirs {
        Some((least, most)) => {
            format!("knows {} only in versions {least} to {most}, not in {low} to {high}", key.name())
        }
        None => format!("does not know {}: the broker is too old, or a controller, for this", key.name()),
    }
}
