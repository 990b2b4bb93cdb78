//! Consumers: all partitions from their start, in the middle of everything and at the end.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ottla_protocol::error::ErrorCode;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::records::batches;

use super::super::connection::Reconnecting;
use super::values::{key, read};
use super::{Load, PATIENCE, TOPIC, offsets};
use crate::checker::{Kind, Outcome, Step};
use crate::random::Random;

/// How long nothing must have moved before everything counts as flushed.
const SETTLED: Duration = Duration::from_secs(2);
/// How often a consumer is told that an offset cannot be read before it goes on behind it.
const TOLD_MAX: u32 = 3;
/// Largest decompressed batch that is read.
const BATCH_BYTES_MAX: u64 = 1 << 20;

impl Load {
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
            if Instant::now() > deadline {
                // The checker tells what is missing there.
                self.suspect(format!("what is there can be read up to {:?}, not {ends:?}", reader.positions));
                break;
            }
            reader.poll(10)?;
        }
        Ok(reader.process)
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
                    if told < TOLD_MAX {
                        self.damaged = (place, told);
                    } else {
                        // What is next to it is believed at once.
                        self.positions[partition as usize] += 1;
                        self.damaged = ((place.0, place.1 + 1), TOLD_MAX);
                    }
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
