//! A log against a list of records: any sequence of operations, with the process killed and the power cut in between,
//! leaves the log what the list says it may be.

mod common;

use common::*;
use ottla_log::disk::{Fault, Op, SimDisk};
use ottla_log::{Log, OpenOptions};
use ottla_protocol::records::BatchBytes;
use ottla_protocol::{LeaderEpoch, Offset};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append { records: usize },
    AppendAcrossGap { gap: i64 },
    FailedAppend { partial: usize },
    Roll,
    Flush,
    Truncate { part: f64 },
    TruncateFully { ahead: i64 },
    AdvanceStart { part: f64 },
    DeleteSegments { count: usize },
    NewEpoch,
    Reopen,
    Kill,
    CutPower { seed: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1..6usize).prop_map(|records| Step::Append { records }),
        1 => (1..9i64).prop_map(|gap| Step::AppendAcrossGap { gap }),
        1 => (0..200usize).prop_map(|partial| Step::FailedAppend { partial }),
        1 => Just(Step::Roll),
        3 => Just(Step::Flush),
        1 => (0.0..1.0).prop_map(|part| Step::Truncate { part }),
        1 => (0..50i64).prop_map(|ahead| Step::TruncateFully { ahead }),
        1 => (0.0..1.0).prop_map(|part| Step::AdvanceStart { part }),
        1 => (0..3usize).prop_map(|count| Step::DeleteSegments { count }),
        1 => Just(Step::NewEpoch),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(|seed| Step::CutPower { seed }),
    ]
}

/// What the log should be.
struct Model {
    disk: SimDisk,
    log: Option<Log>,
    /// Records and the epoch of each, by offset; also those before the start of the log.
    records: Vec<(i64, i64, i32)>,
    start: i64,
    end: i64,
    /// What was flushed, and so survives anything.
    flushed: i64,
    /// What the host has written into the checkpoints.
    recovery_point: i64,
    epoch: i32,
    clock: i64,
}

impl Model {
    fn new() -> Model {
        let disk = new_disk();
        let log = Some(open(&disk));
        let records = Vec::new();
        let (start, end, flushed, recovery_point) = (0, 0, 0, 0);
        Model { disk, log, records, start, end, flushed, recovery_point, epoch: 0, clock: 1 }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("the log is open")
    }

    fn timestamps(&mut self, count: usize) -> Vec<i64> {
        self.clock += 7;
        // Not always growing.
        (0..count as i64).map(|n| self.clock + n - (self.clock % 5) * 3 + 15).collect()
    }

