//! Messages as lists of `path = value`, so that two of them can be compared field by field.
//!
//! The lists are made from the several-line `Debug` form of the decoded messages, which names every field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::registry::MESSAGES;
use regex::Regex;

/// Path to value, in the order of the paths.
pub type Fields = BTreeMap<String, String>;

/// Decodes the body of an answer into its fields.
pub fn of_response(key: ApiKey, version: i16, body: &Bytes) -> Result<Fields> {
    let name = format!("{}Response", key.name());
    let info = MESSAGES.iter().find(|m| m.name == name).with_context(|| format!("no message {name}"))?;
    Ok(of_debug(&(info.describe)(body, version).with_context(|| format!("decode {name} v{version}"))?))
}

/// Reads the `{:#?}` form of a value.
pub fn of_debug(text: &str) -> Fields {
    let mut fields = Fields::new();
    let mut open: Vec<Open> = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_end_matches(',');
        match line.chars().last() {
            Some(']' | '}' | ')') if line.len() == 1 => {
                open.pop();
            }
            Some('{' | '[' | '(') => {
                let path = child_path(&mut open, line);
                open.push(Open { path, list: line.ends_with('['), next: 0 });
            }
            _ => {
                let path = child_path(&mut open, line);
                let value = field_name(line).map_or(line, |name| &line[name.len() + 2..]);
                fields.insert(path.into_owned(), value.to_owned());
            }
        }
    }
    fields
}

struct Open {
    path: Cow<'static, str>,
    list: bool,
    next: usize,
}

fn child_path(open: &mut [Open], line: &str) -> Cow<'static, str> {
    let Some(parent) = open.last_mut() else { return "".into() };
    match (field_name(line), parent.list) {
        (Some(name), _) if parent.path.is_empty() => name.to_owned().into(),
        (Some(name), _) => format!("{}.{name}", parent.path).into(),
        (None, true) => {
            parent.next += 1;
            format!("{}[{}]", parent.path, parent.next - 1).into()
        }
        // Inside `Some(…)` or a newtype: the wrapper adds nothing to the path.
        (None, false) => parent.path.clone(),
    }
}

/// The name in `name: value`.
fn field_name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(": ")?;
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_').then_some(name)
}

/// What tells the elements of a list apart, the first that an element has. Kafka keeps many lists in hash maps, so that
/// their order on the wire means nothing.
const IDENTITIES: &[&str] = &[
    "name",
    "topic",
    "group_id",
    "topic_name",
    "resource_name",
    "api_key",
    "partition_index",
    "partition",
    "index",
    "key",
    "node_id",
    "broker_id",
    "feature",
];

/// Names the elements of each list of structs by what identifies them, so that the order means nothing and a missing
/// element does not shift the others: `configs[retention.ms].value`. Lists of plain values keep their order.
pub fn by_identity(fields: &Fields) -> Fields {
    named_below(&fields.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect::<Vec<_>>())
        .into_iter()
        .collect()
}

/// The fields of each element of one list, by its index.
type Elements<'a> = BTreeMap<usize, Vec<(&'a str, &'a str)>>;

/// Names elements below one struct; the paths are relative to it.
fn named_below(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut lists: BTreeMap<&str, Elements> = BTreeMap::new();
    for &(path, value) in fields {
        match element(path) {
            Some((list, index, rest)) => {
                lists.entry(list).or_default().entry(index).or_default().push((rest, value));
            }
            None => out.push((path.to_owned(), value.to_owned())),
        }
    }
    for (list, elements) in lists {
        let mut taken = BTreeMap::new();
        for (index, element) in elements {
            let of = |name: &str| element.iter().find(|(path, _)| *path == name).map(|(_, value)| *value);
            let identity = IDENTITIES.iter().find_map(|name| of(name));
            let mut label = identity.map_or(index.to_string(), |value| value.trim_matches('"').to_owned());
            if let Some(kind) = of("resource_type") {
                label = format!("{label} of type {kind}");
            }
            let count = taken.entry(label.clone()).or_insert(0);
            *count += 1;
            if *count > 1 {
                label = format!("{label} #{count}");
            }
            for (path, value) in named_below(&element) {
                let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                out.push((format!("{list}[{label}]{dot}{path}"), value));
            }
        }
    }
    out
}

/// Splits `a.b[2].c` into the list `a.b`, the index and what is below: `c`.
fn element(path: &str) -> Option<(&str, usize, &str)> {
    let open = path.find('[')?;
    let close = open + path[open..].find(']')?;
    let index = path[open + 1..close].parse().ok()?;
    Some((&path[..open], index, path[close + 1..].trim_start_matches('.')))
}

