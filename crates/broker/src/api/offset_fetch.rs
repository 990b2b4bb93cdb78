//! OffsetFetch (9): how far groups have read.
//!
//! Versions: 2 null for all topics · 5 leader epochs (KIP-320) · 6 flexible · 7 stable offsets (KIP-447) · 8 several groups
//! (KIP-709) · 9 new group protocol (KIP-848) · 10 topic ids (KIP-848).

use super::call::{Call, Handled};
use super::group::{answer, context};
use super::table::Entry;
use crate::node::groups::Groups;
use crate::node::images::Images;
use ottla_coordinator::group::{GroupRequest, GroupResponse};
use ottla_metadata::Image;
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use ottla_protocol::{ApiKey, ErrorCode};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::OffsetFetch, handle: |parts, call| handle(call, &parts.images, &parts.groups) };

/// First version with several groups.
const GROUPS: i16 = 8;
/// First version with topic ids.
const TOPIC_IDS: i16 = 10;

fn handle(call: &Call, images: &Arc<Images>, groups: &Groups) -> Handled {
    let mut request: OffsetFetchRequest = call.decode()?;
    let require_stable = request.require_stable;
    let asked_groups =
        if call.version >= GROUPS { std::mem::take(&mut request.groups) } else { vec![only(request)] };
    let (mut asked, mut unknown) = (Vec::new(), Vec::new());
    for mut group in asked_groups {
        unknown.push(resolve(&mut group, &images.current(), call.version));
        let id = group.group_id.clone();
        asked.push(groups.ask(&id, context(call), GroupRequest::OffsetFetch { group, require_stable }));
    }
    let (version, images) = (call.version, Arc::clone(images));
    answer(call, asked, move |responses| {
        let answered = responses.into_iter().filter_map(|response| match response {
            GroupResponse::OffsetFetch(group) => Some(group),
            _ => None,
        });
        let complete = answered.zip(unknown).map(|(mut group, unknown)| {
            with_ids(&mut group, &images.current(), version);
            // An error for the whole group stands alone.
            if group.error_code == ErrorCode::None.code() {
                group.topics.extend(unknown);
            }
            group
        });
        let all: Vec<OffsetFetchResponseGroup> = complete.collect();
        if version >= GROUPS {
            return OffsetFetchResponse { groups: all, ..OffsetFetchResponse::default() };
        }
        all.into_iter().next().map(flat).unwrap_or_default()
    })
}

/// The only group of an old request, in the shape of the new ones.
fn only(request: OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.map(|topics| {
        let topic = |topic: ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics {
                name: topic.name,
                partition_indexes: topic.partition_indexes,
                ..OffsetFetchRequestTopics::default()
            }
        };
        topics.into_iter().map(topic).collect()
    });
    OffsetFetchRequestGroup { group_id: request.group_id, topics, ..OffsetFetchRequestGroup::default() }
}

/// Gives topics that came with an id their names; takes out, and answers for, those that no topic has.
fn resolve(
    group: &mut OffsetFetchRequestGroup,
    image: &Image,
    version: i16,
) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    if let Some(topics) = group.topics.as_mut().filter(|_| version >= TOPIC_IDS) {
        topics.retain_mut(|topic| match image.topic(topic.topic_id) {
            Some(found) => {
                topic.name = found.name.clone();
                true
            }
            None => {
                unknown.push(unknown_topic(topic));
                false
            }
        });
    }
    unknown
}

fn unknown_topic(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partition = |index: &i32| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some("".into()),
        error_code: ErrorCode::UnknownTopicId.code(),
        ..OffsetFetchResponsePartitions::default()
    };
    OffsetFetchResponseTopics {
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..OffsetFetchResponseTopics::default()
    }
}

/// Sets the ids of topics in an answer; offsets of a topic that exists no more are left out where only ids can be said.
fn with_ids(group: &mut OffsetFetchResponseGroup, image: &Image, version: i16) {
    if version < TOPIC_IDS {
        return;
    }
    group.topics.retain_mut(|topic| match image.topic_id(&topic.name) {
        Some(id) => {
            topic.topic_id = id;
            true
        }
        None => false,
    });
}

/// An answer for one group in the shape of the versions before 8.
fn flat(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
        ..OffsetFetchResponsePartition::default()
    };
    let topic = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
        ..OffsetFetchResponseTopic::default()
    };
    OffsetFetchResponse {
        topics: group.topics.into_iter().map(topic).collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}
