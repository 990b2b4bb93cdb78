//! The newest offset of each key, in memory of a fixed size: Kafka's, 24 bytes an entry.
//!
//! Keys themselves are not kept but 128 bits of their hash, as Kafka keeps 128 bits of MD5: two keys that met in one slot
//! would be taken for one, and one of them lost. The hash is SipHash with random keys, twice: nobody who chooses keys,
//! of users for instance, can know which ones meet. A plain fast hash (xxHash) would be faster on long keys and would
//! give that away; MD5 is slower than both and has been broken for those who may choose both keys.

use std::hash::{BuildHasher, Hasher, RandomState};

use ottla_protocol::Offset;

/// Bytes of an entry: the hash and the offset.
pub(crate) const ENTRY_BYTES: usize = 24;

const _: () = assert!(size_of::<Entry>() == ENTRY_BYTES);

/// What stands for a key; no key has zeros.
pub(crate) type KeyHash = [u64; 2];

/// A slot; without hash it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    hash: KeyHash,
    offset: i64,
}

const EMPTY: KeyHash = [0; 2];

/// See the module.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    slots: Vec<Entry>,
    hashers: [RandomState; 2],
    count: usize,
    count_max: usize,
}

/// How many keys fit into the memory.
pub(crate) fn capacity(bytes: u64, load_factor: f64) -> usize {
    let slots = bytes / ENTRY_BYTES as u64;
    // The float is within the integer, and negative or undefined ones become 0.
    usize::try_from((slots as f64 * load_factor.min(1.0)) as u64).unwrap_or(usize::MAX)
}

impl OffsetMap {
    /// A map for at most `keys_max` keys, which uses no more than `bytes` of memory, and less where so many keys cannot
    /// come: `bytes` holds what `load_factor` leaves free too.
    pub(crate) fn new(bytes: u64, load_factor: f64, keys_max: u64) -> OffsetMap {
        let count_max = capacity(bytes, load_factor);
        let slots_max = usize::try_from(bytes / ENTRY_BYTES as u64).unwrap_or(usize::MAX);
        // Half as many again as there may be keys, so that searching ends soon.
        let wanted = usize::try_from(keys_max).unwrap_or(usize::MAX).saturating_add(1);
        let slots = wanted.saturating_add(wanted / 2).min(slots_max).max(1);
        OffsetMap {
            slots: vec![Entry::default(); slots],
            hashers: [RandomState::new(), RandomState::new()],
            count: 0,
            count_max: count_max.min(slots),
        }
    }

    /// Notes the newest offset of a key. Says no, and notes nothing, if the map is full: of old keys too, as Kafka's does.
    #[must_use]
    pub(crate) fn put(&mut self, hash: KeyHash, offset: Offset) -> bool {
        if self.count >= self.count_max {
            return false;
        }
        let Some(at) = self.find(hash) else { return false };
        self.count += usize::from(self.slots[at].hash == EMPTY);
        self.slots[at] = Entry { hash, offset: offset.0 };
        true
    }

    /// The newest offset of a key.
    pub(crate) fn get(&self, hash: KeyHash) -> Option<Offset> {
        let entry = self.slots[self.find(hash)?];
        (entry.hash == hash).then_some(Offset(entry.offset))
    }

    /// Brings the places of some keys into the processor's cache. The map is much larger than that, and looked up one by
    /// one each place would be waited for.
    pub(crate) fn touch(&self, hashes: impl Iterator<Item = KeyHash>) {
        let read = |sum: u64, hash: KeyHash| sum ^ self.slots[self.place(hash)].hash[0];
        std::hint::black_box(hashes.fold(0, read));
    }

    /// Keys that are noted.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> u64 {
        (self.slots.len() * ENTRY_BYTES) as u64
    }

    /// The slot that has the hash, or the empty one that would get it; none if all are taken by others.
    fn find(&self, hash: KeyHash) -> Option<usize> {
        let start = self.place(hash);
        let slots = (start..self.slots.len()).chain(0..start);
        slots.into_iter().find(|&at| self.slots[at].hash == hash || self.slots[at].hash == EMPTY)
    }

    fn place(&self, hash: KeyHash) -> usize {
        ((u128::from(hash[0]) * self.slots.len() as u128) >> 64) as usize
    }

    /// What stands for a key in this map.
    pub(crate) fn hash(&self, key: &[u8]) -> KeyHash {
        let mut hash = [0; 2];
        for (half, state) in hash.iter_mut().zip(&self.hashers) {
            let mut hasher = state.build_hasher();
            hasher.write(key);
            *half = hasher.finish();
        }
        if hash == EMPTY { [1, 0] } else { hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_newest_offset_of_each_key_is_found() {
        let mut map = OffsetMap::new(ENTRY_BYTES as u64 * 1000, 0.9, u64::MAX);
        let mut model = HashMap::new();
        let mut offset = 0;
        while model.len() < 900 {
            let key = (offset * 7919 % 1301_i64).to_be_bytes();
            assert!(map.put(map.hash(&key), Offset(offset)));
            model.insert(key, offset);
            offset += 1;
        }
        assert_eq!(map.len(), 900);
        assert!(!map.put(map.hash(b"one more"), Offset(0)), "only nine tenths are used");
        assert_eq!(map.get(map.hash(b"one more")), None);
        for (key, offset) in &model {
            assert_eq!(map.get(map.hash(key)), Some(Offset(*offset)));
        }
        assert_eq!(map.memory(), 24_000);
    }

    #[test]
    fn a_full_map_ends_its_searches() {
        let mut map = OffsetMap::new(ENTRY_BYTES as u64 * 4, 1.0, u64::MAX);
        for key in 0..4_u8 {
            assert!(map.put(map.hash(&[key]), Offset(key.into())));
        }
        assert!(!map.put(map.hash(&[9]), Offset(9)));
        assert_eq!(map.get(map.hash(&[9])), None);
        assert_eq!((0..4_u8).filter_map(|key| map.get(map.hash(&[key]))).count(), 4);
    }

    #[test]
    fn memory_is_what_the_keys_need_and_never_more_than_allowed() {
        assert_eq!(OffsetMap::new(1 << 27, 0.9, 10).memory(), 16 * ENTRY_BYTES as u64);
        assert!(OffsetMap::new(1 << 20, 0.9, u64::MAX).memory() <= 1 << 20);
        assert_eq!(capacity(134_217_728, 0.9), 5_033_164);
        assert_eq!(capacity(100, f64::NAN), 4);
        assert_eq!(capacity(100, -1.0), 0);
    }
}
