//! A client for cases that go step by step.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use ottla_protocol::codec::Request;
use ottla_protocol::error::ErrorCode;
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{DeleteRecordsRequest, FetchRequest, FindCoordinatorRequest, ProduceRequest};
use ottla_protocol::records::{BatchBuilder, batches};

use super::connection::{create, delete, offsets_of};
use crate::client::Client;

/// Largest decompressed batch that is read.
const BATCH_BYTES_MAX: u64 = 1 << 20;

/// What became of one record.
#[derive(Debug, PartialEq)]
pub(crate) enum Produced {
    /// It was acknowledged.
    At(i64),
    /// It was refused.
    Refused(ErrorCode),
    /// No answer came.
    Lost,
}

/// A client of topics with one partition, for cases that go step by step.
pub(crate) struct Single {
    client: Client,
    port: u16,
}

impl Single {
    pub(crate) fn open(port: u16) -> Result<Single> {
        Ok(Single { client: Client::open(port)?, port })
    }

    pub(crate) fn create(&mut self, topic: &str, configs: &[(&str, &str)]) -> Result<()> {
        create(&mut self.client, topic, 1, configs)
    }

    /// Connects; answers may take so long.
    pub(crate) fn patient(port: u16, limit: Duration) -> Result<Single> {
        Ok(Single { client: Client::open_patient(port, limit)?, port })
    }

    /// Asks anything.
    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.client.ask(version, request)
    }

    /// Asks who coordinates a group, which makes the topic of offsets.
    pub(crate) fn find_coordinator(&mut self, group: &str) -> Result<()> {
        let request = FindCoordinatorRequest { key: group.into(), ..Default::default() };
        self.client.ask(2, &request).map(drop)
    }

    /// Deletes a topic.
    pub(crate) fn delete(&mut self, topic: &str) -> Result<()> {
        delete(&mut self.client, topic)
    }

    /// Sends one record; connects again if the connection is lost.
    pub(crate) fn produce(&mut self, topic: &str, value: &str, acks: i16) -> Result<Produced> {
        self.produce_within(topic, None, value, acks, 30_000)
    }

    /// Sends one record that has a key, and is to be acknowledged in time.
    pub(crate) fn produce_within(
        &mut self,
        topic: &str,
        key: Option<&str>,
        value: &str,
        acks: i16,
        timeout_ms: i32,
    ) -> Result<Produced> {
        let mut builder = BatchBuilder::new();
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        builder.append(now_ms, key.map(str::as_bytes), Some(value.as_bytes()), &[]);
        let records = Some(bytes::Bytes::from(builder.build()).into());
        let data = PartitionProduceData { records, ..Default::default() };
        let topic = TopicProduceData { name: topic.into(), partition_data: vec![data], ..Default::default() };
        let request = ProduceRequest { acks, timeout_ms, topic_data: vec![topic], ..Default::default() };
        let Ok(answer) = self.client.ask(9, &request) else {
            if let Ok(client) = Client::open(self.port) {
                self.client = client;
            }
            return Ok(Produced::Lost);
        };
        let answer = &answer.responses[0].partition_responses[0];
        Ok(match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => Produced::At(answer.base_offset),
            error => Produced::Refused(error),
        })
    }

    /// The values of all records, once the topic is led.
    pub(crate) fn read_all(&mut self, topic: &str) -> Result<Vec<String>> {
        let begun = Instant::now();
        let (mut position, end) = loop {
            match offsets_of(&mut self.client, topic, 0) {
                Err(_) if begun.elapsed() < Duration::from_secs(10) => {
                    thread::sleep(Duration::from_millis(20));
                    self.client = Client::open(self.port)?;
                }
                other => break other?,
            }
        };
        let mut values = Vec::new();
        while position < end {
            let (fetched, next) = self.fetch(topic, position, 1 << 20)?;
            ensure!(next > position, "nothing comes at {position}, the log ends at {end}");
            values.extend(fetched);
            position = next;
        }
        Ok(values)
    }

    /// The values of the first batch from an offset on.
    pub(crate) fn read_at(&mut self, topic: &str, offset: i64) -> Result<Vec<String>> {
        let (values, next) = self.fetch(topic, offset, 1)?;
        ensure!(next > offset, "nothing comes at {offset}");
        Ok(values)
    }

    /// The values of batches from an offset on, and the offset after them.
    fn fetch(&mut self, topic: &str, offset: i64, max_bytes: i32) -> Result<(Vec<String>, i64)> {
        let part = FetchPartition {
            current_leader_epoch: -1,
            fetch_offset: offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: max_bytes,
            ..Default::default()
        };
        let fetched = FetchTopic { topic: topic.into(), partitions: vec![part], ..Default::default() };
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: 100,
            max_bytes,
            session_epoch: -1,
            topics: vec![fetched],
            ..Default::default()
        };
        let answer = self.client.ask(12, &request)?;
        let answer = &answer.responses[0].partitions[0];
        ensure!(answer.error_code == 0, "Fetch: {}", ErrorCode::from_code(answer.error_code));
        let bytes = answer.records.as_ref().and_then(|records| records.bytes()).cloned().unwrap_or_default();
        let (mut values, mut next) = (Vec::new(), offset);
        for batch in batches(&bytes).map_while(Result::ok) {
            ensure!(batch.verify_crc().is_ok(), "a batch whose checksum is wrong");
            for record in batch.records(BATCH_BYTES_MAX).context("a batch cannot be read")?.iter() {
                let record = record.context("a record cannot be read")?;
                if record.offset.0 >= offset {
                    values.push(String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned());
                }
            }
            next = batch.next_offset().0;
        }
        Ok((values, next))
    }

    pub(crate) fn delete_records(&mut self, topic: &str, before: i64) -> Result<()> {
        let part = DeleteRecordsPartition { offset: before, ..Default::default() };
        let topic = DeleteRecordsTopic { name: topic.into(), partitions: vec![part], ..Default::default() };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let error = self.client.ask(2, &request)?.topics[0].partitions[0].error_code;
        ensure!(error == 0, "DeleteRecords: {}", ErrorCode::from_code(error));
        Ok(())
    }
}
