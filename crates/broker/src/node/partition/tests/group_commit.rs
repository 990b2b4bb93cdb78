//! Who waits for the disk, on a simulated one that is flushed by hand.

use super::*;
use crate::node::detour::Detour;
use crate::node::dir_state::DirState;
use crate::node::flusher::Flusher;
use ottla_log::disk::{Fault, Op, SimDisk};
use parking_lot::Mutex;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A partition on a disk that forgets.
struct Story {
    disk: SimDisk,
    world: World,
    partition: Arc<Partition>,
    told: Arc<Told>,
}

impl Story {
    fn new(settings: &[&str]) -> Story {
        Story::on(SimDisk::new(), settings)
    }

    fn on(disk: SimDisk, settings: &[&str]) -> Story {
        let world = World::open_on(Arc::new(disk.clone()), Path::new("/data"), settings);
        world.log_dirs.flush_by_hand();
        let partition = world.partition(0);
        Story { disk, world, partition, told: Arc::default() }
    }

    /// Appends with a ticket; whether it waits.
    fn append(&self, ticket: u64, acks: i16) -> Result<bool, ErrorCode> {
        append(&self.partition, ticket, acks, &self.told)
    }

    /// Flushes what is queued; gives the fsyncs that it took.
    fn flush(&self) -> u64 {
        let before = self.disk.syncs();
        Flusher::flush_queued(&self.partition.dir());
        self.disk.syncs() - before
    }

    fn is_queued(&self) -> bool {
        self.partition.dir().flusher.len() == 1
    }

    fn latest(&self) -> i64 {
        ask(&self.partition, LATEST)
    }
}

fn append(partition: &Arc<Partition>, ticket: u64, acks: i16, told: &Arc<Told>) -> Result<bool, ErrorCode> {
    let sequence = i32::try_from(ticket).unwrap();
    let appended = partition.produce(&batch(sequence, &["a"]), VERSION, acks, NOW, told.ticket(ticket));
    appended.map(|appended| appended.waits).map_err(|error| error.code)
}

fn all_ok(tickets: std::ops::Range<u64>) -> Vec<(u64, Result<(), ErrorCode>)> {
    tickets.map(|ticket| (ticket, Ok(()))).collect()
}

const OFFLINE: ErrorCode = ErrorCode::KafkaStorageError;

#[test]
fn many_requests_share_one_fsync_and_are_told_in_order() {
    let story = Story::new(&[]);
    assert_eq!(story.append(0, -1), Ok(true));
    assert!(story.flush() > 1, "a new log syncs more than its records");
    assert_eq!(story.told.take(), all_ok(0..1));
    for ticket in 1..65 {
        assert_eq!(story.append(ticket, -1), Ok(true));
        assert!(story.is_queued(), "once, however many ask");
    }
    assert_eq!(story.told.take(), []);
    assert_eq!(story.flush(), 1);
    assert_eq!(story.told.take(), all_ok(1..65));
    assert_eq!(story.flush(), 0);
}

#[test]
fn very_many_partitions_share_one_sync() {
    let story = Story::new(&[]);
    let others: Vec<_> = (1..128).map(|index| story.world.partition_of(index, 0)).collect();
    let partitions = || others.iter().chain([&story.partition]);
    for sequence in 0..2 {
        for partition in partitions() {
            assert_eq!(append(partition, sequence, -1, &story.told), Ok(true));
        }
        assert_eq!(story.flush(), 1, "new files too");
        assert_eq!(story.told.take(), vec![(sequence, Ok(())); 128]);
    }
    let rebooted = Story::on(story.disk.after_power_failure(1), &[]);
    let again: Vec<_> = (1..128).map(|index| rebooted.world.partition_of(index, 0)).collect();
    rebooted.flush();
    for (index, partition) in again.iter().chain([&rebooted.partition]).enumerate() {
        assert_eq!(ask(partition, LATEST), 2, "of partition {index}");
    }
}

#[test]
fn a_failed_sync_of_very_many_partitions_is_told_to_all_of_them() {
    let story = Story::new(&[]);
    let others: Vec<_> = (1..128).map(|index| story.world.partition_of(index, 0)).collect();
    for partition in others.iter().chain([&story.partition]) {
        assert_eq!(append(partition, 0, -1, &story.told), Ok(true));
    }
    story.disk.inject(Fault::once(Op::Sync, "/data", ErrorKind::Other));
    story.flush();
    assert_eq!(story.told.take(), vec![(0, Err(OFFLINE)); 128]);
    assert!(!story.partition.is_online());
}

