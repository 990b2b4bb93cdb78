//! From one image to the next: records in, the next image and the list of what changed out.

use crate::broker::{BrokerRegistration, ControllerRegistration};
use crate::compact;
use crate::feature::{METADATA_VERSION, MetadataVersion};
use crate::image::{ClientQuotaEntity, Image, Provenance};
use crate::record::MetadataRecord;
use crate::resource::ConfigResource;
use crate::topic::{Partition, Topic};
use ottla_config::alter::ResourceKind;
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, ByteString, Offset, ProducerId, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A record that does not fit what came before it. A node that meets one must stop: its view of the cluster would
/// differ from everybody else's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{record} at offset {offset} of the metadata log {reason}")]
pub struct ReplayError {
    /// Where it is.
    pub offset: Offset,
    /// Its name.
    pub record: &'static str,
    /// What is wrong, as the rest of a sentence.
    pub reason: String,
}

/// What is different between two images, so that whoever follows need not compare them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Whether feature levels changed.
    pub features: bool,
    /// Brokers that registered, changed or were unregistered.
    pub brokers: BTreeSet<BrokerId>,
    /// Controllers that registered.
    pub controllers: BTreeSet<BrokerId>,
    /// Topics that are new. Their partitions are in `partitions` too.
    pub topics_created: BTreeSet<TopicId>,
    /// Topics that are gone, as they were.
    pub topics_deleted: BTreeMap<TopicId, Arc<Topic>>,
    /// Partitions that are new or changed, of topics that exist.
    pub partitions: BTreeMap<TopicId, BTreeSet<i32>>,
    /// Resources whose configuration changed.
    pub configs: BTreeSet<ConfigResource>,
    /// Entities whose client quotas changed.
    pub client_quotas: BTreeSet<ClientQuotaEntity>,
    /// Whether a block of producer ids was given out.
    pub producer_ids: bool,
    /// Whether access control entries changed.
    pub acls: bool,
    /// Whether SCRAM credentials changed.
    pub scram_credentials: bool,
    /// Whether delegation tokens changed.
    pub delegation_tokens: bool,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

/// An image in the making.
#[derive(Debug)]
pub struct Delta {
    image: Image,
    changes: Changes,
}

impl Delta {
    /// Starts from an image.
    pub fn new(base: &Image) -> Delta {
        Delta { image: base.clone(), changes: Changes::default() }
    }

    /// The image so far. Its provenance is still that of the one it started from.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Ends it.
    pub fn finish(mut self, provenance: Provenance) -> (Image, Changes) {
        self.image.provenance = provenance;
        (self.image, self.changes)
    }

    /// Takes one more record.
    ///
    /// # Errors
    /// A record that does not fit. The delta is of no more use then.
    pub fn replay(&mut self, offset: Offset, record: &MetadataRecord) -> Result<(), ReplayError> {
        use MetadataRecord as R;
        match record {
            R::RegisterBroker(record) => self.register_broker(record),
            R::UnregisterBroker(record) => self.unregister_broker(record),
            R::BrokerRegistrationChange(record) => self.change_registration(record),
            R::FenceBroker(record) => {
                self.change_broker(record.id, record.epoch, |broker| broker.fenced = true)
            }
            R::UnfenceBroker(record) => {
                self.change_broker(record.id, record.epoch, |broker| broker.fenced = false)
            }
            R::RegisterController(record) => self.register_controller(record),
            R::FeatureLevel(record) => self.feature_level(record),
            R::Topic(record) => self.topic(record),
            R::RemoveTopic(record) => self.remove_topic(record),
            R::Partition(record) => self.partition(record),
            R::PartitionChange(record) => self.partition_change(record),
            R::ClearElr(record) => self.clear_elr(record),
            R::Config(record) => self.config(record),
            R::ClientQuota(record) => self.client_quota(record),
            R::ProducerIds(record) => self.producer_ids(record),
            R::AccessControlEntry(record) => self.access_control_entry(record),
            R::RemoveAccessControlEntry(record) => self.remove_access_control_entry(record),
            R::UserScramCredential(record) => self.scram_credential(record),
            R::RemoveUserScramCredential(record) => self.remove_scram_credential(record),
            R::DelegationToken(record) => self.delegation_token(record),
            R::RemoveDelegationToken(record) => self.remove_delegation_token(record),
            // Neither says anything about the cluster since ZooKeeper has gone.
            R::NoOp(_) | R::ZkMigrationState(_) => Ok(()),
            R::BeginTransaction(_) | R::EndTransaction(_) | R::AbortTransaction(_) => {
                Err("marks a transaction, which is the loader's business".to_owned())
            }
        }
        .map_err(|reason| ReplayError { offset, record: record.name(), reason })
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) -> Result<(), String> {
        let broker = BrokerRegistration::from_record(record);
        self.changes.brokers.insert(broker.id);
        self.image.brokers.insert(broker.id, Arc::new(broker));
        Ok(())
    }

