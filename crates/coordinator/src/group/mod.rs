//! Groups and their offsets: the state of one partition of `__consumer_offsets`.
//!
//! Requests come in as Kafka's own messages and become records and answers; the records are Kafka's too, so that a JVM
//! broker can take the partition over, and ours can take over from it.
//!
//! Where Kafka 4.3.1 does otherwise, each of them seen by clients at most as a shorter wait:
//!
//! - A JoinGroup or SyncGroup that its member repeats on another connection is answered with `REBALANCE_IN_PROGRESS`;
//!   Kafka never answers it. Nor does it answer the SyncGroup of a member that leaves meanwhile.
//! - What a leader syncs twice while the first is on its way to the log is written once.
//! - A first rebalance waits on if somebody joined during it; in Kafka also if somebody did during an earlier one.
//! - A static member that comes back before it synced has to sync under its new id, and its session is as long as it
//!   says now; Kafka waits for the old id, and keeps the old session until the first heartbeat.
//! - An OffsetCommit of which nothing is accepted makes no group; in Kafka it does, until the next restart.
//! - OffsetFetch with `RequireStable` waits for the commits of its group, not for those of all of the partition.
//!
//! What always holds between two steps; [`GroupCoordinator::check`] asserts it:
//!
//! 1. A group is empty or has members and a leader among them, or waits for members to join.
//! 2. Instance ids and static members belong to each other one to one.
//! 3. The protocols of a group count its members; members have at least one in common.
//! 4. A member waits to join while its group prepares a rebalance, or while its new id is on its way to the log; it waits
//!    to sync while its group completes one.
//! 5. An id that was given out is no member, and has a session.
//! 6. A member has a session, or waits for us.
//! 7. A group that prepares a rebalance will not do so for ever; nor does one wait for ever for members to sync.
//! 8. A version of a group or offset belongs to a write under way.
//! 9. If no write is under way, every offset has a group.
//! 10. Every timer is about something.

mod check;
mod classic;
mod coordinator;
mod delete_groups;
mod describe_groups;
mod effect;
mod groups;
mod input;
mod list_groups;
mod member_ids;
mod offsets;
mod records;
mod request;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod turn;
mod versioned;
mod writes;

pub use coordinator::GroupCoordinator;
pub use effect::{CoordinatorRecord, Effect};
pub use input::{DeletedTopic, Input, RequestContext, RequestId, WriteId};
pub use request::{GroupRequest, GroupResponse};
pub use settings::Settings;
