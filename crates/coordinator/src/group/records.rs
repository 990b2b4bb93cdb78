//! The records of `__consumer_offsets`: their bytes.
//!
//! ```text
//! key:   record type (2 bytes)  fields of the key schema, version 0
//! value: version (2 bytes)      fields of the value schema      (or a tombstone)
//! ```

use super::CoordinatorRecord;
use super::offsets::{CommittedOffset, OffsetKey};
use bytes::Bytes;
use ottla_protocol::codec::{DecodeError, EncodeResult, Reader, Writer};
use ottla_protocol::messages::{
    GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey, LegacyOffsetCommitValue, OffsetCommitKey,
    OffsetCommitValue,
};
use ottla_protocol::{ByteString, TopicId};
use std::ops::RangeInclusive;

const LEGACY_OFFSET_COMMIT: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// What Kafka 4.3 writes, for brokers before it to read.
const GROUP_METADATA_VALUE_VERSION: i16 = 3;
const GROUP_METADATA_VALUE_VERSIONS: RangeInclusive<i16> = 0..=4;
const OFFSET_COMMIT_VALUE_VERSION: i16 = 4;
/// The only version that has an expiry of its own.
const OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY: i16 = 1;
const OFFSET_COMMIT_VALUE_VERSIONS: RangeInclusive<i16> = 0..=4;
const LEGACY_OFFSET_COMMIT_VALUE_VERSIONS: RangeInclusive<i16> = 0..=0;

/// A record that was read.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// A committed offset, or its end.
    Offset(OffsetKey, Option<CommittedOffset>),
    /// A classic group, or its end.
    Group(ByteString, Option<GroupMetadataValue>),
    /// A record of a type that is not known here.
    Other,
}

/// Why a record of a known type cannot be read.
#[derive(Debug, PartialEq)]
pub(super) enum Unreadable {
    /// Its fields are not what its schema says.
    Fields(DecodeError),
    /// The value has a version that is not known.
    Version(i16),
    /// A string is longer than a record can hold: bytes that were no UTF-8 were replaced.
    StringLength,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::Fields(error) => error.fmt(f),
            Unreadable::Version(version) => write!(f, "value version {version} is not known"),
            Unreadable::StringLength => {
                f.write_str("a string is not UTF-8, and too long with its bytes replaced")
            }
        }
    }
}

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Self {
        Unreadable::Fields(error)
    }
}

/// Whether a string can be written into a record. What comes from the wire could, but for replaced bytes.
pub(super) fn fits(text: &str) -> bool {
    fits_with(text, 0)
}

/// Whether a string can be written with so many bytes more.
pub(super) fn fits_with(text: &str, more: usize) -> bool {
    text.len() + more <= i16::MAX as usize
}

/// Reads a record.
pub(super) fn read(key: &Bytes, value: Option<&Bytes>) -> Result<Record, Unreadable> {
    let mut r = Reader::new(key);
    match r.i16()? {
        LEGACY_OFFSET_COMMIT => {
            let LegacyOffsetCommitKey { group, topic, partition } = LegacyOffsetCommitKey::decode(&mut r, 0)?;
            let value =
                read_value(value, LEGACY_OFFSET_COMMIT_VALUE_VERSIONS, LegacyOffsetCommitValue::decode)?;
            let value = value.map(|value| CommittedOffset {
                offset: value.offset,
                leader_epoch: -1,
                metadata: ByteString::from(&*value.metadata),
                commit_timestamp_ms: value.commit_timestamp,
                expire_timestamp_ms: None,
                topic_id: TopicId::ZERO,
            });
            offset_record(OffsetKey { group, topic, partition }, value)
        }
        OFFSET_COMMIT => {
            let OffsetCommitKey { group, topic, partition } = OffsetCommitKey::decode(&mut r, 0)?;
            let value = read_value(value, OFFSET_COMMIT_VALUE_VERSIONS, OffsetCommitValue::decode)?;
            let value = value.map(|value| CommittedOffset {
                offset: value.offset,
                leader_epoch: value.leader_epoch,
                metadata: ByteString::from(&*value.metadata),
                commit_timestamp_ms: value.commit_timestamp,
                expire_timestamp_ms: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
                topic_id: value.topic_id,
            });
            offset_record(OffsetKey { group, topic, partition }, value)
        }
        GROUP_METADATA => {
            let GroupMetadataKey { group } = GroupMetadataKey::decode(&mut r, 0)?;
            let value = read_value(value, GROUP_METADATA_VALUE_VERSIONS, GroupMetadataValue::decode)?;
            if fits(&group) && value.as_ref().is_none_or(group_fits) {
                Ok(Record::Group(group, value))
            } else {
                Err(Unreadable::StringLength)
            }
        }
        _ => Ok(Record::Other),
    }
}

