//! What a consumer has and where it is in each partition: plain state, without clock and socket.
//!
//! Every assignment and every seek gives a partition a new stamp. What comes back for an old stamp (an offset that was
//! asked for, fetched records) is thrown away, so no late answer moves a position.

use super::config::OffsetReset;
use crate::TopicPartition;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Where to read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Wherever the group has left off, or by `auto.offset.reset`.
    Committed,
    /// At one end of the log.
    Reset(OffsetReset),
    /// At this offset.
    At(i64),
}

#[derive(Debug)]
struct Held {
    position: Position,
    stamp: u64,
    /// Something is being asked for, or fetched records wait to be read.
    busy: bool,
    /// After a failure, nothing is asked for before.
    not_before: Option<Instant>,
}

/// A partition, the stamp and the position that somebody is to work with.
pub(super) type Work<T> = (TopicPartition, u64, T);

#[derive(Debug, Default)]
pub(super) struct Positions {
    held: BTreeMap<TopicPartition, Held>,
    last_stamp: u64,
}

impl Positions {
    /// Takes on these partitions instead of what there was; those held already stay where they are.
    pub(super) fn assign(&mut self, partitions: &[TopicPartition]) {
        self.held.retain(|partition, _| partitions.contains(partition));
        for partition in partitions {
            if !self.held.contains_key(partition) {
                self.put(partition.clone(), Position::Committed);
            }
        }
    }

    fn put(&mut self, partition: TopicPartition, position: Position) {
        self.last_stamp += 1;
        let held = Held { position, stamp: self.last_stamp, busy: false, not_before: None };
        self.held.insert(partition, held);
    }

    /// Moves a partition that is held; says whether it is.
    pub(super) fn seek(&mut self, partition: &TopicPartition, position: Position) -> bool {
        let is_held = self.held.contains_key(partition);
        if is_held {
            self.put(partition.clone(), position);
        }
        is_held
    }

    /// All partitions.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.held.keys()
    }

    /// The offset of a partition, once it is known.
    pub(super) fn offset(&self, partition: &TopicPartition) -> Option<i64> {
        match self.held.get(partition)?.position {
            Position::At(offset) => Some(offset),
            _ => None,
        }
    }

    /// Where every partition is whose offset is known.
    pub(super) fn offsets(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.held.iter().filter_map(|(partition, held)| match held.position {
            Position::At(offset) => Some((partition, offset)),
            _ => None,
        })
    }

    fn idle(&self, now: Instant) -> impl Iterator<Item = (&TopicPartition, &Held)> {
        let may = move |held: &&Held| !held.busy && held.not_before.is_none_or(|at| at <= now);
        self.held.iter().filter(move |(_, held)| may(held))
    }

    /// Takes the partitions whose offset is to be found out.
    pub(super) fn take_unresolved(&mut self, now: Instant) -> Vec<Work<Position>> {
        let unresolved: Vec<Work<Position>> = self
            .idle(now)
            .filter(|(_, held)| !matches!(held.position, Position::At(_)))
            .map(|(partition, held)| (partition.clone(), held.stamp, held.position))
            .collect();
        unresolved.iter().for_each(|(partition, ..)| self.set_busy(partition));
        unresolved
    }

    /// The partitions that may be fetched.
    pub(super) fn fetchable(&self, now: Instant) -> Vec<Work<i64>> {
        let at = |(partition, held): (&TopicPartition, &Held)| match held.position {
            Position::At(offset) => Some((partition.clone(), held.stamp, offset)),
            _ => None,
        };
        self.idle(now).filter_map(at).collect()
    }

    /// Somebody works on a partition now.
    pub(super) fn set_busy(&mut self, partition: &TopicPartition) {
        if let Some(held) = self.held.get_mut(partition) {
            held.busy = true;
        }
    }

    /// Whether what came back for a stamp still counts.
    pub(super) fn is_current(&self, partition: &TopicPartition, stamp: u64) -> bool {
        self.held.get(partition).is_some_and(|held| held.stamp == stamp)
    }

    /// The work with a stamp is over; the next may begin now, or later.
    pub(super) fn set_idle(&mut self, partition: &TopicPartition, stamp: u64, not_before: Option<Instant>) {
        if let Some(held) = self.held.get_mut(partition).filter(|held| held.stamp == stamp) {
            held.busy = false;
            held.not_before = not_before;
        }
    }

    /// Moves a partition by work with a stamp: its offset was found, or records were read.
    pub(super) fn advance(&mut self, partition: &TopicPartition, stamp: u64, offset: i64) {
        if let Some(held) = self.held.get_mut(partition).filter(|held| held.stamp == stamp) {
            held.position = Position::At(offset);
        }
    }

    /// When a partition that had to wait may be worked on.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        let waiting = self.held.values().filter(|held| !held.busy).filter_map(|held| held.not_before);
        waiting.filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn partitions(numbers: &[i32]) -> Vec<TopicPartition> {
        numbers.iter().map(|&number| TopicPartition::new("t", number)).collect()
    }

    #[test]
    fn an_answer_from_before_a_seek_moves_nothing() {
        let now = Instant::now();
        let mut positions = Positions::default();
        let t0 = TopicPartition::new("t", 0);
        positions.assign(&partitions(&[0]));
        let (_, stamp, _) = positions.take_unresolved(now).remove(0);
        assert!(positions.seek(&t0, Position::At(7)));
        positions.advance(&t0, stamp, 3);
        positions.set_idle(&t0, stamp, None);
        assert_eq!(positions.offset(&t0), Some(7));
        assert!(!positions.is_current(&t0, stamp));
        let current = positions.fetchable(now).remove(0).1;
        positions.advance(&t0, current, 8);
        assert_eq!(positions.offset(&t0), Some(8));
    }

    #[test]
    fn a_new_assignment_keeps_positions_of_what_stays() {
        let mut positions = Positions::default();
        positions.assign(&partitions(&[0, 1]));
        positions.seek(&TopicPartition::new("t", 1), Position::At(5));
        positions.assign(&partitions(&[1, 2]));
        let held: Vec<Option<i64>> = positions.partitions().map(|p| positions.offset(p)).collect();
        assert_eq!(held, [Some(5), None]);
        assert!(!positions.seek(&TopicPartition::new("t", 0), Position::At(1)), "it is gone");
    }

    #[test]
    fn one_piece_of_work_at_a_time() {
        let now = Instant::now();
        let mut positions = Positions::default();
        let t0 = TopicPartition::new("t", 0);
        positions.assign(&partitions(&[0]));
        let (_, stamp, what) = positions.take_unresolved(now).remove(0);
        assert_eq!(what, Position::Committed);
        assert_eq!(positions.take_unresolved(now), []);
        let later = now + Duration::from_millis(5);
        positions.set_idle(&t0, stamp, Some(later));
        assert_eq!(positions.take_unresolved(now), []);
        assert_eq!(positions.next_look(now), Some(later));
        assert_eq!(positions.take_unresolved(later).len(), 1);
    }
}
