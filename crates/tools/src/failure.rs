//! How a tool ends before its last line.

use std::borrow::Cow;
use std::fmt;

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
}

impl Exception {
    /// An exception of any class.
    pub fn new(class: &'static str, message: impl Into<String>) -> Exception {
        Exception { class: Cow::Borrowed(class), message: Some(message.into()) }
    }

    /// A value that makes no sense.
    pub fn illegal_argument(message: impl Into<String>) -> Exception {
        Exception::new("java.lang.IllegalArgumentException", message)
    }

    /// A file that cannot be opened, in the words of the JVM: `path (No such file or directory)`.
    pub fn file(path: &str, error: &std::io::Error) -> Exception {
        use std::io::ErrorKind;
        let (class, why) = match error.kind() {
            ErrorKind::NotFound => ("java.io.FileNotFoundException", "No such file or directory".to_string()),
            ErrorKind::PermissionDenied => ("java.io.FileNotFoundException", "Permission denied".to_string()),
            ErrorKind::IsADirectory => ("java.io.FileNotFoundException", "Is a directory".to_string()),
            _ => ("java.io.IOException", error.to_string()),
        };
        Exception::new(class, format!("{path} ({why})"))
    }

    /// What waiting for a failed answer throws: the text is the class and text of the cause.
    pub fn execution(self) -> Exception {
        Exception::new("java.util.concurrent.ExecutionException", self.to_string())
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
