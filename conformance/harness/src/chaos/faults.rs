//! Disks that fail: what clients get then, and what must hold afterwards. Each case has a broker of its own, whose disk
//! calls go through a library that makes them fail.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::error::ErrorCode;

use super::power::FaultFs;
use super::single::{Produced, Single};
use crate::broker::Broker;
use crate::environment::Environment;
use crate::jvm::Runner;

/// The error numbers of Linux.
pub(super) const EIO: i32 = 5;
pub(super) const ENOSPC: i32 = 28;

/// What is shown, and how.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// A name that says it.
    pub(crate) name: &'static str,
    /// What the broker's configuration has for it.
    properties: [&'static [(&'static str, &'static str)]; 2],
    show: fn(&mut Bench<'_>) -> Result<()>,
}

impl Case {
    /// With the usual configuration.
    pub(super) const fn new(name: &'static str, show: fn(&mut Bench<'_>) -> Result<()>) -> Case {
        Case { name, properties: [&[], &[]], show }
    }

    /// With these properties.
    pub(super) const fn with(self, properties: &'static [(&'static str, &'static str)]) -> Case {
        Case { properties: [properties, self.properties[1]], ..self }
    }

    /// And with these.
    pub(super) const fn and(self, properties: &'static [(&'static str, &'static str)]) -> Case {
        Case { properties: [self.properties[0], properties], ..self }
    }
}

/// A case that changes files itself.
pub(crate) type FileCase = (&'static str, fn(&Environment, &Path) -> Result<()>);

/// Cases of files of a partition whose reads and writes fail.
const OF_FILES: &[Case] = &[
    Case::new("a_sync_that_fails_acknowledges_nothing_and_is_never_trusted_again", failed_sync),
    Case::new("a_full_disk_refuses_and_recovers_by_itself", full_disk),
    Case::new("a_disk_that_fails_to_write_refuses_and_keeps_what_was_acknowledged", failed_write),
    Case::new("a_disk_that_fails_to_read_answers_an_error_and_no_other_bytes", failed_read),
    Case::new("short_writes_make_no_difference", short_writes),
];

/// All cases that take seconds.
pub(crate) fn cases() -> impl Iterator<Item = &'static Case> {
    [OF_FILES, super::places::ALL, super::stalls::SHORT].into_iter().flatten()
}

/// Runs a case.
pub(crate) fn run(environment: &Environment, binary: &Path, case: &Case) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut broker = Broker::ottla(environment, directory.path()).binary(binary);
    for (key, value) in case.properties.concat() {
        broker = broker.set(key, value);
    }
    let faultfs = FaultFs::new(environment, directory.path(), &broker.data())?;
    let mut bench = Bench { broker: faultfs.around(broker, true), runner: Runner::new(environment), faultfs };
    bench.broker.start(&mut bench.runner)?;
    let result = (case.show)(&mut bench);
    result.map_err(|error| {
        let log = bench.broker.log().unwrap_or_default();
        error.context(crate::process::tail(&log, 3000).to_owned())
    })
}

/// What [`damage`] says when records behind the damage are gone.
pub(crate) const CUT_AWAY: &str = "cut away";

/// The case of [`damage`].
pub(crate) const DAMAGE: FileCase = ("a_bit_that_turns_over_below_the_flush_hides_nothing_behind_it", damage);

/// A bit below what was flushed turns over while the broker is down: what lies behind it is still there afterwards, and
/// what it hit is answered with an error.
fn damage(environment: &Environment, binary: &Path) -> Result<()> {
    const RECORDS: usize = 60;
    let directory = tempfile::tempdir()?;
    let mut broker = Broker::ottla(environment, directory.path()).binary(binary);
    let mut runner = Runner::new(environment);
    broker.start(&mut runner)?;
    let mut client = Single::open(broker.port)?;
    client.create("damaged", &[])?;
    for number in 0..RECORDS {
        let produced = client.produce("damaged", &format!("damaged {number}"), -1)?;
        ensure!(produced == Produced::At(number as i64), "{produced:?}");
    }
    broker.kill()?;
    let path = broker.data().join("damaged-0/00000000000000000000.log");
    let mut bytes = fs::read(&path)?;
    let hit = b"damaged 30";
    let at = bytes.windows(hit.len()).position(|bytes| bytes == hit).context("the record is in the file")?;
    bytes[at] ^= 0x10;
    fs::write(&path, bytes)?;
    broker.start(&mut runner)?;
    let mut client = Single::open(broker.port)?;
    let mut unreadable = 0;
    for offset in 0..RECORDS {
        match client.read_at("damaged", offset as i64) {
            Ok(values) => {
                let expected = format!("damaged {offset}");
                ensure!(
                    values.first() == Some(&expected),
                    "{CUT_AWAY}: {:?} at offset {offset}",
                    values.first()
                );
            }
            Err(error) => {
                unreadable += 1;
                ensure!(unreadable <= 2, "{CUT_AWAY}: offset {offset}: {error:#}");
            }
        }
    }
    ensure!(unreadable > 0, "the damage was answered as data");
    let produced = client.produce("damaged", "goes on", -1)?;
    ensure!(produced == Produced::At(RECORDS as i64), "{CUT_AWAY}: the next record is {produced:?}");
    broker.check_alive()
}

/// A broker over a disk that can be made to fail.
pub(crate) struct Bench<'e> {
    pub(super) broker: Broker<'e>,
    pub(super) runner: Runner<'e>,
    pub(super) faultfs: FaultFs,
}

