//! What a controller writes first.

use crate::state::{Active, Settings};
use ottla_metadata::{ELR_VERSION, FEATURES, KRAFT_VERSION, MetadataRecord, ResourceKind};
use ottla_protocol::messages::{
    AbortTransactionRecord, BeginTransactionRecord, ConfigRecord, EndTransactionRecord, FeatureLevelRecord,
};

/// The records that make a new cluster: the level of every feature, as a fresh Kafka 4.3.1 has it. (Their copy in
/// `bootstrap.checkpoint` is what `kafka-storage format` writes.)
pub fn default_bootstrap_records() -> Vec<MetadataRecord> {
    // The quorum keeps kraft.version in records of its own.
    let features = FEATURES.iter().filter(|feature| feature.name != KRAFT_VERSION);
    features
        .map(|feature| {
            let (name, feature_level) = (feature.name.into(), feature.default_level);
            FeatureLevelRecord { name, feature_level, ..Default::default() }.into()
        })
        .collect()
}

/// What to write at the start of a leadership: an open transaction of the previous leader is aborted, and an empty log is
/// given its first records, inside a transaction, so that a cluster without features is never seen.
pub(crate) fn records(settings: &Settings, active: &Active, in_transaction: bool) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    if in_transaction {
        let reason = Some("Controller failover".into());
        records.push(AbortTransactionRecord { reason, ..Default::default() }.into());
    }
    if active.image.features().metadata_version().is_some() {
        return records;
    }
    let name = Some("Bootstrap records".into());
    records.push(BeginTransactionRecord { name, ..Default::default() }.into());
    records.extend(settings.bootstrap.iter().cloned());
    let enables_elr = |record: &MetadataRecord| {
        matches!(record, MetadataRecord::FeatureLevel(feature)
            if feature.name == ELR_VERSION && feature.feature_level > 0)
    };
    if settings.bootstrap.iter().any(enables_elr) {
        // KIP-966 needs one value for the whole cluster, not one per controller.
        let min_isr = settings.config.int("min.insync.replicas");
        let record = ConfigRecord {
            resource_type: ResourceKind::Broker.id(),
            name: "min.insync.replicas".into(),
            value: Some(min_isr.to_string().into()),
            ..Default::default()
        };
        records.push(record.into());
    }
    records.push(EndTransactionRecord::default().into());
    records
}
