//! Reading: bounded, without copies.

use super::{Records, UnknownTags};
use crate::ids::Uuid;
use bytes::Bytes;
use bytestring::ByteString;

/// What decoding one frame may take in memory at the most, beside the frame itself.
pub const DECODE_BUDGET_MAX: usize = 64 << 20;

/// Memory that a frame of `len` bytes may take when decoded. Real messages take up to 16 times their size (lists of
/// one-letter names); more than twice that is an attack.
fn decode_budget(len: usize) -> usize {
    (64usize << 10).saturating_add(len.saturating_mul(32)).min(DECODE_BUDGET_MAX)
}

/// Why bytes are not the message that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame ends inside a field.
    #[error("the message ends {0} bytes early")]
    Short(usize),
    /// A length or count is negative, or larger than what is left of the frame.
    #[error("a field's length of {0} does not fit its message")]
    Length(i64),
    /// A varint of more than five bytes or 32 bits.
    #[error("a varint is too long")]
    Varint,
    /// A null where the schema has none.
    #[error("a field that must not be null is null")]
    Null,
    /// Bytes left over at the end of a message or of a tagged field.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// The message would take more memory than its size justifies.
    #[error("the message would take too much memory when decoded")]
    Budget,
}

/// Result of reading.
pub type DecodeResult<T> = Result<T, DecodeError>;

