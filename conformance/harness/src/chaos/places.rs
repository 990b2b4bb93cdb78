//! A disk that is full, or fails, at one place only: where the metadata is written, at checkpoints, indexes, rolls and the
//! cleaner's swaps.
//!
//! A full disk refuses what needs room and recovers by itself; one that fails ends the broker, whose only directory it is,
//! and what was acknowledged is there when it works again. The log names the file in either case.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, iter};

use anyhow::{Context, Result, ensure};

use super::faults::{Bench, Case, EIO, ENOSPC, contains, storage_error, until_refused};
use super::single::{Produced, Single};

/// Files that a broker usually writes once a minute are written all the time; the cleaner has no rest.
const BUSY: &[(&str, &str)] = &[
    ("log.flush.offset.checkpoint.interval.ms", "100"),
    ("replica.high.watermark.checkpoint.interval.ms", "100"),
    ("log.cleaner.backoff.ms", "100"),
];
/// A checkpoint of the metadata after a few topics.
const SNAPSHOTS: &[(&str, &str)] = &[("metadata.log.max.record.bytes.between.snapshots", "2000")];

/// Each place, with a disk that is full and one that fails.
pub(super) const ALL: &[Case] = &[
    Case::new("a_full_disk_at_the_metadata_log_refuses_and_recovers_by_itself", full_metadata_log),
    Case::new("a_disk_that_fails_at_the_metadata_log_ends_the_broker", |bench| {
        ends(bench, "write", "__cluster_metadata-0/00", |client, number| {
            client.create(&format!("made-{number}"), &[])
        })
    }),
    Case::new("a_full_disk_at_a_snapshot_of_the_metadata_keeps_the_log", |bench| {
        goes_on(bench, "write", ".checkpoint", makes_topics, snapshots)
    })
    .with(SNAPSHOTS),
    Case::new("a_full_disk_at_the_rename_of_a_snapshot_keeps_the_log", |bench| {
        goes_on(bench, "rename", ".checkpoint", makes_topics, snapshots)
    })
    .with(SNAPSHOTS),
    Case::new("a_disk_that_fails_at_a_snapshot_of_the_metadata_ends_the_broker", |bench| {
        ends(bench, "sync", ".checkpoint", |client, number| client.create(&format!("made-{number}"), &[]))
    })
    .with(SNAPSHOTS),
    Case::new("a_full_disk_at_the_rename_of_a_checkpoint_keeps_the_old_one", |bench| {
        goes_on(bench, "rename", "-offset-checkpoint", |_, _| Ok(()), checkpoints)
    })
    .with(BUSY),
    Case::new("a_disk_that_fails_at_the_rename_of_a_checkpoint_ends_the_broker", |bench| {
        ends(bench, "rename", "-offset-checkpoint", |client, number| {
            client.produce("kept", &format!("more {number}"), -1).map(drop)
        })
    })
    .with(BUSY),
    Case::new("a_full_disk_at_an_index_is_not_noticed_by_clients", full_index),
    Case::new("a_disk_that_fails_at_an_index_keeps_what_was_acknowledged", |bench| {
        fails(bench, "write", ".index", INDEXED, "")
    }),
    Case::new("a_full_disk_at_a_roll_refuses_and_recovers_by_itself", full_roll),
    Case::new("a_disk_that_fails_at_a_roll_keeps_what_was_acknowledged", |bench| {
        fails(bench, "open", SECOND, ROLLED, &large())
    }),
    Case::new("a_full_disk_at_the_cleaners_swap_keeps_every_key", |bench| {
        swap(bench, "write", ".cleaned", ENOSPC)
    })
    .with(BUSY),
    Case::new("a_full_disk_at_the_rename_of_a_swap_keeps_every_key", |bench| {
        swap(bench, "rename", ".cleaned", ENOSPC)
    })
    .with(BUSY),
    Case::new("a_disk_that_fails_at_the_cleaners_swap_keeps_every_key", |bench| {
        swap(bench, "rename", ".swap", EIO)
    })
    .with(BUSY),
];