#[test]
fn what_is_not_on_the_disk_is_not_seen() {
    let story = Story::new(&[]);
    let woken = Arc::new(Notify::new());
    story.partition.waiters.add(&woken);
    story.append(0, -1).unwrap();
    let is_woken = || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            tokio::select! {
                biased;
                () = woken.notified() => true,
                () = std::future::ready(()) => false,
            }
        })
    };
    assert_eq!((read(&story.partition, 0), story.latest()), (Ok(vec![]), 0));
    assert!(!is_woken());
    story.flush();
    assert_eq!((read(&story.partition, 0), story.latest()), (Ok(vec!["a".into()]), 1));
    assert!(is_woken(), "a fetch that waits sees it now");
}

#[test]
fn what_is_appended_while_an_fsync_runs_shares_the_next_one() {
    let story = Story::new(&[]);
    story.append(0, -1).unwrap();
    let (partition, told) = (Arc::clone(&story.partition), Arc::clone(&story.told));
    let during = Mutex::new(1..6);
    // Called without any lock of the partition: it would hang otherwise.
    story.disk.on_call(move |op, path| {
        if op == Op::Sync && path.extension().is_some_and(|extension| extension == "log") {
            let tickets = std::mem::take(&mut *during.lock());
            for ticket in tickets {
                assert_eq!(append(&partition, ticket, -1, &told), Ok(true));
            }
        }
    });
    story.flush();
    assert_eq!(story.told.take(), all_ok(0..1), "only what was there when it began");
    assert_eq!(story.latest(), 1);
    assert!(story.is_queued());
    assert_eq!(story.flush(), 1);
    assert_eq!(story.told.take(), all_ok(1..6));
    story.disk.on_call(|_, _| ());
}

#[test]
fn a_failed_fsync_is_told_to_all_who_wait_and_nothing_is_acknowledged_afterwards() {
    let story = Story::new(&[]);
    let other = story.world.partition_of(1, 0);
    let told_other = Arc::new(Told::default());
    story.append(0, -1).unwrap();
    story.append(1, -1).unwrap();
    append(&other, 0, -1, &told_other).unwrap();
    story.disk.inject(Fault::once(Op::Sync, ".log", ErrorKind::Other));
    story.flush();
    assert_eq!(story.told.take(), [(0, Err(OFFLINE)), (1, Err(OFFLINE))]);
    assert_eq!(told_other.take(), [(0, Err(OFFLINE))], "its fsync could succeed, and would prove nothing");
    assert!(!story.partition.is_online());
    // The kernel would say that all is well now.
    assert_eq!(story.append(2, -1), Err(OFFLINE));
    assert_eq!(append(&other, 1, 1, &told_other), Err(OFFLINE));
    assert_eq!((story.flush(), story.told.take(), told_other.take()), (0, vec![], vec![]));
}

#[test]
fn an_append_that_nobody_waits_for_becomes_visible_all_the_same() {
    for acks in [0, 1] {
        let story = Story::new(&[]);
        assert_eq!(story.append(0, acks), Ok(false));
        assert_eq!(story.latest(), 0);
        story.flush();
        assert_eq!((story.latest(), story.told.take()), (1, vec![]));
    }
}

#[test]
fn a_batch_that_comes_again_waits_for_the_first() {
    let story = Story::new(&[]);
    assert_eq!(story.append(0, -1), Ok(true));
    assert_eq!(story.append(1, -1), Ok(true));
    assert_eq!(story.append(0, -1), Ok(true));
    assert_eq!(story.append(0, 1), Ok(false));
    story.flush();
    let told = story.told.take();
    assert_eq!(told, [(0, Ok(())), (0, Ok(())), (1, Ok(()))], "in the order of the offsets");
    assert_eq!(story.append(0, -1), Ok(false), "it is committed by now");
    assert_eq!(story.latest(), 2);
}

#[test]
fn never_is_the_page_cache_as_kafka_has_it() {
    let story = Story::new(&["ottla.flush.acks.all=never"]);
    assert_eq!((story.append(0, -1), story.latest()), (Ok(false), 1));
    assert_eq!(story.flush(), 0);
}

