//! The state machine of one partition on one broker.

use ottla_protocol::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use super::leader::{Acks, FollowerState, Leader};
use super::{Effect, FlushAcksAll, FollowerFetch, Input, LogOffsets, Offsets, Registration, Settings};
use crate::Refusal;

/// A partition as one of its replicas sees it. Node view; the host has one for each log it has open, and feeds one at a
/// time.
#[derive(Clone, Debug)]
pub struct Partition {
    local: BrokerId,
    settings: Settings,
    log: LogOffsets,
    leader: Option<BrokerId>,
    leader_epoch: LeaderEpoch,
    partition_epoch: i32,
    /// `Some` while this broker leads.
    leading: Option<Leader>,
    /// Up to where a flush was asked for.
    flush_requested: Offset,
}

/// Who leads, at one moment: a copy that is good for looking at without the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// This broker is the leader.
    pub is_leader: bool,
}

impl Standing {
    /// See [`Partition::check_request`].
    ///
    /// # Errors
    /// As there.
    pub fn check_request(
        &self,
        current_leader_epoch: LeaderEpoch,
        needs_leader: bool,
    ) -> Result<(), Refusal> {
        let known = self.leader_epoch;
        let error = match current_leader_epoch {
            LeaderEpoch::NONE => ErrorCode::None,
            current if current < known => ErrorCode::FencedLeaderEpoch,
            current if current > known => ErrorCode::UnknownLeaderEpoch,
            _ => ErrorCode::None,
        };
        if error != ErrorCode::None {
            return Err(Refusal::new(error, format!("leader epoch {current_leader_epoch}, known {known}")));
        }
        if needs_leader && !self.is_leader {
            return Err(self.not_leader());
        }
        Ok(())
    }

    fn not_leader(&self) -> Refusal {
        let reason = format!("leader is {:?} at epoch {}", self.leader, self.leader_epoch);
        Refusal::new(ErrorCode::NotLeaderOrFollower, reason)
    }
}

impl Partition {
    /// The state after the log was opened, before the metadata image has said anything.
    pub fn new(local: BrokerId, settings: Settings, log: LogOffsets) -> Partition {
        assert!(
            log.log_start_offset <= log.log_end_offset && log.flushed_offset <= log.log_end_offset,
            "a log's offsets are in order: {log:?}"
        );
        let high_watermark = log.high_watermark.clamp(log.log_start_offset, log.log_end_offset);
        Partition {
            local,
            settings,
            log: LogOffsets { high_watermark, ..log },
            leader: None,
            leader_epoch: LeaderEpoch::NONE,
            partition_epoch: -1,
            leading: None,
            flush_requested: log.flushed_offset,
        }
    }

