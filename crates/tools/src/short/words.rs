//! Command lines of the short forms: `-k key`, `-kkey`, `--key key`, `--key=key`, operands anywhere, `--` ends flags.

use crate::context::Context;

/// A flag.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) short: char,
    pub(super) long: &'static str,
    /// What its value is called; empty if it takes none.
    pub(super) value: &'static str,
    pub(super) help: &'static str,
}

/// A command with its flags.
pub(super) struct Usage {
    /// `produce TOPIC`
    pub(super) synopsis: &'static str,
    pub(super) about: &'static str,
    pub(super) flags: &'static [&'static Flag],
    /// What else there is to know.
    pub(super) notes: &'static str,
}

/// What was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    flags: Vec<(char, String)>,
    pub(super) operands: Vec<String>,
}

impl Words {
    /// All values of a flag.
    pub(super) fn all(&self, flag: &Flag) -> impl Iterator<Item = &str> {
        let short = flag.short;
        self.flags.iter().filter(move |(given, _)| *given == short).map(|(_, value)| value.as_str())
    }

    /// The last value of a flag.
    pub(super) fn last(&self, flag: &Flag) -> Option<&str> {
        self.all(flag).last()
    }

    /// Whether a flag was given.
    pub(super) fn has(&self, flag: &Flag) -> bool {
        self.last(flag).is_some()
    }

    /// A flag's value as a number; the error names the flag.
    pub(super) fn number<N: std::str::FromStr>(&self, flag: &Flag) -> Result<Option<N>, String> {
        let parse = |text: &str| text.parse().map_err(|_| format!("-{} {text} is not a number", flag.short));
        self.last(flag).map(parse).transpose()
    }
}

impl Usage {
    /// Reads a command line, answers `--help`, complains; then the exit code is the error.
    pub(super) fn read(&self, words: &[String], cx: &mut Context<'_>) -> Result<Words, i32> {
        if words.iter().take_while(|word| *word != "--").any(|word| word == "-h" || word == "--help") {
            write!(cx.out, "{}", self.help()).ok();
            return Err(0);
        }
        self.parse(words).map_err(|complaint| self.complain(cx, &complaint))
    }

    /// Says what is wrong with a command line; gives the exit code.
    pub(super) fn complain(&self, cx: &mut Context<'_>, complaint: &str) -> i32 {
        let command = self.synopsis.split(' ').next().unwrap_or_default();
        writeln!(cx.err, "error: {complaint}\n  → `ottla {command} --help` tells how it is used").ok();
        2
    }

    fn help(&self) -> String {
        let mut text = format!("ottla {}\n{}\n\n", self.synopsis, self.about);
        for flag in self.flags {
            let name = format!("-{}, --{} {}", flag.short, flag.long, flag.value);
            text.push_str(&format!("  {name:<28} {}\n", flag.help));
        }
        if !self.notes.is_empty() {
            text.push_str(&format!("\n{}\n", self.notes));
        }
        text
    }

    fn parse(&self, words: &[String]) -> Result<Words, String> {
        let mut found = Words::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                found.operands.extend(rest.by_ref().cloned());
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, joined) =
                    long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
                let flag = self.flags.iter().find(|flag| flag.long == name);
                found.add(flag.ok_or_else(|| format!("there is no flag --{name}"))?, joined, &mut rest)?;
            } else if let Some(short) = word.strip_prefix('-').and_then(|rest| rest.chars().next()) {
                let flag = self.flags.iter().find(|flag| flag.short == short);
                let joined = word.get(1 + short.len_utf8()..).filter(|joined| !joined.is_empty());
                let flag = flag.ok_or_else(|| format!("there is no flag -{short}"))?;
                found.add(flag, joined.map(str::to_owned), &mut rest)?;
            } else {
                found.operands.push(word.clone());
            }
        }
        Ok(found)
    }
}

impl Words {
    fn add<'w>(
        &mut self,
        flag: &Flag,
        joined: Option<String>,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), String> {
        let value = match (flag.value.is_empty(), joined) {
            (true, None) => String::new(),
            (true, Some(_)) => return Err(format!("-{} takes no value", flag.short)),
            (false, Some(value)) => value,
            (false, None) => {
                rest.next().cloned().ok_or_else(|| format!("-{} needs {}", flag.short, flag.value))?
            }
        };
        self.flags.push((flag.short, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Flag = Flag { short: 'k', long: "key", value: "KEY", help: "" };
    const END: Flag = Flag { short: 'e', long: "end", value: "", help: "" };
    const USAGE: Usage = Usage { synopsis: "x", about: "", flags: &[&KEY, &END], notes: "" };

    #[track_caller]
    fn check(line: &str, expected: Result<(&[&str], &[&str]), &str>) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let found = USAGE.parse(&words).map(|words| {
            let flags = words.flags.iter().map(|(flag, value)| format!("{flag}{value}")).collect();
            (flags, words.operands)
        });
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let expected = expected.map(|(flags, operands)| (strings(flags), strings(operands)));
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn flags_stand_anywhere_in_either_form() {
        check("t -k a -kb --key c --key=d -e", Ok((&["ka", "kb", "kc", "kd", "e"], &["t"])));
        check("-e t -- -k", Ok((&["e"], &["t", "-k"])));
        check("-k -5", Ok((&["k-5"], &[])));
    }

    #[test]
    fn complaints_name_the_flag() {
        check("-q", Err("there is no flag -q"));
        check("--quick", Err("there is no flag --quick"));
        check("-k", Err("-k needs KEY"));
        check("-ex", Err("-e takes no value"));
    }
}
