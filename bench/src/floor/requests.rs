//! The requests of the floor: two that are measured, parsed by hand where they lie, and those that surround them.

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut, Bytes};
use ottla_protocol::codec::{Message, Reader, Request, Writer};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader,
};
use ottla_protocol::{ApiKey, ErrorCode};

use super::fault::Fault;
use super::server::Store;

/// Only this version of Produce is taken; its layout is what the parser below reads.
pub(super) const PRODUCE_VERSION: i16 = 7;
/// The same of Fetch.
pub(super) const FETCH_VERSION: i16 = 11;

/// Answers a Produce into `out`, without the frame's length: false if there is nothing to answer. Partitions that got
/// data tell who waits by `wake`.
pub(super) fn produce(
    frame: &mut [u8],
    store: &mut Store,
    out: &mut Vec<u8>,
    wake: &mut Vec<usize>,
) -> Result<bool> {
    let fault = store.fault;
    let mut at = 4;
    let mut correlation = i32_at(frame, &mut at)?;
    skip_string(frame, &mut at)?;
    skip_string(frame, &mut at)?;
    let acks = i16_at(frame, &mut at)?;
    let _timeout = i32_at(frame, &mut at)?;
    store.produced += 1;
    if fault == Some(Fault::WrongCorrelation) && store.produced.is_multiple_of(50) {
        correlation += 1;
    }
    out.put_i32(correlation);
    let topics = i32_at(frame, &mut at)?;
    out.put_i32(topics);
    for _ in 0..topics {
        let name = string_at(frame, &mut at)?;
        out.put_i16(name.len() as i16);
        out.put_slice(&frame[name.clone()]);
        let partitions = i32_at(frame, &mut at)?;
        out.put_i32(partitions);
        for _ in 0..partitions {
            let index = i32_at(frame, &mut at)?;
            let length = i32_at(frame, &mut at)?.max(0) as usize;
            let found = store.find(&frame[name.clone()], index);
            let batch = frame.get_mut(at..at + length).context("records beyond the frame")?;
            at += length;
            let (error, base_offset) = match found {
                None => (ErrorCode::UnknownTopicOrPartition.code(), -1),
                Some(partition) => match partition.append(batch, fault)? {
                    Ok(base_offset) => {
                        wake.append(&mut partition.waiting);
                        (0, base_offset as i64)
                    }
                    Err(error) => (error, -1),
                },
            };
            out.put_i32(index);
            out.put_i16(error);
            out.put_i64(base_offset);
            out.put_i64(-1);
            out.put_i64(0);
        }
    }
    out.put_i32(0);
    Ok(acks != 0)
}

/// A part of an answer.
pub(super) enum Piece {
    Bytes(Vec<u8>),
    File { file: std::rc::Rc<std::fs::File>, position: u64, length: u64 },
}

/// What became of a Fetch.
pub(super) enum Fetched {
    /// An answer, its length first.
    Answer(Vec<Piece>),
    /// Too little is there; so many milliseconds may pass.
    Wait { limit_ms: u64 },
}

/// Answers a Fetch, or has `connection` wait at each partition if there is too little and it `may_wait`.
pub(super) fn fetch(frame: &[u8], store: &mut Store, connection: usize, may_wait: bool) -> Result<Fetched> {
    let mut at = 4;
    let correlation = i32_at(frame, &mut at)?;
    skip_string(frame, &mut at)?;
    let _replica = i32_at(frame, &mut at)?;
    let limit_ms = i32_at(frame, &mut at)?.max(0) as u64;
    let bytes_min = i32_at(frame, &mut at)?.max(0) as u64;
    let mut left = i32_at(frame, &mut at)?.max(0) as u64;
    // Isolation level and session.
    at += 1 + 8;
    let mut head = vec![0; 4];
    head.put_i32(correlation);
    head.put_i32(0);
    head.put_i16(0);
    head.put_i32(0);
    let (mut pieces, mut bytes, body) = (Vec::new(), 0, at);
    let topics = i32_at(frame, &mut at)?;
    head.put_i32(topics);
    for _ in 0..topics {
        let name = string_at(frame, &mut at)?;
        head.put_i16(name.len() as i16);
        head.put_slice(&frame[name.clone()]);
        let partitions = i32_at(frame, &mut at)?;
        head.put_i32(partitions);
        for _ in 0..partitions {
            let wanted = Wanted::read(frame, &mut at)?;
            let partition = store.find(&frame[name.clone()], wanted.index);
            let end = partition.as_ref().map_or(-1, |partition| partition.next_offset() as i64);
            head.put_i32(wanted.index);
            head.put_i16(if partition.is_some() { 0 } else { ErrorCode::UnknownTopicOrPartition.code() });
            head.put_i64(end);
            head.put_i64(end);
            head.put_i64(0);
            head.put_i32(-1);
            head.put_i32(-1);
            let data = partition.and_then(|partition| {
                let (position, length) = partition.read(wanted.offset, wanted.bytes_max.min(left))?;
                Some((partition.read.clone(), position, length))
            });
            match data {
                None => head.put_i32(0),
                Some((file, position, length)) => {
                    head.put_i32(length as i32);
                    left -= length;
                    bytes += length;
                    pieces.push(Piece::Bytes(std::mem::take(&mut head)));
                    pieces.push(Piece::File { file, position, length });
                }
            }
        }
    }
    if bytes < bytes_min && may_wait {
        at = body;
        wait_at_each(frame, &mut at, store, connection)?;
        return Ok(Fetched::Wait { limit_ms });
    }
    if !head.is_empty() {
        pieces.push(Piece::Bytes(head));
    }
    let length: u64 = pieces.iter().map(Piece::length).sum::<u64>() - 4;
    if let Some(Piece::Bytes(first)) = pieces.first_mut() {
        first[..4].copy_from_slice(&(length as u32).to_be_bytes());
    }
    Ok(Fetched::Answer(pieces))
}

