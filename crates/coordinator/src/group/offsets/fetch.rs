//! OffsetFetch: one group of it.

use super::{CommittedOffset, Partitions};
use crate::group::GroupResponse;
use crate::group::state::State;
use crate::group::turn::Turn;
use crate::group::writes::Caller;
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use ottla_protocol::{ByteString, ErrorCode, TopicId};

/// The first version that has an error for the whole group.
const GROUP_ERROR_VERSION: i16 = 2;

/// "No offset is committed."
const INVALID_OFFSET: i64 = -1;

impl State {
    /// Answers with offsets that are committed. Who wants stable ones (KIP-447) waits for the commits under way first.
    pub(in crate::group) fn fetch_offsets(
        &self,
        turn: &mut Turn<'_>,
        caller: Caller,
        group: OffsetFetchRequestGroup,
        require_stable: bool,
    ) {
        match turn.writes.last_of_offsets(&group.group_id) {
            Some(write) if require_stable => turn.fetch_after(write, caller, group),
            _ => turn.reply(caller, self.fetched_offsets(&group)),
        }
    }

    /// The answer, as of now.
    pub(in crate::group) fn fetched_offsets(&self, request: &OffsetFetchRequestGroup) -> GroupResponse {
        let exists = self.groups.committed(&request.group_id).is_some();
        let topics = match &request.topics {
            Some(topics) => {
                topics.iter().map(|topic| self.fetched_topic(&request.group_id, exists, topic)).collect()
            }
            None if exists => self.fetched_all(&request.group_id),
            None => Vec::new(),
        };
        GroupResponse::OffsetFetch(OffsetFetchResponseGroup {
            group_id: request.group_id.clone(),
            topics,
            ..Default::default()
        })
    }

    fn fetched_topic(
        &self,
        group: &str,
        group_exists: bool,
        request: &OffsetFetchRequestTopics,
    ) -> OffsetFetchResponseTopics {
        let offsets = group_exists.then(|| self.offsets.committed_of_topic(group, &request.name)).flatten();
        let find = |partition: &i32| {
            let offset = offsets.and_then(|offsets| offsets.get(partition)?.committed());
            // An offset of an earlier topic of the same name is none of this topic.
            let offset = offset.filter(|offset| {
                request.topic_id == TopicId::ZERO
                    || offset.topic_id == TopicId::ZERO
                    || offset.topic_id == request.topic_id
            });
            fetched(*partition, offset)
        };
        OffsetFetchResponseTopics {
            name: request.name.clone(),
            topic_id: request.topic_id,
            partitions: request.partition_indexes.iter().map(find).collect(),
            ..Default::default()
        }
    }

    fn fetched_all(&self, group: &str) -> Vec<OffsetFetchResponseTopics> {
        let topic = |(name, partitions): (&ByteString, &Partitions)| {
            let partitions: Vec<_> = partitions
                .iter()
                .filter_map(|(partition, offset)| Some(fetched(*partition, Some(offset.committed()?))))
                .collect();
            let topic = OffsetFetchResponseTopics { name: name.clone(), partitions, ..Default::default() };
            (!topic.partitions.is_empty()).then_some(topic)
        };
        self.offsets.topics_of(group).filter_map(topic).collect()
    }
}

fn fetched(partition: i32, offset: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: partition,
        committed_offset: offset.map_or(INVALID_OFFSET, |offset| offset.offset),
        committed_leader_epoch: offset.map_or(-1, |offset| offset.leader_epoch),
        metadata: Some(offset.map(|offset| offset.metadata.clone()).unwrap_or_default()),
        ..Default::default()
    }
}

/// The answer that nothing can be said of the group: said once, or of each partition where versions know no better.
pub(in crate::group) fn error(
    group: &OffsetFetchRequestGroup,
    version: i16,
    code: ErrorCode,
) -> GroupResponse {
    let group_id = group.group_id.clone();
    if version >= GROUP_ERROR_VERSION {
        let error_code = code as i16;
        return GroupResponse::OffsetFetch(OffsetFetchResponseGroup {
            group_id,
            error_code,
            ..Default::default()
        });
    }
    let partition = |partition: &i32| OffsetFetchResponsePartitions {
        error_code: code as i16,
        ..fetched(*partition, None)
    };
    let topic = |topic: &OffsetFetchRequestTopics| OffsetFetchResponseTopics {
        name: topic.name.clone(),
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..Default::default()
    };
    let topics = group.topics.iter().flatten().map(topic).collect();
    GroupResponse::OffsetFetch(OffsetFetchResponseGroup { group_id, topics, ..Default::default() })
}
