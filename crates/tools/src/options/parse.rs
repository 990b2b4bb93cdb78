//! The command line against the table.

use std::str::FromStr;

use super::{EVERYWHERE, Opt, OptionError, Value, usage};
use crate::KAFKA_VERSION;
use crate::context::Context;
use crate::failure::Failure;

/// A parsed command line. Asking for a name that is not in the table is a bug and panics.
#[derive(Debug)]
pub struct Arguments {
    table: &'static [Opt],
    found: Vec<Found>,
    operands: Vec<String>,
    is_empty: bool,
}

#[derive(Debug)]
struct Found {
    option: &'static Opt,
    value: Option<String>,
}

impl Arguments {
    /// Reads the words after the tool's name.
    pub fn parse(table: &'static [Opt], words: &[String]) -> Result<Arguments, OptionError> {
        let mut arguments =
            Arguments { table, found: Vec::new(), operands: Vec::new(), is_empty: words.is_empty() };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                arguments.operands.extend(rest.cloned());
                break;
            }
            let Some(name_and_value) = word.strip_prefix("--").or_else(|| short(word)) else {
                arguments.operands.push(word.clone());
                continue;
            };
            let (name, value) = match name_and_value.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (name_and_value, None),
            };
            let Some(option) = find(table, name) else {
                return Err(OptionError::Unrecognized(unrecognized(word, name)));
            };
            let next = rest.as_slice().first();
            let value = match (&option.value, value.filter(|value| !value.is_empty())) {
                (Value::None, _) => None,
                (_, Some(value)) => Some(value.to_string()),
                (Value::Required(..), None) => {
                    rest.next();
                    Some(next.ok_or(OptionError::MissingArgument(option.name))?.clone())
                }
                (Value::Optional(kind, _), None) => {
                    // A negative number is no option where a number is looked for.
                    let is_value = |next: &&String| {
                        next.as_str() == "-"
                            || !next.starts_with('-')
                            || *kind != "String" && next.parse::<i64>().is_ok()
                    };
                    let value = next.filter(is_value);
                    if value.is_some() {
                        rest.next();
                    }
                    value.cloned()
                }
            };
            arguments.add(option, value);
        }
        arguments.check_available()?;
        Ok(arguments)
    }

    /// Unless help is asked for, what is required must be there and what needs others must not be alone.
    fn check_available(&self) -> Result<(), OptionError> {
        if self.has("help") || self.has("version") {
            return Ok(());
        }
        let names = |refused: &dyn Fn(&Opt) -> bool| {
            let names: Vec<&str> = self.table.iter().filter(|opt| refused(opt)).map(|opt| opt.name).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        if let Some(missing) = names(&|option| option.is_required && !self.has(option.name)) {
            return Err(OptionError::Missing(missing));
        }
        let is_alone = |option: &Opt| {
            let others = option.available_with;
            !others.is_empty() && self.has(option.name) && !others.iter().any(|other| self.has(other))
        };
        names(&is_alone).map_or(Ok(()), |alone| Err(OptionError::Unavailable(alone)))
    }

    fn add(&mut self, option: &'static Opt, value: Option<String>) {
        match (option.separator, value) {
            (Some(separator), Some(value)) if value.split(separator).any(|part| !part.is_empty()) => {
                let parts = value.split(separator).filter(|part| !part.is_empty());
                self.found.extend(parts.map(|part| Found { option, value: Some(part.to_string()) }));
            }
            (_, value) => self.found.push(Found { option, value }),
        }
    }

    /// Whether the option was given.
    pub fn has(&self, name: &str) -> bool {
        let option = self.declared(name);
        self.found.iter().any(|found| std::ptr::eq(found.option, option))
    }

    /// The option's value or its default.
    pub fn text(&self, name: &str) -> Result<Option<&str>, OptionError> {
        let option = self.declared(name);
        match self.values(option).as_slice() {
            [] => Ok(option.default),
            [value] => Ok(Some(value)),
            _ => Err(OptionError::Repeated(option.name)),
        }
    }

    /// All values of an option that may be repeated, or its default.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let option = self.declared(name);
        let values = self.values(option);
        if values.is_empty() { option.default.into_iter().collect() } else { values }
    }

    /// The option's value as a number.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, OptionError> {
        let option = self.declared(name);
        let parse = |value: &str| {
            value
                .parse()
                .map_err(|_| OptionError::Unparsable { option: option.name, value: value.to_string() })
        };
        self.text(name)?.map(parse).transpose()
    }

    /// The names of the options that were given, in their order.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        self.found.iter().map(|found| found.option.name)
    }

    /// What is not an option.
    pub fn operands(&self) -> &[String] {
        &self.operands
    }

    /// Whether the command line was empty.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Answers `--help` and the empty command line (help text to standard error, exit code 1) and `--version`.
    pub fn answer_help(&self, cx: &mut Context<'_>, about: &str) -> Result<(), Failure> {
        if self.is_empty || self.has("help") {
            return Err(usage(cx, self.table, about));
        }
        if self.has("version") {
            writeln!(cx.out, "{KAFKA_VERSION}")?;
            return Err(Failure::Exit(0));
        }
        Ok(())
    }

    /// Every one of `names` must be given.
    pub fn require(&self, cx: &mut Context<'_>, names: &[&str]) -> Result<(), Failure> {
        match names.iter().find(|name| !self.has(name)) {
            Some(name) => Err(usage(cx, self.table, &format!("Missing required argument \"[{name}]\""))),
            None => Ok(()),
        }
    }

    /// If `used` is given, none of `others` may be.
    pub fn exclude(&self, cx: &mut Context<'_>, used: &str, others: &[&str]) -> Result<(), Failure> {
        match others.iter().find(|other| self.has(used) && self.has(other)) {
            Some(other) => {
                let message = format!("Option \"[{used}]\" can't be used with option \"[{other}]\"");
                Err(usage(cx, self.table, &message))
            }
            None => Ok(()),
        }
    }

    /// Exactly one of `names` must be given.
    pub fn require_one_of(&self, cx: &mut Context<'_>, names: &[&str]) -> Result<(), Failure> {
        if names.iter().filter(|name| self.has(name)).count() == 1 {
            return Ok(());
        }
        let list: Vec<String> = names.iter().map(|name| format!("[{name}]")).collect();
        let message = format!("Exactly one of the following arguments is required: {}", list.join(", "));
        Err(usage(cx, self.table, &message))
    }

    /// Prints `message` and the help text to standard error; the tool ends with exit code 1.
    pub fn usage(&self, cx: &mut Context<'_>, message: &str) -> Failure {
        usage(cx, self.table, message)
    }

    fn declared(&self, name: &str) -> &'static Opt {
        find(self.table, name).expect("a tool asks only for options of its own table")
    }

    fn values(&self, option: &'static Opt) -> Vec<&str> {
        let mine = self.found.iter().filter(|found| std::ptr::eq(found.option, option));
        mine.filter_map(|found| found.value.as_deref()).collect()
    }
}

fn find(table: &'static [Opt], name: &str) -> Option<&'static Opt> {
    static COMMON: [Opt; 2] = EVERYWHERE;
    table.iter().chain(&COMMON).find(|option| option.name == name)
}

/// `-topic` stands for `--topic`; a lone `-` is an operand.
fn short(word: &str) -> Option<&str> {
    word.strip_prefix('-').filter(|name| !name.is_empty())
}

/// How an unknown option is called in the complaint: words with one dash are taken for a row of one-letter options,
/// of which the first is unknown.
fn unrecognized(word: &str, name: &str) -> String {
    if word.starts_with("--") {
        return name.to_string();
    }
    word.chars().nth(1).into_iter().collect()
}
