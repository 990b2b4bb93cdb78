//! What a leader knows about its followers, and who is in sync.

use ottla_protocol::{BrokerId, ErrorCode, Offset};

use super::{FollowerFetch, Settings};

/// How an acks=all append stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Not everywhere yet.
    Pending,
    /// Answer it.
    Done,
    /// Answer it with this.
    Failed(ErrorCode),
}

/// A follower as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerState {
    /// Who.
    pub replica: BrokerId,
    /// Its log's end: what it fetched from last. −1 before its first fetch.
    pub log_end_offset: Offset,
    /// Its log's start, −1 before its first fetch.
    pub log_start_offset: Offset,
    /// When it last had everything, in milliseconds.
    pub last_caught_up_ms: i64,
    /// Broker epoch that it fetched with: −1 before Fetch v15, `None` before its first fetch.
    pub fetched_epoch: Option<i64>,
    /// Broker epoch in the image, `None` while the broker is fenced, shuts down or is gone.
    pub registered_epoch: Option<i64>,
    last_fetch_ms: i64,
    /// The leader's log end at its last fetch.
    last_fetch_leader_log_end_offset: Offset,
}

/// The leader's side of a partition.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    /// The log's end when the epoch began.
    pub(super) epoch_start_offset: Offset,
    followers: Vec<FollowerState>,
    replica_count: usize,
    /// As the controller confirmed it.
    isr: Vec<BrokerId>,
    /// What the controller was asked for.
    wanted_isr: Option<Vec<BrokerId>>,
    /// When lagging followers were last looked for.
    last_checked_ms: i64,
}

impl FollowerState {
    fn new(replica: BrokerId) -> FollowerState {
        FollowerState {
            replica,
            log_end_offset: Offset::NONE,
            log_start_offset: Offset::NONE,
            last_caught_up_ms: 0,
            fetched_epoch: None,
            registered_epoch: None,
            last_fetch_ms: 0,
            last_fetch_leader_log_end_offset: Offset::NONE,
        }
    }

    /// The image has its broker as running.
    pub fn is_alive(&self) -> bool {
        self.registered_epoch.is_some()
    }

    /// Has everything, or had within the last `lag_max_ms`.
    fn is_caught_up(&self, now: i64, leader_log_end_offset: Offset, lag_max_ms: i64) -> bool {
        self.log_end_offset == leader_log_end_offset
            || now.saturating_sub(self.last_caught_up_ms) <= lag_max_ms
    }

    /// May join the ISR as far as its broker goes: it fetched as the incarnation that is registered (KIP-903).
    fn is_eligible(&self) -> bool {
        match (self.fetched_epoch, self.registered_epoch) {
            (Some(fetched), Some(registered)) => fetched == -1 || fetched == registered,
            _ => false,
        }
    }

    /// A follower that always fetches a little behind the leader's end is in sync all the same, if each fetch reaches
    /// what was the end at the fetch before.
    fn on_fetched(&mut self, now: i64, fetch: &FollowerFetch, leader_log_end_offset: Offset) {
        if fetch.fetch_offset >= leader_log_end_offset {
            self.last_caught_up_ms = self.last_caught_up_ms.max(now);
        } else if fetch.fetch_offset >= self.last_fetch_leader_log_end_offset {
            self.last_caught_up_ms = self.last_caught_up_ms.max(self.last_fetch_ms);
        }
        self.log_end_offset = fetch.fetch_offset;
        self.log_start_offset = fetch.log_start_offset;
        self.last_fetch_ms = now;
        self.last_fetch_leader_log_end_offset =
            self.last_fetch_leader_log_end_offset.max(leader_log_end_offset);
        self.fetched_epoch = Some(fetch.broker_epoch);
    }
}

impl Leader {
    pub(super) fn new(epoch_start_offset: Offset) -> Leader {
        Leader {
            epoch_start_offset,
            followers: Vec::new(),
            replica_count: 0,
            isr: Vec::new(),
            wanted_isr: None,
            last_checked_ms: i64::MIN,
        }
    }

