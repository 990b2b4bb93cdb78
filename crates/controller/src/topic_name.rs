//! Which names a topic may have.

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

/// The name that metrics make of it, if it can collide there: `.` and `_` look the same.
pub(crate) fn collision_name(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
