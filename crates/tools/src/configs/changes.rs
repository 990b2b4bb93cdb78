//! What `--add-config`, `--add-config-file` and `--delete-config` ask for.

use crate::admin::read_properties;
use crate::failure::{Exception, Failure};
use crate::options::Arguments;

/// Settings to make and to take back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) add: Vec<(String, String)>,
    pub(super) delete: Vec<String>,
}

/// Reads the options.
pub(super) fn of(arguments: &Arguments) -> Result<Changes, Failure> {
    let mut add: Vec<(String, String)> = Vec::new();
    if let Some(path) = arguments.text("add-config-file")? {
        add = read_properties(path)?;
    }
    if let Some(text) = arguments.text("add-config")? {
        add.extend(parse(text)?);
    }
    // The later of two of a name counts.
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in add {
        kept.retain(|(known, _)| *known != name);
        kept.push((name, value));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '.' | '_' | '-');
    if let Some((name, _)) = kept.iter().find(|(name, _)| !name.chars().all(legal)) {
        return Err(
            Exception::illegal_argument(format!("Invalid character found for config key: {name}")).into()
        );
    }
    let delete = arguments.texts("delete-config").into_iter().map(|name| name.trim().to_string()).collect();
    Ok(Changes { add: kept, delete })
}

/// Reads `k1=v1,k2=[v1,v2]`: brackets keep commas and equals signs together and are dropped.
fn parse(text: &str) -> Result<Vec<(String, String)>, Exception> {
    let mut parts = split(text, ',');
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let mut pairs = Vec::new();
    for part in parts {
        let halves = split(part, '=');
        let [name, value] = halves.as_slice() else {
            return Err(Exception::illegal_argument(
                "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" \
                 or  \"key=[val1,val2]\" to group values which contain commas.",
            ));
        };
        pairs.push((name.trim().to_string(), value.replace(['[', ']'], "").trim().to_string()));
    }
    Ok(pairs)
}

/// Cuts at a separator that is not between brackets: the next bracket behind it, if any, opens.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(separator) {
        let behind = &text[at + 1..];
        let is_outside = behind.find(']').is_none_or(|close| behind[..close].contains('['));
        if is_outside {
            parts.push(&text[start..at]);
            start = at + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[(&str, &str)]>) {
        let expected = expected.map(|pairs| {
            pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>()
        });
        assert_eq!(parse(text).ok(), expected, "{text}");
    }

    #[test]
    fn brackets_group_values() {
        check("a=1,b=2", Some(&[("a", "1"), ("b", "2")]));
        check("a=[1,2],b=3", Some(&[("a", "1,2"), ("b", "3")]));
        check("a=[x=1,y=2]", Some(&[("a", "x=1,y=2")]));
        check(" a = 1 , b = ", Some(&[("a", "1"), ("b", "")]));
        check("a=1,", Some(&[("a", "1")]));
        check(
            "SCRAM-SHA-256=[iterations=8192,password=x]",
            Some(&[("SCRAM-SHA-256", "iterations=8192,password=x")]),
        );
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        check("a", None);
        check("a=1,b", None);
        check("a=b=c", None);
        check("", None);
    }
}
