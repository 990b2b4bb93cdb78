//! Offsets: those that logs have and those that groups committed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ottla_client::Target;
use ottla_protocol::codec::Request;
use ottla_protocol::messages::{
    DeleteRecordsRequest, ListOffsetsRequest, ListOffsetsResponse, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, delete_records_request, list_offsets_request, offset_commit_request,
    offset_delete_request, offset_fetch_request,
};
use ottla_protocol::{BrokerId, ErrorCode};

use super::{Admin, check, retriable};
use crate::failure::Exception;
use crate::java::{MapSize, hash_map_order, topic_partition_hash};

/// A topic's name and a partition's number.
pub(crate) type TopicPartition = (String, i32);

/// Asks for the end of the log.
pub(crate) const LATEST: i64 = -1;
/// Asks for its start.
pub(crate) const EARLIEST: i64 = -2;

/// What a group committed for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: Option<i32>,
}

/// An offset of a log. Asked for by time, it is absent if no record is that young.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogOffset {
    pub(crate) offset: Option<i64>,
}

/// The newest versions that name topics; later ones have only their ids, which a deleted topic no longer has.
const COMMIT_BY_NAME: i16 = 9;
const FETCH_BY_NAME: i16 = 9;

impl Admin {
    /// All that a group committed, in the order in which Kafka's client has it. `None`: the partition is known to the
    /// group, but nothing is committed.
    pub(crate) async fn committed_offsets(
        &self,
        group: &str,
    ) -> Result<Vec<(TopicPartition, Option<Committed>)>, Exception> {
        let response = self
            .ask_group(
                group,
                "listConsumerGroupOffsets",
                FETCH_BY_NAME,
                |version| fetch_all(group, version),
                |response: &ottla_protocol::messages::OffsetFetchResponse| {
                    retriable(response.error_code, group)?;
                    response.groups.iter().try_for_each(|group| retriable(group.error_code, &group.group_id))
                },
            )
            .await?;
        check(response.error_code, None)?;
        let mut offsets = Vec::new();
        let mut push = |topic: &str, partition: i32, offset: i64, epoch: i32, code: i16| {
            if code == ErrorCode::None.code() {
                let committed = Committed { offset, leader_epoch: (epoch >= 0).then_some(epoch) };
                offsets.push(((topic.to_string(), partition), (offset >= 0).then_some(committed)));
            }
        };
        for topic in &response.topics {
            for p in &topic.partitions {
                push(
                    &topic.name,
                    p.partition_index,
                    p.committed_offset,
                    p.committed_leader_epoch,
                    p.error_code,
                );
            }
        }
        for group in &response.groups {
            check(group.error_code, None)?;
            for topic in &group.topics {
                for p in &topic.partitions {
                    push(
                        &topic.name,
                        p.partition_index,
                        p.committed_offset,
                        p.committed_leader_epoch,
                        p.error_code,
                    );
                }
            }
        }
        Ok(in_map_order(offsets))
    }

