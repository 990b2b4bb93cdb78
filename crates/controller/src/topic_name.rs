//! Which names a topic may have.

use ottla_metadata::Image;
use ottla_protocol::ByteString;
use std::collections::BTreeSet;

/// Longest name, in characters: room for `-<partition>` and a suffix in a file name.
const NAME_LENGTH_MAX: usize = 249;

/// Checks a name: not empty, not `.` or `..`, at most 249 characters out of ASCII letters, digits, `.`, `_` and `-`.
///
/// # Errors
/// Kafka's sentence, which goes with INVALID_TOPIC_EXCEPTION.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        // Java counts UTF-16 units.
        _ if name.encode_utf16().count() > NAME_LENGTH_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {NAME_LENGTH_MAX}")
        }
        _ if !name.chars().all(is_legal) => {
            format!(
                "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {reason}"))
}

/// The names of existing topics that metrics cannot tell from others, since `.` and `_` look the same there: each behind
/// its name in metrics.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SimilarNames(BTreeSet<(String, ByteString)>);

impl SimilarNames {
    pub(crate) fn of(image: &Image) -> SimilarNames {
        let names = image.topics().map(|topic| &topic.name);
        SimilarNames(names.filter_map(|name| Some((in_metrics(name)?, name.clone()))).collect())
    }

    pub(crate) fn insert(&mut self, name: &ByteString) {
        self.0.extend(in_metrics(name).map(|in_metrics| (in_metrics, name.clone())));
    }

    pub(crate) fn remove(&mut self, name: &ByteString) {
        if let Some(in_metrics) = in_metrics(name) {
            self.0.remove(&(in_metrics, name.clone()));
        }
    }

    /// An existing topic that a topic of this name would be mistaken for.
    pub(crate) fn find(&self, name: &str) -> Option<&ByteString> {
        let from = (in_metrics(name)?, ByteString::new());
        let (in_metrics, existing) = self.0.range(&from..).next()?;
        (*in_metrics == from.0).then_some(existing)
    }
}

/// The name in metrics, if it is one that can stand for several topics.
fn in_metrics(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
