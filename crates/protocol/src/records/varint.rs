//! Zig-zag variable-length integers, and a cursor that reads them without ever passing the end.

/// Why a read did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VarintError {
    /// The bytes ended first.
    End,
    /// A continuation bit in the last byte that may exist.
    TooLong,
}

/// Reads forwards through bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, VarintError> {
        let (&first, rest) = self.rest.split_first().ok_or(VarintError::End)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], VarintError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(VarintError::End)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A zig-zag `int32`.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i32, VarintError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(zigzag32(u32::from(first)));
        }
        varint_rest(first, || self.byte())
    }

    /// A zig-zag `int64`.
    #[inline]
    pub(super) fn varlong(&mut self) -> Result<i64, VarintError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(zigzag64(u64::from(first)));
        }
        varlong_rest(first, || self.byte())
    }

    /// Bytes with a `varint` length before them; any negative length is null.
    #[inline]
    pub(super) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, VarintError> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// The bytes after `first`, which has its continuation bit set.
pub(super) fn varint_rest<E: From<VarintError>>(
    first: u8,
    mut next: impl FnMut() -> Result<u8, E>,
) -> Result<i32, E> {
    let mut value = u32::from(first & 0x7f);
    for shift in [7, 14, 21, 28] {
        let byte = next()?;
        // Bits of the fifth byte that do not fit are dropped, as Kafka does.
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(zigzag32(value));
        }
    }
    Err(VarintError::TooLong.into())
}

/// As [`varint_rest`], for 64 bits.
pub(super) fn varlong_rest<E: From<VarintError>>(
    first: u8,
    mut next: impl FnMut() -> Result<u8, E>,
) -> Result<i64, E> {
    let mut value = u64::from(first & 0x7f);
    for shift in [7, 14, 21, 28, 35, 42, 49, 56, 63] {
        let byte = next()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(zigzag64(value));
        }
    }
    Err(VarintError::TooLong.into())
}

pub(super) fn zigzag32(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

pub(super) fn zigzag64(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

pub(super) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_varlong(out, i64::from(value));
}

pub(super) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = (value << 1) as u64 ^ (value >> 63) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Encoded size of `value` in bytes. An `i32` has the same size whichever width it is encoded as.
pub(super) fn size_of_varlong(value: i64) -> usize {
    let raw = (value << 1) as u64 ^ (value >> 63) as u64;
    (64 - (raw | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_read_back(value: i32) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert_eq!(bytes.len(), size_of_varlong(value.into()));
            prop_assert_eq!(Cursor::new(&bytes).varint(), Ok(value));
        }

        #[test]
        fn varlongs_read_back(value: i64) {
            let mut bytes = Vec::new();
            put_varlong(&mut bytes, value);
            prop_assert_eq!(bytes.len(), size_of_varlong(value));
            prop_assert_eq!(Cursor::new(&bytes).varlong(), Ok(value));
        }
    }

    #[test]
    fn overlong_and_cut_off_integers_are_refused() {
        assert_eq!(Cursor::new(&[0x80; 5]).varint(), Err(VarintError::TooLong));
        assert_eq!(Cursor::new(&[0x80; 10]).varlong(), Err(VarintError::TooLong));
        assert_eq!(Cursor::new(&[0x80; 4]).varint(), Err(VarintError::End));
        assert_eq!(Cursor::new(&[0x80; 9]).varlong(), Err(VarintError::End));
        assert_eq!(Cursor::new(&[]).varint(), Err(VarintError::End));
    }

    #[test]
    fn extremes_have_their_known_bytes() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, i32::MIN);
        assert_eq!(bytes, [0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(Cursor::new(&bytes).varint(), Ok(i32::MIN));
        bytes.clear();
        put_varlong(&mut bytes, i64::MIN);
        assert_eq!(bytes, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }
}
