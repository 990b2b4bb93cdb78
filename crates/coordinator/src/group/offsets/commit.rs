//! OffsetCommit.

use super::{CommittedOffset, OffsetKey};
use crate::group::classic::{ClassicGroup, ClassicGroupState};
use crate::group::records::{self, fits};
use crate::group::state::State;
use crate::group::turn::Turn;
use crate::group::writes::Caller;
use crate::group::{GroupResponse, Settings};
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::{ByteString, ErrorCode, TopicId};

/// The first version that may be told that there is no such group.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;

/// "The broker decides how long offsets are kept."
const DEFAULT_RETENTION_TIME: i64 = -1;

impl State {
    /// Commits offsets of a member, or of somebody without a group: then there is a group without members.
    pub(in crate::group) fn commit_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: &OffsetCommitRequest,
    ) {
        let group = self.groups.written(&request.group_id);
        if let Err(code) = validate(turn, group, caller.version, request) {
            return turn.reply(caller, error(request, code));
        }
        let is_new_group = group.is_none();
        let mut commits = Vec::new();
        let mut response = OffsetCommitResponse::default();
        for topic in &request.topics {
            let mut answer_partition = |partition: &OffsetCommitRequestPartition| {
                let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
                if !metadata_fits(metadata, turn.settings) {
                    return answer(partition, ErrorCode::OffsetMetadataTooLarge);
                }
                let key = OffsetKey {
                    group: request.group_id.clone(),
                    topic: topic.name.clone(),
                    partition: partition.partition_index,
                };
                let value = committed_offset(turn.now, request.retention_time_ms, topic, partition);
                commits.push((key, value));
                answer(partition, ErrorCode::None)
            };
            let partitions = topic.partitions.iter().map(&mut answer_partition).collect();
            response.topics.push(answer_topic(topic, partitions));
        }
        let write = (!commits.is_empty()).then(|| {
            let write =
                turn.append(commits.iter().map(|(key, value)| records::offset_commit(key, value)).collect());
            if is_new_group {
                self.put_group(
                    turn,
                    write,
                    ClassicGroup::new(ByteString::from(&*request.group_id), write.0, turn.now),
                );
            }
            for (key, value) in commits {
                self.put_offset(turn, write, key, Some(value));
            }
            write
        });
        turn.reply_after(write, caller, GroupResponse::OffsetCommit(response));
    }
}

/// Whether these offsets may be committed. A commit of a member is a sign of life.
fn validate(
    turn: &mut Turn<'_>,
    group: Option<&ClassicGroup>,
    version: i16,
    request: &OffsetCommitRequest,
) -> Result<(), ErrorCode> {
    let generation = request.generation_id_or_member_epoch;
    let Some(group) = group else {
        return match generation {
            ..0 => Ok(()),
            _ if version >= GROUP_ID_NOT_FOUND_VERSION => Err(ErrorCode::GroupIdNotFound),
            _ => Err(ErrorCode::IllegalGeneration),
        };
    };
    group.validate_commit(&request.member_id, request.group_instance_id.as_deref(), generation)?;
    if matches!(group.state(), ClassicGroupState::Stable | ClassicGroupState::PreparingRebalance) {
        group.renew_session(turn, &request.member_id);
    }
    Ok(())
}

fn metadata_fits(metadata: &str, settings: &Settings) -> bool {
    let limit = usize::try_from(settings.offset_metadata_max_bytes).unwrap_or_default();
    // A string has no more UTF-16 units than bytes.
    fits(metadata) && (metadata.len() <= limit || metadata.encode_utf16().count() <= limit)
}

fn committed_offset(
    now: i64,
    retention_time_ms: i64,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
) -> CommittedOffset {
    let committed = CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: ByteString::from(partition.committed_metadata.as_deref().unwrap_or_default()),
        commit_timestamp_ms: now,
        expire_timestamp_ms: None,
        topic_id: topic.topic_id,
    };
    if retention_time_ms == DEFAULT_RETENTION_TIME {
        return committed;
    }
    // A record with an expiry of its own has no room for the epoch and the id of the topic.
    CommittedOffset {
        expire_timestamp_ms: Some(now.saturating_add(retention_time_ms)),
        leader_epoch: -1,
        topic_id: TopicId::ZERO,
        ..committed
    }
}

fn answer(partition: &OffsetCommitRequestPartition, code: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: code as i16,
        ..Default::default()
    }
}

fn answer_topic(
    topic: &OffsetCommitRequestTopic,
    partitions: Vec<OffsetCommitResponsePartition>,
) -> OffsetCommitResponseTopic {
    OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions,
        ..Default::default()
    }
}

/// The answer that no partition was committed.
pub(in crate::group) fn error(request: &OffsetCommitRequest, code: ErrorCode) -> GroupResponse {
    let topic = |topic: &OffsetCommitRequestTopic| {
        answer_topic(topic, topic.partitions.iter().map(|partition| answer(partition, code)).collect())
    };
    let topics = request.topics.iter().map(topic).collect();
    GroupResponse::OffsetCommit(OffsetCommitResponse { topics, ..Default::default() })
}
