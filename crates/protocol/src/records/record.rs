//! Records inside a batch: borrowed from its bytes, or from their decompressed form.

use std::borrow::Cow;

use super::varint::{Cursor, VarintError, put_varint, put_varlong, size_of_varlong};
use super::{BatchHeader, Compression, RecordError, TimestampType, compression};
use crate::Offset;

/// A record header (KIP-82): a name, which may occur several times, and a value, which may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 as clients write it; not checked, since brokers do not look at it.
    pub key: &'a [u8],
    /// The value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// A header with a text name.
    pub fn new(key: &'a str, value: Option<&'a [u8]>) -> Self {
        Header { key: key.as_bytes(), value }
    }

    /// The name as text; bytes that are not UTF-8 are replaced.
    pub fn key_text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.key)
    }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the log; in a producer's batch its index.
    pub offset: Offset,
    /// Milliseconds since 1970, or [`NO_TIMESTAMP`](super::NO_TIMESTAMP). The batch's if the broker set it.
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// The headers of a record, in the order in which they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    count: u32,
    /// Walked once when the record was read, so that walking them again cannot fail.
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value of the last header of that name, as clients' `lastHeader` finds it.
    pub fn last(&self, key: &str) -> Option<Header<'a>> {
        self.filter(|header| header.key == key.as_bytes()).last()
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        let mut cursor = Cursor::new(self.bytes);
        let header = read_header(&mut cursor).ok()?;
        self.bytes = &self.bytes[self.bytes.len() - cursor.remaining()..];
        Some(header)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The records of one batch. Iterate over `&records`.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
    record_count: i32,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Records<'a> {
    pub(super) fn of(
        header: &BatchHeader,
        body: &'a [u8],
        decompressed_bytes_max: u64,
    ) -> Result<Records<'a>, RecordError> {
        let bytes = match header.attributes.compression()? {
            Compression::None => Cow::Borrowed(body),
            compression => Cow::Owned(compression::decompress(compression, body, decompressed_bytes_max)?),
        };
        if header.record_count < 0 {
            return Err(RecordError::BadBatch("negative record count"));
        }
        Ok(Records {
            base_offset: header.base_offset.0,
            base_timestamp: header.base_timestamp,
            log_append_time: log_append_time(header),
            record_count: header.record_count,
            bytes,
        })
    }

    /// How many records the header says there are.
    pub fn len(&self) -> usize {
        self.record_count as usize
    }

    /// Whether the header says that there are none: what compaction may leave of a batch.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Walks the records. An error is the last item.
    pub fn iter(&self) -> RecordsIter<'_> {
        RecordsIter {
            cursor: Cursor::new(&self.bytes),
            base_offset: self.base_offset,
            base_timestamp: self.base_timestamp,
            log_append_time: self.log_append_time,
            index: 0,
            record_count: self.record_count as u32,
        }
    }
}

impl<'r> IntoIterator for &'r Records<'_> {
    type Item = Result<Record<'r>, RecordError>;
    type IntoIter = RecordsIter<'r>;

    fn into_iter(self) -> RecordsIter<'r> {
        self.iter()
    }
}

/// See [`Records::iter`].
#[derive(Clone, Debug)]
pub struct RecordsIter<'r> {
    cursor: Cursor<'r>,
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
    index: u32,
    record_count: u32,
}

impl<'r> RecordsIter<'r> {
    fn read(&mut self) -> Result<Record<'r>, RecordError> {
        let record =
            read_record(&mut self.cursor, self.base_offset, self.base_timestamp, self.log_append_time)
                .map_err(|what| RecordError::BadRecord { index: self.index, what })?;
        self.index += 1;
        if self.index == self.record_count && self.cursor.remaining() > 0 {
            return Err(RecordError::BadBatch("bytes after the last record"));
        }
        Ok(record)
    }
}

impl<'r> Iterator for RecordsIter<'r> {
    type Item = Result<Record<'r>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.record_count {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.index = self.record_count;
        }
        Some(record)
    }
}

