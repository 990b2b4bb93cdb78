//! What one broker holds before it is asked: the same on both, but for the ids that each broker gave.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ottla_protocol::codec::Request;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::*;
use ottla_protocol::{ByteString, Uuid};

use super::data;
use crate::batch::Batch;
use crate::client::Client;

/// The topic with two partitions and three batches in partition 0.
pub(super) const TOPIC: &str = "wire-topic";

/// The stable group of one member, `wire-group`, that has committed offset 2 of partition 0.
pub(super) const GROUP: &str = "wire-group";

/// One broker.
pub(super) struct World {
    pub(super) port: u16,
    topic_ids: BTreeMap<String, Uuid>,
    /// The member of [`GROUP`].
    pub(super) member: ByteString,
}

impl World {
    /// Makes the topic and the group.
    pub(super) fn new(port: u16) -> Result<World> {
        let mut world = World { port, topic_ids: BTreeMap::new(), member: ByteString::new() };
        world.create(TOPIC, 2, &[("retention.bytes", "3600000000")])?;
        for values in [&["one", "two"][..], &["three"], &["four", "five", "six"]] {
            let request = data::produce_request(TOPIC, &Batch::of(values).bytes());
            let answer = world.ask(12, &request)?;
            ensure!(answer.responses[0].partition_responses[0].error_code == 0, "{answer:?}");
        }
        world.member = world.stable_group(GROUP)?;
        Ok(world)
    }

    /// One request on a connection of its own.
    pub(super) fn ask<R: Request>(&self, version: i16, request: &R) -> Result<R::Response> {
        Client::open(self.port)?.ask(version, request)
    }

    /// Asks until the answer is `wanted`: Kafka carries out what it acknowledged a little later.
    pub(super) fn until<R: Request>(
        &self,
        version: i16,
        request: &R,
        wanted: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.ask(version, request)?;
            if wanted(&answer) {
                return Ok(answer);
            }
            ensure!(Instant::now() < deadline, "{} is never answered as it should be", R::KEY.name());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Creates a topic and waits until its partitions are led.
    pub(super) fn create(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        let configs = configs.iter().map(|&(name, value)| CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
            ..Default::default()
        });
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.collect(),
            ..Default::default()
        };
        let answer = self
            .ask(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })?;
        ensure!(answer.topics[0].error_code == 0, "create {name}: {:?}", answer.topics[0].error_message);
        self.wait_until_led(name, partitions)
    }

    /// Waits until every partition of a topic answers ListOffsets.
    pub(super) fn wait_until_led(&mut self, name: &str, partitions: i32) -> Result<()> {
        let partitions = (0..partitions)
            .map(|partition_index| ListOffsetsPartition {
                partition_index,
                timestamp: -1,
                ..Default::default()
            })
            .collect();
        let topic = ListOffsetsTopic { name: name.into(), partitions, ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        self.until(6, &request, |answer| answer.topics[0].partitions.iter().all(|p| p.error_code == 0))
            .map(drop)
    }

    /// Waits until a topic is gone from the metadata.
    pub(super) fn wait_until_gone(&self, name: &str) -> Result<()> {
        let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        self.until(9, &request, |answer| answer.topics[0].error_code == 3).map(drop)
    }

    /// The id that this broker gave to a topic.
    pub(super) fn topic_id(&mut self, name: &str) -> Result<Uuid> {
        if let Some(&id) = self.topic_ids.get(name) {
            return Ok(id);
        }
        let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer = self.ask(12, &request)?;
        let id = answer.topics.first().context("one topic")?.topic_id;
        ensure!(id != Uuid::ZERO, "{name} has no id");
        self.topic_ids.insert(name.to_owned(), id);
        Ok(id)
    }

    /// A group with one member whose assignment is `mine`; generation 1.
    pub(super) fn stable_group(&mut self, group: &str) -> Result<ByteString> {
        let member = self.joined_group(group)?;
        let answer = self.ask(5, &sync_request(group, &member, true))?;
        ensure!(answer.error_code == 0, "sync: {answer:?}");
        Ok(member)
    }

    /// A group whose one member has joined and is its leader, but has not sent an assignment.
    pub(super) fn joined_group(&mut self, group: &str) -> Result<ByteString> {
        let find = FindCoordinatorRequest { coordinator_keys: vec![group.into()], ..Default::default() };
        self.until(4, &find, |answer| answer.coordinators[0].error_code == 0)?;
        let mut request = join_request(group, "");
        for _ in 0..500 {
            let answer = self.ask(9, &request)?;
            match answer.error_code {
                0 => return Ok(answer.member_id),
                79 => request.member_id = answer.member_id,
                // The coordinator loads, or its partition has just been made.
                14..=16 => thread::sleep(Duration::from_millis(20)),
                code => bail!("join: error {code}"),
            }
        }
        bail!("{group} cannot be joined")
    }
}

/// A join of the classic protocol as a consumer sends it.
pub(super) fn join_request(group: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        member_id: member.into(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"\0\x01\0\0\0\x01\0\x0awire-topic\xff\xff\xff\xff\0\0\0\0"),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The leader's answer to its join; `protocols`: with the fields of version 5.
pub(super) fn sync_request(group: &str, member: &ByteString, protocols: bool) -> SyncGroupRequest {
    SyncGroupRequest {
        group_id: group.into(),
        member_id: member.clone(),
        generation_id: 1,
        protocol_type: protocols.then(|| "consumer".into()),
        protocol_name: protocols.then(|| "range".into()),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member.clone(),
            assignment: Bytes::from_static(
                b"\0\0\0\0\0\x01\0\x0awire-topic\0\0\0\x01\0\0\0\0\xff\xff\xff\xff",
            ),
            ..Default::default()
        }],
        ..Default::default()
    }
}
