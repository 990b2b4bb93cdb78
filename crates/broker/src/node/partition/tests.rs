//! A partition on a real directory: a log joined with the decisions about it.

mod group_commit;

use super::*;
use crate::node::config::Config;
use crate::node::dormant::{Dormant, Opener, Place};
use crate::node::log_dirs::LogDirs;
use crate::node::partitions::{Held, Partitions};
use ottla_config::{ConfigMap, Inputs, Loaded, load};
use ottla_log::disk::{Disk, RealDisk};
use ottla_log::{LogContext, OpenOptions, TopicPartition};
use ottla_protocol::records::control::EndTransactionMarker;
use ottla_protocol::records::{BatchBuilder, BatchBytes, batches};
use ottla_protocol::{BrokerId, ProducerEpoch, ProducerId, Uuid};
use ottla_replica::budget::ReadLimit;
use ottla_replica::partition::fetch::FetchIsolation;
use ottla_replica::partition::list_offsets::{EARLIEST, LATEST, Query};
use std::ops::ControlFlow;
use std::path::Path;

pub(in crate::node) const NODE: BrokerId = BrokerId(1);
const NOW: i64 = 1_700_000_000_000;
const VERSION: i16 = 13;
pub(in crate::node) const TOPIC: TopicId = Uuid([7; 16]);

pub(in crate::node) struct World {
    pub(in crate::node) log_dirs: Arc<LogDirs>,
    loaded: Loaded,
}

impl World {
    pub(in crate::node) fn open(dir: &Path) -> World {
        World::open_on(Arc::new(RealDisk), dir, &[])
    }

    /// On another disk, with more settings.
    pub(in crate::node) fn open_on(disk: Arc<dyn Disk>, dir: &Path, settings: &[&str]) -> World {
        let mut overrides = vec![format!("log.dirs={}", dir.display())];
        overrides.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let loaded = load(&Inputs { overrides, ..Inputs::default() }).unwrap();
        World { log_dirs: Arc::new(LogDirs::open_on(disk, &loaded.settings).unwrap()), loaded }
    }

    /// The first partition of a topic, led by this node at an epoch.
    pub(in crate::node) fn partition(&self, leader_epoch: i32) -> Arc<Partition> {
        self.partition_of(0, leader_epoch)
    }

    /// A partition of a topic, led by this node at an epoch.
    pub(in crate::node) fn partition_of(&self, index: i32, leader_epoch: i32) -> Arc<Partition> {
        self.assigned_partition(index, leader_epoch, Uuid::UNASSIGNED_DIR)
    }

    /// The same, of which the metadata says in which directory it is.
    pub(in crate::node) fn assigned_partition(
        &self,
        index: i32,
        leader_epoch: i32,
        dir: Uuid,
    ) -> Arc<Partition> {
        let (place, settings) = (self.place_in(index, dir), self.settings());
        let opened = Partition::open_at(&self.log_dirs, &self.loaded.settings, NODE, &place, settings, NOW);
        let partition = Arc::new(opened.unwrap());
        let registration = Registration {
            leader: Some(NODE),
            leader_epoch: LeaderEpoch(leader_epoch),
            partition_epoch: leader_epoch,
            replicas: vec![NODE],
            isr: vec![NODE],
        };
        partition.register(registration, NOW);
        if !partition.dir().flusher.is_by_hand() {
            partition.committed().unwrap();
        }
        partition
    }

    fn settings(&self) -> Arc<TopicSettings> {
        Arc::new(TopicSettings::resolve(&self.loaded.config, &ConfigMap::new()).unwrap())
    }

    fn place(&self, index: i32) -> Place {
        self.place_in(index, Uuid::UNASSIGNED_DIR)
    }

    fn place_in(&self, index: i32, dir: Uuid) -> Place {
        let located = self.log_dirs.locate(&TopicPartition::new("t", index), dir).unwrap();
        Place { topic: "t".into(), topic_id: TOPIC, index, located }
    }

