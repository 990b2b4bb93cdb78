//! Feature levels (KIP-584): the table of features this build knows, and the levels of metadata.version.

use ottla_protocol::ByteString;
use std::collections::BTreeMap;

/// Name of the feature that decides which metadata records may be written.
pub const METADATA_VERSION: &str = "metadata.version";
/// Name of the feature of the quorum's own records (KIP-853). Its level is a control record, never a `FeatureLevelRecord`.
pub const KRAFT_VERSION: &str = "kraft.version";
/// Name of the feature for eligible leader replicas (KIP-966).
pub const ELR_VERSION: &str = "eligible.leader.replicas.version";

/// Levels a feature may have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// Lowest level.
    pub min: i16,
    /// Highest level.
    pub max: i16,
}

impl VersionRange {
    /// Whether the level is inside.
    pub fn contains(self, level: i16) -> bool {
        (self.min..=self.max).contains(&level)
    }
}

/// A feature of Kafka 4.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// Levels this build can run at: what brokers register and ApiVersions advertises.
    pub supported: VersionRange,
    /// Level in a new cluster.
    pub default_level: i16,
}

const fn feature(name: &'static str, min: i16, max: i16) -> Feature {
    Feature { name, supported: VersionRange { min, max }, default_level: max }
}

/// All features, in the order in which a new cluster's bootstrap records name them; the quorum's own comes last.
pub const FEATURES: &[Feature] = &[
    feature(METADATA_VERSION, 7, 30),
    feature(ELR_VERSION, 0, 1),
    feature("group.version", 0, 1),
    feature("share.version", 0, 1),
    feature("streams.version", 0, 1),
    feature("transaction.version", 0, 2),
    feature(KRAFT_VERSION, 0, 1),
];

/// The feature of a name.
pub fn feature_by_name(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

/// A level of metadata.version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(i16);

/// Name of each level, from the lowest that is supported on.
const METADATA_VERSION_NAMES: [&str; 24] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0",
    "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
];

impl MetadataVersion {
    /// The lowest level that Kafka 4.3.1 can run at: 3.3-IV3.
    pub const MINIMUM: MetadataVersion = MetadataVersion(7);
    /// The highest level of Kafka 4.3.1: 4.3-IV0.
    pub const LATEST: MetadataVersion =
        MetadataVersion(MetadataVersion::MINIMUM.0 + METADATA_VERSION_NAMES.len() as i16 - 1);

    /// The version of a level, if this build knows it.
    pub fn from_level(level: i16) -> Option<MetadataVersion> {
        let version = MetadataVersion(level);
        (MetadataVersion::MINIMUM..=MetadataVersion::LATEST).contains(&version).then_some(version)
    }

    /// The number in a `FeatureLevelRecord`.
    pub fn level(self) -> i16 {
        self.0
    }

    /// Kafka's name, as tools print it.
    pub fn name(self) -> &'static str {
        METADATA_VERSION_NAMES[usize::from((self.0 - MetadataVersion::MINIMUM.0) as u16)]
    }
}

/// The finalized features of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Features {
    /// Level by name; features at level 0 are not there.
    finalized: BTreeMap<ByteString, i16>,
}

impl Features {
    /// The level of a feature; 0 is "not in use".
    pub fn level(&self, name: &str) -> i16 {
        self.finalized.get(name).copied().unwrap_or(0)
    }

    /// The level of metadata.version; nothing before the first one is recorded.
    pub fn metadata_version(&self) -> Option<MetadataVersion> {
        MetadataVersion::from_level(self.level(METADATA_VERSION))
    }

    /// Whether eligible leader replicas (KIP-966) are in use.
    pub fn is_elr_enabled(&self) -> bool {
        self.level(ELR_VERSION) > 0
    }

    /// Name and level of all finalized features, by name. The quorum's own is not among them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ByteString, i16)> {
        self.finalized.iter().map(|(name, level)| (name, *level))
    }

    pub(crate) fn set(&mut self, name: ByteString, level: i16) {
        if level == 0 {
            self.finalized.remove(&name);
        } else {
            self.finalized.insert(name, level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_level_of_a_new_cluster_is_that_of_kafka_4_3_1() {
        let levels: Vec<(&str, i16)> =
            FEATURES.iter().map(|feature| (feature.name, feature.default_level)).collect();
        let expect = [
            ("metadata.version", 30),
            ("eligible.leader.replicas.version", 1),
            ("group.version", 1),
            ("share.version", 1),
            ("streams.version", 1),
            ("transaction.version", 2),
            ("kraft.version", 1),
        ];
        assert_eq!(levels, expect);
        assert_eq!(MetadataVersion::LATEST.level(), 30);
        assert_eq!(MetadataVersion::LATEST.name(), "4.3-IV0");
        assert_eq!(MetadataVersion::from_level(21).unwrap().name(), "3.9-IV0");
    }

    #[test]
    fn levels_that_this_build_does_not_know_are_no_metadata_version() {
        for level in [0, 6, 31, -1] {
            assert_eq!(MetadataVersion::from_level(level), None, "{level}");
        }
    }
}
