//! The values that `kafka-producer-perf-test` sends.

use bytes::{Bytes, BytesMut};
use regex::Regex;

use crate::failure::Exception;

/// How much is made at once of random letters: enough that the cost of a block is none per record.
const BLOCK_BYTES: usize = 64 << 10;

/// Where values come from.
pub(super) enum Payload {
    /// Random capital letters.
    Letters {
        size: usize,
        random: Random,
        /// What was made and is not used yet.
        block: BytesMut,
    },
    /// One of these, at random.
    Choices { choices: Vec<Bytes>, random: Random },
    /// The number of the record.
    Monotonic,
}

impl Payload {
    /// Random letters, so many in each record.
    pub(super) fn of_size(size: usize) -> Payload {
        Payload::Letters { size, random: Random(0), block: BytesMut::new() }
    }

    /// The texts of a file, with a regular expression between them.
    pub(super) fn of_file(path: &str, delimiter: &str) -> Result<Payload, Exception> {
        let bytes = std::fs::read(path).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Exception::illegal_argument("File does not exist or empty file provided."));
        }
        let delimiter = Regex::new(delimiter)
            .map_err(|error| Exception::new("java.util.regex.PatternSyntaxException", error.to_string()))?;
        let choices = pieces(&String::from_utf8_lossy(&bytes), &delimiter);
        Ok(Payload::Choices { choices, random: Random(0) })
    }

    /// How many values there are to choose from.
    pub(super) fn choices(&self) -> usize {
        match self {
            Payload::Choices { choices, .. } => choices.len(),
            Payload::Letters { .. } | Payload::Monotonic => usize::MAX,
        }
    }

    /// The value of a record by its number; there must be something to choose from.
    pub(super) fn next(&mut self, number: u64) -> Bytes {
        match self {
            Payload::Letters { size, random, block } => {
                if block.len() < *size {
                    *block = letters(random, (*size).max(BLOCK_BYTES / *size * *size));
                }
                block.split_to(*size).freeze()
            }
            Payload::Choices { choices, random } => {
                let chosen = random.next() % choices.len() as u64;
                choices[chosen as usize].clone()
            }
            Payload::Monotonic => Bytes::from(number.to_string()),
        }
    }
}

/// The pieces of a text as Java's `Scanner` finds them: a delimiter at the beginning or the end has no empty piece
/// beside it.
fn pieces(text: &str, delimiter: &Regex) -> Vec<Bytes> {
    let start = delimiter.find(text).filter(|found| found.start() == 0).map_or(0, |found| found.end());
    let mut pieces: Vec<Bytes> =
        delimiter.split(&text[start..]).map(|piece| Bytes::copy_from_slice(piece.as_bytes())).collect();
    pieces.pop_if(|last| last.is_empty());
    pieces
}

/// A block of random letters from A to Z.
fn letters(random: &mut Random, size: usize) -> BytesMut {
    let mut block = BytesMut::zeroed(size);
    for chunk in block.chunks_mut(8) {
        chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
    }
    // In a loop of its own, so that the compiler works on many bytes at a time.
    for byte in block.iter_mut() {
        *byte = b'A' + ((u16::from(*byte) * 26) >> 8) as u8;
    }
    block
}

/// Numbers by SplitMix64: the same in every run.
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_comes_and_no_two_values_are_alike() {
        let mut payload = Payload::of_size(1_000);
        let values: Vec<Bytes> = (0..100).map(|number| payload.next(number)).collect();
        assert!(values.iter().all(|value| value.len() == 1_000));
        for letter in b'A'..=b'Z' {
            assert!(values.iter().all(|value| value.contains(&letter)), "{}", letter as char);
        }
        assert!(values.iter().flatten().all(u8::is_ascii_uppercase));
        assert!((1..100).all(|at| values[at] != values[at - 1]));
        assert_eq!(Payload::of_size(200_000).next(0).len(), 200_000);
    }

    #[test]
    fn a_file_is_cut_as_javas_scanner_cuts_it() {
        let check = |text: &str, delimiter: &str, expected: &[&str]| {
            let delimiter = Regex::new(delimiter).unwrap();
            assert_eq!(pieces(text, &delimiter), expected, "{text:?}");
        };
        check("a\nb\n", "\n", &["a", "b"]);
        check("\na\n\nb", "\n", &["a", "", "b"]);
        check("a\n\n", "\n", &["a", ""]);
        check("\n", "\n", &[]);
        check("a12b3", "[0-9]+", &["a", "b"]);
    }
}
