//! The only thread of the floor: waits, reads, handles all that came, answers.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::BufMut;
use ottla_protocol::ApiKey;

use super::connection::{Connection, Received, Waiting};
use super::fault::Fault;
use super::partition::Partition;
use super::requests::{self, FETCH_VERSION, Fetched, PRODUCE_VERSION, Piece};
use crate::poll::{Poll, Ready};

const LISTENER: usize = usize::MAX;
/// How often the loop looks whether it is to stop.
const IDLE: Duration = Duration::from_secs(1);

/// All topics.
pub(super) struct Store {
    directory: PathBuf,
    pub(super) port: u16,
    pub(super) fault: Option<Fault>,
    pub(super) producers: i64,
    pub(super) produced: u64,
    topics: HashMap<Vec<u8>, Vec<Partition>>,
}

impl Store {
    pub(super) fn find(&mut self, topic: &[u8], index: i32) -> Option<&mut Partition> {
        self.topics.get_mut(topic)?.get_mut(usize::try_from(index).ok()?)
    }

    /// Name and number of partitions of each topic.
    pub(super) fn topics(&self) -> impl Iterator<Item = (&str, usize)> {
        self.topics
            .iter()
            .filter_map(|(name, partitions)| Some((std::str::from_utf8(name).ok()?, partitions.len())))
    }

    pub(super) fn create(&mut self, name: &str, partitions: usize) -> Result<()> {
        ensure!(!name.contains('/'), "a topic called {name}");
        let path = |index| file_of(&self.directory, name, index);
        let made: io::Result<_> = (0..partitions).map(|index| Partition::create(&path(index))).collect();
        self.topics.insert(name.as_bytes().to_vec(), made.context("a partition's file")?);
        Ok(())
    }

    pub(super) fn delete(&mut self, name: &str) -> bool {
        let Some(partitions) = self.topics.remove(name.as_bytes()) else { return false };
        for index in 0..partitions.len() {
            // What cannot be removed stays until the directory goes.
            drop(fs::remove_file(file_of(&self.directory, name, index)));
        }
        true
    }
}

fn file_of(directory: &Path, topic: &str, index: usize) -> PathBuf {
    directory.join(format!("{topic}-{index}.log"))
}

/// Says why a connection ends, unless the client ended it.
fn tell(error: &anyhow::Error) {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    if !matches!(kind, Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)) {
        eprintln!("the floor ends a connection: {error:#}");
    }
}

/// The floor, bound to its port.
pub struct Floor {
    listener: TcpListener,
    poll: Poll,
    store: Store,
    connections: Vec<Option<Connection>>,
    /// When a Fetch that waits has waited long enough, at the earliest.
    next_late: Option<Instant>,
    wake: Vec<usize>,
}

