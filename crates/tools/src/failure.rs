//! How a tool ends before its last line.

use std::borrow::Cow;
use std::fmt;

use ottla_protocol::ErrorCode;

use crate::context::Context;

/// Why a tool stopped.
#[derive(Debug)]
pub enum Failure {
    /// Everything that had to be said has been said; the process ends with this code.
    Exit(i32),
    /// Something went wrong that the tool's outermost function words: each Kafka tool does it in its own way.
    Thrown(Exception),
}

/// What a Kafka tool would have thrown. Class names are part of what some tools print, so an error carries one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Full Java class name, such as `java.lang.IllegalArgumentException`.
    pub class: Cow<'static, str>,
    /// The text; a few exceptions have none, which prints as `null`.
    pub message: Option<String>,
    /// The error code that it stands for, if a broker sent one.
    pub code: Option<ErrorCode>,
    /// What it was thrown for.
    pub cause: Option<Box<Exception>>,
}

impl Exception {
    /// An exception of any class.
    pub fn new(class: &'static str, message: impl Into<String>) -> Exception {
        Exception { class: Cow::Borrowed(class), message: Some(message.into()), code: None, cause: None }
    }

    /// Kafka's exception for an error code, with the broker's own text if it sent one, even an empty one.
    pub fn of_code(code: ErrorCode, message: Option<&str>) -> Exception {
        let message = message.unwrap_or(code.message());
        Exception { class: class_of(code), message: Some(message.to_string()), code: Some(code), cause: None }
    }

    /// A failure of the client underneath, while it was asked for `call`.
    pub fn of_client(call: &str, error: &ottla_client::Error) -> Exception {
        use ottla_client::Error;
        match error {
            Error::Broker { code, message, .. } => Exception::of_code(*code, message.as_deref()),
            Error::Connect { .. }
            | Error::Disconnected { .. }
            | Error::Timeout { .. }
            | Error::Unavailable(_) => {
                let text = format!("Timed out waiting for a node assignment. Call: {call}");
                let cause =
                    Exception::new("org.apache.kafka.common.errors.DisconnectException", error.to_string());
                Exception {
                    cause: Some(Box::new(cause)),
                    ..Exception::new("org.apache.kafka.common.errors.TimeoutException", text)
                }
            }
            Error::UnsupportedVersion { key, theirs, .. } => {
                let (least, most) = key.versions();
                let mut text = format!("The node does not support {}", constant_name(key.name()));
                if let Some((low, high)) = theirs {
                    text.push_str(&format!(
                        " with version in range [{least},{most}]. The supported range is [{low},{high}]."
                    ));
                }
                Exception::new(UNSUPPORTED_VERSION, text)
            }
            Error::Request { .. } => Exception::new(UNSUPPORTED_VERSION, error.to_string()),
            Error::Config { .. } => {
                Exception::new("org.apache.kafka.common.config.ConfigException", error.to_string())
            }
            _ => Exception::new("org.apache.kafka.common.KafkaException", error.to_string()),
        }
    }

    /// A value that makes no sense.
    pub fn illegal_argument(message: impl Into<String>) -> Exception {
        Exception::new("java.lang.IllegalArgumentException", message)
    }

    /// What a tool says by itself, without a trace.
    pub fn terse(message: impl Into<String>) -> Exception {
        Exception::new("org.apache.kafka.tools.TerseException", message)
    }

    /// A file that cannot be read as text.
    pub fn unreadable(path: &str, error: &std::io::Error) -> Exception {
        Exception {
            cause: Some(Box::new(Exception::file(path, error))),
            ..Exception::new("java.io.IOException", format!("Unable to read file {path}"))
        }
    }

    /// A file that cannot be opened.
    pub fn file(path: &str, error: &std::io::Error) -> Exception {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound => Exception::new("java.nio.file.NoSuchFileException", path),
            ErrorKind::PermissionDenied => Exception::new("java.nio.file.AccessDeniedException", path),
            ErrorKind::IsADirectory => Exception::new("java.io.IOException", "Is a directory"),
            _ => Exception::new("java.io.IOException", error.to_string()),
        }
    }

    /// An exception thrown because of this one; its text is the class and text of the cause.
    pub fn wrapped(self, class: &'static str) -> Exception {
        Exception { cause: Some(Box::new(self.clone())), ..Exception::new(class, self.to_string()) }
    }

    /// What waiting for a failed answer throws.
    pub fn execution(self) -> Exception {
        self.wrapped("java.util.concurrent.ExecutionException")
    }

    /// Whether it is of this class, given without its package.
    pub fn is(&self, simple_name: &str) -> bool {
        self.class.rsplit('.').next() == Some(simple_name)
    }

    /// The first lines of a stack trace: the exception and its causes.
    pub fn trace(&self) -> String {
        let mut text = format!("{self}\n");
        let mut cause = self.cause.as_deref();
        while let Some(exception) = cause {
            text.push_str(&format!("Caused by: {exception}\n"));
            cause = exception.cause.as_deref();
        }
        text
    }

    /// Whether Java would take it for an `IllegalArgumentException`.
    pub fn is_illegal_argument(&self) -> bool {
        self.is("IllegalArgumentException") || self.is("NumberFormatException")
    }

    /// What the JVM does with what nobody catches; returns the exit code.
    pub fn uncaught(&self, cx: &mut Context<'_>) -> i32 {
        // Nobody is left to tell when standard error is gone.
        write!(cx.err, "Exception in thread \"main\" {}", self.trace()).ok();
        1
    }

    /// The text as Java prints it where only the text is printed.
    pub fn text(&self) -> &str {
        self.message.as_deref().unwrap_or("null")
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.class),
            None => f.write_str(&self.class),
        }
    }
}

