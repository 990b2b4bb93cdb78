//! The groups by id, each as the log has it and as the writes under way make it.

use super::WriteId;
use super::classic::ClassicGroup;
use super::versioned::Versioned;
use ottla_protocol::ByteString;
use std::collections::BTreeMap;

/// Groups by id.
///
/// A version says whether there is a group, and which incarnation of it. A group's own state (members, generation, who
/// is awaited) is not versioned: what a failed write of it means is told by the write's continuation, as in Kafka.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<ByteString, Versioned<ClassicGroup>>);

impl Groups {
    /// The group that readers see.
    pub(super) fn committed(&self, id: &str) -> Option<&ClassicGroup> {
        self.0.get(id)?.committed()
    }

    /// The group that the next request meets.
    pub(super) fn written(&self, id: &str) -> Option<&ClassicGroup> {
        self.0.get(id)?.written()
    }

    /// The group that the next request meets, to be changed.
    pub(super) fn written_mut(&mut self, id: &str) -> Option<&mut ClassicGroup> {
        self.0.get_mut(id)?.written_mut()
    }

    /// Those that readers see, by id.
    pub(super) fn iter_committed(&self) -> impl Iterator<Item = &ClassicGroup> {
        self.0.values().filter_map(Versioned::committed)
    }

    /// Those that the next request meets, by id.
    pub(super) fn iter_written(&self) -> impl Iterator<Item = &ClassicGroup> {
        self.0.values().filter_map(Versioned::written)
    }

    /// Those that the next request meets, by id, to be changed.
    pub(super) fn iter_written_mut(&mut self) -> impl Iterator<Item = &mut ClassicGroup> {
        self.0.values_mut().filter_map(Versioned::written_mut)
    }

    /// A group of the log, in place of what there was.
    pub(super) fn put_of_log(&mut self, group: ClassicGroup) {
        self.0.insert(group.id().clone(), Versioned::of_log(group));
    }

    /// The log says that there is no such group.
    pub(super) fn remove_of_log(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// Makes or ends a group by a write.
    pub(super) fn write(&mut self, write: WriteId, id: &ByteString, group: Option<ClassicGroup>) {
        self.0.entry(id.clone()).or_insert_with(Versioned::absent).write(write, group);
    }

    /// The write is committed.
    pub(super) fn commit(&mut self, write: WriteId, id: &str) {
        self.resolve(id, |group| group.commit(write));
    }

    /// The write failed. Gives the group that it had made, if it had.
    pub(super) fn roll_back(&mut self, write: WriteId, id: &str) -> Option<ClassicGroup> {
        self.resolve(id, |group| group.roll_back(write))?
    }

    fn resolve<R>(&mut self, id: &str, outcome: impl FnOnce(&mut Versioned<ClassicGroup>) -> R) -> Option<R> {
        let group = self.0.get_mut(id)?;
        let result = outcome(group);
        if group.is_gone() {
            self.0.remove(id);
        }
        Some(result)
    }

    /// Whether neither the log nor a write under way knows the group.
    pub(super) fn is_unknown(&self, id: &str) -> bool {
        !self.0.contains_key(id)
    }

    /// Writes that have a version of some group.
    pub(super) fn writes(&self) -> impl Iterator<Item = WriteId> {
        self.0.values().flat_map(Versioned::writes)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
