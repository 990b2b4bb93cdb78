//! Offsets: what a partition has, and what a group has committed.

use crate::client::CoordinatorKind;
use crate::consumer::IsolationLevel;
use crate::pool::Purpose;
use crate::{Client, Connection, Error, Result, TopicPartition};
use bytestring::ByteString;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{
    ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetFetchResponse,
};
use ottla_protocol::{ApiKey, BrokerId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Asks for the offset after the last record.
pub const LATEST: i64 = -1;
/// Asks for the offset of the first record.
pub const EARLIEST: i64 = -2;

/// Versions from 10 on name topics by id; by name is what these need.
const BY_NAME: i16 = 9;

/// An offset that ListOffsets found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; -1 if there is no record that late.
    pub offset: i64,
    /// The timestamp of that record, or -1.
    pub timestamp: i64,
    /// The epoch of the leader that appended it, or -1.
    pub leader_epoch: i32,
}

/// An offset that a group has committed for a partition: that of the next record to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// The epoch of the leader that appended the record before, or -1.
    pub leader_epoch: i32,
    /// Whatever the committer wanted to remember.
    pub metadata: String,
}

/// Who commits: a member of a group in a generation, or somebody outside while the group is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committer {
    /// The group.
    pub group_id: ByteString,
    /// The generation, or -1 from outside.
    pub generation: i32,
    /// The member's id, or empty.
    pub member_id: ByteString,
    /// `group.instance.id`.
    pub instance_id: Option<ByteString>,
}

impl Committer {
    /// Somebody who is no member.
    pub fn outside(group_id: impl Into<ByteString>) -> Committer {
        Committer {
            group_id: group_id.into(),
            generation: -1,
            member_id: ByteString::new(),
            instance_id: None,
        }
    }
}

impl Client {
    /// The first offset of each partition whose record is not older than a time (milliseconds since 1970, or
    /// [`EARLIEST`], [`LATEST`] …), from the partitions' leaders.
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, i64)],
        isolation_level: IsolationLevel,
    ) -> Result<BTreeMap<TopicPartition, ListedOffset>> {
        self.retry(|| async {
            let found = self.list_offsets_once(wanted, isolation_level).await;
            // Somebody else may lead by now.
            found
                .inspect_err(|_| wanted.iter().for_each(|(partition, _)| self.forget_topic(&partition.topic)))
        })
        .await
    }

    async fn list_offsets_once(
        &self,
        wanted: &[(TopicPartition, i64)],
        isolation_level: IsolationLevel,
    ) -> Result<BTreeMap<TopicPartition, ListedOffset>> {
        let mut found = BTreeMap::new();
        for (leader, wanted) in self.by_leader(wanted).await? {
            let leader = self.broker(leader).await?;
            found.extend(list_offsets_at(&leader, &wanted, isolation_level).await?);
        }
        Ok(found)
    }

    async fn by_leader<T: Clone>(
        &self,
        wanted: &[(TopicPartition, T)],
    ) -> Result<BTreeMap<BrokerId, Vec<(TopicPartition, T)>>> {
        let mut by_leader: BTreeMap<BrokerId, Vec<(TopicPartition, T)>> = BTreeMap::new();
        for (partition, what) in wanted {
            let topic = self.topic(&partition.topic).await?;
            match topic.partition(partition.partition).and_then(|known| known.leader) {
                Some(leader) => by_leader.entry(leader).or_default().push((partition.clone(), what.clone())),
                None => {
                    return Err(Error::Unavailable(format!(
                        "partition {partition} has no leader at the moment"
                    )));
                }
            }
        }
        Ok(by_leader)
    }

    /// What a group has committed for these partitions, or for all that it ever committed for. Partitions without an
    /// offset are left out.
    pub async fn committed(
        &self,
        group_id: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Committed>> {
        self.retry(|| async {
            let found = self.committed_once(group_id, partitions).await;
            found.inspect_err(|_| self.forget_group(group_id))
        })
        .await
    }

    async fn committed_once(
        &self,
        group_id: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Committed>> {
        let coordinator = self.group_coordinator(group_id).await?;
        let version = coordinator.version_up_to(ApiKey::OffsetFetch, BY_NAME)?;
        let response = coordinator.send_at(version, &offset_fetch(version, group_id, partitions)).await?;
        read_committed_offsets(group_id, response)
    }

    /// Commits offsets for a group.
    pub async fn commit(
        &self,
        committer: &Committer,
        offsets: &BTreeMap<TopicPartition, Committed>,
    ) -> Result<()> {
        self.retry(|| self.commit_once(committer, offsets)).await
    }

    /// The same without retries.
    pub(crate) async fn commit_once(
        &self,
        committer: &Committer,
        offsets: &BTreeMap<TopicPartition, Committed>,
    ) -> Result<()> {
        let committed = self.try_commit(committer, offsets).await;
        committed.inspect_err(|error| {
            if error.is_retriable() {
                self.forget_group(&committer.group_id);
            }
        })
    }

    async fn try_commit(
        &self,
        committer: &Committer,
        offsets: &BTreeMap<TopicPartition, Committed>,
    ) -> Result<()> {
        let coordinator = self.group_coordinator(&committer.group_id).await?;
        let version = coordinator.version_up_to(ApiKey::OffsetCommit, BY_NAME)?;
        let response = coordinator.send_at(version, &offset_commit(committer, offsets)).await?;
        for topic in &response.topics {
            for partition in &topic.partitions {
                let about = || {
                    let (group, name, number) = (&committer.group_id, &topic.name, partition.partition_index);
                    format!("committing for group {group} on {name}-{number}")
                };
                Error::check(partition.error_code, about, None)?;
            }
        }
        Ok(())
    }

    pub(crate) async fn group_coordinator(&self, group_id: &str) -> Result<Arc<Connection>> {
        self.coordinator_for(CoordinatorKind::Group, group_id, Purpose::Group).await
    }

    pub(crate) fn forget_group(&self, group_id: &str) {
        self.forget(&crate::Target::group(group_id));
    }
}

fn by_topic<T>(
    partitions: impl IntoIterator<Item = (TopicPartition, T)>,
) -> impl Iterator<Item = (ByteString, Vec<(i32, T)>)> {
    let mut topics: BTreeMap<ByteString, Vec<(i32, T)>> = BTreeMap::new();
    for (partition, what) in partitions {
        topics.entry(partition.topic).or_default().push((partition.partition, what));
    }
    topics.into_iter()
}

async fn list_offsets_at(
    leader: &Connection,
    wanted: &[(TopicPartition, i64)],
    isolation_level: IsolationLevel,
) -> Result<BTreeMap<TopicPartition, ListedOffset>> {
    let topics = by_topic(wanted.iter().cloned()).map(|(name, partitions)| ListOffsetsTopic {
        name,
        partitions: partitions
            .into_iter()
            .map(|(partition_index, timestamp)| ListOffsetsPartition {
                partition_index,
                timestamp,
                current_leader_epoch: -1,
                ..ListOffsetsPartition::default()
            })
            .collect(),
        ..ListOffsetsTopic::default()
    });
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: isolation_level as i8,
        topics: topics.collect(),
        ..ListOffsetsRequest::default()
    };
    let response = leader.send(&request).await?;
    let mut found = BTreeMap::new();
    for topic in response.topics {
        for answer in topic.partitions {
            let partition = TopicPartition::new(topic.name.clone(), answer.partition_index);
            Error::check(answer.error_code, || format!("offsets of {partition}"), None)?;
            let (offset, timestamp) = (answer.offset, answer.timestamp);
            found.insert(partition, ListedOffset { offset, timestamp, leader_epoch: answer.leader_epoch });
        }
    }
    Ok(found)
}

