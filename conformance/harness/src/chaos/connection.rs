//! A connection that outlives the broker, and the requests that all clients of chaos make.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ottla_protocol::error::ErrorCode;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, ListOffsetsRequest};

use crate::client::Client;

/// A connection that is made anew when it is lost.
pub(super) struct Reconnecting {
    port: u16,
    client: Option<Client>,
}

impl Reconnecting {
    pub(super) fn new(port: u16) -> Reconnecting {
        Reconnecting { port, client: None }
    }

    pub(super) fn client(&mut self) -> Result<&mut Client> {
        if self.client.is_none() {
            self.client = Some(Client::open(self.port)?);
        }
        Ok(self.client.as_mut().expect("just made"))
    }

    pub(super) fn lost(&mut self) {
        self.client = None;
        thread::sleep(Duration::from_millis(5));
    }

    /// Asks again and again, for so long.
    pub(super) fn ask_until<T>(
        &mut self,
        limit: Duration,
        mut ask: impl FnMut(&mut Client) -> Result<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            match self.client().and_then(&mut ask) {
                Ok(answer) => return Ok(answer),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => {
                    self.lost();
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

/// First offset, and the one after the last that may be read.
pub(super) fn offsets_of(client: &mut Client, topic: &str, partition: i32) -> Result<(i64, i64)> {
    let mut ask = |timestamp| {
        let part = ListOffsetsPartition { partition_index: partition, timestamp, ..Default::default() };
        let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![part], ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = client.ask(6, &request)?;
        let answer = &answer.topics[0].partitions[0];
        ensure!(answer.error_code == 0, "ListOffsets: {}", ErrorCode::from_code(answer.error_code));
        Ok(answer.offset)
    };
    Ok((ask(-2)?, ask(-1)?))
}

/// Makes a topic.
pub(super) fn create(
    client: &mut Client,
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Result<()> {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
        ..Default::default()
    };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let error = client.ask(7, &request)?.topics[0].error_code;
    ensure!(error == 0, "CreateTopics: {}", ErrorCode::from_code(error));
    Ok(())
}

/// Deletes a topic.
pub(super) fn delete(client: &mut Client, name: &str) -> Result<()> {
    let request =
        DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms: 10_000, ..Default::default() };
    let error = client.ask(5, &request)?.responses[0].error_code;
    ensure!(error == 0, "DeleteTopics: {}", ErrorCode::from_code(error));
    Ok(())
}
