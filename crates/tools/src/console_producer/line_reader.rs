//! From a line to a record: headers, key and value by separators.

use ottla_client::{ProducerRecord, Properties, RecordHeader};
use regex::Regex;

use crate::failure::Exception;

/// Reads lines as Kafka's `LineMessageReader` does.
#[derive(Debug)]
pub(super) struct LineReader {
    topic: String,
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: Regex,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
    line_number: u64,
}

fn thrown(message: impl Into<String>) -> Exception {
    Exception::new("org.apache.kafka.common.KafkaException", message)
}

impl LineReader {
    /// The Java class of that name.
    pub(super) const CLASS: &str = "org.apache.kafka.tools.LineMessageReader";

    /// A reader for a topic.
    pub(super) fn new(topic: &str, properties: &Properties) -> Result<LineReader, Exception> {
        let text = |key: &str, default: &str| properties.get(key).unwrap_or(default).to_owned();
        let yes =
            |key: &str| properties.get(key).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        let headers_separator = text("headers.separator", ",");
        let pattern = Regex::new(&headers_separator)
            .map_err(|error| Exception::new("java.util.regex.PatternSyntaxException", error.to_string()))?;
        let reader = LineReader {
            topic: topic.to_owned(),
            parse_key: yes("parse.key"),
            key_separator: text("key.separator", "\t"),
            parse_headers: yes("parse.headers"),
            headers_delimiter: text("headers.delimiter", "\t"),
            headers_separator: pattern,
            headers_key_separator: text("headers.key.separator", ":"),
            ignore_error: yes("ignore.error"),
            null_marker: properties.get("null.marker").map(str::to_owned),
            line_number: 0,
        };
        reader.check(&headers_separator)?;
        Ok(reader)
    }

    fn check(&self, headers_separator: &str) -> Result<(), Exception> {
        let delimiter = ("headers.delimiter", self.headers_delimiter.as_str());
        let separator = ("headers.separator", headers_separator);
        let key_separator = ("headers.key.separator", self.headers_key_separator.as_str());
        for (one, other) in [(delimiter, separator), (delimiter, key_separator), (separator, key_separator)] {
            if one.1 == other.1 {
                return Err(thrown(format!("{} and {} may not be equal", one.0, other.0)));
            }
        }
        for other in [("key.separator", self.key_separator.as_str()), separator, delimiter, key_separator] {
            if Some(other.1) == self.null_marker.as_deref() {
                return Err(thrown(format!("null.marker and {} may not be equal", other.0)));
            }
        }
        Ok(())
    }

    /// The record of the next line.
    pub(super) fn record(&mut self, line: &str) -> Result<ProducerRecord, Exception> {
        self.line_number += 1;
        let mut rest = line;
        let headers =
            self.cut(self.parse_headers, &mut rest, line, &self.headers_delimiter, "headers delimiter")?;
        let key = self.cut(self.parse_key, &mut rest, line, &self.key_separator, "key separator")?;
        let headers = match headers.filter(|headers| !self.is_null(headers)) {
            Some(headers) => self.headers(headers)?,
            None => Vec::new(),
        };
        Ok(ProducerRecord {
            topic: self.topic.as_str().into(),
            key: key.and_then(|key| self.bytes(key)),
            value: self.bytes(rest),
            headers,
            ..ProducerRecord::default()
        })
    }

    fn is_null(&self, text: &str) -> bool {
        self.null_marker.as_deref() == Some(text)
    }

    fn bytes(&self, text: &str) -> Option<bytes::Bytes> {
        (!self.is_null(text)).then(|| bytes::Bytes::copy_from_slice(text.as_bytes()))
    }