/// Rules that take out of the comparison what two brokers cannot share.
#[derive(Debug, Default)]
pub struct Blanks {
    paths: Vec<(Regex, &'static str)>,
    texts: Vec<(Regex, &'static str)>,
}

impl Blanks {
    /// Paths whose value is replaced by a word; a pattern matches the whole of a path.
    pub fn paths(mut self, rules: &[(&str, &'static str)]) -> Blanks {
        let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$")).expect("patterns are constants");
        self.paths.extend(rules.iter().map(|(pattern, with)| (whole(pattern), *with)));
        self
    }

    /// Parts of any value that are replaced.
    pub fn texts(mut self, rules: &[(&str, &'static str)]) -> Blanks {
        let part = |pattern: &str| Regex::new(pattern).expect("patterns are constants");
        self.texts.extend(rules.iter().map(|(pattern, with)| (part(pattern), *with)));
        self
    }

    /// Applies the rules. Zero, empty and absent stay: whether there is a value at all is compared.
    pub fn apply(&self, fields: &mut Fields) {
        for (path, value) in fields.iter_mut() {
            if matches!(value.as_str(), "0" | "-1" | "None" | "\"\"" | "AAAAAAAAAAAAAAAAAAAAAA") {
                continue;
            }
            if let Some((_, with)) = self.paths.iter().find(|(pattern, _)| pattern.is_match(path)) {
                *value = format!("<{with}>");
            }
            for (pattern, with) in &self.texts {
                if let Cow::Owned(changed) = pattern.replace_all(value, *with) {
                    *value = changed;
                }
            }
        }
    }
}

/// The lines in which two messages differ: `path: left | right`, with `-` where a side has no such field.
pub fn differences(left: &Fields, right: &Fields) -> Vec<String> {
    let mut lines = Vec::new();
    for path in left.keys().chain(right.keys().filter(|path| !left.contains_key(*path))) {
        let (l, r) = (left.get(path), right.get(path));
        if l != r {
            let show = |value: Option<&String>| value.map_or("-".to_owned(), String::clone);
            lines.push(format!("{path}: {} | {}", show(l), show(r)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "read through Debug")]
    struct Inner {
        id: i32,
        names: Vec<&'static str>,
    }

    #[derive(Debug)]
    #[allow(dead_code, reason = "read through Debug")]
    struct Outer {
        text: Option<&'static str>,
        inner: Vec<Inner>,
        last: Option<Inner>,
    }

    #[test]
    fn debug_form_becomes_paths() {
        let value = Outer {
            text: Some("a: b"),
            inner: vec![Inner { id: 1, names: vec![] }, Inner { id: 2, names: vec!["x", "y"] }],
            last: Some(Inner { id: 3, names: vec![] }),
        };
        let fields = of_debug(&format!("{value:#?}"));
        let expected = [
            ("inner[0].id", "1"),
            ("inner[0].names", "[]"),
            ("inner[1].id", "2"),
            ("inner[1].names[0]", "\"x\""),
            ("inner[1].names[1]", "\"y\""),
            ("last.id", "3"),
            ("last.names", "[]"),
            ("text", "\"a: b\""),
        ];
        let got: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(got, expected);
    }

    fn fields(text: &[(&str, &str)]) -> Fields {
        text.iter().map(|&(path, value)| (path.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn lists_of_structs_are_named_by_identity_and_plain_lists_keep_their_order() {
        let one = fields(&[
            ("a[0].index", "10"),
            ("a[0].b[0].name", "\"x.y\""),
            ("a[1].index", "9"),
            ("a[1].r[0]", "3"),
            ("a[1].r[1]", "1"),
            ("c[0].name", "\"twice\""),
            ("c[1].name", "\"twice\""),
            ("z", "1"),
        ]);
        let expected = fields(&[
            ("a[10].index", "10"),
            ("a[10].b[x.y].name", "\"x.y\""),
            ("a[9].index", "9"),
            ("a[9].r[0]", "3"),
            ("a[9].r[1]", "1"),
            ("c[twice].name", "\"twice\""),
            ("c[twice #2].name", "\"twice\""),
            ("z", "1"),
        ]);
        assert_eq!(by_identity(&one), expected);
    }

    #[test]
    fn blanks_keep_whether_there_is_a_value() {
        let mut fields = fields(&[("a[x].id", "7"), ("a[y].id", "0"), ("text", "\"on 127.0.0.1:99\"")]);
        let blanks =
            Blanks::default().paths(&[(r"a\[.*\]\.id", "id")]).texts(&[(r"127\.0\.0\.1:\d+", "<address>")]);
        blanks.apply(&mut fields);
        assert_eq!(fields["a[x].id"], "<id>");
        assert_eq!(fields["a[y].id"], "0");
        assert_eq!(fields["text"], "\"on <address>\"");
    }

    #[test]
    fn differences_name_both_sides() {
        let left = Fields::from([("a".into(), "1".into()), ("b".into(), "2".into())]);
        let right = Fields::from([("b".into(), "3".into()), ("c".into(), "4".into())]);
        assert_eq!(differences(&left, &right), ["a: 1 | -", "b: 2 | 3", "c: - | 4"]);
    }
}