    /// The configuration.
    pub(in crate::node) fn config(&self) -> Arc<Config> {
        Arc::new(Config::new(self.loaded.config.clone(), self.loaded.settings.clone()))
    }

    /// A partition of a topic that nobody has asked for yet.
    pub(in crate::node) fn dormant(&self, index: i32, leader_epoch: i32) -> Arc<Dormant> {
        let opener = Opener { log_dirs: Arc::clone(&self.log_dirs), config: self.config(), node_id: NODE };
        let assigned = Arc::new(assigned(leader_epoch));
        Arc::new(Dormant::new(Arc::new(opener), self.place(index), assigned, self.settings()))
    }

    fn close(self, partition: Arc<Partition>) {
        self.close_all([Held::Open(partition)]);
    }

    pub(in crate::node) fn close_all(&self, held: impl IntoIterator<Item = Held>) {
        let partitions = Partitions::default();
        partitions.update(held, []);
        self.log_dirs.close(&partitions, 2, 5, true);
    }
}

/// A partition that this node leads, as the metadata have it.
pub(in crate::node) fn assigned(leader_epoch: i32) -> ottla_metadata::Partition {
    ottla_metadata::Partition {
        replicas: vec![NODE],
        directories: vec![Uuid::UNASSIGNED_DIR],
        isr: vec![NODE],
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader: Some(NODE),
        leader_recovery_state: ottla_metadata::LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(leader_epoch),
        partition_epoch: leader_epoch,
    }
}