    /// Takes what stands before `separator` off the front of `rest`.
    fn cut<'l>(
        &self,
        wanted: bool,
        rest: &mut &'l str,
        line: &str,
        separator: &str,
        name: &str,
    ) -> Result<Option<&'l str>, Exception> {
        if !wanted {
            return Ok(None);
        }
        match rest.split_once(separator) {
            Some((before, after)) => {
                *rest = after;
                Ok(Some(before))
            }
            None if self.ignore_error => Ok(None),
            None => {
                let number = self.line_number;
                Err(thrown(format!("No {name} found on line number {number}: '{line}'")))
            }
        }
    }

    fn headers(&self, text: &str) -> Result<Vec<RecordHeader>, Exception> {
        let mut pairs: Vec<&str> = self.headers_separator.split(text).collect();
        // As in Java, empty pairs at the end do not count; a text without separator is one pair even when empty.
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        pairs.into_iter().map(|pair| self.header(pair)).collect()
    }

    fn header(&self, pair: &str) -> Result<RecordHeader, Exception> {
        match pair.split_once(self.headers_key_separator.as_str()) {
            Some((key, _)) if self.is_null(key) => Err(thrown(format!(
                "Header keys should not be equal to the null marker '{key}' as they can't be null"
            ))),
            Some((key, value)) => Ok(RecordHeader { key: key.into(), value: self.bytes(value) }),
            None if self.ignore_error => Ok(RecordHeader { key: pair.into(), value: None }),
            None => {
                let number = self.line_number;
                Err(thrown(format!("No header key separator found in pair '{pair}' on line number {number}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers, key and value of a line, or the complaint.
    #[track_caller]
    fn check(properties: &str, line: &str, expected: &str) {
        let properties: Vec<&str> = properties.split_whitespace().collect();
        let reader = LineReader::new("t", &crate::settings::key_values(&properties));
        let record = reader.and_then(|mut reader| reader.record(line));
        let text = |bytes: &Option<bytes::Bytes>| match bytes {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => String::from("null"),
        };
        let found = match record {
            Ok(record) => {
                let headers =
                    record.headers.iter().map(|header| format!("{}={}", header.key, text(&header.value)));
                let headers = headers.collect::<Vec<_>>().join(" ");
                format!("[{headers}] {} {}", text(&record.key), text(&record.value))
            }
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn a_line_is_a_value_unless_told_otherwise() {
        check("", "a\tb", "[] null a\tb");
        check("parse.key=true", "k\tv\tw", "[] k v\tw");
        check("parse.key=TRUE key.separator=::", "k::v", "[] k v");
        check("parse.key=true", "\tv", "[]  v");
        check("parse.headers=true", "a:1,b:2\tv", "[a=1 b=2] null v");
        check("parse.headers=true parse.key=true", "a:1\tk\tv", "[a=1] k v");
        check("parse.headers=true", "a::1,\tv", "[a=:1] null v");
    }

    #[test]
    fn missing_separators_are_complained_about_or_ignored() {
        check("parse.key=true", "v", "No key separator found on line number 1: 'v'");
        check("parse.headers=true", "a:1", "No headers delimiter found on line number 1: 'a:1'");
        check("parse.headers=true", "a:1,b\tv", "No header key separator found in pair 'b' on line number 1");
        check("parse.headers=true", "\tv", "No header key separator found in pair '' on line number 1");
        check("parse.key=true ignore.error=true", "v", "[] null v");
        check("parse.headers=true ignore.error=true", "a:1,b\tv", "[a=1 b=null] null v");
    }

    #[test]
    fn the_marker_stands_for_null() {
        let all = "parse.headers=true parse.key=true null.marker=-";
        check(all, "-\t-\t-", "[] null null");
        check(all, "a:-\tk\tv", "[a=null] k v");
        check(
            all,
            "-:1\tk\tv",
            "Header keys should not be equal to the null marker '-' as they can't be null",
        );
    }

    #[test]
    fn separators_must_differ() {
        check("headers.delimiter=,", "", "headers.delimiter and headers.separator may not be equal");
        check("headers.separator=:", "", "headers.separator and headers.key.separator may not be equal");
        check("null.marker=:", "", "null.marker and headers.key.separator may not be equal");
    }
}
