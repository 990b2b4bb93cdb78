//! What Kafka's coordinators decide, as pure state machines: no clock, no randomness, no socket, no file, no `async`.
//!
//! One [`group::GroupCoordinator`] is the state of one partition of `__consumer_offsets`: its groups and their committed
//! offsets. The host replays the partition into it, feeds it requests, the outcome of its writes and the time, and
//! carries out its effects. Kafka's counterpart is `GroupCoordinatorShard`.

pub mod group;
mod partition;

pub use partition::partition_for;