impl Piece {
    pub(super) fn length(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { length, .. } => *length,
        }
    }
}

/// One partition of a Fetch.
struct Wanted {
    index: i32,
    offset: u64,
    bytes_max: u64,
}

impl Wanted {
    fn read(frame: &[u8], at: &mut usize) -> Result<Wanted> {
        let index = i32_at(frame, at)?;
        let _leader_epoch = i32_at(frame, at)?;
        let offset = i64_at(frame, at)?.max(0) as u64;
        let _log_start = i64_at(frame, at)?;
        Ok(Wanted { index, offset, bytes_max: i32_at(frame, at)?.max(0) as u64 })
    }
}

fn wait_at_each(frame: &[u8], at: &mut usize, store: &mut Store, connection: usize) -> Result<()> {
    for _ in 0..i32_at(frame, at)? {
        let name = string_at(frame, at)?;
        for _ in 0..i32_at(frame, at)? {
            let wanted = Wanted::read(frame, at)?;
            if let Some(partition) = store.find(&frame[name.clone()], wanted.index) {
                // Where nothing comes for long, the same connection waits again and again.
                if !partition.waiting.contains(&connection) {
                    partition.waiting.push(connection);
                }
            }
        }
    }
    Ok(())
}

/// Answers what surrounds the measured requests, by the codecs of the product.
pub(super) fn other(frame: &[u8], store: &mut Store, out: &mut Vec<u8>) -> Result<()> {
    let frame = Bytes::copy_from_slice(frame);
    let mut peek = &frame[..];
    let (key, version) = (peek.try_get_i16()?, peek.try_get_i16()?);
    let key = ApiKey::from_code(key).with_context(|| format!("API key {key}"))?;
    let mut reader = Reader::new(&frame);
    let header = RequestHeader::decode(&mut reader, key.request_header_version(version))?;
    let mut w = Writer::default();
    ResponseHeader { correlation_id: header.correlation_id, ..Default::default() }
        .encode(&mut w, key.response_header_version(version))?;
    match key {
        ApiKey::ApiVersions => answer::<ApiVersionsRequest>(&mut reader, &mut w, version, |_| api_versions()),
        ApiKey::Metadata => {
            answer::<MetadataRequest>(&mut reader, &mut w, version, |request| metadata(store, request))
        }
        ApiKey::CreateTopics => {
            let mut failed = Ok(());
            answer::<CreateTopicsRequest>(&mut reader, &mut w, version, |request| {
                create(store, request, &mut failed)
            })?;
            failed
        }
        ApiKey::DeleteTopics => {
            answer::<DeleteTopicsRequest>(&mut reader, &mut w, version, |request| delete(store, request))
        }
        ApiKey::ListOffsets => {
            answer::<ListOffsetsRequest>(&mut reader, &mut w, version, |request| ends(store, request))
        }
        ApiKey::InitProducerId => answer::<InitProducerIdRequest>(&mut reader, &mut w, version, |_| {
            store.producers += 1;
            InitProducerIdResponse { producer_id: store.producers, ..Default::default() }
        }),
        other => anyhow::bail!("the floor does not know {}", other.name()),
    }?;
    out.extend(w.into_vec());
    Ok(())
}

fn answer<R: Request>(
    reader: &mut Reader<'_>,
    w: &mut Writer,
    version: i16,
    answer: impl FnOnce(R) -> R::Response,
) -> Result<()> {
    let request = R::decode(reader, version)?;
    Ok(answer(request).encode(w, version)?)
}

