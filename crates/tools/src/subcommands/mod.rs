//! Options of those of Kafka's tools that have sub-commands: `kafka-storage`, `kafka-cluster`, `kafka-metadata-quorum`.
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
    /// Sub-commands, of which one must be given; empty for a sub-command.
    pub commands: &'static [Parser],
}

/// A flag of a tool or sub-command.
#[derive(Debug)]
pub struct Flag {
    /// All spellings, the main one first: `--config`, `-c`.
    pub names: &'static [&'static str],
    /// What it takes.
    pub takes: Takes,
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
    /// A 32-bit number.
    Integer,
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
    /// A flag without a value.
    pub const fn switch(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag { names, takes: Takes::Nothing, required: false, group: None, help }
    }

    /// A flag with a text.
    pub const fn text(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag { names, takes: Takes::Text, required: false, group: None, help }
    }

    /// A flag with a 32-bit number.
    pub const fn integer(names: &'static [&'static str], help: &'static str) -> Flag {
        Flag { names, takes: Takes::Integer, required: false, group: None, help }
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
