//! Names and ids in requests → topics and partitions, with Kafka's errors for what is not there.

use crate::node::partition::Partition;
use crate::node::partitions::Partitions;
use ottla_metadata::{Image, Topic};
use ottla_protocol::{ErrorCode, TopicId};
use std::sync::Arc;

/// The topic that a request names: by its id where the version has ids, by its name otherwise.
pub(super) fn find_topic<'i>(
    image: &'i Image,
    by_id: bool,
    name: &str,
    id: TopicId,
) -> Result<&'i Arc<Topic>, ErrorCode> {
    if by_id {
        image.topic(id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

/// A partition of a topic, on this broker.
pub(super) fn find_partition(
    partitions: &Partitions,
    topic: &Topic,
    index: i32,
) -> Result<Arc<Partition>, ErrorCode> {
    match partitions.get(topic.id, index) {
        Some(partition) => Ok(partition),
        // Its log cannot be opened.
        None if partitions.contains(topic.id, index) => Err(ErrorCode::KafkaStorageError),
        None if topic.partitions.contains_key(&index) => Err(ErrorCode::NotLeaderOrFollower),
        None => Err(ErrorCode::UnknownTopicOrPartition),
    }
}

/// Both at once, by name.
pub(super) fn find_by_name(
    image: &Image,
    partitions: &Partitions,
    name: &str,
    index: i32,
) -> Result<Arc<Partition>, ErrorCode> {
    find_partition(partitions, find_topic(image, false, name, TopicId::ZERO)?, index)
}

/// Whether it is one of Kafka's own topics.
pub(super) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Kafka's error for a name that no topic has: it may be one that none can have.
pub(super) fn unknown_name(name: &str) -> ErrorCode {
    match ottla_controller::check_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    }
}
