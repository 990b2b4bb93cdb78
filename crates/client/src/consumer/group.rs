//! The consumer's side of its group: when to join, what to give up and take on, which topics there are, when to commit.

use super::assignor::{Assignor, Topics};
use super::membership::{Joined, Joining, heartbeats, partition_counts};
use super::{Consumer, Event, MemberState, Rebalance, Subscription};
use crate::producer::TRIES_BEFORE_A_WORD;
use crate::{Client, Error, Result, TopicPartition};
use bytestring::ByteString;
use ottla_protocol::ErrorCode;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

impl Consumer {
    fn is_cooperative(&self) -> bool {
        self.config.assignors.iter().all(|assignor| *assignor == Assignor::CooperativeSticky)
    }

    /// The group has to be joined again, at the next occasion.
    pub(super) fn rejoin(&self) {
        self.member.pulse.rejoin.store(true, Ordering::Release);
    }

    /// Joins the group if it has to: eagerly, with nothing in hand, or keeping what it has (KIP-429).
    pub(super) fn join(&mut self) {
        let wanted = match self.member.state {
            MemberState::Joining => false,
            MemberState::Inside => self.member.pulse.rejoin.load(Ordering::Acquire),
            // With a pattern, not before a topic was found that matches.
            MemberState::Outside => !self.member.topics.is_empty(),
        };
        if !wanted {
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
        let held = self.assignment();
        self.positions.assign(&[]);
        self.fetched.clear();
        self.tell_revoked(held);
    }

    fn tell_revoked(&mut self, partitions: Vec<TopicPartition>) {
        if let Some(listener) = self.member.listener.as_mut().filter(|_| !partitions.is_empty()) {
            listener(Rebalance::Revoked(partitions));
        }
    }

    pub(super) fn on_joined(&mut self, joined: Result<Joined>) -> Result<()> {
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
        let (held, gone): (Vec<_>, Vec<_>) =
            self.assignment().into_iter().partition(|held| joined.partitions.contains(held));
        if !gone.is_empty() {
            self.rejoin();
        }
        self.positions.assign(&joined.partitions);
        self.tell_revoked(gone);
        if let Some(listener) = &mut self.member.listener {
            let is_new = |partition: &TopicPartition| !held.contains(partition);
            listener(Rebalance::Assigned(joined.partitions.into_iter().filter(is_new).collect()));
        }
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

    pub(super) fn on_lost(&mut self, generation: i32, error: Error) -> Result<()> {
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
    pub(super) fn watch(&mut self, now: Instant) {
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

    pub(super) fn on_watched(&mut self, watched: Result<Topics>) -> Result<()> {
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
    fn tell_missing(&self, counts: &Topics) {
        if self.watch.failures() == TRIES_BEFORE_A_WORD {
            let missing = self.member.topics.iter().filter(|topic| !counts.contains_key(*topic));
            let missing: Vec<&str> = missing.map(|topic| &**topic).collect();
            tracing::warn!("there is no topic {} yet; waiting for it", missing.join(", "));
        }
    }

    pub(super) fn auto_commit(&mut self, now: Instant) {
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