    /// Takes in what happened at `now` (milliseconds) and appends what follows from it.
    pub fn step(&mut self, now: i64, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Registered(registration) => self.on_registered(now, registration, effects),
            Input::Appended { log_end_offset } => {
                assert!(log_end_offset >= self.log.log_end_offset, "an append does not shorten the log");
                self.log.log_end_offset = log_end_offset;
                self.try_advance(now, effects);
            }
            Input::Flushed { offset } => {
                self.log.flushed_offset = self.log.flushed_offset.max(offset.min(self.log.log_end_offset));
                self.try_advance(now, effects);
            }
            Input::LogStartAdvanced { log_start_offset } => self.on_log_start(log_start_offset, effects),
            Input::Truncated { log_start_offset, log_end_offset } => {
                self.on_truncated(log_start_offset, log_end_offset, effects);
            }
            Input::FollowerFetched(fetch) => self.on_follower_fetched(now, &fetch, effects),
            Input::LeaderHighWatermark { high_watermark } => {
                if self.leading.is_none() {
                    self.set_high_watermark(high_watermark, effects);
                }
            }
            Input::BrokerChanged { broker, epoch } => self.on_broker_changed(now, broker, epoch, effects),
            Input::IsrChanged { isr, leader_epoch, partition_epoch } => {
                self.on_isr_changed(now, isr, leader_epoch, partition_epoch, effects);
            }
            Input::IsrUnchanged { error } => self.on_isr_unchanged(error, effects),
            Input::SettingsChanged(settings) => {
                self.settings = settings;
                self.try_advance(now, effects);
            }
            Input::Timeout => self.on_timeout(now, effects),
        }
    }

    /// When to call [`step`](Self::step) with [`Input::Timeout`]; `None` for a partition without followers.
    pub fn deadline(&self) -> Option<i64> {
        let leading = self.leading.as_ref()?;
        leading.deadline(self.log.log_end_offset, self.settings.replica_lag_time_max_ms)
    }

    /// This broker leads.
    pub fn is_leader(&self) -> bool {
        self.leading.is_some()
    }

    /// The leader, if there is one.
    pub fn leader(&self) -> Option<BrokerId> {
        self.leader
    }

    /// Epoch of the leader; −1 before the first registration.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// Epoch of the partition's registration; −1 before the first.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// Where the leader's epoch began, if this broker leads.
    pub fn epoch_start_offset(&self) -> Option<Offset> {
        self.leading.as_ref().map(|leading| leading.epoch_start_offset)
    }

    /// What readers are told. `last_stable_offset` is from `ProducerState`.
    pub fn offsets(&self, last_stable_offset: Offset) -> Offsets {
        let LogOffsets { log_start_offset, log_end_offset, high_watermark, .. } = self.log;
        Offsets { log_start_offset, high_watermark, last_stable_offset, log_end_offset }
    }

    /// Below it, everything is committed.
    pub fn high_watermark(&self) -> Offset {
        self.log.high_watermark
    }

    /// First offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.log.log_start_offset
    }

    /// The smallest log start of the replicas that are alive: DeleteRecords is done when it is reached.
    pub fn low_watermark(&self) -> Offset {
        let followers = self.leading.iter().flat_map(Leader::followers);
        let alive =
            followers.filter(|follower| follower.is_alive()).map(|follower| follower.log_start_offset);
        alive.fold(self.log.log_start_offset, Offset::min)
    }

    /// In-sync replicas, as the controller has confirmed them; empty unless this broker leads.
    pub fn isr(&self) -> &[BrokerId] {
        self.leading.as_ref().map_or(&[], |leading| leading.isr())
    }

    /// The followers' states, if this broker leads.
    pub fn followers(&self) -> impl Iterator<Item = &FollowerState> {
        self.leading.iter().flat_map(Leader::followers)
    }

    /// May a request that names `current_leader_epoch` (−1: none) be answered here?
    ///
    /// # Errors
    /// FENCED_LEADER_EPOCH if this broker knows a newer epoch, UNKNOWN_LEADER_EPOCH if the client does,
    /// NOT_LEADER_OR_FOLLOWER if it takes a leader and this is none (KIP-320).
    pub fn check_request(
        &self,
        current_leader_epoch: LeaderEpoch,
        needs_leader: bool,
    ) -> Result<(), Refusal> {
        self.standing().check_request(current_leader_epoch, needs_leader)
    }

    /// What decides whether a request is answered here.
    pub fn standing(&self) -> Standing {
        Standing { leader: self.leader, leader_epoch: self.leader_epoch, is_leader: self.leading.is_some() }
    }

    /// May `replica` fetch as a follower, with that broker epoch (−1: none)? The epoch of the leader was checked.
    ///
    /// # Errors
    /// UNKNOWN_LEADER_EPOCH if it is not one of the replicas (NOT_LEADER_OR_FOLLOWER if it named no leader epoch): its
    /// image or this one is old. NOT_LEADER_OR_FOLLOWER if its broker epoch is one that was replaced (KIP-903).
    pub fn check_follower(
        &self,
        replica: BrokerId,
        broker_epoch: i64,
        current_leader_epoch: LeaderEpoch,
    ) -> Result<(), Refusal> {
        let Some(leading) = &self.leading else { return Err(self.not_leader()) };
        let Some(follower) = leading.follower(replica) else {
            let error = match current_leader_epoch {
                LeaderEpoch::NONE => ErrorCode::NotLeaderOrFollower,
                _ => ErrorCode::UnknownLeaderEpoch,
            };
            return Err(Refusal::new(error, format!("broker {replica} is not a replica")));
        };
        if broker_epoch != -1 && follower.registered_epoch.is_some_and(|epoch| epoch > broker_epoch) {
            let reason = format!("broker {replica} has a newer epoch than {broker_epoch}");
            return Err(Refusal::new(ErrorCode::NotLeaderOrFollower, reason));
        }
        Ok(())
    }

    /// May a Produce request with these `acks` be appended?
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER; NOT_ENOUGH_REPLICAS if acks is −1 and fewer than `min.insync.replicas` are in sync.
    pub fn check_produce(&self, acks: i16) -> Result<(), Refusal> {
        let Some(leading) = &self.leading else { return Err(self.not_leader()) };
        let (in_sync, min) = (leading.isr().len(), leading.min_isr(&self.settings));
        if acks == -1 && in_sync < min {
            let reason = format!("{in_sync} replicas in sync, min.insync.replicas is {min}");
            return Err(Refusal::new(ErrorCode::NotEnoughReplicas, reason));
        }
        Ok(())
    }

    /// How a Produce request with acks=all stands whose records end before `required_offset`.
    pub fn acks(&self, required_offset: Offset) -> Acks {
        match &self.leading {
            None => Acks::Failed(ErrorCode::NotLeaderOrFollower),
            Some(_) if self.log.high_watermark < required_offset => Acks::Pending,
            // The ISR shrank after the append, and the high watermark passed all the same.
            Some(leading) if leading.maximal_isr_len() < leading.min_isr(&self.settings) => {
                Acks::Failed(ErrorCode::NotEnoughReplicasAfterAppend)
            }
            Some(_) => Acks::Done,
        }
    }

    /// Asserts invariants 1 and 3.
    pub fn check(&self) {
        let LogOffsets { log_start_offset, log_end_offset, flushed_offset, high_watermark } = self.log;
        assert!(
            log_start_offset <= high_watermark && high_watermark <= log_end_offset,
            "high watermark is within the log: {:?}",
            self.log
        );
        assert!(flushed_offset <= log_end_offset, "only what is there is flushed: {:?}", self.log);
        assert_eq!(
            self.leading.is_some(),
            self.leader == Some(self.local),
            "leads if and only if it is the leader"
        );
        if let Some(leading) = &self.leading {
            leading.check(self.local);
        }
    }

    fn not_leader(&self) -> Refusal {
        self.standing().not_leader()
    }

    fn on_registered(&mut self, now: i64, registration: Registration, effects: &mut Vec<Effect>) {
        let Registration { leader, leader_epoch, partition_epoch, replicas, isr } = registration;
        // AlterPartition's answer may have brought it, or something newer, already.
        if partition_epoch < self.partition_epoch {
            return;
        }
        let is_new_epoch = leader_epoch > self.leader_epoch;
        self.partition_epoch = partition_epoch;
        self.leader_epoch = leader_epoch;
        // Invariant 3: a leader that is not a replica is none.
        self.leader = leader.filter(|leader| replicas.contains(leader));
        if self.leader == Some(self.local) {
            let was_leading = self.leading.is_some();
            let start_offset = self.log.log_end_offset;
            let leading = self.leading.get_or_insert_with(|| Leader::new(start_offset));
            leading.assign(self.local, &replicas, isr);
            if is_new_epoch || !was_leading {
                leading.begin_epoch(now, start_offset, was_leading);
                effects.push(Effect::BecameLeader { leader_epoch, start_offset });
            }
            self.try_advance(now, effects);
        } else {
            let was_leading = self.leading.take().is_some();
            if is_new_epoch || was_leading {
                effects.push(Effect::BecameFollower { leader: self.leader, leader_epoch });
            }
        }
    }

    fn on_log_start(&mut self, log_start_offset: Offset, effects: &mut Vec<Effect>) {
        if log_start_offset <= self.log.log_start_offset {
            return;
        }
        assert!(log_start_offset <= self.log.log_end_offset, "a log does not start after its end");
        self.log.log_start_offset = log_start_offset;
        if self.log.high_watermark < log_start_offset {
            self.set_high_watermark(log_start_offset, effects);
        }
        effects.push(Effect::LowWatermark { offset: self.low_watermark() });
    }

    fn on_truncated(&mut self, log_start_offset: Offset, log_end_offset: Offset, effects: &mut Vec<Effect>) {
        assert!(self.leading.is_none(), "a leader's log is not truncated");
        assert!(log_start_offset <= log_end_offset, "a log does not start after its end");
        self.log.log_start_offset = log_start_offset;
        self.log.log_end_offset = log_end_offset;
        self.log.flushed_offset = self.log.flushed_offset.min(log_end_offset);
        self.flush_requested = self.flush_requested.min(log_end_offset);
        self.set_high_watermark(self.log.high_watermark, effects);
    }

    fn on_follower_fetched(&mut self, now: i64, fetch: &FollowerFetch, effects: &mut Vec<Effect>) {
        let low_watermark = self.low_watermark();
        let Some(leading) = &mut self.leading else { return };
        let Some(advanced) = leading.on_fetched(now, fetch, self.log.log_end_offset) else { return };
        let joins = leading.try_expand(fetch.replica, self.log.high_watermark);
        if joins {
            self.alter_partition(effects);
        }
        if advanced {
            self.try_advance(now, effects);
        }
        if self.low_watermark() > low_watermark {
            effects.push(Effect::LowWatermark { offset: self.low_watermark() });
        }
    }

    fn on_broker_changed(
        &mut self,
        now: i64,
        broker: BrokerId,
        epoch: Option<i64>,
        effects: &mut Vec<Effect>,
    ) {
        let low_watermark = self.low_watermark();
        let Some(leading) = &mut self.leading else { return };
        leading.set_registered_epoch(broker, epoch);
        self.try_advance(now, effects);
        if self.low_watermark() > low_watermark {
            effects.push(Effect::LowWatermark { offset: self.low_watermark() });
        }
    }

    fn on_isr_changed(
        &mut self,
        now: i64,
        isr: Vec<BrokerId>,
        leader_epoch: LeaderEpoch,
        partition_epoch: i32,
        effects: &mut Vec<Effect>,
    ) {
        let Some(leading) = &mut self.leading else { return };
        if leader_epoch != self.leader_epoch || partition_epoch < self.partition_epoch {
            return;
        }
        self.partition_epoch = partition_epoch;
        leading.commit_isr(isr);
        self.try_advance(now, effects);
    }

    fn on_isr_unchanged(&mut self, error: ErrorCode, effects: &mut Vec<Effect>) {
        let Some(leading) = &mut self.leading else { return };
        if !leading.is_altering() {
            return;
        }
        match error {
            // The controller says that nothing was changed.
            ErrorCode::OperationNotAttempted | ErrorCode::IneligibleReplica => leading.give_up_altering(),
            // What the controller knows is newer: the next registration brings it. Until then the larger ISR counts.
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::InvalidUpdateVersion
            | ErrorCode::InvalidRequest
            | ErrorCode::NewLeaderElected => {}
            _ => self.alter_partition(effects),
        }
    }

    fn on_timeout(&mut self, now: i64, effects: &mut Vec<Effect>) {
        let Some(leading) = &mut self.leading else { return };
        if leading.try_shrink(self.local, now, self.log.log_end_offset, &self.settings) {
            self.alter_partition(effects);
        }
        self.try_advance(now, effects);
    }

    fn alter_partition(&self, effects: &mut Vec<Effect>) {
        let Some(leading) = &self.leading else { return };
        let isr = leading.wanted_isr();
        let (leader_epoch, partition_epoch) = (self.leader_epoch, self.partition_epoch);
        effects.push(Effect::AlterPartition { isr, leader_epoch, partition_epoch });
    }

    /// Moves the high watermark as far as the replicas allow, and asks for a flush where that is what it waits for.
    fn try_advance(&mut self, now: i64, effects: &mut Vec<Effect>) {
        let Some(leading) = &self.leading else { return };
        let waits_for_flush = match self.settings.flush_acks_all {
            FlushAcksAll::Always => true,
            FlushAcksAll::Never => false,
            FlushAcksAll::Auto => leading.is_only_copy(self.local),
        };
        let own = if waits_for_flush { self.log.flushed_offset } else { self.log.log_end_offset };
        if waits_for_flush && self.flush_requested < self.log.log_end_offset {
            self.flush_requested = self.log.log_end_offset;
            effects.push(Effect::Flush { to: self.log.log_end_offset });
        }
        let committed = leading.committed_offset(now, own, self.log.log_end_offset, &self.settings);
        if committed > self.log.high_watermark {
            self.set_high_watermark(committed, effects);
        }
    }

    fn set_high_watermark(&mut self, offset: Offset, effects: &mut Vec<Effect>) {
        let offset = offset.clamp(self.log.log_start_offset, self.log.log_end_offset);
        if offset != self.log.high_watermark {
            self.log.high_watermark = offset;
            effects.push(Effect::HighWatermark { offset });
        }
    }
}
