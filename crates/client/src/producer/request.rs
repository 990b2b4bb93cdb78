//! Produce requests: batches grouped by topic, topics by name or id, and the way back from an answer to its batch.

use super::ProducerConfig;
use super::batch::Batch;
use crate::{Connection, Metadata, Result, TopicPartition};
use bytestring::ByteString;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::PartitionProduceResponse;
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::{ApiKey, TopicId};
use std::collections::BTreeMap;
use std::time::Duration;

/// From this version on topics go by id (KIP-516).
const TOPIC_IDS: i16 = 13;

/// The request for these batches and its version.
pub(super) fn produce_request(
    connection: &Connection,
    batches: &[Batch],
    config: &ProducerConfig,
    known: &Metadata,
    timeout: Duration,
) -> Result<(i16, ProduceRequest)> {
    let id = |topic: &ByteString| known.topics.get(&**topic).map_or(TopicId::ZERO, |topic| topic.id);
    let all_have_ids = batches.iter().all(|batch| id(&batch.partition.topic) != TopicId::ZERO);
    let most = if all_have_ids { i16::MAX } else { TOPIC_IDS - 1 };
    let version = connection.version_up_to(ApiKey::Produce, most)?;
    let mut topics: BTreeMap<&ByteString, Vec<PartitionProduceData>> = BTreeMap::new();
    for batch in batches {
        topics.entry(&batch.partition.topic).or_default().push(PartitionProduceData {
            index: batch.partition.partition,
            records: Some(batch.encode(config).into()),
            ..PartitionProduceData::default()
        });
    }
    let topics = topics.into_iter().map(|(topic, partition_data)| TopicProduceData {
        name: if version < TOPIC_IDS { topic.clone() } else { ByteString::new() },
        topic_id: if version < TOPIC_IDS { TopicId::ZERO } else { id(topic) },
        partition_data,
        ..TopicProduceData::default()
    });
    let request = ProduceRequest {
        acks: config.acks,
        timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        topic_data: topics.collect(),
        ..ProduceRequest::default()
    };
    Ok((version, request))
}

/// What an answer says about a partition.
pub(super) fn answer_of<'r>(
    response: &'r ProduceResponse,
    partition: &TopicPartition,
    known: &Metadata,
) -> Option<&'r PartitionProduceResponse> {
    let id = known.topics.get(&*partition.topic).map_or(TopicId::ZERO, |topic| topic.id);
    let topic = response
        .responses
        .iter()
        .find(|topic| topic.name == partition.topic || topic.name.is_empty() && topic.topic_id == id);
    topic?.partition_responses.iter().find(|answer| answer.index == partition.partition)
}
