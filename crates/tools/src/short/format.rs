//! How `ottla consume` prints a record: text with `%v` for the value and so on, as kcat and rpk have it.

use ottla_client::ConsumerRecord;

/// A format that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Field(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Key,
    Value,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

impl Format {
    /// What `%` letters and `\` escapes there are.
    pub(super) const NOTES: &str = "FORMAT is text with %k key, %v value, %t topic, %p partition, %o offset, \
         %T timestamp in ms,\n%h headers as name=value,…, %% a percent sign, \\n \\t \\r \\0 \\\\ and \\xHH.";

    /// Reads a format.
    pub(super) fn parse(text: &str) -> Result<Format, String> {
        let mut format = Format(Vec::new());
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match char {
                '%' => match chars.next() {
                    Some('%') => format.text("%".as_bytes()),
                    Some(letter) => format.0.push(Piece::Field(field(letter)?)),
                    None => {
                        return Err(String::from("a format cannot end with %; write %% for a percent sign"));
                    }
                },
                '\\' => {
                    let byte = escaped(&mut chars)?;
                    format.text(&[byte]);
                }
                _ => format.text(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(format)
    }

    fn text(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.extend_from_slice(bytes),
            _ => self.0.push(Piece::Text(bytes.to_vec())),
        }
    }

    /// Appends a record; what is null is nothing.
    pub(super) fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Field(field) => field.write(record, out),
            }
        }
    }
}

fn field(letter: char) -> Result<Field, String> {
    Ok(match letter {
        'k' => Field::Key,
        // kcat's letter for it.
        'v' | 's' => Field::Value,
        't' => Field::Topic,
        'p' => Field::Partition,
        'o' => Field::Offset,
        // rpk's letter for it.
        'T' | 'd' => Field::Timestamp,
        'h' => Field::Headers,
        other => return Err(format!("a format has no %{other}")),
    })
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Result<u8, String> {
    Ok(match chars.next() {
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('r') => b'\r',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('x') => {
            let digits: String = chars.by_ref().take(2).collect();
            u8::from_str_radix(&digits, 16)
                .map_err(|_| format!("\\x{digits} is not a byte in hexadecimal"))?
        }
        Some(other) => return Err(format!("a format has no \\{other}")),
        None => return Err(String::from("a format cannot end with \\; write \\\\ for a backslash")),
    })
}

impl Field {
    fn write(self, record: &ConsumerRecord, out: &mut Vec<u8>) {
        match self {
            Field::Key => out.extend_from_slice(record.key.as_deref().unwrap_or_default()),
            Field::Value => out.extend_from_slice(record.value.as_deref().unwrap_or_default()),
            Field::Topic => out.extend_from_slice(record.partition.topic.as_bytes()),
            Field::Partition => out.extend_from_slice(record.partition.partition.to_string().as_bytes()),
            Field::Offset => out.extend_from_slice(record.offset.to_string().as_bytes()),
            Field::Timestamp => out.extend_from_slice(record.timestamp.to_string().as_bytes()),
            Field::Headers => {
                for (index, header) in record.headers.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(header.key.as_bytes());
                    out.push(b'=');
                    out.extend_from_slice(header.value.as_deref().unwrap_or_default());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_client::{RecordHeader, TopicPartition};
    use ottla_protocol::records::TimestampType;

    #[track_caller]
    fn check(format: &str, expected: Result<&str, &str>) {
        let header =
            |key: &str, value: &'static str| RecordHeader { key: key.into(), value: Some(value.into()) };
        let record = ConsumerRecord {
            partition: TopicPartition::new("t", 2),
            offset: 7,
            leader_epoch: None,
            timestamp: 123,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some("v".into()),
            headers: vec![header("h", "1"), header("i", "2")],
        };
        let mut out = Vec::new();
        let text = Format::parse(format).map(|format| {
            format.write(&record, &mut out);
            String::from_utf8(out).unwrap()
        });
        assert_eq!(text.as_deref().map_err(String::as_str), expected, "{format}");
    }

    #[test]
    fn fields_and_escapes_are_filled_in() {
        check("%t-%p@%o %T [%h] k=%k %v%%\\n\\x41", Ok("t-2@7 123 [h=1,i=2] k= v%\nA"));
        check("", Ok(""));
    }

    #[test]
    fn what_there_is_not_is_said() {
        check("%q", Err("a format has no %q"));
        check("%", Err("a format cannot end with %; write %% for a percent sign"));
        check("\\xZZ", Err("\\xZZ is not a byte in hexadecimal"));
    }
}
