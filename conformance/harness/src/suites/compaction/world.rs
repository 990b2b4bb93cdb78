//! One broker as the suite sees it: requests, and the files in its directory.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ottla_protocol::Records;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, FetchRequest, IncrementalAlterConfigsRequest,
    ListOffsetsRequest, ProduceRequest,
};
use ottla_protocol::records::batches;

use crate::broker::Broker;
use crate::client::Client;

/// Before topics are named by their ids.
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
/// The type of a topic's configuration.
const TOPIC_RESOURCE: i8 = 2;

pub(crate) struct World {
    pub(crate) client: Client,
    data: PathBuf,
}

impl World {
    pub(crate) fn new(broker: &Broker<'_>) -> Result<World> {
        let client = Client::open_patient(broker.port, Duration::from_secs(30))?;
        Ok(World { client, data: broker.data() })
    }

    pub(crate) fn create(&mut self, topic: &str, configs: &[(&str, &str)]) -> Result<()> {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: topic.into(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let answer = self.client.ask(7, &request)?;
        let topic = answer.topics.first().context("a topic")?;
        ensure!(topic.error_code == 0, "create: {} {:?}", topic.error_code, topic.error_message);
        Ok(())
    }

    /// `min.cleanable.dirty.ratio`: 1 is never, 0 is always.
    pub(crate) fn set_ratio(&mut self, topic: &str, ratio: &str) -> Result<()> {
        self.set_config(topic, "min.cleanable.dirty.ratio", ratio)
    }

    pub(crate) fn set_config(&mut self, topic: &str, name: &str, value: &str) -> Result<()> {
        let config = AlterableConfig { name: name.into(), value: Some(value.into()), ..Default::default() };
        let resource = AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: topic.into(),
            configs: vec![config],
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let answer = self.client.ask(1, &request)?;
        let error = answer.responses.first().context("a resource")?.error_code;
        ensure!(error == 0, "alter: {error}");
        Ok(())
    }

    pub(crate) fn produce(&mut self, topic: &str, batch: &[u8]) -> Result<()> {
        self.produce_in(None, topic, batch)
    }

    /// Produces, in a transaction or not.
    pub(crate) fn produce_in(
        &mut self,
        transactional_id: Option<&str>,
        topic: &str,
        batch: &[u8],
    ) -> Result<()> {
        let partition = PartitionProduceData {
            records: Some(Records::Bytes(Bytes::copy_from_slice(batch))),
            ..Default::default()
        };
        let topic_data =
            TopicProduceData { name: topic.into(), partition_data: vec![partition], ..Default::default() };
        let request = ProduceRequest {
            transactional_id: transactional_id.map(Into::into),
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![topic_data],
            ..Default::default()
        };
        // A new partition is led a moment after its topic is made.
        for _ in 0..100 {
            let answer = self.client.ask(PRODUCE_VERSION, &request)?;
            let partition = &answer.responses.first().context("a topic")?.partition_responses[0];
            match partition.error_code {
                0 => return Ok(()),
                3 | 6 => thread::sleep(Duration::from_millis(50)),
                error => bail!("produce to {topic}: {error} {:?}", partition.error_message),
            }
        }
        bail!("{topic} is not led")
    }

    pub(crate) fn delete_records(&mut self, topic: &str, offset: i64) -> Result<()> {
        let partition = DeleteRecordsPartition { offset, ..Default::default() };
        let topic =
            DeleteRecordsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let answer = self.client.ask(2, &request)?;
        let error = answer.topics.first().context("a topic")?.partitions[0].error_code;
        ensure!(error == 0, "delete records: {error}");
        Ok(())
    }

    /// Offset and timestamp that ListOffsets answers.
    fn list_offset(&mut self, topic: &str, timestamp: i64) -> Result<(i64, i64)> {
        let name = topic;
        let partition = ListOffsetsPartition { timestamp, current_leader_epoch: -1, ..Default::default() };
        let topic =
            ListOffsetsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        // A partition is led a moment after its broker has started.
        for _ in 0..100 {
            let answer = self.client.ask(7, &request)?;
            let partition = &answer.topics.first().context("a topic")?.partitions[0];
            match partition.error_code {
                0 => return Ok((partition.offset, partition.timestamp)),
                3 | 6 => thread::sleep(Duration::from_millis(50)),
                error => bail!("list offsets of {timestamp}: {error}"),
            }
        }
        bail!("{name} is not led")
    }

    /// All batches and records of a topic and what ListOffsets says of them, a line each. What is the time of
    /// compaction, and so of the broker, is left out; so is the time of the append where it is the records'.
    pub(crate) fn everything_of(&mut self, topic: &str) -> Result<String> {
        let mut text = String::new();
        let (start, end) = (self.list_offset(topic, -2)?.0, self.list_offset(topic, -1)?.0);
        writeln!(text, "start {start} end {end}")?;
        let mut next = start;
        let (mut timestamps, mut all_aborted) = (Vec::new(), BTreeSet::new());
        let mut is_stamped = false;
        while next < end {
            let (records, aborted) = self.fetch(topic, next)?;
            // Of transactions behind what was read, either broker may tell already.
            all_aborted.extend(aborted);
            let before = next;
            for batch in
                batches(&records).map_while(Result::ok).filter(|batch| batch.last_offset().0 >= before)
            {
                batch.verify_crc()?;
                let header = batch.header();
                is_stamped |= header.attributes.timestamp_type().name() == "LogAppendTime";
                writeln!(
                    text,
                    "batch {} to {}: producer {} epoch {} sequence {}, {} records, {:?}{}{}{}, until {}",
                    header.base_offset,
                    header.last_offset(),
                    header.producer_id,
                    header.producer_epoch,
                    header.base_sequence,
                    header.record_count,
                    header.attributes.compression()?,
                    if header.attributes.is_transactional() { ", transactional" } else { "" },
                    if header.attributes.is_control() { ", control" } else { "" },
                    if header.attributes.has_delete_horizon() { ", horizon" } else { "" },
                    if is_stamped { 0 } else { header.max_timestamp },
                )?;
                for record in &batch.records(1 << 30)? {
                    let record = record?;
                    let headers = record.headers.len();
                    let shown = if is_stamped { 0 } else { record.timestamp };
                    let show = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.escape_ascii().to_string());
                    let (key, value) = (show(record.key), show(record.value));
                    writeln!(text, "{} at {shown}: {key:?} {value:?} {headers}", record.offset)?;
                    timestamps.push(record.timestamp);
                }
                next = batch.next_offset().0;
            }
            if next == before {
                // Nothing is left behind the last batch.
                break;
            }
        }
        writeln!(text, "aborted {all_aborted:?}")?;
        if !is_stamped {
            writeln!(text, "largest timestamp {:?}", self.list_offset(topic, -3)?)?;
            let step = (timestamps.len() / 40).max(1);
            for timestamp in timestamps.iter().step_by(step) {
                for timestamp in [*timestamp, timestamp + 500] {
                    writeln!(text, "from {timestamp} on {:?}", self.list_offset(topic, timestamp)?)?;
                }
            }
        }
        Ok(text)
    }

