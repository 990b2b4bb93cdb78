//! Records that go by age, by size and by request: the same ones on both brokers, with the same answers afterwards.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use ottla_protocol::records::BatchBuilder;

use super::world::World;
use super::{LIMIT, same};
use crate::report::Report;

const DAY_MS: i64 = 86_400_000;

/// A topic, what makes its records go, and the ages of its batches in days; a negative one is yet to come.
struct Topic {
    name: &'static str,
    /// Set when all is written.
    limit: Option<(&'static str, &'static str)>,
    /// Deleted on request before that.
    before: Option<i64>,
    days_old: &'static [i64],
}

const TOPICS: &[Topic] = &[
    Topic {
        name: "deleted-by-size",
        limit: Some(("retention.bytes", "900000")),
        before: None,
        days_old: &[0; 24],
    },
    Topic {
        name: "deleted-by-age",
        limit: Some(("retention.ms", "259200000")),
        before: None,
        days_old: &[9, 9, 8, 7, 6, 5, 4, 4, 2, 1, 1, 0, 0],
    },
    Topic {
        name: "deleted-by-times-that-cannot-be",
        limit: Some(("retention.ms", "259200000")),
        before: None,
        // 1970, and years ahead: they hold up what lies behind them, or go before it.
        days_old: &[9, 20_000, 20_000, 8, 7, -900, 6, 20_000, 5, -1, 0],
    },
    Topic {
        name: "deleted-on-request",
        limit: None,
        before: Some(11),
        days_old: &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    },
    Topic { name: "deleted-to-the-end", limit: None, before: Some(-1), days_old: &[3, 2, 1] },
];

/// Runs the cases; gives what the topics hold then.
pub(super) fn run(report: &mut Report, worlds: &mut [World; 2]) -> Result<Vec<(&'static str, String)>> {
    let mut left = Vec::new();
    for topic in TOPICS {
        let mut found = Err(anyhow::anyhow!("was not compared"));
        report.case(&format!("{}_is_the_same", topic.name.replace('-', "_")), || {
            found = deleted_alike(worlds, topic);
            found.as_ref().map(|_| ()).map_err(|error| anyhow::anyhow!("{error:#}"))
        });
        left.extend(found.ok().map(|text| (topic.name, text)));
    }
    Ok(left)
}

fn deleted_alike(worlds: &mut [World; 2], topic: &Topic) -> Result<String> {
    let configs = [
        ("segment.ms", "43200000"),
        ("segment.bytes", "1048576"),
        ("retention.ms", "-1"),
        ("message.timestamp.after.max.ms", "9223372036854775807"),
    ];
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    worlds.iter_mut().try_for_each(|world| world.create(topic.name, &configs))?;
    for (number, days) in topic.days_old.iter().enumerate() {
        let mut builder = BatchBuilder::new();
        for n in 0..3 {
            // Each batch is older or newer than the one before by more than a segment lasts, or rolls by size.
            let timestamp = (now_ms - days * DAY_MS + n).max(0);
            let value = format!("{number} {n} {}", "x".repeat(if *days == 0 { 30_000 } else { 100 }));
            builder.append(timestamp, Some(b"key"), Some(value.as_bytes()), &[]);
        }
        let batch = builder.build();
        worlds.iter_mut().try_for_each(|world| world.produce(topic.name, &batch))?;
    }
    let [mine, kafkas] = worlds;
    same(topic.name, &kafkas.everything_of(topic.name)?, &mine.everything_of(topic.name)?)?;
    let bases = |world: &World| -> Result<Vec<i64>> {
        Ok(world.segments(topic.name)?.iter().map(|(base, _)| *base).collect())
    };
    let before = bases(kafkas)?;
    for world in [&mut *mine, &mut *kafkas] {
        if let Some(offset) = topic.before {
            world.delete_records(topic.name, offset)?;
        }
        if let Some((name, value)) = topic.limit {
            world.set_config(topic.name, name, value)?;
        }
    }
    kafkas.wait_until(LIMIT, "Kafka has deleted segments", |kafkas| Ok(bases(kafkas)? != before))?;
    // Both look again and again; in the end nothing is left to go.
    thread::sleep(Duration::from_millis(1000));
    let expected = bases(kafkas)?;
    mine.wait_until(LIMIT, &format!("segments are those of Kafka, {expected:?}"), |mine| {
        Ok(bases(mine)? == expected)
    })?;
    ensure!(bases(kafkas)? == expected, "Kafka goes on deleting");
    let left = mine.everything_of(topic.name)?;
    same(topic.name, &kafkas.everything_of(topic.name)?, &left)?;
    println!("      {}: {} of {} segments are left", topic.name, expected.len(), before.len());
    Ok(left)
}
