//! Committed offsets, by group, topic and partition.

pub(super) mod commit;
pub(super) mod delete;
mod expire;
pub(super) mod fetch;

use super::WriteId;
use super::versioned::Versioned;
use ottla_protocol::{ByteString, TopicId};
use std::collections::BTreeMap;

/// Whose offset of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OffsetKey {
    pub(super) group: ByteString,
    pub(super) topic: ByteString,
    pub(super) partition: i32,
}

/// An offset as it was committed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CommittedOffset {
    pub(super) offset: i64,
    /// Epoch of the record before the offset, -1 if the client did not say (KIP-320).
    pub(super) leader_epoch: i32,
    pub(super) metadata: ByteString,
    pub(super) commit_timestamp_ms: i64,
    /// When it ends, if the client said so (OffsetCommit versions 2 to 4).
    pub(super) expire_timestamp_ms: Option<i64>,
    /// The topic that it was committed for; zero in records before Kafka 4.1.
    pub(super) topic_id: TopicId,
}

/// The entry of a name, made if it is not there: with memory of its own, for the name may be part of a request's frame or
/// of a batch of the log.
fn entry_of<'a, V: Default>(map: &'a mut BTreeMap<ByteString, V>, name: &ByteString) -> &'a mut V {
    if !map.contains_key(name) {
        map.insert(ByteString::from(&**name), V::default());
    }
    map.get_mut(name).expect("it was there, or was made")
}

type Partitions = BTreeMap<i32, Versioned<CommittedOffset>>;
type Topics = BTreeMap<ByteString, Partitions>;

/// The offsets, each as the log has it and as the writes under way make it.
#[derive(Debug, Default)]
pub(super) struct Offsets(BTreeMap<ByteString, Topics>);

impl Offsets {
    fn get(&self, key: &OffsetKey) -> Option<&Versioned<CommittedOffset>> {
        self.0.get(&key.group)?.get(&key.topic)?.get(&key.partition)
    }

    /// The place of an offset, made if it is not there.
    fn entry(&mut self, key: &OffsetKey) -> &mut Versioned<CommittedOffset> {
        let topics = entry_of(&mut self.0, &key.group);
        let partitions = entry_of(topics, &key.topic);
        partitions.entry(key.partition).or_insert_with(Versioned::absent)
    }

    /// Changes an offset that is there, and forgets it if nothing is left of it.
    fn change(&mut self, key: &OffsetKey, change: impl FnOnce(&mut Versioned<CommittedOffset>)) {
        let Some(topics) = self.0.get_mut(&key.group) else { return };
        let Some(partitions) = topics.get_mut(&key.topic) else { return };
        let Some(offset) = partitions.get_mut(&key.partition) else { return };
        change(offset);
        if offset.is_gone() {
            partitions.remove(&key.partition);
            if partitions.is_empty() {
                topics.remove(&key.topic);
                if topics.is_empty() {
                    self.0.remove(&key.group);
                }
            }
        }
    }

    /// A record of the log, in place of what there was.
    pub(super) fn put_of_log(&mut self, key: &OffsetKey, value: Option<CommittedOffset>) {
        match value {
            Some(value) => *self.entry(key) = Versioned::of_log(value),
            None => self.change(key, |offset| *offset = Versioned::absent()),
        }
    }

    /// Sets an offset, or ends it, by a write.
    pub(super) fn write(&mut self, write: WriteId, key: &OffsetKey, value: Option<CommittedOffset>) {
        self.entry(key).write(write, value);
    }

    /// The write is committed.
    pub(super) fn commit(&mut self, write: WriteId, key: &OffsetKey) {
        self.change(key, |offset| offset.commit(write));
    }

    /// The write failed.
    pub(super) fn roll_back(&mut self, write: WriteId, key: &OffsetKey) {
        self.change(key, |offset| {
            offset.roll_back(write);
        });
    }

    /// The offset that the next request meets.
    pub(super) fn written(&self, key: &OffsetKey) -> Option<&CommittedOffset> {
        self.get(key)?.written()
    }

    /// Whether readers see any offset of the group.
    pub(super) fn has_committed(&self, group: &str) -> bool {
        self.topics_of(group).any(|(_, topic)| topic.values().any(|offset| offset.committed().is_some()))
    }

    /// The offsets of the group that the next request meets, by topic and partition.
    pub(super) fn written_of(&self, group: &str) -> impl Iterator<Item = (OffsetKey, &CommittedOffset)> {
        let topics = self.0.get(group).into_iter().flat_map(BTreeMap::keys);
        topics.flat_map(move |topic| self.written_of_topic(group, topic))
    }

    /// Those of one topic.
    fn written_of_topic(
        &self,
        group: &str,
        topic: &str,
    ) -> impl Iterator<Item = (OffsetKey, &CommittedOffset)> {
        let group = self.0.get_key_value(group);
        let topic = group.and_then(|(group, topics)| Some((group, topics.get_key_value(topic)?)));
        topic.into_iter().flat_map(|(group, (topic, partitions))| {
            partitions.iter().filter_map(|(partition, offset)| {
                let key = OffsetKey { group: group.clone(), topic: topic.clone(), partition: *partition };
                Some((key, offset.written()?))
            })
        })
    }

    /// The offsets of a topic in the group that readers see.
    fn committed_of_topic(&self, group: &str, topic: &str) -> Option<&Partitions> {
        self.0.get(group)?.get(topic)
    }

    /// The topics of the group.
    fn topics_of(&self, group: &str) -> impl Iterator<Item = (&ByteString, &Partitions)> {
        self.0.get(group).into_iter().flatten()
    }

    /// The groups that have offsets.
    pub(super) fn groups(&self) -> impl Iterator<Item = &ByteString> {
        self.0.keys()
    }

    /// Writes that have a version of some offset.
    pub(super) fn writes(&self) -> impl Iterator<Item = WriteId> {
        self.0.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values).flat_map(Versioned::writes)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