impl Bench<'_> {
    pub(super) fn client(&self) -> Result<Single> {
        Single::open(self.broker.port)
    }

    /// The power goes, and the broker starts again on a disk that works.
    pub(super) fn cut_power(&mut self) -> Result<()> {
        self.broker.kill()?;
        self.faultfs.set_faults("")?;
        self.faultfs.cut_power(1)?;
        self.broker.start(&mut self.runner)?;
        Ok(())
    }
}

/// Sends until something is refused; the values that were acknowledged before.
pub(super) fn until_refused(
    client: &mut Single,
    topic: &str,
    padding: &str,
    limit: u32,
) -> Result<(Vec<String>, Produced)> {
    let mut acknowledged = Vec::new();
    for number in 0..limit {
        let value = format!("{topic} {number}{padding}");
        match client.produce(topic, &value, -1)? {
            Produced::At(_) => acknowledged.push(value),
            refused => return Ok((acknowledged, refused)),
        }
    }
    bail!("{limit} records were acknowledged, none was refused")
}

pub(super) fn storage_error(refused: &Produced) -> Result<()> {
    match refused {
        Produced::Refused(ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower) | Produced::Lost => {
            Ok(())
        }
        other => bail!("{other:?}, not KAFKA_STORAGE_ERROR"),
    }
}

/// What was acknowledged is there, in its order; more may be.
pub(super) fn contains(found: &[String], acknowledged: &[String]) -> Result<()> {
    let mut rest = found.iter();
    for value in acknowledged {
        ensure!(rest.any(|found| found == value), "{value:?} was acknowledged and is not there");
    }
    Ok(())
}

fn failed_sync(bench: &mut Bench<'_>) -> Result<()> {
    let mut client = bench.client()?;
    client.create("synced", &[])?;
    for number in 0..20 {
        client.produce("synced", &format!("synced before {number}"), -1)?;
    }
    bench.faultfs.set_faults(&format!("sync 3 1 errno {EIO} synced-0\n"))?;
    let (acknowledged, refused) = until_refused(&mut client, "synced", "", 50)?;
    storage_error(&refused)?;
    // The disk would take the next sync. Nobody may believe it: the only directory is gone, and the broker with it.
    for number in 0..20 {
        if let Ok(Produced::At(offset)) =
            bench.client().and_then(|mut c| c.produce("synced", &format!("after {number}"), -1))
        {
            bail!("acknowledged at {offset} after a sync had failed");
        }
        thread::sleep(Duration::from_millis(20));
    }
    bench.cut_power()?;
    let found = bench.client()?.read_all("synced")?;
    contains(&found, &acknowledged)?;
    let mut client = bench.client()?;
    ensure!(matches!(client.produce("synced", "goes on", -1)?, Produced::At(_)), "nothing can be appended");
    Ok(())
}

fn full_disk(bench: &mut Bench<'_>) -> Result<()> {
    let mut client = bench.client()?;
    client.create("full", &[])?;
    bench.faultfs.set_faults(&format!("write 10 1000000 errno {ENOSPC} full-0\n"))?;
    let (mut acknowledged, refused) = until_refused(&mut client, "full", "", 100)?;
    ensure!(
        refused == Produced::Refused(ErrorCode::KafkaStorageError),
        "{refused:?}, not KAFKA_STORAGE_ERROR"
    );
    contains(&client.read_all("full")?, &acknowledged).context("while the disk is full")?;
    client.delete_records("full", 3).context("while the disk is full")?;
    bench.faultfs.set_faults("")?;
    let begun = Instant::now();
    loop {
        match client.produce("full", "there is room again", -1)? {
            Produced::At(_) => break,
            refused => {
                ensure!(begun.elapsed() < Duration::from_secs(30), "{refused:?} although there is room")
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    acknowledged.drain(..3);
    acknowledged.push("there is room again".to_owned());
    ensure!(client.read_all("full")? == acknowledged, "something else is there than was acknowledged");
    bench.broker.check_alive()
}

fn failed_write(bench: &mut Bench<'_>) -> Result<()> {
    let mut client = bench.client()?;
    client.create("write", &[])?;
    bench.faultfs.set_faults(&format!("write 10 1000000 errno {EIO} write-0\n"))?;
    let (acknowledged, refused) = until_refused(&mut client, "write", "", 100)?;
    storage_error(&refused)?;
    bench.cut_power()?;
    contains(&bench.client()?.read_all("write")?, &acknowledged)
}

fn failed_read(bench: &mut Bench<'_>) -> Result<()> {
    let mut client = bench.client()?;
    client.create("read", &[])?;
    let mut sent = Vec::new();
    for number in 0..50 {
        sent.push(format!("read {number}"));
        client.produce("read", &sent[number], -1)?;
    }
    bench.faultfs.set_faults(&format!("read 0 1000000 errno {EIO} read-0\n"))?;
    // An error, or the connection closed in the middle of an answer; never other records.
    if let Ok(found) = bench.client()?.read_all("read") {
        ensure!(found == sent, "other records than were sent");
    }
    bench.cut_power()?;
    ensure!(bench.client()?.read_all("read")? == sent, "the records are not all there");
    Ok(())
}

fn short_writes(bench: &mut Bench<'_>) -> Result<()> {
    bench.faultfs.set_faults("write 0 100000 short 0 /\n")?;
    let mut client = bench.client()?;
    client.create("short", &[])?;
    let mut sent = Vec::new();
    for number in 0..60 {
        sent.push(format!("short {number} {}", "x".repeat(number * 37)));
        ensure!(matches!(client.produce("short", &sent[number], -1)?, Produced::At(_)), "refused");
    }
    ensure!(client.read_all("short")? == sent, "other records than were sent");
    bench.cut_power()?;
    ensure!(bench.client()?.read_all("short")? == sent, "other records than were sent, after a start");
    Ok(())
}
