//! The image: everything the metadata log says, as of one offset.

use crate::broker::{BrokerRegistration, ControllerRegistration};
use crate::delta::{Changes, Delta, ReplayError};
use crate::feature::Features;
use crate::record::MetadataRecord;
use crate::resource::ConfigResource;
use crate::topic::{Partition, Topic};
use imbl::OrdMap;
use ottla_config::ConfigMap;
use ottla_protocol::messages::{AccessControlEntryRecord, DelegationTokenRecord, UserScramCredentialRecord};
use ottla_protocol::{BrokerId, ByteString, LeaderEpoch, Offset, ProducerId, TopicId, Uuid};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Which part of the log an image contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Offset after the last record in it: the end offset of a snapshot made from it.
    pub end_offset: Offset,
    /// Quorum epoch of the last record.
    pub epoch: LeaderEpoch,
    /// Append time of the last record, in milliseconds since 1970; -1 when nothing was read.
    pub last_contained_log_timestamp: i64,
}

impl Default for Provenance {
    fn default() -> Self {
        Provenance { end_offset: Offset(0), epoch: LeaderEpoch(0), last_contained_log_timestamp: -1 }
    }
}

/// Whom a client quota is for: name by entity type (`user`, `client-id`, `ip`); no name is the default of the type.
pub type ClientQuotaEntity = BTreeMap<String, Option<String>>;

/// Everything the metadata log says, as of one offset: an immutable view of the whole cluster.
///
/// A clone costs a few reference counts; two images share all that is the same in both. Brokers see nothing but images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    pub(crate) provenance: Provenance,
    pub(crate) features: Arc<Features>,
    pub(crate) brokers: OrdMap<BrokerId, Arc<BrokerRegistration>>,
    pub(crate) controllers: OrdMap<BrokerId, Arc<ControllerRegistration>>,
    pub(crate) topics: OrdMap<TopicId, Arc<Topic>>,
    pub(crate) topic_ids: OrdMap<ByteString, TopicId>,
    pub(crate) configs: OrdMap<ConfigResource, Arc<ConfigMap>>,
    pub(crate) client_quotas: OrdMap<ClientQuotaEntity, Arc<BTreeMap<String, f64>>>,
    pub(crate) next_producer_id: Option<ProducerId>,
    pub(crate) acls: OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
    pub(crate) scram_credentials: OrdMap<(ByteString, i8), Arc<UserScramCredentialRecord>>,
    pub(crate) delegation_tokens: OrdMap<ByteString, Arc<DelegationTokenRecord>>,
}

