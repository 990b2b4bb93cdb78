//! The part of a broker that matters here: it appends, flushes, truncates, deletes and writes checkpoints as a broker
//! does, and stops at the first error.

use std::path::Path;

use ottla_log::disk::SimDisk;
use ottla_log::{
    DeletedSegments, Log, LogConfig, LogDir, LogError, OffsetCheckpoint, OpenOptions, RecoveryReport,
    RetentionPolicy, RollFacts, TopicPartition, deletable_segments,
};
use ottla_protocol::records::producer_snapshot::{self, ProducerSnapshotEntry};
use ottla_protocol::records::{BatchBuilder, BatchBytes, batches};
use ottla_protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use crate::End;
use crate::common::context;
use crate::common::random::Random;
use crate::state::{Appended, State};

const DIR: &str = "/data";

pub(crate) fn any_config(random: &mut Random) -> LogConfig {
    LogConfig {
        segment_bytes: [1500, 4000, 20_000][random.below(3) as usize],
        index_interval_bytes: [0, 200, 4096][random.below(3) as usize],
        ..LogConfig::default()
    }
}

fn partition(index: usize) -> TopicPartition {
    TopicPartition::new("orders", index as i32)
}

/// Why the host stopped.
type Stopped = Box<dyn std::error::Error>;
type Step = Result<(), Stopped>;
type Opened = (LogDir, Vec<(Log, RecoveryReport)>);

/// Opens the directory and all logs in it, as a process that starts does.
pub(crate) fn try_open(disk: &SimDisk, config: LogConfig) -> Result<Opened, Stopped> {
    let context = context(disk);
    let log_dir = LogDir::open(&context, Path::new(DIR))?;
    let logs = (0..3).map(|index| {
        let options = OpenOptions { config, ..log_dir.open_options(&partition(index), 0) };
        Log::open(&context, options)
    });
    let logs: Vec<(Log, RecoveryReport)> = logs.collect::<Result<_, _>>()?;
    for (log, report) in &logs {
        if report.missing_before.is_some() {
            log_dir.lower_recovery_point(&report.topic_partition, log.recovery_point())?;
        }
    }
    Ok((log_dir, logs))
}

pub(crate) struct Host {
    disk: SimDisk,
    config: LogConfig,
    log_dir: Option<LogDir>,
    logs: Vec<Log>,
    states: [State; 3],
    /// Put aside, and to be removed later.
    deleted: Vec<DeletedSegments>,
    clock: i64,
    pub(crate) doing: String,
}

impl Host {
    pub(crate) fn start(disk: &SimDisk, config: LogConfig, states: [State; 3]) -> Host {
        let (log_dir, opened) = try_open(disk, config).expect("opens");
        let logs = opened.into_iter().map(|(log, _)| log).collect();
        let clock = states.iter().flat_map(|s| s.batches.values()).flat_map(|b| &b.timestamps).max();
        let clock = clock.copied().unwrap_or(0);
        let (log_dir, deleted, doing) = (Some(log_dir), Vec::new(), String::new());
        Host { disk: disk.clone(), config, log_dir, logs, states, deleted, clock, doing }
    }

    /// The logs are what they should be before anything has gone wrong.
    pub(crate) fn check(&self) {
        for (log, state) in self.logs.iter().zip(&self.states) {
            assert_eq!(log.log_end_offset().0, state.end);
        }
    }

    /// Works until the disk stops, or for a while.
    pub(crate) fn work(&mut self, random: &mut Random) {
        for _ in 0..80 {
            let index = random.below(3) as usize;
            let drawn = random.below(100);
            self.doing = format!("step {drawn} of partition {index}");
            if let Err(stopped) = self.step(index, drawn, random) {
                assert!(self.disk.has_stopped(), "{}: {stopped:?}", self.doing);
                return;
            }
            for state in &mut self.states {
                if let Some(after) = state.or.take() {
                    *state = *after;
                }
            }
        }
    }

    /// What the process had done when it ended.
    pub(crate) fn states(self) -> [State; 3] {
        self.states
    }

