//! Reads a segment's batches one after the other through a buffer of fixed size.

use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::{BatchHeader, RecordBatch, RecordError};

use crate::LogError;
use crate::disk::{DiskFile, read_full_at};
use crate::names::Kind;
use crate::segment::Segment;

/// See the module. The buffer grows for a batch that is larger than it, and is given back after it.
pub(crate) struct BatchReader<'b> {
    segment: Arc<Segment>,
    file: Option<Arc<dyn DiskFile>>,
    buffer: &'b mut Vec<u8>,
    buffer_size: usize,
    /// Where the batch that was given last is, in the buffer and in the file, and its size.
    at: usize,
    position: u64,
    size: usize,
    /// The least offset that the next one may have.
    next_offset: Offset,
}

impl<'b> BatchReader<'b> {
    /// Reads from a position on, where a batch begins.
    pub(crate) fn new(
        segment: Arc<Segment>,
        position: u32,
        buffer: &'b mut Vec<u8>,
        buffer_size: usize,
    ) -> Result<BatchReader<'b>, LogError> {
        let file = match segment.size() {
            0 => None,
            _ => Some(segment.files.get(Kind::Log).map_err(segment.files.io("open", Kind::Log))?),
        };
        buffer.clear();
        let next_offset = segment.base_offset;
        let position = position.into();
        Ok(BatchReader { segment, file, buffer, buffer_size, at: 0, position, size: 0, next_offset })
    }

    /// The next batch, whose checksum is right, and how many bytes were read from the disk for it.
    pub(crate) fn next(&mut self) -> Result<Option<(RecordBatch<'_>, usize)>, LogError> {
        self.at += self.size;
        self.position += std::mem::take(&mut self.size) as u64;
        let end = u64::from(self.segment.size());
        let Some(file) = &self.file else { return Ok(None) };
        if self.position >= end {
            return Ok(None);
        }
        let available = end - self.position;
        let mut read = 0;
        if let Err(error) = RecordBatch::first(&self.buffer[self.at..]) {
            let RecordError::Truncated { needed, .. } = error else { return Err(self.corrupt(error)) };
            if needed > available {
                return Err(self.corrupt(RecordError::Truncated { needed, available }));
            }
            // No allocation is larger than what is in the file.
            let size = (self.buffer_size as u64).max(needed).min(available) as usize;
            read = load(&**file, self.buffer, size, self.position)
                .map_err(self.segment.files.io("read", Kind::Log))?;
            self.at = 0;
            // The first bytes may say only that there are more.
            if let Err(RecordError::Truncated { needed, .. }) = RecordBatch::first(self.buffer)
                && needed > read as u64
                && needed <= available
            {
                read = load(&**file, self.buffer, needed as usize, self.position)
                    .map_err(self.segment.files.io("read", Kind::Log))?;
            }
        }
        let batch = RecordBatch::first(&self.buffer[self.at..]).map_err(|error| self.corrupt(error))?;
        batch.verify_crc().map_err(|error| self.corrupt(error))?;
        check_place(&self.segment, self.next_offset, batch.header()).map_err(|error| self.corrupt(error))?;
        self.size = batch.size();
        self.next_offset = batch.next_offset();
        Ok(Some((batch, read)))
    }

    /// Makes an error of what is wrong with the batch that was given last, or would be next.
    pub(crate) fn corrupt(&self, error: RecordError) -> LogError {
        self.segment.files.corrupt(self.position, self.next_offset, error.to_string())
    }
}

impl Drop for BatchReader<'_> {
    fn drop(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(self.buffer_size);
    }
}

/// Fills the buffer from a place in the file; gives how much there was.
fn load(file: &dyn DiskFile, buffer: &mut Vec<u8>, size: usize, position: u64) -> std::io::Result<usize> {
    buffer.resize(size, 0);
    let count = read_full_at(file, buffer, position)?;
    buffer.truncate(count);
    Ok(count)
}

/// A batch's offsets must come after those before it, and be within reach of its segment's base offset.
fn check_place(segment: &Segment, next_offset: Offset, header: &BatchHeader) -> Result<(), RecordError> {
    let reach = header.last_offset().0.checked_sub(segment.base_offset.0);
    let in_reach = reach.is_some_and(|reach| reach <= i64::from(i32::MAX));
    if header.last_offset_delta < 0 || header.base_offset < next_offset || !in_reach {
        return Err(RecordError::BadBatch("its offsets are out of place"));
    }
    Ok(())
}