    fn fetch(&mut self, topic: &str, offset: i64) -> Result<(Bytes, Vec<(i64, i64)>)> {
        let partition = FetchPartition {
            fetch_offset: offset,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topic = FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: 100,
            min_bytes: 1,
            max_bytes: 1 << 22,
            // What is committed, with the list of what is not.
            isolation_level: 1,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = self.client.ask(FETCH_VERSION, &request)?;
        let partition = &answer.responses.first().context("a topic")?.partitions[0];
        ensure!(partition.error_code == 0, "fetch at {offset}: {}", partition.error_code);
        let aborted = partition.aborted_transactions.iter().flatten();
        let aborted = aborted.map(|txn| (txn.producer_id, txn.first_offset)).collect();
        match &partition.records {
            Some(Records::Bytes(bytes)) => Ok((bytes.clone(), aborted)),
            _ => Ok((Bytes::new(), aborted)),
        }
    }

    /// Base offsets and sizes of segments.
    pub(crate) fn segments(&self, topic: &str) -> Result<Vec<(i64, u64)>> {
        let mut segments = Vec::new();
        let folder = self.data.join(format!("{topic}-0"));
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(base) = name.strip_suffix(".log").and_then(|base| base.parse().ok()) {
                match entry.metadata() {
                    Ok(metadata) => segments.push((base, metadata.len())),
                    // It was just replaced.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// Waits until all but the last segment is compacted, as the checkpoint says it.
    pub(crate) fn wait_until_compacted(&mut self, topic: &str, limit: Duration) -> Result<()> {
        self.wait_until(limit, &format!("{topic} is compacted"), |world| {
            let path = world.data.join("cleaner-offset-checkpoint");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let line = format!("{topic} 0 ");
            let compacted = text.lines().find_map(|text| text.strip_prefix(&line)?.parse::<i64>().ok());
            let active = world.segments(topic)?.last().map(|(base, _)| *base);
            Ok(compacted.is_some() && compacted == active)
        })
    }

    pub(crate) fn wait_until(
        &mut self,
        limit: Duration,
        what: &str,
        mut is_so: impl FnMut(&mut World) -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !is_so(self)? {
            ensure!(Instant::now() < deadline, "not within {limit:?}: {what}");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// Copies a directory with everything in it.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
