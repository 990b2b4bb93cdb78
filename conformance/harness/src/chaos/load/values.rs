//! What is written: values that name themselves, and tell when their bytes were changed.

use crate::batch::crc32c;

use super::TOPIC;

pub(super) fn key(partition: i32) -> String {
    format!("{TOPIC}-{partition}")
}

pub(super) fn name(process: u64, counter: i64) -> String {
    format!("{process}-{counter}")
}

/// A value's name, padding, and a checksum over both.
pub(super) fn value(process: u64, counter: i64, padding: usize) -> Vec<u8> {
    let mut bytes = format!("{} ", name(process, counter)).into_bytes();
    bytes.extend((0..padding).map(|at| (at as i64 * 31 + counter) as u8));
    let sum = crc32c(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

/// The name of a value that was read; of one whose bytes were changed, a name that nobody sent.
pub(super) fn read(bytes: &[u8]) -> String {
    let sound = bytes.split_last_chunk::<4>().filter(|(rest, sum)| crc32c(rest).to_be_bytes() == **sum);
    let name = sound.and_then(|(rest, _)| rest.split(|byte| *byte == b' ').next());
    name.map_or_else(|| format!("mangled {bytes:02x?}"), |name| String::from_utf8_lossy(name).into_owned())
}
