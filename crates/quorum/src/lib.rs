//! The consensus of the metadata log: who leads the quorum, in which epoch, and how far the log is committed (KIP-595,
//! KIP-853), when a snapshot is due and what may be deleted after it (KIP-630).
//!
//! Pure, and KRaft itself: terms are Kafka's, states are those of KRaft (unattached, candidate, leader, resigned), files
//! and control records are byte for byte those that a JVM controller reads. A quorum of one voter is whole here: the voter
//! elects itself, in a new epoch at each start. [`Quorum::open`] refuses sets of several voters, so that nothing is ever
//! decided without the votes it needs.
//!
//! The host reads what is on disk into [`Found`], carries out [`Effect`]s strictly in order, and reports with [`Input`]s
//! what became of them. An effect is done, durably where it says so, before the next one is begun.
//!
//! ```text
//!          open            Start                           Appended, Flushed            Shutdown, LogFailed
//!  Found ───────▶ Unattached ────▶ Candidate ────▶ Leader ──────────────────────▶ … ────────────────▶ Resigned
//!                 or Resigned        (vote is durable)  (leader change is appended)
//! ```
//!
//! What always holds is asserted by [`Quorum::check`]:
//!
//! 1. The epoch never goes back, and no epoch is led twice: each start begins a new one before it appends anything.
//! 2. The high watermark never goes back and never passes what is durable.
//! 3. The high watermark of an epoch is known only once a record of that epoch is durable.
//! 4. The log never begins after its newest snapshot: whatever was deleted is in a snapshot.

mod check;
mod control_record;
mod describe;
mod effect;
mod election_state;
mod input;
mod snapshot;
mod snapshot_writer;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod voter_set;

pub use control_record::{ControlRecord, ControlRecordError, bootstrap_checkpoint};
pub use effect::Effect;
pub use election_state::{ElectionState, ElectionStateError};
pub use input::{Input, LogEnd};
pub use snapshot::{SnapshotFile, SnapshotId, SnapshotSettings};
pub use snapshot_writer::SnapshotWriter;
pub use state::{Found, OpenError, Quorum, Settings};
pub use voter_set::{ReplicaKey, VoterNode, VoterSet, Voters};
