//! Clients as threads, over raw requests, so that a run costs no more than the broker does: each writes down what it did.
//!
//! A producer has one batch on the way and sends it again until it has an answer, if it is idempotent; otherwise an
//! answer that does not come is not known. A consumer reads its partitions from their start. Another client moves log
//! starts, and one makes and deletes topics.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::error::ErrorCode;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest,
};
use ottla_protocol::records::{BatchBuilder, batches};
use ottla_protocol::{ProducerEpoch, ProducerId};

use crate::batch::crc32c;
use crate::checker::{Kind, Op, Outcome, Step};
use crate::client::Client;
use crate::random::Random;

/// The topic that is written and read.
pub(crate) const TOPIC: &str = "chaos";
/// How long a client tries to get an answer before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing must have moved before everything counts as flushed.
const SETTLED: Duration = Duration::from_secs(2);
/// How often a consumer is told that an offset cannot be read before it goes on behind it.
const TOLD_MAX: u32 = 3;
/// Largest decompressed batch that is read.
const BATCH_BYTES_MAX: u64 = 1 << 20;

/// How a producer sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    pub(crate) acks: i16,
    pub(crate) idempotent: bool,
}

/// What all clients of a run share.
#[derive(Debug)]
pub(crate) struct Load {
    port: u16,
    partitions: i32,
    begin: Instant,
    stop: AtomicBool,
    next_process: AtomicU64,
    history: Mutex<Vec<Op>>,
    /// Topics that were acknowledged as created (`true`) or deleted.
    topics: Mutex<BTreeMap<String, bool>>,
    /// Producers whose acknowledgements say nothing of a power cut.
    lossy: Mutex<Vec<u64>>,
    pub(crate) refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl Load {
    pub(crate) fn new(port: u16, partitions: i32) -> Load {
        Load {
            port,
            partitions,
            begin: Instant::now(),
            stop: AtomicBool::new(false),
            next_process: AtomicU64::new(0),
            history: Mutex::default(),
            topics: Mutex::default(),
            lossy: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// Makes the topic, with small segments.
    pub(crate) fn create_topic(&self, configs: &[(&str, &str)]) -> Result<()> {
        create(&mut Client::open(self.port)?, TOPIC, self.partitions, configs)
    }

    /// Asks all clients to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Everything that was done, in the order in which it ended.
    pub(crate) fn into_history(self) -> Vec<Op> {
        let mut history = self.history.into_inner().expect("no client panicked");
        history.sort_by_key(|op| op.returned);
        history
    }

    /// Producers whose acknowledgements say nothing of a power cut.
    pub(crate) fn lossy(&self) -> Vec<u64> {
        self.lossy.lock().expect("no client panicked").clone()
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn process(&self) -> u64 {
        self.next_process.fetch_add(1, Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    fn begin_op(&self, process: u64, kind: Kind) -> Op {
        Op {
            process,
            kind,
            outcome: Outcome::Info,
            invoked: self.now(),
            returned: 0,
            steps: Vec::new(),
            group: None,
            offsets: BTreeMap::new(),
            earliest: BTreeMap::new(),
            epochs: BTreeMap::new(),
            keys: Vec::new(),
            rebalanced: Vec::new(),
        }
    }

    fn end_op(&self, mut op: Op, outcome: Outcome) {
        op.outcome = outcome;
        op.returned = self.now();
        self.history.lock().expect("no client panicked").push(op);
    }

    /// The broker was killed here.
    pub(crate) fn note_crash(&self) {
        let op = self.begin_op(u64::MAX, Kind::Crash);
        self.end_op(op, Outcome::Ok);
    }

    fn refused(&self, error: ErrorCode) {
        *self.refusals.lock().expect("no client panicked").entry(error.name()).or_default() += 1;
    }

    /// Produces until it is asked to end.
    pub(crate) fn produce(&self, sending: Sending, seed: u64) -> Result<()> {
        let process = self.process();
        if sending.acks != -1 {
            self.lossy.lock().expect("no client panicked").push(process);
        }
        let mut random = Random::new(seed ^ process);
        let mut connection = Reconnecting::new(self.port);
        let producer = if sending.idempotent { Some(self.producer_id(&mut connection)?) } else { None };
        let mut sequences = vec![0; self.partitions as usize];
        let mut counter = 0;
        // A producer whose records are old is forgotten by brokers, Kafka's too: time goes by the records.
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        while !self.is_stopped() {
            let partition = random.below(self.partitions as u64) as i32;
            let sequence = &mut sequences[partition as usize];
            let mut op = self.begin_op(process, Kind::Send);
            let mut builder = BatchBuilder::new();
            if let Some(producer) = producer {
                builder = builder.producer(producer, ProducerEpoch(0), *sequence);
            }
            let count = 1 + random.below(4);
            for _ in 0..count {
                let value = value(process, counter, 40 + random.below(400) as usize);
                builder.append(now_ms + counter, None, Some(&value), &[]);
                op.steps.push(Step::Send(key(partition), name(process, counter), None));
                counter += 1;
            }
            *sequence += count as i32;
            let outcome = self.send(&mut connection, partition, sending, builder.build(), &mut op)?;
            self.end_op(op, outcome);
        }
        Ok(())
    }

    fn producer_id(&self, connection: &mut Reconnecting) -> Result<ProducerId> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let answer = connection.ask_until(PATIENCE, |client| {
            let answer = client.ask(4, &request)?;
            ensure!(answer.error_code == 0, "InitProducerId: {}", answer.error_code);
            Ok(answer)
        })?;
        Ok(ProducerId(answer.producer_id))
    }

    /// Sends a batch until its fate is known, or for good where it cannot be.
    fn send(
        &self,
        connection: &mut Reconnecting,
        partition: i32,
        sending: Sending,
        batch: Vec<u8>,
        op: &mut Op,
    ) -> Result<Outcome> {
        let data = PartitionProduceData {
            index: partition,
            records: Some(bytes::Bytes::from(batch).into()),
            ..Default::default()
        };
        let topic = TopicProduceData { name: TOPIC.into(), partition_data: vec![data], ..Default::default() };
        let request = ProduceRequest {
            acks: sending.acks,
            timeout_ms: 10_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let Ok(answer) = connection.client().and_then(|client| client.ask(9, &request)) else {
                connection.lost();
                if !sending.idempotent {
                    return Ok(Outcome::Info);
                }
                continue;
            };
            let answer = &answer.responses[0].partition_responses[0];
            let error = ErrorCode::from_code(answer.error_code);
            match error {
                ErrorCode::None => {
                    for (delta, step) in op.steps.iter_mut().enumerate() {
                        if let Step::Send(_, _, offset) = step {
                            *offset = Some(answer.base_offset + delta as i64);
                        }
                    }
                    return Ok(Outcome::Ok);
                }
                // Its producer has the answer for the batch before, and the broker does not have the batch.
                ErrorCode::OutOfOrderSequenceNumber => {
                    bail!("lost-acknowledged: partition {partition} does not know the last sequence: {error}")
                }
                _ if !error.is_retriable() => bail!("a batch was refused for good: {error}"),
                _ => {
                    self.refused(error);
                    if !sending.idempotent {
                        return Ok(Outcome::Info);
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
        Ok(Outcome::Info)
    }

    /// Reads all partitions from their start, until it is asked to end.
    pub(crate) fn consume(&self, seed: u64) -> Result<()> {
        let mut reader = Reader::new(self)?;
        let mut random = Random::new(seed);
        while !self.is_stopped() {
            if random.below(64) == 0 {
                reader.assign()?;
            }
            reader.poll(100)?;
        }
        Ok(())
    }

    /// Reads everything there is, with a client of its own; gives its number.
    pub(crate) fn read_all(&self) -> Result<u64> {
        let mut reader = Reader::new(self)?;
        reader.settle()?;
        let ends = reader.list_offsets()?;
        let deadline = Instant::now() + PATIENCE;
        while ends.iter().zip(&reader.positions).any(|(end, position)| position < end) {
            ensure!(Instant::now() < deadline, "read up to {:?}, not {ends:?}", reader.positions);
            reader.poll(10)?;
        }
        Ok(reader.process)
    }

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

/// A consumer of all partitions.
struct Reader<'l> {
    load: &'l Load,
    process: u64,
    connection: Reconnecting,
    positions: Vec<i64>,
    /// Partition and offset that could not be read last, and how often in a row.
    damaged: ((i32, i64), u32),
}

impl<'l> Reader<'l> {
    fn new(load: &'l Load) -> Result<Reader<'l>> {
        let connection = Reconnecting::new(load.port);
        let positions = vec![0; load.partitions as usize];
        let damaged = ((0, -1), 0);
        let mut reader = Reader { load, process: load.process(), connection, positions, damaged };
        reader.assign()?;
        Ok(reader)
    }

    /// Goes to the start of all partitions.
    fn assign(&mut self) -> Result<()> {
        let op = self.load.begin_op(self.process, Kind::Assign);
        for partition in 0..self.load.partitions {
            let (earliest, _) = self.connection.ask_until(PATIENCE, |client| offsets(client, partition))?;
            self.positions[partition as usize] = earliest;
        }
        self.load.end_op(op, Outcome::Ok);
        Ok(())
    }

    /// Waits until partitions end where they ended a while ago: what was acknowledged without waiting for the disk is seen
    /// when its flush is over.
    fn settle(&mut self) -> Result<()> {
        let mut before = Vec::new();
        loop {
            let mut ends = Vec::new();
            for partition in 0..self.load.partitions {
                ends.push(self.connection.ask_until(PATIENCE, |client| offsets(client, partition))?.1);
            }
            if ends == before {
                return Ok(());
            }
            before = ends;
            thread::sleep(SETTLED);
        }
    }

    /// Asks where partitions begin and end, and notes it.
    fn list_offsets(&mut self) -> Result<Vec<i64>> {
        let mut op = self.load.begin_op(self.process, Kind::ListOffsets);
        let mut ends = Vec::new();
        for partition in 0..self.load.partitions {
            let (earliest, latest) =
                self.connection.ask_until(PATIENCE, |client| offsets(client, partition))?;
            op.earliest.insert(key(partition), earliest);
            op.offsets.insert(key(partition), latest);
            ends.push(latest);
        }
        self.load.end_op(op, Outcome::Ok);
        Ok(ends)
    }

    fn poll(&mut self, max_wait_ms: i32) -> Result<()> {
        let partitions = self.positions.iter().enumerate().map(|(partition, position)| FetchPartition {
            partition: partition as i32,
            current_leader_epoch: -1,
            fetch_offset: *position,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 64 << 10,
            ..Default::default()
        });
        let topic =
            FetchTopic { topic: TOPIC.into(), partitions: partitions.collect(), ..Default::default() };
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let mut op = self.load.begin_op(self.process, Kind::Poll);
        let Ok(answer) = self.connection.client().and_then(|client| client.ask(12, &request)) else {
            self.connection.lost();
            return Ok(());
        };
        let mut polled: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
        let mut is_behind = false;
        for answer in answer.responses.iter().flat_map(|topic| &topic.partitions) {
            let partition = answer.partition_index;
            match ErrorCode::from_code(answer.error_code) {
                ErrorCode::None => {}
                ErrorCode::OffsetOutOfRange => {
                    is_behind = true;
                    continue;
                }
                // A hole that a power cut left in what nobody had been promised stays, and is told for as long as it
                // is asked for. If something was promised there, the checker misses it.
                error @ (ErrorCode::CorruptMessage | ErrorCode::KafkaStorageError) => {
                    self.load.refused(error);
                    let place = (partition, self.positions[partition as usize]);
                    let told = if self.damaged.0 == place { self.damaged.1 + 1 } else { 1 };
                    self.damaged = (place, told);
                    self.positions[partition as usize] += i64::from(told == TOLD_MAX);
                    continue;
                }
                error => {
                    self.load.refused(error);
                    continue;
                }
            }
            let position = &mut self.positions[partition as usize];
            let bytes =
                answer.records.as_ref().and_then(|records| records.bytes()).cloned().unwrap_or_default();
            for batch in batches(&bytes).map_while(Result::ok) {
                if batch.verify_crc().is_err() {
                    // What a real client does: it stops here, and says so.
                    self.load.refused(ErrorCode::CorruptMessage);
                    break;
                }
                let epochs = op.epochs.entry(key(partition)).or_default();
                epochs.push((batch.base_offset().0, batch.header().leader_epoch.0));
                let records = batch.records(BATCH_BYTES_MAX).context("a batch cannot be read")?;
                for record in records.iter() {
                    let record = record.context("a record cannot be read")?;
                    if record.offset.0 >= *position {
                        let value = read(record.value.unwrap_or_default());
                        polled.entry(key(partition)).or_default().push((record.offset.0, value));
                    }
                }
                *position = (*position).max(batch.next_offset().0);
            }
        }
        if !polled.is_empty() {
            op.steps.push(Step::Poll(polled));
            self.load.end_op(op, Outcome::Ok);
        }
        if is_behind { self.assign() } else { Ok(()) }
    }
}

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

    /// Sends one record; connects again if the connection is lost.
    pub(crate) fn produce(&mut self, topic: &str, value: &str, acks: i16) -> Result<Produced> {
        let mut builder = BatchBuilder::new();
        builder.append(1_700_000_000_000, None, Some(value.as_bytes()), &[]);
        let records = Some(bytes::Bytes::from(builder.build()).into());
        let data = PartitionProduceData { records, ..Default::default() };
        let topic = TopicProduceData { name: topic.into(), partition_data: vec![data], ..Default::default() };
        let request =
            ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
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

/// A connection that is made anew when it is lost.
struct Reconnecting {
    port: u16,
    client: Option<Client>,
}

impl Reconnecting {
    fn new(port: u16) -> Reconnecting {
        Reconnecting { port, client: None }
    }

    fn client(&mut self) -> Result<&mut Client> {
        if self.client.is_none() {
            self.client = Some(Client::open(self.port)?);
        }
        Ok(self.client.as_mut().expect("just made"))
    }

    fn lost(&mut self) {
        self.client = None;
        thread::sleep(Duration::from_millis(5));
    }

    /// Asks again and again, for so long.
    fn ask_until<T>(&mut self, limit: Duration, mut ask: impl FnMut(&mut Client) -> Result<T>) -> Result<T> {
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
fn offsets(client: &mut Client, partition: i32) -> Result<(i64, i64)> {
    offsets_of(client, TOPIC, partition)
}

fn offsets_of(client: &mut Client, topic: &str, partition: i32) -> Result<(i64, i64)> {
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

fn create(client: &mut Client, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
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

fn delete(client: &mut Client, name: &str) -> Result<()> {
    let request =
        DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms: 10_000, ..Default::default() };
    let error = client.ask(5, &request)?.responses[0].error_code;
    ensure!(error == 0, "DeleteTopics: {}", ErrorCode::from_code(error));
    Ok(())
}

fn key(partition: i32) -> String {
    format!("{TOPIC}-{partition}")
}

fn name(process: u64, counter: i64) -> String {
    format!("{process}-{counter}")
}

/// A value's name, padding, and a checksum over both.
fn value(process: u64, counter: i64, padding: usize) -> Vec<u8> {
    let mut bytes = format!("{} ", name(process, counter)).into_bytes();
    bytes.extend((0..padding).map(|at| (at as i64 * 31 + counter) as u8));
    let sum = crc32c(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

/// The name of a value that was read; of one whose bytes were changed, a name that nobody sent.
fn read(bytes: &[u8]) -> String {
    let sound = bytes.split_last_chunk::<4>().filter(|(rest, sum)| crc32c(rest).to_be_bytes() == **sum);
    let name = sound.and_then(|(rest, _)| rest.split(|byte| *byte == b' ').next());
    name.map_or_else(|| format!("mangled {bytes:02x?}"), |name| String::from_utf8_lossy(name).into_owned())
}
