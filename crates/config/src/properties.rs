//! `java.util.Properties` files: one `key=value` a line, `:` and white space divide as well, `\` escapes and
//! continues, `#` and `!` begin comments.

/// One property and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The key, unescaped.
    pub name: String,
    /// The value, unescaped; white space at its end belongs to it.
    pub value: String,
    /// The line it begins on, from 1.
    pub line: usize,
}

/// A line that is no property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertiesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: &'static str,
}

/// Reads all properties in their order; a key may come more than once, the last one counts.
///
/// # Errors
/// The first malformed `\u` escape. Nothing else can be wrong: every other line is a property.
pub fn parse(text: &str) -> Result<Vec<Property>, PropertiesError> {
    let mut properties = Vec::new();
    let mut lines = natural_lines(text).into_iter().enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_with_continuation(&logical) {
            logical.pop();
            // A backslash at the very end of the file continues with nothing.
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        let line = index + 1;
        let (name, value) = split_property(&logical);
        let unescape = |text| unescape(text).map_err(|message| PropertiesError { line, message });
        properties.push(Property { name: unescape(name)?, value: unescape(value)?, line });
    }
    Ok(properties)
}

/// Lines end with `\n`, `\r` or both.
fn natural_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let ending = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + ending..];
    }
    lines.push(rest);
    lines
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Whether an odd number of backslashes ends the line.
fn ends_with_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Divides at the first `=`, `:` or white space that no backslash precedes.
fn split_property(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let divider = line.char_indices().find(|(_, c)| {
        let divides = !escaped && (matches!(c, '=' | ':') || is_blank(*c));
        escaped = !escaped && *c == '\\';
        divides
    });
    let Some((end, _)) = divider else { return (line, "") };
    let rest = line[end..].trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], rest.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Result<String, &'static str> {
    // Java counts in UTF-16, and an escape may be half of a character.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let unescaped = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let is_hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    let unit = if is_hex { u16::from_str_radix(&digits, 16).ok() } else { None };
                    units.push(unit.ok_or("a \\u escape needs four hexadecimal digits")?);
                    continue;
                }
                Some(other) => other,
                None => continue,
            },
            other => other,
        };
        units.extend_from_slice(unescaped.encode_utf16(&mut buffer));
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, &str, usize)]) {
        let properties = parse(text).expect("the text has no malformed escape");
        let found: Vec<(&str, &str, usize)> =
            properties.iter().map(|p| (p.name.as_str(), p.value.as_str(), p.line)).collect();
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn every_divider_divides_once() {
        check("a=b", &[("a", "b", 1)]);
        check("a:b", &[("a", "b", 1)]);
        check("a b", &[("a", "b", 1)]);
        check("a = b", &[("a", "b", 1)]);
        check("a\t:\tb", &[("a", "b", 1)]);
        check("a==b", &[("a", "=b", 1)]);
        check("a = : b", &[("a", ": b", 1)]);
        check("a", &[("a", "", 1)]);
        check("a=", &[("a", "", 1)]);
        check("=b", &[("", "b", 1)]);
        check("listeners=PLAINTEXT://:9092", &[("listeners", "PLAINTEXT://:9092", 1)]);
    }

    #[test]
    fn blank_lines_and_comments_are_skipped_and_counted() {
        check(
            "# a=b\n\n  ! c=d\n \t\ne=f # not a comment\r\ng=h\ri=j",
            &[("e", "f # not a comment", 5), ("g", "h", 6), ("i", "j", 7)],
        );
    }

    #[test]
    fn a_backslash_continues_a_line_but_not_a_comment() {
        check("a=b,\\\n   c,\\\r\n\td\ne=f", &[("a", "b,c,d", 1), ("e", "f", 4)]);
        check("# comment \\\na=b", &[("a", "b", 2)]);
        check("a=b\\\\\nc=d", &[("a", "b\\", 1), ("c", "d", 2)]);
        check("a=b\\\n# still a", &[("a", "b# still a", 1)]);
        check("a=b\\", &[("a", "b", 1)]);
    }

    #[test]
    fn escapes_are_javas() {
        check(r"a\=b\:c\ d=e", &[("a=b:c d", "e", 1)]);
        check(r"a=\t\n\r\f\q\\", &[("a", "\t\n\r\u{c}q\\", 1)]);
        check(r"a=\u0041\u00e4", &[("a", "Aä", 1)]);
        check(r"a=\ud83d\ude00", &[("a", "😀", 1)]);
        check("a=ä😀", &[("a", "ä😀", 1)]);
    }

    #[test]
    fn white_space_stays_only_at_the_end_of_a_value() {
        check("  a  =  b  ", &[("a", "b  ", 1)]);
    }

    #[test]
    fn a_malformed_escape_names_its_line() {
        for text in ["a=b\nc=\\u12", "a=b\nc=\\u+123", "a=b\n\\u00zz=d"] {
            assert_eq!(parse(text).expect_err("malformed").line, 2, "{text:?}");
        }
    }
}
