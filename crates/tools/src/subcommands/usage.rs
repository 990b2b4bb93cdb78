//! The texts: usage, help, refusal. Lines are 75 wide and set in full measure, as the original sets them.

use std::fmt::Write;

use super::{Flag, Group, Parser, Takes};
use crate::text::line_pieces;

const WIDTH: usize = 75;
const HELP_INDENT: usize = 25;

/// What `-h` prints.
pub(super) fn help(tool: &Parser, command: Option<&Parser>) -> String {
    let parser = command.unwrap_or(tool);
    let mut text = usage(tool, command);
    if command.is_none() {
        write!(text, "\n{}\n", wrap(tool.about, 0, "")).expect(STRING);
    }
    if !parser.commands.is_empty() {
        write!(text, "\npositional arguments:\n  {}\n", choices(parser)).expect(STRING);
        for command in parser.commands {
            help_entry(&mut text, &format!("  {}", command.name), command.about);
        }
    }
    text.push_str("\noptional arguments:\n");
    help_entry(&mut text, "-h, --help", "print this text");
    let titled = |flag: &Flag| flag.group.filter(|&group| matches!(parser.groups[group], Group::Titled(_)));
    for flag in parser.flags.iter().filter(|flag| titled(flag).is_none()) {
        help_entry(&mut text, &title(flag), flag.help);
    }
    for (index, group) in parser.groups.iter().enumerate() {
        if let Group::Titled(heading) = group {
            write!(text, "\n{heading}:\n").expect(STRING);
            for flag in parser.flags.iter().filter(|flag| flag.group == Some(index)) {
                help_entry(&mut text, &title(flag), flag.help);
            }
        }
    }
    text
}

/// What a command line that cannot be read gets.
pub(super) fn refusal(
    tool: &Parser,
    command: Option<&Parser>,
    message: &str,
    candidates: &[String],
) -> String {
    let mut text = usage(tool, command);
    text.push_str(&wrap(&format!("{}: error: {message}\n", tool.name), 0, ""));
    if !candidates.is_empty() {
        write!(text, "\nDid you mean:\n").expect(STRING);
        for candidate in candidates {
            writeln!(text, "\t{candidate}").expect(STRING);
        }
    }
    text
}

const STRING: &str = "writing to a string cannot fail";

fn usage(tool: &Parser, command: Option<&Parser>) -> String {
    let mut words = Vec::new();
    let parser = match command {
        Some(command) => {
            words.extend(
                tool.flags.iter().filter(|flag| flag.required && exclusive(tool, flag).is_none()).map(short),
            );
            words.extend(groups(tool, true));
            words.push(command.name.to_string());
            command
        }
        None => tool,
    };
    words.push("[-h]".to_string());
    words.extend(parser.flags.iter().filter(|flag| exclusive(parser, flag).is_none()).map(short));
    words.extend(groups(parser, false));
    if !parser.commands.is_empty() {
        words.push(choices(parser));
        words.push("...".to_string());
    }

    let mut text = format!("usage: {}", tool.name);
    let mut width = text.len();
    let mut indent = " ".repeat(width);
    let longest = words.iter().map(String::len).max().unwrap_or_default();
    // Where a word has no room beside the name, all begin below it.
    if command.is_none() && tool.commands.is_empty() && width + 1 + longest > WIDTH {
        indent = " ".repeat("usage:".len());
        width = indent.len();
        write!(text, "\n{indent}").expect(STRING);
    }
    for (index, word) in words.iter().enumerate() {
        if index > 0 && width + word.len() + 1 > WIDTH {
            write!(text, "\n{indent}").expect(STRING);
            width = indent.len();
        }
        write!(text, " {word}").expect(STRING);
        width += 1 + word.len();
    }
    text.push('\n');
    text
}

fn exclusive(parser: &Parser, flag: &Flag) -> Option<usize> {
    flag.group.filter(|&group| matches!(parser.groups[group], Group::Exclusive { .. }))
}

