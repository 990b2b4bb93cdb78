//! Answers on their way into a socket: small pieces gathered, large file regions left to `sendfile`.

use super::answer::Response;
use bytes::{Buf, Bytes};
use ottla_log::FileRegion;
use ottla_protocol::codec::Insert;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A region up to this size is read into memory and leaves with its neighbours in one vectored write; a larger one leaves
/// by `sendfile`. The crossover lies between 64 KiB and 1 MiB.
const SENDFILE_MIN: usize = 128 << 10;
/// Slices of one vectored write.
const SLICES_MAX: usize = 64;

/// The part of a region that is not sent yet.
struct FileRest {
    region: FileRegion,
    sent: usize,
}

impl FileRest {
    fn len(&self) -> usize {
        self.region.len() - self.sent
    }
}

/// The sending half of a connection.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Out>,
    /// Bytes in the queue.
    queued: usize,
}

enum Out {
    Bytes(Bytes),
    File(FileRest),
}

impl Outbox {
    /// Bytes that wait to be sent.
    pub(super) fn len(&self) -> usize {
        self.queued
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Puts an answer at the end. Fails when a small region cannot be read.
    pub(super) fn push(&mut self, response: Response) -> io::Result<()> {
        let Response { frame, regions } = response;
        let (buffer, inserts) = frame.into_parts();
        let mut buffer = Bytes::from(buffer);
        let mut taken = 0;
        for (at, insert) in inserts {
            let before = buffer.split_to(at - taken);
            taken = at;
            self.push_bytes(before);
            match insert {
                Insert::Bytes(bytes) => self.push_bytes(bytes),
                Insert::External { index, .. } => {
                    let region =
                        regions.get(index as usize).expect("an answer refers to regions that it has");
                    self.push_region(region.clone())?;
                }
            }
        }
        self.push_bytes(buffer);
        Ok(())
    }

    fn push_bytes(&mut self, bytes: Bytes) {
        self.queued += bytes.len();
        if !bytes.is_empty() {
            self.queue.push_back(Out::Bytes(bytes));
        }
    }

    fn push_region(&mut self, region: FileRegion) -> io::Result<()> {
        if region.len() < SENDFILE_MIN || region.as_fd().is_none() || !cfg!(target_os = "linux") {
            let mut bytes = Vec::with_capacity(region.len());
            region.read(&mut bytes).map_err(io::Error::other)?;
            self.push_bytes(bytes.into());
        } else {
            self.queued += region.len();
            self.queue.push_back(Out::File(FileRest { region, sent: 0 }));
        }
        Ok(())
    }

    /// Sends what the socket takes now. `WouldBlock` when it is full.
    pub(super) fn send(&mut self, stream: &TcpStream) -> io::Result<()> {
        while let Some(first) = self.queue.front_mut() {
            let sent = match first {
                Out::File(rest) => send_file(stream, rest)?,
                Out::Bytes(_) => self.send_bytes(stream)?,
            };
            self.sent(sent);
        }
        Ok(())
    }

    fn send_bytes(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, out) in slices.iter_mut().zip(&self.queue) {
            let Out::Bytes(bytes) = out else { break };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        match slices.get(..count) {
            Some([only]) => stream.try_write(only),
            Some(slices) => stream.try_write_vectored(slices),
            None => unreachable!("the count is bounded by the array"),
        }
    }

    fn sent(&mut self, mut count: usize) {
        self.queued -= count;
        while count > 0 {
            let first = self.queue.front_mut().expect("no more is sent than was queued");
            let len = match first {
                Out::Bytes(bytes) => bytes.len(),
                Out::File(rest) => rest.len(),
            };
            let step = count.min(len);
            count -= step;
            if step == len {
                self.queue.pop_front();
                continue;
            }
            match first {
                Out::Bytes(bytes) => bytes.advance(step),
                Out::File(rest) => rest.sent += step,
            }
        }
    }
}

/// Moves bytes of a file into the socket inside the kernel. A file that is shorter than its region ends the connection:
/// the size in front of the answer was a promise.
#[cfg(target_os = "linux")]
fn send_file(stream: &TcpStream, rest: &FileRest) -> io::Result<usize> {
    stream.try_io(Interest::WRITABLE, || {
        let file = rest.region.as_fd().expect("only regions of real files are queued as such");
        let mut position = rest.region.position() + rest.sent as u64;
        let sent = rustix::fs::sendfile(stream, file, Some(&mut position), rest.len())?;
        if sent == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a segment is shorter than its index says",
            ));
        }
        Ok(sent)
    })
}

#[cfg(not(target_os = "linux"))]
fn send_file(_: &TcpStream, _: &FileRest) -> io::Result<usize> {
    let _ = Interest::WRITABLE;
    unreachable!("regions are read into memory where there is no sendfile")
}
