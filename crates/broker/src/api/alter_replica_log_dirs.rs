//! AlterReplicaLogDirs (34): moves partitions to other log directories of this broker, or says where those to come shall
//! be (KIP-113).
//!
//! Versions: 2 flexible.

use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::find_by_name;
use crate::node::images::Images;
use crate::node::partitions::Partitions;
use crate::node::relocations::Relocations;
use ottla_log::TopicPartition;
use ottla_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use ottla_protocol::{ApiKey, ByteString, ErrorCode};
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::AlterReplicaLogDirs,
    handle: |parts, call| handle(call, &parts.images, &parts.partitions, &parts.relocations),
};

fn handle(call: &Call, images: &Images, partitions: &Partitions, relocations: &Relocations) -> Handled {
    let request: AlterReplicaLogDirsRequest = call.decode()?;
    let image = images.current();
    let mut results: BTreeMap<ByteString, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
    for ((topic, index), path) in wishes(&request) {
        let partition = find_by_name(&image, partitions, &topic, index);
        let altered = relocations.alter(&TopicPartition::new(&*topic, index), partition, &path);
        results.entry(topic).or_default().push(AlterReplicaLogDirPartitionResult {
            partition_index: index,
            error_code: altered.err().unwrap_or(ErrorCode::None).code(),
            ..AlterReplicaLogDirPartitionResult::default()
        });
    }
    let result = |(topic_name, partitions)| AlterReplicaLogDirTopicResult {
        topic_name,
        partitions,
        ..AlterReplicaLogDirTopicResult::default()
    };
    call.reply(&AlterReplicaLogDirsResponse {
        results: results.into_iter().map(result).collect(),
        ..AlterReplicaLogDirsResponse::default()
    })
}

/// Each partition once: what is said of it last counts.
fn wishes(request: &AlterReplicaLogDirsRequest) -> BTreeMap<(ByteString, i32), ByteString> {
    let mut wishes = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for index in &topic.partitions {
                wishes.insert((topic.name.clone(), *index), dir.path.clone());
            }
        }
    }
    wishes
}
