//! DescribeTopicPartitions (75): topics page by page, with eligible leader replicas (KIP-966).

use super::authorized;
use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::is_internal;
use crate::node::config::Config;
use crate::node::images::Images;
use ottla_metadata::{Image, Partition, Topic};
use ottla_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use ottla_protocol::{ApiKey, BrokerId, ByteString, ErrorCode};
use std::collections::BTreeSet;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::DescribeTopicPartitions,
    handle: |parts, call| handle(call, &parts.images, &parts.config),
};

fn handle(call: &Call, images: &Images, config: &Config) -> Handled {
    let request: DescribeTopicPartitionsRequest = call.decode()?;
    let image = images.current();
    let limit =
        request.response_partition_limit.min(config.current().network.max_request_partition_size_limit);
    let limit = usize::try_from(limit).unwrap_or(0).max(1);
    let page = Page { call, image: &image, limit }.fill(&request);
    call.reply(&page)
}

/// One answer in the making.
struct Page<'a> {
    call: &'a Call,
    image: &'a Image,
    /// Partitions that it may name.
    limit: usize,
}

impl Page<'_> {
    fn fill(&self, request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
        let (from, first_partition) = match &request.cursor {
            Some(cursor) => (cursor.topic_name.clone(), cursor.partition_index),
            None => (ByteString::new(), 0),
        };
        let mut response = DescribeTopicPartitionsResponse::default();
        let mut left = self.limit;
        for name in self.names(request, &from) {
            let Some(topic) = self.image.topic_by_name(&name) else {
                response.topics.push(unknown(&name));
                continue;
            };
            if left == 0 {
                response.next_cursor = Some(cursor(&name, 0));
                break;
            }
            let start = if name == from { first_partition } else { 0 };
            let shown: Vec<i32> =
                topic.partitions.range(start..).map(|(index, _)| *index).take(left).collect();
            left -= shown.len();
            response.topics.push(self.topic(topic, &shown));
            let next = shown.last().map_or(start, |last| last + 1);
            if topic.partitions.contains_key(&next) {
                response.next_cursor = Some(cursor(&name, next));
                break;
            }
        }
        response
    }

    /// What to show, by name, from the cursor on.
    fn names(&self, request: &DescribeTopicPartitionsRequest, from: &ByteString) -> BTreeSet<ByteString> {
        if request.topics.is_empty() {
            return self.image.topics_from(from).map(|topic| topic.name.clone()).collect();
        }
        request.topics.iter().map(|topic| topic.name.clone()).filter(|name| name >= from).collect()
    }

    fn topic(&self, topic: &Topic, shown: &[i32]) -> DescribeTopicPartitionsResponseTopic {
        DescribeTopicPartitionsResponseTopic {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: is_internal(&topic.name),
            partitions: shown.iter().map(|index| self.partition(*index, &topic.partitions[index])).collect(),
            topic_authorized_operations: authorized::on_topic(true),
            ..DescribeTopicPartitionsResponseTopic::default()
        }
    }

    fn partition(
        &self,
        partition_index: i32,
        partition: &Partition,
    ) -> DescribeTopicPartitionsResponsePartition {
        let reachable = |id: &BrokerId| {
            let broker = self.image.broker(*id);
            broker.is_some_and(|broker| broker.is_alive() && broker.endpoint(&self.call.listener).is_some())
        };
        let leader = partition.leader.filter(|leader| reachable(leader));
        let error = if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
        let numbers = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
        DescribeTopicPartitionsResponsePartition {
            error_code: error.code(),
            partition_index,
            leader_id: leader.map_or(-1, |leader| leader.0),
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: numbers(&partition.replicas),
            isr_nodes: numbers(&partition.isr),
            eligible_leader_replicas: Some(numbers(&partition.elr)),
            last_known_elr: Some(numbers(&partition.last_known_elr)),
            offline_replicas: partition.replicas.iter().filter(|id| !reachable(id)).map(|id| id.0).collect(),
            ..DescribeTopicPartitionsResponsePartition::default()
        }
    }
}

fn cursor(topic: &ByteString, partition_index: i32) -> Cursor {
    Cursor { topic_name: topic.clone(), partition_index, ..Cursor::default() }
}

fn unknown(name: &ByteString) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: super::topics::unknown_name(name).code(),
        name: Some(name.clone()),
        is_internal: is_internal(name),
        topic_authorized_operations: authorized::on_topic(true),
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}
