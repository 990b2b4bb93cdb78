//! Moves between two directories: while records come, across restarts, and killed at each step.

use super::*;
use crate::node::partition::tests::{TOPIC, World, ask, produce, read};
use crate::node::partitions::Held;
use ottla_log::disk::SimDisk;
use ottla_metadata::Image;
use ottla_protocol::messages::{PartitionRecord, TopicRecord};
use ottla_protocol::{LeaderEpoch, Offset, Uuid};
use ottla_replica::partition::list_offsets::{EARLIEST, LATEST};
use std::fs;
use std::path::{Path, PathBuf};

struct Two {
    root: tempfile::TempDir,
}

/// A process with both directories, and the first partition of the topic.
struct Process {
    world: World,
    relocations: Relocations,
    partition: Arc<Partition>,
}

impl Two {
    fn new() -> Two {
        Two { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn start(&self, leader_epoch: i32, assigned: Uuid) -> Process {
        let paths = format!("{},{}", self.path("a").display(), self.path("b").display());
        let world = World::open(Path::new(&paths));
        let partition = world.assigned_partition(0, leader_epoch, assigned);
        let log_dirs = Arc::clone(&world.log_dirs);
        let relocations =
            Relocations::new(log_dirs, Arc::default(), Arc::default(), Arc::default(), BrokerId(1));
        Process { world, relocations, partition }
    }

    /// What the directories have of the partition, without what makes names unique.
    fn logs(&self) -> Vec<String> {
        let mut found = Vec::new();
        for name in ["a", "b"] {
            for entry in fs::read_dir(self.path(name)).unwrap().map(Result::unwrap) {
                let file_name = entry.file_name().into_string().unwrap();
                if file_name.starts_with("t-0") {
                    let ending = file_name.rsplit_once('-').unwrap().1;
                    let kind = if file_name == "t-0" { "current" } else { ending };
                    found.push(format!("{name}: {kind}"));
                }
            }
        }
        found.sort();
        found
    }
}

impl Process {
    fn alter(&self, path: &Path) -> Result<(), ErrorCode> {
        let topic_partition = TopicPartition::new("t", 0);
        self.relocations.alter(&topic_partition, Ok(Arc::clone(&self.partition)), &path.display().to_string())
    }

    /// Goes on until everything is copied and the controller asked.
    fn catch_up(&self) {
        while self.relocations.step_all() {}
    }

    /// The controller agrees, and the move ends.
    fn finish(&self) {
        self.partition.accept_move();
        while !self.relocations.moving.lock().is_empty() {
            self.relocations.step_all();
        }
    }

    fn resume(&self) -> bool {
        let (topic_partition, now_ms) = (TopicPartition::new("t", 0), clock::now_ms());
        let resumed = self.world.log_dirs.resumed_future(&topic_partition, &self.partition, now_ms);
        let Some((target, copy)) = resumed else { return false };
        self.partition.begin_move(target, copy);
        self.relocations.add(Arc::clone(&self.partition));
        true
    }

    fn close(self) {
        self.world.close_all([Held::Open(self.partition)]);
    }
}

fn values(range: std::ops::Range<i32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn produce_numbers(partition: &Arc<Partition>, range: std::ops::Range<i32>) {
    for number in range {
        assert_eq!(produce(partition, number, &[&number.to_string()]), Ok(i64::from(number)));
    }
}

#[test]
fn a_partition_is_moved_while_it_is_written_and_read() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    let partition = &process.partition;
    produce_numbers(partition, 0..10);
    assert_eq!(process.alter(&two.path("b")), Ok(()));
    produce_numbers(partition, 10..15);
    process.catch_up();
    let future = partition.future_replica().unwrap();
    assert_eq!((future.dir, future.offset_lag), (1, 0));
    produce_numbers(partition, 15..20);
    assert_eq!(partition.future_replica().unwrap().offset_lag, 5);
    process.finish();

    assert_eq!(partition.dir().index(), 1);
    assert_eq!(two.logs(), ["a: delete", "b: current"]);
    assert_eq!(read(partition, 0), Ok(values(0..20)));
    assert_eq!(produce(partition, 19, &["19"]), Ok(19), "a batch that comes again is known");
    produce_numbers(partition, 20..25);
    let id = partition.dir().id();
    process.close();
    assert_eq!(two.logs(), ["b: current"]);
    assert_eq!(read(&two.start(1, id).partition, 0), Ok(values(0..25)));
}

#[test]
fn the_start_of_a_log_moves_with_it() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    let partition = &process.partition;
    assert_eq!(produce(partition, 0, &["0", "1", "2", "3"]), Ok(0));
    produce_numbers(partition, 4..8);
    partition.delete_records(Offset(2)).unwrap();
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    partition.delete_records(Offset(5)).unwrap();
    process.finish();
    assert_eq!((ask(partition, EARLIEST), ask(partition, LATEST)), (5, 8));
    assert_eq!(read(partition, 5), Ok(values(5..8)));
}

#[test]
fn a_move_goes_on_after_a_restart_clean_or_not() {
    for is_clean in [true, false] {
        let two = Two::new();
        let process = two.start(0, Uuid::UNASSIGNED_DIR);
        produce_numbers(&process.partition, 0..10);
        process.alter(&two.path("b")).unwrap();
        process.catch_up();
        produce_numbers(&process.partition, 10..20);
        let id = process.partition.dir().id();
        if is_clean {
            process.close();
        } else {
            drop(process);
        }
        assert_eq!(two.logs(), ["a: current", "b: future"]);

        let process = two.start(1, id);
        assert!(process.resume());
        assert_eq!(process.partition.future_replica().unwrap().offset_lag, 10, "it does not begin anew");
        process.catch_up();
        process.finish();
        assert_eq!(read(&process.partition, 0), Ok(values(0..20)));
    }
}

#[test]
fn killed_between_the_renames_the_directory_that_the_metadata_names_counts() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    produce_numbers(&process.partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    process.finish();
    let id = process.partition.dir().id();
    drop(process);
    // As it was before the second rename.
    let old = fs::read_dir(two.path("a")).unwrap().map(|entry| entry.unwrap().path());
    let old = old.into_iter().find(|path| path.to_string_lossy().ends_with("-delete")).unwrap();
    fs::rename(old, two.path("a").join("t-0")).unwrap();
    assert_eq!(two.logs(), ["a: current", "b: current"]);

    let process = two.start(1, id);
    assert_eq!(process.partition.dir().index(), 1);
    assert_eq!(read(&process.partition, 0), Ok(values(0..10)));
    process.world.log_dirs.remove_deleted(i64::MAX - 1);
    assert_eq!(two.logs(), ["b: current"]);
}

#[test]
fn a_complete_copy_takes_the_place_of_a_log_that_is_gone() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    produce_numbers(&process.partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    let target = process.partition.moving_to().unwrap().id();
    process.close();
    fs::remove_dir_all(two.path("a").join("t-0")).unwrap();

    let process = two.start(1, target);
    assert_eq!(process.partition.dir().index(), 1);
    assert_eq!(read(&process.partition, 0), Ok(values(0..10)));
    assert_eq!(two.logs(), ["b: current"]);
}

#[test]
fn a_move_is_given_up_for_another_or_for_staying() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    produce_numbers(&process.partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    assert_eq!(process.alter(&two.path("b")), Ok(()), "it is on its way");
    assert_eq!(process.alter(&two.path("a")), Ok(()));
    assert!(process.partition.future_replica().is_none());
    assert_eq!(two.logs(), ["a: current", "b: delete"]);
    process.finish();
    assert_eq!(process.partition.dir().index(), 0);
    produce_numbers(&process.partition, 10..12);
}

#[test]
fn a_disk_that_has_no_part_in_a_move_is_not_written_to() {
    let disk = SimDisk::new();
    let world = World::open_on(Arc::new(disk.clone()), Path::new("/a,/b,/c"), &[]);
    let held = [world.partition_of(0, 0), world.partition_of(1, 0), world.partition_of(2, 0)];
    for partition in &held {
        produce_numbers(partition, 0..3);
    }
    let partitions = Arc::new(Partitions::default());
    partitions.update(held.clone().map(Held::Open), []);
    let log_dirs = Arc::clone(&world.log_dirs);
    let relocations =
        Relocations::new(log_dirs, Arc::clone(&partitions), Arc::default(), Arc::default(), BrokerId(1));
    let [moved, ..] = held;
    relocations.alter(&TopicPartition::new("t", 0), Ok(Arc::clone(&moved)), "/b").unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    disk.on_call(move |_, path| seen.lock().push(path.to_owned()));
    let process = Process { world, relocations, partition: moved };
    process.catch_up();
    process.finish();
    disk.on_call(|_, _| ());
    assert_eq!(process.partition.dir().path(), Path::new("/b"));
    let in_dir = |dir: &str| calls.lock().iter().any(|path| path.starts_with(dir));
    assert_eq!(["/a", "/b", "/c"].map(in_dir), [true, true, false]);
}

#[test]
fn what_cannot_be_moved_has_kafkas_code() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    assert_eq!(process.alter(Path::new("/nowhere")), Err(ErrorCode::LogDirNotFound));
    let (b, here) = (two.path("b").display().to_string(), &process.relocations);
    let unknown = here.alter(&TopicPartition::new("u", 0), Err(ErrorCode::UnknownTopicOrPartition), &b);
    assert_eq!(unknown, Err(ErrorCode::UnknownTopicOrPartition));
    let elsewhere = here.alter(&TopicPartition::new("u", 0), Err(ErrorCode::NotLeaderOrFollower), &b);
    assert_eq!(elsewhere, Err(ErrorCode::ReplicaNotAvailable));
    let long = TopicPartition::new("t".repeat(240), 0);
    assert_eq!(
        here.alter(&long, Err(ErrorCode::UnknownTopicOrPartition), &b),
        Err(ErrorCode::InvalidTopicException)
    );
    process.world.log_dirs.cordon(std::slice::from_ref(&b));
    assert_eq!(process.alter(&two.path("b")), Err(ErrorCode::InvalidReplicaAssignment));
    process.world.log_dirs.fail(1, &"the disk is gone");
    assert_eq!(process.alter(&two.path("b")), Err(ErrorCode::KafkaStorageError));
}