/// The one timestamp of all records, where the broker set it.
pub(super) fn log_append_time(header: &BatchHeader) -> Option<i64> {
    let by_broker = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    by_broker.then_some(header.max_timestamp)
}

/// One record, its length first:
///
/// ```text
/// length varint │ attributes i8 │ timestamp Δ varlong │ offset Δ varint │ key bytes? │ value bytes? │ headers
/// ```
fn read_record<'r>(
    cursor: &mut Cursor<'r>,
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
) -> Result<Record<'r>, &'static str> {
    let length = cursor.varint().map_err(describe)?;
    let length = usize::try_from(length).map_err(|_| "negative length")?;
    let body = cursor.take(length).map_err(|_| "longer than its batch")?;
    let mut cursor = Cursor::new(body);
    let _attributes = cursor.byte().map_err(describe)?;
    let timestamp_delta = cursor.varlong().map_err(describe)?;
    let offset_delta = cursor.varint().map_err(describe)?;
    let key = cursor.nullable_bytes().map_err(describe)?;
    let value = cursor.nullable_bytes().map_err(describe)?;
    let count = cursor.varint().map_err(describe)?;
    let count = u32::try_from(count).map_err(|_| "negative header count")?;
    let headers = Headers { count, bytes: &body[body.len() - cursor.remaining()..] };
    for _ in 0..count {
        read_header(&mut cursor)?;
    }
    if cursor.remaining() > 0 {
        return Err("shorter than its length");
    }
    Ok(Record {
        offset: Offset(base_offset.wrapping_add(i64::from(offset_delta))),
        timestamp: log_append_time.unwrap_or(base_timestamp.wrapping_add(timestamp_delta)),
        key,
        value,
        headers,
    })
}

fn read_header<'r>(cursor: &mut Cursor<'r>) -> Result<Header<'r>, &'static str> {
    let key = cursor.nullable_bytes().map_err(describe)?.ok_or("null header name")?;
    let value = cursor.nullable_bytes().map_err(describe)?;
    Ok(Header { key, value })
}

fn describe(error: VarintError) -> &'static str {
    match error {
        VarintError::End => "ends early",
        VarintError::TooLong => "overlong integer",
    }
}

/// Writes one record with its length.
pub(super) fn write_record(
    out: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) {
    let length = 1
        + size_of_varlong(timestamp_delta)
        + size_of_varlong(offset_delta.into())
        + size_of_nullable(key)
        + size_of_nullable(value)
        + size_of_varlong(headers.len() as i64)
        + headers.iter().map(|h| size_of_nullable(Some(h.key)) + size_of_nullable(h.value)).sum::<usize>();
    out.reserve(length + 5);
    put_length(out, length);
    out.push(0);
    put_varlong(out, timestamp_delta);
    put_varint(out, offset_delta);
    put_nullable(out, key);
    put_nullable(out, value);
    put_length(out, headers.len());
    for header in headers {
        put_nullable(out, Some(header.key));
        put_nullable(out, header.value);
    }
}

/// Writes a record that was read, at another distance from its batch's offset and timestamp.
pub(super) fn copy_record(out: &mut Vec<u8>, timestamp_delta: i64, offset_delta: i32, record: &Record<'_>) {
    let headers = &record.headers;
    let length = 1
        + size_of_varlong(timestamp_delta)
        + size_of_varlong(offset_delta.into())
        + size_of_nullable(record.key)
        + size_of_nullable(record.value)
        + size_of_varlong(headers.count.into())
        + headers.bytes.len();
    out.reserve(length + 5);
    put_length(out, length);
    out.push(0);
    put_varlong(out, timestamp_delta);
    put_varint(out, offset_delta);
    put_nullable(out, record.key);
    put_nullable(out, record.value);
    put_length(out, headers.len());
    out.extend_from_slice(headers.bytes);
}

fn size_of_nullable(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| size_of_varlong(bytes.len() as i64) + bytes.len())
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_length(out, bytes.len());
            out.extend_from_slice(bytes);
        }
        None => put_varint(out, -1),
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    put_varint(out, i32::try_from(length).expect("a batch is built in memory, far below 2 GiB"));
}
