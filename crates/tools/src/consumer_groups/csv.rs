//! Offsets as CSV: `"topic",partition,offset`, with the group before if there are several.

use crate::admin::TopicPartition;
use crate::failure::Exception;

/// The lines of a plan.
pub(super) fn text(plan: &[(String, Vec<(TopicPartition, i64)>)], with_group: bool) -> String {
    let mut text = String::new();
    for (group, offsets) in plan {
        for ((topic, partition), offset) in offsets {
            let group = if with_group { format!("{},", quoted(group)) } else { String::new() };
            text.push_str(&format!("{group}{},{partition},{offset}\n", quoted(topic)));
        }
    }
    text
}

/// The original's writer looks at short texts to see whether they need quotes and quotes all long ones.
fn quoted(text: &str) -> String {
    const LOOKED_AT_MAX: usize = 24;
    let needs_quotes = |c: char| c < ' ' || matches!(c, ',' | '"') || (c == ' ' && text.trim() != text);
    if text.encode_utf16().count() > LOOKED_AT_MAX || text.is_empty() || text.chars().any(needs_quotes) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

/// The offsets that a file has for `group`; `None` if it has none. `only_group` is the group of files without a group
/// column.
pub(super) fn offsets_of(
    text: &str,
    only_group: Option<&str>,
    group: &str,
) -> Result<Option<Vec<(TopicPartition, i64)>>, Exception> {
    let lines = crate::java::split(text, '\n');
    let rows: Vec<Vec<String>> = lines.iter().map(|line| columns(line)).collect();
    let without_group = rows.first().is_some_and(|row| row.len() <= 3 && offset(row).is_ok());
    let mut offsets: Vec<(TopicPartition, i64)> = Vec::new();
    for row in &rows {
        let (of_group, row) = match only_group {
            Some(only) if without_group => (only, row.as_slice()),
            _ => (row.first().map_or("", String::as_str), row.get(1..).unwrap_or_default()),
        };
        let (partition, offset) = offset(row)?;
        if of_group == group {
            offsets.retain(|(known, _)| *known != partition);
            offsets.push((partition, offset));
        }
    }
    Ok(Some(offsets).filter(|offsets| !offsets.is_empty()))
}

fn offset(row: &[String]) -> Result<(TopicPartition, i64), Exception> {
    let malformed = |what: &str| {
        Exception::new(
            "java.lang.RuntimeException",
            format!(
                "com.fasterxml.jackson.databind.exc.InvalidFormatException: not a line of topic, partition and offset: {what}"
            ),
        )
    };
    let [topic, partition, offset] = row else { return Err(malformed(&row.join(","))) };
    let partition = partition.trim().parse().map_err(|_| malformed(partition))?;
    let offset = offset.trim().parse().map_err(|_| malformed(offset))?;
    Ok(((topic.clone(), partition), offset))
}

fn columns(line: &str) -> Vec<String> {
    let mut columns = vec![String::new()];
    let mut in_quotes = false;
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        let column = columns.last_mut().expect("there is one from the start");
        match c {
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                column.push('"');
            }
            '"' if in_quotes || column.is_empty() => in_quotes = !in_quotes,
            ',' if !in_quotes => columns.push(String::new()),
            _ => column.push(c),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, partition: i32) -> TopicPartition {
        (topic.to_string(), partition)
    }

    #[test]
    fn long_texts_are_quoted() {
        let long = "a-topic-with-25-characters";
        let plan = vec![("g".to_string(), vec![(partition("t", 0), 5), (partition(long, 1), 6)])];
        assert_eq!(text(&plan, false), format!("t,0,5\n\"{long}\",1,6\n"));
        assert_eq!(text(&plan, true), format!("g,t,0,5\ng,\"{long}\",1,6\n"));
    }

    #[test]
    fn what_was_written_is_read() {
        let plan = vec![
            ("g".to_string(), vec![(partition("t", 0), 5), (partition("u", 1), 6)]),
            ("a \"b\", c".to_string(), vec![(partition("t", 0), 7)]),
        ];
        let written = text(&plan, true);
        for (group, offsets) in &plan {
            assert_eq!(offsets_of(&written, None, group).expect("well-formed").as_ref(), Some(offsets));
        }
        let written = text(&plan[..1], false);
        assert_eq!(offsets_of(&written, Some("g"), "g").expect("well-formed").as_ref(), Some(&plan[0].1));
        assert_eq!(offsets_of(&written, Some("g"), "other").expect("well-formed"), None);
    }

    #[test]
    fn a_malformed_line_is_refused() {
        for text in ["t,x,5", "t,0", "", "g,t,0"] {
            assert!(offsets_of(text, None, "g").is_err(), "{text}");
        }
    }
}
