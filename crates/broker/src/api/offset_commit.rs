//! OffsetCommit (8): how far a group has read.
//!
//! Versions: 2–4 retention time · 6 leader epochs (KIP-320) · 7 static members (KIP-345) · 8 flexible · 9 new group protocol
//! (KIP-848) · 10 topic ids (KIP-848).

use super::call::{Call, Handled};
use super::group::{answer, context};
use super::table::Entry;
use super::topics::find_topic;
use crate::node::groups::Groups;
use crate::node::images::Images;
use ottla_coordinator::group::{GroupRequest, GroupResponse};
use ottla_metadata::Image;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::OffsetCommit, handle: |parts, call| handle(call, &parts.images, &parts.groups) };

/// First version with topic ids.
const TOPIC_IDS: i16 = 10;

fn handle(call: &Call, images: &Images, groups: &Groups) -> Handled {
    let mut request: OffsetCommitRequest = call.decode()?;
    let asked_topics = std::mem::take(&mut request.topics);
    let (known, refused) = split(asked_topics, &images.current(), call.version >= TOPIC_IDS);
    request.topics = known;
    if request.topics.is_empty() {
        return call.reply(&OffsetCommitResponse { topics: refused, ..OffsetCommitResponse::default() });
    }
    let group = request.group_id.clone();
    let asked = groups.ask(&group, context(call), GroupRequest::OffsetCommit(request));
    answer(call, vec![asked], move |responses| merge(responses, refused))
}

/// Parts the topics into those that exist, with name and id set, and the answers for what does not.
fn split(
    topics: Vec<OffsetCommitRequestTopic>,
    image: &Image,
    by_id: bool,
) -> (Vec<OffsetCommitRequestTopic>, Vec<OffsetCommitResponseTopic>) {
    let (mut known, mut refused) = (Vec::new(), Vec::new());
    for mut asked in topics {
        match find_topic(image, by_id, &asked.name, asked.topic_id) {
            Err(error) => {
                let indexes = asked.partitions.iter().map(|partition| partition.partition_index);
                refused.push(refusal(&asked, indexes, error));
            }
            Ok(topic) => {
                asked.name = topic.name.clone();
                asked.topic_id = topic.id;
                let exists = |index: &i32| topic.partitions.contains_key(index);
                let missing: Vec<i32> = asked
                    .partitions
                    .iter()
                    .map(|one| one.partition_index)
                    .filter(|index| !exists(index))
                    .collect();
                if !missing.is_empty() {
                    refused.push(refusal(&asked, missing.into_iter(), ErrorCode::UnknownTopicOrPartition));
                    asked.partitions.retain(|one| exists(&one.partition_index));
                }
                if !asked.partitions.is_empty() {
                    known.push(asked);
                }
            }
        }
    }
    (known, refused)
}

fn refusal(
    topic: &OffsetCommitRequestTopic,
    indexes: impl Iterator<Item = i32>,
    error: ErrorCode,
) -> OffsetCommitResponseTopic {
    let partition = |partition_index| OffsetCommitResponsePartition {
        partition_index,
        error_code: error.code(),
        ..OffsetCommitResponsePartition::default()
    };
    OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: indexes.map(partition).collect(),
        ..OffsetCommitResponseTopic::default()
    }
}

/// Puts the coordinator's answer and what it was not asked together, one entry a topic.
fn merge(responses: Vec<GroupResponse>, refused: Vec<OffsetCommitResponseTopic>) -> OffsetCommitResponse {
    let mut merged = OffsetCommitResponse::default();
    for response in responses {
        if let GroupResponse::OffsetCommit(response) = response {
            merged = response;
        }
    }
    for topic in refused {
        let same = |other: &&mut OffsetCommitResponseTopic| {
            other.name == topic.name && other.topic_id == topic.topic_id
        };
        match merged.topics.iter_mut().find(same) {
            Some(there) => there.partitions.extend(topic.partitions),
            None => merged.topics.push(topic),
        }
    }
    merged
}
