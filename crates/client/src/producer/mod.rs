//! Producing records: batches by partition, idempotence, retries in order.

mod accumulator;
mod batch;
mod config;
mod partitioner;
mod request;
mod sender;
#[cfg(test)]
mod tests;

pub use config::ProducerConfig;
pub use partitioner::partition_for_key;

use crate::clock::{now_ms, random};
use crate::{Client, Error, ProducerRecord, RecordMetadata, Result, TopicMetadata, TopicPartition};
use accumulator::{Accumulator, Appended};
use batch::{Batch, Callback, Entry};
use bytestring::ByteString;
use ottla_protocol::ErrorCode;
use parking_lot::Mutex;
use partitioner::Sticky;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

/// How often a topic is asked for before the user is told that it is not there: one that is created just then comes up
/// sooner.
pub(crate) const TRIES_BEFORE_A_WORD: u32 = 5;

/// Sends records to their partitions' leaders. Must be made inside a tokio runtime; [`Producer::close`] delivers what
/// is left, dropping it does not.
pub struct Producer {
    client: Client,
    config: ProducerConfig,
    shared: Arc<Shared>,
    sticky: Mutex<Sticky>,
    sender: Option<JoinHandle<()>>,
}

/// What the producer and its sender both touch.
struct Shared {
    accumulator: Mutex<Accumulator>,
    closing: AtomicBool,
    wake_sender: Notify,
    /// Something was settled: there is room, and perhaps nothing left.
    settled: Notify,
}

impl Shared {
    fn is_done(&self) -> bool {
        self.closing.load(Ordering::Acquire) && self.accumulator.lock().is_idle()
    }

    fn settle(&self, batch: &Batch) {
        self.accumulator.lock().settle(batch);
        self.settled.notify_waiters();
    }
}

/// What becomes of a record: a future that can be awaited now, later or not at all.
#[must_use = "whether the record was written is only known here"]
pub struct Delivery(oneshot::Receiver<Result<RecordMetadata>>);

impl Future for Delivery {
    type Output = Result<RecordMetadata>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let gone = || Error::State(String::from("the producer was dropped before the record was delivered"));
        Pin::new(&mut self.0).poll(cx).map(|told| told.unwrap_or_else(|_| Err(gone())))
    }
}

impl Producer {
    /// A producer on a cluster.
    pub fn new(client: Client, config: ProducerConfig) -> Producer {
        let shared = Arc::new(Shared {
            accumulator: Mutex::default(),
            closing: AtomicBool::new(false),
            wake_sender: Notify::new(),
            settled: Notify::new(),
        });
        let sender = sender::Sender::new(client.clone(), config.clone(), Arc::clone(&shared));
        let sender = Some(tokio::spawn(sender.run()));
        Producer { client, config, shared, sticky: Mutex::default(), sender }
    }

    /// Puts a record in its partition's batch; waits for metadata and memory, not for the broker.
    pub async fn send(&self, record: ProducerRecord) -> Result<Delivery> {
        let (tell, told) = oneshot::channel();
        self.send_and(record, Box::new(move |result| drop(tell.send(result)))).await?;
        Ok(Delivery(told))
    }

    /// The same with a function that is told what became of the record. Records of one partition are told in order.
    pub async fn send_and(&self, record: ProducerRecord, callback: Callback) -> Result<()> {
        let now = Instant::now();
        let deadline = now + self.config.max_block;
        let topic = match self.client.known_topic(&record.topic, now) {
            Some(topic) if record.partition.is_none_or(|index| topic.partition(index).is_some()) => topic,
            _ => self.topic(&record, deadline).await?,
        };
        let mut entry = Entry {
            timestamp: record.timestamp.unwrap_or_else(now_ms),
            key: record.key,
            value: record.value,
            headers: record.headers,
            callback,
        };
        let size = entry.size();
        self.check_size(&record.topic, size)?;
        loop {
            match self.append(&topic, &record.topic, record.partition, entry, now) {
                Ok(appended) => {
                    if appended.batch_is_full {
                        // Where there is one thread for everything, the sender has to have its turn.
                        tokio::task::yield_now().await;
                    }
                    return Ok(());
                }
                Err(refused) => entry = refused,
            }
            self.wait_for_memory(size, deadline).await?;
        }
    }