fn batch(base_sequence: i32, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().producer(ProducerId(9), ProducerEpoch(0), base_sequence);
    for value in values {
        builder.append(NOW, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

/// Appends and waits for the disk.
pub(in crate::node) fn produce(
    partition: &Arc<Partition>,
    base_sequence: i32,
    values: &[&str],
) -> Result<i64, ErrorCode> {
    produce_batch(partition, &batch(base_sequence, values))
}

/// The same of a batch.
pub(in crate::node) fn produce_batch(partition: &Arc<Partition>, batch: &[u8]) -> Result<i64, ErrorCode> {
    let told = Arc::new(Told::default());
    let appended = partition.produce(batch, VERSION, -1, NOW, told.ticket(0));
    partition.committed()?;
    let appended = appended.map_err(|error| error.code)?;
    assert_eq!(told.take(), if appended.waits { vec![(0, Ok(()))] } else { vec![] });
    Ok(appended.base_offset.0)
}

/// What a waiter heard.
#[derive(Default)]
pub(in crate::node) struct Told(Mutex<Vec<(u64, Result<(), ErrorCode>)>>);

impl Told {
    pub(in crate::node) fn ticket(self: &Arc<Self>, number: u64) -> Ticket {
        Ticket { waiter: Arc::clone(self) as Arc<dyn Waiter>, number }
    }

    pub(in crate::node) fn take(&self) -> Vec<(u64, Result<(), ErrorCode>)> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Waiter for Told {
    fn ended(&self, ticket: u64, outcome: Result<(), ErrorCode>) {
        self.0.lock().push((ticket, outcome));
    }

    fn wake(&self) {}
}

/// The values from an offset on, as a consumer gets them.
pub(in crate::node) fn read(partition: &Partition, offset: i64) -> Result<Vec<String>, ErrorCode> {
    let outcome = partition.read(&ReadAsk {
        fetch_offset: Offset(offset),
        current_leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
        isolation: FetchIsolation::HighWatermark,
        limit: ReadLimit { max_bytes: 1 << 24, min_one_batch: true },
    })?;
    let mut bytes = Vec::new();
    if let Some(region) = outcome.region {
        region.read(&mut bytes).unwrap();
    }
    let mut values = Vec::new();
    for batch in batches(&bytes) {
        for record in batch.unwrap().records(1 << 20).unwrap().iter() {
            let record = record.unwrap();
            if record.offset >= Offset(offset) {
                values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
        }
    }
    Ok(values)
}

pub(in crate::node) fn ask(partition: &Partition, timestamp: i64) -> i64 {
    let query = Query { timestamp, replica_id: -1, isolation_level: 0, version: 11 };
    partition.list_offset(&query, LeaderEpoch::NONE).unwrap().offset.0
}

#[test]
fn what_was_produced_is_read_from_any_offset() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    assert_eq!(produce(&partition, 0, &["a", "b"]), Ok(0));
    assert_eq!(produce(&partition, 2, &["c"]), Ok(2));
    assert_eq!(read(&partition, 0), Ok(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(read(&partition, 1), Ok(vec!["b".into(), "c".into()]));
    assert_eq!(read(&partition, 3), Ok(vec![]));
    assert_eq!(read(&partition, 4), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!((ask(&partition, EARLIEST), ask(&partition, LATEST), ask(&partition, NOW)), (0, 3, 0));
}

#[test]
fn a_batch_that_comes_again_has_its_first_offset_even_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    assert_eq!(produce(&partition, 0, &["a", "b"]), Ok(0));
    assert_eq!(produce(&partition, 0, &["a", "b"]), Ok(0));
    assert_eq!(produce(&partition, 3, &["d"]), Err(ErrorCode::OutOfOrderSequenceNumber));
    world.close(partition);

    let world = World::open(dir.path());
    assert_eq!(world.log_dirs.previous_broker_epoch(), 5);
    let partition = world.partition(1);
    assert_eq!(produce(&partition, 0, &["a", "b"]), Ok(0));
    assert_eq!(produce(&partition, 2, &["c"]), Ok(2));
    assert_eq!(read(&partition, 0), Ok(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(partition.epoch_end(LeaderEpoch(1), LeaderEpoch(0)).unwrap().unwrap().end_offset, Offset(2));
}

#[test]
fn producers_are_known_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    assert_eq!(produce(&partition, 0, &["a"]), Ok(0));
    // Nothing is closed.
    drop((partition, world));

    let world = World::open(dir.path());
    assert_eq!(world.log_dirs.previous_broker_epoch(), -1);
    let partition = world.partition(1);
    assert_eq!(produce(&partition, 0, &["a"]), Ok(0));
    assert_eq!(produce(&partition, 1, &["b"]), Ok(1));
}

#[test]
fn a_log_is_read_through_in_chunks_that_end_within_batches() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    for sequence in 0..20 {
        assert_eq!(produce(&partition, sequence, &["a"]), Ok(sequence.into()));
    }
    let size = u32::try_from(batch(0, &["a"]).len()).unwrap();
    for chunk_bytes in [1, size, size + 1, 3 * size - 1, 1 << 20] {
        let mut seen = Vec::new();
        let read = partition.each_batch(Offset(3), Offset(20), chunk_bytes, |batch| {
            seen.push(batch.base_offset().0);
            std::ops::ControlFlow::Continue(())
        });
        read.unwrap();
        assert_eq!(seen, (3..20).collect::<Vec<i64>>(), "in chunks of {chunk_bytes} bytes");
    }
}

#[test]
fn deleted_records_are_gone_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    assert_eq!(produce(&partition, 0, &["a", "b", "c"]), Ok(0));
    assert_eq!(partition.delete_records(Offset(4)), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(partition.delete_records(Offset(2)), Ok(Offset(2)));
    assert_eq!(read(&partition, 1), Err(ErrorCode::OffsetOutOfRange));
    world.close(partition);

    let world = World::open(dir.path());
    let partition = world.partition(1);
    assert_eq!(ask(&partition, EARLIEST), 2);
    assert_eq!(read(&partition, 2), Ok(vec!["c".into()]));
}

#[test]
fn who_does_not_lead_appends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    let other = Registration {
        leader: None,
        leader_epoch: LeaderEpoch(1),
        partition_epoch: 1,
        replicas: vec![NODE],
        isr: vec![NODE],
    };
    partition.register(other, NOW);
    assert_eq!(produce(&partition, 0, &["a"]), Err(ErrorCode::NotLeaderOrFollower));
    assert_eq!(read(&partition, 0), Err(ErrorCode::NotLeaderOrFollower));
}

/// What a coordinator would have had appended: a transaction that was aborted, and a record behind it.
fn append_aborted(dir: &Path) {
    let context = LogContext::new(Arc::new(RealDisk), 10);
    let partition = TopicPartition::new("t", 0);
    let (mut log, _) = Log::open(&context, OpenOptions::new(partition, dir.join("t-0"), NOW)).unwrap();
    let data = || BatchBuilder::new().producer(ProducerId(9), ProducerEpoch(0), 0).transactional(true);
    let marker = EndTransactionMarker { commit: false, coordinator_epoch: 0 };
    let mut record = data();
    record.append(NOW, None, Some(b"aborted"), &[]);
    let marker = marker.to_batch(Offset(1), NOW, LeaderEpoch(0), ProducerId(9), ProducerEpoch(0));
    let mut behind = BatchBuilder::new();
    behind.append(NOW, None, Some(b"behind"), &[]);
    for bytes in [record.build(), marker, behind.build()] {
        log.append(&mut BatchBytes::new(&bytes).unwrap(), LeaderEpoch(0), NOW).unwrap();
    }
    log.flush(NOW).unwrap();
    log.close().unwrap();
}

#[test]
fn aborted_transactions_are_known_again_when_their_index_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    world.close(partition);
    append_aborted(dir.path());
    let ask = ReadAsk {
        fetch_offset: Offset(0),
        current_leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
        isolation: FetchIsolation::TxnCommitted,
        limit: ReadLimit { max_bytes: 1 << 20, min_one_batch: true },
    };
    let index = dir.path().join("t-0").join("00000000000000000000.txnindex");
    for garble in [false, true, false] {
        if garble {
            let bytes = std::fs::read(&index).unwrap();
            assert_eq!(bytes.len(), 34);
            std::fs::write(&index, bytes.iter().map(|byte| !byte).collect::<Vec<_>>()).unwrap();
        }
        let world = World::open(dir.path());
        let partition = world.partition(0);
        let outcome = partition.read(&ask).unwrap();
        assert_eq!(outcome.aborted, Some(vec![(ProducerId(9), Offset(0))]), "garbled: {garble}");
        world.close(partition);
    }
}

#[test]
fn damage_is_an_error_and_everything_else_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    for (sequence, value) in ["a", "b", "c", "d"].into_iter().enumerate() {
        assert_eq!(produce(&partition, sequence as i32, &[value]), Ok(sequence as i64));
    }
    drop((world, partition));
    let file = dir.path().join("t-0").join("00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let second = bytes.len() / 4;
    bytes[second + 65] ^= 1;
    std::fs::write(&file, &bytes).unwrap();

    let world = World::open(dir.path());
    let partition = world.partition(1);
    assert_eq!(read(&partition, 0), Ok(vec!["a".into()]));
    assert_eq!(read(&partition, 1), Err(ErrorCode::CorruptMessage));
    assert_eq!(read(&partition, 2), Ok(vec!["c".into(), "d".into()]));
    assert_eq!(produce(&partition, 4, &["e"]), Ok(4));
    let mut seen = Vec::new();
    let each = partition.each_batch(Offset(0), Offset(5), 1 << 20, |batch| {
        seen.push(batch.base_offset().0);
        ControlFlow::Continue(())
    });
    each.unwrap();
    assert_eq!(seen, [0, 2, 3, 4]);
    world.close(partition);
    let world = World::open(dir.path());
    assert_eq!(read(&world.partition(2), 1), Err(ErrorCode::CorruptMessage), "after a clean stop too");
}
