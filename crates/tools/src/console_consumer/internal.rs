//! Records of Kafka's own topics as JSON: what groups have committed and who their members are, and what transactions do.

use bytes::Bytes;
use ottla_client::ConsumerRecord;
use ottla_protocol::codec::{DecodeResult, Reader, decode_all};
use ottla_protocol::messages::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue, TransactionLogKey,
    TransactionLogValue, group_metadata_value, transaction_log_value,
};
use ottla_protocol::{ByteString, Uuid};

use crate::failure::Exception;

/// Which records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Internal {
    /// Committed offsets of `__consumer_offsets`.
    Offsets,
    /// Groups of the classic protocol in `__consumer_offsets`.
    GroupMetadata,
    /// `__transaction_state`.
    TransactionLog,
}

impl Internal {
    /// Appends a record's JSON, without a line end; records of other kinds are left out.
    pub(super) fn write(self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), Exception> {
        let Some(key) = &record.key else { return Ok(()) };
        let json = self.json(key, record.value.as_ref()).map_err(|error| {
            let text = format!("Could not read record at offset {} due to: {error}", record.offset);
            Exception::new("java.lang.RuntimeException", text)
        })?;
        out.extend_from_slice(json.unwrap_or_default().as_bytes());
        Ok(())
    }

    fn json(self, key: &Bytes, value: Option<&Bytes>) -> DecodeResult<Option<String>> {
        let mut r = Reader::new(key);
        let record_type = r.i16()?;
        let key = key.slice(2..);
        Ok(match (self, record_type) {
            // The key of type 0 is an older form of the same.
            (Internal::Offsets, 0 | 1) => {
                let key = decode_all(&key, |r| OffsetCommitKey::decode(r, 0))?;
                Some(record(record_type, &offset_key(&key), value, OffsetCommitValue::decode, offset_value)?)
            }
            (Internal::GroupMetadata, 2) => {
                let key = decode_all(&key, |r| GroupMetadataKey::decode(r, 0))?;
                let key = Object::new().text("group", Some(&key.group)).end();
                Some(record(record_type, &key, value, GroupMetadataValue::decode, group_value)?)
            }
            (Internal::TransactionLog, 0) => {
                let key = decode_all(&key, |r| TransactionLogKey::decode(r, 0))?;
                let key = Object::new().text("transactionalId", Some(&key.transactional_id)).end();
                Some(record(record_type, &key, value, TransactionLogValue::decode, transaction_value)?)
            }
            _ => None,
        })
    }
}

