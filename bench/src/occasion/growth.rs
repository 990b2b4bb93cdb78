//! Memory under a load that does not end: it must not grow.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Stage, Values};
use crate::load::batch::Shape;
use crate::load::{Consume, Fetching, Plan, Produce, Topics, Written, run};
use crate::participant::{Who, broker};
use crate::sample::resident_bytes;

/// What is written meanwhile must not fill the disk.
const CONFIGS: &[(&str, &str)] = &[("retention.bytes", "50000000"), ("segment.bytes", "10000000")];
const MIB: f64 = (1 << 20) as f64;

pub(super) fn under_load(stage: &mut Stage<'_, '_>, who: Who) -> Result<Values> {
    let length = Duration::from_secs(if stage.quick { 20 } else { 600 });
    let one = Shape::random(1, 100);
    let paced =
        |connections, shape, rate| Produce { requests_per_second: Some(rate), ..produce(connections, shape) };
    let readers = Consume { connections: 10, everything: true, fetching: Fetching::default(), again: false };
    let loads = [
        ("16 connections, 1 record", produce(16, one), Vec::new()),
        ("1,000 connections", paced(1000, one, 2000.0), Vec::new()),
        ("ten readers of the tail", paced(1, Shape::random(1, 1024), 1000.0), vec![readers]),
    ];
    let mut values = Vec::new();
    for (what, produce, consume) in loads {
        let directory = stage.directory.join(what.replace(' ', "-"));
        // Retention is looked at every five minutes otherwise.
        let mut broker =
            broker(who, stage.environment, &directory).set("log.retention.check.interval.ms", "2000");
        broker.start(stage.runner)?;
        let pid = broker.pid().context("the broker runs")?;
        let resident = |name: &str, length: Duration| {
            let topics = Topics::new(name, 1, 16);
            topics.create(broker.port, CONFIGS)?;
            let plan = Plan {
                port: broker.port,
                produce: Some(produce),
                consume: consume.clone(),
                warm_up: Duration::ZERO,
                window: length,
            };
            run(&plan, &mut Written::new(topics), &mut |_| {}).context(what)?;
            resident_bytes(pid)
        };
        // The first fifth fills caches, pools and the tables of producers; after it nothing new comes.
        let (before, after) = (resident("first", length / 5)?, resident("rest", length * 4 / 5)?);
        values.push((what, "MiB", (after as f64 - before as f64) / MIB));
        broker.kill()?;
    }
    Ok(values)
}

fn produce(connections: usize, shape: Shape) -> Produce {
    Produce {
        connections,
        depth: 5,
        partitions_per_request: 1,
        shape,
        acks: -1,
        requests_per_second: None,
        payload_bytes_max: u64::MAX,
    }
}
