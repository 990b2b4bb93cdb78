//! Kafka's words: message codecs, error codes, identifiers and record batches. No I/O.

pub mod codec;
pub mod error;
pub mod frame;
pub mod ids;
pub mod messages;
pub mod records;

pub use bytestring::ByteString;
pub use codec::Records;
pub use error::ErrorCode;
pub use ids::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId, Uuid};
pub use messages::ApiKey;
