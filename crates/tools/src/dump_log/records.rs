//! What is in records: texts and numbers of users, and the records of Kafka's own topics.

use bytes::Bytes;
use ottla_metadata::MetadataRecord;
use ottla_protocol::codec::{DecodeError, DecodeResult, JsonWriter, Reader};
use ottla_protocol::messages::*;
use ottla_protocol::records::Record;
use ottla_protocol::records::control::{ControlRecordType, EndTransactionMarker};

use super::log::damaged;
use crate::context::Context;
use crate::failure::{Exception, Failure};

/// The decoder that is used if none is named.
pub(super) const STRING_DECODER: &str = "org.apache.kafka.tools.api.StringDecoder";

/// How records are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decoder {
    /// Keys and values each by a class.
    Classes(Class, Class),
    /// Records of a coordinator's topic.
    Coordinator(ReadRecord),
    /// Records of `__cluster_metadata`.
    Metadata,
}

/// A class of Kafka's that reads keys or values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class {
    /// UTF-8.
    String,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Long,
}

impl Decoder {
    /// By the names of two classes.
    pub(super) fn classes(key: &str, value: &str) -> Result<Decoder, Exception> {
        Ok(Decoder::Classes(class(key)?, class(value)?))
    }
}

fn class(name: &str) -> Result<Class, Exception> {
    match name.strip_prefix("org.apache.kafka.tools.api.") {
        Some("StringDecoder") => Ok(Class::String),
        Some("IntegerDecoder") => Ok(Class::Integer),
        Some("LongDecoder") => Ok(Class::Long),
        _ => Err(Exception {
            cause: Some(Box::new(Exception::new("java.lang.ClassNotFoundException", name.to_owned()))),
            ..Exception::new("java.lang.RuntimeException", "Failed to load decoder class")
        }),
    }
}

impl Class {
    fn text(self, bytes: &[u8]) -> Result<String, Exception> {
        // Bytes behind the number are not looked at.
        let too_short =
            || Exception { message: None, ..Exception::new("java.nio.BufferUnderflowException", "") };
        Ok(match self {
            Class::String => String::from_utf8_lossy(bytes).into_owned(),
            Class::Integer => i32::from_be_bytes(*bytes.first_chunk().ok_or_else(too_short)?).to_string(),
            Class::Long => i64::from_be_bytes(*bytes.first_chunk().ok_or_else(too_short)?).to_string(),
        })
    }
}

/// Prints key and value of a record.
pub(super) fn print_contents(
    decoder: &Decoder,
    record: &Record<'_>,
    prefix: &str,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let (key, value) = match decoder {
        Decoder::Classes(key, value) => (
            record.key.map(|bytes| key.text(bytes)).transpose()?,
            record.value.map(|bytes| value.text(bytes)).transpose()?,
        ),
        Decoder::Metadata => (None, Some(metadata_text(record))),
        Decoder::Coordinator(read) => coordinator_text(*read, record)?,
    };
    let mut prefix = prefix;
    if let Some(key) = key {
        write!(cx.out, "{prefix}key: {key}")?;
        prefix = " ";
    }
    if let Some(value) = value {
        write!(cx.out, "{prefix}payload: {value}")?;
    }
    Ok(())
}

fn metadata_text(record: &Record<'_>) -> String {
    let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
    let read = || {
        let decoded = MetadataRecord::decode(&value).map_err(|error| error.to_string())?;
        let mut frame = Reader::new(&value);
        let mut number = || frame.uvarint().map_err(|error| error.to_string());
        let (_, _, version) = (number()?, number()?, number()?);
        let version = i16::try_from(version).map_err(|error| error.to_string())?;
        let mut w = JsonWriter::default();
        w.begin_object();
        w.key("type");
        w.string(&constant_name(decoded.name()));
        w.key("version");
        w.number(version);
        w.key("data");
        decoded.json(&mut w, version);
        w.end_object();
        Ok::<String, String>(w.into_string())
    };
    read().unwrap_or_else(|error| format!("Error at {}, skipping. {error}", record.offset))
}

/// `RegisterBrokerRecord` → `REGISTER_BROKER_RECORD`.
fn constant_name(name: &str) -> String {
    let mut out = String::new();
    for char in name.chars() {
        if char.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(char.to_uppercase());
    }
    out
}

fn coordinator_text(
    read: ReadRecord,
    record: &Record<'_>,
) -> Result<(Option<String>, Option<String>), Exception> {
    let Some(key) = record.key else {
        let text = format!(
            "Failed to decode message at offset {} using the specified decoder (message had a missing key)",
            record.offset
        );
        return Err(Exception::new("java.lang.RuntimeException", text));
    };
    let value = record.value.map(Bytes::copy_from_slice);
    Ok(match read(&Bytes::copy_from_slice(key), value.as_ref()) {
        Ok((key, value)) => (Some(key), Some(value.unwrap_or_else(|| "<DELETE>".to_owned()))),
        Err(Unreadable::Type(kind)) => {
            (Some(format!("Unknown record type {kind} at offset {}, skipping.", record.offset)), None)
        }
        Err(Unreadable::Damaged(error)) => {
            (Some(format!("Error at offset {}, skipping. {error}", record.offset)), None)
        }
    })
}

