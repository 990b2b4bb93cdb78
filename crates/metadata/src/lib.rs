//! The cluster's metadata: records of the metadata log, the immutable [`Image`] they add up to, feature levels.
//!
//! Pure: no clock, no file, no thread. What is read here was decided by a controller; nothing is decided here.
//!
//! | to … | use |
//! |---|---|
//! | read or write a record of the log | [`MetadataRecord`] |
//! | follow the log, image by image | [`Loader`], which gives [`Changes`] with each image |
//! | know who leads, what exists, what is configured | [`Image`] |
//! | write a checkpoint | [`Image::to_records`] |
//!
//! What always holds is asserted by [`Image::check`].

mod broker;
mod delta;
mod feature;
mod image;
mod loader;
mod record;
mod resource;
mod snapshot;
#[cfg(test)]
mod tests;
mod topic;

pub use broker::{BrokerRegistration, ControllerRegistration, Endpoint, MIGRATING_DIR};
pub use delta::{Changes, Delta, ReplayError};
pub use feature::{
    ELR_VERSION, FEATURES, Feature, Features, KRAFT_VERSION, METADATA_VERSION, MetadataVersion, VersionRange,
    feature_by_name,
};
pub use image::{ClientQuotaEntity, Image, Provenance};
pub use loader::{Batch, Loader};
pub use ottla_config::{ConfigMap, alter::ResourceKind};
pub use record::{MetadataRecord, RecordError};
pub use resource::ConfigResource;
pub use topic::{LeaderRecoveryState, NO_LEADER, NO_LEADER_CHANGE, Partition, Topic};

use ottla_protocol::ByteString;

/// A copy that shares no memory: what an image keeps must not keep the buffer alive that it was read from.
fn compact(text: &ByteString) -> ByteString {
    ByteString::from(&**text)
}
