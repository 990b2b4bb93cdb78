//! The partitions that this broker holds, and those of them that nobody has used yet.

use super::dir_state::DirState;
use super::dormant::Dormant;
use super::partition::{Checkpointed, Partition};
use arc_swap::ArcSwap;
use imbl::HashMap;
use ottla_protocol::{ByteString, TopicId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Partitions by topic id and index. Looking one up takes no lock; the publisher alone changes the map.
#[derive(Default)]
pub struct Partitions(ArcSwap<HashMap<(TopicId, i32), Held>>);

/// A partition that this broker holds.
#[derive(Clone)]
pub(super) enum Held {
    /// Its log is open.
    Open(Arc<Partition>),
    /// Its log is opened by whoever asks for it first.
    Dormant(Arc<Dormant>),
}

/// What the checkpoint files are to say about one partition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CheckpointLine {
    /// Its topic.
    pub topic: ByteString,
    /// Its number in the topic.
    pub index: i32,
    /// Index of its log directory.
    pub log_dir: usize,
    /// What they say.
    pub offsets: Checkpointed,
}

/// A log as DescribeLogDirs shows it.
#[derive(Debug)]
pub(crate) struct LogUsage {
    /// Its topic.
    pub topic: ByteString,
    /// Its number in the topic.
    pub index: i32,
    /// Index of its directory.
    pub dir: usize,
    /// Its bytes.
    pub size: u64,
    /// How many offsets a copy is behind the log that it is made of.
    pub offset_lag: i64,
    /// Whether it is such a copy.
    pub is_future: bool,
}

impl Held {
    /// The partition, if its log is open.
    pub(super) fn opened(&self) -> Option<Arc<Partition>> {
        match self {
            Held::Open(partition) => Some(Arc::clone(partition)),
            Held::Dormant(dormant) => dormant.opened(),
        }
    }

    /// The partition, whose log is opened now if it is not yet; nothing if that fails.
    pub(super) fn open(&self) -> Option<Arc<Partition>> {
        match self {
            Held::Open(partition) => Some(Arc::clone(partition)),
            Held::Dormant(dormant) => dormant.open(),
        }
    }

    fn name(&self) -> (ByteString, i32) {
        match self {
            Held::Open(partition) => (partition.topic.clone(), partition.index),
            Held::Dormant(dormant) => (dormant.topic().clone(), dormant.index()),
        }
    }

    /// Its log, and a copy that is being made of it. A log that is there and not open yet is opened.
    fn log_usages(&self) -> Vec<LogUsage> {
        let (topic, index) = self.name();
        let opened = match self {
            Held::Dormant(dormant) if dormant.opened().is_none() && !dormant.has_log() => {
                let (dir, size, offset_lag) = (dormant.dir().index(), 0, 0);
                return vec![LogUsage { topic, index, dir, size, offset_lag, is_future: false }];
            }
            _ => self.open(),
        };
        let Some(partition) = opened else { return Vec::new() };
        let future = partition.future_replica().map(|copy| LogUsage {
            topic: topic.clone(),
            index,
            dir: copy.dir,
            size: copy.size,
            offset_lag: copy.offset_lag,
            is_future: true,
        });
        // This broker leads: it lags behind nobody.
        let (dir, size, offset_lag) = (partition.dir().index(), partition.size_bytes(), 0);
        let current = LogUsage { topic, index, dir, size, offset_lag, is_future: false };
        [Some(current), future].into_iter().flatten().collect()
    }

    fn key(&self) -> (TopicId, i32) {
        match self {
            Held::Open(partition) => (partition.topic_id, partition.index),
            Held::Dormant(dormant) => (dormant.topic_id(), dormant.index()),
        }
    }

    /// Its log directory.
    fn dir(&self) -> Arc<DirState> {
        match self {
            Held::Open(partition) => partition.dir(),
            Held::Dormant(dormant) => dormant.dir(),
        }
    }

    /// What the checkpoint files are to say; nothing about a log that is not there.
    fn checkpoint_line(&self) -> Option<CheckpointLine> {
        if let Some(partition) = self.opened() {
            return Some(CheckpointLine {
                topic: partition.topic.clone(),
                index: partition.index,
                log_dir: partition.dir().index(),
                offsets: partition.checkpointed(),
            });
        }
        match self {
            Held::Open(_) => None,
            Held::Dormant(dormant) => dormant.checkpoint_line(),
        }
    }
}

