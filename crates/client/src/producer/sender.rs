//! The task that carries out what the accumulator decides: connects to leaders, sends batches, judges answers.
//!
//! One task per producer. Everything that waits for the network (connecting, asking for metadata or an identity,
//! waiting for an answer) runs beside it and comes back as an [`Event`], so that one slow broker holds nobody up.

use super::batch::{Batch, Identity};
use super::request::{answer_of, produce_request};
use super::{ProducerConfig, Shared};
use crate::errand::Errand;
use crate::{Client, Connection, Error, Metadata, Result, TopicPartition};
use ottla_protocol::messages::produce_response::PartitionProduceResponse;
use ottla_protocol::messages::{InitProducerIdRequest, ProduceResponse};
use ottla_protocol::{BrokerId, ErrorCode, ProducerEpoch, ProducerId};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

pub(super) struct Sender {
    client: Client,
    config: ProducerConfig,
    shared: Arc<Shared>,
    tasks: JoinSet<Event>,
    links: HashMap<BrokerId, Link>,
    refresh: Errand,
    identify: Errand,
}

/// What came back.
enum Event {
    Connected(BrokerId, Result<Arc<Connection>>),
    /// No response: nobody waits for one.
    Answered(BrokerId, Vec<Batch>, Result<Option<ProduceResponse>>),
    Refreshed(Result<()>),
    Identified(Result<Identity>),
}

/// A way to one broker.
#[derive(Default)]
struct Link {
    connection: Option<Arc<Connection>>,
    connect: Errand,
    requests_in_flight: usize,
}

impl Sender {
    pub(super) fn new(client: Client, config: ProducerConfig, shared: Arc<Shared>) -> Sender {
        Sender {
            client,
            config,
            shared,
            tasks: JoinSet::new(),
            links: HashMap::new(),
            refresh: Errand::default(),
            identify: Errand::default(),
        }
    }

    /// Runs until the producer is closed and everything has its result.
    pub(super) async fn run(mut self) {
        loop {
            let now = Instant::now();
            self.expire(now);
            self.identify(now);
            while self.send_ready(now) {}
            if self.shared.is_done() {
                return;
            }
            let next = self.next_look(now);
            tokio::select! {
                Some(event) = self.tasks.join_next() => {
                    self.on_event(event.expect("a task of the sender does not panic"));
                }
                () = self.shared.wake_sender.notified() => {}
                () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
            }
        }
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        let batches = self.shared.accumulator.lock().next_look(&self.config, now);
        let errands = self.links.values().map(|link| &link.connect).chain([&self.refresh, &self.identify]);
        batches.into_iter().chain(errands.filter_map(|errand| errand.next(now))).min()
    }

    /// Sends one request to each leader that something is ready for; says whether any was sent.
    fn send_ready(&mut self, now: Instant) -> bool {
        let ready = self.shared.accumulator.lock().ready(&self.config, now);
        let known = self.client.known();
        let mut by_leader: HashMap<BrokerId, Vec<TopicPartition>> = HashMap::new();
        let mut leaderless = BTreeSet::new();
        for partition in ready {
            let topic = known.topics.get(&*partition.topic);
            let leader = topic.and_then(|topic| topic.partition(partition.partition)).and_then(|p| p.leader);
            match leader.filter(|leader| known.brokers.contains_key(leader)) {
                Some(leader) => by_leader.entry(leader).or_default().push(partition),
                None => {
                    leaderless.insert(partition.topic.to_string());
                }
            }
        }
        self.refresh(leaderless, now);
        let mut sent = false;
        for (leader, partitions) in by_leader {
            sent |= self.send_to(leader, &partitions, now);
        }
        sent
    }

    fn send_to(&mut self, leader: BrokerId, partitions: &[TopicPartition], now: Instant) -> bool {
        let link = self.links.entry(leader).or_default();
        if link.requests_in_flight >= self.config.max_in_flight {
            return false;
        }
        let open = link.connection.as_ref().filter(|connection| !connection.is_closed()).cloned();
        let Some(connection) = open else {
            if link.connect.start(now) {
                let client = self.client.clone();
                self.tasks.spawn(async move { Event::Connected(leader, client.broker(leader).await) });
            }
            return false;
        };
        let batches = take(&self.shared, &self.config, partitions);
        if batches.is_empty() {
            return false;
        }
        link.requests_in_flight += 1;
        self.submit(leader, &connection, batches);
        true
    }

