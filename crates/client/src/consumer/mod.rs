//! Consuming records: alone or as a member of a group of the classic protocol, which it shares with Java's consumers.
//!
//! Everything that waits for the network runs in tasks and comes back as an [`Event`]; [`Consumer::poll`] handles
//! events until there are records. Only heartbeats go on while nobody polls, and those not longer than
//! `max.poll.interval.ms`.

mod assignor;
mod config;
mod fetch;
mod group;
mod membership;
mod positions;
mod protocol;
mod reading;
mod records;

pub use assignor::Assignor;
pub use config::{ConsumerConfig, IsolationLevel, OffsetReset};

use crate::errand::Errand;
use crate::offsets::{Committed, Committer};
use crate::{Client, ConsumerRecord, Error, Result, TopicPartition};
use assignor::Topics;
use bytestring::ByteString;
use membership::{Joined, Pulse, leave};
use ottla_protocol::BrokerId;
use ottla_protocol::messages::FetchResponse;
use parking_lot::Mutex;
use positions::{Position, Positions, Work};
use records::Fetched;
use regex::Regex;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

/// How long closing may take for the last commit, and again for leaving the group.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads records of topics or partitions. Must be made inside a tokio runtime.
pub struct Consumer {
    client: Client,
    config: Arc<ConsumerConfig>,
    subscription: Subscription,
    positions: Positions,
    fetched: VecDeque<Fetched>,
    /// An error that was found behind records; the next poll gives it.
    failed: Option<Error>,
    /// Leaders that have a fetch of ours.
    fetching: HashSet<BrokerId>,
    refresh: Errand,
    /// Looking after the subscribed topics: do they exist, how many partitions have they.
    watch: Errand,
    member: Member,
    next_commit: Instant,
    tasks: JoinSet<Event>,
}

/// What a rebalance of the group does to a member's partitions; Java's `ConsumerRebalanceListener` is told the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// These are its own no more.
    Revoked(Vec<TopicPartition>),
    /// These are its own from now on; possibly none.
    Assigned(Vec<TopicPartition>),
}

type RebalanceListener = Box<dyn FnMut(Rebalance) + Send>;

enum Subscription {
    /// The user names partitions, if any.
    Manual,
    Topics(Vec<ByteString>),
    Pattern(Regex),
}

/// Our place in the group.
struct Member {
    me: Committer,
    state: MemberState,
    pulse: Arc<Pulse>,
    heartbeat: Option<AbortHandle>,
    /// The subscribed topics; with a pattern, those that were found.
    topics: Vec<ByteString>,
    /// What we went by when we were the leader.
    led: Option<Topics>,
    /// Who is told what becomes of the partitions.
    listener: Option<RebalanceListener>,
    /// The id as soon as the coordinator has given one, also during the first join.
    member_id: Arc<Mutex<ByteString>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberState {
    Outside,
    Joining,
    Inside,
}

/// What came back.
enum Event {
    Joined(Result<Joined>),
    /// The membership of a generation ended.
    Lost(i32, Error),
    Committed(Result<()>),
    Resolved(Vec<Work<Position>>, Result<Vec<Work<i64>>>),
    Fetched(BrokerId, Vec<Work<i64>>, Result<FetchResponse>),
    Refreshed(Result<()>),
    Watched(Result<Topics>),
}

impl Consumer {
    /// A consumer on a cluster.
    pub fn new(client: Client, config: ConsumerConfig) -> Consumer {
        let group_id = config.group_id.as_deref().unwrap_or_default();
        let me = Committer {
            instance_id: config.group_instance_id.as_deref().map(Into::into),
            ..Committer::outside(group_id)
        };
        Consumer {
            client,
            subscription: Subscription::Manual,
            positions: Positions::default(),
            fetched: VecDeque::new(),
            failed: None,
            fetching: HashSet::new(),
            refresh: Errand::default(),
            watch: Errand::default(),
            member: Member {
                me,
                state: MemberState::Outside,
                pulse: Pulse::new(),
                heartbeat: None,
                topics: Vec::new(),
                led: None,
                listener: None,
                member_id: Arc::default(),
            },
            next_commit: Instant::now() + config.auto_commit_interval,
            config: Arc::new(config),
            tasks: JoinSet::new(),
        }
    }

    /// Reads topics as a member of the group.
    pub fn subscribe<T: Into<ByteString>>(&mut self, topics: impl IntoIterator<Item = T>) -> Result<()> {
        self.needs_group()?;
        let topics: Vec<ByteString> = topics.into_iter().map(Into::into).collect();
        self.member.topics.clone_from(&topics);
        self.subscription = Subscription::Topics(topics);
        self.rejoin();
        Ok(())
    }

    /// Reads all topics, now and later, whose whole name matches a pattern.
    pub fn subscribe_pattern(&mut self, pattern: &str) -> Result<()> {
        self.needs_group()?;
        let regex = Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|error| Error::State(format!("{pattern} is not a pattern: {error}")))?;
        self.subscription = Subscription::Pattern(regex);
        self.rejoin();
        Ok(())
    }

    /// From now on `listener` is told, inside of [`Consumer::poll`], what rebalances do.
    pub fn on_rebalance(&mut self, listener: impl FnMut(Rebalance) + Send + 'static) {
        self.member.listener = Some(Box::new(listener));
    }

