//! Connections that do nothing, and what each of them costs.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::life::idle_percent;
use super::{Stage, Values};
use crate::load::api_versions;
use crate::participant::{Who, broker};
use crate::sample::resident_bytes;

const WANTED: u64 = 20_000;
/// Files that this process and the broker have open besides.
const SPARE: u64 = 500;

pub(super) fn idle(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    // Children inherit it: the broker may have as many as this process.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let count = WANTED.min(allowed.saturating_sub(SPARE));
    let mut broker = broker(who, stage.environment, stage.directory);
    broker.start(stage.runner)?;
    let pid = broker.pid().context("the broker runs")?;
    thread::sleep(Duration::from_secs(2));
    let before = resident_bytes(pid)?;
    let mut connections = Vec::new();
    for number in 0..count {
        connections.push(greeted(broker.port).with_context(|| format!("connection {number} of {count}"))?);
    }
    thread::sleep(Duration::from_secs(2));
    let resident = resident_bytes(pid)?.saturating_sub(before);
    let idle = idle_percent(&broker, stage)?;
    drop(connections);
    broker.kill()?;
    Ok(vec![
        ("connections", "", count as f64),
        ("memory of a connection", "KiB", resident as f64 / 1024.0 / count as f64),
        ("idle CPU", "%", idle),
    ])
}

/// A connection that has asked for the versions and got them.
fn greeted(port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(&api_versions())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    ensure!(length < 1 << 20, "an answer of {length} bytes");
    stream.read_exact(&mut vec![0; length as usize])?;
    Ok(stream)
}
