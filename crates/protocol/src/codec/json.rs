//! Records of Kafka's own topics as JSON, for people: the fields of a version in the order of the schema, bytes in base64.

use crate::Uuid;
use std::fmt::{Display, Write};

/// Writes one JSON value after the other into a text, with the commas between them.
#[derive(Debug, Default)]
pub struct JsonWriter {
    out: String,
    needs_comma: bool,
}

impl JsonWriter {
    /// What has been written.
    pub fn into_string(self) -> String {
        self.out
    }

    fn put(&mut self, value: impl Display) {
        if std::mem::replace(&mut self.needs_comma, true) {
            self.out.push(',');
        }
        write!(self.out, "{value}").expect("a text takes what is written");
    }

    fn begin(&mut self, bracket: char) {
        self.put(bracket);
        self.needs_comma = false;
    }

    fn end(&mut self, bracket: char) {
        self.out.push(bracket);
        self.needs_comma = true;
    }

    /// Begins an object.
    pub fn begin_object(&mut self) {
        self.begin('{');
    }

    /// Ends an object.
    pub fn end_object(&mut self) {
        self.end('}');
    }

    /// Begins an array.
    pub fn begin_array(&mut self) {
        self.begin('[');
    }

    /// Ends an array.
    pub fn end_array(&mut self) {
        self.end(']');
    }

    /// The name of the value that comes next.
    pub fn key(&mut self, name: &str) {
        self.string(name);
        self.out.push(':');
        self.needs_comma = false;
    }

    /// Nothing.
    pub fn null(&mut self) {
        self.put("null");
    }

    /// A truth.
    pub fn bool(&mut self, value: bool) {
        self.put(value);
    }

    /// A number.
    pub fn number(&mut self, value: impl Display) {
        self.put(value);
    }

    /// A text.
    pub fn string(&mut self, text: &str) {
        if std::mem::replace(&mut self.needs_comma, true) {
            self.out.push(',');
        }
        self.out.push('"');
        for char in text.chars() {
            match char {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                control if control < ' ' => {
                    write!(self.out, "\\u{:04X}", u32::from(control)).expect("a text takes what is written");
                }
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }

    /// Bytes, in base64.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.string(&base64(bytes));
    }

    /// An id.
    pub fn uuid(&mut self, id: Uuid) {
        self.string(&id.to_string());
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_there = digit <= chunk.len();
            let index = (bits >> (18 - 6 * digit) & 63) as usize;
            out.push(if is_there { char::from(DIGITS[index]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (bytes, text) in pairs {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn commas_are_between_values_and_nowhere_else() {
        let mut w = JsonWriter::default();
        w.begin_object();
        w.key("a");
        w.begin_array();
        w.number(1);
        w.number(2);
        w.end_array();
        w.key("b\"");
        w.null();
        w.end_object();
        assert_eq!(w.into_string(), "{\"a\":[1,2],\"b\\\"\":null}");
    }
}