/// An entry of the index for each batch: the first block of them is written after 512.
const INDEXED: &[(&str, &str)] = &[("index.interval.bytes", "0")];
/// The smallest segments: the second one begins at the tenth record of [`large`] ones.
const ROLLED: &[(&str, &str)] = &[("segment.bytes", "1048576")];
const SECOND: &str = "placed-0/00000000000000000009";

fn large() -> String {
    "x".repeat(115_000)
}

/// How long a broker may take to see that there is room.
const SOON: Duration = Duration::from_secs(15);

/// Asks until it is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < SOON, "not within {SOON:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A topic whose records must be there whatever happens.
fn keep(client: &mut Single) -> Result<Vec<String>> {
    client.create("kept", &[])?;
    let values: Vec<String> = (0..20).map(|number| format!("kept {number}")).collect();
    for value in &values {
        ensure!(matches!(client.produce("kept", value, -1)?, Produced::At(_)), "refused");
    }
    Ok(values)
}

fn names(bench: &Bench<'_>, file: &str) -> Result<()> {
    let log = bench.broker.log()?;
    let is_named =
        log.lines().any(|line| (line.contains("WARN") || line.contains("ERROR")) && line.contains(file));
    ensure!(is_named, "no line of the log says what happened at {file}");
    Ok(())
}

/// A kill, the power goes, a start on a disk that works.
fn starts_again(bench: &mut Bench<'_>, kept: &[String]) -> Result<()> {
    bench.cut_power()?;
    let mut client = bench.client()?;
    contains(&client.read_all("kept")?, kept)?;
    ensure!(matches!(client.produce("kept", "goes on", -1)?, Produced::At(_)), "nothing can be appended");
    client.create("another", &[])
}