impl Partitions {
    /// The partition, if this broker has it. The log of one that nobody has asked for yet is opened, which takes a few
    /// reads of small files.
    pub fn get(&self, topic: TopicId, index: i32) -> Option<Arc<Partition>> {
        self.0.load().get(&(topic, index))?.open()
    }

    /// The partition as it is held.
    pub(super) fn held(&self, topic: TopicId, index: i32) -> Option<Held> {
        self.0.load().get(&(topic, index)).cloned()
    }

    /// Whether this broker has the partition, be it one whose log cannot be opened.
    pub(crate) fn contains(&self, topic: TopicId, index: i32) -> bool {
        self.0.load().contains_key(&(topic, index))
    }

    /// All whose logs are open, as of now.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.0.load().values().filter_map(Held::opened).collect()
    }

    /// All that have something in a log directory; what is not open yet is opened.
    pub(super) fn all_with_logs_in(&self, log_dir: usize) -> Vec<Arc<Partition>> {
        let has_log = |held: &&Held| match held {
            Held::Open(_) => true,
            Held::Dormant(dormant) => dormant.opened().is_some() || dormant.has_log(),
        };
        let partitions = self.0.load();
        let here = partitions.values().filter(|held| held.dir().index() == log_dir);
        here.filter(has_log).filter_map(Held::open).collect()
    }

    /// All of compacted topics that have something on the disk; what is not open yet is opened.
    pub(super) fn all_compacted(&self) -> Vec<Arc<Partition>> {
        let open = |held: &Held| match (held.opened(), held) {
            (Some(partition), _) => {
                Some(partition).filter(|partition| partition.settings().cleanup_policy.compact)
            }
            (None, Held::Dormant(dormant)) if dormant.has_log() && dormant.is_compacted() => dormant.open(),
            _ => None,
        };
        self.0.load().values().filter_map(open).collect()
    }

    /// The logs of those that are asked for.
    pub(crate) fn log_usages(&self, is_asked: impl Fn(&str, i32) -> bool) -> Vec<LogUsage> {
        let asked = |held: &&Held| {
            let (topic, index) = held.name();
            is_asked(&topic, index)
        };
        self.0.load().values().filter(asked).flat_map(Held::log_usages).collect()
    }

    /// All of them as they are held.
    pub(super) fn all_held(&self) -> Vec<Held> {
        self.0.load().values().cloned().collect()
    }

    /// What the checkpoint files of a log directory are to say. Partitions elsewhere are not asked.
    pub(super) fn checkpoint_lines(&self, log_dir: usize) -> Vec<CheckpointLine> {
        let partitions = self.0.load();
        let here = partitions.values().filter(|held| held.dir().index() == log_dir);
        // One that was moved meanwhile is said of where it is.
        here.filter_map(Held::checkpoint_line).filter(|line| line.log_dir == log_dir).collect()
    }

    /// Those whose logs are open, in a log directory.
    pub(super) fn all_in(&self, log_dir: usize) -> Vec<Arc<Partition>> {
        self.all().into_iter().filter(|partition| partition.dir().index() == log_dir).collect()
    }

    /// Indexes of directories with logs that should have been examined at the start and could not be.
    pub(super) fn unexamined_dirs(&self) -> BTreeSet<usize> {
        let unexamined = |held: &Held| match held {
            Held::Dormant(dormant) if dormant.is_unexamined() => Some(dormant.dir().index()),
            _ => None,
        };
        self.0.load().values().filter_map(unexamined).collect()
    }

    /// Adds and takes away. A reader sees all of the change or nothing of it.
    pub(super) fn update(
        &self,
        added: impl IntoIterator<Item = Held>,
        removed: impl IntoIterator<Item = (TopicId, i32)>,
    ) {
        let mut map = HashMap::clone(&self.0.load());
        for key in removed {
            map.remove(&key);
        }
        for held in added {
            map.insert(held.key(), held);
        }
        self.0.store(Arc::new(map));
    }
}
