//! OffsetDelete (KIP-496), and the end of topics.

use super::OffsetKey;
use crate::group::state::State;
use crate::group::turn::Turn;
use crate::group::writes::Caller;
use crate::group::{DeletedTopic, GroupResponse, records};
use ottla_protocol::messages::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::{ErrorCode, TopicId};
use std::collections::BTreeSet;

impl State {
    /// Ends offsets of topics that no member is subscribed to.
    pub(in crate::group) fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: &OffsetDeleteRequest,
    ) {
        let group = match self.groups.written(&request.group_id) {
            None => return turn.reply(caller, error(ErrorCode::GroupIdNotFound)),
            // Nobody can know what members of another kind use.
            Some(group) if !group.is_empty() && !group.uses_consumer_protocol() => {
                return turn.reply(caller, error(ErrorCode::NonEmptyGroup));
            }
            Some(group) => group,
        };
        let mut ended = BTreeSet::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            if group.is_subscribed_to(&topic.name) {
                topics.push(answer(topic, ErrorCode::GroupSubscribedToTopic));
                continue;
            }
            topics.push(answer(topic, ErrorCode::None));
            for partition in &topic.partitions {
                let key = OffsetKey {
                    group: group.id().clone(),
                    topic: topic.name.clone(),
                    partition: partition.partition_index,
                };
                if self.offsets.written(&key).is_some() {
                    ended.insert(key);
                }
            }
        }
        let write = (!ended.is_empty()).then(|| {
            let write = turn.append(ended.iter().map(records::offset_tombstone).collect());
            for key in ended {
                self.put_offset(turn, write, key, None);
            }
            write
        });
        let response = OffsetDeleteResponse { topics, ..Default::default() };
        turn.reply_after(write, caller, GroupResponse::OffsetDelete(response));
    }

    /// Ends all offsets of topics that are no more. An offset of a later topic of the same name stays.
    pub(in crate::group) fn delete_offsets_of_topics(
        &mut self,
        turn: &mut Turn<'_>,
        topics: &[DeletedTopic],
    ) {
        let mut ended = Vec::new();
        for group in self.offsets.groups() {
            for topic in topics {
                let offsets = self.offsets.written_of_topic(group, &topic.name);
                let of_it = offsets
                    .filter(|(_, offset)| offset.topic_id == TopicId::ZERO || offset.topic_id == topic.id);
                ended.extend(of_it.map(|(key, _)| key));
            }
        }
        self.end_offsets(turn, ended);
    }
}

fn answer(topic: &OffsetDeleteRequestTopic, code: ErrorCode) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| OffsetDeleteResponsePartition {
        partition_index: partition.partition_index,
        error_code: code as i16,
    });
    OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
}

/// The answer that nothing was deleted.
pub(in crate::group) fn error(code: ErrorCode) -> GroupResponse {
    GroupResponse::OffsetDelete(OffsetDeleteResponse { error_code: code as i16, ..Default::default() })
}
