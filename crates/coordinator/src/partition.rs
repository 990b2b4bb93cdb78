//! Which partition of a coordinator's topic an id belongs to.

/// The partition of `__consumer_offsets` (or `__transaction_state`) that a group id (or transactional id) belongs to,
/// of `partitions` partitions: as in Kafka, the absolute value of Java's string hash, modulo.
///
/// # Panics
/// If `partitions` is not positive: the topic has been created before anybody asks.
pub fn partition_for(id: &str, partitions: i32) -> i32 {
    assert!(partitions > 0, "a coordinator's topic has partitions, not {partitions}");
    // `i32::MIN` has no absolute value; Kafka maps it to 0.
    let hash = java_hash(id).checked_abs().unwrap_or(0);
    hash % partitions
}

/// `String.hashCode` of Java: over UTF-16 code units.
pub(crate) fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_javas() {
        for (text, hash) in [("", 0), ("a", 97), ("my-group", -1_906_497_762), ("é", 233), ("😀", 1_772_899)]
        {
            assert_eq!(java_hash(text), hash, "{text}");
        }
    }

    #[test]
    fn the_smallest_hash_has_a_partition() {
        // A string whose hash is i32::MIN.
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
    }

    #[test]
    fn partition_is_kafkas() {
        for (id, partition) in [("a", 47), ("my-group", 12), ("node-group", 20)] {
            assert_eq!(partition_for(id, 50), partition, "{id}");
        }
    }
}
