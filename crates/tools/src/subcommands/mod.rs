//! Options of those of Kafka's tools that have sub-commands (`kafka-storage`, `kafka-cluster`, `kafka-metadata-quorum`),
//! and of `kafka-producer-perf-test`, which has none.
//!
//! They are read by another library than the rest of Kafka's tools, and it differs in everything: flags have short
//! forms and may be abbreviated, so may sub-commands; help goes to standard output; complaints go to standard error
//! under a usage text; required flags and groups of flags that exclude each other are checked while parsing.

mod parse;
#[cfg(test)]
mod tests;
mod usage;

pub use parse::Matches;

use crate::context::Context;
use crate::failure::Failure;

/// A tool or one of its sub-commands.
#[derive(Debug)]
pub struct Parser {
    /// `kafka-storage` for the tool, `format` for a sub-command.
    pub name: &'static str,
    /// A sentence for the help text.
    pub about: &'static str,
    /// `-h` comes by itself.
    pub flags: &'static [Flag],
    /// Groups that flags belong to, by their index.
    pub groups: &'static [Group],
    /// Sub-commands, of which one must be given; empty for a sub-command, and for a tool that has none.
    pub commands: &'static [Parser],
}

/// A flag of a tool or sub-command.
#[derive(Debug)]
pub struct Flag {
    /// All spellings, the main one first: `--config`, `-c`.
    pub names: &'static [&'static str],
    /// What it takes.
    pub takes: Takes,
    /// What stands for its value in the help text; made from its name if there is none.
    pub placeholder: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// Index of its group.
    pub group: Option<usize>,
    /// Text for `--help`.
    pub help: &'static str,
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A text; a later one wins, unless the tool asks for all.
    Text,
    /// One text or several; those of its last appearance count.
    Texts,
    /// A 32-bit number.
    Integer,
    /// A 64-bit number.
    Long,
    /// A number with a fraction.
    Double,
}

/// Flags that belong together.
#[derive(Debug)]
pub enum Group {
    /// Flags that exclude each other; one must be given if `required`.
    Exclusive {
        /// Whether one must be given.
        required: bool,
    },
    /// Flags shown under a heading of their own.
    Titled(&'static str),
}

impl Flag {
    const fn new(names: &'static [&'static str], takes: Takes, help: &'static str) -> Flag {
        Flag { names, takes, placeholder: None, required: false, group: None, help }
    }

    /// A flag without a value.
    pub const fn switch(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag::new(names, Takes::Nothing, help)
    }

    /// A flag with a text.
    pub const fn text(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag::new(names, Takes::Text, help)
    }

    /// A flag with a 32-bit number.
    pub const fn integer(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag::new(names, Takes::Integer, help)
    }

    /// A flag with a 64-bit number.
    pub const fn long(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag::new(names, Takes::Long, help)
    }

    /// A flag with a number that may have a fraction.
    pub const fn double(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag::new(names, Takes::Double, help)
    }

    /// A flag with one text or several.
    pub const fn texts(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag::new(names, Takes::Texts, help)
    }

    /// The same flag with another placeholder for its value.
    pub const fn called(self, placeholder: &'static str) -> Flag {
        Flag { placeholder: Some(placeholder), ..self }
    }

    /// The same flag, which must be given.
    pub const fn required(self) -> Flag {
        Flag { required: true, ..self }
    }

    /// The same flag in a group.
    pub const fn in_group(self, group: usize) -> Flag {
        Flag { group: Some(group), ..self }
    }

    /// How complaints call it: `--config/-c`.
    fn text_name(&self) -> String {
        self.names.join("/")
    }
}

impl Parser {
    /// What a tool says that found by itself that the command line makes no sense.
    pub fn refuse(&'static self, message: &str, cx: &mut Context<'_>) -> Failure {
        let text = usage::refusal(self, None, message, &[]);
        write!(cx.err, "{text}").map_or_else(Failure::from, |()| Failure::Exit(1))
    }

    /// Reads the words after the tool's name. What cannot be read is said on standard error, exit code 1; help goes to
    /// standard output, and the tool ends with `help_exit_code`: Kafka's tools do not agree on it.
    pub fn parse(
        &'static self,
        words: &[String],
        help_exit_code: i32,
        cx: &mut Context<'_>,
    ) -> Result<Matches, Failure> {
        match parse::parse(self, words) {
            Ok(matches) => Ok(matches),
            Err(parse::Stop::Help(command)) => {
                write!(cx.out, "{}", usage::help(self, command))?;
                Err(Failure::Exit(help_exit_code))
            }
            Err(parse::Stop::Refused { command, message, candidates }) => {
                write!(cx.err, "{}", usage::refusal(self, command, &message, &candidates))?;
                Err(Failure::Exit(1))
            }
        }
    }
}
