//! A disk that fills up: producers are refused in time with an error that they retry, everything else goes on, and when
//! there is room again they are served, without a restart.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::error::ErrorCode;

use super::place::Small;
use crate::broker::Broker;
use crate::chaos::{Produced, Single};
use crate::environment::Environment;
use crate::jvm::Runner;
use crate::report::Report;

const MIB: u64 = 1 << 20;
/// The file system.
const SIZE: u64 = 48 * MIB;
/// `ottla.disk.free.min.bytes`.
const FREE_MIN: u64 = 16 * MIB;
/// Too little for producers, enough for everything else.
const NEARLY: u64 = 2 * MIB;
/// A record's value.
const VALUE_BYTES: usize = 200 << 10;
/// How long a broker may take to see that there is room again.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs the cases.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("small");
    let small = match Small::mount(&data, SIZE) {
        Ok(small) => small,
        Err(error) => {
            report.skip("full_disks", &format!("{error:#}"));
            return Ok(());
        }
    };
    let mut runner = Runner::new(environment);
    let mut broker = broker(environment, directory.path(), &small);
    broker.start(&mut runner)?;
    let mut acknowledged = Vec::new();
    report.case("below_the_limit_producers_are_refused_and_the_rest_goes_on", || {
        acknowledged = nearly_full(&mut runner, &broker, &small)?;
        Ok(())
    });
    report.case("retention_makes_room_and_producers_are_served_again", || {
        retention(&mut runner, &mut broker, &acknowledged)
    });
    report.case("where_nothing_is_left_nothing_is_lost_and_all_goes_on_by_itself", || {
        nothing_left(&mut broker, &small)
    });
    report.case("a_broker_starts_below_the_limit_and_says_what_it_needs_where_nothing_is_left", || {
        started_full(&mut runner, &mut broker, &small)
    });
    Ok(())
}

fn broker<'e>(environment: &'e Environment, directory: &Path, small: &Small) -> Broker<'e> {
    Broker::ottla(environment, directory)
        .log_dirs(&["small"])
        .started_by(&small.entered_by())
        .set("ottla.disk.free.min.bytes", &FREE_MIN.to_string())
        .set("log.retention.check.interval.ms", "200")
        .set("log.retention.ms", "-1")
        .set("log.segment.delete.delay.ms", "100")
        .set("offsets.topic.num.partitions", "3")
}

/// A value that tells which it is.
fn value(topic: &str, number: usize) -> String {
    format!("{topic} {number} {}", "x".repeat(VALUE_BYTES))
}

/// Sends until something is refused, as it must be; the values that were acknowledged.
fn fill(client: &mut Single, topic: &str) -> Result<Vec<String>> {
    let mut acknowledged = Vec::new();
    loop {
        let next = value(topic, acknowledged.len());
        match client.produce(topic, &next, -1)? {
            Produced::At(_) => acknowledged.push(next),
            refused => {
                ensure!(refused == Produced::Refused(ErrorCode::KafkaStorageError), "{refused:?}");
                return Ok(acknowledged);
            }
        }
        ensure!(
            acknowledged.len() as u64 * (VALUE_BYTES as u64) < 2 * SIZE,
            "more was taken than there is room for"
        );
    }
}

