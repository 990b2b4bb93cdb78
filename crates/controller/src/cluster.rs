//! What decisions look at: the written image, and the configuration as of it.

use crate::state::Settings;
use crate::topic_name::SimilarNames;
use ottla_config::BrokerConfig;
use ottla_config::alter::{AlterContext, usable_broker_configs};
use ottla_metadata::{ConfigResource, Image, MIGRATING_DIR, Partition, Topic};
use ottla_protocol::{BrokerId, Uuid};

/// The written state, for the time of one decision.
#[derive(Clone, Copy)]
pub(crate) struct Cluster<'a> {
    pub(crate) settings: &'a Settings,
    /// The controller's configuration, dynamic values included.
    pub(crate) config: &'a BrokerConfig,
    pub(crate) image: &'a Image,
    pub(crate) similar_names: &'a SimilarNames,
}

impl Cluster<'_> {
    /// Whether the broker may lead and be in an ISR.
    pub(crate) fn is_active(&self, broker: BrokerId) -> bool {
        self.image.broker(broker).is_some_and(|broker| broker.is_active())
    }

    /// Whether the broker leads anything.
    pub(crate) fn leads_something(&self, broker: BrokerId) -> bool {
        self.image.partitions().any(|(.., partition)| partition.leader == Some(broker))
    }

    /// The directory of a new replica: the broker's only one, or one that the broker is going to choose.
    pub(crate) fn default_dir(&self, broker: BrokerId) -> Uuid {
        match self.image.broker(broker).map(|broker| broker.directories.as_slice()) {
            Some([]) => MIGRATING_DIR,
            Some([dir]) => *dir,
            Some(_) | None => Uuid::UNASSIGNED_DIR,
        }
    }

    /// `min.insync.replicas` of a topic, but never more than it has replicas.
    pub(crate) fn min_isr(&self, topic: &Topic) -> usize {
        let own = self.topic_config(topic, "min.insync.replicas").and_then(|value| value.parse().ok());
        let configured: i32 = own.unwrap_or_else(|| self.config.int("min.insync.replicas"));
        let replicas = topic.partitions.values().next().map_or(0, |partition| partition.replicas.len());
        usize::try_from(configured).unwrap_or(0).min(replicas)
    }

    /// Whether a topic would rather lose records than stay without a leader.
    pub(crate) fn is_unclean_election_enabled(&self, topic: &Topic) -> bool {
        let own = self.topic_config(topic, "unclean.leader.election.enable");
        own.map_or_else(|| self.config.boolean("unclean.leader.election.enable"), |value| value == "true")
    }

    fn topic_config(&self, topic: &Topic, key: &str) -> Option<&str> {
        self.image.config(&ConfigResource::topic(topic.name.clone())).get(key).map(String::as_str)
    }

    /// What the rules of configurations depend on.
    pub(crate) fn alter_context(&self, forwarded: bool) -> AlterContext<'_> {
        AlterContext {
            broker: self.config,
            elr_enabled: self.image.features().is_elr_enabled(),
            // Records are written at 4.3-IV0 (`MetadataRecord::version`), which has them.
            cordoned_log_dirs_supported: true,
            forwarded,
        }
    }

    /// All partitions that have the broker in the list that `members` picks.
    pub(crate) fn partitions_with(
        &self,
        broker: BrokerId,
        members: fn(&Partition) -> &[BrokerId],
    ) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
        let partitions = self.image.partitions();
        let partitions = partitions.map(|(topic, index, partition)| (&**topic, index, &**partition));
        partitions.filter(move |(.., partition)| members(partition).contains(&broker))
    }
}

/// The controller's configuration with the dynamic values that the image has for all brokers and for this node.
pub(crate) fn effective_config(settings: &Settings, image: &Image) -> BrokerConfig {
    let usable = |resource, per_broker| usable_broker_configs(image.config(&resource), per_broker).0;
    let of_all = usable(ConfigResource::default_broker(), false);
    let own = usable(ConfigResource::broker(settings.node_id), true);
    // Values were checked when they were set; what an older version let pass counts for nothing.
    settings.config.with_dynamic(of_all, own).unwrap_or_else(|_| settings.config.clone())
}
