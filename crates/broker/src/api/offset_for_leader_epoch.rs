//! OffsetForLeaderEpoch (23): where an epoch ended, so that a reader notices that what it read is gone (KIP-101, KIP-320).
//!
//! Versions: 3 replica id · 4 flexible.

use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::find_by_name;
use crate::node::images::Images;
use crate::node::partitions::Partitions;
use ottla_metadata::Image;
use ottla_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use ottla_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use ottla_protocol::{ApiKey, ErrorCode, LeaderEpoch};

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::OffsetForLeaderEpoch,
    handle: |parts, call| handle(call, &parts.images, &parts.partitions),
};

fn handle(call: &Call, images: &Images, partitions: &Partitions) -> Handled {
    let request: OffsetForLeaderEpochRequest = call.decode()?;
    let image = images.current();
    let topic = |topic: &OffsetForLeaderTopic| OffsetForLeaderTopicResult {
        topic: topic.topic.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| find(&topic.topic, asked, &image, partitions))
            .collect(),
        ..OffsetForLeaderTopicResult::default()
    };
    call.reply(&OffsetForLeaderEpochResponse {
        topics: request.topics.iter().map(topic).collect(),
        ..OffsetForLeaderEpochResponse::default()
    })
}

fn find(
    topic: &str,
    asked: &OffsetForLeaderPartition,
    image: &Image,
    partitions: &Partitions,
) -> EpochEndOffset {
    let found = find_by_name(image, partitions, topic, asked.partition).and_then(|partition| {
        partition.epoch_end(LeaderEpoch(asked.current_leader_epoch), LeaderEpoch(asked.leader_epoch))
    });
    let answer =
        EpochEndOffset { partition: asked.partition, leader_epoch: -1, end_offset: -1, ..Default::default() };
    match found {
        Ok(Some(end)) => {
            EpochEndOffset { leader_epoch: end.leader_epoch.0, end_offset: end.end_offset.0, ..answer }
        }
        Ok(None) => EpochEndOffset { error_code: ErrorCode::None.code(), ..answer },
        Err(error) => EpochEndOffset { error_code: error.code(), ..answer },
    }
}