    fn step(&mut self, index: usize, drawn: u64, random: &mut Random) -> Step {
        match drawn {
            0..60 => self.append(index, random),
            60..75 => self.group_commit(index, random),
            75..78 => self.roll(index),
            78..82 => self.truncate(index, random),
            82..83 => self.truncate_fully(index, random),
            83..87 => self.delete_records(index, random),
            87..91 => self.retention(index, random),
            91..94 => self.write_checkpoints(),
            94..96 => {
                self.states[index].epoch += 1;
                self.logs[index].assign_epoch(LeaderEpoch(self.states[index].epoch));
                Ok(())
            }
            96..98 => self.deleted.pop().map_or(Ok(()), |deleted| Ok(deleted.remove()?)),
            _ => self.restart(),
        }
    }

    fn append(&mut self, index: usize, random: &mut Random) -> Step {
        let (log, state) = (&mut self.logs[index], &mut self.states[index]);
        let producer = random.below(4) as i64;
        let known = state.producers(state.end);
        let sequence = known.get(&ProducerId(producer)).map_or(0, |(_, sequence)| sequence + 1);
        let mut builder = BatchBuilder::new();
        if producer > 0 {
            builder = builder.producer(ProducerId(producer), ProducerEpoch(0), sequence);
        }
        let count = 1 + random.below(4);
        let value_max = if self.config.segment_bytes > 10_000 && random.percent(20) { 3000 } else { 250 };
        let mut timestamps = Vec::new();
        for _ in 0..count {
            self.clock += 5;
            let timestamp = (self.clock - random.between(0, 20)).max(1);
            let value: Vec<u8> = (0..random.below(value_max)).map(|_| random.bits() as u8).collect();
            builder.append(timestamp, None, Some(&value), &[]);
            timestamps.push(timestamp);
        }
        let bytes = builder.build();
        let mut batch = BatchBytes::new(&bytes).expect("sound");
        let epoch = LeaderEpoch(state.epoch);
        let facts = RollFacts {
            size: bytes.len(),
            max_timestamp: batch.header().max_timestamp,
            last_offset: Offset(state.end + count as i64 - 1),
        };
        if log.should_roll(&facts, self.clock)? {
            roll(log, state, self.clock)?;
        }
        batch.set_base_offset(Offset(state.end));
        batch.set_leader_epoch(epoch);
        let appended = Appended {
            bytes: batch.to_vec(),
            last: state.end + count as i64 - 1,
            epoch: epoch.0,
            producer: (producer > 0).then_some((ProducerId(producer), sequence + count as i32 - 1)),
            timestamps,
        };
        let mut after = state.clone();
        after.end = appended.last + 1;
        after.batches.insert(state.end, appended);
        state.or = Some(Box::new(after));
        log.append(&mut batch, epoch, self.clock)?;
        Ok(())
    }

    /// A flush during which others append, roll and truncate.
    fn group_commit(&mut self, index: usize, random: &mut Random) -> Step {
        let Some(flush) = self.logs[index].prepare_flush()? else { return Ok(()) };
        let (up_to, mut is_cut) = (flush.up_to().0, false);
        for _ in 0..random.below(3) {
            self.during_flush(index, &mut is_cut, random)?;
        }
        let result = flush.run();
        if result.is_ok() && random.percent(30) {
            self.during_flush(index, &mut is_cut, random)?;
        }
        self.logs[index].flushed(&flush, result.is_ok(), self.clock);
        result?;
        let state = &mut self.states[index];
        if !is_cut {
            state.flushed = state.flushed.max(up_to);
        }
        Ok(())
    }

    fn during_flush(&mut self, index: usize, is_cut: &mut bool, random: &mut Random) -> Step {
        match random.below(10) {
            0 => self.roll(index)?,
            1 => {
                *is_cut = true;
                self.truncate(index, random)?;
            }
            _ => self.append(index, random)?,
        }
        if let Some(after) = self.states[index].or.take() {
            self.states[index] = *after;
        }
        Ok(())
    }

    fn roll(&mut self, index: usize) -> Step {
        roll(&mut self.logs[index], &self.states[index], self.clock)
    }

