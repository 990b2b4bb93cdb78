//! Refusals, with Kafka's code and words.

use ottla_config::ConfigError;
use ottla_protocol::{ByteString, ErrorCode};

/// Why something is refused. Tools print the message, hence it is Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
}

/// Result of something that may be refused.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A refusal with words of its own.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> ApiError {
        ApiError { code, message: Some(message.into()) }
    }

    /// A refusal that says what its code says anyhow, so that Kafka sends no message.
    pub(crate) fn bare(code: ErrorCode) -> ApiError {
        ApiError { code, message: None }
    }

    /// A refusal that sends the text of its code as the message.
    pub(crate) fn standard(code: ErrorCode) -> ApiError {
        ApiError::new(code, code.message())
    }

    /// More records than one request may write.
    pub(crate) fn too_large() -> ApiError {
        ApiError::new(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation.")
    }

    /// Refuses a request that gives no time: Kafka's would have run out when its turn comes.
    pub(crate) fn check_timeout(timeout_ms: i32) -> ApiResult<()> {
        if timeout_ms > 0 { Ok(()) } else { Err(ApiError::bare(ErrorCode::RequestTimedOut)) }
    }

    pub(crate) fn wire_message(&self) -> Option<ByteString> {
        self.message.as_deref().map(ByteString::from)
    }
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> ApiError {
        ApiError::new(error.code, error.message)
    }
}

/// Code and message of a result on the wire.
pub(crate) fn on_wire<T>(result: &ApiResult<T>) -> (i16, Option<ByteString>) {
    match result {
        Ok(_) => (ErrorCode::None.code(), None),
        Err(error) => (error.code.code(), error.wire_message()),
    }
}
