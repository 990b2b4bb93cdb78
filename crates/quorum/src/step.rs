//! The decisions: one event in, effects out.

use crate::control_record::ControlRecord;
use crate::effect::Effect;
use crate::election_state::ElectionState;
use crate::input::Input;
use crate::state::{LeaderState, Quorum, Role};
use crate::voter_set::VoterSet;
use ottla_protocol::messages::{LeaderChangeMessage, leader_change_message};
use ottla_protocol::{BrokerId, LeaderEpoch, Offset};

impl Quorum {
    /// Takes one event. `now` is wall-clock time in milliseconds since 1970.
    pub fn step(&mut self, now: i64, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Start => self.start_election(now, effects),
            Input::Appended { end_offset, bytes } => self.on_appended(end_offset, bytes),
            Input::Flushed { end_offset } => self.on_flushed(end_offset, effects),
            Input::LogFailed | Input::Shutdown => self.resign(effects),
            Input::Applied { end, bytes } => {
                effects.extend(self.snapshots.on_applied(now, end, bytes).map(Effect::WriteSnapshot));
            }
            Input::SnapshotWritten(file) => {
                self.snapshots.on_written(file);
                self.clean(now, effects);
            }
            Input::SnapshotFailed(id) => self.snapshots.on_failed(id),
            Input::Cleaned { log_start_offset, log_bytes } => {
                assert!(log_start_offset >= self.log_start_offset, "the log begins at {log_start_offset}");
                self.log_start_offset = log_start_offset;
                self.log_bytes = log_bytes;
            }
            Input::Timeout => self.clean(now, effects),
        }
    }

    /// Asks for votes in a new epoch. The own vote is on disk before anything depends on it.
    fn start_election(&mut self, now: i64, effects: &mut Vec<Effect>) {
        assert!(matches!(self.role, Role::Unattached | Role::Resigned), "{:?} cannot start again", self.role);
        let local = self.settings.local;
        let epoch = LeaderEpoch(self.election.epoch.0.checked_add(1).expect("epochs grow by one per start"));
        self.role = Role::Candidate;
        self.remember(ElectionState { epoch, voted: Some(local), ..ElectionState::NONE }, effects);
        // Its own vote is a majority of one; `open` has refused every other quorum.
        assert!(self.voter_set().is_only_voter(local), "{:?}", self.voter_set());
        self.become_leader(now, effects);
    }

    fn become_leader(&mut self, now: i64, effects: &mut Vec<Effect>) {
        let epoch = self.election.epoch;
        let base_offset = self.log_end.offset;
        self.role = Role::Leader(LeaderState { epoch_start_offset: base_offset, is_announced: false });
        let leader_id = Some(self.settings.local.id);
        self.remember(ElectionState { epoch, leader_id, ..ElectionState::NONE }, effects);
        let records = self.start_of_epoch_records();
        for (offset, record) in (base_offset.0..).map(Offset).zip(&records) {
            self.voters.on_control_record(Some(offset), record);
        }
        effects.push(Effect::AppendControl { base_offset, epoch, timestamp: now, records });
    }

    fn remember(&mut self, state: ElectionState, effects: &mut Vec<Effect>) {
        let state = ElectionState { voters: self.voter_set().ids().collect(), ..state };
        self.election = state.clone();
        effects.push(Effect::WriteElectionState { state, kraft_version: self.voters.kraft_version });
    }

    /// Who leads by whose votes; with it the voters, if the log does not have them yet or this node has moved.
    fn start_of_epoch_records(&self) -> Vec<ControlRecord> {
        let voter = |id: BrokerId| leader_change_message::Voter { voter_id: id.0, ..Default::default() };
        let leader_change = LeaderChangeMessage {
            version: 0,
            leader_id: self.settings.local.id.0,
            voters: self.voter_set().ids().map(voter).collect(),
            granting_voters: vec![voter(self.settings.local.id)],
            ..Default::default()
        };
        let mut records = vec![ControlRecord::LeaderChange(leader_change)];
        if self.voters.kraft_version > 0 {
            let updated = VoterSet::sole(self.settings.local, self.settings.endpoints.clone());
            if self.voters.offset.is_none() || self.voters.set.as_ref() != Some(&updated) {
                records.push(ControlRecord::kraft_version(self.voters.kraft_version));
                records.push(ControlRecord::KRaftVoters(updated.to_record()));
            }
        }
        records
    }

    fn on_appended(&mut self, end_offset: Offset, bytes: u64) {
        if !self.is_leader() {
            // An append that was under way when this node resigned. It counts for nobody.
            return;
        }
        assert!(
            end_offset > self.log_end.offset,
            "the log went from {} to {end_offset}",
            self.log_end.offset
        );
        self.log_end.offset = end_offset;
        self.log_end.epoch = self.election.epoch;
        self.log_bytes += bytes;
    }

    /// What is durable on the only voter is durable on a majority.
    fn on_flushed(&mut self, end_offset: Offset, effects: &mut Vec<Effect>) {
        let epoch = self.election.epoch;
        let Role::Leader(leader) = &mut self.role else { return };
        assert!(end_offset <= self.log_end.offset, "{end_offset} is beyond the end of the log");
        self.flushed = self.flushed.max(end_offset);
        if self.flushed <= leader.epoch_start_offset || self.high_watermark >= Some(self.flushed) {
            return;
        }
        self.high_watermark = Some(self.flushed);
        effects.push(Effect::HighWatermark(self.flushed));
        if !leader.is_announced {
            leader.is_announced = true;
            effects.push(Effect::BecameLeader { epoch });
        }
    }

    /// Stops leading. The file still names this node, so that the next start begins a new epoch.
    fn resign(&mut self, effects: &mut Vec<Effect>) {
        if self.is_leader() {
            effects.push(Effect::Resigned { epoch: self.election.epoch });
        }
        self.role = Role::Resigned;
    }

    fn clean(&mut self, now: i64, effects: &mut Vec<Effect>) {
        if let Some((log_start_offset, delete)) = self.snapshots.clean(now, self.log_bytes) {
            effects.push(Effect::Clean { log_start_offset, delete });
        }
    }
}
