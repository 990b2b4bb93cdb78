//! One partition as its leader or a follower sees it.
//!
//! [`Partition`] is the state machine: the host tells it what happened ([`Input`]) and carries out what follows
//! ([`Effect`]). Rules that need no state of their own are plain functions over given facts: [`fetch`], [`list_offsets`],
//! [`epochs`], [`delete_records`].

pub mod delete_records;
pub mod epochs;
pub mod fetch;
mod leader;
pub mod list_offsets;
mod state;
#[cfg(test)]
mod tests;

pub use leader::{Acks, FollowerState};
pub use state::{Partition, Standing};

use ottla_protocol::{BrokerId, ErrorCode, LeaderEpoch, Offset};

/// When an append counts for `acks=all` and becomes visible (`ottla.flush.acks.all`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushAcksAll {
    /// Flushed, where the leader's is the only copy that is in sync; appended, where there are more.
    #[default]
    Auto,
    /// Flushed, always.
    Always,
    /// Appended: the page cache, as Kafka has it.
    Never,
}

/// What configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `ottla.flush.acks.all`.
    pub flush_acks_all: FlushAcksAll,
    /// `replica.lag.time.max.ms`.
    pub replica_lag_time_max_ms: i64,
}

/// The offsets that the log has, or had when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOffsets {
    /// First offset that may be read.
    pub log_start_offset: Offset,
    /// Offset of the next record.
    pub log_end_offset: Offset,
    /// Everything below is on disk.
    pub flushed_offset: Offset,
    /// From `replication-offset-checkpoint`; bounded by the two others.
    pub high_watermark: Offset,
}

/// What readers are told and bounded by, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// First offset that may be read.
    pub log_start_offset: Offset,
    /// Below it, everything is committed.
    pub high_watermark: Offset,
    /// Below it, every transaction is decided. From `ProducerState::last_stable_offset`.
    pub last_stable_offset: Offset,
    /// Offset of the next record.
    pub log_end_offset: Offset,
}

/// A partition in the metadata image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Leader, or `None` while there is none.
    pub leader: Option<BrokerId>,
    /// Grows with each election.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change of the partition's record.
    pub partition_epoch: i32,
    /// All replicas, preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those in sync.
    pub isr: Vec<BrokerId>,
}

/// What a follower's fetch says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerFetch {
    /// Who.
    pub replica: BrokerId,
    /// Its broker epoch, or −1 before Fetch v15 (KIP-903).
    pub broker_epoch: i64,
    /// It has everything below.
    pub fetch_offset: Offset,
    /// Its log start.
    pub log_start_offset: Offset,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The metadata image has the partition like this now.
    Registered(Registration),
    /// The log grew: by this leader's append, or a follower's.
    Appended {
        /// The log's new end.
        log_end_offset: Offset,
    },
    /// An fsync of the log ended.
    Flushed {
        /// Everything below is on disk.
        offset: Offset,
    },
    /// Records at the log's start were deleted: by retention, by DeleteRecords, or because the leader's log starts there.
    LogStartAdvanced {
        /// The log's new start.
        log_start_offset: Offset,
    },
    /// A follower cut the end of its log, or began it anew.
    Truncated {
        /// The log's new start.
        log_start_offset: Offset,
        /// The log's new end.
        log_end_offset: Offset,
    },
    /// A follower fetched from this leader; its records were read, and its log does not diverge.
    FollowerFetched(FollowerFetch),
    /// This follower got an answer from the leader.
    LeaderHighWatermark {
        /// The answer's high watermark.
        high_watermark: Offset,
    },
    /// What the image says about a broker that has a replica: told after each [`Input::Registered`] for every follower,
    /// and when it changes.
    BrokerChanged {
        /// Who.
        broker: BrokerId,
        /// Its epoch, or `None` while it is fenced, shuts down or is gone: then it joins no ISR.
        epoch: Option<i64>,
    },
    /// The controller accepted the last [`Effect::AlterPartition`].
    IsrChanged {
        /// The ISR now.
        isr: Vec<BrokerId>,
        /// The leader epoch it belongs to.
        leader_epoch: LeaderEpoch,
        /// The partition's epoch now.
        partition_epoch: i32,
    },
    /// The controller, or the network, refused the last [`Effect::AlterPartition`].
    IsrUnchanged {
        /// AlterPartition's error for the partition.
        error: ErrorCode,
    },
    /// Configuration changed.
    SettingsChanged(Settings),
    /// [`Partition::deadline`] has come.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The high watermark moved: publish it, tell `ProducerState::on_high_watermark`, look at waiting requests.
    HighWatermark {
        /// Where it is.
        offset: Offset,
    },
    /// The high watermark waits for the disk: flush the log up to there, then say [`Input::Flushed`].
    Flush {
        /// The log's end.
        to: Offset,
    },
    /// This broker leads, at a new epoch: note it in the log's leader epochs, stop fetching.
    BecameLeader {
        /// The epoch.
        leader_epoch: LeaderEpoch,
        /// Where its records begin.
        start_offset: Offset,
    },
    /// This broker follows, at a new epoch: fetch from the leader. Waiting requests get NOT_LEADER_OR_FOLLOWER.
    BecameFollower {
        /// Whom, if there is a leader.
        leader: Option<BrokerId>,
        /// The epoch.
        leader_epoch: LeaderEpoch,
    },
    /// Ask the controller to change the ISR; it answers with [`Input::IsrChanged`] or [`Input::IsrUnchanged`]. One at a
    /// time.
    AlterPartition {
        /// The ISR that is wanted, with the broker epochs that the replicas fetched with (−1: not known).
        isr: Vec<(BrokerId, i64)>,
        /// Epoch of this leader.
        leader_epoch: LeaderEpoch,
        /// The partition's epoch that is to be replaced.
        partition_epoch: i32,
    },
    /// The low watermark may have moved: look at waiting DeleteRecords requests.
    LowWatermark {
        /// Where it is.
        offset: Offset,
    },
}