#[test]
fn an_append_that_flush_messages_wants_flushed_waits_for_it_whatever_its_acks() {
    let story = Story::new(&["ottla.flush.acks.all=never", "log.flush.interval.messages=2"]);
    assert_eq!(story.append(0, 1), Ok(false));
    assert_eq!(story.flush(), 0);
    assert_eq!(story.append(1, 1), Ok(true));
    assert!(story.flush() > 0);
    assert_eq!(story.told.take(), all_ok(1..2));
    assert_eq!(story.append(2, 1), Ok(false));

    let story = Story::new(&["ottla.flush.acks.all=never", "log.flush.interval.messages=1"]);
    assert_eq!((story.append(0, 1), story.latest()), (Ok(true), 0), "nothing is seen before it is flushed");
    story.flush();
    assert_eq!((story.told.take(), story.latest()), (all_ok(0..1), 1));
}

#[test]
fn who_waits_is_told_when_the_leader_goes() {
    let story = Story::new(&[]);
    story.append(0, -1).unwrap();
    let elsewhere = Registration {
        leader: Some(BrokerId(2)),
        leader_epoch: LeaderEpoch(1),
        partition_epoch: 1,
        replicas: vec![NODE, BrokerId(2)],
        isr: vec![BrokerId(2)],
    };
    story.partition.register(elsewhere, NOW);
    assert_eq!(story.told.take(), [(0, Err(ErrorCode::NotLeaderOrFollower))]);
}

#[test]
fn who_waits_is_told_when_the_partition_is_deleted_and_the_disk_is_not_to_blame() {
    let story = Story::new(&[]);
    story.append(0, -1).unwrap();
    story.partition.delete(Uuid([1; 16])).unwrap();
    assert_eq!(story.told.take(), [(0, Err(ErrorCode::UnknownTopicOrPartition))]);
    assert_eq!(story.flush(), 0);
    assert!(story.partition.is_online());
}

#[test]
fn a_partition_that_is_deleted_during_an_fsync_is_no_failure_of_the_disk() {
    let story = Story::new(&[]);
    story.append(0, -1).unwrap();
    let partition = Arc::clone(&story.partition);
    story.disk.on_call(move |op, path| {
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        if op == Op::Sync && is_log && path.parent().is_some_and(|dir| dir.ends_with("t-0")) {
            partition.delete(Uuid([1; 16])).unwrap();
        }
    });
    story.flush();
    assert_eq!(story.told.take(), [(0, Err(ErrorCode::UnknownTopicOrPartition))]);
    assert!(story.partition.is_online(), "the directory that was to be synced has another name");
    story.disk.on_call(|_, _| ());
}

/// A partition with a second directory that it can be moved to.
struct Mover {
    story: Story,
    target: Arc<DirState>,
}

impl Mover {
    fn new() -> Mover {
        let disk = SimDisk::new();
        let world = World::open_on(Arc::new(disk.clone()), Path::new("/data,/more"), &[]);
        world.log_dirs.flush_by_hand();
        let partition = world.partition(0);
        let target = world.log_dirs.by_path("/more").unwrap();
        Mover { story: Story { disk, world, partition, told: Arc::default() }, target }
    }

    /// What moves it, at once.
    fn moving(&self) -> impl Fn() + Send + Sync + 'static {
        let (partition, target) = (Arc::clone(&self.story.partition), Arc::clone(&self.target));
        let log_dirs = Arc::clone(&self.story.world.log_dirs);
        move || {
            let topic_partition = TopicPartition::new("t", 0);
            let copy = log_dirs.begin_future(&topic_partition, &partition, &target, NOW).unwrap();
            partition.begin_move(Arc::clone(&target), copy);
            partition.accept_move();
            while partition.moving_to().is_some() {
                partition.step_move(Uuid([1; 16]), NOW).unwrap();
            }
        }
    }

    fn are_online(&self) -> [bool; 2] {
        ["/data", "/more"].map(|path| self.story.world.log_dirs.by_path(path).unwrap().is_online())
    }
}

#[test]
fn a_partition_that_is_moved_during_an_fsync_is_no_failure_of_the_disk() {
    let mover = Mover::new();
    let story = &mover.story;
    story.append(0, -1).unwrap();
    let (moving, is_done) = (mover.moving(), AtomicBool::new(false));
    story.disk.on_call(move |op, path| {
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        if op == Op::Sync && is_log && path.starts_with("/data/t-0") && !is_done.swap(true, Ordering::Relaxed)
        {
            moving();
        }
    });
    story.flush();
    assert_eq!(story.partition.dir().index(), 1);
    assert_eq!(mover.are_online(), [true, true], "the directory that was to be synced has another name");
    assert_eq!(story.told.take(), all_ok(0..1));
    story.disk.on_call(|_, _| ());
}

