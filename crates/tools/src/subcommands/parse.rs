//! The command line against the table.

use super::{Flag, Group, Parser, Takes};

/// A parsed command line. Asking for a flag that is not in the table is a bug and panics.
#[derive(Debug)]
pub struct Matches {
    /// The sub-command; nothing for a tool that has none.
    pub command: &'static str,
    parsers: [&'static Parser; 2],
    found: Vec<(&'static Flag, Option<String>)>,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub(super) enum Stop {
    /// `-h`, of the tool or of a sub-command.
    Help(Option<&'static Parser>),
    Refused {
        command: Option<&'static Parser>,
        message: String,
        /// What may have been meant.
        candidates: Vec<String>,
    },
}

impl Matches {
    /// Whether the flag was given.
    pub fn has(&self, name: &str) -> bool {
        let flag = self.declared(name);
        self.found.iter().any(|(found, _)| std::ptr::eq(*found, flag))
    }

    /// The flag's last value.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).pop()
    }

    /// All of the flag's values.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let flag = self.declared(name);
        let mine = self.found.iter().filter(|(found, _)| std::ptr::eq(*found, flag));
        mine.filter_map(|(_, value)| value.as_deref()).collect()
    }

    /// The flag's last value as a number; parsing has made sure that it is one.
    pub fn integer(&self, name: &str) -> Option<i32> {
        self.number(name)
    }

    /// The same of any type.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.text(name).and_then(|value| value.parse().ok())
    }

    fn declared(&self, name: &str) -> &'static Flag {
        let mut flags = self.parsers.iter().flat_map(|parser| parser.flags);
        flags.find(|flag| flag.names.contains(&name)).expect("a tool asks only for flags of its own table")
    }
}

/// Reads the words of a tool.
pub(super) fn parse(tool: &'static Parser, words: &[String]) -> Result<Matches, Stop> {
    let mut reading = Reading { words, at: 0, found: Vec::new(), missing: None };
    let word = reading.flags(tool, None)?;
    if tool.commands.is_empty() {
        return reading.finish(tool, None);
    }
    let Some(word) = word else {
        return Err(refused(None, "too few arguments".to_string()));
    };
    reading.check_required(tool, None);
    let command = find_command(tool, word)?;
    reading.at += 1;
    reading.flags(command, Some(command))?;
    reading.finish(tool, Some(command))
}

struct Reading<'w> {
    words: &'w [String],
    at: usize,
    found: Vec<(&'static Flag, Option<String>)>,
    /// What is missing is said only when nothing else is wrong.
    missing: Option<Stop>,
}

impl<'w> Reading<'w> {
    /// After the last flag nothing may be left or missing.
    fn finish(mut self, tool: &'static Parser, command: Option<&'static Parser>) -> Result<Matches, Stop> {
        if self.at < self.words.len() {
            let rest = self.words[self.at..].join(" ");
            return Err(refused(command, format!("unrecognized arguments: '{rest}'")));
        }
        let parser = command.unwrap_or(tool);
        self.check_required(parser, command);
        match self.missing {
            Some(missing) => Err(missing),
            None => Ok(Matches {
                command: command.map_or("", |command| command.name),
                parsers: [parser, tool],
                found: self.found,
            }),
        }
    }

