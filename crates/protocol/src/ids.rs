//! Newtypes for the numbers that one could swap by mistake, and Kafka's UUID with its text form.

use std::fmt;

/// Declares a number with a meaning of its own: ordered, hashable, printed as the bare number.
macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                $name(value)
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

newtype! {
    /// Position of a record in a partition's log; the first record ever written has offset 0.
    Offset(i64)
}
newtype! {
    /// Term of a partition's leader (KIP-101), or of the metadata quorum's. Grows by one at each election.
    LeaderEpoch(i32)
}
newtype! {
    /// `node.id` of a process; brokers and controllers share the number space.
    BrokerId(i32)
}
newtype! {
    /// Number that an idempotent or transactional producer was given (KIP-98).
    ProducerId(i64)
}
newtype! {
    /// Incarnation of a producer id; an older epoch is fenced by a newer one.
    ProducerEpoch(i16)
}

impl Offset {
    /// "No offset" on the wire.
    pub const NONE: Offset = Offset(-1);
}

impl LeaderEpoch {
    /// "No epoch" on the wire.
    pub const NONE: LeaderEpoch = LeaderEpoch(-1);
}

impl ProducerId {
    /// A batch without idempotence.
    pub const NONE: ProducerId = ProducerId(-1);
}

/// Kafka's UUID: sixteen bytes, written as URL-safe base64 without padding (22 characters).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// A topic's identity: survives a rename of the thing, not its deletion (KIP-516).
pub type TopicId = Uuid;

impl Uuid {
    /// "No id" on the wire.
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// The id of `__cluster_metadata`; also UNASSIGNED as a directory id.
    pub const ONE: Uuid = Uuid(1u128.to_be_bytes());
    /// Directory id of a replica whose directory is not known yet (KIP-858).
    pub const UNASSIGNED_DIR: Uuid = Uuid::ONE;
    /// Directory id of a replica whose directory was lost (KIP-858).
    pub const LOST_DIR: Uuid = Uuid(2u128.to_be_bytes());

    /// Makes an id from 16 random bytes, or `None` where Kafka would draw again: values below 100 are reserved, and a
    /// text form that begins with a dash would be taken for an option on a command line.
    pub fn from_random(bytes: [u8; 16]) -> Option<Uuid> {
        let id = Uuid(bytes);
        let reserved = u128::from_be_bytes(bytes) < 100;
        (!reserved && !id.to_string().starts_with('-')).then_some(id)
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Uuid> {
        let mut value: u128 = 0;
        let mut bits = 0;
        if text.len() != 22 {
            return None;
        }
        let mut bytes = [0u8; 16];
        let mut at = 0;
        for c in text.bytes() {
            let six = ALPHABET.iter().position(|&a| a == c)? as u128;
            value = (value << 6) | six;
            bits += 6;
            if bits >= 8 && at < 16 {
                bits -= 8;
                bytes[at] = (value >> bits) as u8;
                at += 1;
            }
        }
        Some(Uuid(bytes))
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        // 128 bits are 21 groups of six and one of two, which is padded with four zero bits.
        for group in 0..22 {
            let shift = 122 - 6 * group;
            let six = if shift >= 0 { value >> shift } else { value << -shift } & 0x3f;
            let c = ALPHABET[six as usize];
            write!(f, "{}", c as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_text_is_kafkas() {
        // The id that Kafka prints for the metadata topic.
        assert_eq!(Uuid::ONE.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ"), Some(Uuid::ONE));
        let id = Uuid(*b"0123456789abcdef");
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn what_is_not_a_uuid_is_refused() {
        for text in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAA!", "AAAAAAAAAAAAAAAAAAAAAQ="] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }
}