fn api_versions() -> ApiVersionsResponse {
    let keys = [
        (ApiKey::Produce, PRODUCE_VERSION, PRODUCE_VERSION),
        (ApiKey::Fetch, FETCH_VERSION, FETCH_VERSION),
        (ApiKey::ListOffsets, 1, 5),
        (ApiKey::Metadata, 1, 4),
        (ApiKey::ApiVersions, 0, 2),
        (ApiKey::CreateTopics, 2, 4),
        (ApiKey::DeleteTopics, 1, 4),
        (ApiKey::InitProducerId, 0, 1),
    ];
    let key = |(key, min_version, max_version): (ApiKey, i16, i16)| ApiVersion {
        api_key: key.code(),
        min_version,
        max_version,
        ..Default::default()
    };
    ApiVersionsResponse { api_keys: keys.into_iter().map(key).collect(), ..Default::default() }
}

fn metadata(store: &Store, request: MetadataRequest) -> MetadataResponse {
    let broker = MetadataResponseBroker {
        node_id: 1,
        host: "127.0.0.1".into(),
        port: i32::from(store.port),
        ..Default::default()
    };
    let topic = |name: &str, partitions: Option<usize>| MetadataResponseTopic {
        error_code: partitions.map_or(ErrorCode::UnknownTopicOrPartition.code(), |_| 0),
        name: Some(name.into()),
        partitions: (0..partitions.unwrap_or(0) as i32)
            .map(|partition_index| MetadataResponsePartition {
                partition_index,
                leader_id: 1,
                replica_nodes: vec![1],
                isr_nodes: vec![1],
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    let topics = match &request.topics {
        None => store.topics().map(|(name, partitions)| topic(name, Some(partitions))).collect(),
        Some(names) => names
            .iter()
            .filter_map(|wanted| wanted.name.as_deref())
            .map(|name| topic(name, store.topics().find(|(known, _)| *known == name).map(|(_, count)| count)))
            .collect(),
    };
    MetadataResponse { brokers: vec![broker], controller_id: 1, topics, ..Default::default() }
}

fn create(store: &mut Store, request: CreateTopicsRequest, failed: &mut Result<()>) -> CreateTopicsResponse {
    let mut topics = Vec::new();
    for topic in request.topics {
        if failed.is_ok() {
            *failed = store.create(&topic.name, topic.num_partitions.max(1) as usize);
        }
        topics.push(CreatableTopicResult { name: topic.name, ..Default::default() });
    }
    CreateTopicsResponse { topics, ..Default::default() }
}

fn delete(store: &mut Store, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let one = |name: ottla_protocol::ByteString| {
        let known = store.delete(&name);
        let error = if known { ErrorCode::None } else { ErrorCode::UnknownTopicOrPartition };
        DeletableTopicResult { name: Some(name), error_code: error.code(), ..Default::default() }
    };
    DeleteTopicsResponse {
        responses: request.topic_names.into_iter().map(one).collect(),
        ..Default::default()
    }
}

fn ends(store: &mut Store, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let mut topics = Vec::new();
    for topic in request.topics {
        let mut partition = |index: i32| {
            let found = store.find(topic.name.as_bytes(), index);
            ListOffsetsPartitionResponse {
                partition_index: index,
                error_code: if found.is_some() { 0 } else { ErrorCode::UnknownTopicOrPartition.code() },
                offset: found.map_or(-1, |partition| partition.next_offset() as i64),
                ..Default::default()
            }
        };
        let partitions = topic.partitions.iter().map(|wanted| partition(wanted.partition_index)).collect();
        topics.push(ListOffsetsTopicResponse { name: topic.name, partitions, ..Default::default() });
    }
    ListOffsetsResponse { topics, ..Default::default() }
}

fn i16_at(frame: &[u8], at: &mut usize) -> Result<i16> {
    Ok(i16::from_be_bytes(array_at(frame, at)?))
}

fn i32_at(frame: &[u8], at: &mut usize) -> Result<i32> {
    Ok(i32::from_be_bytes(array_at(frame, at)?))
}

fn i64_at(frame: &[u8], at: &mut usize) -> Result<i64> {
    Ok(i64::from_be_bytes(array_at(frame, at)?))
}

fn array_at<const N: usize>(frame: &[u8], at: &mut usize) -> Result<[u8; N]> {
    let bytes = frame.get(*at..).and_then(|rest| rest.first_chunk::<N>()).context("the frame ends early")?;
    *at += N;
    Ok(*bytes)
}

/// Where a string lies; none at all is empty.
fn string_at(frame: &[u8], at: &mut usize) -> Result<std::ops::Range<usize>> {
    let length = usize::try_from(i16_at(frame, at)?).unwrap_or(0);
    let range = *at..*at + length;
    ensure!(range.end <= frame.len(), "a string beyond the frame");
    *at = range.end;
    Ok(range)
}

fn skip_string(frame: &[u8], at: &mut usize) -> Result<()> {
    string_at(frame, at).map(|_| ())
}
