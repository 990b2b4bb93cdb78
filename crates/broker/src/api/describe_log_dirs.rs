//! DescribeLogDirs (35): log directories with their sizes and partitions (KIP-113).
//!
//! Versions: 2 flexible · 3 top-level error · 4 disk sizes (KIP-827) · 5 cordoned directories (KIP-1066).

use super::call::{Call, Handled};
use super::table::Entry;
use crate::node::log_dirs::{LogDirUsage, LogDirs};
use crate::node::partition::Partition;
use crate::node::partitions::Partitions;
use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_protocol::{ApiKey, ByteString, ErrorCode};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::DescribeLogDirs,
    handle: |parts, call| handle(call, &parts.partitions, &parts.log_dirs),
};

fn handle(call: &Call, partitions: &Partitions, log_dirs: &LogDirs) -> Handled {
    let request: DescribeLogDirsRequest = call.decode()?;
    let asked = |partition: &Partition| match &request.topics {
        None => true,
        Some(topics) => topics
            .iter()
            .any(|topic| topic.topic == partition.topic && topic.partitions.contains(&partition.index)),
    };
    let wanted: Vec<Arc<Partition>> =
        partitions.all_with_logs().into_iter().filter(|partition| asked(partition)).collect();
    let results = log_dirs.usage().into_iter().map(|dir| result(dir, &wanted)).collect();
    call.reply(&DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() })
}

fn result(dir: LogDirUsage, wanted: &[Arc<Partition>]) -> DescribeLogDirsResult {
    let log_dir = dir.path.into();
    if !dir.is_online {
        let error_code = ErrorCode::KafkaStorageError.code();
        return DescribeLogDirsResult { error_code, log_dir, ..DescribeLogDirsResult::default() };
    }
    let mut topics: BTreeMap<ByteString, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in wanted.iter().filter(|partition| partition.dir().index() == dir.index) {
        topics.entry(partition.topic.clone()).or_default().push(DescribeLogDirsPartition {
            partition_index: partition.index,
            partition_size: i64::try_from(partition.size_bytes()).unwrap_or(i64::MAX),
            // This broker leads: it lags behind nobody.
            offset_lag: 0,
            ..DescribeLogDirsPartition::default()
        });
    }
    let topic = |(name, mut partitions): (ByteString, Vec<DescribeLogDirsPartition>)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name, partitions, ..DescribeLogDirsTopic::default() }
    };
    DescribeLogDirsResult {
        log_dir,
        topics: topics.into_iter().map(topic).collect(),
        total_bytes: dir.total_bytes,
        usable_bytes: dir.usable_bytes,
        is_cordoned: dir.is_cordoned,
        ..DescribeLogDirsResult::default()
    }
}
