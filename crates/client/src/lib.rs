//! An async Kafka client for Apache Kafka 4 and for Ottla.
//!
//! | layer | what it does |
//! |---|---|
//! | [`Connection`] | one socket: pipelined requests, version negotiation, timeouts |
//! | [`Client`] | one cluster: bootstrap, metadata, one connection per broker, routing, retries |
//! | [`Producer`], [`Consumer`] | what programs use |
//!
//! What is decided (which partition, which batch goes out, who gets which partition in a group) is plain code without
//! sockets and clocks; the async parts carry it out.

mod backoff;
mod client;
mod clock;
pub mod config;
mod connection;
mod consumer;
mod errand;
mod error;
mod metadata;
pub mod offsets;
mod pool;
mod producer;
mod record;

pub use client::{Client, CoordinatorKind, Target};
pub use config::{ClientConfig, Properties};
pub use connection::Connection;
pub use consumer::{Assignor, Consumer, ConsumerConfig, IsolationLevel, OffsetReset, Rebalance};
pub use error::{Error, Result};
pub use metadata::{Metadata, Node, PartitionMetadata, TopicMetadata};
pub use producer::{Delivery, Producer, ProducerConfig, partition_for_key};
pub use record::{ConsumerRecord, ProducerRecord, RecordHeader, RecordMetadata, TopicPartition};
