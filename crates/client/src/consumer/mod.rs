//! Consuming records: alone or as a member of a group of the classic protocol, which it shares with Java's consumers.
//!
//! Everything that waits for the network runs in tasks and comes back as an [`Event`]; [`Consumer::poll`] handles
//! events until there are records. Only heartbeats go on while nobody polls, and those not longer than
//! `max.poll.interval.ms`.

mod assignor;
mod config;
mod fetch;
mod membership;
mod positions;
mod protocol;
mod records;

pub use assignor::Assignor;
pub use config::{ConsumerConfig, IsolationLevel, OffsetReset};

use crate::errand::Errand;
use crate::offsets::{Committed, Committer};
use crate::{Client, ConsumerRecord, Error, Result, TopicPartition};
use assignor::Topics;
use bytestring::ByteString;
use membership::{Joined, Joining, Pulse, heartbeats, leave, partition_counts};
use ottla_protocol::messages::FetchResponse;
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::{BrokerId, ErrorCode};
use parking_lot::Mutex;
use positions::{Position, Positions, Work};
use records::Fetched;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
    told_missing: bool,
    member: Member,
    next_commit: Instant,
    tasks: JoinSet<Event>,
}

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
            told_missing: false,
            member: Member {
                me,
                state: MemberState::Outside,
                pulse: Pulse::new(),
                heartbeat: None,
                topics: Vec::new(),
                led: None,
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

/// The group.
impl Consumer {
    fn is_cooperative(&self) -> bool {
        self.config.assignors.iter().all(|assignor| *assignor == Assignor::CooperativeSticky)
    }

    fn rejoin(&self) {
        self.member.pulse.rejoin.store(true, Ordering::Release);
    }

    fn join(&mut self) {
        let outside = self.member.state == MemberState::Outside;
        let wanted = outside || self.member.pulse.rejoin.load(Ordering::Acquire);
        let known = !matches!(self.subscription, Subscription::Pattern(_)) || self.member.led.is_some();
        if !wanted
            || !known && outside && self.member.topics.is_empty()
            || self.member.state == MemberState::Joining
        {
            return;
        }
        self.member.pulse.rejoin.store(false, Ordering::Release);
        if let Some(heartbeat) = self.member.heartbeat.take() {
            heartbeat.abort();
        }
        let commit = if self.config.auto_commit && self.member.state == MemberState::Inside {
            self.positions_to_commit()
        } else {
            BTreeMap::new()
        };
        if !self.is_cooperative() {
            self.give_up_partitions();
        }
        self.member.state = MemberState::Joining;
        let joining = Joining {
            client: self.client.clone(),
            config: Arc::clone(&self.config),
            me: self.member.me.clone(),
            member_id: Arc::clone(&self.member.member_id),
            topics: self.member.topics.clone(),
            owned: self.assignment(),
            commit,
        };
        self.tasks.spawn(async move { Event::Joined(joining.run().await) });
    }

    fn give_up_partitions(&mut self) {
        self.positions.assign(&[]);
        self.fetched.clear();
    }

    fn on_joined(&mut self, joined: Result<Joined>) -> Result<()> {
        let joined = match joined {
            Ok(joined) => joined,
            Err(error) => {
                self.member.state = MemberState::Outside;
                return Err(error);
            }
        };
        self.member.state = MemberState::Inside;
        self.member.me = joined.me;
        self.member.led = joined.led;
        tracing::debug!(
            "generation {} of {}: {:?}",
            self.member.me.generation,
            self.member.me.group_id,
            joined.partitions
        );
        // What another member gets is to be let go first: that is a rebalance of its own (KIP-429).
        let gone = self.positions.partitions().any(|held| !joined.partitions.contains(held));
        if gone {
            self.rejoin();
        }
        self.positions.assign(&joined.partitions);
        self.next_commit = Instant::now() + self.config.auto_commit_interval;
        let (client, config) = (self.client.clone(), Arc::clone(&self.config));
        let (me, pulse) = (self.member.me.clone(), Arc::clone(&self.member.pulse));
        let heartbeat = self.tasks.spawn(async move {
            let generation = me.generation;
            Event::Lost(generation, heartbeats(client, config, me, pulse).await)
        });
        self.member.heartbeat = Some(heartbeat);
        Ok(())
    }

    fn on_lost(&mut self, generation: i32, error: Error) -> Result<()> {
        if generation != self.member.me.generation || self.member.state != MemberState::Inside {
            return Ok(());
        }
        tracing::warn!("{error}");
        self.give_up_partitions();
        self.member.state = MemberState::Outside;
        self.member.me.generation = -1;
        if error.code() != Some(ErrorCode::IllegalGeneration) {
            self.member.me.member_id = ByteString::new();
        }
        match error.code() {
            Some(ErrorCode::FencedInstanceId | ErrorCode::GroupAuthorizationFailed) => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks at the subscribed topics: at once, again soon while one is missing, and now and then.
    fn watch(&mut self, now: Instant) {
        if !self.watch.start(now) {
            return;
        }
        let client = self.client.clone();
        let exclude_internal = self.config.exclude_internal_topics;
        match &self.subscription {
            Subscription::Manual => {}
            Subscription::Topics(topics) => {
                let topics = topics.clone();
                self.tasks.spawn(async move {
                    let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
                    Event::Watched(partition_counts(&client, &topics).await)
                });
            }
            Subscription::Pattern(pattern) => {
                let pattern = pattern.clone();
                self.tasks.spawn(async move {
                    Event::Watched(matching_topics(&client, &pattern, exclude_internal).await)
                });
            }
        }
    }

    fn on_watched(&mut self, watched: Result<Topics>) -> Result<()> {
        let counts = match watched {
            Ok(counts) => counts,
            Err(error) => {
                self.watch.failed(&self.client);
                return if error.is_retriable() { Ok(()) } else { Err(error) };
            }
        };
        if let Subscription::Pattern(_) = self.subscription {
            let topics: Vec<ByteString> = counts.keys().cloned().collect();
            if self.member.topics != topics {
                self.member.topics = topics;
                self.rejoin();
            }
        }
        let changed =
            |led: &Topics| self.member.topics.iter().any(|topic| led.get(topic) != counts.get(topic));
        if self.member.led.as_ref().is_some_and(changed) {
            self.rejoin();
        }
        let missing =
            matches!(self.subscription, Subscription::Topics(_)) && counts.len() < self.member.topics.len();
        if missing {
            self.tell_missing(&counts);
            self.watch.failed(&self.client);
        } else {
            self.watch.succeeded(Some(Instant::now() + self.client.config().metadata_max_age));
        }
        Ok(())
    }

    /// Once: a consumer may be there before its topic.
    fn tell_missing(&mut self, counts: &Topics) {
        if !std::mem::replace(&mut self.told_missing, true) {
            let missing = self.member.topics.iter().filter(|topic| !counts.contains_key(*topic));
            let missing: Vec<&str> = missing.map(|topic| &**topic).collect();
            tracing::warn!("there is no topic {} yet; waiting for it", missing.join(", "));
        }
    }

    fn auto_commit(&mut self, now: Instant) {
        if !self.config.auto_commit || !self.may_commit() || now < self.next_commit {
            return;
        }
        self.next_commit = now + self.config.auto_commit_interval;
        let offsets = self.positions_to_commit();
        if offsets.is_empty() {
            return;
        }
        let (client, me) = (self.client.clone(), self.member.me.clone());
        self.tasks.spawn(async move { Event::Committed(client.commit_once(&me, &offsets).await) });
    }
}

async fn matching_topics(client: &Client, pattern: &Regex, exclude_internal: bool) -> Result<Topics> {
    let known = client.refresh(None).await?;
    let matching = known.topics.values().filter(|topic| {
        pattern.is_match(&topic.name) && !(exclude_internal && topic.is_internal) && !topic.error.is_err()
    });
    let count = |partitions: usize| i32::try_from(partitions).unwrap_or(i32::MAX);
    Ok(matching.map(|topic| (topic.name.as_str().into(), count(topic.partitions.len()))).collect())
}

/// Positions and records.
impl Consumer {
    fn resolve(&mut self, now: Instant) {
        let wanted = self.positions.take_unresolved(now);
        if wanted.is_empty() {
            return;
        }
        let (client, group_id) = (self.client.clone(), self.config.group_id.clone());
        let (policy, isolation_level) = (self.config.offset_reset, self.config.isolation_level);
        self.tasks.spawn(async move {
            let resolved = fetch::resolve(client, group_id, policy, isolation_level, wanted.clone()).await;
            Event::Resolved(wanted, resolved)
        });
    }

    fn on_resolved(&mut self, wanted: Vec<Work<Position>>, resolved: Result<Vec<Work<i64>>>) -> Result<()> {
        let (not_before, failed) = match resolved {
            Ok(found) => {
                for (partition, stamp, offset) in found {
                    self.positions.advance(&partition, stamp, offset);
                }
                (None, None)
            }
            Err(error) => (Some(self.pause()), Some(error)),
        };
        for (partition, stamp, _) in wanted {
            self.positions.set_idle(&partition, stamp, not_before);
        }
        failed.filter(|error| !error.is_retriable()).map_or(Ok(()), Err)
    }

    fn pause(&self) -> Instant {
        Instant::now() + self.client.config().backoff.pause(0)
    }

    /// Asks every leader that is not busy for what it leads.
    fn fetch(&mut self, now: Instant) {
        let known = self.client.known();
        let mut by_leader: BTreeMap<BrokerId, Vec<Work<i64>>> = BTreeMap::new();
        let mut leaderless = BTreeSet::new();
        for work in self.positions.fetchable(now) {
            let topic = known.topics.get(&*work.0.topic);
            match topic.and_then(|topic| topic.partition(work.0.partition)).and_then(|p| p.leader) {
                Some(leader) => by_leader.entry(leader).or_default().push(work),
                None => {
                    leaderless.insert(work.0.topic.to_string());
                }
            }
        }
        self.refresh(leaderless, now);
        for (leader, wanted) in by_leader {
            if !self.fetching.insert(leader) {
                continue;
            }
            wanted.iter().for_each(|(partition, ..)| self.positions.set_busy(partition));
            let (client, config) = (self.client.clone(), Arc::clone(&self.config));
            self.tasks.spawn(async move {
                let response = fetch::fetch(client, leader, config, wanted.clone()).await;
                Event::Fetched(leader, wanted, response)
            });
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

    fn on_fetched(
        &mut self,
        leader: BrokerId,
        wanted: Vec<Work<i64>>,
        response: Result<FetchResponse>,
    ) -> Result<()> {
        self.fetching.remove(&leader);
        let response = response.and_then(|response| {
            Error::check(response.error_code, || format!("fetching from broker {leader}"), None)?;
            Ok(response)
        });
        let mut answers = match response {
            Ok(response) => self.by_partition(response),
            Err(error) => {
                let pause = self.pause();
                for (partition, stamp, _) in &wanted {
                    self.positions.set_idle(partition, *stamp, Some(pause));
                }
                let topics = wanted.iter().map(|(partition, ..)| partition.topic.to_string()).collect();
                self.refresh(topics, Instant::now());
                return if error.is_retriable() { Ok(()) } else { Err(error) };
            }
        };
        for (partition, stamp, offset) in wanted {
            match answers.remove(&partition) {
                Some(answer) => self.on_partition(partition, stamp, offset, answer)?,
                None => self.positions.set_idle(&partition, stamp, None),
            }
        }
        Ok(())
    }

    fn by_partition(&self, response: FetchResponse) -> BTreeMap<TopicPartition, PartitionData> {
        let known = self.client.known();
        let mut answers = BTreeMap::new();
        for topic in response.responses {
            let Some(name) = fetch::topic_name(&known, &topic.topic, topic.topic_id) else { continue };
            for answer in topic.partitions {
                answers.insert(TopicPartition::new(name.clone(), answer.partition_index), answer);
            }
        }
        answers
    }

    fn on_partition(
        &mut self,
        partition: TopicPartition,
        stamp: u64,
        offset: i64,
        answer: PartitionData,
    ) -> Result<()> {
        if !self.positions.is_current(&partition, stamp) {
            return Ok(());
        }
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => {
                let records =
                    answer.records.as_ref().and_then(|records| records.bytes()).cloned().unwrap_or_default();
                if records.is_empty() {
                    self.positions.set_idle(&partition, stamp, None);
                    return Ok(());
                }
                let (level, check_crcs) = (self.config.isolation_level, self.config.check_crcs);
                let fetched = Fetched::new(partition, stamp, offset, records, level, check_crcs)
                    .with_aborted(answer.aborted_transactions.unwrap_or_default());
                self.fetched.push_back(fetched);
                Ok(())
            }
            ErrorCode::OffsetOutOfRange => {
                tracing::debug!("offset {offset} of {partition} is not in the log");
                self.positions.seek(&partition, Position::Reset(self.config.offset_reset));
                Ok(())
            }
            code => {
                self.positions.set_idle(&partition, stamp, Some(self.pause()));
                let topic = partition.topic.to_string();
                let error = Error::broker(code, format!("fetching {partition}"));
                self.refresh(BTreeSet::from([topic]), Instant::now());
                if error.is_retriable() { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Records from the front of what was fetched, at most `max.poll.records`.
    fn take_records(&mut self) -> Vec<ConsumerRecord> {
        let mut records = Vec::new();
        while records.len() < self.config.max_poll_records
            && self.failed.is_none()
            && let Some(fetched) = self.fetched.front_mut()
        {
            let next = if self.positions.is_current(&fetched.partition, fetched.stamp) {
                fetched.next()
            } else {
                Ok(None)
            };
            self.positions.advance(&fetched.partition, fetched.stamp, fetched.position);
            match next {
                Ok(Some(record)) => records.push(record),
                Ok(None) => self.drop_fetched(None),
                Err(error) => {
                    self.failed = Some(error);
                    // Not again and again in a loop without pause.
                    self.drop_fetched(Some(self.pause()));
                }
            }
        }
        records
    }

    fn drop_fetched(&mut self, not_before: Option<Instant>) {
        if let Some(fetched) = self.fetched.pop_front() {
            self.positions.set_idle(&fetched.partition, fetched.stamp, not_before);
        }
    }
}