/// Walks one frame from front to back.
pub struct Reader<'a> {
    frame: &'a Bytes,
    rest: &'a [u8],
    /// Bytes of memory that arrays may still take.
    budget: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `frame`, with the budget of its size.
    pub fn new(frame: &'a Bytes) -> Self {
        Reader { frame, rest: frame, budget: decode_budget(frame.len()) }
    }

    /// Whether all of the frame was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, count: usize) -> DecodeResult<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeError::Short(count - self.rest.len().min(count)))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array_of<const N: usize>(&mut self) -> DecodeResult<[u8; N]> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or(DecodeError::Short(N - self.rest.len().min(N)))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn share(&mut self, count: usize) -> DecodeResult<Bytes> {
        let taken = self.take(count)?;
        Ok(self.frame.slice_ref(taken))
    }

    fn charge(&mut self, bytes: usize) -> DecodeResult<()> {
        self.budget = self.budget.checked_sub(bytes).ok_or(DecodeError::Budget)?;
        Ok(())
    }

    /// A boolean: any byte but zero is true.
    pub fn bool(&mut self) -> DecodeResult<bool> {
        Ok(self.array_of::<1>()? != [0])
    }

    /// One byte, signed.
    pub fn i8(&mut self) -> DecodeResult<i8> {
        Ok(i8::from_be_bytes(self.array_of()?))
    }

    /// Two bytes, signed.
    pub fn i16(&mut self) -> DecodeResult<i16> {
        Ok(i16::from_be_bytes(self.array_of()?))
    }

    /// Two bytes, unsigned.
    pub fn u16(&mut self) -> DecodeResult<u16> {
        Ok(u16::from_be_bytes(self.array_of()?))
    }

    /// Four bytes, signed.
    pub fn i32(&mut self) -> DecodeResult<i32> {
        Ok(i32::from_be_bytes(self.array_of()?))
    }

    /// Four bytes, unsigned.
    pub fn u32(&mut self) -> DecodeResult<u32> {
        Ok(u32::from_be_bytes(self.array_of()?))
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self) -> DecodeResult<i64> {
        Ok(i64::from_be_bytes(self.array_of()?))
    }

    /// Eight bytes, IEEE 754.
    pub fn f64(&mut self) -> DecodeResult<f64> {
        Ok(f64::from_be_bytes(self.array_of()?))
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self) -> DecodeResult<Uuid> {
        Ok(Uuid(self.array_of()?))
    }

    /// An unsigned varint of up to 32 bits.
    pub fn uvarint(&mut self) -> DecodeResult<u32> {
        let mut value = 0u32;
        for group in 0..5 {
            let [byte] = self.array_of()?;
            if group == 4 && byte > 0x0f {
                return Err(DecodeError::Varint);
            }
            value |= u32::from(byte & 0x7f) << (7 * group);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint)
    }

    /// Length or count of what follows. `None` is null: -1, and as Kafka has it any other number below zero. Never more
    /// than the bytes that are left.
    fn length(&mut self, flexible: bool, short: bool) -> DecodeResult<Option<usize>> {
        let length = match (flexible, short) {
            (true, _) => self.uvarint()?.cast_signed().wrapping_sub(1),
            (false, true) => i32::from(self.i16()?),
            (false, false) => self.i32()?,
        };
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(Some(length)),
            Ok(_) => Err(DecodeError::Length(length.into())),
            Err(_) => Ok(None),
        }
    }

    /// A string that may be null if `nullable`. Bytes that are not UTF-8 are replaced, as a JVM does.
    pub fn nullable_string(&mut self, flexible: bool, nullable: bool) -> DecodeResult<Option<ByteString>> {
        let Some(length) = self.length(flexible, true)? else { return null(nullable) };
        // Compact strings could say more; Kafka reads no longer ones than before KIP-482, since old versions carry them on.
        if length > i16::MAX as usize {
            return Err(DecodeError::Length(length as i64));
        }
        let bytes = self.share(length)?;
        Ok(Some(match ByteString::try_from(bytes.clone()) {
            Ok(string) => string,
            Err(_) => String::from_utf8_lossy(&bytes).into_owned().into(),
        }))
    }

    /// A string.
    pub fn string(&mut self, flexible: bool) -> DecodeResult<ByteString> {
        self.nullable_string(flexible, false)?.ok_or(DecodeError::Null)
    }

    /// Bytes that may be null if `nullable`.
    pub fn nullable_bytes(&mut self, flexible: bool, nullable: bool) -> DecodeResult<Option<Bytes>> {
        match self.length(flexible, false)? {
            Some(length) => self.share(length).map(Some),
            None => null(nullable),
        }
    }

    /// Bytes.
    pub fn bytes(&mut self, flexible: bool) -> DecodeResult<Bytes> {
        self.nullable_bytes(flexible, false)?.ok_or(DecodeError::Null)
    }

    /// Record batches that may be null if `nullable`.
    pub fn nullable_records(&mut self, flexible: bool, nullable: bool) -> DecodeResult<Option<Records>> {
        Ok(self.nullable_bytes(flexible, nullable)?.map(Records::Bytes))
    }

    /// Record batches.
    pub fn records(&mut self, flexible: bool) -> DecodeResult<Records> {
        self.bytes(flexible).map(Records::Bytes)
    }

    /// A struct behind a presence byte, where the version has one.
    pub fn nullable_struct<T>(
        &mut self,
        nullable: bool,
        decode: impl FnOnce(&mut Self) -> DecodeResult<T>,
    ) -> DecodeResult<Option<T>> {
        if nullable && self.i8()? < 0 { Ok(None) } else { decode(self).map(Some) }
    }

    /// The same in a tagged field: what stands before it there is a varint, 0 for null.
    pub fn tagged_nullable_struct<T>(
        &mut self,
        decode: impl FnOnce(&mut Self) -> DecodeResult<T>,
    ) -> DecodeResult<Option<T>> {
        if self.uvarint()? == 0 { Ok(None) } else { decode(self).map(Some) }
    }

    /// An array that may be null if `nullable`.
    pub fn nullable_array<T>(
        &mut self,
        flexible: bool,
        nullable: bool,
        mut element: impl FnMut(&mut Self) -> DecodeResult<T>,
    ) -> DecodeResult<Option<Vec<T>>> {
        let Some(count) = self.length(flexible, false)? else { return null(nullable) };
        self.charge(count.saturating_mul(size_of::<T>()))?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(element(self)?);
        }
        Ok(Some(items))
    }

    /// An array.
    pub fn array<T>(
        &mut self,
        flexible: bool,
        element: impl FnMut(&mut Self) -> DecodeResult<T>,
    ) -> DecodeResult<Vec<T>> {
        self.nullable_array(flexible, false, element)?.ok_or(DecodeError::Null)
    }

    /// A section of tagged fields. `known` reads the value of a tag that it knows and says whether it did. Senders put
    /// tags in ascending order, each once; Kafka does not insist, and neither do we.
    pub fn tags(
        &mut self,
        unknown: &mut UnknownTags,
        mut known: impl FnMut(u32, &mut Reader<'a>) -> DecodeResult<bool>,
    ) -> DecodeResult<()> {
        let count = self.uvarint()?;
        for _ in 0..count {
            let tag = self.uvarint()?;
            let size = self.uvarint()?;
            let body = self.take(size as usize)?;
            let mut value = Reader { frame: self.frame, rest: body, budget: self.budget };
            if known(tag, &mut value)? {
                if !value.is_empty() {
                    return Err(DecodeError::Trailing(value.remaining()));
                }
                self.budget = value.budget;
            } else {
                self.charge(size_of::<(u32, Bytes)>())?;
                unknown.push(tag, self.frame.slice_ref(body));
            }
        }
        Ok(())
    }

    /// A section of tagged fields in a struct that knows none.
    pub fn unknown_tags(&mut self, unknown: &mut UnknownTags) -> DecodeResult<()> {
        self.tags(unknown, |_, _| Ok(false))
    }
}

fn null<T>(nullable: bool) -> DecodeResult<Option<T>> {
    if nullable { Ok(None) } else { Err(DecodeError::Null) }
}
