//! Produce (0): appends record batches to partitions.
//!
//! Versions: 3 record batches v2 (KIP-98) · 5 log start offset · 7 zstd (KIP-110) · 8 record errors (KIP-467) · 9 flexible ·
//! 10 current leader in the answer (KIP-951) · 11–12 transactions (KIP-890) · 13 topic ids (KIP-516).
//! Versions 0 to 2 are advertised for old librdkafka (KAFKA-18659) and never served.

mod pending;

use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::{find_partition, find_topic, is_internal};
use crate::net::Answer;
use crate::node::clock;
use crate::node::images::Images;
use crate::node::partition::{AppendError, Appended};
use crate::node::partitions::Partitions;
use ottla_metadata::{Image, Topic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::records::{BatchHeader, InvalidRecord};
use ottla_protocol::{ApiKey, ErrorCode, Records};
use pending::{Pending, Place};
use std::collections::HashSet;
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::Produce, handle: |parts, call| handle(call, &parts.images, &parts.partitions) };

/// The client id of Kafka's admin client, which alone may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

fn handle(call: &Call, images: &Images, partitions: &Partitions) -> Handled {
    let request: ProduceRequest = call.decode()?;
    if request.transactional_id.is_none() && request.topic_data.iter().any(is_transactional) {
        return refuse_all(call, &request, ErrorCode::TransactionalIdAuthorizationFailed);
    }
    let image = images.current();
    let mut producing = Producing {
        call,
        image: &image,
        partitions,
        acks: request.acks,
        now_ms: clock::now_ms(),
        pending: Pending::default(),
    };
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        let response = producing.topic(topic, responses.len());
        responses.push(response);
    }
    let response = ProduceResponse { responses, ..ProduceResponse::default() };
    let (acks, reply_to) = (request.acks, call.reply_to());
    let answer = move |response: &ProduceResponse| match acks {
        0 => silence(&response.responses),
        _ => reply_to.with(response),
    };
    Ok(producing.pending.answer(response, request.timeout_ms, answer))
}

/// Whether a topic's data has a batch that is part of a transaction.
fn is_transactional(topic: &TopicProduceData) -> bool {
    let records = topic.partition_data.iter().filter_map(|data| data.records.as_ref()?.bytes());
    records
        .into_iter()
        .any(|bytes| BatchHeader::parse(bytes).is_ok_and(|header| header.attributes.is_transactional()))
}

fn refuse_all(call: &Call, request: &ProduceRequest, error: ErrorCode) -> Handled {
    let topic = |topic: &TopicProduceData| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|data| response(data.index, Err(error.into())))
            .collect(),
        ..TopicProduceResponse::default()
    };
    let responses: Vec<TopicProduceResponse> = request.topic_data.iter().map(topic).collect();
    if request.acks == 0 {
        return Ok(silence(&responses));
    }
    call.reply(&ProduceResponse { responses, ..ProduceResponse::default() })
}

/// A topic's partitions; one that is there twice counts as it is there last.
fn each_once(partitions: &[PartitionProduceData]) -> impl Iterator<Item = &PartitionProduceData> {
    let again = |at: usize, index: i32| partitions[at + 1..].iter().any(|later| later.index == index);
    let twice = partitions.len() > 1
        && partitions.iter().map(|data| data.index).collect::<HashSet<_>>().len() < partitions.len();
    partitions
        .iter()
        .enumerate()
        .filter(move |(at, data)| !twice || !again(*at, data.index))
        .map(|(_, data)| data)
}

/// What a producer that wants no answer gets: a closed connection is the only way to tell it that something failed.
fn silence(responses: &[TopicProduceResponse]) -> Answer {
    let failed =
        responses.iter().flat_map(|topic| &topic.partition_responses).find(|one| one.error_code != 0);
    match failed {
        None => Answer::Silent,
        Some(one) => {
            let error = ErrorCode::from_code(one.error_code);
            Answer::Close(format!("a Produce with acks=0 failed with {error}"))
        }
    }
}

/// What all partitions of one request share.
struct Producing<'a> {
    call: &'a Call,
    image: &'a Image,
    partitions: &'a Partitions,
    acks: i16,
    now_ms: i64,
    /// Appends that are not answered for yet.
    pending: Pending,
}

impl Producing<'_> {
    /// Appends to the partitions of a topic, whose answer will be the one at `topic_at`.
    fn topic(&mut self, topic: &TopicProduceData, topic_at: usize) -> TopicProduceResponse {
        let by_id = self.call.version >= 13;
        let found = find_topic(self.image, by_id, &topic.name, topic.topic_id);
        let found = found.and_then(|found| may_write(found, self.call.client_id()));
        let mut partition_responses = Vec::with_capacity(topic.partition_data.len());
        for data in each_once(&topic.partition_data) {
            let appended = found.map_err(AppendError::from);
            let place = Place { topic: topic_at, partition: partition_responses.len() };
            let appended = appended.and_then(|found| self.append(found, data, place));
            partition_responses.push(response(data.index, appended));
        }
        TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses,
            ..TopicProduceResponse::default()
        }
    }

    fn append(
        &mut self,
        topic: &Topic,
        data: &PartitionProduceData,
        place: Place,
    ) -> Result<Appended, AppendError> {
        let partition = find_partition(self.partitions, topic, data.index)?;
        let bytes = data.records.as_ref().and_then(Records::bytes).cloned().unwrap_or_default();
        let ticket = self.pending.ticket();
        let (version, acks, now_ms) = (self.call.version, self.acks, self.now_ms);
        if partition.is_stuck() {
            let late = self.pending.late();
            let (size, of_job) = (bytes.len(), Arc::clone(&partition));
            let append = move || {
                let produce = |()| of_job.produce(&bytes, version, acks, now_ms, ticket);
                late.appended(late.in_time().and_then(produce));
            };
            if partition.append_aside(size, append) {
                self.pending.waits_for_append(partition, place);
            }
            // Until it is made.
            return Err(ErrorCode::RequestTimedOut.into());
        }
        let appended = partition.produce(&bytes, version, acks, now_ms, ticket)?;
        if appended.waits {
            self.pending.waits(partition, place);
        }
        Ok(appended)
    }
}

/// Only the admin client may write to Kafka's own topics.
fn may_write<'t>(topic: &'t Topic, client_id: &str) -> Result<&'t Topic, ErrorCode> {
    if is_internal(&topic.name) && client_id != ADMIN_CLIENT_ID {
        return Err(ErrorCode::InvalidTopicException);
    }
    Ok(topic)
}

fn response(index: i32, appended: Result<Appended, AppendError>) -> PartitionProduceResponse {
    match appended {
        Ok(appended) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset.0,
            log_append_time_ms: appended.log_append_time.unwrap_or(-1),
            log_start_offset: appended.log_start_offset.0,
            ..PartitionProduceResponse::default()
        },
        Err(error) => PartitionProduceResponse {
            index,
            error_code: error.code.into(),
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: error.log_start_offset.0,
            error_message: error.message.map(Into::into),
            record_errors: error.record_errors.into_iter().map(record_error).collect(),
            ..PartitionProduceResponse::default()
        },
    }
}

fn record_error(invalid: InvalidRecord) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage {
        batch_index: invalid.batch_index,
        batch_index_error_message: Some(invalid.message.into()),
        ..BatchIndexAndErrorMessage::default()
    }
}
