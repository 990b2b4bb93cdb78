//! Ids for new members: `<client id>-<random UUID>`.

use ottla_protocol::ByteString;

/// Bytes that an id has beside its prefix: a dash and the UUID.
pub(super) const SUFFIX_LEN: usize = 37;

/// Draws ids; the same seed gives the same ids. (SplitMix64: ids have to be different, not secret. Who may join a
/// group is the authorizer's business.)
#[derive(Debug)]
pub(super) struct MemberIds(u64);

impl MemberIds {
    pub(super) fn new(seed: u64) -> MemberIds {
        MemberIds(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A new id. The prefix is the client id, or the instance id of a static member.
    pub(super) fn next(&mut self, prefix: &str) -> ByteString {
        let (high, low) = (self.draw(), self.draw());
        let (time_low, time_mid, time_high) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
        let (clock, node) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        format!("{prefix}-{time_low:08x}-{time_mid:04x}-4{time_high:03x}-{clock:04x}-{node:012x}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_uuids_with_a_prefix() {
        let mut ids = MemberIds::new(1);
        let (a, b) = (ids.next("kafka-python-2.2.3"), ids.next("kafka-python-2.2.3"));
        assert_ne!(a, b);
        let uuid = a.strip_prefix("kafka-python-2.2.3-").expect("the prefix is there");
        assert_eq!(uuid.len() + 1, SUFFIX_LEN);
        let dashes: Vec<usize> = uuid.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!(dashes, [8, 13, 18, 23]);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}
