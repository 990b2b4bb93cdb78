//! A window of fixed size over decompressed bytes, for walking records that are never held as a whole.

use std::io::Read;

use super::super::varint::{VarintError, varint_rest, varlong_rest, zigzag32, zigzag64};
use super::{Compression, Decoder};

/// Bytes of the window.
const WINDOW: usize = 16 * 1024;

/// Why walking on is impossible.
#[derive(Debug)]
pub(in super::super) enum StreamError {
    /// The bytes ended, or an integer was too long: the structure is wrong.
    Structure(VarintError),
    /// The codec refused its input.
    Codec(std::io::Error),
    /// More decompressed bytes than allowed.
    Limit,
}

impl From<VarintError> for StreamError {
    fn from(error: VarintError) -> Self {
        StreamError::Structure(error)
    }
}

/// Reads forwards through decompressed bytes.
pub(in super::super) struct Stream<'a> {
    decoder: Decoder<'a>,
    window: Box<[u8; WINDOW]>,
    at: usize,
    end: usize,
    /// Decompressed bytes before the window.
    before: u64,
    limit: u64,
}

impl<'a> Stream<'a> {
    pub(in super::super) fn new(
        compression: Compression,
        bytes: &'a [u8],
        limit: u64,
    ) -> Result<Stream<'a>, StreamError> {
        let decoder = Decoder::new(compression, bytes).map_err(StreamError::Codec)?;
        Ok(Stream { decoder, window: Box::new([0; WINDOW]), at: 0, end: 0, before: 0, limit })
    }

    /// Decompressed bytes read so far.
    pub(in super::super) fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    /// Whether everything has been read.
    pub(in super::super) fn is_at_end(&mut self) -> Result<bool, StreamError> {
        Ok(self.at == self.end && !self.fill()?)
    }

    #[inline]
    pub(in super::super) fn byte(&mut self) -> Result<u8, StreamError> {
        if self.at == self.end && !self.fill()? {
            return Err(VarintError::End.into());
        }
        let byte = self.window[self.at];
        self.at += 1;
        Ok(byte)
    }

    pub(in super::super) fn skip(&mut self, mut count: u64) -> Result<(), StreamError> {
        loop {
            let step = count.min((self.end - self.at) as u64);
            self.at += step as usize;
            count -= step;
            if count == 0 {
                return Ok(());
            }
            if !self.fill()? {
                return Err(VarintError::End.into());
            }
        }
    }

    pub(in super::super) fn varint(&mut self) -> Result<i32, StreamError> {
        match self.byte()? {
            first @ ..0x80 => Ok(zigzag32(first.into())),
            first => varint_rest(first, || self.byte()),
        }
    }

    pub(in super::super) fn varlong(&mut self) -> Result<i64, StreamError> {
        match self.byte()? {
            first @ ..0x80 => Ok(zigzag64(first.into())),
            first => varlong_rest(first, || self.byte()),
        }
    }

    /// Replaces the window, all of which has been read; false at the end.
    fn fill(&mut self) -> Result<bool, StreamError> {
        self.before += self.end as u64;
        self.at = 0;
        self.end = 0;
        self.end = self.decoder.read(&mut self.window[..]).map_err(StreamError::Codec)?;
        if self.before + self.end as u64 > self.limit {
            return Err(StreamError::Limit);
        }
        Ok(self.end > 0)
    }
}
