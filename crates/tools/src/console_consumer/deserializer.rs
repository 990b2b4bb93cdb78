//! Kafka's deserializers, by their Java class names, and the text that their results print as.

use std::borrow::Cow;

use crate::failure::Exception;

/// What bytes are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deserializer {
    Boolean,
    /// Prints the bytes as they are; in Java, where an array has no text, it prints its address.
    ByteArray,
    ByteBuffer,
    Bytes,
    Double,
    Float,
    Integer,
    Long,
    Short,
    String,
    Uuid,
    Void,
}

impl Deserializer {
    /// The deserializer of a class of `org.apache.kafka.common.serialization`.
    pub(super) fn by_class(class: &str) -> Option<Deserializer> {
        Some(match class.strip_prefix("org.apache.kafka.common.serialization.")? {
            "BooleanDeserializer" => Deserializer::Boolean,
            "ByteArrayDeserializer" => Deserializer::ByteArray,
            "ByteBufferDeserializer" => Deserializer::ByteBuffer,
            "BytesDeserializer" => Deserializer::Bytes,
            "DoubleDeserializer" => Deserializer::Double,
            "FloatDeserializer" => Deserializer::Float,
            "IntegerDeserializer" => Deserializer::Integer,
            "LongDeserializer" => Deserializer::Long,
            "ShortDeserializer" => Deserializer::Short,
            "StringDeserializer" => Deserializer::String,
            "UUIDDeserializer" => Deserializer::Uuid,
            "VoidDeserializer" => Deserializer::Void,
            _ => return None,
        })
    }

    /// The text of `bytes`.
    pub(super) fn text(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, Exception> {
        let text = match self {
            Deserializer::ByteArray => return Ok(bytes.into()),
            Deserializer::String => String::from_utf8_lossy(bytes).into_owned(),
            Deserializer::Boolean => boolean(bytes)?,
            Deserializer::ByteBuffer => {
                format!("java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", bytes.len())
            }
            Deserializer::Bytes => escaped(bytes),
            Deserializer::Double => {
                let value = f64::from_be_bytes(exactly(bytes, "")?);
                java_number(&format!("{value:e}"), &format!("{value:.1e}"))
            }
            Deserializer::Float => {
                let value = f32::from_be_bytes(exactly(bytes, "")?);
                java_number(&format!("{value:e}"), &format!("{value:.1e}"))
            }
            Deserializer::Integer => i32::from_be_bytes(exactly(bytes, "Integer")?).to_string(),
            Deserializer::Long => i64::from_be_bytes(exactly(bytes, "Long")?).to_string(),
            Deserializer::Short => i16::from_be_bytes(exactly(bytes, "Short")?).to_string(),
            Deserializer::Uuid => uuid(bytes)?,
            Deserializer::Void => {
                return Err(Exception::illegal_argument("Data should be null for a VoidDeserializer."));
            }
        };
        Ok(text.into_bytes().into())
    }
}

fn refused(text: impl Into<String>) -> Exception {
    Exception::new("org.apache.kafka.common.errors.SerializationException", text)
}

fn exactly<const N: usize>(bytes: &[u8], kind: &str) -> Result<[u8; N], Exception> {
    let wrong_size = |_| refused(format!("Size of data received by {kind}Deserializer is not {N}"));
    bytes.try_into().map_err(wrong_size)
}

fn boolean(bytes: &[u8]) -> Result<String, Exception> {
    match exactly(bytes, "Boolean")? {
        [0] => Ok(String::from("false")),
        [1] => Ok(String::from("true")),
        [other] => Err(refused(format!("Unexpected byte received by BooleanDeserializer: {}", other as i8))),
    }
}

/// Printable ASCII as it is, everything else as `\xHH`.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\x5C"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02X}")),
        }
    }
    text
}

/// A floating-point number as Java prints it, plain from 10⁻³ up to 10⁷, from its shortest scientific form, or from the
/// one with two digits where the shortest has one: Java always prints two.
fn java_number(shortest: &str, two_digits: &str) -> String {
    let scientific = if shortest.contains('.') { shortest } else { two_digits };
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.replace("inf", "Infinity");
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let or_zero = |text: &str| if text.is_empty() { String::from("0") } else { text.to_owned() };
    let point = match exponent {
        -3..0 => {
            let zeros = "0".repeat((-exponent - 1) as usize);
            return format!("{sign}0.{zeros}{digits}");
        }
        0..7 => exponent as usize + 1,
        _ => 1,
    };
    let padded = format!("{digits:0<point$}");
    let (whole, fraction) = padded.split_at(point);
    let number = format!("{sign}{whole}.{}", or_zero(fraction));
    if point == 1 && exponent != 0 { format!("{number}E{exponent}") } else { number }
}

/// Five groups of hexadecimal digits, which Java fills up with zeros.
fn uuid(bytes: &[u8]) -> Result<String, Exception> {
    const WIDTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let wrong = || refused("Error parsing data into UUID");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != WIDTHS.len() || text.len() > 36 {
        return Err(wrong());
    }
    let mut parts = Vec::new();
    for (group, width) in groups.into_iter().zip(WIDTHS) {
        let value = u64::from_str_radix(group, 16).map_err(|_| wrong())?;
        let digits = format!("{value:0width$x}");
        parts.push(digits[digits.len() - width..].to_owned());
    }
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(class: &str, bytes: &[u8], expected: &str) {
        let class = format!("org.apache.kafka.common.serialization.{class}Deserializer");
        let found = match Deserializer::by_class(&class).unwrap().text(bytes) {
            Ok(text) => String::from_utf8(text.into_owned()).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn numbers_print_as_in_java() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (100.0, "100.0"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (12_345_678.9, "1.23456789E7"),
            (1e-3, "0.001"),
            (9.99e-4, "9.99E-4"),
            (0.05, "0.05"),
            (-1e21, "-1.0E21"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::from_bits(1), "4.9E-324"),
            (2e23, "2.0E23"),
        ] {
            check("Double", &f64::to_be_bytes(value), expected);
        }
        check("Float", &1.1_f32.to_be_bytes(), "1.1");
        check("Float", &16_777_216_f32.to_be_bytes(), "1.6777216E7");
        check("Integer", &[255; 4], "-1");
        check("Long", &i64::MAX.to_be_bytes(), "9223372036854775807");
        check("Short", &[255, 249], "-7");
    }

    #[test]
    fn what_does_not_fit_is_refused_in_javas_words() {
        let wrong = "org.apache.kafka.common.errors.SerializationException: ";
        check("Integer", b"abc", &format!("{wrong}Size of data received by IntegerDeserializer is not 4"));
        check("Double", b"abc", &format!("{wrong}Size of data received by Deserializer is not 8"));
        check("Boolean", &[2], &format!("{wrong}Unexpected byte received by BooleanDeserializer: 2"));
        check("UUID", b"no", &format!("{wrong}Error parsing data into UUID"));
        let void = "java.lang.IllegalArgumentException: Data should be null for a VoidDeserializer.";
        check("Void", b"", void);
    }

    #[test]
    fn other_types_have_texts_too() {
        check("Boolean", &[1], "true");
        check("Bytes", "a\\\u{e9}".as_bytes(), "a\\x5C\\xC3\\xA9");
        check("ByteBuffer", b"abc", "java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]");
        check("UUID", b"0-0-1-0-A", "00000000-0000-0001-0000-00000000000a");
        check("String", b"a\xff", "a\u{fffd}");
        check("ByteArray", b"abc", "abc");
    }
}
