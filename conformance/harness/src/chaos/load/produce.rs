//! Producers: one batch on the way each.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use ottla_protocol::error::ErrorCode;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::{ProducerEpoch, ProducerId};

use super::super::connection::Reconnecting;
use super::values::{key, name, value};
use super::{Load, PATIENCE, TOPIC};
use crate::checker::{Kind, Op, Outcome, Step};
use crate::random::Random;

/// How a producer sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    pub(crate) acks: i16,
    pub(crate) idempotent: bool,
}

/// What became of a batch.
enum Fate {
    /// This.
    Ended(Outcome),
    /// The broker does not know what this producer sent before.
    Forgotten,
}

impl Load {
    /// Produces until it is asked to end.
    pub(crate) fn produce(&self, sending: Sending, seed: u64) -> Result<()> {
        let process = self.process();
        if sending.acks != -1 {
            self.lossy.lock().expect("no client panicked").push(process);
        }
        let mut random = Random::new(seed ^ process);
        let mut connection = Reconnecting::new(self.port);
        let mut producer = if sending.idempotent { Some(self.producer_id(&mut connection)?) } else { None };
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
            match self.send(&mut connection, partition, sending, builder.build(), &mut op)? {
                Fate::Ended(outcome) => self.end_op(op, outcome),
                Fate::Forgotten => {
                    self.end_op(op, Outcome::Info);
                    // As a real client: it goes on as another producer.
                    producer = Some(self.producer_id(&mut connection)?);
                    sequences.fill(0);
                }
            }
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
    ) -> Result<Fate> {
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
                    return Ok(Fate::Ended(Outcome::Info));
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
                    return Ok(Fate::Ended(Outcome::Ok));
                }
                // Its producer has the answer for the batch before, and the broker does not have the batch.
                ErrorCode::OutOfOrderSequenceNumber => {
                    self.suspect(format!("{} does not know the last sequence of a producer", key(partition)));
                    return Ok(Fate::Forgotten);
                }
                _ if !error.is_retriable() => bail!("a batch was refused for good: {error}"),
                _ => {
                    self.refused(error);
                    if !sending.idempotent {
                        return Ok(Fate::Ended(Outcome::Info));
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
        Ok(Fate::Ended(Outcome::Info))
    }
}
