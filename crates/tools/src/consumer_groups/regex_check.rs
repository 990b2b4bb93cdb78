//! `--validate-regex`: whether an expression would be taken where RE2's syntax is asked for.

use crate::context::Context;
use crate::failure::Failure;
use crate::options::Arguments;

/// Says whether it is valid.
pub(super) fn run(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    let expression = arguments.text("validate-regex")?.expect("its presence has been checked");
    match regex::Regex::new(expression) {
        Ok(_) => writeln!(cx.out, "The regular expression `{expression}` is valid.")?,
        Err(error) => {
            let why = description(&error.to_string());
            writeln!(cx.out, "The regular expression `{expression}` is invalid: {why}.")?;
        }
    }
    Ok(())
}

/// RE2's words for what our parser says.
fn description(error: &str) -> &'static str {
    const WORDS: [(&str, &str); 10] = [
        ("unclosed character class", "missing closing ]"),
        ("unclosed group", "missing closing )"),
        ("unopened group", "regexp/syntax: internal error"),
        ("repetition operator missing expression", "missing argument to repetition operator"),
        ("incomplete escape sequence", "trailing backslash at end of expression"),
        ("unrecognized escape sequence", "invalid escape sequence"),
        ("invalid character class range", "invalid character class range"),
        ("invalid repetition count range", "invalid repeat count"),
        ("look-around", "invalid or unsupported Perl syntax"),
        ("backreferences", "invalid escape sequence"),
    ];
    let words = WORDS.iter().find(|(ours, _)| error.contains(ours)).map(|(_, words)| *words);
    words.unwrap_or("invalid regular expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_re2() {
        let check = |expression: &str, expected: &str| {
            let error = regex::Regex::new(expression).expect_err(expression).to_string();
            assert_eq!(description(&error), expected, "{expression}");
        };
        check("a[", "missing closing ]");
        check("(a", "missing closing )");
        check("a)", "regexp/syntax: internal error");
        check("*a", "missing argument to repetition operator");
        check("(?=a)", "invalid or unsupported Perl syntax");
    }
}
