//! Several directories of which one fails.

use super::*;
use crate::node::disk_space;
use crate::node::partition::tests::{Told, World, ask, produce, read};
use crate::node::partitions::Held;
use ottla_log::disk::{Op, SimDisk};
use ottla_log::{CLEAN_SHUTDOWN_FILE, OffsetCheckpoint};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::BatchBuilder;
use ottla_replica::partition::list_offsets::LATEST;
use std::sync::mpsc;

fn own_batch() -> Vec<u8> {
    let mut batch = BatchBuilder::new();
    batch.append(1_700_000_000_000, None, Some(b"own"), &[]);
    batch.build()
}

struct Two {
    _dir: tempfile::TempDir,
    paths: [PathBuf; 2],
}

impl Two {
    fn new() -> Two {
        let dir = tempfile::tempdir().unwrap();
        let paths = [dir.path().join("a"), dir.path().join("b")];
        Two { _dir: dir, paths }
    }

    fn open(&self) -> World {
        World::open(Path::new(&format!("{},{}", self.paths[0].display(), self.paths[1].display())))
    }
}

#[test]
fn partitions_of_a_failed_directory_answer_a_storage_error_and_the_others_serve() {
    let two = Two::new();
    let world = two.open();
    let (failed, serving) = (world.partition_of(0, 0), world.partition_of(1, 0));
    assert_eq!((failed.dir().index(), serving.dir().index()), (0, 1), "each in the emptiest directory");
    for partition in [&failed, &serving] {
        assert_eq!(produce(partition, 0, &["a"]), Ok(0));
    }
    world.log_dirs.fail(0, &"the disk is gone");

    let offline = ErrorCode::KafkaStorageError;
    assert_eq!(produce(&failed, 1, &["b"]), Err(offline));
    assert_eq!(read(&failed, 0), Err(offline));
    assert_eq!(failed.delete_records(Offset(1)), Err(offline));
    assert_eq!(failed.producers().err(), Some(offline));
    assert_eq!(produce(&serving, 1, &["b"]), Ok(1));
    assert_eq!(read(&serving, 0), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(ask(&serving, LATEST), 2);

    assert_eq!(world.log_dirs.offline_ids(), [failed.dir().id()]);
    let next = world.partition_of(2, 0);
    assert_eq!(next.dir().index(), 1, "no new partition is placed in a directory that failed");
}

#[test]
fn nothing_is_written_to_a_failed_directory() {
    let two = Two::new();
    let world = two.open();
    let partitions = [world.partition_of(0, 0), world.partition_of(1, 0)];
    for partition in &partitions {
        assert_eq!(produce(partition, 0, &["a"]), Ok(0));
    }
    world.log_dirs.fail(0, &"the disk is gone");
    world.close_all(partitions.map(Held::Open));
    for (path, is_written) in two.paths.iter().zip([false, true]) {
        for file in [CLEAN_SHUTDOWN_FILE, OffsetCheckpoint::RecoveryPoint.file_name()] {
            assert_eq!(path.join(file).exists(), is_written, "{file} in {}", path.display());
        }
    }
    // The next start reads the other directory as one that was closed, this one as one that was not.
    assert_eq!(two.open().log_dirs.previous_broker_epoch(), -1);
}

#[test]
fn a_node_goes_on_until_its_last_directory_or_that_of_the_metadata_log_fails() {
    let two = Two::new();
    let log_dirs = Arc::clone(&two.open().log_dirs);
    assert!(log_dirs.why_not_go_on().is_none());
    log_dirs.fail(1, &"the disk is gone");
    assert!(log_dirs.why_not_go_on().is_none());
    log_dirs.fail(0, &"the disk is gone");
    let error = log_dirs.why_not_go_on().unwrap();
    assert!(error.cause.contains("metadata log"), "{error:?}");
}

#[test]
fn producers_are_refused_while_the_disk_is_nearly_full_and_everything_else_goes_on() {
    let two = Two::new();
    let world = two.open();
    let partition = world.partition(0);
    assert_eq!(produce(&partition, 0, &["a", "b"]), Ok(0));
    disk_space::measure(&world.log_dirs, i64::MAX);
    assert_eq!(produce(&partition, 2, &["c"]), Err(ErrorCode::KafkaStorageError));
    assert_eq!(read(&partition, 0), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(partition.delete_records(Offset(1)), Ok(Offset(1)));
    let told = Arc::new(Told::default());
    partition.append(own_batch(), told.ticket(0));
    assert_eq!(partition.committed(), Ok(Offset(3)));
    assert_eq!(told.take(), [(0, Ok(()))]);
    assert!(partition.is_online(), "a full disk is none that failed");

    disk_space::measure(&world.log_dirs, 0);
    assert_eq!(produce(&partition, 2, &["c"]), Ok(3));
}

#[test]
fn a_disk_that_is_nearly_full_at_the_start_refuses_the_first_producer() {
    let two = Two::new();
    let free_min = format!("ottla.disk.free.min.bytes={}", i64::MAX);
    let world = World::open_on(Arc::new(RealDisk), &two.paths[0], &[&free_min]);
    assert_eq!(produce(&world.partition(0), 0, &["a"]), Err(ErrorCode::KafkaStorageError));
}

#[test]
fn a_fast_producer_does_not_run_past_the_limit_between_two_measurements() {
    let two = Two::new();
    let world = two.open();
    let partition = world.partition(0);
    let space = world.log_dirs.space(&partition.dir()).unwrap();
    // A little less than what is free now: enough for the first batch, not for a second one.
    disk_space::measure(&world.log_dirs, space.usable.saturating_sub(64 << 20) as i64);
    assert_eq!(produce(&partition, 0, &["a"]), Ok(0));
    partition.dir().room().take(65 << 20);
    assert_eq!(produce(&partition, 1, &["b"]), Err(ErrorCode::KafkaStorageError));
}

#[test]
fn a_disk_that_does_not_take_a_checkpoint_holds_up_nobody_else() {
    let disk = SimDisk::new();
    let world = World::open_on(Arc::new(disk.clone()), Path::new("/a,/b"), &[]);
    let held = [world.partition_of(0, 0), world.partition_of(1, 0)];
    for partition in &held {
        assert_eq!(produce(partition, 0, &["a"]), Ok(0));
    }
    let partitions = Partitions::default();
    partitions.update(held.clone().map(Held::Open), []);
    let ((hangs, hung), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
    let released = Mutex::new(released);
    disk.on_call(move |op, path| {
        if op == Op::Rename && path.starts_with("/b") {
            // The test may have ended early.
            hangs.send(()).ok();
            released.lock().recv().ok();
        }
    });
    let written = |dir: &str| OffsetCheckpoint::Replication.read(&disk, Path::new(dir)).unwrap().len();
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| world.log_dirs.write_checkpoints_of(&held[1].dir(), &partitions));
        hung.recv().unwrap();
        world.log_dirs.write_checkpoints_of(&held[0].dir(), &partitions);
        assert_eq!((written("/a"), written("/b")), (1, 0));
        assert_eq!(world.log_dirs.offline_ids(), []);
        assert_eq!(world.partition_of(2, 0).dir().index(), 0, "new partitions are placed");
        drop(release);
        stuck.join().unwrap();
    });
    assert_eq!(written("/b"), 1);
}
