//! ListOffsets (2): offsets by timestamp, and the ends of partitions.
//!
//! Versions: 2 isolation level (KIP-98) · 4 leader epochs (KIP-320) · 6 flexible · 7 largest timestamp (KIP-734) · 8 earliest
//! local (KIP-405) · 9 latest tiered (KIP-1005) · 10 timeout (KIP-1075) · 11 earliest pending upload (KIP-1023).

use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::find_by_name;
use crate::node::images::Images;
use crate::node::partitions::Partitions;
use ottla_metadata::Image;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use ottla_protocol::{ApiKey, ByteString, ErrorCode, LeaderEpoch};
use ottla_replica::partition::fetch::check_isolation_level;
use ottla_replica::partition::list_offsets::{Answer, Query};
use std::collections::BTreeSet;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::ListOffsets, handle: |parts, call| handle(call, &parts.images, &parts.partitions) };

/// First version that tells leader epochs.
const LEADER_EPOCHS: i16 = 4;

fn handle(call: &Call, images: &Images, partitions: &Partitions) -> Handled {
    let request: ListOffsetsRequest = call.decode()?;
    let twice = named_twice(&request);
    let isolation = check_isolation_level(request.isolation_level).map_err(|refusal| refusal.error);
    let image = images.current();
    let topic = |topic: &ListOffsetsTopic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| {
                let found = if twice.contains(&(topic.name.clone(), asked.partition_index)) {
                    Err(ErrorCode::InvalidRequest)
                } else if let Err(error) = isolation {
                    Err(error)
                } else {
                    find(call.version, &request, &topic.name, asked, &image, partitions)
                };
                response(call.version, asked.partition_index, found)
            })
            .collect(),
        ..ListOffsetsTopicResponse::default()
    };
    call.reply(&ListOffsetsResponse {
        topics: request.topics.iter().map(topic).collect(),
        ..ListOffsetsResponse::default()
    })
}

fn named_twice(request: &ListOffsetsRequest) -> BTreeSet<(ByteString, i32)> {
    let mut seen = BTreeSet::new();
    let all = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.name.clone(), partition.partition_index))
    });
    all.filter(|partition| !seen.insert(partition.clone())).collect()
}

fn find(
    version: i16,
    request: &ListOffsetsRequest,
    topic: &str,
    asked: &ListOffsetsPartition,
    image: &Image,
    partitions: &Partitions,
) -> Result<Answer, ErrorCode> {
    let partition = find_by_name(image, partitions, topic, asked.partition_index)?;
    let query = Query {
        timestamp: asked.timestamp,
        replica_id: request.replica_id,
        isolation_level: request.isolation_level,
        version,
    };
    partition.list_offset(&query, LeaderEpoch(asked.current_leader_epoch))
}

fn response(
    version: i16,
    partition_index: i32,
    found: Result<Answer, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let (error, answer) = match found {
        Ok(answer) => (ErrorCode::None, answer),
        Err(error) => (error, Answer::NONE),
    };
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: error.code(),
        timestamp: answer.timestamp,
        offset: answer.offset.0,
        leader_epoch: if version >= LEADER_EPOCHS { answer.leader_epoch.0 } else { LeaderEpoch::NONE.0 },
        ..ListOffsetsPartitionResponse::default()
    }
}
