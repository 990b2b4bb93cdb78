//! Logs and checkpoints of the metadata: batch by batch, record by record.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ottla_protocol::records::{BatchHeader, Record, RecordBatch, TimestampType, increment_sequence};

use super::records::{Decoder, control_text, print_contents};
use super::{Findings, Settings, note, open, start_offset, unreadable};
use crate::context::Context;
use crate::failure::{Exception, Failure};

/// Offset and length, in front of each batch.
const LOG_OVERHEAD: u64 = 12;
/// Offset, length, epoch and magic: what must be there for a batch to be looked at.
const UP_TO_MAGIC: u64 = 17;
/// The smallest length that is not damage.
const LENGTH_MIN: i32 = 14;
/// Largest size of a batch's records when decompressed.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// Batches of a file, up to a size.
pub(super) struct Batches<'f> {
    file: &'f File,
    name: String,
    position: u64,
    end: u64,
}

impl<'f> Batches<'f> {
    /// From a position on, `max_bytes` of them.
    pub(super) fn new(file: &'f File, path: &Path, position: u64, max_bytes: u64) -> io::Result<Batches<'f>> {
        let end = file.metadata()?.len().min(position.saturating_add(max_bytes));
        Ok(Batches { file, name: path.display().to_string(), position, end })
    }

    /// Where the next one begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Reads the next batch; `None` where what is left is none.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Exception> {
        let damaged = |error: io::Error| Exception::file(&self.name, &error);
        if self.position + UP_TO_MAGIC >= self.end {
            return Ok(None);
        }
        let mut head = [0; LOG_OVERHEAD as usize];
        self.file.read_exact_at(&mut head, self.position).map_err(damaged)?;
        let length = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        if length < LENGTH_MIN {
            let text = format!(
                "Found record size {length} smaller than minimum record overhead ({LENGTH_MIN}) in file {}.",
                self.name
            );
            return Err(Exception::new("org.apache.kafka.common.errors.CorruptRecordException", text));
        }
        let size = LOG_OVERHEAD + u64::from(length.unsigned_abs());
        if self.position + size > self.end {
            return Ok(None);
        }
        let mut batch = vec![0; size as usize];
        self.file.read_exact_at(&mut batch, self.position).map_err(damaged)?;
        self.position += size;
        Ok(Some(batch))
    }
}

/// Prints a log, or a checkpoint of the metadata.
pub(super) fn dump(
    path: &Path,
    name: &str,
    settings: &Settings,
    decoder: &Decoder,
    findings: &mut Findings,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    if name.ends_with(".log") {
        writeln!(cx.out, "Log starting offset: {}", start_offset(name)?)?;
    } else if name == "bootstrap.checkpoint" {
        writeln!(cx.out, "KRaft bootstrap snapshot")?;
    } else if let Some((offset, epoch)) = snapshot_id(name) {
        writeln!(cx.out, "Snapshot end offset: {offset}, epoch: {epoch}")?;
    } else {
        return Err(Exception::new("java.util.NoSuchElementException", "No value present").into());
    }
    let file = open(path)?;
    let read = |error: io::Error| unreadable(path, &error);
    let mut batches = Batches::new(&file, path, 0, settings.max_bytes).map_err(read)?;
    let mut last_offset = -1;
    loop {
        let position = batches.position();
        let Some(bytes) = batches.next()? else { break };
        let header = BatchHeader::parse(&bytes).map_err(damaged)?;
        print_batch(&header, &bytes, position, cx)?;
        if settings.is_deep {
            dump_records(path, &bytes, (settings, decoder), &mut last_offset, findings, cx)?;
        }
    }
    let trailing = file.metadata().map_err(read)?.len().min(settings.max_bytes) - batches.position();
    if trailing > 0 && settings.max_bytes == u64::from(i32::MAX.unsigned_abs()) {
        writeln!(cx.out, "Found {trailing} invalid bytes at the end of {name}")?;
    }
    Ok(())
}

/// End offset and epoch in the name of a checkpoint of the metadata.
fn snapshot_id(name: &str) -> Option<(i64, i32)> {
    let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    Some((offset.parse().ok()?, epoch.parse().ok()?))
}

/// The exception for bytes that are no batch.
pub(super) fn damaged(error: ottla_protocol::records::RecordError) -> Exception {
    Exception::new("org.apache.kafka.common.errors.CorruptRecordException", error.to_string())
}

fn print_batch(
    header: &BatchHeader,
    bytes: &[u8],
    position: u64,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let attributes = header.attributes;
    let delete_horizon = match header.delete_horizon_ms() {
        Some(at) => format!("OptionalLong[{at}]"),
        None => "OptionalLong.empty".to_owned(),
    };
    let codec = attributes.compression().map_or("unknown", |codec| codec.name());
    let is_valid = RecordBatch::first(bytes).is_ok_and(|batch| batch.verify_crc().is_ok());
    writeln!(
        cx.out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} \
         producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} \
         deleteHorizonMs: {delete_horizon} position: {position} {}: {} size: {} magic: 2 \
         compresscodec: {codec} crc: {} isvalid: {is_valid}",
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.leader_epoch,
        attributes.is_transactional(),
        attributes.is_control(),
        attributes.timestamp_type().name(),
        header.max_timestamp,
        header.size(),
        header.crc,
    )?;
    Ok(())
}

fn dump_records(
    path: &Path,
    bytes: &[u8],
    (settings, decoder): (&Settings, &Decoder),
    last_offset: &mut i64,
    findings: &mut Findings,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let batch = RecordBatch::first(bytes).map_err(damaged)?;
    let records = batch.records(DECOMPRESSED_BYTES_MAX).map_err(damaged)?;
    for record in records.iter() {
        let record = record.map_err(damaged)?;
        if record.offset.0 != *last_offset + 1 {
            note(&mut findings.gaps, path, (*last_offset, record.offset.0));
        }
        *last_offset = record.offset.0;
        if !settings.skips_metadata {
            print_metadata(batch.header(), &record, cx)?;
        }
        if settings.prints_contents && !batch.is_control() {
            let prefix = if settings.skips_metadata { "| " } else { " " };
            print_contents(decoder, &record, prefix, cx)?;
        }
        writeln!(cx.out)?;
    }
    Ok(())
}

fn print_metadata(header: &BatchHeader, record: &Record<'_>, cx: &mut Context<'_>) -> Result<(), Failure> {
    let timestamp_type = header.attributes.timestamp_type();
    let timestamp =
        if timestamp_type == TimestampType::LogAppendTime { header.max_timestamp } else { record.timestamp };
    let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
    let delta = i32::try_from(record.offset.0 - header.base_offset.0).unwrap_or(0);
    let sequence =
        if header.base_sequence < 0 { -1 } else { increment_sequence(header.base_sequence, delta) };
    let keys: Vec<String> = record.headers.map(|header| header.key_text().into_owned()).collect();
    write!(
        cx.out,
        "| offset: {} {}: {timestamp} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset,
        timestamp_type.name(),
        size(record.key),
        size(record.value),
        keys.join(",")
    )?;
    if header.attributes.is_control() {
        write!(cx.out, "{}", control_text(record)?)?;
    }
    Ok(())
}