/// Sends a record until it is taken.
fn until_taken(client: &mut Single, topic: &str, value: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        match client.produce(topic, value, -1)? {
            Produced::At(_) => return Ok(()),
            refused => {
                ensure!(begun.elapsed() < LIMIT, "{refused:?} after {LIMIT:?}, although there is room")
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn same(found: &[String], expected: &[String]) -> Result<()> {
    let start = |values: &[String]| -> Vec<String> {
        values.iter().map(|value| value.chars().take(20).collect()).collect()
    };
    ensure!(found == expected, "{:?}\ninstead of\n{:?}", start(found), start(expected));
    Ok(())
}

fn nearly_full(runner: &mut Runner<'_>, broker: &Broker<'_>, small: &Small) -> Result<Vec<String>> {
    let mut client = Single::open(broker.port)?;
    client.create("kept", &[])?;
    let kept: Vec<String> = (0..10).map(|number| format!("kept {number}")).collect();
    for value in &kept {
        client.produce("kept", value, -1)?;
    }
    client.create("filling", &[("segment.bytes", "1048576")])?;
    let acknowledged = fill(&mut client, "filling")?;
    let free = small.free()?;
    ensure!(
        (FREE_MIN - MIB..FREE_MIN + MIB).contains(&free),
        "refused when {free} bytes were free of {FREE_MIN}"
    );
    for acks in [1, -1] {
        let refused = client.produce("kept", "one more", acks)?;
        ensure!(refused == Produced::Refused(ErrorCode::KafkaStorageError), "{refused:?} for acks={acks}");
    }
    same(&client.read_all("filling")?, &acknowledged)?;
    // Topics are made and deleted, records are deleted, groups commit.
    client.create("made-when-full", &[])?;
    client.delete("made-when-full")?;
    client.delete_records("kept", 2)?;
    let server = ["--bootstrap-server", &broker.bootstrap()];
    let read = ["--topic", "kept", "--group", "when-full", "--from-beginning", "--max-messages", "5"];
    let output = runner.tool("kafka-console-consumer", &[&server[..], &read].concat(), b"")?.success()?;
    ensure!(output.stdout.lines().eq(kept[2..7].iter()), "{:?}", output.stdout);
    let asked = ["--describe", "--group", "when-full"];
    let output = runner.tool("kafka-consumer-groups", &[&server[..], &asked].concat(), b"")?.success()?;
    let committed =
        output.stdout.lines().any(|line| line.split_whitespace().take(4).eq(["when-full", "kept", "0", "7"]));
    ensure!(committed, "{}", output.stdout);
    Ok(acknowledged)
}

fn retention(runner: &mut Runner<'_>, broker: &mut Broker<'_>, acknowledged: &[String]) -> Result<()> {
    let bootstrap = broker.bootstrap();
    let alter = [
        "--bootstrap-server",
        &bootstrap,
        "--alter",
        "--entity-type",
        "topics",
        "--entity-name",
        "filling",
        "--add-config",
        "retention.bytes=2097152",
    ];
    runner.tool("kafka-configs", &alter, b"")?.success()?;
    let mut client = Single::open(broker.port)?;
    until_taken(&mut client, "filling", "there is room again")?;
    let mut expected = acknowledged.to_vec();
    expected.push("there is room again".to_owned());
    let found = client.read_all("filling")?;
    ensure!(found.len() > 5 && found.len() < expected.len(), "{} records are left", found.len());
    same(&found, &expected[expected.len() - found.len()..])?;
    broker.check_alive()
}

fn nothing_left(broker: &mut Broker<'_>, small: &Small) -> Result<()> {
    let mut client = Single::open(broker.port)?;
    client.create("last", &[])?;
    client.create("doomed", &[])?;
    let mut sent: Vec<String> = (0..20).map(|number| format!("last {number}")).collect();
    for value in &sent {
        ensure!(matches!(client.produce("last", value, -1)?, Produced::At(_)), "{value} is refused");
    }
    small.fill(0)?;
    let begun = Instant::now();
    // What was measured a moment ago may let some of it be tried, and the disk refuses it.
    loop {
        match client.produce("last", &format!("last {}", sent.len()), -1)? {
            Produced::At(_) => sent.push(format!("last {}", sent.len())),
            Produced::Refused(ErrorCode::KafkaStorageError) => break,
            other => bail!("{other:?}"),
        }
        ensure!(begun.elapsed() < LIMIT, "records are taken although nothing is left");
    }
    same(&client.read_all("last")?, &sent)?;
    // Whether there is room for its record or not, the answer comes.
    let deleted = client.delete("doomed");
    broker.check_alive()?;
    small.unfill()?;
    until_taken(&mut client, "last", "goes on")?;
    sent.push("goes on".to_owned());
    same(&client.read_all("last")?, &sent)?;
    if deleted.is_err() {
        client.delete("doomed").context("when there is room again")?;
    }
    client.create("doomed", &[]).context("its name is free again")?;
    broker.check_alive()
}

fn started_full(runner: &mut Runner<'_>, broker: &mut Broker<'_>, small: &Small) -> Result<()> {
    let before = Single::open(broker.port)?.read_all("last")?;
    for is_clean in [false, true] {
        small.fill(0)?;
        if is_clean {
            broker.stop()?;
        } else {
            broker.kill()?;
        }
        // Its new epoch must be written down; a supervisor tries again until it can.
        let error = broker.start(runner).err().context("it starts without a byte free")?;
        ensure!(format!("{error:#}").contains("make room on the disk"), "{error:#}");
        small.unfill()?;
        small.fill(NEARLY)?;
        broker.start(runner)?;
        let mut client = Single::open(broker.port)?;
        same(&client.read_all("last")?, &before)?;
        let refused = client.produce("last", "does not fit", -1)?;
        ensure!(refused == Produced::Refused(ErrorCode::KafkaStorageError), "{refused:?}");
        small.unfill()?;
        until_taken(&mut client, "kept", "goes on")?;
        broker.check_alive()?;
    }
    Ok(())
}
