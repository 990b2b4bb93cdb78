//! Follows the metadata: makes this broker into what a new image says of it, then shows the image to everybody.

#[cfg(test)]
mod tests;

use super::config::Config;
use super::dir_assignments::DirAssignments;
use super::dir_state::DirState;
use super::dormant::{Dormant, Opener, Place, registration};
use super::flusher::Flusher;
use super::groups::{Groups, OFFSETS_TOPIC};
use super::identity::Identity;
use super::images::Images;
use super::leader_recovery::LeaderRecovery;
use super::log_dirs::LogDirs;
use super::parallel::in_parallel;
use super::partition::Partition;
use super::partitions::{Held, Partitions};
use super::relocations::Relocations;
use super::{clock, random};
use ottla_config::TopicSettings;
use ottla_config::alter::ResourceKind;
use ottla_coordinator::group::DeletedTopic;
use ottla_log::{LogError, TopicPartition};
use ottla_metadata::{Changes, ConfigResource, Image, Topic};
use ottla_protocol::{BrokerId, ByteString, LeaderEpoch, TopicId, Uuid};
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
    /// Opens their logs.
    pub opener: Arc<Opener>,
    /// Where the controller is told which directory each is in.
    pub assignments: Arc<DirAssignments>,
    /// Where it is told which leaders have recovered.
    pub leader_recovery: Arc<LeaderRecovery>,
    /// Moves between directories.
    pub relocations: Arc<Relocations>,
    /// The group coordinators.
    pub groups: Arc<Groups>,
    /// This broker's configuration.
    pub config: Arc<Config>,
    /// Who this is.
    pub identity: Arc<Identity>,
    /// Coordinators' partitions whose logs could not be opened because the disk is full: nobody but us tries again.
    pub without_room: Mutex<BTreeSet<(TopicId, i32)>>,
}

impl Publisher {
    /// Follows the changes and shows the image.
    pub(super) fn publish(&mut self, image: &Arc<Image>, changes: &Changes) {
        if changes.configs.iter().any(|resource| self.concerns_this_broker(resource)) {
            self.config.follow(image, self.identity.node_id);
            self.log_dirs.cordon(&self.config.current().log.cordoned_log_dirs);
            // The defaults of all topics may have changed.
            self.configure(image, self.partitions.all_held());
        }
        self.remove_topics(changes);
        let coordinators = self.follow_partitions(image, changes);
        self.follow_topic_configs(image, changes);
        self.images.publish(Arc::clone(image));
        // The image says it, not the partition: while its disk is stuck that one is told later.
        let is_led = |partition: &Arc<Partition>| {
            let leader = leadership(image, partition.topic_id, partition.index).map(|(leader, _)| leader);
            leader == Some(Some(self.identity.node_id))
        };
        let (led, not_led): (Vec<_>, Vec<_>) = coordinators.into_iter().partition(is_led);
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
        let mut keys = Vec::new();
        let mut removed = Vec::new();
        for (id, topic) in &changes.topics_deleted {
            for index in topic.partitions.keys() {
                keys.push((*id, *index));
                match self.partitions.held(*id, *index) {
                    None => {}
                    Some(Held::Open(partition)) => removed.push(partition),
                    Some(Held::Dormant(dormant)) => match dormant.remove() {
                        Some(partition) => removed.push(partition),
                        None => self.log_dirs.forget_log(dormant.dir().index()),
                    },
                }
                if topic.name == OFFSETS_TOPIC {
                    self.groups.unload(*index);
                }
            }
        }
        self.partitions.update([], keys);
        for partition in removed {
            // What lies in a directory that failed is found to be a stray when that can be used again.
            if !partition.is_online() {
                continue;
            }
            let delay_ms = partition.settings().file_delete_delay_ms;
            if let Some(target) = partition.moving_to() {
                self.log_dirs.forget_log(target.index());
                if let Some(copy) = partition.cancel_move(random::uuid()) {
                    self.log_dirs.remove_later(copy, clock::now_ms() + delay_ms);
                }
            }
            let (dir, log_dirs) = (partition.dir(), Arc::clone(&self.log_dirs));
            let of_job = Arc::clone(&dir);
            dir.when_not_stuck(move || {
                // It may have been given up before this one's turn came.
                if !of_job.is_online() {
                    return;
                }
                match partition.delete(random::uuid()) {
                    Ok(deleted) => {
                        log_dirs.forget_log(of_job.index());
                        log_dirs.remove_later(deleted, clock::now_ms() + delay_ms);
                    }
                    Err(error) => {
                        tracing::error!(%error, "cannot delete a partition's directory");
                        of_job.judge(&error);
                    }
                }
            });
        }
    }