#[test]
fn a_partition_that_is_moved_while_it_is_queued_is_flushed_where_it_is() {
    let mover = Mover::new();
    let story = &mover.story;
    story.append(0, -1).unwrap();
    let from = story.partition.dir();
    mover.moving()();
    story.append(1, -1).unwrap();
    Flusher::flush_queued(&from);
    assert_eq!(story.told.take(), all_ok(0..1), "the first one came with the move");
    story.disk.inject(Fault::once(Op::Sync, "/more/t-0", ErrorKind::Other));
    story.flush();
    assert_eq!(mover.are_online(), [true, false], "it is the disk that it is on that fails");
    assert_eq!(story.told.take(), [(1, Err(ErrorCode::KafkaStorageError))]);
}

#[test]
fn who_gives_up_hears_nothing_more_and_the_record_stays() {
    let story = Story::new(&[]);
    let patient = Arc::new(Told::default());
    story.append(0, -1).unwrap();
    append(&story.partition, 1, -1, &patient).unwrap();
    let waiter: Arc<dyn Waiter> = Arc::clone(&story.told) as _;
    assert_eq!(story.partition.give_up(&waiter), [0]);
    story.flush();
    assert_eq!((story.told.take(), patient.take()), (vec![], all_ok(1..2)));
    assert_eq!(story.latest(), 2);
}

#[test]
fn a_roll_waits_for_no_disk_and_the_next_flush_has_the_indexes_of_what_is_done() {
    let story = Story::new(&["log.segment.bytes=1048576"]);
    let large = "a".repeat(600 << 10);
    let append = |ticket: u64| {
        let bytes = batch(i32::try_from(ticket).unwrap(), &[&large]);
        let before = story.disk.syncs();
        story.partition.produce(&bytes, VERSION, -1, NOW, story.told.ticket(ticket)).unwrap();
        assert_eq!(story.disk.syncs(), before);
    };
    append(0);
    story.flush();
    append(1);
    assert!(story.flush() > 1, "more than the new segment");
    assert_eq!(story.told.take(), all_ok(0..2));
    append(2);
    append(3);
    story.flush();
    assert_eq!((story.told.take(), story.flush()), (all_ok(2..4), 0));
}

#[test]
fn while_the_disk_is_stuck_appends_wait_aside_in_their_order() {
    let story = Story::new(&[]);
    let dir = story.partition.dir();
    dir.detour.open_by_hand();
    for number in 0..3 {
        story.partition.append(batch(i32::try_from(number).unwrap(), &["a"]), story.told.ticket(number));
    }
    assert!(!story.is_queued(), "nothing is appended on the thread that asks");
    Detour::run_queued(&dir);
    assert!(!story.partition.is_stuck(), "what comes now need not wait");
    story.partition.append(batch(3, &["a"]), story.told.ticket(3));
    assert_eq!(story.told.take(), []);
    story.flush();
    assert_eq!(story.told.take(), all_ok(0..4));
}

/// Whoever tells of the metadata has others to tell, and an append that hangs holds the partition's lock.
#[test]
fn while_the_disk_is_stuck_changes_of_the_metadata_wait_aside() {
    let story = Story::new(&[]);
    let dir = story.partition.dir();
    dir.detour.open_by_hand();
    let nobody = Registration {
        leader: None,
        leader_epoch: LeaderEpoch(1),
        partition_epoch: 1,
        replicas: vec![NODE],
        isr: vec![NODE],
    };
    let hanging = story.partition.state.lock();
    story.partition.register_in_turn(nobody);
    story
        .partition
        .configure_in_turn(story.partition.settings(), Arc::clone(&story.world.config().current()));
    drop(hanging);
    assert!(story.partition.is_leader(), "not told yet");
    Detour::run_queued(&dir);
    assert!(!story.partition.is_leader());
}

#[test]
fn of_what_the_metadata_say_while_the_disk_is_stuck_only_the_newest_waits() {
    let story = Story::new(&[]);
    let (partition, dir) = (&story.partition, story.partition.dir());
    dir.detour.open_by_hand();
    for epoch in 1..100 {
        partition.register_in_turn(Registration {
            leader: Some(NODE),
            leader_epoch: LeaderEpoch(epoch),
            partition_epoch: epoch,
            replicas: vec![NODE],
            isr: vec![NODE],
        });
        partition.configure_in_turn(partition.settings(), Arc::clone(&story.world.config().current()));
    }
    assert_eq!((dir.detour.len(), partition.leader_epoch()), (1, LeaderEpoch(0)));
    Detour::run_queued(&dir);
    assert_eq!(partition.leader_epoch(), LeaderEpoch(99));
}

