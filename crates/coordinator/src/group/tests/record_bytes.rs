//! Records are byte for byte those that Kafka 4.3.1's own classes write (`GroupCoordinatorRecordSerde`), and those of all
//! earlier versions are read.

use super::super::offsets::{CommittedOffset, OffsetKey};
use super::super::records::{self, Record, Unreadable};
use super::super::{CoordinatorRecord, classic::ClassicGroup};
use bytes::Bytes;
use ottla_protocol::messages::group_metadata_value::{GroupMetadataValue, MemberMetadata};
use ottla_protocol::{TopicId, Uuid};

const OFFSET_KEY: &str = "00010001670005746f70696300000003";
const GROUP_KEY: &str = "0002000167";
const OFFSET_V4: &str =
    "0004000000000000002a00000007056e6f74650000018bcfe568000100100102030405060708090a0b0c0d0e0f10";
const OFFSET_V1: &str = "0001000000000000002a00046e6f74650000018bcfe568000000018bcfe65260";
const GROUP_V3: &str = "00030008636f6e73756d657200000002000572616e676500026d310000018bcfe568000000000100026d31000269310001\
                        63000a2f3132372e302e302e310000ea60000027100000000201020000000103";
const EMPTY_GROUP_V3: &str = "0003000000000000ffffffff0000018bcfe5680000000000";

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> =
        hex.bytes().filter_map(|digit| (digit as char).to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn key() -> OffsetKey {
    OffsetKey { group: "g".into(), topic: "topic".into(), partition: 3 }
}

fn offset(leader_epoch: i32, expires: Option<i64>, topic_id: TopicId) -> CommittedOffset {
    CommittedOffset {
        offset: 42,
        leader_epoch,
        metadata: "note".into(),
        commit_timestamp_ms: 1_700_000_000_000,
        expire_timestamp_ms: expires,
        topic_id,
    }
}

fn topic_id() -> TopicId {
    Uuid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
}

fn group() -> GroupMetadataValue {
    GroupMetadataValue {
        protocol_type: "consumer".into(),
        generation: 2,
        protocol: Some("range".into()),
        leader: Some("m1".into()),
        current_state_timestamp: 1_700_000_000_000,
        members: vec![MemberMetadata {
            member_id: "m1".into(),
            group_instance_id: Some("i1".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout: 60_000,
            session_timeout: 10_000,
            subscription: Bytes::from_static(&[1, 2]),
            assignment: Bytes::from_static(&[3]),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn what_is_written_is_what_kafka_writes() {
    let check = |record: CoordinatorRecord, key: &str, value: Option<&str>| {
        assert_eq!(record, CoordinatorRecord { key: bytes(key), value: value.map(bytes) });
    };
    check(records::offset_commit(&key(), &offset(7, None, topic_id())), OFFSET_KEY, Some(OFFSET_V4));
    let expires = offset(-1, Some(1_700_000_060_000), TopicId::ZERO);
    check(records::offset_commit(&key(), &expires), OFFSET_KEY, Some(OFFSET_V1));
    check(records::offset_tombstone(&key()), OFFSET_KEY, None);
    check(records::group_metadata(&"g".into(), &group()), GROUP_KEY, Some(GROUP_V3));
    check(records::group_tombstone(&"g".into()), GROUP_KEY, None);
    let empty = ClassicGroup::new("g".into(), 0, 1_700_000_000_000).settled_record().expect("it is empty");
    let empty = GroupMetadataValue { current_state_timestamp: 1_700_000_000_000, ..empty };
    check(records::group_metadata(&"g".into(), &empty), GROUP_KEY, Some(EMPTY_GROUP_V3));
}

#[test]
fn offsets_of_every_version_are_read() {
    let check = |key_hex: &str, value: Option<&str>, expected: Option<CommittedOffset>| {
        let value = value.map(bytes);
        assert_eq!(records::read(&bytes(key_hex), value.as_ref()), Ok(Record::Offset(key(), expected)));
    };
    let plain = || Some(offset(-1, None, TopicId::ZERO));
    check(OFFSET_KEY, None, None);
    check(OFFSET_KEY, Some("0000000000000000002a00046e6f74650000018bcfe56800"), plain());
    check(OFFSET_KEY, Some(OFFSET_V1), Some(offset(-1, Some(1_700_000_060_000), TopicId::ZERO)));
    check(OFFSET_KEY, Some("0002000000000000002a00046e6f74650000018bcfe56800"), plain());
    check(OFFSET_KEY, Some("0003000000000000002affffffff00046e6f74650000018bcfe56800"), plain());
    check(OFFSET_KEY, Some(OFFSET_V4), Some(offset(7, None, topic_id())));
    // The type before version 1 of the key.
    check(
        "00000001670005746f70696300000003",
        Some("0000000000000000002a00046e6f74650000018bcfe56800"),
        plain(),
    );
}

#[test]
fn groups_of_every_version_are_read() {
    let check = |value: &str, instance: Option<&str>, rebalance_timeout: i32, since: i64| {
        let mut expected = group();
        expected.current_state_timestamp = since;
        expected.members[0].group_instance_id = instance.map(Into::into);
        expected.members[0].rebalance_timeout = rebalance_timeout;
        let record = records::read(&bytes(GROUP_KEY), Some(&bytes(value)));
        assert_eq!(record, Ok(Record::Group("g".into(), Some(expected))));
    };
    let v0 = "00000008636f6e73756d657200000002000572616e676500026d310000000100026d31000163000a2f3132372e302e302e31\
              000027100000000201020000000103";
    let v1 = "00010008636f6e73756d657200000002000572616e676500026d310000000100026d31000163000a2f3132372e302e302e31\
              ffffffff000027100000000201020000000103";
    let v2 = "00020008636f6e73756d657200000002000572616e676500026d31ffffffffffffffff0000000100026d31000163000a2f3132\
              372e302e302e31ffffffff000027100000000201020000000103";
    let v4 = "000409636f6e73756d6572000000020672616e6765036d31ffffffffffffffff02036d310002630b2f3132372e302e302e31\
              ffffffff0000271003010202030000";
    check(v0, None, -1, -1);
    check(v1, None, -1, -1);
    check(v2, None, -1, -1);
    check(GROUP_V3, Some("i1"), 60_000, 1_700_000_000_000);
    check(v4, None, -1, -1);
}

#[test]
fn other_records_are_passed_over_and_unknown_versions_are_not() {
    // ConsumerGroupMetadata.
    assert_eq!(records::read(&bytes("0003000167"), Some(&bytes("00000000000300"))), Ok(Record::Other));
    assert_eq!(records::read(&bytes(OFFSET_KEY), Some(&bytes("0005"))), Err(Unreadable::Version(5)));
    assert_eq!(records::read(&bytes(GROUP_KEY), Some(&bytes("ffff"))), Err(Unreadable::Version(-1)));
    assert!(records::read(&bytes("00"), None).is_err());
    assert!(records::read(&bytes(GROUP_KEY), Some(&bytes("0003000863"))).is_err());
}