fn offset_commit(
    committer: &Committer,
    offsets: &BTreeMap<TopicPartition, Committed>,
) -> OffsetCommitRequest {
    let offsets = offsets.iter().map(|(partition, committed)| (partition.clone(), committed));
    let topics = by_topic(offsets).map(|(name, partitions)| OffsetCommitRequestTopic {
        name,
        partitions: partitions
            .into_iter()
            .map(|(partition_index, committed)| OffsetCommitRequestPartition {
                partition_index,
                committed_offset: committed.offset,
                committed_leader_epoch: committed.leader_epoch,
                committed_metadata: Some(committed.metadata.as_str().into()),
                ..OffsetCommitRequestPartition::default()
            })
            .collect(),
        ..OffsetCommitRequestTopic::default()
    });
    OffsetCommitRequest {
        group_id: committer.group_id.clone(),
        generation_id_or_member_epoch: committer.generation,
        member_id: committer.member_id.clone(),
        group_instance_id: committer.instance_id.clone(),
        topics: topics.collect(),
        ..OffsetCommitRequest::default()
    }
}

fn offset_fetch(version: i16, group_id: &str, partitions: Option<&[TopicPartition]>) -> OffsetFetchRequest {
    let topics = partitions.map(|partitions| {
        let numbers = |(name, numbers): (ByteString, Vec<(i32, ())>)| {
            (name, numbers.into_iter().map(|(number, ())| number).collect::<Vec<i32>>())
        };
        by_topic(partitions.iter().cloned().map(|partition| (partition, ()))).map(numbers)
    });
    // Offsets of transactions that are still open are waited for.
    let request = OffsetFetchRequest { require_stable: version >= 7, ..OffsetFetchRequest::default() };
    if version < 8 {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic {
            name,
            partition_indexes,
            ..OffsetFetchRequestTopic::default()
        };
        return OffsetFetchRequest {
            group_id: group_id.into(),
            topics: topics.map(|topics| topics.map(topic).collect()),
            ..request
        };
    }
    let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
        name,
        partition_indexes,
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: group_id.into(),
        member_id: None,
        member_epoch: -1,
        topics: topics.map(|topics| topics.map(topic).collect()),
        ..OffsetFetchRequestGroup::default()
    };
    OffsetFetchRequest { groups: vec![group], ..request }
}

fn read_committed_offsets(
    group_id: &str,
    response: OffsetFetchResponse,
) -> Result<BTreeMap<TopicPartition, Committed>> {
    let about = || format!("offsets of group {group_id}");
    Error::check(response.error_code, about, None)?;
    let mut found = BTreeMap::new();
    let mut take =
        |topic: &ByteString, number: i32, code: i16, offset: i64, epoch: i32, text: Option<ByteString>| {
            let partition = TopicPartition::new(topic.clone(), number);
            Error::check(code, || format!("{} on {partition}", about()), None)?;
            if offset >= 0 {
                let metadata = text.map(|text| text.to_string()).unwrap_or_default();
                found.insert(partition, Committed { offset, leader_epoch: epoch, metadata });
            }
            Ok(())
        };
    for topic in response.topics {
        for p in topic.partitions {
            let epoch = p.committed_leader_epoch;
            take(&topic.name, p.partition_index, p.error_code, p.committed_offset, epoch, p.metadata)?;
        }
    }
    for group in response.groups {
        Error::check(group.error_code, about, None)?;
        for topic in group.topics {
            for p in topic.partitions {
                let epoch = p.committed_leader_epoch;
                take(&topic.name, p.partition_index, p.error_code, p.committed_offset, epoch, p.metadata)?;
            }
        }
    }
    Ok(found)
}