/// `(--a A |`, `--b B)` of each group of flags that exclude each other.
fn groups(parser: &Parser, only_required: bool) -> Vec<String> {
    let mut words = Vec::new();
    for (index, group) in parser.groups.iter().enumerate() {
        let Group::Exclusive { required } = *group else { continue };
        if only_required && !required {
            continue;
        }
        let (open, close) = if required { ('(', ')') } else { ('[', ']') };
        let flags: Vec<&Flag> = parser.flags.iter().filter(|flag| flag.group == Some(index)).collect();
        for (at, flag) in flags.iter().enumerate() {
            let mut word = bare(flag);
            if at == 0 {
                word.insert(0, open);
            } else {
                words.push("|".to_string());
            }
            if at + 1 == flags.len() {
                word.push(close);
            }
            words.push(word);
        }
    }
    words
}

fn choices(parser: &Parser) -> String {
    let names: Vec<&str> = parser.commands.iter().map(|command| command.name).collect();
    format!("{{{}}}", names.join(","))
}

fn bare(flag: &Flag) -> String {
    match placeholder(flag) {
        Some(placeholder) => format!("{} {placeholder}", flag.names[0]),
        None => flag.names[0].to_string(),
    }
}

fn short(flag: &Flag) -> String {
    if flag.required { bare(flag) } else { format!("[{}]", bare(flag)) }
}

fn title(flag: &Flag) -> String {
    let spellings: Vec<String> = match placeholder(flag) {
        Some(placeholder) => flag.names.iter().map(|name| format!("{name} {placeholder}")).collect(),
        None => flag.names.iter().map(|name| name.to_string()).collect(),
    };
    spellings.join(", ")
}

fn placeholder(flag: &Flag) -> Option<String> {
    let long = flag.names.iter().find(|name| name.starts_with("--")).unwrap_or(&flag.names[0]);
    let name = long.trim_start_matches('-').replace('-', "_").to_uppercase();
    let name = flag.placeholder.map_or(name, str::to_string);
    match flag.takes {
        Takes::Nothing => None,
        Takes::Texts => Some(format!("{name} [{name} ...]")),
        _ => Some(name),
    }
}

fn help_entry(text: &mut String, title: &str, help: &str) {
    write!(text, "  {title}").expect(STRING);
    if !help.is_empty() {
        let indent = if title.len() <= 21 { HELP_INDENT - title.len() - 2 } else { HELP_INDENT };
        if title.len() > 21 {
            text.push('\n');
        }
        write!(text, "{:indent$}{}", "", wrap(help, HELP_INDENT, &" ".repeat(HELP_INDENT))).expect(STRING);
    }
    text.push('\n');
}

/// Breaks a text into lines; the first has `offset` columns less, the others begin with `indent`.
fn wrap(text: &str, offset: usize, indent: &str) -> String {
    let mut wrapped = String::new();
    let mut line = String::new();
    let mut width = offset;
    for piece in line_pieces(text) {
        let piece_width = piece.chars().count();
        width += piece_width;
        if width > WIDTH {
            wrapped.push_str(&justify(&line, WIDTH, width - piece_width));
            write!(wrapped, "\n{indent}").expect(STRING);
            line.clear();
            width = indent.len() + piece_width;
        }
        line.push_str(piece);
        if piece.ends_with('\n') {
            write!(wrapped, "{line}{indent}").expect(STRING);
            line.clear();
            width = indent.len();
        }
    }
    wrapped + &line
}

/// Widens the gaps of a line that is `current` wide until it is `width` wide; what does not divide evenly goes to the
/// gaps in the middle.
fn justify(line: &str, width: usize, current: usize) -> String {
    let trimmed = line.trim_matches(' ');
    let current = current - (line.len() - trimmed.len());
    let words: Vec<&str> = trimmed.split(' ').filter(|word| !word.is_empty()).collect();
    let gaps = words.len().saturating_sub(1);
    if gaps == 0 {
        return trimmed.to_string();
    }
    let (each, rest) = ((width - current) / gaps, (width - current) % gaps);
    let first_wider = (gaps - rest).div_ceil(2);
    let mut justified = String::new();
    let mut gap = 0;
    let mut in_gap = false;
    for c in trimmed.chars() {
        if c == ' ' && !in_gap {
            let wider = usize::from((first_wider..first_wider + rest).contains(&gap));
            justified.push_str(&" ".repeat(each + wider));
            gap += 1;
        }
        in_gap = c == ' ';
        justified.push(c);
    }
    justified
}
