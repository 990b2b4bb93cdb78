//! The values that `kafka-producer-perf-test` sends.

use bytes::Bytes;
use regex::Regex;

use crate::failure::Exception;

/// Random letters are made once and used again: what is measured is to be the producer. No batch is so large that it
/// has the same letters twice, which would make its compression too good.
const LETTERS: usize = 16 << 20;

/// Where values come from.
pub(super) enum Payload {
    /// Random capital letters.
    Letters {
        size: usize,
        letters: Bytes,
        at: usize,
        /// How often all letters were used; they are cut elsewhere each time.
        rounds: usize,
    },
    /// One of these, at random.
    Choices { choices: Vec<Bytes>, random: Random },
    /// The number of the record.
    Monotonic,
}

impl Payload {
    /// Random letters, so many in each record.
    pub(super) fn of_size(size: usize) -> Payload {
        Payload::of_letters(size, LETTERS)
    }

    fn of_letters(size: usize, count: usize) -> Payload {
        let letters = letters(&mut Random::new(), count + size);
        Payload::Letters { size, letters, at: 0, rounds: 0 }
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
        Ok(Payload::Choices { choices, random: Random::new() })
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
            Payload::Letters { size, letters, at, rounds } => {
                if *at + *size > letters.len() {
                    *rounds += 1;
                    *at = *rounds % *size;
                }
                *at += *size;
                letters.slice(*at - *size..*at)
            }
            Payload::Choices { choices, random } => {
                let chosen = random.next()[0] as usize % choices.len();
                choices[chosen].clone()
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

/// Random letters from A to Z.
fn letters(random: &mut Random, size: usize) -> Bytes {
    let mut block = Vec::with_capacity(size.next_multiple_of(4 * LANES));
    while block.len() < size {
        let mut bytes = [0; 4 * LANES];
        for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(random.next()) {
            *place = number.to_le_bytes();
        }
        block.extend_from_slice(&bytes.map(|byte| b'A' + ((u16::from(byte) * 26) >> 8) as u8));
    }
    block.truncate(size);
    block.into()
}

const LANES: usize = 16;

/// Several generators (Marsaglia's xorshift) side by side, so that the compiler works on many numbers at a time. The same
/// numbers in every run.
pub(super) struct Random([u32; LANES]);

impl Random {
    fn new() -> Random {
        Random(std::array::from_fn(|lane| 0x9e37_79b9_u32.wrapping_mul(lane as u32 + 1)))
    }

    fn next(&mut self) -> [u32; LANES] {
        for state in &mut self.0 {
            *state ^= *state << 13;
            *state ^= *state >> 17;
            *state ^= *state << 5;
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_comes_and_no_two_values_are_alike() {
        const COUNT: usize = 200_000;
        let mut payload = Payload::of_letters(1_000, COUNT);
        let values: Vec<Bytes> = (0..100).map(|number| payload.next(number)).collect();
        assert!(values.iter().all(|value| value.len() == 1_000));
        for letter in b'A'..=b'Z' {
            assert!(values.iter().all(|value| value.contains(&letter)), "{}", letter as char);
        }
        assert!(values.iter().flatten().all(u8::is_ascii_uppercase));
        assert!((1..100).all(|at| values[at] != values[at - 1]));
        let in_a_round = (COUNT + 1_000) / 1_000;
        let later = (100..in_a_round as u64 + 1).map(|number| payload.next(number)).last().unwrap();
        assert!(later != values[0] && later[..999] == values[0][1..], "cut elsewhere");
        assert_eq!(Payload::of_letters(300_000, COUNT).next(0).len(), 300_000);
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