    /// Takes replicas and ISR from the image; what is known of followers that stay is kept.
    pub(super) fn assign(&mut self, local: BrokerId, replicas: &[BrokerId], isr: Vec<BrokerId>) {
        let known = |id: BrokerId| self.followers.iter().find(|follower| follower.replica == id).copied();
        let others = replicas.iter().filter(|&&id| id != local);
        self.followers = others.map(|&id| known(id).unwrap_or_else(|| FollowerState::new(id))).collect();
        self.replica_count = replicas.len();
        self.isr = isr;
        self.wanted_isr = None;
    }

    /// Followers in sync get the full lag time from here on. The others are not waited for until they fetch.
    pub(super) fn begin_epoch(&mut self, now: i64, start_offset: Offset, was_leading: bool) {
        self.epoch_start_offset = start_offset;
        for follower in &mut self.followers {
            let in_sync = self.isr.contains(&follower.replica);
            if !was_leading {
                let registered_epoch = follower.registered_epoch;
                *follower = FollowerState { registered_epoch, ..FollowerState::new(follower.replica) };
            } else {
                follower.last_fetch_ms = if in_sync { now } else { 0 };
                follower.last_fetch_leader_log_end_offset = start_offset;
            }
            follower.last_caught_up_ms = if in_sync { now } else { 0 };
        }
    }

    pub(super) fn isr(&self) -> &[BrokerId] {
        &self.isr
    }

    pub(super) fn followers(&self) -> impl Iterator<Item = &FollowerState> {
        self.followers.iter()
    }

    pub(super) fn follower(&self, replica: BrokerId) -> Option<&FollowerState> {
        self.followers.iter().find(|follower| follower.replica == replica)
    }

    /// `min.insync.replicas`, but never more than there are replicas.
    pub(super) fn min_isr(&self, settings: &Settings) -> usize {
        usize::try_from(settings.min_insync_replicas).unwrap_or(0).min(self.replica_count)
    }

    /// In sync, or asked to be. A change that is not confirmed must hold both before and after, so while a replica joins
    /// it counts, and while it leaves too (KIP-497).
    fn in_maximal_isr(&self, replica: BrokerId) -> bool {
        let wanted = self.wanted_isr.as_deref().unwrap_or(&[]);
        self.isr.contains(&replica) || wanted.contains(&replica)
    }

    pub(super) fn maximal_isr_len(&self) -> usize {
        let wanted = self.wanted_isr.as_deref().unwrap_or(&[]);
        self.isr.len() + wanted.iter().filter(|id| !self.isr.contains(id)).count()
    }

    /// No other replica is in sync, so nothing but this broker's disk keeps the records.
    pub(super) fn is_only_copy(&self, local: BrokerId) -> bool {
        self.followers.is_empty()
            || !self.followers.iter().any(|f| f.replica != local && self.in_maximal_isr(f.replica))
    }

    /// How far everyone who counts has the log; `own` is the leader's share. Does not move while too few are in sync.
    ///
    /// Who is about to join counts too: else the watermark would run away from a follower that catches up, and it would
    /// never be let in.
    pub(super) fn committed_offset(
        &self,
        now: i64,
        own: Offset,
        log_end_offset: Offset,
        settings: &Settings,
    ) -> Offset {
        if self.isr.len() < self.min_isr(settings) {
            return Offset::NONE;
        }
        let counts = |follower: &&FollowerState| {
            self.in_maximal_isr(follower.replica)
                || (follower.is_eligible()
                    && follower.is_caught_up(now, log_end_offset, settings.replica_lag_time_max_ms))
        };
        self.followers.iter().filter(counts).map(|follower| follower.log_end_offset).fold(own, Offset::min)
    }

    /// Some(true): its log end moved; None: it is not a replica.
    pub(super) fn on_fetched(
        &mut self,
        now: i64,
        fetch: &FollowerFetch,
        log_end_offset: Offset,
    ) -> Option<bool> {
        let follower = self.followers.iter_mut().find(|follower| follower.replica == fetch.replica)?;
        let before = follower.log_end_offset;
        follower.on_fetched(now, fetch, log_end_offset);
        Some(before != follower.log_end_offset)
    }