fn read_value<T>(
    value: Option<&Bytes>,
    versions: RangeInclusive<i16>,
    decode: impl FnOnce(&mut Reader<'_>, i16) -> Result<T, DecodeError>,
) -> Result<Option<T>, Unreadable> {
    let Some(value) = value else { return Ok(None) };
    let mut r = Reader::new(value);
    let version = r.i16()?;
    if !versions.contains(&version) {
        return Err(Unreadable::Version(version));
    }
    Ok(Some(decode(&mut r, version)?))
}

fn offset_record(key: OffsetKey, value: Option<CommittedOffset>) -> Result<Record, Unreadable> {
    let metadata = value.as_ref().map_or("", |value| &*value.metadata);
    if [&*key.group, &*key.topic, metadata].into_iter().all(fits) {
        Ok(Record::Offset(key, value))
    } else {
        Err(Unreadable::StringLength)
    }
}

fn group_fits(value: &GroupMetadataValue) -> bool {
    fits(&value.protocol_type)
        && value.protocol.as_deref().is_none_or(fits)
        && value.leader.as_deref().is_none_or(fits)
        && value.members.iter().all(|member| {
            [&member.member_id, &member.client_id, &member.client_host].into_iter().all(|text| fits(text))
                && member.group_instance_id.as_deref().is_none_or(fits)
        })
}

fn encode(first: i16, fields: impl FnOnce(&mut Writer) -> EncodeResult) -> Bytes {
    let mut w = Writer::default();
    w.i16(first);
    fields(&mut w).expect("strings fit: they were measured where they came in");
    w.into_vec().into()
}

fn offset_commit_key(key: &OffsetKey) -> Bytes {
    let OffsetKey { group, topic, partition } = key.clone();
    encode(OFFSET_COMMIT, |w| OffsetCommitKey { group, topic, partition }.encode(w, 0))
}

fn group_metadata_key(group: &ByteString) -> Bytes {
    encode(GROUP_METADATA, |w| GroupMetadataKey { group: group.clone() }.encode(w, 0))
}

/// The record of a committed offset.
pub(super) fn offset_commit(key: &OffsetKey, value: &CommittedOffset) -> CoordinatorRecord {
    let version = match value.expire_timestamp_ms {
        Some(_) => OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY,
        None => OFFSET_COMMIT_VALUE_VERSION,
    };
    let fields = OffsetCommitValue {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata.clone(),
        commit_timestamp: value.commit_timestamp_ms,
        expire_timestamp: value.expire_timestamp_ms.unwrap_or(-1),
        topic_id: value.topic_id,
        ..Default::default()
    };
    let value = encode(version, |w| fields.encode(w, version));
    CoordinatorRecord { key: offset_commit_key(key), value: Some(value) }
}

/// The end of a committed offset.
pub(super) fn offset_tombstone(key: &OffsetKey) -> CoordinatorRecord {
    CoordinatorRecord { key: offset_commit_key(key), value: None }
}

/// The record of a classic group.
pub(super) fn group_metadata(group: &ByteString, value: &GroupMetadataValue) -> CoordinatorRecord {
    let value = encode(GROUP_METADATA_VALUE_VERSION, |w| value.encode(w, GROUP_METADATA_VALUE_VERSION));
    CoordinatorRecord { key: group_metadata_key(group), value: Some(value) }
}

/// The end of a classic group.
pub(super) fn group_tombstone(group: &ByteString) -> CoordinatorRecord {
    CoordinatorRecord { key: group_metadata_key(group), value: None }
}
