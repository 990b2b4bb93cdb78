//! Walks the batches of a file, reading no more of them than their headers.

use std::io;
use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::{BATCH_OVERHEAD, BatchCrc, BatchHeader, RecordError};

use crate::disk::{DiskFile, read_full_at};

/// Bytes read at once for finding a place: about what lies between two index entries.
pub(crate) const FIND_CHUNK: usize = 4096;
/// Bytes read at once for going through a whole segment.
pub(crate) const SCAN_CHUNK: usize = 256 * 1024;

/// Why a scan cannot go on.
#[derive(Debug)]
pub(crate) enum ScanError {
    /// The disk.
    Io(io::Error),
    /// What is at the position is not a batch, or only a part of one.
    Bad(RecordError),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        ScanError::Io(error)
    }
}

/// See the module.
pub(crate) struct HeaderScan {
    file: Arc<dyn DiskFile>,
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_max: usize,
    chunk_at: u64,
    /// Nothing but headers is asked for.
    skips_records: bool,
    /// Of the batch that was found last.
    size: usize,
}

impl HeaderScan {
    /// Walks from `position`, where a batch begins, to `end`, where one ends.
    pub(crate) fn new(file: Arc<dyn DiskFile>, position: u64, end: u64, chunk_max: usize) -> HeaderScan {
        HeaderScan {
            file,
            position,
            end,
            chunk: Vec::new(),
            chunk_max,
            chunk_at: 0,
            skips_records: false,
            size: 0,
        }
    }

    /// Reads no more than a header at a time where batches are large.
    pub(crate) fn skipping_records(mut self) -> HeaderScan {
        self.skips_records = true;
        self
    }

    /// Where the next batch begins, or the walk ended.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Goes on at another position, where a batch begins.
    pub(crate) fn go_to(&mut self, position: u64) {
        self.position = position;
    }

    /// The next batch's position and header; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, BatchHeader)>, ScanError> {
        let position = self.position;
        if position >= self.end {
            return Ok(None);
        }
        let end = self.end;
        let header = BatchHeader::parse(self.head()?).and_then(|header| {
            let (needed, available) = (header.size() as u64, end - position);
            if needed > available { Err(RecordError::Truncated { needed, available }) } else { Ok(header) }
        });
        let header = header.map_err(ScanError::Bad)?;
        self.size = header.size();
        self.position += self.size as u64;
        Ok(Some((position, header)))
    }

    /// Computes the checksum of the batch that was just found.
    pub(crate) fn crc(&mut self, position: u64, header: &BatchHeader) -> io::Result<u32> {
        let mut crc = BatchCrc::new(&header.to_head());
        let mut at = position + BATCH_OVERHEAD as u64;
        let end = position + header.size() as u64;
        while at < end {
            if !self.holds(at, 1) {
                self.load(at, self.chunk_max)?;
            }
            let start = (at - self.chunk_at) as usize;
            let piece = &self.chunk[start..];
            let piece = &piece[..piece.len().min((end - at) as usize)];
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            crc.update(piece);
            at += piece.len() as u64;
        }
        Ok(crc.finish())
    }

    /// The bytes at the position: a header's, or what is left.
    fn head(&mut self) -> io::Result<&[u8]> {
        let wanted = (BATCH_OVERHEAD as u64).min(self.end - self.position);
        if !self.holds(self.position, wanted) {
            let is_far = self.skips_records && self.size > FIND_CHUNK;
            self.load(self.position, if is_far { BATCH_OVERHEAD } else { self.chunk_max })?;
        }
        let start = (self.position - self.chunk_at) as usize;
        let end = (start + wanted as usize).min(self.chunk.len());
        Ok(&self.chunk[start..end])
    }

    fn holds(&self, position: u64, len: u64) -> bool {
        self.chunk_at <= position && position + len <= self.chunk_at + self.chunk.len() as u64
    }

    fn load(&mut self, position: u64, size: usize) -> io::Result<()> {
        let size = (size as u64).min(self.end - position) as usize;
        self.chunk.resize(size, 0);
        self.chunk_at = position;
        let count = read_full_at(&*self.file, &mut self.chunk, position)?;
        self.chunk.truncate(count);
        Ok(())
    }
}

/// The offset after the last batch of a file.
pub(crate) fn end_of_file(file: Arc<dyn DiskFile>, base_offset: Offset) -> io::Result<Offset> {
    let mut scan = HeaderScan::new(file.clone(), 0, file.size()?, SCAN_CHUNK);
    let mut end = base_offset;
    loop {
        match scan.next() {
            Ok(Some((_, header))) => end = header.next_offset(),
            Ok(None) | Err(ScanError::Bad(_)) => return Ok(end),
            Err(ScanError::Io(error)) => return Err(error),
        }
    }
}
