//! `--describe`: collects what is printed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::group_ids;
use super::show::{self, OffsetRow};
use crate::admin::{Admin, Committed, ConsumerGroup, LATEST, Member, TopicPartition};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::{MapSize, hash_map_order, topic_partition_hash};
use crate::options::Arguments;

/// What is printed of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    Offsets,
    Members,
    State,
}

/// Prints offsets, members or states, group by group.
pub(super) async fn run(arguments: &Arguments, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let ids = group_ids(arguments, admin).await?;
    let aspect = if arguments.has("members") {
        Aspect::Members
    } else if arguments.has("state") {
        Aspect::State
    } else {
        Aspect::Offsets
    };
    print(&ids, aspect, arguments.has("verbose"), admin, cx).await
}

/// Prints an aspect of groups, by their ids.
pub(crate) async fn print(
    ids: &[String],
    aspect: Aspect,
    verbose: bool,
    admin: &Admin,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let mut groups: BTreeMap<String, ConsumerGroup> = BTreeMap::new();
    for (id, group) in admin.describe_consumer_groups(ids).await? {
        groups.insert(id, group.map_err(Exception::execution)?);
    }
    match aspect {
        Aspect::Members => groups.values().try_for_each(|group| show::members(group, verbose, cx)),
        Aspect::State => groups.values().try_for_each(|group| show::state(group, verbose, cx)),
        Aspect::Offsets => {
            let mut collected = Vec::new();
            for group in groups.values() {
                collected.push((group, offset_rows(group, admin).await?));
            }
            collected.iter().try_for_each(|(group, rows)| show::offsets(group, rows, verbose, cx))
        }
    }
}

/// The partitions of members, those with most partitions first, and then what else the group has committed.
async fn offset_rows(group: &ConsumerGroup, admin: &Admin) -> Result<Vec<OffsetRow>, Exception> {
    let wrap = |error: Exception| error.execution().wrapped("java.lang.RuntimeException");
    let committed = admin.committed_offsets(&group.id).await.map_err(wrap)?;
    let mut members: Vec<&Member> =
        group.members.iter().filter(|member| !member.assignment.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assignment.len()));
    let assigned: BTreeSet<&TopicPartition> = members.iter().flat_map(|member| &member.assignment).collect();
    let unassigned: Vec<TopicPartition> =
        committed.iter().map(|(partition, _)| partition).filter(|p| !assigned.contains(p)).cloned().collect();

    let committed: HashMap<TopicPartition, Option<Committed>> = committed.iter().cloned().collect();
    let all: Vec<TopicPartition> = assigned.into_iter().cloned().chain(unassigned.iter().cloned()).collect();
    let ends = log_ends(&all, admin).await?;
    let rows = |partitions: &[TopicPartition], member: [&str; 3]| {
        let mut partitions = partitions.to_vec();
        partitions.sort();
        partitions.dedup();
        let row = |partition: TopicPartition| OffsetRow {
            committed: committed.get(&partition).copied().flatten(),
            log_end: ends.get(&partition).copied(),
            partition,
            member: member.map(str::to_string),
        };
        partitions.into_iter().map(row).collect::<Vec<_>>()
    };
    let mut all_rows = Vec::new();
    for member in members {
        all_rows.extend(rows(&member.assignment, [&member.id, &member.host, &member.client_id]));
    }
    if !unassigned.is_empty() {
        all_rows.extend(rows(&unassigned, ["-"; 3]));
    }
    Ok(all_rows)
}

/// The ends of the logs of those partitions that have a leader.
async fn log_ends(
    partitions: &[TopicPartition],
    admin: &Admin,
) -> Result<BTreeMap<TopicPartition, i64>, Exception> {
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let leaderless = leaderless(partitions, admin).await?;
    let with_leader: Vec<(TopicPartition, i64)> = partitions
        .iter()
        .filter(|partition| !leaderless.contains(partition))
        .map(|partition| (partition.clone(), LATEST))
        .collect();
    let wrap = |error: Exception| error.execution().wrapped("java.lang.RuntimeException");
    let offsets = admin.list_offsets(&with_leader).await.map_err(wrap)?;
    Ok(offsets.into_iter().map(|(partition, found)| (partition, found.offset.unwrap_or(-1))).collect())
}

/// Those of the partitions that have no leader. All topics must exist.
pub(super) async fn leaderless(
    partitions: &[TopicPartition],
    admin: &Admin,
) -> Result<Vec<TopicPartition>, Exception> {
    let wrap = |error: Exception| error.execution().wrapped("java.lang.RuntimeException");
    let topics: BTreeSet<String> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let described = admin.describe_topics(&topics, 2000).await.map_err(wrap)?;
    let leaderless = described.iter().flat_map(|topic| {
        let without = topic.partitions.iter().filter(|partition| partition.leader.is_none());
        without.map(|partition| (topic.name.clone(), partition.index))
    });
    let leaderless: Vec<TopicPartition> =
        leaderless.filter(|partition| partitions.contains(partition)).collect();
    Ok(hash_map_order(leaderless, MapSize::Default, |(topic, partition)| {
        topic_partition_hash(topic, *partition)
    }))
}