    fn truncate(&mut self, index: usize, random: &mut Random) -> Step {
        let state = &mut self.states[index];
        let at = random.between(state.start, state.end);
        // The log ends where its last batch does.
        let at = state.batches.range(..=at).next_back().map_or(
            at,
            |(base, batch)| {
                if at > batch.last { at } else { *base }
            },
        );
        // Nobody truncates to before the start: such a log is begun anew.
        if at < state.start {
            return Ok(());
        }
        let mut after = state.clone();
        after.cut_to(at);
        state.or = Some(Box::new(after));
        let deleted = self.logs[index].truncate_to(Offset(at), self.clock)?;
        self.cut(index, deleted)
    }

    fn truncate_fully(&mut self, index: usize, random: &mut Random) -> Step {
        let state = &mut self.states[index];
        let at = state.end + random.between(0, 20);
        // Nothing of it was flushed: if its directory was not either, it begins at 0 again.
        let after = State { start: at, end: at, epoch: state.epoch, ..State::default() };
        state.or = Some(Box::new(after));
        let deleted = self.logs[index].truncate_fully_and_start_at(Offset(at), self.clock)?;
        self.cut(index, deleted)
    }

    /// Something was cut off: what the checkpoints say of it must not be what they say of what comes next.
    fn cut(&mut self, index: usize, deleted: DeletedSegments) -> Step {
        if let Some(after) = self.states[index].or.take() {
            self.states[index] = *after;
        }
        self.deleted.push(deleted);
        self.write_checkpoints()
    }

    fn delete_records(&mut self, index: usize, random: &mut Random) -> Step {
        let state = &mut self.states[index];
        // No further than the high watermark, which follows the flush.
        state.start = random.between(state.start, state.flushed.max(state.start));
        self.logs[index].advance_log_start_offset(Offset(state.start));
        if random.percent(50) {
            self.write_checkpoints()?;
        }
        Ok(())
    }

    fn retention(&mut self, index: usize, random: &mut Random) -> Step {
        let (log, state) = (&mut self.logs[index], &mut self.states[index]);
        let policy = RetentionPolicy {
            delete: random.percent(80),
            retention_ms: if random.percent(30) { random.between(0, 300) } else { -1 },
            retention_bytes: if random.percent(50) { random.between(0, 5000) } else { -1 },
        };
        let facts = log.segment_facts()?;
        let count =
            deletable_segments(&facts, &policy, Offset(state.start), Offset(state.flushed), self.clock);
        let next = facts.get(count).map_or(state.end, |fact| fact.base_offset.0);
        state.start = if count == 0 { state.start } else { state.start.max(next) };
        let deleted = log.delete_segments(count, self.clock)?;
        self.deleted.push(deleted);
        Ok(())
    }

    fn write_checkpoints(&mut self) -> Step {
        let log_dir = self.log_dir.as_ref().expect("open");
        let names: Vec<_> = (0..3).map(partition).collect();
        let points = self.logs.iter().map(Log::recovery_point);
        log_dir.write_checkpoint(OffsetCheckpoint::RecoveryPoint, names.iter().zip(points))?;
        let starts = self.logs.iter().map(Log::log_start_offset);
        log_dir.write_checkpoint(OffsetCheckpoint::LogStartOffset, names.iter().zip(starts))?;
        Ok(())
    }

    /// A clean shutdown, and another process.
    fn restart(&mut self) -> Step {
        for (log, state) in self.logs.iter_mut().zip(&mut self.states) {
            log.flush(self.clock)?;
            state.flushed = state.end;
            log.write_snapshot(Offset(state.end), &snapshot(state), true)?;
            log.close()?;
        }
        self.write_checkpoints()?;
        self.log_dir.take().expect("open").write_clean_shutdown(7)?;
        self.deleted.clear();
        let (log_dir, logs) = try_open(&self.disk, self.config)?;
        assert!(log_dir.was_clean());
        self.log_dir = Some(log_dir);
        self.logs = logs.into_iter().map(|(log, _)| log).collect();
        for (log, state) in self.logs.iter().zip(&self.states) {
            assert_eq!((log.log_start_offset().0, log.log_end_offset().0), (state.start, state.end));
        }
        Ok(())
    }
}