    fn submit(&mut self, leader: BrokerId, connection: &Connection, batches: Vec<Batch>) {
        let timeout = self.client.config().request_timeout;
        let request = produce_request(connection, &batches, &self.config, &self.client.known(), timeout);
        let (version, request) = match request {
            Ok(request) => request,
            Err(error) => {
                self.tasks.spawn(async move { Event::Answered(leader, batches, Err(error)) });
                return;
            }
        };
        // Submitted here and not in the task: the order of requests on the wire is the order of batches.
        if self.config.acks == 0 {
            let written = connection.submit_unanswered(version, &request);
            self.tasks.spawn(async move {
                let written = match written {
                    Ok(written) => written.await,
                    Err(error) => Err(error),
                };
                Event::Answered(leader, batches, written.map(|()| None))
            });
        } else {
            let answer = connection.submit(version, &request, timeout);
            self.tasks.spawn(async move {
                let answer = match answer {
                    Ok(answer) => answer.await,
                    Err(error) => Err(error),
                };
                Event::Answered(leader, batches, answer.map(Some))
            });
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected(leader, connected) => {
                let link = self.links.entry(leader).or_default();
                match connected {
                    Ok(connection) => {
                        link.connect.succeeded(None);
                        link.connection = Some(connection);
                    }
                    Err(error) => {
                        link.connect.failed(&self.client);
                        tracing::debug!("no way to broker {leader}: {error}");
                        // Somebody else may lead by now.
                        let topics = self.client.known().topics.keys().cloned().collect();
                        self.refresh(topics, Instant::now());
                    }
                }
            }
            Event::Answered(leader, batches, answer) => {
                self.links.entry(leader).or_default().requests_in_flight -= 1;
                self.on_answer(batches, answer);
            }
            Event::Refreshed(Ok(())) => self.refresh.succeeded(None),
            Event::Refreshed(Err(error)) => {
                tracing::debug!("no metadata: {error}");
                self.refresh.failed(&self.client);
            }
            Event::Identified(Ok(identity)) => {
                self.identify.succeeded(None);
                self.shared.accumulator.lock().identify(identity);
            }
            Event::Identified(Err(error)) if error.is_retriable() => self.identify.failed(&self.client),
            Event::Identified(Err(error)) => {
                self.identify.failed(&self.client);
                let waiting = self.shared.accumulator.lock().drain();
                waiting.into_iter().for_each(|batch| self.give_up(batch, &error));
            }
        }
    }

    fn on_answer(&mut self, batches: Vec<Batch>, answer: Result<Option<ProduceResponse>>) {
        let known = self.client.known();
        let mut stale = BTreeSet::new();
        for batch in batches {
            match outcome(&batch.partition, &answer, &known) {
                Ok(answer) => self.written(batch, answer),
                Err(error) => {
                    if error.is_retriable() {
                        stale.insert(batch.partition.topic.to_string());
                    }
                    self.not_written(batch, error);
                }
            }
        }
        self.refresh(stale, Instant::now());
    }

    fn written(&self, mut batch: Batch, answer: Option<&PartitionProduceResponse>) {
        let some = |number: i64| (number >= 0).then_some(number);
        batch.succeed(
            answer.and_then(|answer| some(answer.base_offset)),
            answer.and_then(|answer| some(answer.log_append_time_ms)),
        );
        self.shared.settle(&batch);
    }

