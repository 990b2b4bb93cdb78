//! DescribeLogDirs (35): log directories with their sizes and partitions (KIP-113).
//!
//! Versions: 2 flexible · 3 top-level error · 4 disk sizes (KIP-827) · 5 cordoned directories (KIP-1066).

use super::call::{Call, Handled};
use super::table::Entry;
use crate::node::log_dirs::{LogDirUsage, LogDirs};
use crate::node::partitions::{LogUsage, Partitions};
use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_protocol::{ApiKey, ByteString, ErrorCode};
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::DescribeLogDirs,
    handle: |parts, call| handle(call, &parts.partitions, &parts.log_dirs),
};

fn handle(call: &Call, partitions: &Partitions, log_dirs: &LogDirs) -> Handled {
    let request: DescribeLogDirsRequest = call.decode()?;
    let is_asked = |topic: &str, index: i32| match &request.topics {
        None => true,
        Some(topics) => topics.iter().any(|one| one.topic == topic && one.partitions.contains(&index)),
    };
    let logs = partitions.log_usages(is_asked);
    let results = log_dirs.usage().into_iter().map(|dir| result(dir, &logs)).collect();
    call.reply(&DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() })
}

fn result(dir: LogDirUsage, logs: &[LogUsage]) -> DescribeLogDirsResult {
    let log_dir = dir.path.into();
    if !dir.is_online {
        let error_code = ErrorCode::KafkaStorageError.code();
        return DescribeLogDirsResult { error_code, log_dir, ..DescribeLogDirsResult::default() };
    }
    let mut topics: BTreeMap<ByteString, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in logs.iter().filter(|log| log.dir == dir.index) {
        topics.entry(log.topic.clone()).or_default().push(DescribeLogDirsPartition {
            partition_index: log.index,
            partition_size: i64::try_from(log.size).unwrap_or(i64::MAX),
            offset_lag: log.offset_lag,
            is_future_key: log.is_future,
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
