//! Writing: small fields are gathered, record bytes are kept as references.

use super::{Records, UnknownTags};
use crate::ids::Uuid;
use bytes::Bytes;
use bytestring::ByteString;

/// Record bytes up to this size are copied into the buffer: cheaper than one more element in a vectored write.
const INLINE_RECORDS_MAX: usize = 1024;

/// Why a message cannot be written at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A field has a value that the version cannot carry.
    #[error("field {0} has a value but is not in this version")]
    NotInVersion(&'static str),
    /// A null in a version that has none there.
    #[error("a field that must not be null in this version is null")]
    Null,
    /// A string of more than 32,767 bytes in a version with two-byte lengths.
    #[error("a string of {0} bytes is too long for this version")]
    StringLength(usize),
}

/// Result of writing.
pub type EncodeResult = Result<(), EncodeError>;

/// Something that stands between two stretches of the buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Insert {
    /// Shared memory.
    Bytes(Bytes),
    /// The sender's region number `index`, of `len` bytes.
    External {
        /// The sender's number of the region.
        index: u32,
        /// How many bytes it has.
        len: u32,
    },
}

/// One stretch of a finished message, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// The sender's region number `index`, of `len` bytes.
    External {
        /// The sender's number of the region.
        index: u32,
        /// How many bytes it has.
        len: u32,
    },
}

/// Gathers a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writer {
    buffer: Vec<u8>,
    /// What stands before the byte of the buffer at the position.
    inserts: Vec<(usize, Insert)>,
    inserted: usize,
}

impl From<Vec<u8>> for Writer {
    /// A writer that goes on behind these bytes.
    fn from(buffer: Vec<u8>) -> Writer {
        Writer { buffer, inserts: Vec::new(), inserted: 0 }
    }
}

impl Writer {
    /// Size of all that was written.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.inserted
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reserves four bytes for the size of a frame; give the result to [`Writer::end_frame`].
    pub fn begin_frame(&mut self) -> FrameStart {
        let start = FrameStart { at: self.buffer.len(), len: self.len() + 4 };
        self.i32(0);
        start
    }

    /// Fills in the size of what was written since [`Writer::begin_frame`].
    pub fn end_frame(&mut self, start: FrameStart) {
        let size = u32::try_from(self.len() - start.len).expect("a response is bounded far below 4 GiB");
        if let Some(place) = self.buffer.get_mut(start.at..start.at + 4) {
            place.copy_from_slice(&size.to_be_bytes());
        }
    }

