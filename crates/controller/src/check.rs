//! What always holds.

use crate::state::Controller;
use crate::topic_name::SimilarNames;

impl Controller {
    /// Asserts the invariants that the crate's documentation numbers.
    pub fn check(&self) {
        let Some(active) = &self.active else { return };
        active.image.check();
        assert!(active.image.provenance().end_offset <= active.next_offset, "1");
        assert_eq!(active.similar_names, SimilarNames::of(&active.image), "1");
        assert!(active.committed <= active.next_offset, "1: {} {}", active.committed, active.next_offset);
        assert!(active.waiting.iter().is_sorted_by_key(|waiting| waiting.offset), "2");
        assert!(active.waiting.iter().all(|waiting| waiting.offset > active.committed), "2");
        assert!(active.sessions.0.keys().eq(active.image.brokers().map(|broker| &broker.id)), "3");
        for (topic, index, partition) in active.image.partitions() {
            let Some(leader) = partition.leader else { continue };
            let is_in_service = active.image.broker(leader).is_some_and(|broker| !broker.fenced);
            assert!(is_in_service, "4: {}-{index} {partition:?}", topic.name);
        }
    }
}