    fn unregister_broker(&mut self, record: &UnregisterBrokerRecord) -> Result<(), String> {
        let id = BrokerId(record.broker_id);
        self.registered(id, record.broker_epoch)?;
        self.image.brokers.remove(&id);
        self.changes.brokers.insert(id);
        Ok(())
    }

    fn change_registration(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<(), String> {
        let fenced = match record.fenced {
            0 => None,
            1 => Some(true),
            -1 => Some(false),
            other => return Err(format!("has the unknown fencing change {other}")),
        };
        let shuts_down = match record.in_controlled_shutdown {
            0 => false,
            1 => true,
            other => return Err(format!("has the unknown controlled-shutdown change {other}")),
        };
        self.change_broker(record.broker_id, record.broker_epoch, |broker| {
            broker.fenced = fenced.unwrap_or(broker.fenced);
            broker.in_controlled_shutdown |= shuts_down;
            if !record.log_dirs.is_empty() {
                broker.directories = record.log_dirs.clone();
            }
            if let Some(cordoned) = &record.cordoned_log_dirs {
                broker.cordoned_directories = Some(cordoned.clone());
            }
        })
    }

    fn change_broker(
        &mut self,
        id: i32,
        epoch: i64,
        change: impl FnOnce(&mut BrokerRegistration),
    ) -> Result<(), String> {
        let id = BrokerId(id);
        change(Arc::make_mut(self.registered(id, epoch)?));
        self.changes.brokers.insert(id);
        Ok(())
    }

    /// The registration of a broker that must be there in this very incarnation.
    fn registered(&mut self, id: BrokerId, epoch: i64) -> Result<&mut Arc<BrokerRegistration>, String> {
        match self.image.brokers.get_mut(&id) {
            Some(broker) if broker.epoch == epoch => Ok(broker),
            Some(broker) => {
                Err(format!("is for broker {id} of epoch {epoch}, whose epoch is {}", broker.epoch))
            }
            None => Err(format!("is for broker {id}, which is not registered")),
        }
    }

    fn register_controller(&mut self, record: &RegisterControllerRecord) -> Result<(), String> {
        let controller = ControllerRegistration::from_record(record);
        self.changes.controllers.insert(controller.id);
        self.image.controllers.insert(controller.id, Arc::new(controller));
        Ok(())
    }

    fn feature_level(&mut self, record: &FeatureLevelRecord) -> Result<(), String> {
        let level = record.feature_level;
        if record.name == METADATA_VERSION && MetadataVersion::from_level(level).is_none() {
            return Err(format!("sets metadata.version to level {level}, which this build does not know"));
        }
        Arc::make_mut(&mut self.image.features).set(compact(&record.name), level);
        self.changes.features = true;
        Ok(())
    }

    fn topic(&mut self, record: &TopicRecord) -> Result<(), String> {
        let (name, id) = (compact(&record.name), record.topic_id);
        if let Some(other) = self.image.topic_ids.get(&name) {
            return Err(format!("creates {name}, which exists already with id {other}"));
        }
        if self.image.topics.contains_key(&id) {
            return Err(format!("creates {name} with id {id}, which another topic has"));
        }
        self.image.topic_ids.insert(name.clone(), id);
        self.image.topics.insert(id, Arc::new(Topic { name, id, partitions: BTreeMap::new() }));
        self.changes.topics_created.insert(id);
        Ok(())
    }

    fn remove_topic(&mut self, record: &RemoveTopicRecord) -> Result<(), String> {
        let id = record.topic_id;
        let topic = self.image.topics.remove(&id).ok_or_else(|| unknown_topic(id))?;
        self.image.topic_ids.remove(&topic.name);
        let resource = ConfigResource::topic(topic.name.clone());
        if self.image.configs.remove(&resource).is_some() {
            self.changes.configs.insert(resource);
        }
        self.changes.partitions.remove(&id);
        // A topic that came and went between two images was never there.
        if !self.changes.topics_created.remove(&id) {
            self.changes.topics_deleted.insert(id, topic);
        }
        Ok(())
    }

    fn partition(&mut self, record: &PartitionRecord) -> Result<(), String> {
        let partition = Partition::from_record(record)?;
        let topic =
            self.image.topics.get_mut(&record.topic_id).ok_or_else(|| unknown_topic(record.topic_id))?;
        Arc::make_mut(topic).partitions.insert(record.partition_id, Arc::new(partition));
        self.changed_partition(record.topic_id, record.partition_id);
        Ok(())
    }

    fn partition_change(&mut self, record: &PartitionChangeRecord) -> Result<(), String> {
        let (id, index) = (record.topic_id, record.partition_id);
        let topic = self.image.topics.get_mut(&id).ok_or_else(|| unknown_topic(id))?;
        let topic = Arc::make_mut(topic);
        let Some(partition) = topic.partitions.get_mut(&index) else {
            return Err(format!("is for partition {index} of {}, which does not exist", topic.name));
        };
        *partition = Arc::new(partition.merge(record)?);
        self.changed_partition(id, index);
        Ok(())
    }

    /// Forgets the eligible leader replicas of one topic, or of all when there is no name (KIP-966).
    fn clear_elr(&mut self, record: &ClearElrRecord) -> Result<(), String> {
        if record.topic_name.is_empty() {
            let ids: Vec<TopicId> = self.image.topics.keys().copied().collect();
            return ids.into_iter().try_for_each(|id| self.clear_elr_of(id));
        }
        let name = &record.topic_name;
        let id =
            self.image.topic_id(name).ok_or_else(|| format!("is for topic {name}, which does not exist"))?;
        self.clear_elr_of(id)
    }

    /// To Kafka it is a change of each partition that has any.
    fn clear_elr_of(&mut self, id: TopicId) -> Result<(), String> {
        let has_elr =
            |partition: &Partition| !partition.elr.is_empty() || !partition.last_known_elr.is_empty();
        let partitions = self.image.topics[&id].partitions.iter();
        let affected: Vec<i32> =
            partitions.filter(|(_, partition)| has_elr(partition)).map(|(index, _)| *index).collect();
        affected.into_iter().try_for_each(|partition_id| {
            self.partition_change(&PartitionChangeRecord {
                topic_id: id,
                partition_id,
                eligible_leader_replicas: Some(Vec::new()),
                last_known_elr: Some(Vec::new()),
                ..Default::default()
            })
        })
    }

    fn changed_partition(&mut self, id: TopicId, index: i32) {
        self.changes.partitions.entry(id).or_default().insert(index);
    }

    fn config(&mut self, record: &ConfigRecord) -> Result<(), String> {
        let kind = ResourceKind::from_id(record.resource_type)
            .ok_or_else(|| format!("has the unknown resource type {}", record.resource_type))?;
        let resource = ConfigResource { kind, name: compact(&record.resource_name) };
        let config = Arc::make_mut(self.image.configs.entry(resource.clone()).or_default());
        match &record.value {
            Some(value) => config.insert(record.name.to_string(), value.to_string()),
            None => config.remove(&*record.name),
        };
        if config.is_empty() {
            self.image.configs.remove(&resource);
        }
        self.changes.configs.insert(resource);
        Ok(())
    }

    fn client_quota(&mut self, record: &ClientQuotaRecord) -> Result<(), String> {
        let text = |name: &ByteString| name.to_string();
        let entity: ClientQuotaEntity = record
            .entity
            .iter()
            .map(|part| (part.entity_type.to_string(), part.entity_name.as_ref().map(text)))
            .collect();
        let quotas = Arc::make_mut(self.image.client_quotas.entry(entity.clone()).or_default());
        if record.remove {
            quotas.remove(&*record.key);
        } else {
            quotas.insert(record.key.to_string(), record.value);
        }
        if quotas.is_empty() {
            self.image.client_quotas.remove(&entity);
        }
        self.changes.client_quotas.insert(entity);
        Ok(())
    }

    fn producer_ids(&mut self, record: &ProducerIdsRecord) -> Result<(), String> {
        let next = ProducerId(record.next_producer_id);
        if next < self.image.next_producer_id() {
            let now = self.image.next_producer_id();
            return Err(format!("goes back from producer id {now} to {next}"));
        }
        self.image.next_producer_id = Some(next);
        self.changes.producer_ids = true;
        Ok(())
    }

    fn access_control_entry(&mut self, record: &AccessControlEntryRecord) -> Result<(), String> {
        let entry = AccessControlEntryRecord {
            resource_name: compact(&record.resource_name),
            principal: compact(&record.principal),
            host: compact(&record.host),
            ..record.clone()
        };
        if self.image.acls.insert(record.id, Arc::new(entry)).is_some() {
            return Err(format!("adds an entry with the id {}, which another one has", record.id));
        }
        self.changes.acls = true;
        Ok(())
    }

    fn remove_access_control_entry(&mut self, record: &RemoveAccessControlEntryRecord) -> Result<(), String> {
        if self.image.acls.remove(&record.id).is_none() {
            return Err(format!("removes the entry {}, which does not exist", record.id));
        }
        self.changes.acls = true;
        Ok(())
    }

    fn scram_credential(&mut self, record: &UserScramCredentialRecord) -> Result<(), String> {
        let key = (compact(&record.name), record.mechanism);
        let credential = UserScramCredentialRecord {
            name: key.0.clone(),
            salt: record.salt.to_vec().into(),
            stored_key: record.stored_key.to_vec().into(),
            server_key: record.server_key.to_vec().into(),
            ..record.clone()
        };
        self.image.scram_credentials.insert(key, Arc::new(credential));
        self.changes.scram_credentials = true;
        Ok(())
    }

    fn remove_scram_credential(&mut self, record: &RemoveUserScramCredentialRecord) -> Result<(), String> {
        if self.image.scram_credentials.remove(&(record.name.clone(), record.mechanism)).is_none() {
            return Err(format!("removes a credential of {}, which has none of that mechanism", record.name));
        }
        self.changes.scram_credentials = true;
        Ok(())
    }

    fn delegation_token(&mut self, record: &DelegationTokenRecord) -> Result<(), String> {
        let token = DelegationTokenRecord {
            owner: compact(&record.owner),
            requester: compact(&record.requester),
            renewers: record.renewers.iter().map(compact).collect(),
            token_id: compact(&record.token_id),
            ..record.clone()
        };
        self.image.delegation_tokens.insert(token.token_id.clone(), Arc::new(token));
        self.changes.delegation_tokens = true;
        Ok(())
    }

    fn remove_delegation_token(&mut self, record: &RemoveDelegationTokenRecord) -> Result<(), String> {
        if self.image.delegation_tokens.remove(&record.token_id).is_none() {
            return Err(format!("removes the token {}, which does not exist", record.token_id));
        }
        self.changes.delegation_tokens = true;
        Ok(())
    }
}

fn unknown_topic(id: TopicId) -> String {
    format!("is for the topic with id {id}, which does not exist")
}