    fn not_written(&self, batch: Batch, error: Error) {
        let mut accumulator = self.shared.accumulator.lock();
        match error.code() {
            Some(ErrorCode::MessageTooLarge) if batch.entries.len() > 1 => {
                return accumulator.give_back_split(batch);
            }
            Some(
                ErrorCode::OutOfOrderSequenceNumber
                | ErrorCode::UnknownProducerId
                | ErrorCode::InvalidProducerEpoch,
            ) if batch.sequence.is_some() => {
                // Behind a batch that is to be sent again it only means that; for the oldest the sequence is lost.
                if accumulator.is_oldest(&batch) {
                    accumulator.lose_sequence(&batch.partition);
                }
            }
            _ if error.is_retriable() => {}
            _ => {
                drop(accumulator);
                return self.give_up(batch, &error);
            }
        }
        let now = Instant::now();
        if batch.attempts > self.config.retries || batch.created + self.config.delivery_timeout <= now {
            drop(accumulator);
            return self.give_up(batch, &error);
        }
        let pause = self.client.config().backoff.pause(batch.attempts - 1);
        tracing::debug!("{} again in {} ms: {error}", batch.partition, pause.as_millis());
        accumulator.give_back(batch, Some(now + pause));
    }

    /// A batch that had a sequence number leaves a hole.
    fn give_up(&self, mut batch: Batch, error: &Error) {
        if batch.sequence.is_some() {
            self.shared.accumulator.lock().lose_sequence(&batch.partition);
        }
        batch.fail(error);
        self.shared.settle(&batch);
    }

    fn expire(&self, now: Instant) {
        let after = self.config.delivery_timeout;
        let expired = self.shared.accumulator.lock().expire(after, now);
        for batch in expired {
            let what = format!("delivering {} record(s) to {}", batch.entries.len(), batch.partition);
            self.give_up(batch, &Error::Timeout { what, after });
        }
    }

    fn refresh(&mut self, topics: BTreeSet<String>, now: Instant) {
        if topics.is_empty() || !self.refresh.start(now) {
            return;
        }
        let client = self.client.clone();
        self.tasks.spawn(async move {
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            Event::Refreshed(client.refresh(Some(&topics)).await.map(drop))
        });
    }

    fn identify(&mut self, now: Instant) {
        let wanted = self.config.idempotence && self.shared.accumulator.lock().wants_identity();
        if wanted && self.identify.start(now) {
            let client = self.client.clone();
            self.tasks.spawn(async move { Event::Identified(init_producer_id(&client).await) });
        }
    }
}

/// As many batches as fit a request, at least one.
fn take(shared: &Shared, config: &ProducerConfig, partitions: &[TopicPartition]) -> Vec<Batch> {
    let mut accumulator = shared.accumulator.lock();
    let mut batches = Vec::new();
    let mut bytes = 0;
    for partition in partitions {
        bytes += accumulator.first_size(partition).unwrap_or_default();
        if !batches.is_empty() && bytes > config.max_request_size {
            break;
        }
        batches.extend(accumulator.take(partition, config));
    }
    batches
}

/// Whether the broker has a partition's batch, and what it says about it; nothing, when it was not asked to. That it had
/// the batch already is as good (KIP-98).
fn outcome<'r>(
    partition: &TopicPartition,
    answer: &'r Result<Option<ProduceResponse>>,
    known: &Metadata,
) -> Result<Option<&'r PartitionProduceResponse>> {
    let about = || format!("producing to {partition}");
    let Some(response) = answer.as_ref().map_err(Error::clone)? else { return Ok(None) };
    // The topic may have been made anew in between, and then has another id.
    let found = answer_of(response, partition, known)
        .ok_or_else(|| Error::broker(ErrorCode::UnknownTopicId, about()))?;
    match ErrorCode::from_code(found.error_code) {
        ErrorCode::DuplicateSequenceNumber => {}
        _ => Error::check(found.error_code, about, found.error_message.as_deref())?,
    }
    Ok(Some(found))
}

async fn init_producer_id(client: &Client) -> Result<Identity> {
    // No transaction, so no timeout of one.
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        ..InitProducerIdRequest::default()
    };
    let response = client.any_broker().await?.send(&request).await?;
    Error::check(response.error_code, || String::from("asking for a producer id"), None)?;
    Ok(Identity { id: ProducerId(response.producer_id), epoch: ProducerEpoch(response.producer_epoch) })
}
