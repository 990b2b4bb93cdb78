//! What the controller is still to be told of partitions: each is kept until it was told, and told again if it has changed
//! meanwhile.

use ottla_protocol::TopicId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Notify;

/// Partitions in one request.
const BATCH_MAX: usize = 2000;
/// Between two attempts.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A partition by its topic's id.
pub(super) type Key = (TopicId, i32);

/// See the module.
pub(super) struct Untold<V> {
    waiting: Mutex<BTreeMap<Key, V>>,
    added: Notify,
}

impl<V> Default for Untold<V> {
    fn default() -> Untold<V> {
        Untold { waiting: Mutex::default(), added: Notify::new() }
    }
}

impl<V: Clone + PartialEq> Untold<V> {
    /// This is to be told of a partition.
    pub(super) fn add(&self, key: Key, value: V) {
        self.waiting.lock().insert(key, value);
        self.added.notify_one();
    }

    /// Ends when something was added since the last time.
    pub(super) async fn added(&self) {
        self.added.notified().await;
    }

    /// Whether there is something that was not told of a partition, or not answered.
    pub(super) fn has(&self, key: Key) -> bool {
        self.waiting.lock().contains_key(&key)
    }

    /// As much of it as one request takes.
    pub(super) fn batch(&self) -> BTreeMap<Key, V> {
        let waiting = self.waiting.lock();
        waiting.iter().take(BATCH_MAX).map(|(key, value)| (*key, value.clone())).collect()
    }

    /// These were told as the batch has them.
    pub(super) fn told<'k>(&self, batch: &BTreeMap<Key, V>, keys: impl IntoIterator<Item = &'k Key>) {
        let mut waiting = self.waiting.lock();
        for key in keys {
            if waiting.get(key) == batch.get(key) {
                waiting.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::partition::tests::TOPIC;

    #[test]
    fn what_changed_while_it_was_told_is_told_again() {
        let untold = Untold::default();
        for (index, value) in [(0, 'a'), (1, 'a'), (2, 'a')] {
            untold.add((TOPIC, index), value);
        }
        let batch = untold.batch();
        untold.add((TOPIC, 1), 'b');
        untold.told(&batch, [&(TOPIC, 0), &(TOPIC, 1)]);
        assert_eq!(untold.batch(), [((TOPIC, 1), 'b'), ((TOPIC, 2), 'a')].into());
    }

    #[test]
    fn a_request_takes_so_many_and_the_next_one_the_rest() {
        let untold = Untold::default();
        let count = i32::try_from(BATCH_MAX).unwrap() + 1;
        (0..count).for_each(|index| untold.add((TOPIC, index), ()));
        let batch = untold.batch();
        assert_eq!(batch.len(), BATCH_MAX);
        untold.told(&batch, batch.keys());
        assert_eq!(untold.batch().len(), 1);
    }
}
