//! Which partition a record goes to, as Kafka's own producer decides it.

use ottla_protocol::BrokerId;
use std::collections::HashMap;

use crate::{PartitionMetadata, TopicMetadata};
use bytestring::ByteString;

/// The partition of a key among `count`: the same for every client that follows Kafka's.
pub fn partition_for_key(key: &[u8], count: usize) -> i32 {
    let hash = (murmur2(key) & 0x7fff_ffff) as usize;
    i32::try_from(hash % count.max(1)).expect("a topic has fewer than 2^31 partitions")
}

/// MurmurHash2 with the seed that Kafka took.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Keeps records without a key together until a batch is full, then goes to another partition (KIP-480, KIP-794):
/// full batches, and in the long run as many bytes for each partition.
#[derive(Debug, Default)]
pub(super) struct Sticky {
    topics: HashMap<ByteString, Stuck>,
}

#[derive(Clone, Copy, Debug)]
struct Stuck {
    partition: i32,
    bytes: usize,
}

impl Sticky {
    /// The partition for the next record of a topic. `chance` is any number.
    pub(super) fn partition(&mut self, topic: &TopicMetadata, chance: u64) -> i32 {
        let stuck = self.topics.get(topic.name.as_str()).filter(|stuck| {
            topic.partition(stuck.partition).is_some_and(|partition| partition.leader.is_some())
        });
        match stuck {
            Some(stuck) => stuck.partition,
            None => {
                let partition = any_partition(topic, chance);
                self.topics.insert(topic.name.as_str().into(), Stuck { partition, bytes: 0 });
                partition
            }
        }
    }

    /// Counts what was appended to the partition that [`Sticky::partition`] gave; leaves it when it has had a whole
    /// batch and nothing is left open there, at the latest after two.
    pub(super) fn appended(&mut self, topic: &str, bytes: usize, batch_is_full: bool, batch_size: usize) {
        let Some(stuck) = self.topics.get_mut(topic) else { return };
        stuck.bytes += bytes;
        if stuck.bytes >= batch_size && batch_is_full || stuck.bytes >= 2 * batch_size {
            self.topics.remove(topic);
        }
    }
}

/// One of those that have a leader, or of all when none has.
fn any_partition(topic: &TopicMetadata, chance: u64) -> i32 {
    let all = || topic.partitions.iter();
    let led: Vec<&PartitionMetadata> =
        all().filter(|p| p.leader.is_some_and(|id| id >= BrokerId(0))).collect();
    let candidates = if led.is_empty() { all().collect() } else { led };
    match candidates.len() as u64 {
        0 => 0,
        count => candidates[(chance % count) as usize].partition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::topic_for_tests;

    #[test]
    fn murmur2_is_the_jvm_clients() {
        // What org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 4.3.1 returns.
        let vectors: &[(&[u8], i32)] = &[
            (b"", 275_646_681),
            (b"2", 648_968_168),
            (b"21", -973_932_308),
            (b"abc", 479_470_107),
            (b"kafk", 2_122_128_005),
            (b"kafka", -798_503_068),
            (b"foobar", -790_332_482),
            (b"a-little-bit-longer-string", -1_486_304_829),
            ("\u{c548}\u{b155}".as_bytes(), -279_812_768),
            (&[0xff, 0x80, 0, 1, 0xfe], -173_560_464),
        ];
        for (key, expect) in vectors {
            assert_eq!(murmur2(key) as i32, *expect, "{key:?}");
        }
    }

    #[test]
    fn a_key_always_has_the_same_partition() {
        assert_eq!(partition_for_key(b"21", 3), ((-973_932_308 & 0x7fff_ffff) % 3));
        assert_eq!(partition_for_key(b"anything", 1), 0);
    }

    #[test]
    fn records_without_a_key_stay_until_a_batch_is_full() {
        let topic = topic_for_tests("t", &[Some(1), Some(1), Some(2)]);
        let mut sticky = Sticky::default();
        assert_eq!(sticky.partition(&topic, 7), 1);
        sticky.appended("t", 60, false, 100);
        assert_eq!(sticky.partition(&topic, 8), 1);
        sticky.appended("t", 60, false, 100);
        assert_eq!(sticky.partition(&topic, 8), 1, "the last batch is still open");
        sticky.appended("t", 10, true, 100);
        assert_eq!(sticky.partition(&topic, 8), 2);
        sticky.appended("t", 200, false, 100);
        assert_eq!(sticky.partition(&topic, 9), 0, "two batches are the limit");
    }

    #[test]
    fn a_partition_without_leader_is_avoided_while_another_has_one() {
        let topic = topic_for_tests("t", &[None, Some(1), None]);
        for chance in 0..5 {
            assert_eq!(Sticky::default().partition(&topic, chance), 1);
        }
        let dead = topic_for_tests("t", &[None, None]);
        assert_eq!(Sticky::default().partition(&dead, 3), 1);
    }
}
