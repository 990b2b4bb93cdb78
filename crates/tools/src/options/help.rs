//! The help text: two columns, options sorted by name.

use std::fmt::Write;

use super::{EVERYWHERE, Opt, Value};
use crate::text::line_pieces;

const WIDTH: usize = 80;
const GAP: usize = 2;

/// Lays a table out.
pub(super) fn text(table: &[Opt]) -> String {
    let mut options: Vec<&Opt> = table.iter().chain(&EVERYWHERE).collect();
    options.sort_by_key(|option| option.name);
    let has_required = options.iter().any(|option| option.is_required);
    let heading = if has_required { "Option (* = required)" } else { "Option" };
    let mut rows = vec![
        (heading.to_string(), "Description".to_string()),
        ("-".repeat(heading.len()), "-----------".to_string()),
    ];
    rows.extend(options.into_iter().map(|option| (title(option), description(option))));

    let left = widest(rows.iter().map(|row| &row.0)).min((WIDTH - GAP) / 2);
    let right = widest(rows.iter().map(|row| &row.1)).min(WIDTH - left - GAP);
    let mut fitted = Vec::new();
    for (title, description) in &rows {
        let (titles, descriptions) = (fit(title, left), fit(description, right));
        for line in 0..titles.len().max(descriptions.len()) {
            let piece = |pieces: &[String]| pieces.get(line).cloned().unwrap_or_default();
            fitted.push((piece(&titles), piece(&descriptions)));
        }
    }
    let left = widest(fitted.iter().map(|row| &row.0));
    let right = widest(fitted.iter().map(|row| &row.1));
    let mut text = String::new();
    for (title, description) in fitted {
        writeln!(text, "{title:left$}{:GAP$}{description:right$}", "")
            .expect("writing to a string cannot fail");
    }
    text
}

fn title(option: &Opt) -> String {
    let name = format!("{}--{}", if option.is_required { "* " } else { "" }, option.name);
    match option.value {
        Value::None => name,
        Value::Required(kind, "") => format!("{name} <{kind}>"),
        Value::Required(kind, what) => format!("{name} <{kind}: {what}>"),
        Value::Optional(kind, "") => format!("{name} [{kind}]"),
        Value::Optional(kind, what) => format!("{name} [{kind}: {what}]"),
    }
}

fn description(option: &Opt) -> String {
    match option.default {
        Some(default) => format!("{} (default: {default})", option.help),
        None => option.help.to_string(),
    }
}

fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// Breaks a text into lines of at most `width`; all but the first of a paragraph are indented.
fn fit(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for piece in line_pieces(paragraph) {
            if line.chars().count() + piece.chars().count() > width {
                lines.push(line.trim_end().to_string());
                line = format!("  {piece}");
            } else {
                line.push_str(piece);
            }
        }
        lines.push(line);
    }
    lines
}
