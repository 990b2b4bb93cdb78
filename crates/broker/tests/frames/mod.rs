//! Requests as bytes, their size in front, for tests and measurements that ask the same again and again.

use ottla_protocol::codec::{Request, Writer};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest, RequestHeader};
use ottla_protocol::records::{BatchBuilder, Compression};

/// The highest versions that name topics by name.
const PRODUCE: i16 = 12;
const FETCH: i16 = 12;

fn request<R: Request>(version: i16, request: &R) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: R::KEY.code(),
        request_api_version: version,
        correlation_id: 1,
        client_id: Some("frames".into()),
        ..RequestHeader::default()
    };
    let mut w = Writer::default();
    let start = w.begin_frame();
    header
        .encode(&mut w, R::KEY.request_header_version(version))
        .and_then(|()| request.encode(&mut w, version))
        .expect("every field is in these versions");
    w.end_frame(start);
    w.into_vec()
}

/// Makes a topic with one replica.
pub(crate) fn create_topic(name: &str, partitions: i32) -> Vec<u8> {
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let topics = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
    request(7, &topics)
}

/// A batch of records with values of 100 bytes.
pub(crate) fn batch(compression: Compression, records: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(compression, None);
    let value = b"0123456789".repeat(10);
    for number in 0..records {
        builder.append(1_700_000_000_000, Some(number.to_string().as_bytes()), Some(&value), &[]);
    }
    builder.build()
}

/// Appends a batch to a partition, acks=all.
pub(crate) fn produce(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let partition = PartitionProduceData {
        index: partition,
        records: Some(bytes::Bytes::copy_from_slice(batch).into()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: topic.into(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let produce =
        ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
    request(PRODUCE, &produce)
}

/// The first batch of a partition, which has one, so that nothing is waited for; it is given though it is larger than
/// what may be given.
pub(crate) fn fetch(topic: &str, partition: i32) -> Vec<u8> {
    let partition = FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset: 0,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1,
        ..FetchPartition::default()
    };
    let topic = FetchTopic { topic: topic.into(), partitions: vec![partition], ..FetchTopic::default() };
    let fetch = FetchRequest {
        replica_id: -1,
        max_wait_ms: 10_000,
        min_bytes: 1,
        max_bytes: 1,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    request(FETCH, &fetch)
}
