//! One connection to the broker that never blocks: a frame on its way out, frames coming in.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context, Result, bail, ensure};

use crate::poll::Poll;

/// More than any answer of a benchmark has.
const FRAME_BYTES_MAX: usize = 128 << 20;
/// Room for answers before the first one is seen.
const INPUT_BYTES: usize = 16 << 10;

/// A connection with its buffers.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    token: usize,
    /// The request that leaves, its length first. It stays here when it has left, so that it can be changed and sent
    /// again.
    pub(crate) out: Vec<u8>,
    sent: usize,
    waits_for_room: bool,
    input: Vec<u8>,
    taken: usize,
    filled: usize,
}

impl Link {
    /// Connects to a port of this machine.
    pub(crate) fn open(port: u16, token: usize, poll: &Poll) -> Result<Link> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("no broker can be reached at 127.0.0.1:{port}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        poll.add(&stream, token)?;
        Ok(Link {
            stream,
            token,
            out: Vec::new(),
            sent: 0,
            waits_for_room: false,
            input: vec![0; INPUT_BYTES],
            taken: 0,
            filled: 0,
        })
    }

    /// Whether the request in `out` has left, so that the next may take its place.
    pub(crate) fn is_free(&self) -> bool {
        self.sent == self.out.len()
    }

    /// Counts what is in `out` as sent.
    pub(crate) fn rest(&mut self) {
        self.sent = self.out.len();
    }

    /// Begins to send what is in `out` now.
    pub(crate) fn send(&mut self, poll: &Poll) -> Result<()> {
        self.sent = 0;
        self.flush(poll)
    }

    /// Goes on sending; what does not fit waits for room.
    pub(crate) fn flush(&mut self, poll: &Poll) -> Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => bail!("the broker takes no more"),
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("send to the broker"),
            }
        }
        let waits = !self.is_free();
        if waits != self.waits_for_room {
            self.waits_for_room = waits;
            poll.want_write(&self.stream, self.token, waits)?;
        }
        Ok(())
    }

    /// Reads once. Whether there may be more.
    pub(crate) fn receive(&mut self) -> Result<bool> {
        self.make_room()?;
        let room = self.input.len() - self.filled;
        match self.stream.read(&mut self.input[self.filled..]) {
            Ok(0) => bail!("the broker closed the connection"),
            Ok(bytes) => {
                self.filled += bytes;
                Ok(bytes == room)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error).context("receive from the broker"),
        }
    }

    /// The next whole frame, without its length; it is there until the next call of any kind.
    pub(crate) fn next_frame(&mut self) -> Result<Option<&[u8]>> {
        let Some(length) = self.next_length()? else { return Ok(None) };
        let begin = self.taken + 4;
        if self.filled < begin + length {
            return Ok(None);
        }
        self.taken = begin + length;
        Ok(Some(&self.input[begin..self.taken]))
    }

    fn next_length(&self) -> Result<Option<usize>> {
        let Some(length) = self.input[self.taken..self.filled].first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        ensure!(length <= FRAME_BYTES_MAX, "the broker announces an answer of {length} bytes");
        Ok(Some(length))
    }

    /// Moves what is left to the front, and grows for a frame that does not fit.
    fn make_room(&mut self) -> Result<()> {
        let length = self.next_length()?;
        self.input.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        if let Some(length) = length
            && length + 4 > self.input.len()
        {
            self.input.resize(length + 4, 0);
        }
        Ok(())
    }
}
