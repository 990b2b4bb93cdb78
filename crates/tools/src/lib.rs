//! The commands: one module per tool of Apache Kafka, with that tool's options, output and exit codes.
//!
//! A tool is a function of its words and a [`Context`]: it parses them against a table of options
//! ([`options`] for most tools, [`subcommands`] for those with sub-commands), asks the cluster through `ottla-client`,
//! and formats the answer with pure functions, which are tested on bytes that Kafka's own tools printed.
//!
//! What is not Kafka's: stack traces. Where a tool of Kafka prints one, ours prints its first line.

mod admin;
mod broker_api_versions;
mod client_metrics;
mod cluster;
mod configs;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod consumer_perf_test;
pub mod context;
mod delete_records;
pub mod dispatch;
mod dump_log;
mod e2e_latency;
pub mod failure;
mod get_offsets;
mod groups;
mod java;
mod lines;
mod log;
mod log_dirs;
mod metadata_quorum;
pub mod options;
mod producer_perf_test;
mod settings;
mod short;
mod signals;
mod storage;
pub mod subcommands;
mod text;
mod topic_filter;
mod topics;

pub use context::Context;
pub use failure::{Exception, Failure};

/// The Kafka whose tools these are; what `--version` prints.
pub const KAFKA_VERSION: &str = "4.3.1";