/// A whole record: its type, its key, and its value with the version that it was written in, or null.
fn record<T>(
    record_type: i16,
    key: &str,
    value: Option<&Bytes>,
    decode: impl Fn(&mut Reader<'_>, i16) -> DecodeResult<T>,
    json: impl Fn(&T, i16) -> String,
) -> DecodeResult<String> {
    let key = Object::new().number("type", record_type).raw("data", key).end();
    let value = match value {
        None => String::from("null"),
        Some(value) => {
            let mut r = Reader::new(value);
            let version = r.i16()?;
            let decoded = decode(&mut r, version)?;
            Object::new().number("version", version).raw("data", &json(&decoded, version)).end()
        }
    };
    Ok(Object::new().raw("key", &key).raw("value", &value).end())
}

fn offset_key(key: &OffsetCommitKey) -> String {
    Object::new()
        .text("group", Some(&key.group))
        .text("topic", Some(&key.topic))
        .number("partition", key.partition)
        .end()
}

fn offset_value(value: &OffsetCommitValue, version: i16) -> String {
    let mut object = Object::new().number("offset", value.offset);
    if version >= 3 {
        object = object.number("leaderEpoch", value.leader_epoch);
    }
    object = object.text("metadata", Some(&value.metadata)).number("commitTimestamp", value.commit_timestamp);
    if version == 1 {
        object = object.number("expireTimestamp", value.expire_timestamp);
    }
    if value.topic_id != Uuid::ZERO {
        object = object.raw("topicId", &format!("\"{}\"", value.topic_id));
    }
    object.end()
}

fn group_value(value: &GroupMetadataValue, version: i16) -> String {
    let mut object = Object::new()
        .text("protocolType", Some(&value.protocol_type))
        .number("generation", value.generation)
        .text("protocol", value.protocol.as_ref())
        .text("leader", value.leader.as_ref());
    if version >= 2 {
        object = object.number("currentStateTimestamp", value.current_state_timestamp);
    }
    object.list("members", value.members.iter().map(|member| member_json(member, version))).end()
}

fn member_json(member: &group_metadata_value::MemberMetadata, version: i16) -> String {
    let mut object = Object::new().text("memberId", Some(&member.member_id));
    if version >= 3 {
        object = object.text("groupInstanceId", member.group_instance_id.as_ref());
    }
    object = object.text("clientId", Some(&member.client_id)).text("clientHost", Some(&member.client_host));
    if version >= 1 {
        object = object.number("rebalanceTimeout", member.rebalance_timeout);
    }
    object
        .number("sessionTimeout", member.session_timeout)
        .raw("subscription", &format!("\"{}\"", base64(&member.subscription)))
        .raw("assignment", &format!("\"{}\"", base64(&member.assignment)))
        .end()
}

/// Tagged fields are there only where they say something.
fn transaction_value(value: &TransactionLogValue, _version: i16) -> String {
    let some = |number: i64, nothing: i64| (number != nothing).then_some(number);
    let partitions = value.transaction_partitions.as_ref();
    let mut object = Object::new()
        .number("producerId", value.producer_id)
        .some("previousProducerId", some(value.previous_producer_id, -1))
        .some("nextProducerId", some(value.next_producer_id, -1))
        .number("producerEpoch", value.producer_epoch)
        .some("nextProducerEpoch", some(value.next_producer_epoch.into(), -1))
        .number("transactionTimeoutMs", value.transaction_timeout_ms)
        .number("transactionStatus", value.transaction_status);
    object = match partitions {
        Some(partitions) => object.list("transactionPartitions", partitions.iter().map(partitions_json)),
        None => object.raw("transactionPartitions", "null"),
    };
    object
        .number("transactionLastUpdateTimestampMs", value.transaction_last_update_timestamp_ms)
        .number("transactionStartTimestampMs", value.transaction_start_timestamp_ms)
        .some("clientTransactionVersion", some(value.client_transaction_version.into(), 0))
        .end()
}

fn partitions_json(partitions: &transaction_log_value::PartitionsSchema) -> String {
    Object::new()
        .text("topic", Some(&partitions.topic))
        .list("partitionIds", partitions.partition_ids.iter().map(ToString::to_string))
        .end()
}

/// A JSON object that is being written, in the order of the fields.
struct Object(String);

impl Object {
    fn new() -> Object {
        Object(String::from("{"))
    }

    fn raw(mut self, name: &str, json: &str) -> Object {
        let comma = if self.0.len() > 1 { "," } else { "" };
        self.0.push_str(&format!("{comma}\"{name}\":{json}"));
        self
    }

    fn number(self, name: &str, number: impl ToString) -> Object {
        self.raw(name, &number.to_string())
    }

    fn some(self, name: &str, number: Option<i64>) -> Object {
        match number {
            Some(number) => self.number(name, number),
            None => self,
        }
    }

    fn text(self, name: &str, text: Option<&ByteString>) -> Object {
        let json = text.map(|text| serde_json::Value::from(text.to_string()).to_string());
        self.raw(name, json.as_deref().unwrap_or("null"))
    }

    fn list(self, name: &str, items: impl Iterator<Item = String>) -> Object {
        let items: Vec<String> = items.collect();
        self.raw(name, &format!("[{}]", items.join(",")))
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let six = (bits >> (18 - 6 * digit)) & 0x3f;
            text.push(if digit <= chunk.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::codec::Writer;

    fn written(
        version: i16,
        encode: impl FnOnce(&mut Writer) -> ottla_protocol::codec::EncodeResult,
    ) -> Bytes {
        let mut w = Writer::default();
        w.i16(version);
        encode(&mut w).unwrap();
        w.into_vec().into()
    }

    #[test]
    fn a_committed_offset_prints_as_kafka_prints_it() {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 0 };
        let value = OffsetCommitValue {
            offset: 5,
            leader_epoch: -1,
            metadata: "a\"b".into(),
            commit_timestamp: 17,
            topic_id: Uuid::ONE,
            ..Default::default()
        };
        let key = written(1, |w| key.encode(w, 0));
        let check = |kind: Internal, value: Option<Bytes>, expected: Option<&str>| {
            assert_eq!(kind.json(&key, value.as_ref()).unwrap().as_deref(), expected);
        };
        let value = written(4, |w| value.encode(w, 4));
        check(
            Internal::Offsets,
            Some(value.clone()),
            Some(
                r#"{"key":{"type":1,"data":{"group":"g","topic":"t","partition":0}},"value":{"version":4,"data":{"offset":5,"leaderEpoch":-1,"metadata":"a\"b","commitTimestamp":17,"topicId":"AAAAAAAAAAAAAAAAAAAAAQ"}}}"#,
            ),
        );
        check(
            Internal::Offsets,
            None,
            Some(r#"{"key":{"type":1,"data":{"group":"g","topic":"t","partition":0}},"value":null}"#),
        );
        check(Internal::GroupMetadata, Some(value), None);
    }

    #[test]
    fn damaged_records_are_complained_about() {
        assert!(Internal::Offsets.json(&Bytes::from_static(b"\0"), None).is_err());
        assert!(Internal::Offsets.json(&Bytes::from_static(b"\0\x01\0"), None).is_err());
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }
}
