//! The topics of a run: made, found and removed by plain requests. A partition is known by its ordinal: topic by topic,
//! index by index.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_conformance::client::Client;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
};
use ottla_protocol::{ErrorCode, ProducerId};

/// How long a broker may take to make or to lead what it was asked for.
const LIMIT: Duration = Duration::from_secs(180);
/// Partitions that one request makes at most: each is a metadata record, and a request may write 10,000 of those.
const PARTITIONS_PER_REQUEST_MAX: usize = 9_000;
/// The timestamp that stands for the end of the log in ListOffsets.
const LATEST: i64 = -1;

/// Topics of the same number of partitions.
#[derive(Clone, Debug)]
pub struct Topics {
    names: Vec<String>,
    partitions: usize,
}

impl Topics {
    /// `topics` names that begin with `prefix`, all of the same length.
    pub fn new(prefix: &str, topics: usize, partitions: usize) -> Topics {
        Topics { names: (0..topics).map(|at| format!("{prefix}-{at:05}")).collect(), partitions }
    }

    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Partitions of each topic.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// All partitions.
    pub fn count(&self) -> usize {
        self.names.len() * self.partitions
    }

    /// Name and index of a partition.
    pub fn at(&self, ordinal: usize) -> (&str, i32) {
        (&self.names[ordinal / self.partitions], (ordinal % self.partitions) as i32)
    }

    /// The partition with this name and index, if it is one of these.
    pub fn ordinal(&self, name: &[u8], index: i32) -> Option<usize> {
        // Names differ in their last five digits.
        let digits = std::str::from_utf8(name.get(name.len().checked_sub(5)?..)?).ok()?;
        let topic: usize = digits.parse().ok()?;
        let index = usize::try_from(index).ok().filter(|&index| index < self.partitions)?;
        (self.names.get(topic)?.as_bytes() == name).then_some(topic * self.partitions + index)
    }

    /// Makes the topics with these configurations and waits until every partition has a leader.
    pub fn create(&self, port: u16, configs: &[(&str, &str)]) -> Result<()> {
        let mut client = Client::open_patient(port, LIMIT)?;
        for names in self.names.chunks((PARTITIONS_PER_REQUEST_MAX / self.partitions).max(1)) {
            let topics = names.iter().map(|name| CreatableTopic {
                name: name.as_str().into(),
                num_partitions: self.partitions as i32,
                replication_factor: 1,
                configs: configs.iter().map(config).collect(),
                ..Default::default()
            });
            let request = CreateTopicsRequest {
                topics: topics.collect(),
                timeout_ms: LIMIT.as_millis() as i32,
                ..Default::default()
            };
            let answer = client.ask(4, &request)?;
            if let Some(refused) = answer.topics.iter().find(|topic| topic.error_code != 0) {
                bail!(
                    "the broker does not make topic {}: error {} {}",
                    refused.name,
                    refused.error_code,
                    refused.error_message.clone().unwrap_or_default()
                );
            }
        }
        self.wait_led(port)
    }

    /// Waits until every partition has a leader.
    pub fn wait_led(&self, port: u16) -> Result<()> {
        let mut client = Client::open_patient(port, LIMIT)?;
        let name =
            |name: &String| MetadataRequestTopic { name: Some(name.as_str().into()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(self.names.iter().map(name).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let started = Instant::now();
        loop {
            let answer = client.ask(4, &request)?;
            let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let led = partitions.filter(|partition| partition.leader_id >= 0).count();
            if led == self.count() {
                return Ok(());
            }
            ensure!(
                started.elapsed() < LIMIT,
                "{led} of {} partitions have a leader after {LIMIT:?}",
                self.count()
            );
            thread::sleep(Duration::from_millis(if self.count() > 2000 { 50 } else { 5 }));
        }
    }

    /// Removes the topics.
    pub fn delete(&self, port: u16) -> Result<()> {
        let mut client = Client::open_patient(port, LIMIT)?;
        let request = DeleteTopicsRequest {
            topic_names: self.names.iter().map(|name| name.as_str().into()).collect(),
            timeout_ms: LIMIT.as_millis() as i32,
            ..Default::default()
        };
        let answer = client.ask(4, &request)?;
        let refused = answer.responses.iter().find(|topic| topic.error_code != 0);
        ensure!(refused.is_none(), "the broker does not remove topics: {refused:?}");
        Ok(())
    }

    /// Where each partition ends, by ordinal.
    pub fn ends(&self, port: u16) -> Result<Vec<u64>> {
        let mut client = Client::open_patient(port, LIMIT)?;
        let partition = |index| ListOffsetsPartition {
            partition_index: index,
            current_leader_epoch: -1,
            timestamp: LATEST,
            ..Default::default()
        };
        let topic = |name: &String| ListOffsetsTopic {
            name: name.as_str().into(),
            partitions: (0..self.partitions as i32).map(partition).collect(),
            ..Default::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: self.names.iter().map(topic).collect(),
            ..Default::default()
        };
        let started = Instant::now();
        let answer = loop {
            let answer = client.ask(5, &request)?;
            // A partition that was just made may have a leader that does not know it yet.
            let early = |code| {
                matches!(
                    ErrorCode::from_code(code),
                    ErrorCode::NotLeaderOrFollower | ErrorCode::UnknownTopicOrPartition
                )
            };
            let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            if started.elapsed() > LIMIT || !partitions.any(|partition| early(partition.error_code)) {
                break answer;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let mut ends = vec![None; self.count()];
        for topic in &answer.topics {
            for partition in &topic.partitions {
                ensure!(
                    partition.error_code == 0,
                    "the broker does not tell the end of {}-{}: error {}",
                    topic.name,
                    partition.partition_index,
                    partition.error_code
                );
                let ordinal = self.ordinal(topic.name.as_bytes(), partition.partition_index);
                ends[ordinal.context("the broker tells the end of a partition that nobody asked for")?] =
                    Some(partition.offset);
            }
        }
        ends.into_iter()
            .map(|end| Ok(u64::try_from(end.context("the broker tells not all the ends")?)?))
            .collect()
    }
}

fn config((name, value): &(&str, &str)) -> CreatableTopicConfig {
    CreatableTopicConfig { name: (*name).into(), value: Some((*value).into()), ..Default::default() }
}

/// A new producer id. A broker that loads its state is asked again.
pub(super) fn producer_id(client: &mut Client) -> Result<ProducerId> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    let started = Instant::now();
    loop {
        let answer = client.ask(1, &request)?;
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => return Ok(ProducerId(answer.producer_id)),
            ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable
                if started.elapsed() < LIMIT =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            error => bail!("the broker gives no producer id: {error:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_found_by_its_name_and_index() {
        let topics = Topics::new("cell", 12, 7);
        for ordinal in 0..topics.count() {
            let (name, index) = topics.at(ordinal);
            assert_eq!(topics.ordinal(name.as_bytes(), index), Some(ordinal));
        }
        for (name, index) in
            [("cell-00012", 0), ("cell-00003", 7), ("cell-00003", -1), ("tell-00003", 0), ("x", 0)]
        {
            assert_eq!(topics.ordinal(name.as_bytes(), index), None, "{name} {index}");
        }
    }
}
