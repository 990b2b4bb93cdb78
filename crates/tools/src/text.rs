//! Where a line may be broken.

/// Cuts a text at the places where a line may end, as Java's line break iterator does for what tools print: after
/// spaces, after hyphens and after closing punctuation, but not inside numbers such as `1,000` or `4.3`.
pub(crate) fn line_pieces(text: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    for next in 1..chars.len() {
        if may_break(&chars, next) {
            pieces.push(&text[start..chars[next].0]);
            start = chars[next].0;
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

fn may_break(chars: &[(usize, char)], next: usize) -> bool {
    let (before, after) = (chars[next - 1].1, chars[next].1);
    let closes = |c: char| "-.,;:?!)]}".contains(c);
    if before == '\n' {
        return true;
    }
    if after == ' ' || after == '\n' {
        return false;
    }
    if before == ' ' {
        return true;
    }
    if !closes(before) || closes(after) || after == '\'' || after == '"' {
        return false;
    }
    match before {
        // A minus sign: `-1` at the start of a word.
        '-' => !after.is_ascii_digit() || next >= 2 && chars[next - 2].1 != ' ',
        '.' | ',' if after.is_ascii_digit() => !is_number(&chars[..next - 1]),
        _ => true,
    }
}

/// Whether the text ends with a number that stands alone.
fn is_number(chars: &[(usize, char)]) -> bool {
    let digits = chars.iter().rev().take_while(|(_, c)| c.is_ascii_digit() || matches!(c, '.' | ',')).count();
    let in_word = chars[..chars.len() - digits].last().is_some_and(|(_, c)| c.is_alphanumeric());
    digits > 0 && !in_word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &str) {
        let text = expected.replace('|', "");
        assert_eq!(line_pieces(&text).join("|"), expected);
    }

    #[test]
    fn lines_break_where_java_breaks_them() {
        check("kafka-|storage: |error: |argument |--|cluster-|id/-|t |is |required");
        check("a.|b.|c |x,|y;|z |(choose |from |'info', |'format')");
        check("127.0.0.1:|9092 |foo:|bar |a/b |http:|//x/y");
        check("k=v,|[a,|b] |{x,|y} |<z> |\"q\"");
        check("abc-|12 |a-|b |12-|ab |--|x |-1 |x! |y? |z% |a_b |a@b");
        check("e.|g. |x... |y");
        check("could |not |convert |'abc' |to |Integer |(For |input |string: |\"abc\")");
        check("3.3-|IV3; |v4.|3-|IV0");
        check("x?|y |x!|y |x;|y |x:|y |a}|b |a]|b |a)|b |(a |[b");
        check("a''b |1,000 |1.5 |a,|1 |1,|a");
    }
}
