//! Goes through the records of a batch without keeping them: in place if they are not compressed, through a window of
//! fixed size if they are.

use std::ops::ControlFlow;

use super::compression::{Stream, StreamError};
use super::record::log_append_time;
use super::varint::{Cursor, VarintError};
use super::{BatchHeader, Compression, RecordBatch, RecordError};
use crate::Offset;

/// What a walk tells of each record.
pub(super) struct Facts {
    /// Index in the batch.
    pub(super) index: i32,
    pub(super) offset_delta: i32,
    pub(super) timestamp: i64,
    /// Negative for null.
    pub(super) key_size: i32,
    pub(super) value_size: i32,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(super) enum WalkError {
    Record { index: i32, what: &'static str },
    Stream(StreamError),
}

impl From<StreamError> for WalkError {
    fn from(error: StreamError) -> Self {
        WalkError::Stream(error)
    }
}

/// Walks all records, or until `visit` breaks off; gives the size of what was walked.
pub(super) fn walk(
    header: &BatchHeader,
    body: &[u8],
    decompressed_bytes_max: u64,
    visit: impl FnMut(&Facts) -> ControlFlow<()>,
) -> Result<u64, WalkError> {
    let Ok(compression) = header.attributes.compression() else {
        return Err(WalkError::Record { index: 0, what: "unknown compression" });
    };
    match compression {
        Compression::None => walk_source(header, &mut SliceSource::new(body), visit),
        _ => walk_source(header, &mut Stream::new(compression, body, decompressed_bytes_max)?, visit),
    }
}

fn walk_source(
    header: &BatchHeader,
    source: &mut impl Source,
    mut visit: impl FnMut(&Facts) -> ControlFlow<()>,
) -> Result<u64, WalkError> {
    let log_append_time = log_append_time(header);
    for index in 0..header.record_count {
        let facts = read(source, index, header.base_timestamp, log_append_time)?;
        if visit(&facts).is_break() {
            return Ok(source.position());
        }
    }
    if !source.is_at_end()? {
        let index = header.record_count;
        return Err(WalkError::Record { index, what: "bytes after the last record" });
    }
    Ok(source.position())
}

/// Reads one record and checks its structure. Without compaction offset deltas count up from zero; that is for the
/// caller to know.
#[inline]
fn read(
    source: &mut impl Source,
    index: i32,
    base_timestamp: i64,
    log_append_time: Option<i64>,
) -> Result<Facts, WalkError> {
    let wrong = |what| WalkError::Record { index, what };
    let length = u64::try_from(source.varint()?).map_err(|_| wrong("negative length"))?;
    let end = source.position() + length;
    let _attributes = source.byte()?;
    let timestamp_delta = source.varlong()?;
    let offset_delta = source.varint()?;
    let key_size = skip_nullable(source)?;
    let value_size = skip_nullable(source)?;
    let headers = source.varint()?;
    if headers < 0 {
        return Err(wrong("negative header count"));
    }
    for _ in 0..headers {
        if skip_nullable(source)? < 0 {
            return Err(wrong("null header name"));
        }
        skip_nullable(source)?;
    }
    if source.position() != end {
        return Err(wrong("not as long as it says"));
    }
    let timestamp = log_append_time.unwrap_or(base_timestamp.wrapping_add(timestamp_delta));
    Ok(Facts { index, offset_delta, timestamp, key_size, value_size })
}

/// Passes a nullable byte string; gives its size, negative for null.
#[inline]
fn skip_nullable(source: &mut impl Source) -> Result<i32, StreamError> {
    let size = source.varint()?;
    if size > 0 {
        source.skip(size as u64)?;
    }
    Ok(size)
}

/// Where the records' bytes come from.
trait Source {
    fn byte(&mut self) -> Result<u8, StreamError>;
    fn varint(&mut self) -> Result<i32, StreamError>;
    fn varlong(&mut self) -> Result<i64, StreamError>;
    fn skip(&mut self, count: u64) -> Result<(), StreamError>;
    fn position(&self) -> u64;
    fn is_at_end(&mut self) -> Result<bool, StreamError>;
}

impl Source for Stream<'_> {
    fn byte(&mut self) -> Result<u8, StreamError> {
        Stream::byte(self)
    }
    fn varint(&mut self) -> Result<i32, StreamError> {
        Stream::varint(self)
    }
    fn varlong(&mut self) -> Result<i64, StreamError> {
        Stream::varlong(self)
    }
    fn skip(&mut self, count: u64) -> Result<(), StreamError> {
        Stream::skip(self, count)
    }
    fn position(&self) -> u64 {
        Stream::position(self)
    }
    fn is_at_end(&mut self) -> Result<bool, StreamError> {
        Stream::is_at_end(self)
    }
}

/// Uncompressed records.
struct SliceSource<'a> {
    cursor: Cursor<'a>,
    size: usize,
}

impl<'a> SliceSource<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        SliceSource { cursor: Cursor::new(bytes), size: bytes.len() }
    }
}

impl Source for SliceSource<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, StreamError> {
        Ok(self.cursor.byte()?)
    }
    #[inline]
    fn varint(&mut self) -> Result<i32, StreamError> {
        Ok(self.cursor.varint()?)
    }
    #[inline]
    fn varlong(&mut self) -> Result<i64, StreamError> {
        Ok(self.cursor.varlong()?)
    }
    #[inline]
    fn skip(&mut self, count: u64) -> Result<(), StreamError> {
        let count = usize::try_from(count).map_err(|_| VarintError::End)?;
        self.cursor.take(count)?;
        Ok(())
    }
    #[inline]
    fn position(&self) -> u64 {
        (self.size - self.cursor.remaining()) as u64
    }
    fn is_at_end(&mut self) -> Result<bool, StreamError> {
        Ok(self.cursor.remaining() == 0)
    }
}

impl RecordBatch<'_> {
    /// The first record at or after `offset` whose timestamp is at least `timestamp`: its offset and timestamp. The
    /// records are not held in memory, however large they are when decompressed.
    ///
    /// # Errors
    /// What is wrong with the batch.
    pub fn find_timestamp(
        &self,
        timestamp: i64,
        offset: Offset,
    ) -> Result<Option<(Offset, i64)>, RecordError> {
        let mut found = None;
        let base_offset = self.base_offset().0;
        let walked = walk(self.header(), self.body(), u64::MAX, |facts| {
            let at = base_offset.wrapping_add(i64::from(facts.offset_delta));
            if facts.timestamp < timestamp || at < offset.0 {
                return ControlFlow::Continue(());
            }
            found = Some((Offset(at), facts.timestamp));
            ControlFlow::Break(())
        });
        match walked {
            Ok(_) => Ok(found),
            Err(WalkError::Record { index, what }) => {
                Err(RecordError::BadRecord { index: index as u32, what })
            }
            Err(WalkError::Stream(StreamError::Codec(error))) => {
                let name = self.header().attributes.compression()?.name();
                Err(RecordError::Decompress(name, error.to_string()))
            }
            Err(WalkError::Stream(_)) => Err(RecordError::BadBatch("records end early")),
        }
    }
}