    /// Takes in the partitions that are new here and tells all that changed. Gives those of the offsets topic whose leader
    /// may be another now.
    fn follow_partitions(&self, image: &Image, changes: &Changes) -> Vec<Arc<Partition>> {
        let mut coordinators = Vec::new();
        let mut added = Vec::new();
        let mut to_open = Vec::new();
        let mut settings = SettingsOfTopics::new(&self.config, image);
        for (topic_id, indexes) in &changes.partitions {
            let Some(topic) = image.topic(*topic_id) else { continue };
            for index in indexes {
                let Some(assigned) = topic.partitions.get(index) else { continue };
                if !assigned.replicas.contains(&self.identity.node_id) {
                    continue;
                }
                if let Some(held) = self.partitions.held(*topic_id, *index) {
                    self.tell(topic, *index, assigned, &held, &mut coordinators);
                    continue;
                }
                let Some(place) = self.locate(topic, *index, assigned) else { continue };
                let new = New { place, settings: settings.of(&topic.name), assigned: Arc::clone(assigned) };
                // A coordinator reads its partition at once, what the last process did not close is examined, and a move
                // goes on.
                let is_moving = self.log_dirs.has_future(&topic.name, *index);
                if topic.name == OFFSETS_TOPIC || !new.place.located.may_wait || is_moving {
                    to_open.push(new);
                } else {
                    self.recovered(*topic_id, *index, assigned);
                    added.push(self.dormant(new));
                }
            }
        }
        for (opened, new) in self.open_all(&to_open).into_iter().zip(to_open) {
            let is_coordinator = new.place.topic == OFFSETS_TOPIC;
            // What cannot be opened is there all the same: its clients are told of a storage error.
            added.push(match opened {
                Ok(partition) => {
                    self.recovered(partition.topic_id, partition.index, &new.assigned);
                    self.resume_move(&partition);
                    if is_coordinator {
                        coordinators.push(Arc::clone(&partition));
                    }
                    Held::Open(partition)
                }
                Err(error) => {
                    if is_coordinator && error.is_storage_full() {
                        self.without_room.lock().insert((new.place.topic_id, new.place.index));
                    }
                    self.dormant(new)
                }
            });
        }
        self.partitions.update(added, []);
        coordinators
    }

    /// Finds the log of a partition that is new here, or a place for it.
    fn locate(&self, topic: &Topic, index: i32, assigned: &ottla_metadata::Partition) -> Option<Place> {
        let topic_partition = TopicPartition::new(&*topic.name, index);
        let dir = assigned.directory(self.identity.node_id).unwrap_or(Uuid::UNASSIGNED_DIR);
        match self.log_dirs.locate(&topic_partition, dir) {
            Ok(located) => {
                self.assign(topic.id, index, assigned, &located.dir);
                Some(Place { topic: topic.name.clone(), topic_id: topic.id, index, located })
            }
            Err(error) => {
                tracing::error!(%error, topic = %topic.name, index, "there is no place for a partition");
                None
            }
        }
    }

    /// Lets the controller know where the partition is, if the image has it elsewhere.
    fn assign(&self, topic_id: TopicId, index: i32, assigned: &ottla_metadata::Partition, dir: &DirState) {
        if dir.is_online() && assigned.directory(self.identity.node_id) != Some(dir.id()) {
            self.assignments.tell(topic_id, index, dir.id());
        }
    }

    /// The log is as the last process closed it, or has been examined. If this broker leads, it leads with that.
    fn recovered(&self, topic_id: TopicId, index: i32, assigned: &Arc<ottla_metadata::Partition>) {
        self.leader_recovery.holds(self.identity.node_id, topic_id, index, assigned);
    }

    /// A move waits for the metadata to name its target; otherwise the metadata follows where the log is.
    fn follow_directory(
        &self,
        topic_id: TopicId,
        index: i32,
        assigned: &ottla_metadata::Partition,
        held: &Held,
    ) {
        let named = assigned.directory(self.identity.node_id);
        let opened = held.opened();
        let moving_to = opened.as_ref().and_then(|partition| partition.moving_to());
        match (opened, held) {
            (Some(_), _) if moving_to.is_some_and(|target| Some(target.id()) == named) => {
                self.relocations.look_again();
            }
            (Some(partition), _) => self.assign(topic_id, index, assigned, &partition.dir()),
            (None, Held::Dormant(dormant)) => self.assign(topic_id, index, assigned, &dormant.dir()),
            (None, Held::Open(_)) => {}
        }
    }

    /// Goes on with a move that the last process did not finish.
    fn resume_move(&self, partition: &Arc<Partition>) {
        let topic_partition = TopicPartition::new(&*partition.topic, partition.index);
        let resumed = self.log_dirs.resumed_future(&topic_partition, partition, clock::now_ms());
        if let Some((target, copy)) = resumed {
            partition.begin_move(target, copy);
            self.relocations.add(Arc::clone(partition));
        }
    }

