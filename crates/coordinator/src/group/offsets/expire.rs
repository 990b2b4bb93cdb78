//! Offsets that nobody has used for long, and groups that nothing is left of (KIP-211).

use super::{CommittedOffset, OffsetKey};
use crate::group::classic::{ClassicGroup, ClassicGroupState};
use crate::group::records;
use crate::group::state::State;
use crate::group::turn::Turn;
use ottla_protocol::ByteString;

/// Bytes of keys in one write of tombstones, well below what a batch may have.
const TOMBSTONE_BYTES_MAX: usize = 256 << 10;

/// What a tombstone has beside its strings: type, lengths, partition, and the record around it.
const TOMBSTONE_OVERHEAD_BYTES: usize = 32;

impl State {
    /// Ends offsets whose time is over, and groups without members and offsets.
    pub(in crate::group) fn expire(&mut self, turn: &mut Turn<'_>) {
        let mut tombstones = Tombstones::default();
        for group in self.groups.iter_written() {
            let mut keeps_offsets = false;
            let mut expired = Vec::new();
            for (key, offset) in self.offsets.written_of(group.id()) {
                let is_expired =
                    is_expired(group, &key, offset, turn.now, turn.settings.offsets_retention_ms);
                if is_expired {
                    expired.push(key);
                } else {
                    keeps_offsets = true;
                }
            }
            let ends = group.is_empty() && !keeps_offsets;
            tombstones.add(expired, ends.then(|| group.id().clone()));
        }
        self.write_tombstones(turn, tombstones);
    }

    /// Ends offsets, in as many writes as it takes.
    pub(super) fn end_offsets(&mut self, turn: &mut Turn<'_>, keys: Vec<OffsetKey>) {
        let mut tombstones = Tombstones::default();
        tombstones.add(keys, None);
        self.write_tombstones(turn, tombstones);
    }

    fn write_tombstones(&mut self, turn: &mut Turn<'_>, tombstones: Tombstones) {
        for Batch { offsets, groups, .. } in tombstones.batches {
            let of_offsets = offsets.iter().map(records::offset_tombstone);
            let of_groups = groups.iter().map(records::group_tombstone);
            let write = turn.append(of_offsets.chain(of_groups).collect());
            for key in offsets {
                self.put_offset(turn, write, key, None);
            }
            for group in groups {
                self.end_group(turn, write, &group);
            }
        }
    }
}

/// Whether an offset is expired. The retention begins when its group lost its last member; of a group that never had
/// any, or that is stable but does not subscribe to the topic any more, it begins at the commit.
fn is_expired(
    group: &ClassicGroup,
    key: &OffsetKey,
    offset: &CommittedOffset,
    now: i64,
    retention_ms: i64,
) -> bool {
    if group.is_subscribed_to(&key.topic) {
        return false;
    }
    let since = match group.state() {
        _ if !group.has_protocol_type() => offset.commit_timestamp_ms,
        ClassicGroupState::Empty => group.state_since_ms().unwrap_or(offset.commit_timestamp_ms),
        ClassicGroupState::Stable if group.uses_consumer_protocol() && group.knows_subscribed_topics() => {
            offset.commit_timestamp_ms
        }
        _ => return false,
    };
    match offset.expire_timestamp_ms {
        Some(expires) => now >= expires,
        None => now.saturating_sub(since) >= retention_ms,
    }
}

/// Tombstones in batches of bounded size.
#[derive(Default)]
struct Tombstones {
    batches: Vec<Batch>,
}

#[derive(Default)]
struct Batch {
    offsets: Vec<OffsetKey>,
    groups: Vec<ByteString>,
    bytes: usize,
}

impl Tombstones {
    /// Adds those of one group. The group itself ends with the last of its offsets; if they are in several batches it is
    /// left for the next time, so that it cannot end while some of them, in a batch that failed, are still there.
    fn add(&mut self, offsets: Vec<OffsetKey>, group: Option<ByteString>) {
        let mut has_split = false;
        let mut is_first = true;
        for key in offsets {
            let bytes = key.group.len() + key.topic.len() + TOMBSTONE_OVERHEAD_BYTES;
            let (batch, is_new) = self.batch(bytes);
            batch.offsets.push(key);
            has_split |= is_new && !is_first;
            is_first = false;
        }
        if let Some(group) = group {
            let bytes = group.len() + TOMBSTONE_OVERHEAD_BYTES;
            // Checked before it is put: a batch of its own is one too many.
            let fits = self.batches.last().is_some_and(|batch| batch.bytes + bytes <= TOMBSTONE_BYTES_MAX);
            if is_first || (!has_split && fits) {
                self.batch(bytes).0.groups.push(group);
            }
        }
    }

    /// The batch that takes so many bytes more, and whether it was begun for them.
    fn batch(&mut self, bytes: usize) -> (&mut Batch, bool) {
        let is_new = self.batches.last().is_none_or(|batch| batch.bytes + bytes > TOMBSTONE_BYTES_MAX);
        if is_new {
            self.batches.push(Batch::default());
        }
        let batch = self.batches.last_mut().expect("one was begun if there was none");
        batch.bytes += bytes;
        (batch, is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(group: &str, count: i32) -> Vec<OffsetKey> {
        let key = |partition| OffsetKey { group: group.into(), topic: "t".repeat(200).into(), partition };
        (0..count).map(key).collect()
    }

    /// Offsets and groups of each batch.
    fn check(adds: &[(i32, bool)], expected: &[(usize, usize)]) {
        let mut tombstones = Tombstones::default();
        for (at, (count, ends)) in adds.iter().enumerate() {
            let group = format!("g{at}");
            tombstones.add(keys(&group, *count), ends.then(|| group.clone().into()));
        }
        let batches = &tombstones.batches;
        let counts: Vec<_> = batches.iter().map(|batch| (batch.offsets.len(), batch.groups.len())).collect();
        assert_eq!(counts, expected);
        assert!(batches.iter().all(|batch| batch.bytes <= TOMBSTONE_BYTES_MAX));
    }

    #[test]
    fn groups_share_a_batch_up_to_its_bound() {
        check(&[], &[]);
        check(&[(0, false)], &[]);
        check(&[(0, true), (2, true), (1, false)], &[(3, 2)]);
        // A thousand keys of this length are a batch and a bit.
        check(&[(1_000, false), (500, true)], &[(1_120, 0), (380, 0)]);
        check(&[(1_000, true), (100, true), (100, true)], &[(1_119, 2), (81, 0)]);
    }

    #[test]
    fn a_group_with_offsets_in_two_batches_does_not_end_with_them() {
        check(&[(2_000, true), (1, true)], &[(1_120, 0), (881, 1)]);
    }
}
