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

/// Where a topic's records without a key go at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stuck {
    /// Chosen anew when the next record comes, if there is none.
    partition: Option<i32>,
    bytes: usize,
}

impl Sticky {
    /// The partition for the next record of a topic. `chance` gives any number.
    pub(super) fn partition(
        &mut self,
        name: &ByteString,
        topic: &TopicMetadata,
        chance: impl FnOnce() -> u64,
    ) -> (i32, &mut Stuck) {
        let stuck = self.topics.entry(name.clone()).or_default();
        let has_leader = |partition: &i32| topic.partition(*partition).is_some_and(|p| p.leader.is_some());
        let partition = stuck.partition.filter(has_leader).unwrap_or_else(|| {
            stuck.bytes = 0;
            any_partition(topic, chance())
        });
        stuck.partition = Some(partition);
        (partition, stuck)
    }
}

impl Stuck {
    /// Counts what was appended to the partition that [`Sticky::partition`] gave; leaves it when it has had a whole
    /// batch and nothing is left open there, at the latest after two.
    pub(super) fn appended(&mut self, bytes: usize, batch_is_full: bool, batch_size: usize) {
        self.bytes += bytes;
        if self.bytes >= batch_size && batch_is_full || self.bytes >= 2 * batch_size {
            self.partition = None;
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
        let mut check = |chance, expected, bytes, batch_is_full, why| {
            let (partition, stuck) = sticky.partition(&"t".into(), &topic, || chance);
            assert_eq!(partition, expected, "{why}");
            stuck.appended(bytes, batch_is_full, 100);
        };
        check(7, 1, 60, false, "the first time by chance");
        check(8, 1, 60, false, "the batch is not full");
        check(8, 1, 10, true, "the last batch is still open");
        check(8, 2, 200, false, "by chance again");
        check(9, 0, 1, false, "two batches are the limit");
    }

    #[test]
    fn a_partition_without_leader_is_avoided_while_another_has_one() {
        let topic = topic_for_tests("t", &[None, Some(1), None]);
        for chance in 0..5 {
            assert_eq!(Sticky::default().partition(&"t".into(), &topic, || chance).0, 1);
        }
        let dead = topic_for_tests("t", &[None, None]);
        assert_eq!(Sticky::default().partition(&"t".into(), &dead, || 3).0, 1);
    }
}
