//! Kafka's words: message codecs, error codes, identifiers and record batches. No I/O.

pub mod error;
pub mod ids;

pub use error::ErrorCode;
pub use ids::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId, Uuid};
