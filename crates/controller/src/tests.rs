//! One node from its pure parts, then its life and the answers it gives.

mod alter_partition;
mod brokers;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod elections;
mod life;
mod node;
mod placement;
mod properties;
mod scenarios;