    fn appended(&mut self, base: i64, timestamps: &[i64]) {
        let epoch = self.epoch;
        self.records.extend(timestamps.iter().enumerate().map(|(n, at)| (base + n as i64, *at, epoch)));
        self.end = base + timestamps.len() as i64;
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { records } => {
                let timestamps = self.timestamps(records);
                let (epoch, end) = (self.epoch, self.end);
                assert_eq!(append(self.log(), &timestamps, epoch).first_offset, Offset(end));
                self.appended(end, &timestamps);
            }
            Step::AppendAcrossGap { gap } => {
                let timestamps = self.timestamps(1);
                let (base, epoch) = (self.end + gap, LeaderEpoch(self.epoch));
                let bytes = batch(&timestamps);
                let mut batch = BatchBytes::new(&bytes).expect("sound");
                batch.set_base_offset(Offset(base));
                batch.set_leader_epoch(epoch);
                self.log().append_as_follower(&batch.to_vec(), epoch, 0).expect("appends");
                self.appended(base, &timestamps);
            }
            Step::FailedAppend { partial } => {
                let fault = Fault::once(Op::Write, ".log", std::io::ErrorKind::StorageFull);
                self.disk.inject(Fault { partial, ..fault });
                let bytes = batch(&self.timestamps(3));
                let mut batch = BatchBytes::new(&bytes).expect("sound");
                let error = self.log().append(&mut batch, LeaderEpoch(0), 0).expect_err("the disk is full");
                assert!(error.is_storage_full(), "{error}");
            }
            Step::Roll => self.log().roll(0).expect("rolls"),
            Step::Flush => {
                self.log().flush(0).expect("flushes");
                self.flushed = self.end;
                self.recovery_point = self.end;
                assert_eq!(self.log().recovery_point(), Offset(self.end));
            }
            Step::Truncate { part } => {
                let at = self.start + ((self.end - self.start) as f64 * part) as i64;
                self.log().truncate_to(Offset(at), 0).expect("truncates").remove().expect("removes");
                let end = self.log().log_end_offset().0;
                assert!(end <= at && self.records.iter().all(|(o, _, _)| *o < end || *o >= at || end < at));
                self.truncated(end);
                self.start = self.start.min(end);
            }
            Step::TruncateFully { ahead } => {
                let at = self.end + ahead;
                let deleted = self.log().truncate_fully_and_start_at(Offset(at), 0).expect("truncates");
                deleted.remove().expect("removes");
                self.truncated(at);
                self.records.clear();
                (self.start, self.end, self.flushed) = (at, at, at);
            }
            Step::AdvanceStart { part } => {
                let at = self.start + ((self.end - self.start) as f64 * part) as i64;
                self.log().advance_log_start_offset(Offset(at));
                self.start = at;
            }
            Step::DeleteSegments { count } => {
                let deleted = self.log().delete_segments(count, 0).expect("deletes");
                deleted.remove().expect("removes");
                let start = self.log().log_start_offset().0;
                assert!(start >= self.start);
                self.start = start;
            }
            Step::NewEpoch => self.epoch += 1,
            Step::Reopen => {
                self.step(&Step::Flush);
                self.log.take().expect("open").close().expect("closes");
                let log_start_offset = Offset(self.start);
                let options = OpenOptions { log_start_offset, ..options() };
                self.log = Some(open_with(&self.disk, options).0);
                assert_eq!(self.log().recovery_point(), Offset(self.end));
            }
            Step::Kill => {
                self.disk = self.disk.after_process_kill();
                self.recover();
                // What the kernel has is there.
                assert_eq!(self.log().log_end_offset(), Offset(self.end));
            }
            Step::CutPower { seed } => {
                self.disk = self.disk.after_power_failure(seed);
                self.recover();
                let end = self.log().log_end_offset().0;
                assert!(end >= self.flushed && end <= self.end, "{} <= {end} <= {}", self.flushed, self.end);
                let log = self.log.as_ref().expect("the log is open");
                let damaged = log.reader().damaged_ranges();
                let is_gone =
                    |offset: i64| damaged.iter().any(|range| range.offsets.contains(&Offset(offset)));
                let is_fine = |offset: i64| offset >= self.flushed || !is_gone(offset);
                assert!(self.records.iter().all(|(offset, _, _)| is_fine(*offset)), "{damaged:?}");
                self.records.retain(|(offset, _, _)| *offset < end && !is_gone(*offset));
                self.end = end;
            }
        }
    }

    fn truncated(&mut self, at: i64) {
        self.records.retain(|(offset, _, _)| *offset < at);
        self.end = self.end.min(at);
        self.flushed = self.flushed.min(at);
        // As the host must after truncating.
        self.recovery_point = self.log().recovery_point().0;
    }

    fn recover(&mut self) {
        self.log = None;
        let options = OpenOptions {
            was_clean: false,
            recovery_point: Offset(self.recovery_point),
            log_start_offset: Offset(self.start.min(self.flushed)),
            ..options()
        };
        let log = open_with(&self.disk, options).0;
        self.start = log.log_start_offset().0;
        self.log = Some(log);
    }

    fn check(&mut self) {
        let (start, end) = (self.start, self.end);
        let log = self.log();
        assert_eq!((log.log_start_offset().0, log.log_end_offset().0), (start, end));
        let read = all_records(log);
        let epochs: Vec<Option<i32>> =
            read.iter().map(|(offset, _)| log.reader().epoch_for(Offset(*offset)).map(|e| e.0)).collect();
        let expected = self.records.iter().filter(|(offset, _, _)| *offset >= start);
        let (expected, expected_epochs): (Vec<_>, Vec<_>) =
            expected.map(|(offset, at, epoch)| ((*offset, *at), Some(*epoch))).unzip();
        assert_eq!(read, expected);
        assert_eq!(epochs, expected_epochs);
        self.check_lookups(&expected);
    }

    fn check_lookups(&mut self, expected: &[(i64, i64)]) {
        let reader = self.log().reader();
        for &(offset, timestamp) in expected.iter().step_by(11) {
            let region = reader.read(Offset(offset), 1, Offset(self.end), true).expect("in range").region;
            assert!(region.expect("bytes").base_offset().0 <= offset);
            let first = expected.iter().find(|(_, at)| *at >= timestamp).expect("there");
            let found = reader.offset_for_timestamp(timestamp).expect("looks up").expect("there");
            assert_eq!((found.offset.0, found.timestamp), *first);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_what_the_list_says(steps in vec(any_step(), 1..35)) {
        let mut model = Model::new();
        for (number, step) in steps.iter().enumerate() {
            model.step(step);
            // All of it is compared where much has changed at once, and now and then.
            let is_simple = matches!(step, Step::Append { .. } | Step::Flush | Step::Roll | Step::NewEpoch);
            if !is_simple || number % 16 == 15 {
                model.check();
            }
        }
        model.check();
    }
}
