//! Compaction (`cleanup.policy=compact`): of each key the newest record stays, by Kafka 4.3.1's rules.
//!
//! - [`compaction_range`] decides what is to be done, [`group_segments`] which segments become one.
//! - [`Cleaning`] does it, in two passes: the keys of the dirty part are gathered in a map of bounded size; then all
//!   segments up to the end of what the map knows are written anew without what it says is superseded.
//! - [`Log::replace_segments`] puts what was written in the place of what it was made from.
//! - [`CleanerThrottle`] says how fast.
//!
//! The log is appended to and read meanwhile; its lock is needed for [`Log::prepare_cleaning`] and
//! [`Log::replace_segments`] alone.
//!
//! What must hold:
//! 1. Of every key the newest record stays, until it is a tombstone whose time is over.
//! 2. Records keep their offsets, timestamps and contents; batches keep theirs, and what they say of their producer.
//! 3. The last batch of every active producer stays, if only its header; so does the last one of what is compacted.
//! 4. A record goes only if what supersedes it is durable.
//! 5. A batch that cannot be read ends the compaction of its log: nothing of it is lost.
//! 6. Killed anywhere, the log has the old segments of a group or the new one. Where a kill comes between the two, some
//!    old segments at the end of the group may stay beside the new one, if all that the new one has of them is nothing:
//!    superseded records, which the next compaction removes.

mod filter;
mod offset_map;
mod plan;
mod read;
mod run;
mod swap;
mod throttle;
mod transactions;

pub use plan::{
    CompactionFacts, CompactionPolicy, CompactionRange, CompactionSegment, compaction_range,
    first_dirty_offset, group_segments,
};
pub use run::{CleanError, CleanerMemory, CleanerStats, Cleaning, Pace};
pub use swap::{CleanedSegments, Replaced};
pub use throttle::CleanerThrottle;

#[cfg(doc)]
use crate::Log;
use ottla_protocol::{Offset, ProducerEpoch};

/// The last thing that a producer wrote to a log, as its state has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// Offset of its last record; none if a marker is all that is known of it.
    pub last_data_offset: Option<Offset>,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
}
