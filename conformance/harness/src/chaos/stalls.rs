//! Disks that do not answer for a while: what lies in the directory waits, and nothing else does.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ottla_protocol::error::ErrorCode;
use ottla_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::{
    DescribeLogDirsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
};

use super::faults::{Bench, Case, contains, storage_error};
use super::single::{Produced, Single};
use crate::raw;

/// The metadata log is in the first directory, the disk of the second one stalls; the offsets topic has a partition in
/// each.
const TWO_DIRS: &[(&str, &str)] = &[
    ("log.dirs", "data/a,data/b"),
    ("offsets.topic.num.partitions", "2"),
    // Files that concern the whole directory are written while it stalls.
    ("log.flush.offset.checkpoint.interval.ms", "200"),
    ("replica.high.watermark.checkpoint.interval.ms", "200"),
    ("log.retention.check.interval.ms", "300"),
    ("log.cleaner.backoff.ms", "200"),
];

/// Stalls of seconds.
pub(super) const SHORT: &[Case] = &[
    Case::new("a_stalled_sync_holds_up_its_own_partition_only", stalled_sync),
    Case::new("a_disk_that_does_not_sync_holds_up_its_own_directory_only", |bench| {
        stalled_dir(bench, SYNCS, Duration::from_secs(5))
    })
    .with(TWO_DIRS),
    Case::new("a_disk_that_answers_nothing_holds_up_its_own_directory_only", |bench| {
        stalled_dir(bench, EVERYTHING, Duration::from_secs(5))
    })
    .with(TWO_DIRS),
    Case::new("a_disk_that_answers_nothing_for_too_long_is_given_up_and_the_others_go_on", |bench| {
        given_up(bench, Duration::from_secs(2), Duration::from_secs(5))
    })
    .with(TWO_DIRS)
    .and(&[("ottla.disk.stall.max.ms", "2000")]),
    Case::new("the_only_disk_is_waited_for", |bench| only_dir(bench, Duration::from_secs(5)))
        .with(&[("ottla.disk.stall.max.ms", "2000")]),
];

/// Stalls of a minute.
pub(super) const LONG: &[Case] = &[
    Case::new("a_disk_that_answers_nothing_for_a_minute_is_given_up_after_half_of_it", |bench| {
        given_up(bench, Duration::from_secs(30), MINUTE)
    })
    .with(TWO_DIRS),
    Case::new("a_disk_that_answers_nothing_for_a_minute_is_waited_for_if_it_may_be", |bench| {
        stalled_dir(bench, EVERYTHING, MINUTE)
    })
    .with(TWO_DIRS)
    .and(&[("ottla.disk.stall.max.ms", "0")]),
    Case::new("the_only_disk_is_waited_for_for_a_minute", |bench| only_dir(bench, MINUTE)),
];

const MINUTE: Duration = Duration::from_secs(60);

/// Calls that wait for a disk whose queue is stuck: what goes to the page cache does not.
const SYNCS: &[&str] = &["sync", "syncdir"];
/// All calls that change something.
const EVERYTHING: &[&str] = &["sync", "syncdir", "write", "setlen", "rename", "unlink"];

/// After this the broker has seen that a sync does not end.
const KNOWN_AS_STUCK: Duration = Duration::from_millis(800);
/// What anybody who has nothing to do with the disk may have to wait for at most.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// One partition's sync stalls, in a directory that has all.
fn stalled_sync(bench: &mut Bench<'_>) -> Result<()> {
    const STALL: Duration = Duration::from_secs(6);
    let mut client = bench.client()?;
    client.create("stalled", &[])?;
    client.create("free", &[])?;
    client.produce("stalled", "before", -1)?;
    client.produce("free", "before", -1)?;
    bench.faultfs.set_faults(&format!("sync 0 1 stall {} stalled-0\n", STALL.as_millis()))?;
    let port = bench.broker.port;
    let waiting = thread::spawn(move || -> Result<Duration> {
        let begun = Instant::now();
        Single::open(port)?.produce("stalled", "waits", -1)?;
        Ok(begun.elapsed())
    });
    thread::sleep(Duration::from_millis(300));
    let mut slowest = Duration::ZERO;
    for number in 0..50 {
        let begun = Instant::now();
        let produced = client.produce("free", &format!("free {number}"), -1)?;
        ensure!(matches!(produced, Produced::At(_)), "{produced:?} by a partition whose disk does not stall");
        slowest = slowest.max(begun.elapsed());
        ensure!(raw::serves_metadata(port), "the broker does not answer Metadata");
    }
    ensure!(!waiting.is_finished(), "the stalled partition has answered before its disk did");
    ensure!(slowest < UNDISTURBED, "another partition waited {slowest:?}");
    let waited = waiting.join().expect("the waiting client does not panic")?;
    ensure!(
        waited >= STALL - Duration::from_millis(500),
        "answered after {waited:?}, the disk after {STALL:?}"
    );
    bench.broker.check_alive()
}

