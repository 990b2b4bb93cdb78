//! The habits of Java that show in what Kafka's tools print: the order of hash maps, and how strings are cut.

use ottla_protocol::Uuid;

use crate::failure::Exception;

/// `String.hashCode`.
pub(crate) fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The hash of Kafka's `TopicPartition`.
pub(crate) fn topic_partition_hash(topic: &str, partition: i32) -> i32 {
    31_i32.wrapping_add(partition).wrapping_mul(31).wrapping_add(string_hash(topic))
}

/// How large a `HashMap` was made; it grows from there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MapSize {
    /// `new HashMap<>()` and what collectors make.
    Default,
    /// `new HashMap<>(n)` for this many entries.
    Expected,
    /// `new HashMap<>(other)`.
    Copied,
}

/// The items in the order in which a `HashMap` lists them, given in the order in which they were put in.
pub(crate) fn hash_map_order<T>(items: Vec<T>, size: MapSize, hash: impl Fn(&T) -> i32) -> Vec<T> {
    let count = items.len();
    let mut table = match size {
        MapSize::Default => 16,
        MapSize::Expected => count.next_power_of_two(),
        MapSize::Copied => (count * 4 / 3 + 1).next_power_of_two(),
    };
    while count * 4 > table * 3 {
        table *= 2;
    }
    let bucket = |item: &T| {
        let hash = hash(item) as u32;
        (hash ^ (hash >> 16)) as usize & (table - 1)
    };
    let mut ordered = items;
    ordered.sort_by_key(bucket);
    ordered
}

/// `String.split` by a character: empty parts at the end are dropped, and a text without the character stays whole.
pub(crate) fn split(text: &str, separator: char) -> Vec<&str> {
    if !text.contains(separator) {
        return vec![text];
    }
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// `Integer.parseInt`.
pub(crate) fn parse_int(text: &str) -> Result<i32, Exception> {
    text.parse().map_err(|_| {
        let text = if text.is_empty() {
            String::from("For input string: \"\"")
        } else {
            format!("For input string: \"{text}\"")
        };
        Exception::new("java.lang.NumberFormatException", text)
    })
}

/// `Uuid.fromString`: URL-safe base64 of sixteen bytes.
pub(crate) fn parse_uuid(text: &str) -> Result<Uuid, Exception> {
    if text.encode_utf16().count() > 24 {
        let prefix: String = text.chars().take(24).collect();
        let text = format!("Input string with prefix `{prefix}` is too long to be decoded as a base64 UUID");
        return Err(Exception::illegal_argument(text));
    }
    let digits = text.trim_end_matches('=');
    if let Some(bad) = digits.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-' && *c != '_') {
        return Err(Exception::illegal_argument(format!("Illegal base64 character {:x}", u32::from(bad))));
    }
    match digits.len() {
        1 => {
            let text = "Input byte[] should at least have 2 bytes for base64 bytes";
            return Err(Exception::illegal_argument(text));
        }
        length if length % 4 == 1 => {
            return Err(Exception::illegal_argument("Last unit does not have enough valid bits"));
        }
        _ => {}
    }
    let bytes = digits.len() * 6 / 8;
    Uuid::parse(digits).filter(|_| bytes == 16).ok_or_else(|| {
        let text = format!(
            "Input string `{text}` decoded as {bytes} bytes, which is not equal to the expected 16 bytes of a \
             base64-encoded UUID"
        );
        Exception::illegal_argument(text)
    })
}

/// `Double.toString`.
pub(crate) fn double_to_string(value: f64) -> String {
    let magnitude = value.abs();
    if value.is_finite() && magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        let scientific = format!("{value:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let point = if digits.contains('.') { "" } else { ".0" };
        return format!("{digits}{point}E{exponent}");
    }
    if value.is_infinite() {
        return format!("{}Infinity", if value < 0.0 { "-" } else { "" });
    }
    format!("{value:?}")
}

/// `String.format("%.Nf", value)`: the shortest decimal that is read back as the value, rounded half up.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { String::from("NaN") } else { double_to_string(value) };
    }
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if fraction.len() <= digits {
        let point = if digits > 0 { "." } else { "" };
        return format!("{whole}{point}{fraction:0<digits$}");
    }
    // The digits that stay, as one number; there are no doubles with more of them before the point and some behind.
    let kept: u128 = format!("{}{}", whole.trim_start_matches('-'), &fraction[..digits]).parse().unwrap_or(0);
    let rounded = kept + u128::from(fraction.as_bytes()[digits] >= b'5');
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let padded = format!("{rounded:0>width$}", width = digits + 1);
    let (whole, fraction) = padded.split_at(padded.len() - digits);
    let point = if digits > 0 { "." } else { "" };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(string_hash("kafka"), 101_807_910);
        assert_eq!(string_hash("__consumer_offsets"), -970_371_369);
        assert_eq!(topic_partition_hash("kafka", 3), 101_808_964);
    }

    #[test]
    fn maps_are_listed_by_bucket() {
        let names = vec!["alpha", "beta", "gamma", "delta", "epsilon"];
        let order = |size| hash_map_order(names.clone(), size, |name| string_hash(name));
        assert_eq!(order(MapSize::Default), ["epsilon", "alpha", "delta", "beta", "gamma"]);
        assert_eq!(order(MapSize::Expected), ["delta", "epsilon", "beta", "gamma", "alpha"]);
        assert_eq!(order(MapSize::Copied), ["delta", "epsilon", "beta", "gamma", "alpha"]);
    }

    #[test]
    fn what_is_no_id_is_refused_in_javas_words() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse_uuid(text).expect_err(text).text(), expected);
        };
        check("x", "Input byte[] should at least have 2 bytes for base64 bytes");
        check("a*c", "Illegal base64 character 2a");
        check(
            "abc",
            "Input string `abc` decoded as 2 bytes, which is not equal to the expected 16 bytes of a base64-encoded \
             UUID",
        );
        check(
            "AAAAAAAAAAAAAAAAAAAABAAAA",
            "Input string with prefix `AAAAAAAAAAAAAAAAAAAABAAA` is too long to be decoded as a base64 UUID",
        );
        assert_eq!(parse_uuid("AAAAAAAAAAAAAAAAAAAAAQ").ok(), Some(Uuid::ONE));
    }

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        let check = |value: f64, expected: &str| assert_eq!(double_to_string(value), expected);
        check(1024.0, "1024.0");
        check(12.5, "12.5");
        check(2.048e7, "2.048E7");
        check(1e7, "1.0E7");
        check(0.0001, "1.0E-4");
        check(0.0, "0.0");
        check(f64::INFINITY, "Infinity");
    }

    #[test]
    fn numbers_with_so_many_digits_are_rounded_half_up() {
        let check = |value: f64, digits: usize, expected: &str| assert_eq!(fixed(value, digits), expected);
        check(0.125, 2, "0.13");
        check(2.5, 0, "3");
        check(1.005, 2, "1.01");
        check(-0.045, 2, "-0.05");
        check(9.999, 2, "10.00");
        check(0.04, 1, "0.0");
        check(12.0, 3, "12.000");
        check(1e15, 1, "1000000000000000.0");
        check(f64::NAN, 2, "NaN");
        check(f64::INFINITY, 2, "Infinity");
    }

    #[test]
    fn splitting_drops_empty_parts_at_the_end() {
        assert_eq!(split("a,b,,", ','), ["a", "b"]);
        assert_eq!(split(",a", ','), ["", "a"]);
        assert_eq!(split("", ','), [""]);
        assert!(split(",", ',').is_empty());
    }
}