#[test]
fn a_move_ends_when_its_disk_fails_and_the_partition_serves_on() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    produce_numbers(&process.partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    process.world.log_dirs.fail(1, &"the disk is gone");
    process.finish();
    assert!(process.partition.future_replica().is_none());
    produce_numbers(&process.partition, 10..12);
    assert_eq!(read(&process.partition, 0), Ok(values(0..12)));
}

/// The metadata, with the partition in a directory.
fn naming(dir: Uuid) -> Arc<Image> {
    let topic = TopicRecord { name: "t".into(), topic_id: TOPIC, ..Default::default() };
    let partition = PartitionRecord {
        topic_id: TOPIC,
        partition_id: 0,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        directories: vec![dir],
        ..Default::default()
    };
    let records = [topic.into(), partition.into()];
    Arc::new(Image::default().apply(Offset(0), LeaderEpoch(1), 0, &records).unwrap().0)
}

#[test]
fn what_the_metadata_said_before_the_controller_answers_does_not_count() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    let (partition, relocations) = (&process.partition, &process.relocations);
    produce_numbers(partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    // As after a restart: an earlier move was accepted, and the controller is being told that the log is not there.
    relocations.images.publish(naming(partition.moving_to().unwrap().id()));
    relocations.assignments.tell(TOPIC, 0, partition.dir().id());
    process.catch_up();
    relocations.step_all();
    assert_eq!(partition.dir().index(), 0);
    relocations.assignments.answer_all();
    relocations.step_all();
    assert_eq!(partition.dir().index(), 1);
}