/// The disk of one of two directories stalls as a whole.
fn stalled_dir(bench: &mut Bench<'_>, calls: &[&str], stall: Duration) -> Result<()> {
    let mut client = bench.client()?;
    let Sides { free, stalled, group } = sides(bench, &mut client)?;
    let begun = Instant::now();
    bench.faultfs.set_faults(&hang(SYNCS))?;
    let late = sent_behind(bench.broker.port, &stalled[0], "late", 1500, stall);
    let patient = sent_behind(bench.broker.port, &stalled[1], "patient", 120_000, stall);
    // Writes go to the page cache until it is full of what the disk does not take.
    thread::sleep(KNOWN_AS_STUCK);
    bench.faultfs.set_faults(&hang(calls))?;
    let mut acknowledged = Vec::new();
    let mut number = 0;
    undisturbed("deleting a topic of the stalled disk", || client.delete(&stalled[2]))?;
    while begun.elapsed() < stall {
        number += 1;
        acknowledged.extend(others_go_on(bench, &free, &group, number)?);
        undisturbed("a read of what the stalled disk has", || {
            let found = Single::open(bench.broker.port)?.read_all(&stalled[0])?;
            ensure!(found.first().is_some_and(|first| first == "before"), "{found:?}");
            Ok(())
        })?;
        thread::sleep(Duration::from_millis(50));
    }
    let (produced, waited) = late.join().expect("the waiting client does not panic")?;
    ensure!(produced == Produced::Refused(ErrorCode::RequestTimedOut), "{produced:?} after {waited:?}");
    ensure!(waited < Duration::from_millis(1500) + UNDISTURBED, "its timeout took {waited:?}");
    ensure!(!patient.is_finished(), "acknowledged before the disk answered: {:?}", patient.join());
    bench.faultfs.set_faults("")?;
    let (produced, waited) = patient.join().expect("the waiting client does not panic")?;
    ensure!(matches!(produced, Produced::At(_)), "{produced:?} after {waited:?}");
    let produced = client.produce(&stalled[0], "afterwards", -1)?;
    ensure!(matches!(produced, Produced::At(_)), "{produced:?} although the disk answers");
    ensure!(number >= 10, "only {number} rounds during the stall: the others were slow");
    println!("      {number} rounds beside the stall, {} records acknowledged", acknowledged.len());
    bench.broker.check_alive()?;
    bench.cut_power()?;
    let mut client = bench.client()?;
    contains(&client.read_all(&free)?, &acknowledged)?;
    let words = |words: [&str; 2]| words.map(str::to_owned);
    contains(&client.read_all(&stalled[0])?, &words(["before", "afterwards"]))?;
    contains(&client.read_all(&stalled[1])?, &words(["before", "patient"]))
}