fn roll(log: &mut Log, state: &State, now_ms: i64) -> Step {
    log.roll(now_ms)?;
    Ok(log.write_snapshot(Offset(state.end), &snapshot(state), false)?)
}

fn snapshot(state: &State) -> Vec<u8> {
    let entry = |(producer_id, (base, last_sequence)): (ProducerId, (i64, i32))| ProducerSnapshotEntry {
        producer_id,
        producer_epoch: ProducerEpoch(0),
        last_sequence,
        last_offset: Offset(state.batches[&base].last),
        offset_delta: (state.batches[&base].last - base) as i32,
        timestamp: 1,
        coordinator_epoch: -1,
        current_txn_first_offset: Offset(-1),
    };
    producer_snapshot::encode(&state.producers(state.end).into_iter().map(entry).collect::<Vec<_>>())
}

/// Opens what is left and compares it with what may be there; the states are then what is. Gives whether they are known
/// for sure, and all of it can be read.
pub(crate) fn check_recovered(
    disk: &SimDisk,
    config: LogConfig,
    states: &mut [State; 3],
    end: End,
    what: &str,
) -> bool {
    let (log_dir, opened) = try_open(disk, config).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let is_flushed = states.iter().all(|state| state.or.is_none() && state.flushed == state.end);
    assert!(!log_dir.was_clean() || is_flushed, "{what}: taken for a clean stop");
    let mut found = Vec::new();
    let mut is_known = true;
    for (index, ((log, report), state)) in opened.iter().zip(states.iter_mut()).enumerate() {
        let what = format!("{what}, partition {index}, {report:?}");
        let found_here = Found::of(log);
        let after = state.or.take();
        // A cut that the kernel alone knows of comes back when the power goes later.
        let has_less = |after: &State| after.batches.len() < state.batches.len();
        is_known &= end == End::Power || !after.as_deref().is_some_and(has_less);
        if let Err(why) = found_here.is(log, state, end) {
            let Some(after) = after else { panic!("{what}: {why}") };
            if let Err(or) = found_here.is(log, &after, end) {
                let between = found_here.is_between(log, state, &after, end);
                between.unwrap_or_else(|between| panic!("{what}: {why}; or {or}; or in between {between}"));
            } else {
                *state = *after;
            }
        }
        state.cut_to(found_here.end);
        (state.start, state.end) = (found_here.start, found_here.end);
        if end == End::Power {
            state.flushed = state.end;
        }
        found.push(found_here);
    }
    drop((log_dir, opened));
    // The same again.
    let again = disk.after_process_kill();
    let (_, opened) = try_open(&again, config).unwrap_or_else(|error| panic!("{what}, again: {error:?}"));
    for ((log, _), found) in opened.iter().zip(&found) {
        assert_eq!(&Found::of(log), found, "{what}: opening it again finds something else");
    }
    is_known && found.iter().all(|found| found.damaged.is_empty())
}

/// What can be read of a log.
#[derive(Debug, PartialEq)]
struct Found {
    start: i64,
    end: i64,
    batches: Vec<(i64, Vec<u8>)>,
    /// Offsets that are answered with an error, or fail the client's checksum.
    damaged: Vec<i64>,
}

impl Found {
    fn of(log: &Log) -> Found {
        let (start, end) = (log.log_start_offset().0, log.log_end_offset().0);
        let (mut batches_found, mut damaged) = (Vec::new(), Vec::new());
        let mut next = start;
        while next < end {
            match batches_at(log, next, end) {
                Some(read) if !read.is_empty() => {
                    next = read[read.len() - 1].2;
                    batches_found.extend(read.into_iter().map(|(base, bytes, _)| (base, bytes)));
                }
                _ => {
                    damaged.push(next);
                    next += 1;
                }
            }
        }
        Found { start, end, batches: batches_found, damaged }
    }

    /// Whether it is what the state says it may be.
    fn is(&self, log: &Log, state: &State, end: End) -> Result<(), String> {
        self.is_from(log, state, state.surely(end))
    }

    /// Whether it is what an operation leaves that was cut off: of a truncation, a part.
    fn is_between(&self, log: &Log, before: &State, after: &State, end: End) -> Result<(), String> {
        let surely = match after.batches.is_empty() {
            true => 0,
            false => before.surely(end).min(after.surely(end)).min(after.end),
        };
        self.is_from(log, before, surely)
    }

