//! An image written down as records, in the order in which Kafka writes them into a checkpoint.

use crate::feature::METADATA_VERSION;
use crate::image::Image;
use crate::record::MetadataRecord;
use ottla_protocol::ByteString;
use ottla_protocol::messages::*;

impl Image {
    /// The records that make this image from an empty one: metadata.version first, because it says how to read the rest.
    pub fn to_records(&self) -> Vec<MetadataRecord> {
        let mut out = Vec::new();
        self.write_features(&mut out);
        out.extend(self.brokers().map(|broker| broker.to_record().into()));
        out.extend(self.controllers().map(|controller| controller.to_record().into()));
        self.write_topics(&mut out);
        self.write_configs(&mut out);
        self.write_client_quotas(&mut out);
        if let Some(next) = self.next_producer_id {
            // Which broker got the last block does not matter any more; the defaults of the record say "none".
            let (broker_id, broker_epoch) = (-1, -1);
            let next_producer_id = next.0;
            out.push(
                ProducerIdsRecord { broker_id, broker_epoch, next_producer_id, ..Default::default() }.into(),
            );
        }
        out.extend(self.acls().map(|entry| AccessControlEntryRecord::clone(entry).into()));
        out.extend(
            self.scram_credentials.values().map(|scram| UserScramCredentialRecord::clone(scram).into()),
        );
        out.extend(self.delegation_tokens().map(|token| DelegationTokenRecord::clone(token).into()));
        out
    }

    fn write_features(&self, out: &mut Vec<MetadataRecord>) {
        let record = |(name, feature_level): (&ByteString, i16)| -> MetadataRecord {
            FeatureLevelRecord { name: name.clone(), feature_level, ..Default::default() }.into()
        };
        let is_metadata_version = |(name, _): &(&ByteString, i16)| *name == METADATA_VERSION;
        let features = || self.features.iter();
        out.extend(features().filter(is_metadata_version).map(record));
        out.extend(features().filter(|feature| !is_metadata_version(feature)).map(record));
    }

    fn write_topics(&self, out: &mut Vec<MetadataRecord>) {
        for topic in self.topics.values() {
            let (name, topic_id) = (topic.name.clone(), topic.id);
            out.push(TopicRecord { name, topic_id, ..Default::default() }.into());
            let partitions = topic.partitions.iter();
            out.extend(partitions.map(|(index, partition)| partition.to_record(topic_id, *index).into()));
        }
    }

    fn write_configs(&self, out: &mut Vec<MetadataRecord>) {
        for (resource, config) in self.configs() {
            for (name, value) in config {
                let record = ConfigRecord {
                    resource_type: resource.kind.id(),
                    resource_name: resource.name.clone(),
                    name: name.as_str().into(),
                    value: Some(value.as_str().into()),
                    ..Default::default()
                };
                out.push(record.into());
            }
        }
    }

    fn write_client_quotas(&self, out: &mut Vec<MetadataRecord>) {
        for (entity, quotas) in self.client_quotas() {
            let entity: Vec<client_quota_record::EntityData> = entity
                .iter()
                .map(|(entity_type, name)| client_quota_record::EntityData {
                    entity_type: entity_type.as_str().into(),
                    entity_name: name.as_deref().map(ByteString::from),
                    ..Default::default()
                })
                .collect();
            for (key, value) in quotas {
                let record = ClientQuotaRecord {
                    entity: entity.clone(),
                    key: key.as_str().into(),
                    value: *value,
                    remove: false,
                    ..Default::default()
                };
                out.push(record.into());
            }
        }
    }
}
