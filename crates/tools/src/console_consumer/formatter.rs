//! How a record is printed.

use std::borrow::Cow;

use ottla_client::{ConsumerRecord, Properties};

use super::deserializer::Deserializer;
use super::internal::Internal;
use crate::failure::Exception;

const PACKAGE: &str = "org.apache.kafka.tools.consumer.";

/// One of Kafka's formatters.
#[derive(Debug)]
pub(super) enum Formatter {
    Default(Columns),
    /// Prints nothing.
    NoOp,
    Internal(Internal),
}

impl Formatter {
    /// The class that formats when none is named.
    pub(super) const DEFAULT_CLASS: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

    /// The formatter of a Java class; also says which deserializers there are not.
    pub(super) fn new(class: &str, properties: &Properties) -> Result<(Formatter, Vec<String>), Exception> {
        let formatter = match class.strip_prefix(PACKAGE) {
            // The logging one also logs, at a level that the tools do not show.
            Some("DefaultMessageFormatter" | "LoggingMessageFormatter") => {
                let (columns, unknown) = Columns::new(properties);
                return Ok((Formatter::Default(columns), unknown));
            }
            Some("NoOpMessageFormatter") => Formatter::NoOp,
            Some("OffsetsMessageFormatter") => Formatter::Internal(Internal::Offsets),
            Some("GroupMetadataMessageFormatter") => Formatter::Internal(Internal::GroupMetadata),
            Some("TransactionLogMessageFormatter") => Formatter::Internal(Internal::TransactionLog),
            _ => return Err(Exception::new("java.lang.ClassNotFoundException", class)),
        };
        Ok((formatter, Vec::new()))
    }

    /// Appends the record's text; after an error, what stands before the place of the error.
    pub(super) fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), Exception> {
        match self {
            Formatter::Default(columns) => columns.write(record, out),
            Formatter::NoOp => Ok(()),
            Formatter::Internal(internal) => internal.write(record, out),
        }
    }
}

/// The default formatter: one line for each record, with what was asked for.
#[derive(Debug)]
pub(super) struct Columns {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
    key_deserializer: Option<Deserializer>,
    value_deserializer: Option<Deserializer>,
    headers_deserializer: Option<Deserializer>,
}

impl Columns {
    fn new(properties: &Properties) -> (Columns, Vec<String>) {
        let mut unknown = Vec::new();
        let mut deserializer = |key: &str| {
            let class = properties.get(key)?;
            let found = Deserializer::by_class(class);
            if found.is_none() {
                unknown.push(class.to_owned());
            }
            found
        };
        let key_deserializer = deserializer("key.deserializer");
        let value_deserializer = deserializer("value.deserializer");
        let headers_deserializer = deserializer("headers.deserializer");
        let yes = |key: &str, default: bool| {
            properties.get(key).map_or(default, |text| text.trim().eq_ignore_ascii_case("true"))
        };
        let text = |key: &str, default: &str| properties.get(key).unwrap_or(default).as_bytes().to_vec();
        let columns = Columns {
            timestamp: yes("print.timestamp", false),
            partition: yes("print.partition", false),
            offset: yes("print.offset", false),
            delivery: yes("print.delivery", false),
            epoch: yes("print.epoch", false),
            headers: yes("print.headers", false),
            key: yes("print.key", false),
            value: yes("print.value", true),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key_deserializer,
            value_deserializer,
            headers_deserializer,
        };
        (columns, unknown)
    }

    fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), Exception> {
        let mut line = Line { columns: self, out, after_first: false };
        if self.timestamp {
            let name = record.timestamp_type.name();
            line.next().extend_from_slice(format!("{name}:{}", record.timestamp).as_bytes());
        }
        if self.partition {
            line.next().extend_from_slice(format!("Partition:{}", record.partition.partition).as_bytes());
        }
        if self.offset {
            line.next().extend_from_slice(format!("Offset:{}", record.offset).as_bytes());
        }
        if self.delivery {
            line.next().extend_from_slice(b"Delivery:NOT_PRESENT");
        }
        if self.epoch {
            // Kafka's tool does not hand it to its formatter.
            line.next().extend_from_slice(b"Epoch:NOT_PRESENT");
        }
        if self.headers {
            self.write_headers(record, line.next())?;
        }
        if self.key {
            let text = self.text(self.key_deserializer, record.key.as_deref());
            line.next().extend_from_slice(&text?);
        }
        if self.value {
            let text = self.text(self.value_deserializer, record.value.as_deref());
            line.next().extend_from_slice(&text?);
        }
        line.end();
        Ok(())
    }

    fn write_headers(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), Exception> {
        if record.headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (index, header) in record.headers.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.headers_separator);
            }
            out.extend_from_slice(format!("{}:", header.key).as_bytes());
            out.extend_from_slice(&self.text(self.headers_deserializer, header.value.as_deref())?);
        }
        Ok(())
    }

    /// A null is the literal, which a deserializer then gets to see as if it had been the bytes.
    fn text<'b>(
        &'b self,
        deserializer: Option<Deserializer>,
        bytes: Option<&'b [u8]>,
    ) -> Result<Cow<'b, [u8]>, Exception> {
        let bytes = bytes.unwrap_or(&self.null_literal);
        deserializer.map_or(Ok(bytes.into()), |deserializer| deserializer.text(bytes))
    }
}

/// One line in the making.
struct Line<'a> {
    columns: &'a Columns,
    out: &'a mut Vec<u8>,
    after_first: bool,
}

impl Line<'_> {
    /// Where the next column goes.
    fn next(&mut self) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.after_first, true) {
            self.out.extend_from_slice(&self.columns.key_separator);
        }
        self.out
    }

    fn end(self) {
        if self.after_first {
            self.out.extend_from_slice(&self.columns.line_separator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_client::{RecordHeader, TopicPartition};
    use ottla_protocol::records::TimestampType;

    fn record() -> ConsumerRecord {
        let header = |key: &str, value: Option<&'static str>| RecordHeader {
            key: key.into(),
            value: value.map(Into::into),
        };
        ConsumerRecord {
            partition: TopicPartition::new("t", 2),
            offset: 7,
            leader_epoch: Some(1),
            timestamp: 123,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some("v".into()),
            headers: vec![header("h", Some("1")), header("i", None)],
        }
    }

    #[track_caller]
    fn check(properties: &str, expected: &str) {
        let properties: Vec<&str> = properties.split_whitespace().collect();
        let properties = crate::settings::key_values(&properties);
        let (formatter, _) = Formatter::new(Formatter::DEFAULT_CLASS, &properties).unwrap();
        let mut out = Vec::new();
        let written = formatter.write(&record(), &mut out);
        let mut text = String::from_utf8(out).unwrap();
        if let Err(error) = written {
            text.push_str(error.text());
        }
        assert_eq!(text, expected);
    }

    #[test]
    fn columns_stand_in_kafkas_order() {
        check("", "v\n");
        check("print.key=true", "null\tv\n");
        check(
            "print.key=true print.timestamp=true print.offset=true print.partition=true print.headers=true \
             print.epoch=true print.delivery=TRUE",
            "CreateTime:123\tPartition:2\tOffset:7\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\th:1,i:null\tnull\tv\n",
        );
        check("print.value=false print.offset=true", "Offset:7\n");
        check("print.value=false", "");
    }

    #[test]
    fn separators_and_the_null_literal_are_as_given() {
        check(
            "print.key=true print.headers=true key.separator=:: line.separator=| headers.separator=; null.literal=NIL",
            "h:1;i:NIL::NIL::v|",
        );
    }

    #[test]
    fn a_column_that_cannot_be_read_stops_the_line() {
        check(
            "print.offset=true value.deserializer=org.apache.kafka.common.serialization.IntegerDeserializer",
            "Offset:7\tSize of data received by IntegerDeserializer is not 4",
        );
        check(
            "print.key=true key.deserializer=org.apache.kafka.common.serialization.IntegerDeserializer",
            "1853189228\tv\n",
        );
    }

    #[test]
    fn classes_that_do_not_exist_are_told() {
        let none = Properties::default();
        assert_eq!(Formatter::new("com.example.F", &none).unwrap_err().text(), "com.example.F");
        let unknown = Properties::default().with("key.deserializer", "com.example.D");
        assert_eq!(Formatter::new(Formatter::DEFAULT_CLASS, &unknown).unwrap().1, ["com.example.D"]);
    }
}