    fn is_from(&self, log: &Log, state: &State, surely: i64) -> Result<(), String> {
        let Found { start, end, .. } = *self;
        if end > state.end || end < surely {
            return Err(format!("ends at {end}, not within {surely} and {}", state.end));
        }
        if start > state.start.max(surely) {
            return Err(format!("starts at {start} behind {}", state.start));
        }
        if let Some(offset) = self.damaged.iter().find(|offset| **offset < surely) {
            return Err(format!("{offset} cannot be read, flushed up to {surely}"));
        }
        let mut next = start;
        for (base, bytes) in &self.batches {
            if (next..*base).any(|offset| !self.damaged.contains(&offset)) {
                return Err(format!("nothing between {next} and {base}"));
            }
            let appended = state.batches.get(base).ok_or(format!("no batch at {base} was appended"))?;
            if appended.bytes != *bytes {
                return Err(format!("another batch at {base}"));
            }
            next = appended.last + 1;
        }
        if self.damaged.is_empty() {
            self.check_lookups(log, state)?;
            self.check_producers(log, state)?;
        }
        Ok(())
    }

    fn check_lookups(&self, log: &Log, state: &State) -> Result<(), String> {
        let reader = log.reader();
        for (base, _) in &self.batches {
            let batch = &state.batches[base];
            let epoch = reader.epoch_for(Offset(*base)).map(|epoch| epoch.0);
            if epoch != Some(batch.epoch) && *base >= self.start {
                return Err(format!("epoch {epoch:?} at {base}, not {}", batch.epoch));
            }
            let timestamp = batch.timestamps[0];
            let found = reader.offset_for_timestamp(timestamp).map_err(|error| error.to_string())?;
            let found = found.map(|found| (found.offset.0, found.timestamp));
            let expected = state.at_or_after(timestamp, self.start, self.end);
            if found != expected {
                return Err(format!("{found:?} at timestamp {timestamp}, not {expected:?}"));
            }
        }
        Ok(())
    }

    /// The newest snapshot that is whole, and the batches after it, give every producer's last sequence.
    fn check_producers(&self, log: &Log, state: &State) -> Result<(), String> {
        let text = |error: LogError| error.to_string();
        let mut newest = (Offset(0), Vec::new());
        let mut at_most = log.log_end_offset();
        while let Some((offset, bytes)) = log.latest_snapshot(at_most).map_err(text)? {
            if let Ok(entries) = producer_snapshot::decode(&bytes) {
                newest = (offset, entries);
                break;
            }
            at_most = Offset(offset.0 - 1);
        }
        let (offset, entries) = newest;
        let mut found: std::collections::BTreeMap<_, _> =
            entries.iter().map(|entry| (entry.producer_id, entry.last_sequence)).collect();
        log.replay(offset, |batch| {
            if batch.header.has_producer_id() && batch.header.base_offset >= offset {
                found.insert(batch.header.producer_id, batch.header.last_sequence());
            }
            Ok(())
        })
        .map_err(text)?;
        for (producer, (base, sequence)) in state.producers(self.end) {
            // One whose last batch is gone may be forgotten.
            if base >= self.start && found.get(&producer) != Some(&sequence) {
                let found = found.get(&producer);
                return Err(format!("{producer:?} is at {found:?}, not {sequence}, snapshot at {offset}"));
            }
        }
        Ok(())
    }
}

/// Base offset, bytes and next offset of the sound batches from one on; `None` if it cannot be read.
fn batches_at(log: &Log, offset: i64, end: i64) -> Option<Vec<(i64, Vec<u8>, i64)>> {
    let read = log.reader().read(Offset(offset), 600, Offset(end), true).ok()?;
    let mut bytes = Vec::new();
    read.region?.read(&mut bytes).ok()?;
    let sound = batches(&bytes).map_while(Result::ok).take_while(|batch| batch.verify_crc().is_ok());
    Some(sound.map(|batch| (batch.base_offset().0, batch.bytes().to_vec(), batch.next_offset().0)).collect())
}
