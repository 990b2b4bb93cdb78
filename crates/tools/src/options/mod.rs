//! Options of most of Kafka's tools: long names, one table row each, parsed as those tools parse them.
//!
//! ```text
//! --topic my-topic   --topic=my-topic   -topic my-topic   --config a=1 --config b=2   --state   --   operand
//! ```
//!
//! Names are never abbreviated. A value is whatever comes next, even when it begins with a dash. `--topic=` is the same
//! as `--topic`. An option that may be given once complains when its value is asked for, not before.

mod help;
mod parse;
#[cfg(test)]
mod tests;

pub use parse::Arguments;

use crate::context::Context;
use crate::failure::{Exception, Failure};

/// One row of a tool's option table.
#[derive(Debug)]
pub struct Opt {
    /// Without the dashes.
    pub name: &'static str,
    /// What follows it.
    pub value: Value,
    /// Text for `--help`.
    pub help: &'static str,
    /// Used when the option is absent.
    pub default: Option<&'static str>,
    /// One value is several, separated by this.
    pub separator: Option<char>,
    /// Whether parsing fails without it.
    pub is_required: bool,
    /// Allowed only together with one of these; empty means always.
    pub available_with: &'static [&'static str],
}

/// What follows an option.
#[derive(Debug)]
pub enum Value {
    /// Nothing.
    None,
    /// A value of this type (`String`, `Integer`, `Long`), called by this name in the help text.
    Required(&'static str, &'static str),
    /// As before, but it may be left out.
    Optional(&'static str, &'static str),
}

impl Opt {
    const fn new(name: &'static str, value: Value, help: &'static str) -> Opt {
        Opt { name, value, help, default: None, separator: None, is_required: false, available_with: &[] }
    }

    /// An option without a value.
    pub const fn flag(name: &'static str, help: &'static str) -> Opt {
        Opt::new(name, Value::None, help)
    }

    /// An option with a text.
    pub const fn text(name: &'static str, what: &'static str, help: &'static str) -> Opt {
        Opt::new(name, Value::Required("String", what), help)
    }

    /// An option with a 32-bit number.
    pub const fn integer(name: &'static str, what: &'static str, help: &'static str) -> Opt {
        Opt::new(name, Value::Required("Integer", what), help)
    }

    /// An option with a 64-bit number.
    pub const fn long(name: &'static str, what: &'static str, help: &'static str) -> Opt {
        Opt::new(name, Value::Required("Long", what), help)
    }

    /// An option whose text may be left out.
    pub const fn optional_text(name: &'static str, what: &'static str, help: &'static str) -> Opt {
        Opt::new(name, Value::Optional("String", what), help)
    }

    /// The same option, whose value may be left out.
    pub const fn or_alone(self) -> Opt {
        match self.value {
            Value::Required(kind, what) => Opt { value: Value::Optional(kind, what), ..self },
            Value::None | Value::Optional(..) => self,
        }
    }

    /// The value of an absent option.
    pub const fn or(self, default: &'static str) -> Opt {
        Opt { default: Some(default), ..self }
    }

    /// Parsing fails without it.
    pub const fn required(self) -> Opt {
        Opt { is_required: true, ..self }
    }

    /// Allowed only together with one of these.
    pub const fn available_with(self, others: &'static [&'static str]) -> Opt {
        Opt { available_with: others, ..self }
    }

    /// `--opt a,b` counts as `--opt a --opt b`.
    pub const fn separated_by(self, separator: char) -> Opt {
        Opt { separator: Some(separator), ..self }
    }
}

/// `--help` and `--version` belong to every tool.
const EVERYWHERE: [Opt; 2] = [
    Opt::flag("help", "Print this text."),
    Opt::flag("version", "Print the version of Kafka whose tool this is."),
];

/// A command line that does not fit the table. The texts are those scripts see from Kafka's tools.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No such option.
    #[error("{0} is not a recognized option")]
    Unrecognized(String),
    /// The value is missing.
    #[error("Option {0} requires an argument")]
    MissingArgument(&'static str),
    /// What has to be given is not.
    #[error("Missing required option(s) [{0}]")]
    Missing(String),
    /// Not to be given without one of certain others.
    #[error("Option(s) [{0}] are unavailable given other options on the command line")]
    Unavailable(String),
    /// Given more than once.
    #[error("Found multiple arguments for option {0}, but you asked for only one")]
    Repeated(&'static str),
    /// Not of the declared type.
    #[error("Cannot parse argument '{value}' of option {option}")]
    Unparsable {
        /// The option's name.
        option: &'static str,
        /// What was given.
        value: String,
    },
}

impl From<OptionError> for Exception {
    fn from(error: OptionError) -> Exception {
        let class = match error {
            OptionError::Unrecognized(_) => "joptsimple.UnrecognizedOptionException",
            OptionError::MissingArgument(_) => "joptsimple.OptionMissingRequiredArgumentException",
            OptionError::Missing(_) => "joptsimple.MissingRequiredOptionsException",
            OptionError::Unavailable(_) => "joptsimple.UnavailableOptionException",
            OptionError::Repeated(_) => "joptsimple.MultipleArgumentsForOptionException",
            OptionError::Unparsable { .. } => "joptsimple.OptionArgumentConversionException",
        };
        Exception::new(class, error.to_string())
    }
}

impl From<OptionError> for Failure {
    fn from(error: OptionError) -> Failure {
        Failure::Thrown(error.into())
    }
}

/// Prints `message` and the table's help text to standard error; the tool ends with exit code 1.
pub fn usage(cx: &mut Context<'_>, table: &'static [Opt], message: &str) -> Failure {
    write!(cx.err, "{message}\n{}", help::text(table)).map_or_else(Failure::from, |()| Failure::Exit(1))
}