    /// The stretches in order, none of them empty.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut from = 0;
        let ends =
            self.inserts.iter().map(|(at, insert)| (*at, Some(insert))).chain([(self.buffer.len(), None)]);
        ends.flat_map(move |(at, insert)| {
            let before = Piece::Bytes(self.buffer.get(from..at).unwrap_or_default());
            from = at;
            let inserted = match insert {
                Some(Insert::Bytes(bytes)) => Some(Piece::Bytes(bytes)),
                Some(Insert::External { index, len }) => Some(Piece::External { index: *index, len: *len }),
                None => None,
            };
            [Some(before), inserted]
        })
        .flatten()
        .filter(|piece| !matches!(piece, Piece::Bytes([])))
    }

    /// Takes it apart: the buffer, and what stands before which of its bytes.
    pub fn into_parts(self) -> (Vec<u8>, Vec<(usize, Insert)>) {
        (self.buffer, self.inserts)
    }

    /// All in one vector. External regions are not there: for messages that have none.
    pub fn into_vec(self) -> Vec<u8> {
        if self.inserts.is_empty() {
            return self.buffer;
        }
        let mut all = Vec::with_capacity(self.len());
        for piece in self.pieces() {
            match piece {
                Piece::Bytes(bytes) => all.extend_from_slice(bytes),
                Piece::External { .. } => {
                    debug_assert!(false, "a message with regions is sent piece by piece")
                }
            }
        }
        all
    }

    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.buffer.push(value.into());
    }

    /// One byte, signed.
    pub fn i8(&mut self, value: i8) {
        self.put(&value.to_be_bytes());
    }

    /// Two bytes, signed.
    pub fn i16(&mut self, value: i16) {
        self.put(&value.to_be_bytes());
    }

    /// Two bytes, unsigned.
    pub fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Four bytes, signed.
    pub fn i32(&mut self, value: i32) {
        self.put(&value.to_be_bytes());
    }

    /// Four bytes, unsigned.
    pub fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self, value: i64) {
        self.put(&value.to_be_bytes());
    }

    /// Eight bytes, IEEE 754.
    pub fn f64(&mut self, value: f64) {
        self.put(&value.to_be_bytes());
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.put(&value.0);
    }

    /// An unsigned varint.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    /// A string.
    pub fn string(&mut self, flexible: bool, value: &ByteString) -> EncodeResult {
        if flexible {
            self.array_len(true, value.len());
        } else {
            self.i16(i16::try_from(value.len()).map_err(|_| EncodeError::StringLength(value.len()))?);
        }
        self.put(value.as_bytes());
        Ok(())
    }

    /// A string or null.
    pub fn nullable_string(
        &mut self,
        flexible: bool,
        nullable: bool,
        value: Option<&ByteString>,
    ) -> EncodeResult {
        match value {
            Some(value) => self.string(flexible, value),
            None if !nullable => Err(EncodeError::Null),
            None if flexible => {
                self.uvarint(0);
                Ok(())
            }
            None => {
                self.i16(-1);
                Ok(())
            }
        }
    }

    /// Bytes.
    pub fn bytes(&mut self, flexible: bool, value: &Bytes) {
        self.array_len(flexible, value.len());
        self.put(value);
    }

    /// Bytes or null.
    pub fn nullable_bytes(&mut self, flexible: bool, nullable: bool, value: Option<&Bytes>) -> EncodeResult {
        self.nullable_array_len(flexible, nullable, value.map(Bytes::len))?;
        self.put(value.map(Bytes::as_ref).unwrap_or_default());
        Ok(())
    }

    /// Record batches; large ones are referred to, not copied.
    pub fn records(&mut self, flexible: bool, value: &Records) {
        self.array_len(flexible, value.len());
        let insert = match value {
            Records::Bytes(bytes) if bytes.len() <= INLINE_RECORDS_MAX => return self.put(bytes),
            Records::Bytes(bytes) => Insert::Bytes(bytes.clone()),
            Records::External { len: 0, .. } => return,
            Records::External { index, len } => Insert::External { index: *index, len: *len },
        };
        self.inserts.push((self.buffer.len(), insert));
        self.inserted += value.len();
    }

    /// Record batches or null.
    pub fn nullable_records(
        &mut self,
        flexible: bool,
        nullable: bool,
        value: Option<&Records>,
    ) -> EncodeResult {
        match value {
            Some(value) => {
                self.records(flexible, value);
                Ok(())
            }
            None => self.nullable_array_len(flexible, nullable, None),
        }
    }

    /// The presence byte of a struct, where the version has one.
    pub fn nullable_struct(&mut self, nullable: bool, present: bool) -> EncodeResult {
        match (nullable, present) {
            (true, true) => self.i8(1),
            (true, false) => self.i8(-1),
            (false, true) => {}
            (false, false) => return Err(EncodeError::Null),
        }
        Ok(())
    }

    /// The same in a tagged field, where it is a varint: 0 for null.
    pub fn tagged_nullable_struct(&mut self, present: bool) {
        self.uvarint(u32::from(present));
    }

    /// The count of an array that follows.
    pub fn array_len(&mut self, flexible: bool, count: usize) {
        let count = i32::try_from(count).expect("a message is bounded far below 2 GiB");
        if flexible { self.uvarint(count as u32 + 1) } else { self.i32(count) }
    }

    /// The count of an array that follows, or null.
    pub fn nullable_array_len(
        &mut self,
        flexible: bool,
        nullable: bool,
        count: Option<usize>,
    ) -> EncodeResult {
        match count {
            Some(count) => self.array_len(flexible, count),
            None if !nullable => return Err(EncodeError::Null),
            None if flexible => self.uvarint(0),
            None => self.i32(-1),
        }
        Ok(())
    }

    /// The tagged fields of a struct that knows none.
    pub fn unknown_tags(&mut self, unknown: &UnknownTags) {
        TagWriter::default().finish(self, unknown);
    }
}

/// Where a frame began; see [`Writer::begin_frame`].
#[derive(Debug)]
#[must_use]
pub struct FrameStart {
    at: usize,
    len: usize,
}

/// Gathers the tagged fields of a struct.
#[derive(Default)]
pub struct TagWriter(Vec<(u32, Vec<u8>)>);

impl TagWriter {
    /// Adds a known field, in ascending order of tags.
    pub fn field(&mut self, tag: u32, write: impl FnOnce(&mut Writer) -> EncodeResult) -> EncodeResult {
        let mut value = Writer::default();
        write(&mut value)?;
        self.0.push((tag, value.into_vec()));
        Ok(())
    }

    /// Writes the section: known and unknown fields merged by tag.
    pub fn finish(self, w: &mut Writer, unknown: &UnknownTags) {
        let known = self.0.iter().map(|(tag, value)| (*tag, value.as_slice()));
        let unknown = unknown.iter().map(|(tag, value)| (tag, value.as_ref()));
        if known.len() + unknown.len() == 0 {
            return w.uvarint(0);
        }
        let mut all: Vec<(u32, &[u8])> = known.chain(unknown).collect();
        all.sort_by_key(|(tag, _)| *tag);
        w.uvarint(all.len() as u32);
        for (tag, value) in all {
            w.uvarint(tag);
            w.uvarint(value.len() as u32);
            w.put(value);
        }
    }
}