/// The disk of one of two directories stalls as a whole, for longer than it may.
fn given_up(bench: &mut Bench<'_>, max: Duration, stall: Duration) -> Result<()> {
    let port = bench.broker.port;
    let mut client = bench.client()?;
    let Sides { free, stalled, group } = sides(bench, &mut client)?;
    let begun = Instant::now();
    bench.faultfs.set_faults(&hang(SYNCS))?;
    let patient = sent_behind(port, &stalled[1], "patient", 120_000, stall);
    thread::sleep(KNOWN_AS_STUCK);
    bench.faultfs.set_faults(&hang(EVERYTHING))?;
    let aside = sent_behind(port, &stalled[0], "aside", 120_000, stall);
    let mut acknowledged = Vec::new();
    let mut number = 0;
    while begun.elapsed() < stall {
        number += 1;
        acknowledged.extend(others_go_on(bench, &free, &group, number)?);
        // Whoever comes when it is given up is told so at once.
        if begun.elapsed() > max + UNDISTURBED {
            undisturbed("Produce to a disk that was given up", || {
                storage_error(&Single::open(port)?.produce(&stalled[0], "too late", -1)?)
            })?;
            ensure!(leader(&mut client, &stalled[0])? == -1, "it is led by a broker that gave it up");
            let error = ErrorCode::from_code(describe(&mut client, "b")?.error_code);
            ensure!(error == ErrorCode::KafkaStorageError, "DescribeLogDirs says {error}");
        } else if begun.elapsed() + UNDISTURBED < max {
            ensure!(leader(&mut client, &stalled[0])? == 1, "it is given up after {:?}", begun.elapsed());
        }
        thread::sleep(Duration::from_millis(50));
    }
    let (produced, waited) = patient.join().expect("the waiting client does not panic")?;
    storage_error(&produced)?;
    let soon = max - UNDISTURBED..max + UNDISTURBED;
    ensure!(soon.contains(&waited), "told after {waited:?}, allowed are {max:?}");
    ensure!(number >= 10, "only {number} rounds during the stall: the others were slow");
    println!("      given up after {waited:?}; {number} rounds beside the stall");
    bench.faultfs.set_faults("")?;
    // What hung is made now, and not acknowledged.
    let (produced, _) = aside.join().expect("the waiting client does not panic")?;
    ensure!(!matches!(produced, Produced::At(_)), "{produced:?} by a disk that was given up");
    storage_error(&client.produce(&stalled[0], "too late", -1)?)?;
    acknowledged.extend(others_go_on(bench, &free, &group, number + 1)?);
    bench.broker.check_alive()?;
    bench.cut_power()?;
    let mut client = bench.client()?;
    contains(&client.read_all(&free)?, &acknowledged)?;
    for topic in &stalled {
        contains(&client.read_all(topic)?, &["before".to_owned()])?;
        ensure!(matches!(client.produce(topic, "afterwards", -1)?, Produced::At(_)), "{topic} takes nothing");
    }
    Ok(())
}

/// The disk of the only directory stalls: there is nobody to hand anything over to.
fn only_dir(bench: &mut Bench<'_>, stall: Duration) -> Result<()> {
    let port = bench.broker.port;
    let mut client = bench.client()?;
    client.create("only", &[])?;
    ensure!(matches!(client.produce("only", "before", -1)?, Produced::At(_)), "refused");
    let begun = Instant::now();
    bench.faultfs.set_faults("sync 0 1000000 hang 0 data\n")?;
    let late = sent_behind(port, "only", "late", 1500, stall);
    let patient = sent_behind(port, "only", "patient", 120_000, stall);
    while begun.elapsed() < stall {
        undisturbed("Metadata", || {
            ensure!(raw::serves_metadata(port), "no answer");
            Ok(())
        })?;
        undisturbed("Fetch", || {
            let found = Single::open(port)?.read_all("only")?;
            ensure!(found == ["before"], "{found:?}");
            Ok(())
        })?;
        thread::sleep(Duration::from_millis(100));
    }
    let (produced, waited) = late.join().expect("the waiting client does not panic")?;
    ensure!(produced == Produced::Refused(ErrorCode::RequestTimedOut), "{produced:?} after {waited:?}");
    bench.faultfs.set_faults("")?;
    let (produced, waited) = patient.join().expect("the waiting client does not panic")?;
    ensure!(matches!(produced, Produced::At(_)), "{produced:?} after {waited:?}");
    ensure!(matches!(client.produce("only", "afterwards", -1)?, Produced::At(_)), "refused");
    bench.broker.check_alive()?;
    bench.cut_power()?;
    contains(&bench.client()?.read_all("only")?, &["before", "patient", "afterwards"].map(str::to_owned))
}

