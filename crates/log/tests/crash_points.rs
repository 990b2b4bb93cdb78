//! The process is stopped after every single change of the disk, in the middle of every operation; then it is killed or
//! the power is cut. What recovery finds is what the log was before the operation, or after it, or a part that is left
//! on the way from one to the other; never a mixture, and never less than what was flushed. Of the rest the power may take
//! something out of the middle: that is known as damage then.

mod common;

use common::*;
use ottla_log::disk::{Disk, SimDisk};
use ottla_log::{Log, LogError, OpenOptions};
use ottla_protocol::records::BatchBytes;
use ottla_protocol::{LeaderEpoch, Offset};
use std::path::Path;

#[derive(Clone, Copy, Debug)]
enum Step {
    Append(i64),
    Flush,
    Truncate(i64),
    TruncateFully(i64),
    DeleteSegments(usize),
    Snapshot,
    Close,
    /// As one of thousands: the whole disk is synced.
    CloseAtOnce,
}

const SCRIPT: &[Step] = &[
    Step::Append(30),
    Step::Flush,
    Step::Append(12),
    Step::Snapshot,
    Step::Truncate(25),
    Step::Append(20),
    Step::Flush,
    Step::DeleteSegments(1),
    Step::Append(3),
    Step::Truncate(23),
    Step::Append(9),
    Step::Flush,
    Step::Close,
    Step::Append(4),
    Step::TruncateFully(100),
    Step::Append(25),
    Step::Flush,
    Step::DeleteSegments(9),
    Step::Append(2),
    Step::Flush,
    Step::Close,
    Step::Append(30),
    Step::CloseAtOnce,
    Step::Append(3),
    Step::CloseAtOnce,
];

/// What the log holds, from offset 0 on, and up to where that was flushed.
#[derive(Clone, Debug, Default)]
struct State {
    records: Vec<(i64, i64)>,
    end: i64,
    flushed: i64,
}

/// What the log would be after what failed, and why it failed.
type Failure = Box<(State, LogError)>;

struct Run {
    disk: SimDisk,
    log: Log,
    state: State,
    /// What the host wrote into the checkpoint last.
    recovery_point: i64,
    clock: i64,
}

impl Run {
    fn new() -> Run {
        let disk = new_disk();
        let log = open(&disk);
        Run { disk, log, state: State::default(), recovery_point: 0, clock: 1 }
    }

    /// Does a step, one record at a time where it is an append; says what the log would be after what failed.
    fn step(&mut self, step: Step) -> Result<(), Failure> {
        let mut after = self.state.clone();
        let result = match step {
            Step::Append(count) => return self.append(count),
            Step::Flush => {
                after.flushed = after.end;
                self.log.flush(0)
            }
            Step::Truncate(at) => {
                after.records.retain(|(offset, _)| *offset < at);
                (after.end, after.flushed) = (at, after.flushed.min(at));
                self.log.truncate_to(Offset(at), 0).and_then(|deleted| deleted.remove())
            }
            Step::TruncateFully(at) => {
                after = State { records: Vec::new(), end: at, flushed: at };
                self.log.truncate_fully_and_start_at(Offset(at), 0).and_then(|deleted| deleted.remove())
            }
            Step::DeleteSegments(count) => {
                self.log.delete_segments(count, 0).and_then(|deleted| deleted.remove())
            }
            Step::Snapshot => self.log.write_snapshot(Offset(after.end), b"snapshot", false),
            Step::Close => self.log.flush(0).and_then(|()| self.log.close()),
            Step::CloseAtOnce => {
                after.flushed = after.end;
                self.log.write_out().and_then(|()| {
                    let sync = self.disk.sync_all(Path::new("/data"));
                    sync.map_err(|source| LogError::Io {
                        topic_partition: partition(),
                        path: dir(),
                        action: "sync",
                        source,
                    })?;
                    self.log.written_out_is_durable();
                    Ok(())
                })
            }
        };
        match result {
            Ok(()) => self.state = after,
            Err(error) => return Err(Box::new((after, error))),
        }
        self.recovery_point = self.log.recovery_point().0;
        if matches!(step, Step::Close | Step::CloseAtOnce) {
            let log_start_offset = self.log.log_start_offset();
            let opened = Log::open(&context(&self.disk), OpenOptions { log_start_offset, ..options() });
            self.log = opened.map_err(|error| Box::new((self.state.clone(), error)))?.0;
        }
        Ok(())
    }

