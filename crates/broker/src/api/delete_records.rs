//! DeleteRecords (21): moves the start of partitions forward (KIP-107).
//!
//! Versions: 2 flexible.

use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::{find_by_name, is_internal};
use crate::node::images::Images;
use crate::node::partitions::Partitions;
use ottla_metadata::Image;
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use ottla_protocol::{ApiKey, ErrorCode, Offset};

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::DeleteRecords,
    handle: |parts, call| handle(call, &parts.images, &parts.partitions),
};

fn handle(call: &Call, images: &Images, partitions: &Partitions) -> Handled {
    let request: DeleteRecordsRequest = call.decode()?;
    let image = images.current();
    let topic = |topic: &DeleteRecordsTopic| DeleteRecordsTopicResult {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| delete(&topic.name, asked, &image, partitions))
            .collect(),
        ..DeleteRecordsTopicResult::default()
    };
    call.reply(&DeleteRecordsResponse {
        topics: request.topics.iter().map(topic).collect(),
        ..DeleteRecordsResponse::default()
    })
}

fn delete(
    topic: &str,
    asked: &DeleteRecordsPartition,
    image: &Image,
    partitions: &Partitions,
) -> DeleteRecordsPartitionResult {
    let deleted = if is_internal(topic) {
        Err(ErrorCode::InvalidTopicException)
    } else {
        find_by_name(image, partitions, topic, asked.partition_index)
            .and_then(|partition| partition.delete_records(Offset(asked.offset)))
    };
    DeleteRecordsPartitionResult {
        partition_index: asked.partition_index,
        low_watermark: deleted.map_or(-1, |low_watermark| low_watermark.0),
        error_code: deleted.err().unwrap_or(ErrorCode::None).code(),
        ..DeleteRecordsPartitionResult::default()
    }
}
