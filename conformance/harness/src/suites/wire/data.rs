//! Requests for records, offsets and producers.

use anyhow::Result;
use bytes::Bytes;
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::describe_producers_request::TopicRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, ByteString, Records, Uuid};

use super::Case;
use super::world::{TOPIC, World};
use crate::batch::Batch;
use crate::client::body_of;

pub(super) const CASES: &[Case] = &[
    Case { key: ApiKey::Produce, variant: "", from: 0, make: produce },
    Case { key: ApiKey::Produce, variant: "_idempotent", from: 0, make: produce_idempotent },
    Case { key: ApiKey::Fetch, variant: "", from: 0, make: |w, v| fetch(w, v, 0, -1) },
    Case { key: ApiKey::Fetch, variant: "_from_the_middle", from: 0, make: |w, v| fetch(w, v, 4, -1) },
    Case { key: ApiKey::Fetch, variant: "_at_the_end", from: 0, make: |w, v| fetch(w, v, 6, -1) },
    Case { key: ApiKey::Fetch, variant: "_new_session", from: 7, make: |w, v| fetch(w, v, 0, 0) },
    Case { key: ApiKey::Fetch, variant: "_next_in_session", from: 7, make: fetch_next },
    Case { key: ApiKey::ListOffsets, variant: "_latest", from: 0, make: |_, v| list_offsets(v, -1) },
    Case { key: ApiKey::ListOffsets, variant: "_earliest", from: 0, make: |_, v| list_offsets(v, -2) },
    Case { key: ApiKey::ListOffsets, variant: "_max_timestamp", from: 7, make: |_, v| list_offsets(v, -3) },
    Case { key: ApiKey::ListOffsets, variant: "_earliest_local", from: 8, make: |_, v| list_offsets(v, -4) },
    Case { key: ApiKey::ListOffsets, variant: "_latest_tiered", from: 9, make: |_, v| list_offsets(v, -5) },
    Case {
        key: ApiKey::ListOffsets,
        variant: "_earliest_pending_upload",
        from: 11,
        make: |_, v| list_offsets(v, -6),
    },
    Case { key: ApiKey::ListOffsets, variant: "_long_ago", from: 0, make: |_, v| list_offsets(v, 0) },
    Case {
        key: ApiKey::ListOffsets,
        variant: "_then",
        from: 0,
        make: |_, v| list_offsets(v, 1_700_000_000_000),
    },
    Case {
        key: ApiKey::ListOffsets,
        variant: "_later",
        from: 0,
        make: |_, v| list_offsets(v, 1_800_000_000_000),
    },
    Case { key: ApiKey::OffsetForLeaderEpoch, variant: "", from: 0, make: leader_epoch },
    Case { key: ApiKey::InitProducerId, variant: "", from: 0, make: init_producer_id },
    Case { key: ApiKey::DescribeProducers, variant: "", from: 0, make: describe_producers },
    Case { key: ApiKey::DeleteRecords, variant: "", from: 0, make: delete_records },
];

/// A produce request for partition 0 that names its topic.
pub(super) fn produce_request(topic: &str, records: &[u8]) -> ProduceRequest {
    let partition = PartitionProduceData {
        index: 0,
        records: Some(Records::Bytes(Bytes::copy_from_slice(records))),
        ..Default::default()
    };
    let topic =
        TopicProduceData { name: topic.into(), partition_data: vec![partition], ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() }
}

/// The topic's name before the version that names it by id, and its id from then on.
fn name_or_id(world: &mut World, topic: &str, by_id: bool) -> Result<(ByteString, Uuid)> {
    Ok(if by_id { (ByteString::new(), world.topic_id(topic)?) } else { (topic.into(), Uuid::ZERO) })
}

fn produce_to(world: &mut World, version: i16, topic: &str, batch: &Batch) -> Result<Vec<u8>> {
    let mut request = produce_request(topic, &batch.bytes());
    let (name, id) = name_or_id(world, topic, version >= 13)?;
    request.topic_data[0].name = name;
    request.topic_data[0].topic_id = id;
    body_of(version, &request)
}

fn produce(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let topic = format!("wire-produce-{version}");
    world.create(&topic, 1, &[])?;
    produce_to(world, version, &topic, &Batch::of(&["a", "b"]))
}

fn produce_idempotent(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let topic = format!("wire-idempotent-{version}");
    world.create(&topic, 1, &[])?;
    let batch = Batch { producer_id: 7000, producer_epoch: 0, base_sequence: 0, ..Batch::of(&["a", "b"]) };
    produce_to(world, version, &topic, &batch)
}

fn fetch_request(world: &mut World, version: i16, offset: i64) -> Result<FetchRequest> {
    let (topic, topic_id) = name_or_id(world, TOPIC, version >= 13)?;
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    Ok(FetchRequest {
        max_wait_ms: 10,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic { topic, topic_id, partitions: vec![partition], ..Default::default() }],
        ..Default::default()
    })
}

fn fetch(world: &mut World, version: i16, offset: i64, session_epoch: i32) -> Result<Vec<u8>> {
    let mut request = fetch_request(world, version, offset)?;
    if version >= 7 {
        request.session_epoch = session_epoch;
    }
    body_of(version, &request)
}

/// The second request of a session: nothing is new, so nothing is in the answer.
fn fetch_next(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let first = FetchRequest { session_epoch: 0, ..fetch_request(world, version, 6)? };
    let session = world.ask(version, &first)?.session_id;
    let next = FetchRequest { session_id: session, session_epoch: 1, topics: Vec::new(), ..first };
    body_of(version, &next)
}

fn list_offsets(version: i16, timestamp: i64) -> Result<Vec<u8>> {
    let partition = ListOffsetsPartition { partition_index: 0, timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    body_of(version, &ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() })
}

fn leader_epoch(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let partition = OffsetForLeaderPartition { partition: 0, leader_epoch: 0, ..Default::default() };
    let topic =
        OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    let mut request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
    if version >= 3 {
        request.replica_id = -1;
    }
    body_of(version, &request)
}

fn init_producer_id(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    // Kafka refuses the first ones while it asks its controller for a block of ids.
    world.until(4, &request, |answer| answer.error_code == 0)?;
    body_of(version, &request)
}

fn describe_producers(world: &mut World, version: i16) -> Result<Vec<u8>> {
    world.create("wire-producers", 1, &[])?;
    let batch = Batch { producer_id: 7001, producer_epoch: 3, base_sequence: 0, ..Batch::of(&["a", "b"]) };
    world.ask(12, &produce_request("wire-producers", &batch.bytes()))?;
    let topic =
        TopicRequest { name: "wire-producers".into(), partition_indexes: vec![0], ..Default::default() };
    body_of(version, &DescribeProducersRequest { topics: vec![topic], ..Default::default() })
}

fn delete_records(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let name = format!("wire-delete-records-{version}");
    world.create(&name, 1, &[])?;
    world.ask(12, &produce_request(&name, &Batch::of(&["a", "b", "c"]).bytes()))?;
    let partition = DeleteRecordsPartition { partition_index: 0, offset: 2, ..Default::default() };
    let topic =
        DeleteRecordsTopic { name: name.as_str().into(), partitions: vec![partition], ..Default::default() };
    body_of(version, &DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })
}