/// Why a coordinator's record cannot be shown.
pub(super) enum Unreadable {
    /// None of its types.
    Type(i16),
    /// Of its types, and not as it should be.
    Damaged(DecodeError),
}

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Unreadable {
        Unreadable::Damaged(error)
    }
}

/// Key and value of a coordinator's record, as JSON.
type ReadRecord = fn(&Bytes, Option<&Bytes>) -> Result<(String, Option<String>), Unreadable>;

fn key_text(kind: i16, data: impl FnOnce(&mut JsonWriter)) -> String {
    with_data("type", kind, data)
}

fn with_data(name: &str, number: i16, data: impl FnOnce(&mut JsonWriter)) -> String {
    let mut w = JsonWriter::default();
    w.begin_object();
    w.key(name);
    w.string(&number.to_string());
    w.key("data");
    data(&mut w);
    w.end_object();
    w.into_string()
}

macro_rules! coordinator {
    ($doc:literal $name:ident: $($kind:literal $key:ident $value:ident,)*) => {
        #[doc = $doc]
        pub(super) fn $name(
            key: &Bytes,
            value: Option<&Bytes>,
        ) -> Result<(String, Option<String>), Unreadable> {
            let mut r = Reader::new(key);
            match r.i16()? {
                $($kind => {
                    let key = $key::decode(&mut r, 0)?;
                    let value = match value {
                        None => None,
                        Some(value) => {
                            let mut r = Reader::new(value);
                            let version = r.i16()?;
                            let value = $value::decode(&mut r, version)?;
                            let text = with_data("version", version, |w| value.json(w, version));
                            Some(value.finish(text))
                        }
                    };
                    Ok((key_text($kind, |w| key.json(w, 0)), value))
                })*
                other => Err(Unreadable::Type(other)),
            }
        }
    };
}

/// What is done with a value's JSON.
trait Finish {
    fn finish(&self, text: String) -> String;
}

macro_rules! finished {
    ($($name:ident)*) => {
        $(impl Finish for $name {
            fn finish(&self, text: String) -> String {
                text
            }
        })*
    };
}

coordinator! { "A record of `__consumer_offsets`."
    group_record:
    0 LegacyOffsetCommitKey LegacyOffsetCommitValue,
    1 OffsetCommitKey OffsetCommitValue,
    2 GroupMetadataKey GroupMetadataValue,
    3 ConsumerGroupMetadataKey ConsumerGroupMetadataValue,
    4 ConsumerGroupPartitionMetadataKey ConsumerGroupPartitionMetadataValue,
    5 ConsumerGroupMemberMetadataKey ConsumerGroupMemberMetadataValue,
    6 ConsumerGroupTargetAssignmentMetadataKey ConsumerGroupTargetAssignmentMetadataValue,
    7 ConsumerGroupTargetAssignmentMemberKey ConsumerGroupTargetAssignmentMemberValue,
    8 ConsumerGroupCurrentMemberAssignmentKey ConsumerGroupCurrentMemberAssignmentValue,
    10 ShareGroupMemberMetadataKey ShareGroupMemberMetadataValue,
    11 ShareGroupMetadataKey ShareGroupMetadataValue,
    12 ShareGroupTargetAssignmentMetadataKey ShareGroupTargetAssignmentMetadataValue,
    13 ShareGroupTargetAssignmentMemberKey ShareGroupTargetAssignmentMemberValue,
    14 ShareGroupCurrentMemberAssignmentKey ShareGroupCurrentMemberAssignmentValue,
    15 ShareGroupStatePartitionMetadataKey ShareGroupStatePartitionMetadataValue,
    16 ConsumerGroupRegularExpressionKey ConsumerGroupRegularExpressionValue,
    17 StreamsGroupMetadataKey StreamsGroupMetadataValue,
    19 StreamsGroupMemberMetadataKey StreamsGroupMemberMetadataValue,
    20 StreamsGroupTargetAssignmentMetadataKey StreamsGroupTargetAssignmentMetadataValue,
    21 StreamsGroupTargetAssignmentMemberKey StreamsGroupTargetAssignmentMemberValue,
    22 StreamsGroupCurrentMemberAssignmentKey StreamsGroupCurrentMemberAssignmentValue,
    23 StreamsGroupTopologyKey StreamsGroupTopologyValue,
}

coordinator! { "A record of `__transaction_state`."
    transaction_record:
    0 TransactionLogKey TransactionLogValue,
}

coordinator! { "A record of `__share_group_state`."
    share_record:
    0 ShareSnapshotKey ShareSnapshotValue,
    1 ShareUpdateKey ShareUpdateValue,
}

