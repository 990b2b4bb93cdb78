//! The controller: requests in, metadata records out. Brokers and their sessions, topics and partitions, placement, ISR
//! and elections, configurations, producer ids.
//!
//! Pure: no clock, no randomness but a seed, no file. One node runs one; it is active while the node leads the quorum of
//! the metadata log. Its state is the log's image as of the last record it has written, committed or not: a request is
//! decided on what was written before it, and answered when what it saw and wrote is committed.
//!
//! ```text
//!  Request ─▶ decide on the written image ─▶ records ─▶ written image + Append ─▶ … Committed ─▶ Reply
//! ```
//!
//! The host appends what [`Effect::Append`] says, at that very offset, and tells of commits in order; before it tells, it
//! has published the image, so that whoever gets an answer sees what it says. If an append fails, the host resigns
//! leadership: everything written and not committed is forgotten with [`Input::Resigned`], and the next
//! [`Input::BecameLeader`] brings the image that the log gives.
//!
//! What always holds is asserted by [`Controller::check`]:
//!
//! 1. The written image is what the committed log and all appended records give, and it ends where the next record goes.
//! 2. Replies leave in the order of the offsets they wait for, and none before its offset is committed.
//! 3. There is a session for every registered broker, and for no other.
//! 4. A partition is led only by a replica in its ISR whose broker is registered and not fenced.

mod activation;
mod alter_partition;
mod brokers;
mod check;
mod cluster;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod directories;
mod effect;
mod elections;
mod error;
mod heartbeat;
mod input;
mod leadership;
mod partition_change;
mod placement;
mod producer_ids;
mod random;
mod reassignments;
mod sessions;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod topic_name;

pub use activation::default_bootstrap_records;
pub use effect::{ControllerResponse, Effect};
pub use input::{ControllerRequest, Input, RequestId};
pub use state::{Controller, Settings};
pub use topic_name::check_topic_name;
