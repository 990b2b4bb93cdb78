//! Frames on a socket, as bytes: what no well-behaved client would send included.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// What came back on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One frame, without its length.
    Frame(Vec<u8>),
    /// The peer closed or reset the connection.
    Closed,
    /// Nothing within the time limit; the connection is still open.
    Silence,
}

/// A connection to one broker.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Connects to a port on the loopback address; answers are waited for at most `limit`.
    pub fn open(port: u16, limit: Duration) -> Result<Connection> {
        let stream =
            TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connect to port {port}"))?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream })
    }

    /// Sends bytes as they are. A peer that has closed already is seen by the next [`Connection::answer`].
    pub fn send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// Sends bytes as one frame: length first.
    pub fn send_frame(&mut self, body: &[u8]) {
        let mut frame = Vec::with_capacity(body.len() + 4);
        frame.extend((body.len() as i32).to_be_bytes());
        frame.extend(body);
        self.send(&frame);
    }

    /// Tells the peer that nothing more comes, and keeps reading.
    pub fn finish_sending(&mut self) {
        drop(self.stream.shutdown(std::net::Shutdown::Write));
    }

    /// The next frame, or what came instead of one.
    pub fn answer(&mut self) -> Answer {
        let mut length = [0; 4];
        match self.fill(&mut length) {
            Answer::Frame(_) => {}
            other => return other,
        }
        let mut body = vec![0; u32::from_be_bytes(length).min(1 << 26) as usize];
        match self.fill(&mut body) {
            Answer::Frame(_) => Answer::Frame(body),
            other => other,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Answer {
        match self.stream.read_exact(bytes) {
            Ok(()) => Answer::Frame(Vec::new()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Answer::Silence
            }
            Err(_) => Answer::Closed,
        }
    }

    /// The address this end has, as a broker's log names the peer.
    pub fn local_address(&self) -> String {
        self.stream.local_addr().map(|address| address.to_string()).unwrap_or_default()
    }
}

/// A request with header version 1: key, version, correlation id 1, client id `harness`, then `body`.
pub fn request_v1(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(key.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(1i32.to_be_bytes());
    bytes.extend(7i16.to_be_bytes());
    bytes.extend(b"harness");
    bytes.extend(body);
    bytes
}

/// Whether the broker at `port` answers a Metadata request and names at least one broker in it.
pub fn serves_metadata(port: u16) -> bool {
    let Ok(mut connection) = Connection::open(port, Duration::from_secs(5)) else { return false };
    // Metadata v1, topics: empty list (none). The answer starts with correlation id and the count of brokers.
    connection.send_frame(&request_v1(3, 1, &0i32.to_be_bytes()));
    match connection.answer() {
        Answer::Frame(body) if body.len() >= 8 => body[4..8].iter().any(|&b| b != 0),
        _ => false,
    }
}