    /// Tells a partition that is here what the image says of it.
    fn tell(
        &self,
        topic: &Topic,
        index: i32,
        assigned: &Arc<ottla_metadata::Partition>,
        held: &Held,
        coordinators: &mut Vec<Arc<Partition>>,
    ) {
        self.follow_directory(topic.id, index, assigned, held);
        let was_open = held.opened();
        match held {
            Held::Dormant(dormant) => {
                dormant.register(assigned);
                if !dormant.is_unexamined() {
                    self.recovered(topic.id, index, assigned);
                }
            }
            Held::Open(partition) => {
                partition.register_in_turn(registration(assigned));
                self.recovered(topic.id, index, assigned);
            }
        }
        if topic.name != OFFSETS_TOPIC {
            return;
        }
        match (was_open, held) {
            (Some(partition), _) => {
                let was = leadership(&self.images.current(), topic.id, index);
                // It has none if its log could not be opened at first, and somebody else has opened it since.
                let has_coordinator = self.groups.has(index);
                if was != Some((assigned.leader, assigned.leader_epoch)) || !has_coordinator {
                    coordinators.push(partition);
                }
            }
            (None, Held::Dormant(dormant)) => match dormant.try_open() {
                Ok(partition) => coordinators.extend(partition),
                Err(error) if error.is_storage_full() => {
                    self.without_room.lock().insert((topic.id, index));
                }
                Err(_) => {}
            },
            (None, Held::Open(_)) => {}
        }
    }

    fn dormant(&self, new: New) -> Held {
        let New { place, settings, assigned } = new;
        Held::Dormant(Arc::new(Dormant::new(Arc::clone(&self.opener), place, assigned, settings)))
    }

    /// Opens logs, several at a time (`num.recovery.threads.per.data.dir`). The results are in the order of what was asked.
    fn open_all(&self, new: &[New]) -> Vec<Result<Arc<Partition>, LogError>> {
        let per_dir = self.config.current().log.num_recovery_threads_per_data_dir;
        let threads = usize::try_from(per_dir).unwrap_or(1) * self.log_dirs.directory_ids().len();
        let _together = Flusher::hold_of_many(new.iter().map(|new| &new.place.located.dir));
        in_parallel(new, threads, |new| self.opener.open(&new.place, &new.settings, &new.assigned))
    }

    fn follow_topic_configs(&self, image: &Image, changes: &Changes) {
        for resource in changes.configs.iter().filter(|resource| resource.kind == ResourceKind::Topic) {
            let Some(topic) = image.topic_by_name(&resource.name) else { continue };
            let indexes = topic.partitions.keys();
            self.configure(image, indexes.filter_map(|index| self.partitions.held(topic.id, *index)));
        }
    }

    fn configure(&self, image: &Image, partitions: impl IntoIterator<Item = Held>) {
        let mut settings = SettingsOfTopics::new(&self.config, image);
        for held in partitions {
            match held {
                Held::Dormant(dormant) => dormant.configure(&settings.of(dormant.topic())),
                Held::Open(partition) => {
                    let settings = settings.of(&partition.topic);
                    partition.configure_in_turn(settings, Arc::clone(&self.config.current()));
                }
            }
        }
    }
}

/// Who leads a partition by an image, and at which epoch.
fn leadership(image: &Image, topic_id: TopicId, index: i32) -> Option<(Option<BrokerId>, LeaderEpoch)> {
    let partition = image.topic(topic_id)?.partitions.get(&index)?;
    Some((partition.leader, partition.leader_epoch))
}

/// A partition that is not here yet.
struct New {
    place: Place,
    settings: Arc<TopicSettings>,
    assigned: Arc<ottla_metadata::Partition>,
}

/// The settings of topics, each made once and shared by all partitions; most topics have no values of their own and share
/// theirs with one another.
struct SettingsOfTopics<'a> {
    config: &'a Config,
    image: &'a Image,
    defaults: Option<Arc<TopicSettings>>,
    last: Option<(ByteString, Arc<TopicSettings>)>,
}

impl<'a> SettingsOfTopics<'a> {
    fn new(config: &'a Config, image: &'a Image) -> SettingsOfTopics<'a> {
        SettingsOfTopics { config, image, defaults: None, last: None }
    }

    fn of(&mut self, topic: &ByteString) -> Arc<TopicSettings> {
        let values = self.image.config(&ConfigResource::topic(topic.clone()));
        if values.is_empty() {
            let defaults = self.defaults.get_or_insert_with(|| Arc::new(self.config.topic(values)));
            return Arc::clone(defaults);
        }
        if let Some((_, settings)) = self.last.as_ref().filter(|(name, _)| name == topic) {
            return Arc::clone(settings);
        }
        let settings = Arc::new(self.config.topic(values));
        self.last = Some((topic.clone(), Arc::clone(&settings)));
        settings
    }
}
