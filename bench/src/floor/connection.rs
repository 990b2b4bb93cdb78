//! One client of the floor: its bytes in, its answers out.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::requests::Piece;
use crate::poll::Poll;

const INPUT_BYTES: usize = 16 << 10;
/// The input grows in one step to hold two frames of the size that came. From here on it holds one exactly: what of the next
/// one came with it would have to be moved, and the cache is not that large.
const INPUT_BYTES_MAX: usize = 256 << 10;
const FRAME_BYTES_MAX: usize = 128 << 20;

/// A Fetch that waits for data.
pub(super) struct Waiting {
    pub(super) frame: Vec<u8>,
    pub(super) until: Instant,
}

pub(super) struct Connection {
    stream: TcpStream,
    token: usize,
    pub(super) input: Vec<u8>,
    filled: usize,
    output: VecDeque<Piece>,
    /// How much of the first piece has left.
    sent: u64,
    waits_for_room: bool,
    pub(super) waiting: Option<Waiting>,
}

/// What a read brought.
pub(super) enum Received {
    /// Everything that was there.
    All,
    /// As much as there was room for.
    Full,
    /// The client is gone.
    Closed,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, token: usize) -> Connection {
        Connection {
            stream,
            token,
            input: vec![0; INPUT_BYTES],
            filled: 0,
            output: VecDeque::new(),
            sent: 0,
            waits_for_room: false,
            waiting: None,
        }
    }

    pub(super) fn receive(&mut self) -> Received {
        let room = self.input.len() - self.filled;
        match self.stream.read(&mut self.input[self.filled..]) {
            Ok(0) => Received::Closed,
            Ok(bytes) => {
                self.filled += bytes;
                if bytes == room { Received::Full } else { Received::All }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Received::All
            }
            Err(_) => Received::Closed,
        }
    }

    /// The frame at `at` without its length, if it is whole; otherwise there is room for it afterwards.
    pub(super) fn frame(&mut self, at: usize) -> Result<Option<std::ops::Range<usize>>> {
        let Some(length) = self.input[at..self.filled].first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        ensure!(length <= FRAME_BYTES_MAX, "a request of {length} bytes");
        if self.filled - at < length + 4 {
            let wanted = ((length + 4) * 2).min(INPUT_BYTES_MAX).max(length + 4);
            if wanted > self.input.len() && length + 4 > self.input.len() {
                self.input.resize(wanted, 0);
            }
            return Ok(None);
        }
        Ok(Some(at + 4..at + 4 + length))
    }

    /// Forgets what was handled.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.input.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }

    /// Queues an answer; it leaves with the others at the next [`Connection::flush`].
    pub(super) fn answer(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        for piece in pieces {
            match (self.output.back_mut(), piece) {
                (Some(Piece::Bytes(last)), Piece::Bytes(bytes)) => last.extend(bytes),
                (_, piece) => self.output.push_back(piece),
            }
        }
    }

    /// Sends what the socket takes.
    pub(super) fn flush(&mut self, poll: &Poll) -> Result<()> {
        while let Some(piece) = self.output.front() {
            let sent = match piece {
                Piece::Bytes(bytes) => self.stream.write(&bytes[self.sent as usize..]),
                Piece::File { file, position, length } => {
                    let mut from = position + self.sent;
                    let left = (length - self.sent) as usize;
                    rustix::fs::sendfile(&self.stream, file, Some(&mut from), left).map_err(io::Error::from)
                }
            };
            match sent {
                Ok(0) => anyhow::bail!("an answer cannot be sent"),
                Ok(bytes) => self.sent += bytes as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            if self.sent == piece.length() {
                self.sent = 0;
                self.output.pop_front();
            }
        }
        let waits = !self.output.is_empty();
        if waits != self.waits_for_room {
            self.waits_for_room = waits;
            poll.want_write(&self.stream, self.token, waits)?;
        }
        Ok(())
    }
}
