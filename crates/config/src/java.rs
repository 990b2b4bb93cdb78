//! The few habits of Java that show through Kafka's configuration: what `trim` removes, how a double is
//! printed and read, and in which order a hash map is walked.

/// The classes a configuration can name here: Kafka's own defaults, whose work this broker does itself.
/// Any other class cannot be found, and saying so is the truth.
pub(crate) const KNOWN_CLASSES: &[&str] = &[
    "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
    "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
];

/// `String.trim`: everything up to and including U+0020 goes, at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// What `\s` means in a Java regular expression.
pub(crate) fn is_regex_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// `Double.parseDouble`, without hexadecimal numbers, which no configuration has.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ => {}
    }
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let is_plain = digits.chars().all(|c| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'));
    if is_plain { digits.parse().ok() } else { None }
}

/// `Double.toString`: at least one digit after the point, scientific from ten million up and below a thousandth.
pub(crate) fn double_to_string(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("Rust's {:e} always prints an exponent");
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

/// The names in the order in which a `java.util.HashMap` that holds them (put in one by one) is walked. Where
/// Kafka or one of its tools walks one to answer, to print, or to find the first thing to complain about, so do we.
pub fn hash_map_order<'a, S: AsRef<str> + ?Sized + 'a>(
    names: impl IntoIterator<Item = &'a S>,
) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.into_iter().map(AsRef::as_ref).collect();
    let mut table_size = 16;
    while names.len() > table_size / 4 * 3 {
        table_size *= 2;
    }
    names.sort_by_key(|name| bucket(name, table_size));
    names
}

/// The place of a text in a hash table of `table_size`, a power of two.
fn bucket(text: &str, table_size: usize) -> usize {
    let hash =
        text.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash ^ (hash >> 16)) as usize & (table_size - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_the_order_of_javas_maps() {
        assert_eq!(hash_map_order(["nosuch", "other", "third.key"]), ["other", "third.key", "nosuch"]);
        assert_eq!(
            hash_map_order(["log.dirs", "node.id", "num.partitions"]),
            ["node.id", "num.partitions", "log.dirs"]
        );
        assert_eq!(hash_map_order::<str>([]), [""; 0]);
    }

    #[test]
    fn doubles_print_as_java_prints_them() {
        for (value, expect) in [
            (0.5, "0.5"),
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-2.25, "-2.25"),
            (f64::MAX, "1.7976931348623157E308"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (1e-3, "0.001"),
            (1.5e-4, "1.5E-4"),
        ] {
            assert_eq!(double_to_string(value), expect);
        }
    }

    #[test]
    fn doubles_are_read_as_java_reads_them() {
        for (text, expect) in
            [("0.5", Some(0.5)), ("1e3", Some(1000.0)), ("2d", Some(2.0)), (".5", Some(0.5))]
        {
            assert_eq!(parse_double(text), expect, "{text}");
        }
        for text in ["", "inf", "infinity", "nan", "0x1p3", "1_000", "abc"] {
            assert_eq!(parse_double(text), None, "{text}");
        }
    }
}
