//! Follows the metadata: makes this broker into what a new image says of it, then shows the image to everybody.

use super::config::Config;
use super::dir_assignments::DirAssignments;
use super::groups::{Groups, OFFSETS_TOPIC};
use super::identity::Identity;
use super::images::Images;
use super::log_dirs::LogDirs;
use super::partition::Partition;
use super::partitions::Partitions;
use super::{clock, random};
use ottla_config::alter::ResourceKind;
use ottla_coordinator::group::DeletedTopic;
use ottla_metadata::{Changes, ConfigResource, Image, Topic};
use ottla_protocol::TopicId;
use ottla_replica::partition::Registration;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What follows the metadata on this broker.
pub(super) struct Publisher {
    /// Where images are shown.
    pub images: Arc<Images>,
    /// The partitions that are here.
    pub partitions: Arc<Partitions>,
    /// Their directories.
    pub log_dirs: Arc<LogDirs>,
    /// Where the controller is told which directory each is in.
    pub assignments: Arc<DirAssignments>,
    /// The group coordinators.
    pub groups: Arc<Groups>,
    /// This broker's configuration.
    pub config: Arc<Config>,
    /// Who this is.
    pub identity: Arc<Identity>,
    /// Partitions whose directories a full disk did not take.
    pub without_room: Mutex<BTreeSet<(TopicId, i32)>>,
}

impl Publisher {
    /// Follows the changes and shows the image.
    pub(super) fn publish(&mut self, image: &Arc<Image>, changes: &Changes) {
        if changes.configs.iter().any(|resource| self.concerns_this_broker(resource)) {
            self.config.follow(image, self.identity.node_id);
            self.log_dirs.cordon(&self.config.current().log.cordoned_log_dirs);
            // The defaults of all topics may have changed.
            for partition in self.partitions.all() {
                self.configure(image, &partition);
            }
        }
        self.remove_topics(changes);
        let coordinators = self.follow_partitions(image, changes);
        self.follow_topic_configs(image, changes);
        self.images.publish(Arc::clone(image));
        let (led, not_led): (Vec<_>, Vec<_>) =
            coordinators.into_iter().partition(|partition| partition.is_leader());
        for partition in not_led {
            self.groups.unload(partition.index);
        }
        self.groups.load(led);
        if !changes.topics_deleted.is_empty() {
            let deleted =
                |(id, topic): (&TopicId, &Arc<Topic>)| DeletedTopic { id: *id, name: topic.name.clone() };
            let deleted: Vec<DeletedTopic> = changes.topics_deleted.iter().map(deleted).collect();
            self.groups.topics_deleted(&deleted);
        }
    }

    /// Whether there are partitions that wait for room on the disk.
    pub(super) fn has_waiting(&self) -> bool {
        !self.without_room.lock().is_empty()
    }

    /// Tries again what a full disk refused.
    pub(super) fn retry(&mut self, image: &Arc<Image>) {
        let waiting = std::mem::take(&mut *self.without_room.lock());
        let mut changes = Changes::default();
        for (topic_id, index) in waiting {
            changes.partitions.entry(topic_id).or_default().insert(index);
        }
        self.publish(image, &changes);
    }

    fn concerns_this_broker(&self, resource: &ConfigResource) -> bool {
        let own = ConfigResource::broker(self.identity.node_id);
        *resource == own || *resource == ConfigResource::default_broker()
    }

    fn remove_topics(&self, changes: &Changes) {
        let mut removed = Vec::new();
        for (id, topic) in &changes.topics_deleted {
            for index in topic.partitions.keys() {
                if let Some(partition) = self.partitions.get(*id, *index) {
                    removed.push(partition);
                }
                if topic.name == OFFSETS_TOPIC {
                    self.groups.unload(*index);
                }
            }
        }
        let keys: Vec<_> = removed.iter().map(|partition| (partition.topic_id, partition.index)).collect();
        self.partitions.update([], keys);
        for partition in removed {
            // What lies in a directory that failed is found to be a stray when that can be used again.
            if !partition.is_online() {
                continue;
            }
            let delay_ms = partition.settings().file_delete_delay_ms;
            match partition.delete(random::uuid()) {
                Ok(deleted) => {
                    self.log_dirs.forget_log(partition.dir().index());
                    self.log_dirs.remove_later(deleted, clock::now_ms() + delay_ms);
                }
                Err(error) => {
                    tracing::error!(%error, "cannot delete a partition's directory");
                    partition.dir().judge(&error);
                }
            }
        }
    }

    /// Opens the logs of partitions that are new here and tells all that changed. Gives those of the offsets topic whose
    /// leader may be another now.
    fn follow_partitions(&self, image: &Image, changes: &Changes) -> Vec<Arc<Partition>> {
        let mut added = Vec::new();
        let mut coordinators = Vec::new();
        for (topic_id, indexes) in &changes.partitions {
            let Some(topic) = image.topic(*topic_id) else { continue };
            for index in indexes {
                let Some(assigned) = topic.partitions.get(index) else { continue };
                if !assigned.replicas.contains(&self.identity.node_id) {
                    continue;
                }
                let partition = match self.partitions.get(*topic_id, *index) {
                    Some(partition) => partition,
                    None => match self.open(image, topic, *index) {
                        Some(partition) => {
                            added.push(Arc::clone(&partition));
                            partition
                        }
                        None => continue,
                    },
                };
                let dir = partition.dir();
                if dir.is_online() && assigned.directory(self.identity.node_id) != Some(dir.id()) {
                    self.assignments.tell(*topic_id, *index, dir.id());
                }
                let was = (partition.is_leader(), partition.leader_epoch());
                partition.register(registration(assigned), clock::now_ms());
                let is = (partition.is_leader(), partition.leader_epoch());
                if topic.name == OFFSETS_TOPIC && was != is {
                    coordinators.push(partition);
                }
            }
        }
        self.partitions.update(added, []);
        coordinators
    }

    fn open(&self, image: &Image, topic: &Topic, index: i32) -> Option<Arc<Partition>> {
        let settings = self.config.topic(image.config(&ConfigResource::topic(topic.name.clone())));
        let now_ms = clock::now_ms();
        match Partition::open(
            &self.log_dirs,
            &self.config.current(),
            self.identity.node_id,
            topic,
            index,
            settings,
            now_ms,
        ) {
            Ok(partition) => Some(Arc::new(partition)),
            Err(error) => {
                if error.is_storage_full() {
                    tracing::warn!(%error, topic = %topic.name, index, "a partition waits for room on the disk");
                    self.without_room.lock().insert((topic.id, index));
                } else {
                    tracing::error!(%error, topic = %topic.name, index, "cannot open a partition");
                }
                None
            }
        }
    }

    fn follow_topic_configs(&self, image: &Image, changes: &Changes) {
        for resource in changes.configs.iter().filter(|resource| resource.kind == ResourceKind::Topic) {
            let Some(topic) = image.topic_by_name(&resource.name) else { continue };
            for index in topic.partitions.keys() {
                if let Some(partition) = self.partitions.get(topic.id, *index) {
                    self.configure(image, &partition);
                }
            }
        }
    }

    fn configure(&self, image: &Image, partition: &Partition) {
        let values = image.config(&ConfigResource::topic(partition.topic.clone()));
        partition.configure(self.config.topic(values), &self.config.current(), clock::now_ms());
    }
}

fn registration(partition: &ottla_metadata::Partition) -> Registration {
    Registration {
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
    }
}
