//! Requests of group members and of those who watch groups.

use anyhow::Result;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, ByteString, Uuid};

use super::Case;
use super::world::{GROUP, TOPIC, World, join_request, sync_request};
use crate::client::body_of;

pub(super) const CASES: &[Case] = &[
    Case { key: ApiKey::ListGroups, variant: "", from: 0, make: list_groups },
    Case { key: ApiKey::ListGroups, variant: "_filtered", from: 4, make: list_groups_filtered },
    Case { key: ApiKey::FindCoordinator, variant: "", from: 0, make: find_coordinator },
    Case { key: ApiKey::OffsetCommit, variant: "", from: 0, make: offset_commit },
    Case { key: ApiKey::OffsetFetch, variant: "", from: 0, make: |w, v| offset_fetch(w, v, false) },
    Case { key: ApiKey::OffsetFetch, variant: "_all", from: 2, make: |w, v| offset_fetch(w, v, true) },
    Case { key: ApiKey::DescribeGroups, variant: "", from: 0, make: describe_groups },
    Case { key: ApiKey::Heartbeat, variant: "", from: 0, make: heartbeat },
    Case { key: ApiKey::JoinGroup, variant: "", from: 0, make: |w, v| join_group(w, v, false) },
    Case { key: ApiKey::JoinGroup, variant: "_static", from: 5, make: |w, v| join_group(w, v, true) },
    Case { key: ApiKey::SyncGroup, variant: "", from: 0, make: sync_group },
    Case { key: ApiKey::LeaveGroup, variant: "", from: 0, make: leave_group },
    Case { key: ApiKey::OffsetDelete, variant: "", from: 0, make: offset_delete },
    Case { key: ApiKey::DeleteGroups, variant: "", from: 0, make: delete_groups },
];

fn list_groups(_: &mut World, version: i16) -> Result<Vec<u8>> {
    body_of(version, &ListGroupsRequest::default())
}

fn list_groups_filtered(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let mut request =
        ListGroupsRequest { states_filter: vec!["Stable".into(), "Empty".into()], ..Default::default() };
    if version >= 5 {
        request.types_filter = vec!["classic".into()];
    }
    body_of(version, &request)
}

fn find_coordinator(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let mut request = FindCoordinatorRequest::default();
    if version >= 4 {
        request.coordinator_keys = vec![GROUP.into(), "another".into()];
    } else {
        request.key = GROUP.into();
    }
    body_of(version, &request)
}

fn commit_request(
    world: &mut World,
    group: &str,
    member: &ByteString,
    version: i16,
) -> Result<OffsetCommitRequest> {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 2,
        committed_leader_epoch: if version >= 6 { 0 } else { -1 },
        committed_metadata: Some("so far".into()),
        ..Default::default()
    };
    let by_id = version >= 10;
    let topic = OffsetCommitRequestTopic {
        name: if by_id { ByteString::new() } else { TOPIC.into() },
        topic_id: if by_id { world.topic_id(TOPIC)? } else { Uuid::ZERO },
        partitions: vec![partition],
        ..Default::default()
    };
    Ok(OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: if member.is_empty() { -1 } else { 1 },
        member_id: member.clone(),
        topics: vec![topic],
        ..Default::default()
    })
}

fn offset_commit(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let member = world.member.clone();
    let request = commit_request(world, GROUP, &member, version)?;
    body_of(version, &request)
}

fn offset_fetch(world: &mut World, version: i16, all: bool) -> Result<Vec<u8>> {
    let mut request = OffsetFetchRequest::default();
    if version < 8 {
        let topic = OffsetFetchRequestTopic {
            name: TOPIC.into(),
            partition_indexes: vec![0, 1],
            ..Default::default()
        };
        request.group_id = GROUP.into();
        request.topics = (!all).then(|| vec![topic]);
    } else {
        let by_id = version >= 10;
        let topic = OffsetFetchRequestTopics {
            name: if by_id { ByteString::new() } else { TOPIC.into() },
            topic_id: if by_id { world.topic_id(TOPIC)? } else { Uuid::ZERO },
            partition_indexes: vec![0, 1],
            ..Default::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: GROUP.into(),
            topics: (!all).then(|| vec![topic]),
            ..Default::default()
        };
        request.groups = vec![group];
    }
    body_of(version, &request)
}

fn describe_groups(_: &mut World, version: i16) -> Result<Vec<u8>> {
    let request = DescribeGroupsRequest {
        groups: vec![GROUP.into(), "no-such-group".into()],
        include_authorized_operations: version >= 3,
        ..Default::default()
    };
    body_of(version, &request)
}

fn heartbeat(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let request = HeartbeatRequest {
        group_id: GROUP.into(),
        generation_id: 1,
        member_id: world.member.clone(),
        ..Default::default()
    };
    body_of(version, &request)
}

fn join_group(_: &mut World, version: i16, is_static: bool) -> Result<Vec<u8>> {
    let kind = if is_static { "static" } else { "join" };
    let mut request = join_request(&format!("wire-{kind}-{version}"), "");
    if is_static {
        request.group_instance_id = Some("instance".into());
    }
    if version < 1 {
        request.rebalance_timeout_ms = JoinGroupRequest::default().rebalance_timeout_ms;
    }
    body_of(version, &request)
}

fn sync_group(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let group = format!("wire-sync-{version}");
    let member = world.joined_group(&group)?;
    body_of(version, &sync_request(&group, &member, version >= 5))
}

fn leave_group(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let group = format!("wire-leave-{version}");
    let member = world.stable_group(&group)?;
    let mut request = LeaveGroupRequest { group_id: group.as_str().into(), ..Default::default() };
    if version >= 3 {
        request.members = vec![MemberIdentity { member_id: member, ..Default::default() }];
    } else {
        request.member_id = member;
    }
    body_of(version, &request)
}

/// A group that has no members and one committed offset.
fn committed_group(world: &mut World, group: &str) -> Result<()> {
    let request = commit_request(world, group, &ByteString::new(), 9)?;
    world.ask(9, &request).map(drop)
}

fn offset_delete(world: &mut World, version: i16) -> Result<Vec<u8>> {
    committed_group(world, "wire-offset-delete")?;
    let topic = OffsetDeleteRequestTopic {
        name: TOPIC.into(),
        partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
    };
    body_of(version, &OffsetDeleteRequest { group_id: "wire-offset-delete".into(), topics: vec![topic] })
}

fn delete_groups(world: &mut World, version: i16) -> Result<Vec<u8>> {
    let group = format!("wire-delete-group-{version}");
    committed_group(world, &group)?;
    body_of(version, &DeleteGroupsRequest { groups_names: vec![group.as_str().into()], ..Default::default() })
}
