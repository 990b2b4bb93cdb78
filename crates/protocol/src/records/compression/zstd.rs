//! Zstandard with decompression contexts that are kept: making one costs more than decompressing a small batch.

use std::cell::Cell;
use std::io::{Error, ErrorKind, Read, Result};

use ::zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

/// Largest window a frame may ask for, as a power of two: what libzstd and so Kafka's own reader accept.
const WINDOW_LOG_MAX: u32 = 27;
/// A context that has grown beyond this is not kept.
const KEPT_BYTES_MAX: usize = 16 << 20;

thread_local! {
    static KEPT: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Reads frame after frame.
pub(super) struct Reader<'a> {
    /// There until it is dropped.
    context: Option<DCtx<'static>>,
    rest: &'a [u8],
    is_in_frame: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Reader<'a>> {
        let context = match KEPT.take() {
            Some(mut kept) => {
                kept.reset(ResetDirective::SessionOnly).map_err(failed)?;
                kept
            }
            None => {
                let mut new = DCtx::try_create().ok_or(ErrorKind::OutOfMemory)?;
                new.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(failed)?;
                new
            }
        };
        Ok(Reader { context: Some(context), rest: bytes, is_in_frame: false })
    }
}

fn failed(code: usize) -> Error {
    Error::other(get_error_name(code))
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let context = self.context.as_mut().expect("a context is there until it is dropped");
        loop {
            if buffer.is_empty() || self.rest.is_empty() && !self.is_in_frame {
                return Ok(0);
            }
            let mut input = InBuffer::around(self.rest);
            let mut output = OutBuffer::around(&mut *buffer);
            let wanted = context.decompress_stream(&mut output, &mut input).map_err(failed)?;
            let (read, written) = (input.pos(), output.pos());
            self.rest = &self.rest[read..];
            self.is_in_frame = wanted > 0;
            if written > 0 {
                return Ok(written);
            }
            if read == 0 && self.is_in_frame {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        KEPT.set(self.context.take().filter(|context| context.sizeof() <= KEPT_BYTES_MAX));
    }
}
