//! Group members that are not what they say, and commits to where nothing is.

use anyhow::{Result, ensure};
use bytes::Bytes;
use ottla_protocol::ByteString;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use ottla_protocol::messages::offset_delete_request::OffsetDeleteRequestPartition;
use ottla_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::*;

use super::Case;
use super::batches::create;
use super::peer::Peer;

pub(super) const CASES: &[Case] = &[
    Case { name: "group_that_is_well_as_the_measure", say: |p| stable(p, "g-well", None).map(drop) },
    Case {
        name: "heartbeat_of_an_unknown_group",
        say: |p| {
            coordinated(p, "g-absent")?;
            heartbeat(p, "g-absent", "m", 1)
        },
    },
    Case { name: "heartbeat_with_an_empty_group", say: |p| heartbeat(p, "", "m", 1) },
    Case { name: "join_with_an_empty_group", say: |p| p.ask(9, &join("", "")) },
    Case { name: "join_without_a_member_id", say: |p| p.ask(9, &join("g-noid", "")) },
    Case { name: "join_with_an_unknown_member_id", say: |p| p.ask(9, &join("g-unknown", "nobody")) },
    Case {
        name: "join_without_protocols",
        say: |p| p.ask(5, &JoinGroupRequest { protocols: vec![], ..join("g-noproto", "") }),
    },
    Case {
        name: "join_with_an_empty_protocol_type",
        say: |p| p.ask(5, &JoinGroupRequest { protocol_type: "".into(), ..join("g-notype", "") }),
    },
    Case {
        name: "session_timeout_too_short",
        say: |p| p.ask(5, &JoinGroupRequest { session_timeout_ms: 1, ..join("g-short", "") }),
    },
    Case {
        name: "session_timeout_too_long",
        say: |p| p.ask(5, &JoinGroupRequest { session_timeout_ms: i32::MAX, ..join("g-long", "") }),
    },
    Case { name: "member_of_the_wrong_generation", say: wrong_generation },
    Case { name: "unknown_member_of_a_real_group", say: unknown_member },
    Case { name: "join_with_other_protocols", say: other_protocols },
    Case { name: "leave_of_an_unknown_member", say: leave },
    Case { name: "commit_beyond_the_log", say: |p| commit(p, "g-beyond", "g-topic1", 0, 1_000_000, "") },
    Case { name: "commit_of_a_negative_offset", say: |p| commit(p, "g-negative", "g-topic2", 0, -5, "") },
    Case { name: "commit_to_an_unknown_partition", say: |p| commit(p, "g-partition", "g-topic3", 99, 1, "") },
    Case {
        name: "commit_with_long_metadata",
        say: |p| commit(p, "g-metadata", "g-topic4", 0, 1, &"x".repeat(4097)),
    },
    Case { name: "commit_with_an_empty_group", say: |p| commit(p, "", "g-topic5", 0, 1, "") },
    Case {
        name: "commit_to_an_unknown_topic",
        say: |p| p.ask(9, &commit_request("g-absent", "", -1, "g-none", 0, 1, "")),
    },
    Case {
        name: "commit_of_a_member_of_no_group",
        say: |p| {
            create(p, "g-topic6")?;
            p.ask(9, &commit_request("g-absent", "m", 3, "g-topic6", 0, 1, ""))
        },
    },
    Case { name: "offsets_of_an_unknown_group", say: offsets },
    Case {
        name: "describe_an_unknown_group",
        say: |p| {
            p.ask(
                5,
                &DescribeGroupsRequest { groups: vec!["g-none".into(), "".into()], ..Default::default() },
            )?;
            p.ask(
                6,
                &DescribeGroupsRequest { groups: vec!["g-none".into(), "".into()], ..Default::default() },
            )
        },
    },
    Case { name: "delete_groups_that_cannot_be", say: delete },
    Case { name: "offset_delete_of_an_unknown_group", say: offset_delete },
    Case { name: "coordinator_of_strange_keys", say: coordinator },
    Case { name: "static_member_fenced", say: fenced },
];

