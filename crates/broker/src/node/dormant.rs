//! A partition that nobody has asked for since the process started. Its log is as the last process closed it, or not
//! there yet, so there is nothing to examine: the start need not look at it, nor the stop.
//!
//! ```text
//! dormant ── the first who asks opens the log ──▶ a partition, for as long as the process runs
//! ```
//!
//! The partition comes to life with what the metadata says of it then: the publisher tells a dormant partition as it
//! tells any other, and one lock orders the two.

use super::clock;
use super::config::Config;
use super::dir_state::DirState;
use super::log_dirs::{Located, LogDirs};
use super::partition::Partition;
use super::partitions::CheckpointLine;
use ottla_config::TopicSettings;
use ottla_log::LogError;
use ottla_protocol::{BrokerId, ByteString, TopicId};
use ottla_replica::partition::Registration;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};

/// Opens logs of partitions: what all of them need for it.
pub(super) struct Opener {
    /// Where logs are.
    pub log_dirs: Arc<LogDirs>,
    /// The broker's settings.
    pub config: Arc<Config>,
    /// This broker.
    pub node_id: BrokerId,
}

/// Which partition, and where its log is to be found.
pub(super) struct Place {
    /// Name of its topic.
    pub topic: ByteString,
    /// Id of its topic.
    pub topic_id: TopicId,
    /// Its number in the topic.
    pub index: i32,
    /// Its log.
    pub located: Located,
}

impl Opener {
    /// Opens the log and makes the partition what the metadata says of it.
    pub(super) fn open(
        &self,
        place: &Place,
        settings: &Arc<TopicSettings>,
        assigned: &ottla_metadata::Partition,
    ) -> Result<Arc<Partition>, LogError> {
        let broker = self.config.current();
        let (settings, now_ms) = (Arc::clone(settings), clock::now_ms());
        let opened = Partition::open_at(&self.log_dirs, &broker, self.node_id, place, settings, now_ms);
        let partition = opened.inspect_err(|error| {
            let Place { topic, index, .. } = place;
            if error.is_storage_full() {
                tracing::warn!(%error, %topic, index, "a partition waits for room on the disk");
            } else {
                tracing::error!(%error, %topic, index, "cannot open a partition");
            }
        })?;
        let partition = Arc::new(partition);
        partition.register(registration(assigned), now_ms);
        Ok(partition)
    }
}

/// See the module.
pub(super) struct Dormant {
    opener: Arc<Opener>,
    place: Place,
    waiting: Mutex<Waiting>,
    opened: OnceLock<Arc<Partition>>,
}

/// What the partition is to be when it is opened.
struct Waiting {
    assigned: Arc<ottla_metadata::Partition>,
    settings: Arc<TopicSettings>,
    /// Its topic is deleted: it is not opened any more.
    is_removed: bool,
}

impl Dormant {
    /// A partition whose log is opened when somebody asks for it.
    pub(super) fn new(
        opener: Arc<Opener>,
        place: Place,
        assigned: Arc<ottla_metadata::Partition>,
        settings: Arc<TopicSettings>,
    ) -> Dormant {
        Dormant {
            opener,
            place,
            waiting: Mutex::new(Waiting { assigned, settings, is_removed: false }),
            opened: OnceLock::new(),
        }
    }

    pub(super) fn topic_id(&self) -> TopicId {
        self.place.topic_id
    }

    pub(super) fn topic(&self) -> &ByteString {
        &self.place.topic
    }

    pub(super) fn index(&self) -> i32 {
        self.place.index
    }

    /// The directory that its log is in, or will be in.
    pub(super) fn dir(&self) -> Arc<DirState> {
        self.opened().map_or_else(|| Arc::clone(&self.place.located.dir), |partition| partition.dir())
    }

    /// Whether there is something on the disk.
    pub(super) fn has_log(&self) -> bool {
        self.place.located.is_found
    }

    /// Whether its topic is compacted.
    pub(super) fn is_compacted(&self) -> bool {
        self.waiting.lock().settings.cleanup_policy.compact
    }

    /// The partition, if somebody has asked for it.
    pub(super) fn opened(&self) -> Option<Arc<Partition>> {
        self.opened.get().cloned()
    }

    /// The partition, opened if this is the first who asks; nothing if its log cannot be opened, or its topic is deleted.
    pub(super) fn open(&self) -> Option<Arc<Partition>> {
        self.try_open().ok().flatten()
    }

    /// The same, with what kept the log from being opened. The next who asks tries again.
    pub(super) fn try_open(&self) -> Result<Option<Arc<Partition>>, LogError> {
        if let Some(partition) = self.opened() {
            return Ok(Some(partition));
        }
        let waiting = self.waiting.lock();
        if let Some(partition) = self.opened() {
            return Ok(Some(partition));
        }
        if waiting.is_removed {
            return Ok(None);
        }
        let partition = self.opener.open(&self.place, &waiting.settings, &waiting.assigned)?;
        Ok(Some(Arc::clone(self.opened.get_or_init(|| partition))))
    }