    /// Commits offsets for a group that has no members.
    pub(crate) async fn commit_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), Exception> {
        let mut topics: BTreeMap<&str, Vec<offset_commit_request::OffsetCommitRequestPartition>> =
            BTreeMap::new();
        for ((topic, partition), offset) in offsets {
            topics.entry(topic).or_default().push(offset_commit_request::OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                committed_leader_epoch: -1,
                committed_metadata: Some("".into()),
                ..Default::default()
            });
        }
        let topics =
            topics.into_iter().map(|(name, partitions)| offset_commit_request::OffsetCommitRequestTopic {
                name: name.into(),
                partitions,
                ..Default::default()
            });
        let request =
            OffsetCommitRequest { group_id: group.into(), topics: topics.collect(), ..Default::default() };
        let response = self
            .ask_group(
                group,
                "offsetCommit",
                COMMIT_BY_NAME,
                |_| request.clone(),
                |response: &ottla_protocol::messages::OffsetCommitResponse| {
                    let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
                    partitions.try_for_each(|partition| retriable(partition.error_code, group))
                },
            )
            .await?;
        let results = response.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|p| ((topic.name.to_string(), p.partition_index), p.error_code))
        });
        let failed: Vec<(TopicPartition, i16)> =
            in_map_order(results.filter(|(_, code)| *code != 0).collect());
        let Some((_, code)) = failed.first() else { return Ok(()) };
        let names: Vec<String> =
            failed.iter().map(|((topic, partition), _)| format!("{topic}-{partition}")).collect();
        let text =
            format!("Failed altering group offsets for the following partitions: [{}]", names.join(", "));
        check(*code, Some(&text))
    }

    /// Makes a group forget what it committed for these partitions, each with what went wrong; or what went wrong with
    /// all of it.
    pub(crate) async fn delete_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Result<(), Exception>)>, Exception> {
        let mut topics: BTreeMap<&str, Vec<offset_delete_request::OffsetDeleteRequestPartition>> =
            BTreeMap::new();
        for (topic, partition) in partitions {
            topics
                .entry(topic)
                .or_default()
                .push(offset_delete_request::OffsetDeleteRequestPartition { partition_index: *partition });
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            offset_delete_request::OffsetDeleteRequestTopic { name: name.into(), partitions }
        });
        let request = OffsetDeleteRequest { group_id: group.into(), topics: topics.collect() };
        let response = self
            .ask_group(
                group,
                "offsetDelete",
                i16::MAX,
                |_| request.clone(),
                |response: &ottla_protocol::messages::OffsetDeleteResponse| {
                    retriable(response.error_code, group)
                },
            )
            .await?;
        check(response.error_code, None)?;
        let results = response.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| {
                ((topic.name.to_string(), partition.partition_index), check(partition.error_code, None))
            })
        });
        Ok(results.collect())
    }

    /// Asks a group's coordinator at a version that is not above `most`.
    async fn ask_group<R: Request>(
        &self,
        group: &str,
        call: &str,
        most: i16,
        make: impl Fn(i16) -> R,
        check: impl Fn(&R::Response) -> ottla_client::Result<()>,
    ) -> Result<R::Response, Exception> {
        let target = Target::group(group);
        let attempt = async || {
            let connection = self.client.connection(&target).await?;
            let version = connection.version_up_to(R::KEY, most)?;
            let response = connection.send_at(version, &make(version)).await?;
            check(&response)?;
            Ok(response)
        };
        let answered =
            self.client.retry(async || attempt().await.inspect_err(|_| self.client.forget(&target))).await;
        answered.map_err(|error| Exception::of_client(call, &error))
    }

    /// The offset of each partition at a timestamp, or at one of the special ones; fails with the first that fails.
    pub(crate) async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, i64)],
    ) -> Result<BTreeMap<TopicPartition, LogOffset>, Exception> {
        let found = self.list_offsets_each(wanted).await?;
        found.into_iter().map(|(partition, found)| found.map(|found| (partition, found))).collect()
    }

    /// The same, each with what went wrong. What may be answered later is asked for again.
    pub(crate) async fn list_offsets_each(
        &self,
        wanted: &[(TopicPartition, i64)],
    ) -> Result<BTreeMap<TopicPartition, Result<LogOffset, Exception>>, Exception> {
        let found = RefCell::new(BTreeMap::new());
        let asked = self.client.retry(|| async {
            let missing = |(partition, _): &&(TopicPartition, i64)| !found.borrow().contains_key(partition);
            let missing: Vec<(TopicPartition, i64)> = wanted.iter().filter(missing).cloned().collect();
            for (leader, wanted) in self.by_leader(missing).await? {
                let response = self
                    .client
                    .connection(&Target::Broker(leader))
                    .await?
                    .send(&offsets_request(wanted))
                    .await?;
                take_offsets(response, &mut found.borrow_mut())?;
            }
            Ok(())
        });
        asked.await.map_err(|error| Exception::of_client("listOffsets", &error))?;
        Ok(found.into_inner())
    }

    /// Deletes the records before an offset (-1: all) of each partition. Answers the new start of each log, sorted:
    /// the order of Kafka's client is another in each process.
    pub(crate) async fn delete_records(
        &self,
        wanted: &[(TopicPartition, i64)],
    ) -> Result<Vec<(TopicPartition, Result<i64, Exception>)>, Exception> {
        let call = "deleteRecords";
        let mut results = Vec::new();
        for (partition, offset) in wanted {
            let deleted = self.client.retry(|| self.delete_records_once(partition, *offset)).await;
            results.push((partition.clone(), deleted.map_err(|error| Exception::of_client(call, &error))));
        }
        results.sort_by(|a: &(TopicPartition, _), b| a.0.cmp(&b.0));
        Ok(results)
    }

    async fn delete_records_once(
        &self,
        partition: &TopicPartition,
        offset: i64,
    ) -> ottla_client::Result<i64> {
        let (topic, index) = partition;
        let leaders = self.by_leader(vec![(partition.clone(), offset)]).await;
        // That a topic is unknown may pass, but not while a tool waits for it.
        let leaders = leaders.map_err(|error| match error.code() {
            Some(ErrorCode::UnknownTopicOrPartition) => ottla_client::Error::State(error.to_string()),
            _ => error,
        })?;
        let about = || format!("{topic}-{index}");
        let Some(leader) = leaders.keys().next() else {
            return Err(ottla_client::Error::broker(ErrorCode::LeaderNotAvailable, about()));
        };
        let request = DeleteRecordsRequest {
            topics: vec![delete_records_request::DeleteRecordsTopic {
                name: topic.as_str().into(),
                partitions: vec![delete_records_request::DeleteRecordsPartition {
                    partition_index: *index,
                    offset,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            timeout_ms: 30_000,
            ..Default::default()
        };
        let response = self.client.connection(&Target::Broker(*leader)).await?.send(&request).await?;
        let mut results = response.topics.iter().flat_map(|topic| &topic.partitions);
        match results.next() {
            Some(result) => {
                ottla_client::Error::check(result.error_code, about, None)?;
                Ok(result.low_watermark)
            }
            None => Err(ottla_client::Error::broker(ErrorCode::UnknownServerError, about())),
        }
    }

    /// Partitions by their leaders, as they are now.
    async fn by_leader(
        &self,
        wanted: Vec<(TopicPartition, i64)>,
    ) -> ottla_client::Result<BTreeMap<BrokerId, Vec<(TopicPartition, i64)>>> {
        let mut topics: Vec<&str> = wanted.iter().map(|((topic, _), _)| topic.as_str()).collect();
        topics.sort_unstable();
        topics.dedup();
        let known = self.client.refresh(Some(&topics)).await?;
        let mut by_leader: BTreeMap<BrokerId, Vec<(TopicPartition, i64)>> = BTreeMap::new();
        for (partition, what) in wanted {
            let missing =
                |code| ottla_client::Error::broker(code, format!("{}-{}", partition.0, partition.1));
            let topic = known.topics.get(&partition.0);
            let described = topic.and_then(|topic| topic.partition(partition.1));
            let described = described.ok_or_else(|| missing(ErrorCode::UnknownTopicOrPartition))?;
            let leader = described.leader.ok_or_else(|| missing(ErrorCode::LeaderNotAvailable))?;
            by_leader.entry(leader).or_default().push((partition, what));
        }
        Ok(by_leader)
    }
}

fn offsets_request(wanted: Vec<(TopicPartition, i64)>) -> ListOffsetsRequest {
    let mut topics: BTreeMap<String, Vec<list_offsets_request::ListOffsetsPartition>> = BTreeMap::new();
    for ((topic, partition), timestamp) in wanted {
        topics.entry(topic).or_default().push(list_offsets_request::ListOffsetsPartition {
            partition_index: partition,
            current_leader_epoch: -1,
            timestamp,
            ..Default::default()
        });
    }
    let topics = topics.into_iter().map(|(name, partitions)| list_offsets_request::ListOffsetsTopic {
        name: name.into(),
        partitions,
        ..Default::default()
    });
    ListOffsetsRequest { replica_id: -1, topics: topics.collect(), timeout_ms: 30_000, ..Default::default() }
}

/// Takes the answers that count; the first that may be better later is the error.
fn take_offsets(
    response: ListOffsetsResponse,
    found: &mut BTreeMap<TopicPartition, Result<LogOffset, Exception>>,
) -> ottla_client::Result<()> {
    let mut again = Ok(());
    for topic in &response.topics {
        for answer in &topic.partitions {
            let partition = (topic.name.to_string(), answer.partition_index);
            let code = ErrorCode::from_code(answer.error_code);
            if code.is_retriable() {
                again = Err(ottla_client::Error::broker(code, format!("{}-{}", partition.0, partition.1)));
                continue;
            }
            let offset = LogOffset { offset: (answer.offset >= 0).then_some(answer.offset) };
            found.insert(partition, check(answer.error_code, None).map(|()| offset));
        }
    }
    again
}

fn fetch_all(group: &str, version: i16) -> OffsetFetchRequest {
    const SEVERAL_GROUPS: i16 = 8;
    let mut request = OffsetFetchRequest::default();
    if version >= SEVERAL_GROUPS {
        request.groups.push(offset_fetch_request::OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: None,
            ..Default::default()
        });
    } else {
        request.group_id = group.into();
        request.topics = None;
    }
    request
}

/// The order in which a hash map lists partitions.
pub(crate) fn in_map_order<T>(partitions: Vec<(TopicPartition, T)>) -> Vec<(TopicPartition, T)> {
    hash_map_order(partitions, MapSize::Default, |((topic, partition), _)| {
        topic_partition_hash(topic, *partition)
    })
}
