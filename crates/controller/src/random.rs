//! Randomness from a seed: for ids of topics and for where placement starts. Not for secrets.

use ottla_protocol::{LeaderEpoch, Uuid};

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and a few mixes per number, and good enough to spread replicas.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of one leadership. Another epoch has others: should a host use a seed twice, the second life of a node
    /// must not give out the ids of the first.
    pub(crate) fn new(seed: u64, epoch: LeaderEpoch) -> Random {
        let mut of_epoch = Random(epoch.0 as u64);
        Random(seed ^ of_epoch.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0);
        (self.next() % bound as u64) as usize
    }

    /// Brings a list into random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A topic id, of version 4 as Java makes them.
    pub(crate) fn topic_id(&mut self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&self.next().to_be_bytes());
            bytes[8..].copy_from_slice(&self.next().to_be_bytes());
            bytes[6] = bytes[6] & 0x0f | 0x40;
            bytes[8] = bytes[8] & 0x3f | 0x80;
            if let Some(id) = Uuid::from_random(bytes) {
                return id;
            }
        }
    }
}
