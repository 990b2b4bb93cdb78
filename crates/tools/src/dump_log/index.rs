//! Indexes, compared with the logs that they are of.

use std::fs::File;
use std::path::Path;

use ottla_protocol::records::{BatchHeader, RecordBatch};

use super::log::{Batches, damaged};
use super::{Findings, Settings, note, open, start_offset, unreadable};
use crate::context::Context;
use crate::failure::{Exception, Failure};

const OFFSET_ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;
const TXN_ENTRY: usize = 34;
/// The largest batch in time indexes' logs is not limited.
const UNLIMITED: u64 = i32::MAX.unsigned_abs() as u64;
/// Largest size of a batch's records when decompressed.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// Offset and position.
type OffsetEntries = Vec<(i64, u64)>;

fn read(path: &Path) -> Result<Vec<u8>, Exception> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn u32_at(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn i64_at(bytes: &[u8]) -> i64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[..8]);
    i64::from_be_bytes(number)
}

fn offset_entries(bytes: &[u8], base: i64) -> OffsetEntries {
    let entry = |entry: &[u8]| (base + i64::from(u32_at(entry)), u64::from(u32_at(&entry[4..])));
    bytes.chunks_exact(OFFSET_ENTRY).map(entry).collect()
}

/// Kafka's sentences for the two kinds are not quite the same.
fn check_size(path: &Path, size: usize, entry: usize) -> Result<(), Exception> {
    if size.is_multiple_of(entry) {
        return Ok(());
    }
    let (kind, end) = if entry == TIME_ENTRY { ("Time index", "") } else { ("Index", ".") };
    Err(corrupt(format!(
        "{kind} file {} is corrupt, found {size} bytes which is neither positive nor a multiple of {entry}{end}",
        absolute(path)
    )))
}

fn corrupt(text: String) -> Exception {
    Exception::new("org.apache.kafka.storage.internals.log.CorruptIndexException", text)
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// The batches of a log from a position on.
fn slice<'f>(log: &'f File, path: &Path, position: u64, max_bytes: u64) -> Result<Batches<'f>, Exception> {
    let io = |error| unreadable(path, &error);
    let size = log.metadata().map_err(io)?.len();
    if position > size {
        return Err(Exception::illegal_argument(format!(
            "Slice from position {position} exceeds end position of FileRecords(size={size}, file={}, start=0, \
             end=2147483647)",
            path.display()
        )));
    }
    Batches::new(log, path, position, max_bytes).map_err(io)
}

/// Prints an offset index.
pub(super) fn dump_offsets(
    path: &Path,
    name: &str,
    settings: &Settings,
    findings: &mut Findings,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let base = start_offset(name)?;
    let log_path = path.with_file_name(name.split('.').next().unwrap_or_default()).with_extension("log");
    let log = open(&log_path)?;
    let bytes = read(path)?;
    let entries = offset_entries(&bytes, base);
    if entries.is_empty() {
        writeln!(cx.out, "{} is empty.", path.display())?;
        return Ok(());
    }
    if settings.checks_sanity_only {
        check_size(path, bytes.len(), OFFSET_ENTRY)?;
        let last = entries[entries.len() - 1].0;
        if last < base {
            let text = format!(
                "Corrupt index found, index file ({}) has non-zero size but the last offset is {last} which is no \
                 greater than the base offset {base}.",
                absolute(path)
            );
            return Err(corrupt(text).into());
        }
        writeln!(cx.out, "{} passed sanity check.", path.display())?;
        return Ok(());
    }
    for (at, (offset, position)) in entries.into_iter().enumerate() {
        if offset == base && at > 0 {
            return Ok(());
        }
        let mut batches = slice(&log, &log_path, position, settings.max_message_size)?;
        let batch = batches.next()?.ok_or_else(|| Exception {
            message: None,
            ..Exception::new("java.util.NoSuchElementException", "")
        })?;
        let last_offset = BatchHeader::parse(&batch).map_err(damaged)?.last_offset().0;
        if last_offset != offset {
            note(&mut findings.index_mismatches, path, (offset, last_offset));
        }
        if !settings.verifies_only {
            writeln!(cx.out, "offset: {offset} position: {position}")?;
        }
    }
    Ok(())
}

