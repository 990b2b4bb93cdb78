//! Waiting for many sockets on one thread.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

/// How many events one wait may give.
const EVENTS_MAX: usize = 512;

/// A set of sockets, each with a token.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// One socket has something to do.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// What the socket was added with.
    pub token: usize,
    /// It can be written to.
    pub writable: bool,
    /// It can be read from, or has failed: reading tells.
    pub readable: bool,
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poll").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}

impl Poll {
    /// An empty set.
    pub fn new() -> Result<Poll> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).context("epoll")?;
        Ok(Poll { epoll, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Adds a socket that is waited on for reading.
    pub fn add(&self, socket: impl AsFd, token: usize) -> Result<()> {
        epoll::add(&self.epoll, socket, EventData::new_u64(token as u64), EventFlags::IN).context("epoll")
    }

    /// Waits for room to write too, or no longer.
    pub fn want_write(&self, socket: impl AsFd, token: usize, wanted: bool) -> Result<()> {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        epoll::modify(&self.epoll, socket, EventData::new_u64(token as u64), flags).context("epoll")
    }

    /// Waits at most `limit` (`None`: for ever) and appends what is ready to `ready`.
    pub fn wait(&mut self, limit: Option<Duration>, ready: &mut Vec<Ready>) -> Result<()> {
        let limit = limit.map(|limit| Timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll"),
        }
        ready.extend(self.events.iter().map(|event| {
            let flags = event.flags;
            Ready {
                token: event.data.u64() as usize,
                writable: flags.contains(EventFlags::OUT),
                readable: flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP),
            }
        }));
        Ok(())
    }
}