    fn needs_group(&self) -> Result<()> {
        match &self.config.group_id {
            Some(_) => Ok(()),
            None => Err(Error::State(String::from("a subscription needs a group: set group.id"))),
        }
    }

    /// Reads these partitions, without the group deciding anything.
    pub fn assign(&mut self, partitions: &[TopicPartition]) {
        self.subscription = Subscription::Manual;
        self.positions.assign(partitions);
    }

    /// What it reads at the moment.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.positions.partitions().cloned().collect()
    }

    /// The next offset in a partition, once it is known.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.positions.offset(partition)
    }

    /// Goes on at an offset.
    pub fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        self.move_to(partition, Position::At(offset))
    }

    /// Goes on at the first record.
    pub fn seek_to_beginning(&mut self, partition: &TopicPartition) -> Result<()> {
        self.move_to(partition, Position::Reset(OffsetReset::Earliest))
    }

    /// Goes on behind the last record.
    pub fn seek_to_end(&mut self, partition: &TopicPartition) -> Result<()> {
        self.move_to(partition, Position::Reset(OffsetReset::Latest))
    }

    fn move_to(&mut self, partition: &TopicPartition, position: Position) -> Result<()> {
        if self.positions.seek(partition, position) {
            return Ok(());
        }
        Err(Error::State(format!("{partition} is not assigned to this consumer")))
    }

    /// Records, as soon as there are some; none when there are none in time. May be dropped while it waits.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumerRecord>> {
        let start = Instant::now();
        // A century does not overflow any clock.
        let deadline = start + timeout.min(Duration::from_secs(100 * 365 * 86_400));
        let pulse = Arc::clone(&self.member.pulse);
        *pulse.polled.lock() = start;
        loop {
            let now = Instant::now();
            self.drive(now);
            let records = self.take_records();
            if !records.is_empty() {
                // While the caller works on these, the next are on their way.
                self.fetch(now);
                return Ok(records);
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if now >= deadline {
                return Ok(Vec::new());
            }
            let next = self.next_look(now).map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(event) => self.on_event(event)?,
                    // Heartbeats of a generation that is over.
                    Err(ended) => assert!(ended.is_cancelled(), "a task of the consumer panicked: {ended}"),
                },
                () = pulse.news.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Commits the positions: everything that poll has given is done with.
    pub async fn commit(&mut self) -> Result<()> {
        let offsets = self.positions_to_commit();
        if offsets.is_empty() {
            return Ok(());
        }
        self.client.commit(&self.member.me, &offsets).await
    }

    /// Commits, where that is automatic, and leaves the group.
    pub async fn close(mut self) -> Result<()> {
        self.tasks.shutdown().await;
        let mut closed = Ok(());
        if self.config.auto_commit && self.may_commit() {
            let late = Error::Timeout { what: String::from("the last commit"), after: CLOSE_TIMEOUT };
            closed = timeout(CLOSE_TIMEOUT, self.commit()).await.unwrap_or(Err(late));
        }
        let member_id = self.member.member_id.lock().clone();
        // A static member comes back; its partitions wait for it (KIP-345).
        if !member_id.is_empty() && self.member.me.instance_id.is_none() {
            let me = Committer { member_id, ..self.member.me.clone() };
            if let Ok(Err(error)) = timeout(CLOSE_TIMEOUT, leave(&self.client, &me)).await {
                tracing::debug!("{error}");
            }
        }
        closed
    }

    fn positions_to_commit(&self) -> BTreeMap<TopicPartition, Committed> {
        let committed = |offset| Committed { offset, leader_epoch: -1, metadata: String::new() };
        self.positions.offsets().map(|(partition, offset)| (partition.clone(), committed(offset))).collect()
    }

    fn may_commit(&self) -> bool {
        match self.subscription {
            Subscription::Manual => self.config.group_id.is_some(),
            _ => self.member.state == MemberState::Inside,
        }
    }

    /// Starts what is due.
    fn drive(&mut self, now: Instant) {
        if !matches!(self.subscription, Subscription::Manual) {
            self.watch(now);
            self.join();
        }
        self.auto_commit(now);
        self.resolve(now);
        self.fetch(now);
    }

    fn next_look(&self, now: Instant) -> Option<Instant> {
        let commit = (self.config.auto_commit && self.may_commit()).then_some(self.next_commit);
        let watch =
            if matches!(self.subscription, Subscription::Manual) { None } else { self.watch.next(now) };
        [commit, watch, self.refresh.next(now), self.positions.next_look(now)].into_iter().flatten().min()
    }

    fn on_event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Joined(joined) => self.on_joined(joined),
            Event::Lost(generation, error) => self.on_lost(generation, error),
            Event::Committed(committed) => {
                if let Err(error) = committed {
                    tracing::debug!("offsets were not committed: {error}");
                }
                Ok(())
            }
            Event::Resolved(wanted, resolved) => self.on_resolved(wanted, resolved),
            Event::Fetched(leader, wanted, response) => self.on_fetched(leader, wanted, response),
            Event::Refreshed(Ok(())) => {
                self.refresh.succeeded(None);
                Ok(())
            }
            Event::Refreshed(Err(error)) => {
                self.refresh.failed(&self.client);
                if error.is_retriable() { Ok(()) } else { Err(error) }
            }
            Event::Watched(watched) => self.on_watched(watched),
        }
    }
}
