//! The partitions of a session or of one request: found by topic and number, read in an order that changes.

use std::collections::HashMap;
use std::sync::Arc;

use bytestring::ByteString;
use ottla_protocol::messages::fetch_request::FetchPartition;
use ottla_protocol::{LeaderEpoch, Offset, TopicId};

/// How a request names a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicKey {
    /// Before v13.
    Name(ByteString),
    /// From v13 on.
    Id(TopicId),
}

/// One partition to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchItem {
    /// Its number within the session: stays as long as the partition does, is small, and may be used again after that.
    pub slot: u32,
    /// The topic as the reader names it.
    pub topic: TopicKey,
    /// The topic's name; `None` for an id that nobody knows (yet): UNKNOWN_TOPIC_ID.
    pub topic_name: Option<ByteString>,
    /// The partition.
    pub partition: i32,
    /// Where to read.
    pub fetch_offset: Offset,
    /// Bytes at most.
    pub partition_max_bytes: i32,
    /// The leader epoch that the reader knows, or −1.
    pub current_leader_epoch: LeaderEpoch,
    /// Epoch of the last record it has, or −1.
    pub last_fetched_epoch: LeaderEpoch,
    /// Log start of a follower, or −1.
    pub log_start_offset: Offset,
}

/// Partitions in the order to read them. Cheap to clone: it is shared until someone changes it.
#[derive(Clone, Debug, Default)]
pub struct FetchList {
    /// By slot; `None` where a partition was forgotten.
    items: Arc<Vec<Option<FetchItem>>>,
    order: Arc<Vec<u32>>,
}

/// Finds the slots of a list.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: HashMap<(TopicKey, i32), u32>,
    free: Vec<u32>,
}

impl FetchList {
    /// The partitions, in order.
    pub fn iter(&self) -> impl Iterator<Item = &FetchItem> {
        self.order.iter().filter_map(|&slot| self.get(slot))
    }

    /// A partition by its slot.
    pub fn get(&self, slot: u32) -> Option<&FetchItem> {
        self.items.get(slot as usize)?.as_ref()
    }

    /// Partitions in it.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Slots are below this.
    pub(super) fn slots_end(&self) -> usize {
        self.items.len()
    }

    /// Adds a partition at the end, or renews what the reader says about one that is there. True: added.
    pub(super) fn put(
        &mut self,
        index: &mut Index,
        topic: &TopicKey,
        topic_name: Option<&ByteString>,
        asked: &FetchPartition,
    ) -> (u32, bool) {
        let items = Arc::make_mut(&mut self.items);
        let key = (topic.clone(), asked.partition);
        if let Some(&slot) = index.slots.get(&key) {
            let item = items[slot as usize].as_mut().expect("the index names partitions that are there");
            item.update(asked);
            return (slot, false);
        }
        let slot = index.free.pop().unwrap_or(items.len() as u32);
        let mut item = FetchItem {
            slot,
            topic: topic.clone(),
            topic_name: topic_name.cloned(),
            partition: asked.partition,
            fetch_offset: Offset::NONE,
            partition_max_bytes: 0,
            current_leader_epoch: LeaderEpoch::NONE,
            last_fetched_epoch: LeaderEpoch::NONE,
            log_start_offset: Offset::NONE,
        };
        item.update(asked);
        match items.get_mut(slot as usize) {
            Some(free) => *free = Some(item),
            None => items.push(Some(item)),
        }
        Arc::make_mut(&mut self.order).push(slot);
        index.slots.insert(key, slot);
        (slot, true)
    }

    /// Removes partitions; those that are not there are passed over.
    pub(super) fn remove(&mut self, index: &mut Index, keys: impl Iterator<Item = (TopicKey, i32)>) {
        let mut removed = false;
        for key in keys {
            if let Some(slot) = index.slots.remove(&key) {
                Arc::make_mut(&mut self.items)[slot as usize] = None;
                index.free.push(slot);
                removed = true;
            }
        }
        if removed {
            let items = &self.items;
            Arc::make_mut(&mut self.order).retain(|&slot| items[slot as usize].is_some());
        }
    }

    /// Names topics whose ids had no name so far. True: some still have none.
    pub(super) fn resolve(&mut self, name_of: &dyn Fn(TopicId) -> Option<ByteString>) -> bool {
        let mut has_unresolved = false;
        for item in Arc::make_mut(&mut self.items).iter_mut().flatten() {
            if let (None, TopicKey::Id(id)) = (&item.topic_name, &item.topic) {
                item.topic_name = name_of(*id);
                has_unresolved |= item.topic_name.is_none();
            }
        }
        has_unresolved
    }

    /// Puts partitions at the end, in the given order: they gave records, the others come first next time.
    pub(super) fn move_to_end(&mut self, moved: &[u32]) {
        if moved.is_empty() || self.order.ends_with(moved) {
            return;
        }
        let mut is_moved = vec![false; self.items.len()];
        for &slot in moved {
            is_moved[slot as usize] = true;
        }
        let order = Arc::make_mut(&mut self.order);
        order.retain(|&slot| !is_moved[slot as usize]);
        order.extend_from_slice(moved);
    }

    /// Asserts invariant 5.
    pub(super) fn check(&self, index: &Index) {
        assert_eq!(index.slots.len(), self.order.len(), "index and order have the same partitions");
        for item in self.iter() {
            let key = (item.topic.clone(), item.partition);
            assert_eq!(index.slots.get(&key), Some(&item.slot), "the index finds {key:?}");
        }
    }
}

impl FetchItem {
    fn update(&mut self, asked: &FetchPartition) {
        self.fetch_offset = Offset(asked.fetch_offset);
        self.partition_max_bytes = asked.partition_max_bytes;
        self.current_leader_epoch = LeaderEpoch(asked.current_leader_epoch);
        self.last_fetched_epoch = LeaderEpoch(asked.last_fetched_epoch);
        self.log_start_offset = Offset(asked.log_start_offset);
    }
}