fn join(group: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        member_id: member.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn heartbeat(p: &mut Peer, group: &str, member: &str, generation_id: i32) -> Result<()> {
    p.ask(
        4,
        &HeartbeatRequest {
            group_id: group.into(),
            member_id: member.into(),
            generation_id,
            ..Default::default()
        },
    )
}

fn sync(group: &str, member: &ByteString, generation_id: i32) -> SyncGroupRequest {
    SyncGroupRequest {
        group_id: group.into(),
        member_id: member.clone(),
        generation_id,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member.clone(),
            assignment: Bytes::from_static(b"mine"),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Waits until there is a coordinator and it has loaded what it coordinates.
fn coordinated(p: &mut Peer, group: &str) -> Result<()> {
    let request = FindCoordinatorRequest { coordinator_keys: vec![group.into()], ..Default::default() };
    p.until(4, &request, |answer| answer.coordinators[0].error_code == 0)?;
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup { group_id: group.into(), topics: None, ..Default::default() }],
        ..Default::default()
    };
    p.until(9, &request, |answer| ![14, 15, 16].contains(&answer.groups[0].error_code)).map(drop)
}

/// A stable group of one member; gives the member's id. Its generation is 1.
fn stable(p: &mut Peer, group: &str, instance: Option<&'static str>) -> Result<ByteString> {
    coordinated(p, group)?;
    let mut request = JoinGroupRequest { group_instance_id: instance.map(Into::into), ..join(group, "") };
    let mut answer = p.until(9, &request, |answer| ![14, 15, 16].contains(&answer.error_code))?;
    if answer.error_code == 79 {
        request.member_id = answer.member_id;
        answer = p.prepare(9, &request)?;
    }
    ensure!(answer.error_code == 0 && answer.generation_id == 1, "join: {answer:?}");
    let mut request = sync(group, &answer.member_id, 1);
    request.group_instance_id = instance.map(Into::into);
    let synced = p.prepare(5, &request)?;
    ensure!(synced.error_code == 0, "sync: {synced:?}");
    Ok(answer.member_id)
}

fn wrong_generation(p: &mut Peer) -> Result<()> {
    let group = "g-generation";
    let member = stable(p, group, None)?;
    create(p, "g-generation-topic")?;
    for generation in [0, 2, -1] {
        heartbeat(p, group, &member, generation)?;
        p.ask(5, &sync(group, &member, generation))?;
        p.ask(9, &commit_request(group, &member, generation, "g-generation-topic", 0, 1, ""))?;
    }
    // And what the right generation gets.
    heartbeat(p, group, &member, 1)?;
    p.ask(9, &commit_request(group, &member, 1, "g-generation-topic", 0, 1, ""))
}

fn unknown_member(p: &mut Peer) -> Result<()> {
    let group = "g-stranger";
    stable(p, group, None)?;
    create(p, "g-stranger-topic")?;
    heartbeat(p, group, "stranger", 1)?;
    p.ask(5, &sync(group, &"stranger".into(), 1))?;
    p.ask(9, &join(group, "stranger"))?;
    p.ask(9, &commit_request(group, "stranger", 1, "g-stranger-topic", 0, 1, ""))?;
    // A commit without membership, while the group has members.
    p.ask(9, &commit_request(group, "", -1, "g-stranger-topic", 0, 1, ""))
}

fn other_protocols(p: &mut Peer) -> Result<()> {
    let group = "g-protocols";
    stable(p, group, None)?;
    let mut request = join(group, "");
    request.protocols[0].name = "somethingelse".into();
    p.ask(3, &request)?;
    p.ask(3, &JoinGroupRequest { protocol_type: "connect".into(), ..join(group, "") })
}

fn leave(p: &mut Peer) -> Result<()> {
    coordinated(p, "g-absent")?;
    stable(p, "g-leave", None)?;
    for group in ["g-leave", "g-absent", ""] {
        let member = MemberIdentity { member_id: "stranger".into(), ..Default::default() };
        p.ask(5, &LeaveGroupRequest { group_id: group.into(), members: vec![member], ..Default::default() })?;
        p.ask(
            1,
            &LeaveGroupRequest { group_id: group.into(), member_id: "stranger".into(), ..Default::default() },
        )?;
    }
    Ok(())
}

fn commit_request(
    group: &str,
    member: &str,
    generation: i32,
    topic: &str,
    partition: i32,
    offset: i64,
    metadata: &str,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_metadata: Some(metadata.into()),
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        member_id: member.into(),
        generation_id_or_member_epoch: generation,
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A commit of no member, and what is read back.
fn commit(p: &mut Peer, group: &str, topic: &str, partition: i32, offset: i64, metadata: &str) -> Result<()> {
    create(p, topic)?;
    p.ask(9, &commit_request(group, "", -1, topic, partition, offset, metadata))?;
    p.ask(9, &fetch_request(group, topic, partition))
}

fn fetch_request(group: &str, topic: &str, partition: i32) -> OffsetFetchRequest {
    let topic = OffsetFetchRequestTopics {
        name: topic.into(),
        partition_indexes: vec![partition],
        ..Default::default()
    };
    let group =
        OffsetFetchRequestGroup { group_id: group.into(), topics: Some(vec![topic]), ..Default::default() };
    OffsetFetchRequest { groups: vec![group], ..Default::default() }
}

fn offsets(p: &mut Peer) -> Result<()> {
    p.ask(9, &fetch_request("g-none", "g-none", 0))?;
    p.ask(9, &fetch_request("", "g-none", 0))?;
    let group = OffsetFetchRequestGroup { group_id: "g-none".into(), topics: None, ..Default::default() };
    p.ask(9, &OffsetFetchRequest { groups: vec![group], ..Default::default() })
}

fn delete(p: &mut Peer) -> Result<()> {
    stable(p, "g-delete", None)?;
    p.ask(
        2,
        &DeleteGroupsRequest {
            groups_names: vec!["g-delete".into(), "g-none".into(), "".into()],
            ..Default::default()
        },
    )
}

fn offset_delete(p: &mut Peer) -> Result<()> {
    stable(p, "g-offset-delete", None)?;
    create(p, "g-offset-delete-topic")?;
    for (group, topic, partition) in [
        ("g-none", "g-offset-delete-topic", 0),
        ("", "g-offset-delete-topic", 0),
        ("g-offset-delete", "g-none", 0),
        ("g-offset-delete", "g-offset-delete-topic", 9),
        ("g-offset-delete", "g-offset-delete-topic", 0),
    ] {
        let partition = OffsetDeleteRequestPartition { partition_index: partition };
        let topic = OffsetDeleteRequestTopic { name: topic.into(), partitions: vec![partition] };
        p.ask(0, &OffsetDeleteRequest { group_id: group.into(), topics: vec![topic] })?;
    }
    Ok(())
}

fn coordinator(p: &mut Peer) -> Result<()> {
    coordinated(p, "g-coordinator")?;
    for (version, key_type, key) in
        [(4, 0, ""), (4, 7, "x"), (4, -1, "x"), (6, 2, "not-a-share-key"), (4, 2, "g:AAAA:0")]
    {
        p.ask(
            version,
            &FindCoordinatorRequest { key_type, coordinator_keys: vec![key.into()], ..Default::default() },
        )?;
    }
    p.ask(1, &FindCoordinatorRequest { key: "".into(), key_type: 0, ..Default::default() })
}

fn fenced(p: &mut Peer) -> Result<()> {
    let group = "g-static";
    let first = stable(p, group, Some("one"))?;
    // The same instance comes again without a member id: it takes the place, and the first is fenced.
    let again = JoinGroupRequest { group_instance_id: Some("one".into()), ..join(group, "") };
    let answer = p.prepare(9, &again)?;
    ensure!(answer.error_code == 0, "join: {answer:?}");
    let beat = |member: &ByteString, instance: &'static str| HeartbeatRequest {
        group_id: group.into(),
        member_id: member.clone(),
        group_instance_id: Some(instance.into()),
        generation_id: answer.generation_id,
        ..Default::default()
    };
    p.ask(4, &beat(&first, "one"))?;
    p.ask(4, &beat(&answer.member_id, "one"))?;
    p.ask(4, &beat(&answer.member_id, "two"))
}