#[test]
fn a_controller_that_was_told_of_another_directory_meanwhile_is_told_again() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    let (partition, relocations) = (&process.partition, &process.relocations);
    produce_numbers(partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    relocations.images.publish(naming(partition.dir().id()));
    relocations.assignments.answer_all();
    relocations.step_all();
    assert_eq!(partition.dir().index(), 0);
    assert!(relocations.assignments.is_waiting(TOPIC, 0));
}

/// The file of the batches of the partition's log in a directory, or of its copy there.
fn batches(dir: &Path) -> PathBuf {
    let mut entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_ours = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("t-0");
    entries.find(is_ours).unwrap().join("00000000000000000000.log")
}

#[test]
fn a_copy_that_survives_a_crash_better_than_the_log_does_not_keep_other_records() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    produce_numbers(&process.partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    let id = process.partition.dir().id();
    drop(process);
    // The last record was not acknowledged, and not synced.
    let log = batches(&two.path("a"));
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 1]).unwrap();

    let process = two.start(1, id);
    assert!(process.resume());
    assert_eq!(produce(&process.partition, 9, &["another"]), Ok(9));
    process.catch_up();
    process.finish();
    let mut expected = values(0..9);
    expected.push("another".into());
    assert_eq!(read(&process.partition, 0), Ok(expected));
}

#[test]
fn what_a_crash_damaged_in_a_copy_is_copied_again() {
    let two = Two::new();
    let process = two.start(0, Uuid::UNASSIGNED_DIR);
    produce_numbers(&process.partition, 0..10);
    process.alter(&two.path("b")).unwrap();
    process.catch_up();
    let id = process.partition.dir().id();
    drop(process);
    let copy = batches(&two.path("b"));
    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle - 20..middle + 20].fill(0);
    fs::write(&copy, &bytes).unwrap();

    let process = two.start(1, id);
    assert!(process.resume());
    process.catch_up();
    process.finish();
    assert_eq!(read(&process.partition, 0), Ok(values(0..10)));
}
