//! Snappy as Kafka's clients frame it: xerial's header, then blocks with their length before them.
//!
//! ```text
//! 82 53 4e 41 50 50 59 00 │ version i32 │ compatible version i32 │ (length i32 │ block)…
//! ```
//! Some clients send a single block without any framing; it is told by the missing first bytes.

use std::io::{Error, Read, Result, Write};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: i32 = 1;
const HEADER_SIZE: usize = 16;
/// Uncompressed bytes in a block, as snappy-java writes them.
const BLOCK_SIZE: usize = 32 * 1024;
/// No snappy element makes more than 64 bytes of 3, so a block that claims more than this many times its size is
/// damaged. It bounds what is allocated for a block by what was received.
const EXPANSION_MAX: usize = 22;

/// Reads block by block.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Reader<'a>> {
        let framed = bytes.starts_with(&MAGIC);
        let rest = match framed {
            true => bytes.get(HEADER_SIZE..).ok_or_else(|| Error::other("header cut off"))?,
            false if bytes.is_empty() => return Err(Error::other("empty")),
            false => bytes,
        };
        Ok(Reader { rest, framed, block: Vec::new(), at: 0 })
    }

    /// Decompresses the next block; false at the end.
    fn next_block(&mut self) -> Result<bool> {
        // What is too short for a block's length is not read, as snappy-java does.
        if self.rest.is_empty() || self.framed && self.rest.len() < 4 {
            return Ok(false);
        }
        // Streams that were written one after the other into the same bytes are read as one, as snappy-java does.
        if self.framed && self.rest.starts_with(&MAGIC) {
            self.rest = self.rest.get(HEADER_SIZE..).ok_or_else(|| Error::other("header cut off"))?;
            return Ok(true);
        }
        let block = if self.framed { self.take_framed()? } else { std::mem::take(&mut self.rest) };
        let size = snap::raw::decompress_len(block).map_err(Error::other)?;
        if size > block.len().saturating_mul(EXPANSION_MAX) {
            return Err(Error::other("block claims an impossible size"));
        }
        self.block.resize(size, 0);
        snap::raw::Decoder::new().decompress(block, &mut self.block).map_err(Error::other)?;
        self.at = 0;
        Ok(true)
    }

    fn take_framed(&mut self) -> Result<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk().ok_or_else(|| Error::other("block cut off"))?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(Error::other)?;
        let (block, rest) = rest.split_at_checked(length).ok_or_else(|| Error::other("block cut off"))?;
        self.rest = rest;
        Ok(block)
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.block.len() - self.at);
        buffer[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Writes all of `source` to `sink`, framed.
pub(super) fn write(source: &mut impl Read, sink: &mut impl Write) -> Result<()> {
    sink.write_all(&MAGIC)?;
    sink.write_all(&VERSION.to_be_bytes())?;
    sink.write_all(&VERSION.to_be_bytes())?;
    let mut encoder = snap::raw::Encoder::new();
    let mut block = Vec::with_capacity(BLOCK_SIZE);
    let mut compressed = vec![0; snap::raw::max_compress_len(BLOCK_SIZE)];
    loop {
        block.clear();
        source.by_ref().take(BLOCK_SIZE as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(());
        }
        let length = encoder.compress(&block, &mut compressed).map_err(Error::other)?;
        sink.write_all(&(length as u32).to_be_bytes())?;
        sink.write_all(&compressed[..length])?;
    }
}