    pub(super) fn set_registered_epoch(&mut self, broker: BrokerId, epoch: Option<i64>) {
        if let Some(follower) = self.followers.iter_mut().find(|follower| follower.replica == broker) {
            follower.registered_epoch = epoch;
        }
    }

    /// Wants a follower into the ISR that has everything committed and something of this epoch: without the latter, it
    /// could be elected and lack records that were committed in an epoch before.
    pub(super) fn try_expand(&mut self, replica: BrokerId, high_watermark: Offset) -> bool {
        let Some(follower) = self.follower(replica) else { return false };
        let joins = self.wanted_isr.is_none()
            && !self.isr.contains(&replica)
            && follower.is_eligible()
            && follower.log_end_offset >= high_watermark
            && follower.log_end_offset >= self.epoch_start_offset;
        if joins {
            self.wanted_isr = Some(self.isr.iter().copied().chain([replica]).collect());
        }
        joins
    }

    /// Wants followers out of the ISR that lag too long.
    pub(super) fn try_shrink(
        &mut self,
        local: BrokerId,
        now: i64,
        log_end_offset: Offset,
        settings: &Settings,
    ) -> bool {
        self.last_checked_ms = now;
        if self.wanted_isr.is_some() {
            return false;
        }
        let in_sync = |id: BrokerId| {
            let caught_up = |follower: &FollowerState| {
                follower.is_caught_up(now, log_end_offset, settings.replica_lag_time_max_ms)
            };
            id == local || self.follower(id).is_some_and(caught_up)
        };
        let remaining: Vec<BrokerId> = self.isr.iter().copied().filter(|&id| in_sync(id)).collect();
        let shrinks = remaining.len() < self.isr.len();
        if shrinks {
            self.wanted_isr = Some(remaining);
        }
        shrinks
    }

    pub(super) fn is_altering(&self) -> bool {
        self.wanted_isr.is_some()
    }

    pub(super) fn give_up_altering(&mut self) {
        self.wanted_isr = None;
    }

    pub(super) fn commit_isr(&mut self, isr: Vec<BrokerId>) {
        self.isr = isr;
        self.wanted_isr = None;
    }

    /// What to ask the controller for. The host fills in this broker's own epoch.
    pub(super) fn wanted_isr(&self) -> Vec<(BrokerId, i64)> {
        let wanted = self.wanted_isr.as_deref().unwrap_or(&[]);
        let epoch = |id| self.follower(id).and_then(|follower| follower.fetched_epoch).unwrap_or(-1);
        wanted.iter().map(|&id| (id, epoch(id))).collect()
    }

    /// When the next follower that is behind stops counting as caught up: one in sync is to leave then, one that is not
    /// need not be waited for any longer. What cannot be done at once is tried again after half the lag time.
    pub(super) fn deadline(&self, log_end_offset: Offset, lag_max_ms: i64) -> Option<i64> {
        let retry = self.last_checked_ms.saturating_add(lag_max_ms / 2);
        let due = |follower: &FollowerState| {
            let late = follower.last_caught_up_ms.saturating_add(lag_max_ms).saturating_add(1);
            match (self.isr.contains(&follower.replica), self.is_altering()) {
                _ if follower.log_end_offset == log_end_offset => None,
                (true, true) => None,
                (true, false) if late <= self.last_checked_ms => Some(retry),
                (true, false) => Some(late),
                (false, _) => (follower.is_eligible() && late > self.last_checked_ms).then_some(late),
            }
        };
        self.followers.iter().filter_map(due).min()
    }

    pub(super) fn check(&self, local: BrokerId) {
        assert!(
            self.followers.iter().all(|follower| follower.replica != local),
            "a leader does not follow itself"
        );
        assert!(self.replica_count > self.followers.len(), "a leader is among its own replicas");
    }
}