impl std::error::Error for Exception {}

impl From<Exception> for Failure {
    fn from(exception: Exception) -> Failure {
        Failure::Thrown(exception)
    }
}

/// A reader of our output that went away: nobody is left to tell.
impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Failure {
        Failure::Exit(1)
    }
}

const UNSUPPORTED_VERSION: &str = "org.apache.kafka.common.errors.UnsupportedVersionException";

/// `DescribeConfigs` as Java writes constants: `DESCRIBE_CONFIGS`.
fn constant_name(name: &str) -> String {
    let mut constant = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.push(c.to_ascii_uppercase());
    }
    constant
}

/// The class that Kafka's clients throw for a code: in most cases the code's name in another spelling.
fn class_of(code: ErrorCode) -> Cow<'static, str> {
    use ErrorCode as E;
    let irregular = match code {
        E::UnknownServerError => "UnknownServerException",
        E::CorruptMessage => "CorruptRecordException",
        E::RequestTimedOut => "TimeoutException",
        E::MessageTooLarge => "RecordTooLargeException",
        E::StaleControllerEpoch => "ControllerMovedException",
        E::OffsetMetadataTooLarge => "OffsetMetadataTooLarge",
        E::RecordListTooLarge => "RecordBatchTooLargeException",
        E::TopicAuthorizationFailed => "TopicAuthorizationException",
        E::GroupAuthorizationFailed => "GroupAuthorizationException",
        E::ClusterAuthorizationFailed => "ClusterAuthorizationException",
        E::TopicAlreadyExists => "TopicExistsException",
        E::InvalidConfig => "InvalidConfigurationException",
        E::OutOfOrderSequenceNumber => "OutOfOrderSequenceException",
        E::DuplicateSequenceNumber => "DuplicateSequenceException",
        E::InvalidProducerIdMapping => "InvalidPidMappingException",
        E::InvalidTransactionTimeout => "InvalidTxnTimeoutException",
        E::TransactionalIdAuthorizationFailed => "TransactionalIdAuthorizationException",
        E::KafkaStorageError => "KafkaStorageException",
        E::SaslAuthenticationFailed => "SaslAuthenticationException",
        E::DelegationTokenAuthDisabled => "DelegationTokenDisabledException",
        E::DelegationTokenRequestNotAllowed => "UnsupportedByAuthenticationException",
        E::DelegationTokenAuthorizationFailed => "DelegationTokenAuthorizationException",
        E::NonEmptyGroup => "GroupNotEmptyException",
        E::PrincipalDeserializationFailure => "PrincipalDeserializationException",
        E::FetchSessionTopicIdError => "FetchSessionTopicIdException",
        E::InvalidRegularExpression => "InvalidRegularExpression",
        E::InvalidRecord => return Cow::Borrowed("org.apache.kafka.common.InvalidRecordException"),
        _ => "",
    };
    let mut class = String::from("org.apache.kafka.common.errors.");
    class.push_str(irregular);
    if irregular.is_empty() {
        for word in code.name().split('_') {
            let (first, rest) = word.split_at(1);
            class.push_str(first);
            class.push_str(&rest.to_ascii_lowercase());
        }
        if !class.ends_with("Exception") {
            class.push_str("Exception");
        }
    }
    Cow::Owned(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_kafkas_clients() {
        let check = |code, expected: &str| {
            let exception = Exception::of_code(code, None);
            assert_eq!(exception.class.rsplit('.').next(), Some(expected));
            assert!(exception.is(expected));
        };
        check(ErrorCode::UnknownTopicOrPartition, "UnknownTopicOrPartitionException");
        check(ErrorCode::InvalidTopicException, "InvalidTopicException");
        check(ErrorCode::UnknownServerError, "UnknownServerException");
        check(ErrorCode::NonEmptyGroup, "GroupNotEmptyException");
    }

    #[test]
    fn a_trace_names_the_causes() {
        let trace =
            Exception::of_code(ErrorCode::GroupIdNotFound, Some("Group g not found.")).execution().trace();
        assert_eq!(
            trace,
            "java.util.concurrent.ExecutionException: \
             org.apache.kafka.common.errors.GroupIdNotFoundException: Group g not found.\n\
             Caused by: org.apache.kafka.common.errors.GroupIdNotFoundException: Group g not found.\n"
        );
    }
}
