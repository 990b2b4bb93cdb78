//! Records and where they go.

use bytes::Bytes;
use bytestring::ByteString;
use ottla_protocol::records::TimestampType;
use std::fmt;

/// A partition of a topic. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: ByteString,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<ByteString>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A header's name and value (KIP-82).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The name; a record may have several of one name.
    pub key: ByteString,
    /// The value.
    pub value: Option<Bytes>,
}

/// A record to be produced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    /// Where to.
    pub topic: ByteString,
    /// Which partition; by the key, if there is none here.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; now, if there is none here.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<RecordHeader>,
}

/// What became of a produced record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// Where it is.
    pub partition: TopicPartition,
    /// Its offset; none with acks 0, or when it had been written already and the broker no longer knows where.
    pub offset: Option<i64>,
    /// Its timestamp, milliseconds since 1970: the producer's, or the broker's where the topic says so.
    pub timestamp: i64,
}

/// A record that was consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Where from.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: i64,
    /// Epoch of the leader that appended it, where the format has one.
    pub leader_epoch: Option<i32>,
    /// Milliseconds since 1970, or -1.
    pub timestamp: i64,
    /// Who set the timestamp.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; null is a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<RecordHeader>,
}
