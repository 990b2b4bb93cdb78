//! The consumer's reading: positions are found, leaders are asked, records are taken in the order in which they came.

use super::positions::{Position, Work};
use super::records::Fetched;
use super::{Consumer, Event, fetch};
use crate::{ConsumerRecord, Error, Result, TopicPartition};
use ottla_protocol::messages::FetchResponse;
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::{BrokerId, ErrorCode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

impl Consumer {
    pub(super) fn resolve(&mut self, now: Instant) {
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

    pub(super) fn on_resolved(
        &mut self,
        wanted: Vec<Work<Position>>,
        resolved: Result<Vec<Work<i64>>>,
    ) -> Result<()> {
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
    pub(super) fn fetch(&mut self, now: Instant) {
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

    pub(super) fn refresh(&mut self, topics: BTreeSet<String>, now: Instant) {
        if topics.is_empty() || !self.refresh.start(now) {
            return;
        }
        let client = self.client.clone();
        self.tasks.spawn(async move {
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            Event::Refreshed(client.refresh(Some(&topics)).await.map(drop))
        });
    }

    pub(super) fn on_fetched(
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
    pub(super) fn take_records(&mut self) -> Vec<ConsumerRecord> {
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