impl Image {
    /// Which part of the log it contains.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// Finalized feature levels.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// All registered brokers by id, fenced ones too.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<BrokerRegistration>> {
        self.brokers.values()
    }

    /// The brokers that clients may be sent to.
    pub fn alive_brokers(&self) -> impl Iterator<Item = &Arc<BrokerRegistration>> {
        self.brokers().filter(|broker| broker.is_alive())
    }

    /// A broker's registration.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<BrokerRegistration>> {
        self.brokers.get(&id)
    }

    /// Registered controllers by id.
    pub fn controllers(&self) -> impl Iterator<Item = &Arc<ControllerRegistration>> {
        self.controllers.values()
    }

    /// A controller's registration.
    pub fn controller(&self, id: BrokerId) -> Option<&Arc<ControllerRegistration>> {
        self.controllers.get(&id)
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topic_ids.values().map(|id| self.topics.get(id).expect("every name belongs to a topic"))
    }

    /// The topics whose names are not below `from`, by name.
    pub fn topics_from(&self, from: &str) -> impl Iterator<Item = &Arc<Topic>> {
        let range = self.topic_ids.range::<_, str>((Bound::Included(from), Bound::Unbounded));
        range.map(|(_, id)| self.topics.get(id).expect("every name belongs to a topic"))
    }

    /// A topic by its id.
    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// A topic by its name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topic(self.topic_id(name)?)
    }

    /// The id of a topic.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.topic_ids.get(name).copied()
    }

    /// One partition.
    pub fn partition(&self, topic_id: TopicId, partition: i32) -> Option<&Arc<Partition>> {
        self.topic(topic_id)?.partitions.get(&partition)
    }

    /// All partitions with their topics, in no order that means anything.
    pub fn partitions(&self) -> impl Iterator<Item = (&Arc<Topic>, i32, &Arc<Partition>)> {
        self.topics.values().flat_map(|topic| {
            topic.partitions.iter().map(move |(index, partition)| (topic, *index, partition))
        })
    }

    /// What is stored for a resource; nothing at all reads as an empty map.
    pub fn config(&self, resource: &ConfigResource) -> &ConfigMap {
        static EMPTY: ConfigMap = ConfigMap::new();
        self.configs.get(resource).map_or(&EMPTY, |config| config)
    }

    /// All resources that have something stored.
    pub fn configs(&self) -> impl Iterator<Item = (&ConfigResource, &ConfigMap)> {
        self.configs.iter().map(|(resource, config)| (resource, &**config))
    }

    /// Client quotas: value by key, for each entity that has any.
    pub fn client_quotas(&self) -> impl Iterator<Item = (&ClientQuotaEntity, &BTreeMap<String, f64>)> {
        self.client_quotas.iter().map(|(entity, quotas)| (entity, &**quotas))
    }

    /// First producer id that belongs to no block yet.
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id.unwrap_or(ProducerId(0))
    }

    /// Access control entries by id.
    pub fn acls(&self) -> impl Iterator<Item = &Arc<AccessControlEntryRecord>> {
        self.acls.values()
    }

    /// A user's credential for a SCRAM mechanism (1 SHA-256, 2 SHA-512).
    pub fn scram_credential(&self, user: &str, mechanism: i8) -> Option<&Arc<UserScramCredentialRecord>> {
        self.scram_credentials.get(&(ByteString::from(user), mechanism))
    }

    /// Delegation tokens by token id.
    pub fn delegation_tokens(&self) -> impl Iterator<Item = &Arc<DelegationTokenRecord>> {
        self.delegation_tokens.values()
    }

    /// The image after more records, which begin at `base_offset`, and what they changed. Costs in proportion to the
    /// records, not to the image.
    ///
    /// # Errors
    /// A record that this image cannot take. The image is as it was.
    pub fn apply<'a>(
        &self,
        base_offset: Offset,
        epoch: LeaderEpoch,
        timestamp: i64,
        records: impl IntoIterator<Item = &'a MetadataRecord>,
    ) -> Result<(Image, Changes), ReplayError> {
        let mut delta = Delta::new(self);
        let mut end_offset = base_offset;
        for record in records {
            delta.replay(end_offset, record)?;
            end_offset.0 += 1;
        }
        Ok(delta.finish(Provenance { end_offset, epoch, last_contained_log_timestamp: timestamp }))
    }

    /// Asserts what always holds.
    ///
    /// 1. Names and ids of topics are two views of the same topics.
    /// 2. A partition's directories go with its replicas; its leader, ISR and ELR are replicas of it.
    /// 3. No resource has an empty configuration stored.
    pub fn check(&self) {
        assert_eq!(self.topics.len(), self.topic_ids.len());
        for (name, id) in &self.topic_ids {
            let topic = &self.topics[id];
            assert_eq!((&topic.name, topic.id), (name, *id));
            for (index, partition) in &topic.partitions {
                let place = format!("{name}-{index}: {partition:?}");
                assert_eq!(partition.directories.len(), partition.replicas.len(), "{place}");
                let members = partition.isr.iter().chain(&partition.elr).chain(&partition.leader);
                assert!(members.into_iter().all(|id| partition.replicas.contains(id)), "{place}");
                assert!(partition.leader.is_none_or(|leader| partition.isr.contains(&leader)), "{place}");
            }
        }
        assert!(self.configs.values().all(|config| !config.is_empty()));
    }
}
