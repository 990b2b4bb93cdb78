//! The one place where the host draws random numbers.

use ottla_protocol::Uuid;
use std::hash::{BuildHasher, RandomState};

/// A random number: a seed for what draws further numbers itself.
pub(super) fn seed() -> u64 {
    // The keys of a new hasher come from the system's generator, plus one each time.
    RandomState::new().hash_one(std::process::id())
}

/// A new id.
pub(super) fn uuid() -> Uuid {
    loop {
        let halves = [seed().to_be_bytes(), seed().to_be_bytes()];
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&halves.concat());
        // The version and variant bits of a random UUID, as Kafka sets them.
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        if let Some(id) = Uuid::from_random(bytes) {
            return id;
        }
    }
}
