//! What members of a classic consumer group tell each other through the coordinator, which does not look inside:
//! subscriptions on the way to the leader, assignments on the way back.

use super::assignor::{Assignor, Member};
use crate::{Error, Result, TopicPartition};
use bytes::Bytes;
use bytestring::ByteString;
use ottla_protocol::codec::{EncodeResult, Reader, Writer};
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
use ottla_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, consumer_protocol_assignment,
    consumer_protocol_subscription,
};
use std::collections::BTreeMap;

/// The newest version of both messages: owned partitions, generation and rack (KIP-429, KIP-792, KIP-881).
const VERSION: i16 = 3;

/// A subscription as a member sends it for one assignor.
pub(super) fn encode_subscription(
    assignor: Assignor,
    topics: &[ByteString],
    owned: &[TopicPartition],
    generation: i32,
) -> Bytes {
    let mut topics = topics.to_vec();
    topics.sort();
    let owned_partitions = by_topic(owned)
        .map(|(topic, partitions)| consumer_protocol_subscription::TopicPartition { topic, partitions })
        .collect();
    // Leaders of old clients look for the generation here.
    let user_data =
        (assignor == Assignor::CooperativeSticky).then(|| Bytes::copy_from_slice(&generation.to_be_bytes()));
    let subscription = ConsumerProtocolSubscription {
        topics,
        user_data,
        owned_partitions,
        generation_id: generation,
        rack_id: None,
    };
    versioned(|w| subscription.encode(w, VERSION))
}

/// A member as its subscription describes it to the leader.
pub(super) fn decode_member(joined: &JoinGroupResponseMember) -> Result<Member> {
    let subscription = decode(&joined.metadata, ConsumerProtocolSubscription::decode).map_err(|why| {
        Error::State(format!("the subscription of group member {}: {why}", joined.member_id))
    })?;
    let owned = subscription.owned_partitions.iter().flat_map(|owned| {
        owned.partitions.iter().map(|&partition| TopicPartition::new(owned.topic.clone(), partition))
    });
    Ok(Member {
        id: joined.member_id.clone(),
        instance_id: joined.group_instance_id.clone(),
        owned: owned.collect(),
        generation: subscription.generation_id,
        topics: subscription.topics,
    })
}

/// An assignment as the leader sends it to a member.
pub(super) fn encode_assignment(partitions: &[TopicPartition]) -> Bytes {
    let assigned_partitions = by_topic(partitions)
        .map(|(topic, partitions)| consumer_protocol_assignment::TopicPartition { topic, partitions })
        .collect();
    let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
    versioned(|w| assignment.encode(w, VERSION))
}

/// An assignment as a member gets it. No bytes at all: a group without anything to assign.
pub(super) fn decode_assignment(bytes: &Bytes) -> Result<Vec<TopicPartition>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let assignment = decode(bytes, ConsumerProtocolAssignment::decode)
        .map_err(|why| Error::State(format!("the assignment that the group's leader sent: {why}")))?;
    let partitions = assignment.assigned_partitions.iter().flat_map(|assigned| {
        assigned.partitions.iter().map(|&partition| TopicPartition::new(assigned.topic.clone(), partition))
    });
    Ok(partitions.collect())
}

fn by_topic(partitions: &[TopicPartition]) -> impl Iterator<Item = (ByteString, Vec<i32>)> {
    let mut topics: BTreeMap<ByteString, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(partition.topic.clone()).or_default().push(partition.partition);
    }
    topics.into_iter()
}

fn versioned(encode: impl FnOnce(&mut Writer) -> EncodeResult) -> Bytes {
    let mut w = Writer::default();
    w.i16(VERSION);
    encode(&mut w).expect("topic names fit; every field is in this version");
    w.into_vec().into()
}

/// Reads a version and then a message of it. Messages of newer versions begin like ours; what follows is theirs.
fn decode<T>(
    bytes: &Bytes,
    message: impl FnOnce(&mut Reader<'_>, i16) -> ottla_protocol::codec::DecodeResult<T>,
) -> std::result::Result<T, ottla_protocol::codec::DecodeError> {
    let mut r = Reader::new(bytes);
    let version = r.i16()?.clamp(0, VERSION);
    message(&mut r, version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_survives_the_way_to_the_leader() {
        let topics = ["b".into(), "a".into()];
        let owned = [TopicPartition::new("a", 1), TopicPartition::new("a", 0)];
        let metadata = encode_subscription(Assignor::CooperativeSticky, &topics, &owned, 5);
        let joined = JoinGroupResponseMember {
            member_id: "m".into(),
            group_instance_id: None,
            metadata,
            ..JoinGroupResponseMember::default()
        };
        let expect = Member {
            id: "m".into(),
            instance_id: None,
            topics: vec!["a".into(), "b".into()],
            owned: owned.to_vec(),
            generation: 5,
        };
        assert_eq!(decode_member(&joined).unwrap(), expect);
    }

    #[test]
    fn a_subscription_of_an_old_client_is_understood() {
        // Version 0: topics and user data only.
        let metadata = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
        let joined = JoinGroupResponseMember { member_id: "m".into(), metadata, ..Default::default() };
        let member = decode_member(&joined).unwrap();
        assert_eq!((member.topics, member.generation), (vec!["t".into()], -1));
    }

    #[test]
    fn an_assignment_survives_the_way_to_the_member() {
        let partitions = vec![TopicPartition::new("a", 0), TopicPartition::new("b", 2)];
        assert_eq!(decode_assignment(&encode_assignment(&partitions)).unwrap(), partitions);
        assert_eq!(decode_assignment(&Bytes::new()).unwrap(), []);
        assert!(decode_assignment(&Bytes::from_static(b"\0\x01\x7f")).is_err());
    }
}