    /// Its topic is deleted. Gives the partition if it has, or may have, something to be removed.
    pub(super) fn remove(&self) -> Option<Arc<Partition>> {
        let is_worth_it = self.has_log() && self.dir().is_online();
        let opened = if is_worth_it { self.open() } else { self.opened() };
        let mut waiting = self.waiting.lock();
        waiting.is_removed = true;
        opened.or_else(|| self.opened())
    }

    /// The metadata image has the partition like this now.
    pub(super) fn register(&self, assigned: &Arc<ottla_metadata::Partition>) {
        let mut waiting = self.waiting.lock();
        match self.opened.get() {
            Some(partition) => partition.register_in_turn(registration(assigned)),
            None => waiting.assigned = Arc::clone(assigned),
        }
    }

    /// The topic's or the broker's configuration changed.
    pub(super) fn configure(&self, settings: &Arc<TopicSettings>) {
        let mut waiting = self.waiting.lock();
        match self.opened.get() {
            Some(partition) => {
                let broker = Arc::clone(&self.opener.config.current());
                partition.configure_in_turn(Arc::clone(settings), broker);
            }
            None => waiting.settings = Arc::clone(settings),
        }
    }

    /// Whether its log is as nobody has left it and nobody has examined it yet: the attempt at the start failed.
    pub(super) fn is_unexamined(&self) -> bool {
        !self.place.located.may_wait && self.opened().is_none()
    }

    /// What the checkpoint files said of its log, and are to say again.
    pub(super) fn checkpoint_line(&self) -> Option<CheckpointLine> {
        let Place { topic, index, located, .. } = &self.place;
        self.has_log().then(|| CheckpointLine {
            topic: topic.clone(),
            index: *index,
            log_dir: located.dir.index(),
            offsets: located.checkpointed,
        })
    }
}

/// What a replica is told of its partition.
pub(super) fn registration(partition: &ottla_metadata::Partition) -> Registration {
    Registration {
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::partition::tests::{TOPIC, World, assigned, produce, read};
    use crate::node::partitions::{Held, Partitions};
    use ottla_protocol::{ErrorCode, LeaderEpoch};
    use std::path::Path;
    use std::time::SystemTime;

    /// What is in a partition's directory, and since when.
    fn files(dir: &Path) -> Vec<(String, SystemTime)> {
        let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
        let mut files: Vec<_> = entries
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().modified().unwrap())
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn what_nobody_asks_for_is_neither_opened_nor_touched_and_stays_what_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open(dir.path());
        let partitions = [0, 1].map(|index| world.partition_of(index, 0));
        for partition in &partitions {
            assert_eq!(produce(partition, 0, &["a"]), Ok(0));
        }
        world.close_all(partitions.map(Held::Open));
        let untouched = files(&dir.path().join("t-1"));

        let world = World::open(dir.path());
        let held = [0, 1].map(|index| Held::Dormant(world.dormant(index, 1)));
        let partitions = Partitions::default();
        partitions.update(held.clone(), []);
        assert!(partitions.all().is_empty());
        let asked_for = partitions.get(TOPIC, 0).unwrap();
        assert_eq!((produce(&asked_for, 1, &["b"]), partitions.all().len()), (Ok(1), 1));
        world.close_all(held);
        assert_eq!(files(&dir.path().join("t-1")), untouched);

        let world = World::open(dir.path());
        assert_eq!(world.log_dirs.previous_broker_epoch(), 5, "the stop was a clean one");
        assert_eq!(read(&world.dormant(1, 2).open().unwrap(), 0), Ok(vec!["a".into()]));
        assert_eq!(read(&world.dormant(0, 2).open().unwrap(), 0), Ok(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn it_comes_to_life_with_what_the_metadata_said_last() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open(dir.path());
        let dormant = world.dormant(0, 0);
        dormant.register(&Arc::new(assigned(7)));
        let partition = dormant.open().unwrap();
        assert_eq!(partition.leader_epoch(), LeaderEpoch(7));
        dormant.register(&Arc::new(ottla_metadata::Partition { leader: None, ..assigned(8) }));
        assert_eq!(produce(&partition, 0, &["a"]), Err(ErrorCode::NotLeaderOrFollower));
    }

    #[test]
    fn one_that_was_deleted_does_not_come_to_life() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open(dir.path());
        let dormant = world.dormant(0, 0);
        assert!(dormant.remove().is_none(), "there is nothing to be removed");
        assert!(dormant.open().is_none());
    }

    #[test]
    fn what_an_unclean_stop_left_unexamined_is_not_said_to_be_closed() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open(dir.path());
        assert_eq!(produce(&world.partition_of(0, 0), 0, &["a"]), Ok(0));
        drop(world);
        let world = World::open(dir.path());
        let held = Held::Dormant(world.dormant(0, 1));
        world.close_all([held]);
        assert_eq!(World::open(dir.path()).log_dirs.previous_broker_epoch(), -1);
    }
}