/// Who leads a topic's partition; −1 is nobody.
fn leader(client: &mut Single, topic: &str) -> Result<i32> {
    let asked = MetadataRequestTopic { name: Some(topic.into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
    let answer = client.ask(9, &request)?;
    Ok(answer.topics[0].partitions.first().context("it has a partition")?.leader_id)
}

/// Where things are.
struct Sides {
    /// A topic whose disk goes on.
    free: String,
    /// Topics whose disk stalls.
    stalled: [String; 3],
    /// A group whose coordinator's disk goes on.
    group: String,
}

fn sides(bench: &Bench<'_>, client: &mut Single) -> Result<Sides> {
    let topics: Vec<String> = (0..8).map(|number| format!("topic-{number}")).collect();
    for topic in &topics {
        client.create(topic, &[])?;
        ensure!(matches!(client.produce(topic, "before", -1)?, Produced::At(_)), "refused");
    }
    let is_at = |dir: &str, topic: &str| bench.broker.data().join(dir).join(format!("{topic}-0")).exists();
    let free = topics.iter().find(|topic| is_at("a", topic)).context("a topic in the first directory")?;
    let stalled: Vec<String> = topics.iter().filter(|topic| is_at("b", topic)).cloned().collect();
    let stalled = stalled.first_chunk().context("three topics in the second directory")?.clone();
    // Whoever commits makes the offsets topic, and the directory of its coordinator's partition.
    for number in 0..20 {
        let group = format!("group-{number}");
        commit(client, &group, free, number)?;
        let path = bench.broker.data().join("a");
        let is_there = |index: i32| path.join(format!("__consumer_offsets-{index}")).exists();
        if is_there(partition_of(&group)) {
            return Ok(Sides { free: free.clone(), stalled, group });
        }
    }
    bail!("no group's coordinator is in the first directory")
}

/// The coordinator's partition: Java's hash of the name.
fn partition_of(group: &str) -> i32 {
    let hash =
        group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX) % 2
}

fn hang(calls: &[&str]) -> String {
    calls.iter().map(|call| format!("{call} 0 1000000 hang 0 data/b\n")).collect()
}

type Sent = thread::JoinHandle<Result<(Produced, Duration)>>;

/// A record that waits for the disk, for as long as its request allows; tells how long that was.
fn sent_behind(port: u16, topic: &str, value: &'static str, timeout_ms: i32, stall: Duration) -> Sent {
    let topic = topic.to_owned();
    thread::spawn(move || {
        let begun = Instant::now();
        let mut client = Single::patient(port, stall + Duration::from_secs(30))?;
        let produced = client.produce_within(&topic, None, value, -1, timeout_ms)?;
        Ok((produced, begun.elapsed()))
    })
}

/// What has nothing to do with the disk that stalls; each on a connection of its own, so that all threads are asked.
fn others_go_on(bench: &Bench<'_>, free: &str, group: &str, number: i64) -> Result<Vec<String>> {
    let port = bench.broker.port;
    let value = format!("free {number}");
    undisturbed("Produce", || {
        let produced = Single::open(port)?.produce(free, &value, -1)?;
        ensure!(matches!(produced, Produced::At(_)), "{produced:?}");
        Ok(())
    })?;
    undisturbed("Metadata", || {
        ensure!(raw::serves_metadata(port), "no answer");
        Ok(())
    })?;
    undisturbed("the group's coordinator", || {
        let mut client = Single::open(port)?;
        commit(&mut client, group, free, number)?;
        let request = OffsetFetchRequest { group_id: group.into(), topics: None, ..Default::default() };
        let answer = client.ask(5, &request)?;
        let fetched = answer.topics.first().and_then(|topic| topic.partitions.first());
        let fetched = fetched.map(|partition| partition.committed_offset);
        ensure!(fetched == Some(number), "committed {number}, fetched {fetched:?}");
        Ok(())
    })?;
    undisturbed("the controller", || {
        let mut client = Single::open(port)?;
        client.create(&format!("made-{number}"), &[])?;
        client.delete(&format!("made-{number}"))
    })?;
    undisturbed("DescribeLogDirs", || describe(&mut Single::open(port)?, "b").map(drop))?;
    Ok(vec![value])
}

fn undisturbed(what: &str, ask: impl FnOnce() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    ask().with_context(|| what.to_owned())?;
    let took = begun.elapsed();
    ensure!(took < UNDISTURBED, "{what} took {took:?} beside a disk that stalls");
    Ok(())
}

fn commit(client: &mut Single, group: &str, topic: &str, offset: i64) -> Result<()> {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let begun = Instant::now();
    loop {
        let error = client.ask(7, &request)?.topics[0].partitions[0].error_code;
        match ErrorCode::from_code(error) {
            ErrorCode::None => return Ok(()),
            // The offsets topic is being made.
            ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorLoadInProgress
                if begun.elapsed() < Duration::from_secs(5) =>
            {
                client.find_coordinator(group)?;
                thread::sleep(Duration::from_millis(20));
            }
            error => bail!("OffsetCommit: {error}"),
        }
    }
}

/// What DescribeLogDirs says of a directory.
fn describe(client: &mut Single, dir: &str) -> Result<DescribeLogDirsResult> {
    let answer = client.ask(4, &DescribeLogDirsRequest { topics: None, ..Default::default() })?;
    let found = answer.results.into_iter().find(|result| Path::new(&*result.log_dir).ends_with(dir));
    found.with_context(|| format!("DescribeLogDirs does not tell of {dir}"))
}