/// A full disk that keeps nobody from anything: topics are made, records acknowledged, and what it refused is written when
/// there is room.
fn goes_on(
    bench: &mut Bench<'_>,
    call: &str,
    file: &str,
    meanwhile: fn(&mut Single, u32) -> Result<()>,
    written: fn(&Bench<'_>) -> Result<Vec<PathBuf>>,
) -> Result<()> {
    let mut client = bench.client()?;
    let mut kept = keep(&mut client)?;
    bench.faultfs.set_faults(&format!("{call} 0 1000000 errno {ENOSPC} {file}\n"))?;
    let before = written(bench)?;
    for number in 0..40 {
        let value = format!("meanwhile {number}");
        let produced = client.produce("kept", &value, -1)?;
        ensure!(matches!(produced, Produced::At(_)), "{produced:?}");
        kept.push(value);
        meanwhile(&mut client, number)?;
        thread::sleep(Duration::from_millis(20));
    }
    names(bench, file)?;
    ensure!(written(bench)? == before, "written although the disk refuses it");
    bench.broker.check_alive()?;
    bench.faultfs.set_faults("")?;
    let mut number = 40;
    wait_until("what was refused is written", || {
        number += 1;
        meanwhile(&mut client, number)?;
        Ok(written(bench)? != before)
    })?;
    starts_again(bench, &kept)
}

fn makes_topics(client: &mut Single, number: u32) -> Result<()> {
    client.create(&format!("made-{number}"), &[])
}

/// The checkpoints of the metadata.
fn snapshots(bench: &Bench<'_>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(bench.broker.data().join("__cluster_metadata-0"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "checkpoint") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The checkpoint of recovery points, once it knows the topic that is kept.
fn checkpoints(bench: &Bench<'_>) -> Result<Vec<PathBuf>> {
    let path = bench.broker.data().join("recovery-point-offset-checkpoint");
    let text = fs::read_to_string(&path).unwrap_or_default();
    // More than the records from before the disk was full.
    let point = text
        .lines()
        .find_map(|line| line.strip_prefix("kept 0 "))
        .and_then(|point| point.parse::<u32>().ok());
    Ok(iter::repeat_n(path, point.unwrap_or_default() as usize / 60).collect())
}

/// A disk that fails where the node cannot go on without it.
fn ends(
    bench: &mut Bench<'_>,
    call: &str,
    file: &str,
    meanwhile: fn(&mut Single, u32) -> Result<()>,
) -> Result<()> {
    let mut client = bench.client()?;
    let kept = keep(&mut client)?;
    bench.faultfs.set_faults(&format!("{call} 0 1000000 errno {EIO} {file}\n"))?;
    let mut number = 0;
    wait_until("the broker ends", || {
        number += 1;
        // It may be refused, or not answered.
        meanwhile(&mut client, number).ok();
        bench.broker.has_ended()
    })?;
    names(bench, file)?;
    starts_again(bench, &kept)
}

fn full_metadata_log(bench: &mut Bench<'_>) -> Result<()> {
    let mut client = bench.client()?;
    let mut kept = keep(&mut client)?;
    bench.faultfs.set_faults(&format!("write 0 1000000 errno {ENOSPC} __cluster_metadata-0/00\n"))?;
    let port = bench.broker.port;
    let waits = thread::spawn(move || Single::open(port)?.create("waits", &[]));
    thread::sleep(Duration::from_millis(300));
    let refused = bench.client()?.create("refused", &[]);
    ensure!(refused.is_err(), "a topic is made that cannot be written down");
    for number in 0..20 {
        let value = format!("meanwhile {number}");
        let produced = client.produce("kept", &value, -1)?;
        ensure!(matches!(produced, Produced::At(_)), "{produced:?}");
        kept.push(value);
    }
    contains(&client.read_all("kept")?, &kept)?;
    client.delete_records("kept", 1).context("while the disk is full")?;
    kept.remove(0);
    ensure!(!waits.is_finished(), "{:?}", waits.join());
    names(bench, "the disk is full")?;
    bench.faultfs.set_faults("")?;
    waits.join().expect("the waiting client does not panic").context("what waited for room")?;
    client.create("refused", &[]).context("there is room again")?;
    bench.broker.check_alive()?;
    starts_again(bench, &kept)
}

/// What an index has no room for stays in memory, and is written later.
fn full_index(bench: &mut Bench<'_>) -> Result<()> {
    const RECORDS: usize = 700;
    let mut client = bench.client()?;
    client.create("placed", INDEXED)?;
    bench.faultfs.set_faults(&format!("write 0 1000000 errno {ENOSPC} .index\n"))?;
    let path = bench.broker.data().join("placed-0/00000000000000000000.index");
    let mut acknowledged = Vec::new();
    let mut produce = |client: &mut Single| -> Result<()> {
        let value = format!("placed {}", acknowledged.len());
        let produced = client.produce("placed", &value, -1)?;
        ensure!(produced == Produced::At(acknowledged.len() as i64), "{produced:?}");
        acknowledged.push(value);
        Ok(())
    };
    (0..RECORDS).try_for_each(|_| produce(&mut client))?;
    names(bench, "placed-0/00000000000000000000.index")?;
    let said = bench.broker.log()?.matches("cannot write index entries").count();
    ensure!(said == 1, "the log says {said} times that an index is behind");
    ensure!(fs::metadata(&path).is_ok_and(|file| file.len() == 0), "the index has what the disk refused");
    bench.faultfs.set_faults("")?;
    produce(&mut client)?;
    ensure!(fs::metadata(&path)?.len() >= 4096, "the index is behind although there is room");
    ensure!(client.read_all("placed")? == acknowledged, "something else is there than was acknowledged");
    bench.broker.check_alive()?;
    bench.cut_power()?;
    contains(&bench.client()?.read_all("placed")?, &acknowledged)
}

/// No room for the next segment: what does not fit into the last one is refused, and once there is room, taken.
fn full_roll(bench: &mut Bench<'_>) -> Result<()> {
    let mut client = bench.client()?;
    client.create("placed", ROLLED)?;
    bench.faultfs.set_faults(&format!("open 0 1000000 errno {ENOSPC} {SECOND}\n"))?;
    let (mut acknowledged, refused) = until_refused(&mut client, "placed", &large(), 20)?;
    storage_error(&refused)?;
    let found = client.read_all("placed").context("while the disk is full")?;
    ensure!(found == acknowledged, "{} records, acknowledged are {}", found.len(), acknowledged.len());
    client.delete_records("placed", 2).context("while the disk is full")?;
    acknowledged.drain(..2);
    bench.faultfs.set_faults("")?;
    wait_until("there is room again", || {
        Ok(matches!(client.produce("placed", "room", -1)?, Produced::At(_)))
    })?;
    acknowledged.push("room".to_owned());
    ensure!(client.read_all("placed")? == acknowledged, "something else is there than was acknowledged");
    bench.broker.check_alive()?;
    bench.cut_power()?;
    contains(&bench.client()?.read_all("placed")?, &acknowledged)
}

/// A disk that fails at a place that an append needs.
fn fails(
    bench: &mut Bench<'_>,
    call: &str,
    file: &str,
    configs: &[(&str, &str)],
    padding: &str,
) -> Result<()> {
    let mut client = bench.client()?;
    client.create("placed", configs)?;
    bench.faultfs.set_faults(&format!("{call} 0 1000000 errno {EIO} {file}\n"))?;
    let (acknowledged, refused) = until_refused(&mut client, "placed", padding, 3000)?;
    storage_error(&refused)?;
    wait_until("the broker ends", || bench.broker.has_ended())?;
    names(bench, file)?;
    bench.cut_power()?;
    let mut client = bench.client()?;
    contains(&client.read_all("placed")?, &acknowledged)?;
    ensure!(matches!(client.produce("placed", "goes on", -1)?, Produced::At(_)), "nothing can be appended");
    Ok(())
}

/// The cleaner cannot put its segments in the place of the old ones.
fn swap(bench: &mut Bench<'_>, call: &str, file: &str, errno: i32) -> Result<()> {
    const KEYS: usize = 10;
    let mut client = bench.client()?;
    bench.faultfs.set_faults(&format!("{call} 0 1000000 errno {errno} {file}\n"))?;
    let configs = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.0"),
        ("segment.ms", "100"),
        ("file.delete.delay.ms", "0"),
    ];
    client.create("compacted", &configs)?;
    let mut newest = vec![String::new(); KEYS];
    let mut number = 0;
    // Until the cleaner has met the fault.
    wait_until("the cleaner meets the fault", || {
        for _ in 0..10 {
            let (key, value) = (number % KEYS, format!("value {number}"));
            let produced =
                client.produce_within("compacted", Some(&format!("key {key}")), &value, -1, 30_000)?;
            if matches!(produced, Produced::At(_)) {
                newest[key] = value;
            }
            number += 1;
        }
        Ok(names(bench, file).is_ok() || names(bench, "no room to compact").is_ok())
    })?;
    if errno == EIO {
        wait_until("the broker ends", || bench.broker.has_ended())?;
    } else {
        let has_all = |found: &[String]| newest.iter().all(|value| found.contains(value));
        ensure!(has_all(&client.read_all("compacted")?), "a key's newest value is gone");
        bench.broker.check_alive()?;
    }
    bench.cut_power()?;
    let mut client = bench.client()?;
    wait_until("the log is compacted after a start", || {
        client.produce_within("compacted", Some("rolls"), "rolls", -1, 30_000)?;
        let found = client.read_all("compacted")?;
        let missing = newest.iter().find(|value| !value.is_empty() && !found.contains(value));
        ensure!(missing.is_none(), "{missing:?} was acknowledged, and is its key's newest");
        Ok(found.len() < number / 2)
    })
}