/// Prints a time index.
pub(super) fn dump_times(
    path: &Path,
    name: &str,
    settings: &Settings,
    findings: &mut Findings,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let base = start_offset(name)?;
    let stem = path.with_file_name(name.split('.').next().unwrap_or_default());
    let log_path = stem.with_extension("log");
    let log = open(&log_path)?;
    let offsets = offset_entries(&read(&stem.with_extension("index")).unwrap_or_default(), base);
    let bytes = read(path)?;
    let entry = |entry: &[u8]| (i64_at(entry), base + i64::from(u32_at(&entry[8..])));
    let entries: Vec<(i64, i64)> = bytes.chunks_exact(TIME_ENTRY).map(entry).collect();
    if settings.checks_sanity_only {
        check_times(path, &bytes, &entries, base)?;
        writeln!(cx.out, "{} passed sanity check.", path.display())?;
        return Ok(());
    }
    let (mut previous, mut checked_from) = (-1, None);
    for (at, (timestamp, offset)) in entries.into_iter().enumerate() {
        if offset == base && at > 0 {
            return Ok(());
        }
        let before = offsets.iter().take_while(|(indexed, _)| *indexed <= offset).last();
        let position = before.map_or(0, |(_, position)| *position);
        // All that is behind it must be batches.
        if checked_from.is_none_or(|from| position < from) {
            let mut batches = slice(&log, &log_path, position, UNLIMITED)?;
            while batches.next()?.is_some() {}
            checked_from = Some(position);
        }
        let mut batches = slice(&log, &log_path, position, UNLIMITED)?;
        match find(&mut batches, offset)? {
            None => note(&mut findings.missing_offsets, path, (offset, -1)),
            Some((last_offset, _)) if last_offset != offset => {
                note(&mut findings.missing_offsets, path, (offset, last_offset));
            }
            Some((_, batch)) => {
                let found = max_timestamp(&batch)?;
                if found != timestamp {
                    note(&mut findings.time_mismatches, path, (timestamp, found));
                }
                if previous >= timestamp {
                    note(&mut findings.time_disorder, path, (timestamp, previous));
                }
            }
        }
        if !settings.verifies_only {
            writeln!(cx.out, "timestamp: {timestamp} offset: {offset}")?;
        }
        previous = timestamp;
    }
    Ok(())
}

fn check_times(path: &Path, bytes: &[u8], entries: &[(i64, i64)], base: i64) -> Result<(), Exception> {
    let (first, last) = match entries {
        [] => return check_size(path, bytes.len(), TIME_ENTRY),
        [first, ..] => (*first, entries[entries.len() - 1]),
    };
    if last.0 < first.0 {
        return Err(corrupt(format!(
            "Corrupt time index found, time index file ({}) has non-zero size but the last timestamp is {} which is \
             less than the first timestamp {}",
            absolute(path),
            last.0,
            first.0
        )));
    }
    if last.1 < base {
        return Err(corrupt(format!(
            "Corrupt time index found, time index file ({}) has non-zero size but the last offset is {} which is less \
             than the first offset {base}",
            absolute(path),
            last.1
        )));
    }
    check_size(path, bytes.len(), TIME_ENTRY)
}

/// The first batch that ends at or behind an offset.
fn find(batches: &mut Batches<'_>, offset: i64) -> Result<Option<(i64, Vec<u8>)>, Exception> {
    while let Some(batch) = batches.next()? {
        let last_offset = BatchHeader::parse(&batch).map_err(damaged)?.last_offset().0;
        if last_offset >= offset {
            return Ok(Some((last_offset, batch)));
        }
    }
    Ok(None)
}

fn max_timestamp(bytes: &[u8]) -> Result<i64, Exception> {
    let batch = RecordBatch::first(bytes).map_err(damaged)?;
    let header = batch.header();
    if header.attributes.timestamp_type() == ottla_protocol::records::TimestampType::LogAppendTime {
        return Ok(header.max_timestamp);
    }
    let mut max = -1;
    for record in batch.records(DECOMPRESSED_BYTES_MAX).map_err(damaged)?.iter() {
        max = record.map_err(damaged)?.timestamp.max(max);
    }
    Ok(max)
}

/// Prints a transaction index.
pub(super) fn dump_transactions(path: &Path, cx: &mut Context<'_>) -> Result<(), Failure> {
    for entry in read(path)?.chunks_exact(TXN_ENTRY) {
        // The first of its two bytes is what is looked at.
        let version = entry[0].cast_signed();
        if version > 0 {
            return Err(Exception::new(
                "org.apache.kafka.common.KafkaException",
                format!(
                    "Unexpected aborted transaction version {version} in transaction index {}, current version is 0",
                    absolute(path)
                ),
            )
            .into());
        }
        let number = |index: usize| i64_at(&entry[2 + 8 * index..]);
        writeln!(
            cx.out,
            "version: {version} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            number(0),
            number(1),
            number(2),
            number(3)
        )?;
    }
    Ok(())
}
