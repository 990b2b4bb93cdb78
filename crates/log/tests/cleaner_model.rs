//! Compaction against a list of everything that was ever appended: after any sequence of appends, tombstones, cleanings,
//! truncations, deletions, kills and power failures, each key has the record that it should have, every record that is
//! left is one that was appended, and what was superseded is gone once it was compacted.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use common::*;
use ottla_log::cleaner::*;
use ottla_log::disk::SimDisk;
use ottla_log::{Log, LogConfig, LogError, OpenOptions};
use ottla_protocol::records::{BatchBuilder, BatchBytes, Compression, batches};
use ottla_protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use proptest::collection::vec;
use proptest::prelude::*;

const DELETE_RETENTION_MS: i64 = 50;

#[derive(Clone, Debug)]
enum Step {
    /// Keys; those above 1000 are tombstones of the rest.
    Append {
        keys: Vec<u16>,
        compression: usize,
        producer: Option<i64>,
    },
    Roll,
    Flush,
    Wait {
        ms: i64,
    },
    Clean {
        keys_max: usize,
        between: Between,
    },
    CleanUntilStopped {
        changes: u64,
        power: Option<u64>,
    },
    AdvanceStart {
        part: f64,
    },
    Reopen,
    Kill,
    CutPower {
        seed: u64,
    },
}

/// What happens while a cleaning is under way.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Append,
    Truncate,
    Delete,
}

