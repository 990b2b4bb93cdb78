//! Those who move log starts, and make and delete topics.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{DeleteRecordsRequest, MetadataRequest};

use super::super::connection::{Reconnecting, create, delete};
use super::values::key;
use super::{Load, TOPIC, offsets};
use crate::checker::{Kind, Outcome};
use crate::client::Client;
use crate::random::Random;

impl Load {
    /// Moves log starts now and then, and asks for offsets.
    pub(crate) fn delete_records(&self, seed: u64) -> Result<()> {
        let process = self.process();
        let mut random = Random::new(seed);
        let mut connection = Reconnecting::new(self.port);
        while !self.is_stopped() {
            thread::sleep(Duration::from_millis(random.between(20, 300)));
            let partition = random.below(self.partitions as u64) as i32;
            let Ok((_, latest)) = connection.client().and_then(|client| offsets(client, partition)) else {
                connection.lost();
                continue;
            };
            let part = DeleteRecordsPartition {
                partition_index: partition,
                offset: latest * random.between(1, 90) as i64 / 100,
                ..Default::default()
            };
            let topic =
                DeleteRecordsTopic { name: TOPIC.into(), partitions: vec![part], ..Default::default() };
            let request =
                DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
            let mut op = self.begin_op(process, Kind::ListOffsets);
            match connection.client().and_then(|client| client.ask(2, &request)) {
                Ok(answer) => {
                    let answer = &answer.topics[0].partitions[0];
                    let is_done = answer.error_code == 0;
                    if is_done {
                        op.earliest.insert(key(partition), answer.low_watermark);
                    }
                    self.end_op(op, if is_done { Outcome::Ok } else { Outcome::Info });
                }
                Err(_) => connection.lost(),
            }
        }
        Ok(())
    }

    /// Makes and deletes topics.
    pub(crate) fn churn_topics(&self, seed: u64) -> Result<()> {
        let mut random = Random::new(seed);
        let mut connection = Reconnecting::new(self.port);
        let mut number = 0;
        while !self.is_stopped() {
            thread::sleep(Duration::from_millis(random.between(10, 100)));
            let known = self.topics.lock().expect("no client panicked").clone();
            let there: Vec<&String> =
                known.iter().filter(|(_, there)| **there).map(|(name, _)| name).collect();
            let (name, is_there) = if there.len() > 5 || (!there.is_empty() && random.below(3) == 0) {
                (there[random.below(there.len() as u64) as usize].clone(), false)
            } else {
                number += 1;
                (format!("churn-{number}"), true)
            };
            let Ok(client) = connection.client() else { continue };
            let done = if is_there { create(client, &name, 3, &[]) } else { delete(client, &name) };
            let mut topics = self.topics.lock().expect("no client panicked");
            match done {
                Ok(()) => drop(topics.insert(name, is_there)),
                Err(_) => {
                    // Done or not; nobody looks at it again.
                    topics.remove(&name);
                    connection.lost();
                }
            }
        }
        Ok(())
    }

    /// Topics that were acknowledged are there, and those whose deletion was are not.
    pub(crate) fn check_topics(&self) -> Result<()> {
        let topics = self.topics.lock().expect("no client panicked");
        let asked = topics
            .keys()
            .map(|name| MetadataRequestTopic { name: Some(name.as_str().into()), ..Default::default() });
        let request = MetadataRequest {
            topics: Some(asked.collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer = Client::open(self.port)?.ask(9, &request)?;
        for topic in &answer.topics {
            let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
            let is_there = topic.error_code == 0;
            ensure!(topics.get(&name) == Some(&is_there), "{name} is there: {is_there}");
            ensure!(!is_there || topic.partitions.len() == 3, "{name} has lost partitions");
        }
        Ok(())
    }
}
