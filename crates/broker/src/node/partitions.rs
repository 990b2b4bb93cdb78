//! The partitions that this broker holds.

use super::partition::Partition;
use arc_swap::ArcSwap;
use imbl::HashMap;
use ottla_protocol::TopicId;
use std::sync::Arc;

/// Partitions by topic id and index. Looking one up takes no lock; the publisher alone changes the map.
#[derive(Default)]
pub struct Partitions(ArcSwap<HashMap<(TopicId, i32), Arc<Partition>>>);

impl Partitions {
    /// The partition, if this broker has it.
    pub fn get(&self, topic: TopicId, index: i32) -> Option<Arc<Partition>> {
        self.0.load().get(&(topic, index)).cloned()
    }

    /// All of them, as of now.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.0.load().values().cloned().collect()
    }

    /// Adds and takes away. A reader sees all of the change or nothing of it.
    pub fn update(
        &self,
        added: impl IntoIterator<Item = Arc<Partition>>,
        removed: impl IntoIterator<Item = (TopicId, i32)>,
    ) {
        let mut map = HashMap::clone(&self.0.load());
        for key in removed {
            map.remove(&key);
        }
        for partition in added {
            map.insert((partition.topic_id, partition.index), partition);
        }
        self.0.store(Arc::new(map));
    }
}
