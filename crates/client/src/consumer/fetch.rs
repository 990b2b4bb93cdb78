//! Fetch requests and where partitions begin.

use super::config::{ConsumerConfig, IsolationLevel, OffsetReset};
use super::positions::{Position, Work};
use crate::clock::now_ms;
use crate::offsets::{EARLIEST, LATEST};
use crate::pool::Purpose;
use crate::{Client, Error, Metadata, Result, TopicPartition};
use bytestring::ByteString;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::{ApiKey, BrokerId, TopicId};
use std::collections::BTreeMap;

/// From this version on topics go by id (KIP-516).
const TOPIC_IDS: i16 = 13;
/// Says that there is no fetch session, and that none is wanted (KIP-227).
const NO_SESSION_EPOCH: i32 = -1;

/// Asks one leader for records of these partitions.
pub(super) async fn fetch(
    client: Client,
    leader: BrokerId,
    config: std::sync::Arc<ConsumerConfig>,
    wanted: Vec<Work<i64>>,
) -> Result<FetchResponse> {
    let connection = client.broker_for(leader, Purpose::Fetch).await?;
    let known = client.known();
    let all_have_ids =
        wanted.iter().all(|(partition, ..)| topic_id(&known, &partition.topic) != TopicId::ZERO);
    let most = if all_have_ids { i16::MAX } else { TOPIC_IDS - 1 };
    let version = connection.version_up_to(ApiKey::Fetch, most)?;
    connection.send_at(version, &fetch_request(version, &config, &known, &wanted)).await
}

fn topic_id(known: &Metadata, topic: &ByteString) -> TopicId {
    known.topics.get(&**topic).map_or(TopicId::ZERO, |topic| topic.id)
}

fn fetch_request(
    version: i16,
    config: &ConsumerConfig,
    known: &Metadata,
    wanted: &[Work<i64>],
) -> FetchRequest {
    let mut topics: BTreeMap<&ByteString, Vec<FetchPartition>> = BTreeMap::new();
    for (partition, _, offset) in wanted {
        let topic = known.topics.get(&*partition.topic);
        let epoch = topic.and_then(|topic| topic.partition(partition.partition)).map(|p| p.leader_epoch.0);
        topics.entry(&partition.topic).or_default().push(FetchPartition {
            partition: partition.partition,
            current_leader_epoch: epoch.unwrap_or(-1),
            fetch_offset: *offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: config.max_partition_fetch_bytes,
            ..FetchPartition::default()
        });
    }
    let topics = topics.into_iter().map(|(name, partitions)| FetchTopic {
        topic: if version < TOPIC_IDS { name.clone() } else { ByteString::new() },
        topic_id: if version < TOPIC_IDS { TopicId::ZERO } else { topic_id(known, name) },
        partitions,
        ..FetchTopic::default()
    });
    FetchRequest {
        replica_id: -1,
        max_wait_ms: i32::try_from(config.fetch_max_wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: config.fetch_min_bytes,
        max_bytes: config.fetch_max_bytes,
        isolation_level: config.isolation_level as i8,
        session_epoch: NO_SESSION_EPOCH,
        topics: topics.collect(),
        ..FetchRequest::default()
    }
}

/// The name of a topic in an answer.
pub(super) fn topic_name(known: &Metadata, name: &ByteString, id: TopicId) -> Option<ByteString> {
    if !name.is_empty() {
        return Some(name.clone());
    }
    let found = known.topics.values().find(|topic| topic.id == id)?;
    Some(found.name.as_str().into())
}

/// Finds the offsets to begin at: the group's where it has one, else by `auto.offset.reset`.
pub(super) async fn resolve(
    client: Client,
    group_id: Option<String>,
    policy: OffsetReset,
    isolation_level: IsolationLevel,
    wanted: Vec<Work<Position>>,
) -> Result<Vec<Work<i64>>> {
    let unknown: Vec<TopicPartition> = wanted
        .iter()
        .filter(|(_, _, position)| *position == Position::Committed)
        .map(|(partition, ..)| partition.clone())
        .collect();
    let mut offsets: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    if let Some(group_id) = group_id.filter(|_| !unknown.is_empty()) {
        let committed = client.committed(&group_id, Some(&unknown)).await?;
        offsets.extend(committed.into_iter().map(|(partition, committed)| (partition, committed.offset)));
    }
    let mut resets = Vec::new();
    for (partition, _, position) in &wanted {
        let reset = match position {
            Position::At(_) => continue,
            Position::Committed if offsets.contains_key(partition) => continue,
            Position::Committed => policy,
            Position::Reset(reset) => *reset,
        };
        resets.push((partition.clone(), timestamp(partition, reset)?));
    }
    if !resets.is_empty() {
        offsets.extend(list(&client, &resets, isolation_level).await?);
        // Nothing is that young: begin behind the last record.
        let none_found = resets.into_iter().filter(|(partition, _)| offsets.get(partition) == Some(&-1));
        let ends: Vec<(TopicPartition, i64)> = none_found.map(|(partition, _)| (partition, LATEST)).collect();
        if !ends.is_empty() {
            offsets.extend(list(&client, &ends, isolation_level).await?);
        }
    }
    let found = |(partition, stamp, _): Work<Position>| {
        offsets.get(&partition).map(|&offset| (partition, stamp, offset))
    };
    Ok(wanted.into_iter().filter_map(found).collect())
}

async fn list(
    client: &Client,
    wanted: &[(TopicPartition, i64)],
    isolation_level: IsolationLevel,
) -> Result<impl Iterator<Item = (TopicPartition, i64)> + use<>> {
    let listed = client.list_offsets(wanted, isolation_level).await?;
    Ok(listed.into_iter().map(|(partition, listed)| (partition, listed.offset)))
}

fn timestamp(partition: &TopicPartition, reset: OffsetReset) -> Result<i64> {
    match reset {
        OffsetReset::Earliest => Ok(EARLIEST),
        OffsetReset::Latest => Ok(LATEST),
        OffsetReset::ByDuration(duration) => {
            Ok(now_ms().saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)).max(0))
        }
        OffsetReset::None => Err(Error::State(format!(
            "there is no offset to begin at in {partition} and auto.offset.reset is none: \
             commit one, seek, or set it to earliest or latest"
        ))),
    }
}
