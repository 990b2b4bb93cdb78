//! Bytes from a socket → whole frames, bounded before anything is allocated for them.

use bytes::{Buf, Bytes, BytesMut};

/// Room that the buffer offers to a read when no frame is under way.
const READ_SIZE: usize = 64 << 10;
/// How far ahead of the bytes that really arrived the buffer may grow: a claimed size alone costs at most this much.
const AHEAD_MAX: usize = 1 << 20;

/// Why a connection's bytes are not frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// A size below zero.
    #[error("Invalid receive (size = {0})")]
    Negative(i32),
    /// A size above `socket.request.max.bytes`.
    #[error("Invalid receive (size = {size} larger than {max})")]
    TooLarge {
        /// What the peer claimed.
        size: i32,
        /// What is allowed.
        max: usize,
    },
    /// The first bytes are a request line of HTTP.
    #[error("an HTTP request arrived on a port that speaks Kafka's protocol")]
    Http,
    /// The first bytes are a TLS handshake.
    #[error("a TLS handshake arrived on a port without TLS")]
    Tls,
}

/// The receiving half of a connection: a buffer that grows with what arrives.
#[derive(Debug)]
pub(super) struct FrameBuffer {
    buffer: BytesMut,
    frame_max: usize,
    /// Whether a whole frame was ever seen; until then a refusal may say what the peer speaks instead.
    started: bool,
}

impl FrameBuffer {
    /// An empty buffer that takes frames of up to `frame_max` bytes.
    pub(super) fn new(frame_max: usize) -> FrameBuffer {
        FrameBuffer { buffer: BytesMut::new(), frame_max, started: false }
    }

    /// Where to read into; there is always room.
    pub(super) fn space(&mut self) -> &mut BytesMut {
        let missing = match self.size() {
            Some(size) => {
                (size as usize + 4).saturating_sub(self.buffer.len()).min(AHEAD_MAX.max(self.buffer.len()))
            }
            None => 0,
        };
        let free = self.buffer.capacity() - self.buffer.len();
        if free < missing.max(READ_SIZE / 4) {
            self.buffer.reserve(missing.max(READ_SIZE));
        }
        &mut self.buffer
    }

    /// The next whole frame, without its size.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(size) = self.size() else { return Ok(None) };
        self.check(size)?;
        let size = size as usize;
        if self.buffer.len() < 4 + size {
            return Ok(None);
        }
        self.started = true;
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(size).freeze()))
    }

    fn size(&self) -> Option<i32> {
        self.buffer.first_chunk().copied().map(i32::from_be_bytes)
    }

    fn check(&self, size: i32) -> Result<(), FrameError> {
        if (0..=self.frame_max as i64).contains(&i64::from(size)) {
            return Ok(());
        }
        let head = size.to_be_bytes();
        match &head {
            _ if self.started => {}
            b"GET " | b"HEAD" | b"POST" | b"PUT " | b"DELE" | b"OPTI" | b"PATC" => {
                return Err(FrameError::Http);
            }
            [0x16, 0x03, ..] => return Err(FrameError::Tls),
            _ => {}
        }
        if size < 0 {
            Err(FrameError::Negative(size))
        } else {
            Err(FrameError::TooLarge { size, max: self.frame_max })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<Option<&[u8]>, FrameError>) {
        let mut frames = FrameBuffer::new(100);
        frames.space().extend_from_slice(bytes);
        assert_eq!(frames.next(), expected.map(|frame| frame.map(Bytes::copy_from_slice)), "{bytes:?}");
    }

    #[test]
    fn a_frame_is_given_when_it_is_whole() {
        check(&[0, 0, 0, 2, 7], Ok(None));
        check(&[0, 0, 0, 2, 7, 8, 9], Ok(Some(&[7, 8])));
        check(&[0, 0, 0, 0], Ok(Some(&[])));
    }

    #[test]
    fn sizes_that_are_not_frames_are_refused() {
        check(&[0xff; 4], Err(FrameError::Negative(-1)));
        check(&[0, 0, 0, 101], Err(FrameError::TooLarge { size: 101, max: 100 }));
        check(b"GET / HTTP/1.1\r\n", Err(FrameError::Http));
        check(&[0x16, 0x03, 0x01, 0x02], Err(FrameError::Tls));
    }

    #[test]
    fn a_claimed_size_alone_allocates_little() {
        let mut frames = FrameBuffer::new(100 << 20);
        frames.space().extend_from_slice(&(100i32 << 20).to_be_bytes());
        assert_eq!(frames.next(), Ok(None));
        let room = frames.space().capacity();
        assert!(room <= AHEAD_MAX + 2 * READ_SIZE, "{room} bytes were reserved");
    }
}