impl Floor {
    /// Binds the floor to a port of this machine (0: any that is free), with its files in `directory`.
    pub fn bind(port: u16, directory: &Path, fault: Option<Fault>) -> Result<Floor> {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port}"))?;
        listener.set_nonblocking(true)?;
        let poll = Poll::new()?;
        poll.add(&listener, LISTENER)?;
        let port = listener.local_addr()?.port();
        let store = Store {
            directory: directory.to_path_buf(),
            port,
            fault,
            producers: 0,
            produced: 0,
            topics: HashMap::new(),
        };
        Ok(Floor { listener, poll, store, connections: Vec::new(), next_late: None, wake: Vec::new() })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.store.port
    }

    /// Serves until it is told to stop; it hears that within a second.
    pub fn serve(&mut self, stop: &Arc<AtomicBool>) -> Result<()> {
        let mut ready = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            ready.clear();
            self.poll.wait(Some(self.patience()), &mut ready)?;
            for &ready in &ready {
                if ready.token == LISTENER {
                    self.accept()?;
                } else {
                    self.serve_one(ready);
                }
            }
            self.wake_late();
            self.wake_waiting();
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        self.next_late.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()).min(IDLE))
    }

    fn accept(&mut self) -> Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let token = self.connections.len();
            self.poll.add(&stream, token)?;
            self.connections.push(Some(Connection::new(stream, token)));
        }
        Ok(())
    }

    fn serve_one(&mut self, ready: Ready) {
        let Some(mut connection) = self.connections[ready.token].take() else { return };
        match self.talk(&mut connection, ready) {
            Ok(true) => self.connections[ready.token] = Some(connection),
            Ok(false) => {}
            Err(error) => tell(&error),
        }
    }

    /// Reads, handles and answers. False: the client is gone.
    fn talk(&mut self, connection: &mut Connection, ready: Ready) -> Result<bool> {
        if ready.readable {
            loop {
                let received = connection.receive();
                if matches!(received, Received::Closed) {
                    return Ok(false);
                }
                let mut at = 0;
                while let Some(frame) = connection.frame(at)? {
                    at = frame.end;
                    self.handle(connection, frame, ready.token)?;
                }
                if at > 0 {
                    connection.consume(at);
                }
                if matches!(received, Received::All) {
                    break;
                }
            }
        }
        connection.flush(&self.poll)?;
        Ok(true)
    }

    fn handle(
        &mut self,
        connection: &mut Connection,
        frame: std::ops::Range<usize>,
        token: usize,
    ) -> Result<()> {
        let frame = &mut connection.input[frame];
        let &[key_high, key_low, version_high, version_low, ..] = &*frame else {
            bail!("a frame without a key")
        };
        let key = i16::from_be_bytes([key_high, key_low]);
        let version = i16::from_be_bytes([version_high, version_low]);
        let mut out = vec![0; 4];
        match ApiKey::from_code(key) {
            Some(ApiKey::Produce) => {
                ensure!(version == PRODUCE_VERSION, "the floor takes Produce v{PRODUCE_VERSION} alone");
                if !requests::produce(frame, &mut self.store, &mut out, &mut self.wake)? {
                    return Ok(());
                }
            }
            Some(ApiKey::Fetch) => {
                ensure!(version == FETCH_VERSION, "the floor takes Fetch v{FETCH_VERSION} alone");
                match requests::fetch(frame, &mut self.store, token, true)? {
                    Fetched::Answer(pieces) => connection.answer(pieces),
                    Fetched::Wait { limit_ms } => {
                        let until = Instant::now() + Duration::from_millis(limit_ms);
                        connection.waiting = Some(Waiting { frame: frame.to_vec(), until });
                        self.next_late = Some(self.next_late.map_or(until, |at| at.min(until)));
                    }
                }
                return Ok(());
            }
            _ => requests::other(frame, &mut self.store, &mut out)?,
        }
        let length = out.len() as u32 - 4;
        (&mut out[..4]).put_u32(length);
        connection.answer([Piece::Bytes(out)]);
        Ok(())
    }

    /// Wakes those who have waited long enough. All are looked at, but only when the first of them is due.
    fn wake_late(&mut self) {
        let Some(due) = self.next_late else { return };
        let now = Instant::now();
        if due > now {
            return;
        }
        self.next_late = None;
        for (token, connection) in self.connections.iter().enumerate() {
            let Some(waiting) = connection.as_ref().and_then(|connection| connection.waiting.as_ref()) else {
                continue;
            };
            if waiting.until <= now {
                self.wake.push(token);
            } else {
                self.next_late = Some(self.next_late.map_or(waiting.until, |at| at.min(waiting.until)));
            }
        }
    }

    /// Answers those whose partitions got data, and those who have waited long enough.
    fn wake_waiting(&mut self) {
        for token in std::mem::take(&mut self.wake) {
            let Some(mut connection) = self.connections[token].take() else { continue };
            let Some(waiting) = connection.waiting.take() else {
                self.connections[token] = Some(connection);
                continue;
            };
            let may_wait = waiting.until > Instant::now();
            let fetched =
                requests::fetch(&waiting.frame, &mut self.store, token, may_wait).and_then(|fetched| {
                    match fetched {
                        Fetched::Wait { .. } => {
                            connection.waiting = Some(waiting);
                            Ok(())
                        }
                        Fetched::Answer(pieces) => {
                            connection.answer(pieces);
                            connection.flush(&self.poll)
                        }
                    }
                });
            match fetched {
                Ok(()) => self.connections[token] = Some(connection),
                Err(error) => tell(&error),
            }
        }
    }
}