    fn append(&mut self, count: i64) -> Result<(), Failure> {
        for _ in 0..count {
            self.clock += 1;
            let bytes = batch(&[self.clock]);
            let mut after = self.state.clone();
            after.records.push((after.end, self.clock));
            after.end += 1;
            let mut batch = BatchBytes::new(&bytes).expect("sound");
            match self.log.append(&mut batch, LeaderEpoch(1), 0) {
                Ok(_) => self.state = after,
                Err(error) => return Err(Box::new((after, error))),
            }
        }
        Ok(())
    }
}

/// Opens what is left, and checks it against what was before and what would have been after.
fn check(disk: &SimDisk, before: &State, after: &State, recovery_point: i64, what: &str) {
    let options = OpenOptions { was_clean: false, recovery_point: Offset(recovery_point), ..options() };
    let opened = Log::open(&context(disk), options);
    let (mut log, _) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
    let (start, end) = (log.log_start_offset().0, log.log_end_offset().0);
    let read = all_records(&log);
    let is_part_of = |state: &State| {
        let is_left = |offset: &i64| (start..end).contains(offset) && !is_damaged(&log, *offset);
        let expected: Vec<_> = state.records.iter().copied().filter(|(offset, _)| is_left(offset)).collect();
        read == expected && end <= state.end
    };
    assert!(is_part_of(before) || is_part_of(after), "{what}: {start} to {end}: {read:?}");
    let surely = before.flushed.min(after.flushed).min(after.end);
    assert!(end >= surely || after.records.is_empty(), "{what}: {end} is less than {surely}");
    // The power may take any part of what was not flushed, and what is behind that part stays.
    let damaged = log.reader().damaged_ranges();
    assert!(damaged.iter().all(|range| range.offsets.start.0 >= surely), "{what}: {damaged:?}");
    // It goes on from there.
    append(&mut log, &[9999], 7);
    log.flush(0).expect("flushes");
    let expected = all_records(&log);
    log.close().expect("closes");
    let (log, _) = open_with(disk, common::options());
    assert_eq!(all_records(&log), expected, "{what}");
}

/// Outcomes of a power failure that are tried at each place.
fn seeds() -> u64 {
    std::env::var("OTTLA_POWER_SEEDS").map_or(6, |text| text.parse().expect("a number"))
}

#[test]
fn stopped_anywhere_the_log_is_whole() {
    for changes in 0.. {
        let mut run = Run::new();
        run.disk.stop_after(changes);
        let mut failed = None;
        for (number, step) in SCRIPT.iter().enumerate() {
            if let Err(failure) = run.step(*step) {
                let (after, error) = *failure;
                failed = Some((format!("{changes} changes, step {number} {step:?}: {error}"), after));
                break;
            }
        }
        if !run.disk.has_stopped() {
            assert!(changes > 100, "the script does not do much");
            return;
        }
        let (what, after) = failed.unwrap_or_else(|| (format!("{changes} changes"), run.state.clone()));
        check(
            &run.disk.after_process_kill(),
            &run.state,
            &after,
            run.recovery_point,
            &format!("killed: {what}"),
        );
        for seed in (0..seeds()).map(|n| n * (1 + changes)) {
            let disk = run.disk.after_power_failure(seed);
            check(&disk, &run.state, &after, run.recovery_point, &format!("power {seed}: {what}"));
        }
    }
}
