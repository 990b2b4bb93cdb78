//! The smallest question that there is, ApiVersions: what an answer costs whatever it says.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::BufMut;

use super::link::Link;
use super::producer::put_string;
use super::run::{Edge, Flow, Outcome, own_cpu_seconds};
use crate::poll::Poll;

const API_VERSIONS: i16 = 18;

/// Questions, one at a time on each connection.
#[derive(Clone, Copy, Debug)]
pub struct Ping {
    /// Where the broker listens.
    pub port: u16,
    /// Connections.
    pub connections: usize,
    /// How long nothing is counted.
    pub warm_up: Duration,
    /// How long it is measured.
    pub window: Duration,
}

/// Asks for the window's length.
pub fn ping(plan: &Ping, edge: &mut dyn FnMut(Edge)) -> Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut links = Vec::new();
    for token in 0..plan.connections {
        let mut link = Link::open(plan.port, token, &poll)?;
        link.out = api_versions();
        links.push((link, 0));
    }
    let started = Instant::now();
    for (link, _) in &mut links {
        link.send(&poll)?;
    }
    let mut flow = Flow::default();
    let (mut ready, mut begun) = (Vec::new(), None);
    loop {
        let now = started.elapsed();
        if begun.is_none() && now >= plan.warm_up {
            edge(Edge::Begin);
            begun = Some((started.elapsed(), own_cpu_seconds()));
        }
        if let Some((since, cpu)) = begun
            && now >= plan.warm_up + plan.window
        {
            edge(Edge::End);
            return Ok(Outcome {
                seconds: (started.elapsed() - since).as_secs_f64(),
                client_cpu_seconds: own_cpu_seconds() - cpu,
                produced: flow,
                ..Outcome::default()
            });
        }
        ready.clear();
        poll.wait(Some(Duration::from_millis(20)), &mut ready)?;
        for ready in &ready {
            let (link, sent_ns) = &mut links[ready.token];
            link.receive()?;
            while let Some(frame) = link.next_frame()? {
                ensure!(frame.len() > 6 && frame[4..6] == [0, 0], "the broker does not answer ApiVersions");
                let now = started.elapsed().as_nanos() as u64;
                if begun.is_some() {
                    flow.requests += 1;
                    flow.latency.add_ns(now - *sent_ns);
                }
                *sent_ns = now;
                link.send(&poll)?;
            }
        }
    }
}

/// The question, its length first.
pub fn api_versions() -> Vec<u8> {
    let mut out = Vec::new();
    out.put_i32(0);
    out.put_i16(API_VERSIONS);
    out.put_i16(0);
    out.put_i32(1);
    put_string(&mut out, "ottla-bench");
    let length = (out.len() - 4) as i32;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}
