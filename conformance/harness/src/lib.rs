//! Ottla beside the real thing: clients that nobody here wrote, Apache Kafka as the oracle, and a checker that judges
//! what clients saw.
//!
//! A suite (`suites/`) starts the brokers that it needs ([`broker::Broker`]), drives them with real clients, raw frames
//! ([`raw`]) or Kafka's own tools ([`jvm::Runner`]), and records each case in a [`report::Report`]. Which broker is under
//! test is one switch: Ottla, or Kafka itself, which proves the suite.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests of real processes measure real time; nothing here is replayed"
)]

pub mod batch;
pub mod bench;
pub mod broker;
pub mod chaos;
pub mod checker;
pub mod client;
pub mod clients;
pub mod compat;
pub mod differences;
pub mod environment;
pub mod fields;
pub mod jvm;
pub mod process;
pub mod random;
pub mod raw;
pub mod report;
pub mod suites;
