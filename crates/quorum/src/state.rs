//! The state of one node of the quorum.

use crate::election_state::ElectionState;
use crate::input::LogEnd;
use crate::snapshot::{SnapshotFile, SnapshotId, SnapshotSettings, Snapshots};
use crate::voter_set::{ReplicaKey, VoterNode, VoterSet, Voters};
use ottla_protocol::{LeaderEpoch, Offset};

/// What a node is told about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// This node.
    pub local: ReplicaKey,
    /// Where it is reached.
    pub endpoints: VoterNode,
    /// The voters of the configuration (`controller.quorum.voters`); they count while kraft.version is 0.
    pub static_voters: VoterSet,
    /// Snapshots and their retention.
    pub snapshots: SnapshotSettings,
}

/// What a node finds on its disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The `quorum-state` file; [`ElectionState::NONE`] if there is none.
    pub election: ElectionState,
    /// Where the log begins.
    pub log_start_offset: Offset,
    /// Where the log ends; all of it is durable.
    pub log_end_offset: Offset,
    /// Epoch of the last record, or of the newest snapshot if the log is empty, or 0.
    pub log_end_epoch: LeaderEpoch,
    /// Size of all segments.
    pub log_bytes: u64,
    /// What the newest snapshot and the log say about the voters.
    pub voters: Voters,
    /// All complete snapshots.
    pub snapshots: Vec<SnapshotFile>,
}

/// Why a node cannot take part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There are other voters, or this node is none.
    #[error(
        "the quorum has the voters {voters:?}, and this node is {local:?}; a quorum of this node alone is what this version runs"
    )]
    NotTheOnlyVoter {
        /// Who votes.
        voters: Vec<ReplicaKey>,
        /// This node.
        local: ReplicaKey,
    },
    /// kraft.version says that the voters are in the log, and they are not.
    #[error("kraft.version is {0}, but neither the log nor a checkpoint has a voter set")]
    NoVoters(i16),
    /// A level of a newer Kafka.
    #[error("kraft.version is {0}; this build knows 0 and 1")]
    KRaftVersion(i16),
    /// The log begins after what the newest snapshot holds.
    #[error(
        "the metadata log begins at offset {start}, but its newest snapshot ends at {snapshot:?}: records between them are lost"
    )]
    Gap {
        /// Where the log begins.
        start: Offset,
        /// The newest snapshot.
        snapshot: Option<SnapshotId>,
    },
}

/// What a node does at present (KIP-595).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Knows of no leader.
    Unattached,
    /// Led this epoch, and will not again.
    Resigned,
    /// Asks for votes; has its own.
    Candidate,
    /// Leads.
    Leader(LeaderState),
}

/// What a leader keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaderState {
    /// Offset of the record that began the epoch. Nothing is committed before it is (Raft's rule for entries of earlier
    /// terms).
    pub(crate) epoch_start_offset: Offset,
    /// Whether the controller was told.
    pub(crate) is_announced: bool,
}

/// A node's part in the quorum: its role, its log's ends, the voters, the snapshots.
#[derive(Debug)]
pub struct Quorum {
    pub(crate) settings: Settings,
    pub(crate) election: ElectionState,
    pub(crate) role: Role,
    pub(crate) voters: Voters,
    pub(crate) log_start_offset: Offset,
    pub(crate) log_end: LogEnd,
    pub(crate) log_bytes: u64,
    /// Offset after the last durable record.
    pub(crate) flushed: Offset,
    pub(crate) high_watermark: Option<Offset>,
    pub(crate) snapshots: Snapshots,
}

impl Quorum {
    /// Takes up what is on disk.
    ///
    /// # Errors
    /// A quorum this node cannot run by itself, and disks that contradict themselves.
    pub fn open(now: i64, settings: Settings, found: Found) -> Result<Quorum, OpenError> {
        let kraft_version = found.voters.kraft_version;
        if !(0..=1).contains(&kraft_version) {
            return Err(OpenError::KRaftVersion(kraft_version));
        }
        let log_end = LogEnd { offset: found.log_end_offset, epoch: found.log_end_epoch };
        let snapshots = Snapshots::new(settings.snapshots, now, found.snapshots);
        let snapshot = snapshots.latest();
        if snapshot.unwrap_or(SnapshotId::BOOTSTRAP).end_offset < found.log_start_offset {
            return Err(OpenError::Gap { start: found.log_start_offset, snapshot });
        }
        let local = settings.local;
        let was_leader = found.election.leader_id == Some(local.id);
        let mut quorum = Quorum {
            settings,
            election: found.election,
            role: if was_leader { Role::Resigned } else { Role::Unattached },
            voters: found.voters,
            log_start_offset: found.log_start_offset,
            log_end,
            log_bytes: found.log_bytes,
            flushed: log_end.offset,
            high_watermark: None,
            snapshots,
        };
        if quorum.election.epoch < log_end.epoch {
            // The file was lost or set back. The log knows of a later epoch, and so of no vote in it.
            quorum.election = ElectionState { epoch: log_end.epoch, ..ElectionState::NONE };
            quorum.role = Role::Unattached;
        }
        if kraft_version > 0 && quorum.voters.set.is_none() {
            return Err(OpenError::NoVoters(kraft_version));
        }
        if !quorum.voter_set().is_only_voter(local) {
            let voters = quorum.voter_set().0.keys().copied().collect();
            return Err(OpenError::NotTheOnlyVoter { voters, local });
        }
        Ok(quorum)
    }

    /// The voters that count.
    pub fn voter_set(&self) -> &VoterSet {
        match &self.voters.set {
            Some(set) if self.voters.kraft_version > 0 => set,
            _ => &self.settings.static_voters,
        }
    }

    /// What the log says about voters: goes into the header of a snapshot if kraft.version is not 0.
    pub fn voters(&self) -> &Voters {
        &self.voters
    }

    /// The epoch the node is in.
    pub fn epoch(&self) -> LeaderEpoch {
        self.election.epoch
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// How far the log is committed; nothing before this epoch has committed anything.
    pub fn high_watermark(&self) -> Option<Offset> {
        self.high_watermark
    }

    /// Where the log ends.
    pub fn log_end_offset(&self) -> Offset {
        self.log_end.offset
    }

    /// When to be called again with [`crate::Input::Timeout`].
    pub fn deadline(&self) -> Option<i64> {
        self.snapshots.next_clean()
    }
}