    /// Puts a record in its batch; gives it back if there is no memory for it.
    fn append(
        &self,
        topic: &TopicMetadata,
        name: &ByteString,
        partition: Option<i32>,
        entry: Entry,
        now: Instant,
    ) -> std::result::Result<Appended, Entry> {
        let mut sticky;
        let mut stuck = None;
        let partition = match (partition, &entry.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_for_key(key, topic.partitions.len()),
            (None, None) => {
                sticky = self.sticky.lock();
                let (partition, place) = sticky.partition(name, topic, random);
                stuck = Some(place);
                partition
            }
        };
        let partition = TopicPartition { topic: name.clone(), partition };
        let appended = {
            let mut accumulator = self.shared.accumulator.lock();
            if accumulator.is_full(entry.size(), &self.config) {
                return Err(entry);
            }
            accumulator.append(&partition, entry, &self.config, now)
        };
        if let Some(stuck) = stuck {
            stuck.appended(appended.bytes, appended.batch_is_full, self.config.batch_size);
        }
        if appended.wake_sender {
            self.shared.wake_sender.notify_one();
        }
        Ok(appended)
    }

    /// The topic, once it is there and has the partition that the record names.
    async fn topic(&self, record: &ProducerRecord, deadline: Instant) -> Result<Arc<TopicMetadata>> {
        let mut missing = format!("metadata of topic {}", record.topic);
        for attempt in 0.. {
            match timeout_at(deadline, self.client.topic(&record.topic)).await {
                Ok(Ok(topic)) => match record.partition {
                    Some(partition) if topic.partition(partition).is_none() => {
                        missing = format!(
                            "partition {partition} of topic {} with {} partitions",
                            record.topic,
                            topic.partitions.len()
                        );
                        self.client.forget_topic(&record.topic);
                    }
                    _ => return Ok(topic),
                },
                Ok(Err(error)) if error.is_retriable() => {
                    if attempt == TRIES_BEFORE_A_WORD && error.code().is_some() {
                        tracing::warn!("{error} Waiting for it");
                    }
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => break,
            }
            let pause = self.client.config().backoff.pause(attempt);
            if Instant::now() + pause >= deadline {
                break;
            }
            sleep(pause).await;
        }
        Err(Error::Timeout { what: format!("waiting for {missing}"), after: self.config.max_block })
    }

    /// What no request can carry, or no memory hold, is refused before the broker has to.
    fn check_size(&self, topic: &str, size: usize) -> Result<()> {
        let limits = [
            ("max.request.size", self.config.max_request_size),
            ("buffer.memory", self.config.buffer_memory),
        ];
        match limits.into_iter().find(|(_, limit)| size > *limit) {
            None => Ok(()),
            Some((key, limit)) => Err(Error::Broker {
                code: ErrorCode::MessageTooLarge,
                about: format!("producing to {topic}"),
                message: Some(format!("the record has {size} bytes, {key} allows {limit}")),
            }),
        }
    }

    async fn wait_for_memory(&self, size: usize, deadline: Instant) -> Result<()> {
        if !self.shared.accumulator.lock().is_full(size, &self.config) {
            return Ok(());
        }
        let _hurry = Hurry::new(&self.shared);
        if self.shared.accumulator.lock().is_quiet() {
            self.shared.wake_sender.notify_one();
        }
        loop {
            let settled = self.shared.settled.notified();
            if !self.shared.accumulator.lock().is_full(size, &self.config) {
                return Ok(());
            }
            timeout_at(deadline, settled).await.map_err(|_| Error::Timeout {
                what: format!("waiting for {size} bytes of buffer.memory"),
                after: self.config.max_block,
            })?;
        }
    }

    /// Sends everything now and waits until every record has its result.
    pub async fn flush(&self) {
        let _hurry = Hurry::new(&self.shared);
        self.shared.wake_sender.notify_one();
        loop {
            let settled = self.shared.settled.notified();
            if self.shared.accumulator.lock().is_idle() {
                return;
            }
            settled.await;
        }
    }

    /// Delivers what is left, for at most `delivery.timeout.ms`, and ends.
    pub async fn close(mut self) {
        self.flush().await;
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake_sender.notify_one();
        if let Some(sender) = self.sender.take() {
            // It ends by itself; a panic in it has been reported by the runtime.
            let _ = sender.await;
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.abort();
        }
    }
}

/// While it lives, batches leave without lingering, as soon as the sender looks.
struct Hurry<'a>(&'a Shared);

impl<'a> Hurry<'a> {
    fn new(shared: &'a Shared) -> Hurry<'a> {
        shared.accumulator.lock().hurry += 1;
        Hurry(shared)
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        self.0.accumulator.lock().hurry -= 1;
    }
}