finished! {
    LegacyOffsetCommitValue OffsetCommitValue ConsumerGroupMetadataValue ConsumerGroupPartitionMetadataValue
    ConsumerGroupMemberMetadataValue ConsumerGroupTargetAssignmentMetadataValue
    ConsumerGroupTargetAssignmentMemberValue ConsumerGroupCurrentMemberAssignmentValue
    ShareGroupMemberMetadataValue ShareGroupMetadataValue ShareGroupTargetAssignmentMetadataValue
    ShareGroupTargetAssignmentMemberValue ShareGroupCurrentMemberAssignmentValue
    ShareGroupStatePartitionMetadataValue ConsumerGroupRegularExpressionValue StreamsGroupMetadataValue
    StreamsGroupMemberMetadataValue StreamsGroupTargetAssignmentMetadataValue
    StreamsGroupTargetAssignmentMemberValue StreamsGroupCurrentMemberAssignmentValue StreamsGroupTopologyValue
    TransactionLogValue ShareSnapshotValue ShareUpdateValue
}

/// What consumers agreed upon is shown as what it means, not as bytes.
impl Finish for GroupMetadataValue {
    fn finish(&self, text: String) -> String {
        if self.protocol_type != "consumer" {
            return text;
        }
        let mut shown = String::new();
        let mut rest = text.as_str();
        for member in &self.members {
            let subscription =
                in_json(&member.subscription, ConsumerProtocolSubscription::decode, |value, w, version| {
                    value.json(w, version);
                });
            let assignment =
                in_json(&member.assignment, ConsumerProtocolAssignment::decode, |value, w, version| {
                    value.json(w, version);
                });
            for (name, bytes, json) in [
                ("subscription", &member.subscription, subscription),
                ("assignment", &member.assignment, assignment),
            ] {
                let mut w = JsonWriter::default();
                w.key(name);
                w.bytes(bytes);
                let as_bytes = w.into_string();
                let Some((before, after)) = rest.split_once(&as_bytes) else { continue };
                shown.push_str(before);
                match json {
                    Some(json) => shown.push_str(&format!("\"{name}\":{json}")),
                    None => shown.push_str(&as_bytes),
                }
                rest = after;
            }
        }
        shown + rest
    }
}

/// The JSON of bytes that begin with a version; `None` if they are not what they should be.
fn in_json<T>(
    bytes: &Bytes,
    decode: fn(&mut Reader<'_>, i16) -> DecodeResult<T>,
    json: fn(&T, &mut JsonWriter, i16),
) -> Option<String> {
    let mut r = Reader::new(bytes);
    let version = r.i16().ok()?;
    let value = decode(&mut r, version).ok()?;
    let mut w = JsonWriter::default();
    json(&value, &mut w, version);
    Some(w.into_string())
}

/// What a control record says.
pub(super) fn control_text(record: &Record<'_>) -> Result<String, Exception> {
    let kind = ControlRecordType::from_key(record.key).map_err(damaged)?;
    let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
    let json = |title: &str, json: Option<String>| match json {
        Some(json) => Ok(format!(" {title} {json}")),
        None => Err(Exception::new("java.lang.IllegalArgumentException", "the control record is damaged")),
    };
    macro_rules! message {
        ($title:literal, $name:ident) => {{
            // The version is the first field, and not in front of it.
            let version = Reader::new(&value).i16().unwrap_or(0);
            let decoded = $name::decode(&mut Reader::new(&value), version).ok();
            json(
                $title,
                decoded.map(|decoded| {
                    let mut w = JsonWriter::default();
                    decoded.json(&mut w, version);
                    w.into_string()
                }),
            )
        }};
    }
    match kind {
        ControlRecordType::Abort | ControlRecordType::Commit => {
            let marker = EndTransactionMarker::read(record.key, record.value).map_err(damaged)?;
            let marker = marker.map(|marker| {
                let name = if marker.commit { "COMMIT" } else { "ABORT" };
                format!(" endTxnMarker: {name} coordinatorEpoch: {}", marker.coordinator_epoch)
            });
            Ok(marker.unwrap_or_default())
        }
        ControlRecordType::LeaderChange => message!("LeaderChange:", LeaderChangeMessage),
        ControlRecordType::SnapshotHeader => message!("SnapshotHeader", SnapshotHeaderRecord),
        ControlRecordType::SnapshotFooter => message!("SnapshotFooter", SnapshotFooterRecord),
        ControlRecordType::KRaftVersion => message!("KRaftVersion", KRaftVersionRecord),
        ControlRecordType::KRaftVoters => message!("KRaftVoters", VotersRecord),
        ControlRecordType::Unknown(id) => Ok(format!(" controlType: UNKNOWN({id})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_its_first_bytes_say() {
        assert_eq!(Class::Integer.text(&[0, 0, 0, 7, 1, 1, 1, 1]).unwrap(), "7");
        assert_eq!(Class::Long.text(&[0, 0, 0, 0, 0, 0, 0, 7, 9]).unwrap(), "7");
        assert_eq!(Class::Long.text(&[0; 7]).unwrap_err().class, "java.nio.BufferUnderflowException");
    }
}