    /// Reads flags up to the next word that is none.
    fn flags(
        &mut self,
        parser: &'static Parser,
        command: Option<&'static Parser>,
    ) -> Result<Option<&'w str>, Stop> {
        let mut separated = false;
        while let Some(word) = self.words.get(self.at).map(String::as_str) {
            if word == "--" && !separated {
                separated = true;
                self.at += 1;
            } else if separated || !is_flag(word) {
                return Ok(Some(word));
            } else {
                self.flag(parser, command, word)?;
            }
        }
        Ok(None)
    }

    fn flag(
        &mut self,
        parser: &'static Parser,
        command: Option<&'static Parser>,
        word: &str,
    ) -> Result<(), Stop> {
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        match resolve(parser, command, name)? {
            Resolved::Help => Err(Stop::Help(command)),
            Resolved::Flag(flag) => {
                self.at += 1;
                self.take(parser, command, flag, joined)
            }
            Resolved::Unknown => self.row_of_short_flags(parser, command, word),
        }
    }

    /// `-gs`, or `-cserver.properties`.
    fn row_of_short_flags(
        &mut self,
        parser: &'static Parser,
        command: Option<&'static Parser>,
        word: &str,
    ) -> Result<(), Stop> {
        let unknown = || Stop::Refused {
            command,
            message: format!("unrecognized arguments: '{word}'"),
            candidates: similar(word.trim_start_matches('-'), &flag_names(parser)),
        };
        if word.starts_with("--") {
            return Err(unknown());
        }
        for (at, letter) in word.char_indices().skip(1) {
            let rest = &word[at + letter.len_utf8()..];
            match exact(parser, &format!("-{letter}")) {
                Some(Resolved::Help) => return Err(Stop::Help(command)),
                Some(Resolved::Flag(flag)) if flag.takes == Takes::Nothing => {
                    self.note(parser, command, flag, None)?;
                }
                Some(Resolved::Flag(flag)) => {
                    self.at += 1;
                    return self.take(parser, command, flag, Some(rest).filter(|rest| !rest.is_empty()));
                }
                Some(Resolved::Unknown) | None => return Err(unknown()),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn take(
        &mut self,
        parser: &'static Parser,
        command: Option<&'static Parser>,
        flag: &'static Flag,
        joined: Option<&str>,
    ) -> Result<(), Stop> {
        let complain = |text: String| refused(command, format!("argument {}: {text}", flag.text_name()));
        self.check_exclusive(parser, command, flag)?;
        if (flag.takes, joined) == (Takes::Texts, None) {
            return self.take_texts(flag, complain);
        }
        let value = match (flag.takes, joined) {
            (Takes::Nothing, None) => None,
            (Takes::Nothing, Some(value)) => {
                return Err(complain(format!("ignore implicit argument '{value}'")));
            }
            (_, Some(value)) => Some(value.to_string()),
            (_, None) => {
                let next = self.words.get(self.at).filter(|word| !is_flag(word));
                let next = next.ok_or_else(|| complain("expected one argument".to_string()))?;
                self.at += 1;
                Some(next.clone())
            }
        };
        if let Some(value) = &value
            && let Some(kind) = unreadable(flag.takes, value)
        {
            let text = format!("could not convert '{value}' to {kind} (For input string: \"{value}\")");
            return Err(complain(text));
        }
        self.found.push((flag, value));
        Ok(())
    }

    /// Every word up to the next flag; an earlier appearance of the flag does not count.
    fn take_texts(&mut self, flag: &'static Flag, complain: impl Fn(String) -> Stop) -> Result<(), Stop> {
        let count = self.words[self.at..].iter().take_while(|word| !is_flag(word)).count();
        if count == 0 {
            return Err(complain("expected 1 argument(s)".to_string()));
        }
        self.found.retain(|(found, _)| !std::ptr::eq(*found, flag));
        let texts = self.words[self.at..self.at + count].iter();
        self.found.extend(texts.map(|text| (flag, Some(text.clone()))));
        self.at += count;
        Ok(())
    }

    fn note(
        &mut self,
        parser: &'static Parser,
        command: Option<&'static Parser>,
        flag: &'static Flag,
        value: Option<String>,
    ) -> Result<(), Stop> {
        self.check_exclusive(parser, command, flag)?;
        self.found.push((flag, value));
        Ok(())
    }

    fn check_exclusive(
        &self,
        parser: &'static Parser,
        command: Option<&'static Parser>,
        flag: &'static Flag,
    ) -> Result<(), Stop> {
        let Some(group) = flag.group.filter(|&group| matches!(parser.groups[group], Group::Exclusive { .. }))
        else {
            return Ok(());
        };
        let mut in_group = parser.flags.iter().filter(|other| other.group == Some(group));
        let other = in_group.find(|other| !std::ptr::eq(*other, flag) && self.has(other));
        other.map_or(Ok(()), |other| {
            let text =
                format!("argument {}: not allowed with argument {}", flag.text_name(), other.text_name());
            Err(refused(command, text))
        })
    }

    fn has(&self, flag: &'static Flag) -> bool {
        self.found.iter().any(|(found, _)| std::ptr::eq(*found, flag))
    }

    fn check_required(&mut self, parser: &'static Parser, command: Option<&'static Parser>) {
        if self.missing.is_some() {
            return;
        }
        // Of several missing flags the last is named.
        let missing = parser.flags.iter().rfind(|flag| flag.required && !self.has(flag));
        self.missing =
            missing.map(|flag| refused(command, format!("argument {} is required", flag.text_name())));
        for (index, group) in parser.groups.iter().enumerate() {
            let flags: Vec<&'static Flag> =
                parser.flags.iter().filter(|flag| flag.group == Some(index)).collect();
            let required = matches!(group, Group::Exclusive { required: true });
            if self.missing.is_none() && required && !flags.iter().any(|flag| self.has(flag)) {
                let names: Vec<String> = flags.iter().map(|flag| flag.text_name()).collect();
                let text = format!("one of the arguments {} is required", names.join(" "));
                self.missing = Some(refused(command, text));
            }
        }
    }
}

/// The type that a value should have and has not.
fn unreadable(takes: Takes, value: &str) -> Option<&'static str> {
    let (kind, is_read) = match takes {
        Takes::Nothing | Takes::Text | Takes::Texts => return None,
        Takes::Integer => ("Integer", value.parse::<i32>().is_ok()),
        Takes::Long => ("Long", value.parse::<i64>().is_ok()),
        Takes::Double => ("Double", value.parse::<f64>().is_ok()),
    };
    (!is_read).then_some(kind)
}

enum Resolved {
    Help,
    Flag(&'static Flag),
    Unknown,
}

const HELP: [&str; 2] = ["-h", "--help"];

fn flag_names(parser: &'static Parser) -> Vec<&'static str> {
    HELP.into_iter().chain(parser.flags.iter().flat_map(|flag| flag.names.iter().copied())).collect()
}

fn exact(parser: &'static Parser, name: &str) -> Option<Resolved> {
    if HELP.contains(&name) {
        return Some(Resolved::Help);
    }
    parser.flags.iter().find(|flag| flag.names.contains(&name)).map(Resolved::Flag)
}

/// The flag of a name or of an unambiguous beginning of one.
fn resolve(parser: &'static Parser, command: Option<&'static Parser>, name: &str) -> Result<Resolved, Stop> {
    if let Some(found) = exact(parser, name) {
        return Ok(found);
    }
    let mut candidates: Vec<&str> =
        flag_names(parser).into_iter().filter(|candidate| candidate.starts_with(name)).collect();
    match candidates.as_slice() {
        [] => Ok(Resolved::Unknown),
        [only] => Ok(exact(parser, only).expect("it is a name of the table")),
        _ => {
            candidates.sort_unstable();
            let text = format!("ambiguous option: {name} could match {}", candidates.join(", "));
            Err(refused(command, text))
        }
    }
}

fn find_command(tool: &'static Parser, word: &str) -> Result<&'static Parser, Stop> {
    if let Some(command) = tool.commands.iter().find(|command| command.name == word) {
        return Ok(command);
    }
    let begun: Vec<&'static Parser> =
        tool.commands.iter().filter(|command| !word.is_empty() && command.name.starts_with(word)).collect();
    let names: Vec<&str> = tool.commands.iter().map(|command| command.name).collect();
    match begun.as_slice() {
        [only] => Ok(only),
        [] => {
            let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
            let message = format!("invalid choice: '{word}' (choose from {})", quoted.join(", "));
            Err(Stop::Refused { command: None, message, candidates: similar(word, &names) })
        }
        several => {
            let mut several: Vec<&str> = several.iter().map(|command| command.name).collect();
            several.sort_unstable();
            Err(refused(None, format!("ambiguous command: {word} could match {}", several.join(", "))))
        }
    }
}

fn refused(command: Option<&'static Parser>, message: String) -> Stop {
    Stop::Refused { command, message, candidates: Vec::new() }
}

/// A flag begins with a dash and is not a negative number.
fn is_flag(word: &str) -> bool {
    let number = word.len() > 1 && word[1..].bytes().all(|byte| byte.is_ascii_digit());
    word.starts_with('-') && word.len() > 1 && !number
}

/// The names that are most like a mistyped one, if any is like it at all.
fn similar(word: &str, names: &[&str]) -> Vec<String> {
    if word.chars().count() < 2 {
        return Vec::new();
    }
    let mut ranked: Vec<(usize, &str)> = names
        .iter()
        .map(|name| (name.trim_start_matches('-'), name))
        .filter(|(body, name)| body.len() > 1 || !name.starts_with('-'))
        .map(|(body, name)| (if body.starts_with(word) { 0 } else { distance(word, body) }, *name))
        .collect();
    ranked.sort_unstable();
    let best = ranked.first().map_or(usize::MAX, |(distance, _)| *distance);
    let like = ranked.into_iter().take_while(|(distance, _)| *distance == best && best < 7);
    like.map(|(_, name)| name.to_string()).collect()
}

/// Edit distance: swapping neighbours costs nothing, another letter 2, a letter more 1, a letter less 4.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let same = from[i - 1] == to[j - 1];
            let mut best = rows[i - 1][j - 1] + if same { 0 } else { 2 };
            if i >= 2 && j >= 2 && !same && from[i - 2] == to[j - 1] && from[i - 1] == to[j - 2] {
                best = best.min(rows[i - 2][j - 2]);
            }
            row.push(best.min(rows[i - 1][j] + 4).min(row[j - 1] + 1));
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}