fn any_step() -> impl Strategy<Value = Step> {
    let key = prop_oneof![5 => 0..8u16, 1 => 1000..1008u16, 1 => 0..60u16];
    let between = prop_oneof![
        4 => Just(Between::Nothing),
        2 => Just(Between::Append),
        1 => Just(Between::Truncate),
        1 => Just(Between::Delete),
    ];
    prop_oneof![
        12 => (vec(key, 1..6), 0..5usize, proptest::option::of(0..3i64))
            .prop_map(|(keys, compression, producer)| Step::Append { keys, compression, producer }),
        2 => Just(Step::Roll),
        2 => Just(Step::Flush),
        1 => (0..80i64).prop_map(|ms| Step::Wait { ms }),
        4 => (1..40usize, between).prop_map(|(keys_max, between)| Step::Clean { keys_max, between }),
        2 => (0..60u64, proptest::option::of(any::<u64>()))
            .prop_map(|(changes, power)| Step::CleanUntilStopped { changes, power }),
        1 => (0.0..0.3).prop_map(|part| Step::AdvanceStart { part }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(|seed| Step::CutPower { seed }),
    ]
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Appended {
    key: u16,
    /// None is a tombstone.
    value: Option<String>,
    timestamp: i64,
}

struct Model {
    disk: SimDisk,
    log: Option<Log>,
    /// By offset, also what is compacted away or before the start.
    history: BTreeMap<i64, Appended>,
    /// Whose the batch is that ends at an offset.
    producers: BTreeMap<i64, i64>,
    flushed: i64,
    recovery_point: i64,
    /// As the host has written it into the checkpoint.
    cleaned_to: Option<i64>,
    /// The log is known to hold no superseded record that lies before this together with what supersedes it.
    compacted_to: i64,
    now_ms: i64,
}

fn compacted() -> OpenOptions {
    let config =
        LogConfig { segment_bytes: 700, index_interval_bytes: 100, compact: true, ..LogConfig::default() };
    OpenOptions { config, ..options() }
}

fn policy() -> CompactionPolicy {
    CompactionPolicy {
        min_cleanable_dirty_ratio: 0.0,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        delete_retention_ms: DELETE_RETENTION_MS,
        segment_bytes: 700,
        segment_index_bytes: 10_000,
    }
}

impl Model {
    fn new() -> Model {
        let disk = new_disk();
        let log = Some(open_with(&disk, compacted()).0);
        Model {
            disk,
            log,
            history: BTreeMap::new(),
            producers: BTreeMap::new(),
            flushed: 0,
            recovery_point: 0,
            cleaned_to: None,
            compacted_to: 0,
            now_ms: 1000,
        }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("the log is open")
    }

    fn append(&mut self, keys: &[u16], compression: usize, producer: Option<i64>) {
        let end = self.log().log_end_offset().0;
        let mut builder = BatchBuilder::new().compression(Compression::ALL[compression], None);
        if let Some(producer) = producer {
            builder = builder.producer(ProducerId(producer), ProducerEpoch(0), end as i32);
            self.producers.insert(end + keys.len() as i64 - 1, producer);
        }
        for (index, &key) in keys.iter().enumerate() {
            let offset = end + index as i64;
            let (key, value) = match key {
                1000.. => (key - 1000, None),
                _ => (key, Some(format!("{offset} {}", "x".repeat(offset as usize % 40)))),
            };
            // Not always growing.
            let timestamp = self.now_ms - offset % 3;
            builder.append(
                timestamp,
                Some(&key.to_be_bytes()),
                value.as_ref().map(|value| value.as_bytes()),
                &[],
            );
            self.history.insert(offset, Appended { key, value, timestamp });
        }
        let bytes = builder.build();
        let mut batch = BatchBytes::new(&bytes).expect("sound");
        let now_ms = self.now_ms;
        self.log().append(&mut batch, LeaderEpoch(1), now_ms).expect("appends");
    }

    /// Last data offset of each producer.
    fn last_offsets(&self) -> HashMap<i64, i64> {
        self.producers.iter().map(|(offset, producer)| (*producer, *offset)).collect()
    }

    fn flush(&mut self) {
        self.log().flush(0).expect("flushes");
        self.flushed = self.log().log_end_offset().0;
        self.recovery_point = self.flushed;
    }

    /// One cleaning; says up to where, unless it was broken off.
    fn clean(&mut self, keys_max: usize, between: Between) -> Result<Option<i64>, CleanError> {
        let now_ms = self.now_ms;
        let last_records = self.last_offsets().into_iter().map(|(id, offset)| {
            let last =
                LastRecord { last_data_offset: Some(Offset(offset)), producer_epoch: ProducerEpoch(0) };
            (ProducerId(id), last)
        });
        let last_records = last_records.collect();
        let log = self.log.as_mut().expect("the log is open");
        let flushed = log.recovery_point();
        let facts = log
            .reader()
            .compaction_facts(&policy(), flushed, flushed, log.cleaned_to(), now_ms)
            .expect("facts");
        let range = compaction_range(&facts, &policy(), now_ms);
        if !range.is_due(&policy()) {
            return Ok(None);
        }
        let memory = CleanerMemory { dedupe_bytes: keys_max as u64 * 24, load_factor: 1.0, io_bytes: 150 };
        let mut cleaning = log.prepare_cleaning(range, policy(), last_records, memory, now_ms)?;
        let mut pace = |_| ControlFlow::Continue(());
        cleaning.gather_keys(&mut pace)?;
        assert!(cleaning.end() > range.first_dirty_offset, "no progress");
        while let Some(cleaned) = cleaning.next_group(&mut pace)? {
            self.do_between(between, range.first_uncleanable_offset.0);
            let log = self.log.as_mut().expect("the log is open");
            match log.replace_segments(cleaned)? {
                Replaced::Done(deleted) => deleted.remove()?,
                Replaced::Outdated => return Ok(None),
            }
        }
        let end = cleaning.end();
        assert!(cleaning.stats().map_bytes <= memory.dedupe_bytes.max(24));
        self.log().set_cleaned_to(end);
        Ok(Some(end.0))
    }

    fn do_between(&mut self, between: Between, uncleanable: i64) {
        match between {
            Between::Nothing => {}
            Between::Append => self.append(&[1, 2, 1003], 0, None),
            Between::Truncate => {
                self.log().truncate_to(Offset(uncleanable), 0).expect("truncates").remove().expect("removes");
                // Of a producer whose last batch is taken away the one before it may have gone.
                let shortened: Vec<i64> = self.producers.range(uncleanable..).map(|(_, id)| *id).collect();
                self.producers.retain(|_, id| !shortened.contains(id));
                self.lost_after(uncleanable);
            }
            Between::Delete => {
                self.log().delete_segments(1, 0).expect("deletes").remove().expect("removes");
            }
        }
    }

    /// Everything from an offset on is gone.
    fn lost_after(&mut self, end: i64) {
        let end = end.min(self.log().log_end_offset().0);
        self.history.split_off(&end);
        self.flushed = self.flushed.min(end);
        self.recovery_point = self.recovery_point.min(end);
        self.producers.split_off(&end);
    }

    fn step(&mut self, step: &Step) {
        self.now_ms += 1;
        match step {
            Step::Append { keys, compression, producer } => self.append(keys, *compression, *producer),
            Step::Roll => self.log().roll(0).expect("rolls"),
            Step::Flush => self.flush(),
            Step::Wait { ms } => self.now_ms += ms,
            Step::Clean { keys_max, between } => {
                self.flush();
                let is_damaged = !self.log().reader().damaged_ranges().is_empty();
                match self.clean(*keys_max, *between) {
                    Ok(None) => {}
                    Ok(Some(end)) => {
                        self.cleaned_to = Some(end);
                        self.compacted_to = end;
                    }
                    // Nothing of a log with damage goes.
                    Err(CleanError::Log(LogError::Corrupt { .. })) if is_damaged => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::CleanUntilStopped { changes, power } => {
                self.flush();
                self.disk.stop_after(*changes);
                let end = self.clean(1000, Between::Nothing);
                if let Ok(Some(end)) = end {
                    self.compacted_to = end;
                }
                self.disk = match power {
                    Some(seed) => self.disk.after_power_failure(*seed),
                    None => self.disk.after_process_kill(),
                };
                self.recover();
            }
            Step::AdvanceStart { part } => {
                let start = self.log().log_start_offset().0;
                let end = self.flushed.max(start);
                let to = start + ((end - start) as f64 * part) as i64;
                self.log().advance_log_start_offset(Offset(to));
            }
            Step::Reopen => {
                self.flush();
                self.log().close().expect("closes");
                let log_start_offset = self.log().log_start_offset();
                let cleaned_to = self.cleaned_to.map(Offset);
                let options = OpenOptions { log_start_offset, cleaned_to, ..compacted() };
                self.log = None;
                self.log = Some(open_with(&self.disk, options).0);
            }
            Step::Kill => {
                self.disk = self.disk.after_process_kill();
                self.recover();
            }
            Step::CutPower { seed } => {
                self.disk = self.disk.after_power_failure(*seed);
                self.recover();
            }
        }
    }

    fn recover(&mut self) {
        let log_start_offset = self.log().log_start_offset();
        let options = OpenOptions {
            was_clean: false,
            recovery_point: Offset(self.recovery_point),
            log_start_offset,
            cleaned_to: self.cleaned_to.map(Offset),
            ..compacted()
        };
        self.log = None;
        let (log, report) = open_with(&self.disk, options);
        let end = log.log_end_offset().0;
        assert!(end >= self.flushed, "{end} is less than {}: {report:?}", self.flushed);
        // The power may have taken something out of the middle of what was not flushed.
        let damaged = log.reader().damaged_ranges();
        let is_left = |offset: i64| !damaged.iter().any(|range| range.offsets.contains(&Offset(offset)));
        assert!(self.history.keys().all(|offset| *offset >= self.flushed || is_left(*offset)), "{damaged:?}");
        self.history.retain(|offset, _| is_left(*offset));
        self.producers.retain(|offset, _| is_left(*offset));
        self.log = Some(log);
        self.lost_after(end);
        // Where a log is compacted, a segment that was never flushed and is lost looks like one that was compacted: what
        // came after it stays. Nothing that was not flushed has been compacted.
        let (read, _) = self.read();
        let flushed = self.flushed;
        self.history.retain(|offset, _| *offset < flushed || read.contains_key(offset));
        self.producers.retain(|last, _| *last < flushed || read.contains_key(last));
    }

    /// Records and the last offsets of batches.
    fn read(&mut self) -> (BTreeMap<i64, Appended>, Vec<i64>) {
        let log = self.log();
        let (reader, end) = (log.reader(), log.log_end_offset());
        let (mut records, mut batch_ends) = (BTreeMap::new(), Vec::new());
        let mut next = log.log_start_offset();
        let start = next;
        loop {
            let region = match reader.read(next, 400, end, true) {
                Err(LogError::Corrupt { .. }) => {
                    next = reader.end_of_damage(next).expect("damage that is known");
                    continue;
                }
                read => read.expect("in range").region,
            };
            let Some(region) = region else { break };
            let mut bytes = Vec::new();
            region.read(&mut bytes).expect("reads");
            for batch in batches(&bytes).map_while(Result::ok) {
                batch.verify_crc().expect("right checksum");
                for record in &batch.records(1 << 20).expect("readable") {
                    let record = record.expect("sound");
                    let key = record.key.expect("all have keys").try_into().expect("two bytes");
                    let value = record.value.map(|value| String::from_utf8(value.to_vec()).expect("text"));
                    let (key, timestamp) = (u16::from_be_bytes(key), record.timestamp);
                    if record.offset >= start {
                        records.insert(record.offset.0, Appended { key, value, timestamp });
                    }
                }
                batch_ends.push(batch.last_offset().0);
                next = batch.next_offset();
            }
        }
        (records, batch_ends)
    }

    fn check(&mut self) {
        let start = self.log().log_start_offset().0;
        let (records, batch_ends) = self.read();
        for (offset, record) in &records {
            assert_eq!(self.history.get(offset), Some(record), "record {offset} was never appended");
        }
        let newest = |records: &BTreeMap<i64, Appended>| -> BTreeMap<u16, i64> {
            records.iter().map(|(offset, record)| (record.key, *offset)).collect()
        };
        let (expected, found) = (newest(&self.history), newest(&records));
        for (key, offset) in &expected {
            let record = &self.history[offset];
            // A tombstone may be gone, but nothing may come back from behind it.
            let is_gone = record.value.is_none() && !found.contains_key(key);
            let is_before_start = *offset < start && !found.contains_key(key);
            assert!(
                found.get(key) == Some(offset) || is_gone || is_before_start,
                "key {key}: {offset} {found:?}"
            );
        }
        let compacted_to = self.compacted_to;
        let superseded = records.range(..compacted_to).find(|(offset, record)| {
            records.range(**offset + 1..compacted_to).any(|(_, later)| later.key == record.key)
        });
        assert_eq!(superseded, None, "before {compacted_to}");
        for (producer, last) in self.last_offsets() {
            let is_there = last < start || batch_ends.contains(&last);
            assert!(is_there, "the last batch of producer {producer}, which ended at {last}");
        }
    }
}

/// Whether a step may change what is there, not only add to it.
fn changes_much(step: &Step) -> bool {
    !matches!(step, Step::Append { .. } | Step::Roll | Step::Flush | Step::Wait { .. })
}

fn every_key_keeps_its_newest_record(steps: &[Step]) {
    let mut model = Model::new();
    for step in steps {
        model.step(step);
        if changes_much(step) {
            model.check();
        }
    }
    model.check();
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(8_000))]
    #[test]
    fn every_key_keeps_its_newest_record_in_a_short_life(steps in vec(any_step(), 1..20)) {
        every_key_keeps_its_newest_record(&steps);
    }
}

proptest! {
    #![proptest_config(cases(2_000))]
    #[test]
    fn every_key_keeps_its_newest_record_in_a_long_life(steps in vec(any_step(), 20..60)) {
        every_key_keeps_its_newest_record(&steps);
    }
}