#[test]
fn who_waits_for_a_disk_that_is_given_up_is_told_although_an_append_hangs() {
    let story = Story::new(&[]);
    assert_eq!(story.append(0, -1), Ok(true));
    let hanging = story.partition.state.lock();
    story.partition.dir().fail(&"its disk does not answer");
    story.partition.fail_waiting(OFFLINE);
    assert_eq!(story.told.take(), [(0, Err(OFFLINE))]);
    // Nobody waits for the lock who may ask again.
    story.partition.append(batch(1, &["a"]), story.told.ticket(1));
    assert_eq!(story.told.take(), [(1, Err(OFFLINE))]);
    drop(hanging);
}

#[test]
fn who_wants_to_wait_after_the_disk_was_given_up_is_refused() {
    let story = Story::new(&[]);
    let partition = &story.partition;
    assert_eq!(story.append(0, -1), Ok(true));
    // This one was appending when the disk was given up.
    let mut appending = partition.state.lock();
    partition.dir().fail(&"its disk does not answer");
    partition.fail_waiting(OFFLINE);
    assert_eq!(story.told.take(), [(0, Err(OFFLINE))]);
    for until in [Until::Committed, Until::Flushed] {
        let waits = partition.wait(&mut appending, until, Offset(1), story.told.ticket(1));
        assert_eq!(waits, Err(OFFLINE));
    }
    drop(appending);
    partition.fail_waiting(OFFLINE);
    assert_eq!(story.told.take(), [], "nobody is in the list");
}

#[test]
fn a_load_behind_a_stuck_disk_comes_after_the_change_of_the_leader() {
    let story = Story::new(&[]);
    let (partition, dir) = (&story.partition, story.partition.dir());
    story.append(0, -1).unwrap();
    story.flush();
    let registration = |leader, epoch| Registration {
        leader,
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: epoch,
        replicas: vec![NODE],
        isr: vec![NODE],
    };
    partition.register(registration(None, 1), NOW);
    dir.detour.open_by_hand();
    partition.register_in_turn(registration(Some(NODE), 2));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| partition.committed());
        while dir.detour.len() < 2 {
            std::thread::yield_now();
        }
        Detour::run_queued(&dir);
        story.flush();
        assert_eq!(load.join().unwrap(), Ok(Offset(1)));
    });
}

#[test]
fn a_load_ends_when_the_disk_that_it_is_behind_is_given_up() {
    let story = Story::new(&[]);
    let dir = story.partition.dir();
    dir.detour.open_by_hand();
    dir.fail(&"its disk does not answer");
    assert_eq!(story.partition.committed(), Err(OFFLINE));
}

#[test]
fn what_is_too_much_for_the_queue_of_a_stuck_disk_is_refused() {
    let story = Story::new(&[]);
    story.partition.dir().detour.open_by_hand();
    assert!(story.partition.append_aside(200 << 20, || ()));
    assert!(!story.partition.append_aside(100 << 20, || ()));
}

/// The names of the file, of the directory and of the segments that come later are as durable as the records.
#[test]
fn what_was_acknowledged_survives_a_power_failure_from_the_first_append_on() {
    let settings = ["log.segment.bytes=1048576"];
    // Three of them fill a segment.
    let large = "a".repeat(300 << 10);
    let mut story = Story::new(&settings);
    for ticket in 0..8 {
        let sequence = i32::try_from(ticket).unwrap();
        let bytes = batch(sequence, &[&large]);
        story.partition.produce(&bytes, VERSION, -1, NOW, story.told.ticket(ticket)).unwrap();
        story.flush();
        assert_eq!(story.told.take(), all_ok(ticket..ticket + 1));
        for seed in 0..4 {
            let after = Story::on(story.disk.after_power_failure(seed), &settings);
            after.flush();
            assert_eq!(after.latest(), i64::from(sequence) + 1, "seed {seed}");
            for offset in 0..=sequence {
                let first = read(&after.partition, offset.into()).unwrap().into_iter().next();
                assert_eq!(first.as_deref(), Some(&*large), "offset {offset}, seed {seed}");
            }
        }
    }
    // And of a log that was opened again, after a clean stop.
    let Story { disk, world, partition, .. } = story;
    world.close(partition);
    story = Story::on(disk, &settings);
    assert_eq!(story.latest(), 8);
}
