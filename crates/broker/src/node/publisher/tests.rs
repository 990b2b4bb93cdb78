//! A broker that follows images, on real directories.

use super::*;
use crate::node::detour::Detour;
use crate::node::partition::tests::{NODE, TOPIC, World, produce};
use ottla_coordinator::group::Settings;
use ottla_metadata::MetadataRecord;
use ottla_protocol::Offset;
use ottla_protocol::messages::{PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord};

const NOBODY: i32 = -1;

/// A broker with one partition of the offsets topic, which it leads.
struct Broker {
    _root: tempfile::TempDir,
    publisher: Publisher,
    image: Arc<Image>,
}

impl Broker {
    fn new() -> Broker {
        let root = tempfile::tempdir().unwrap();
        let world = World::open(root.path());
        let (log_dirs, config) = (Arc::clone(&world.log_dirs), world.config());
        let (images, partitions) = (Arc::<Images>::default(), Arc::<Partitions>::default());
        let assignments = Arc::<DirAssignments>::default();
        let (of_moves, of_opener) = (Arc::clone(&log_dirs), Arc::clone(&log_dirs));
        let publisher = Publisher {
            relocations: Arc::new(Relocations::new(
                of_moves,
                Arc::clone(&partitions),
                Arc::clone(&assignments),
                Arc::clone(&images),
                NODE,
            )),
            opener: Arc::new(Opener { log_dirs: of_opener, config: Arc::clone(&config), node_id: NODE }),
            groups: Arc::new(Groups::new(Arc::clone(&images), Settings::default())),
            identity: Arc::new(Identity { cluster_id: "cluster".into(), node_id: NODE }),
            leader_recovery: Arc::default(),
            without_room: Mutex::default(),
            images,
            partitions,
            log_dirs,
            assignments,
            config,
        };
        let mut broker = Broker { _root: root, publisher, image: Arc::default() };
        let topic = TopicRecord { name: OFFSETS_TOPIC.into(), topic_id: TOPIC, ..Default::default() };
        let partition = PartitionRecord {
            topic_id: TOPIC,
            replicas: vec![NODE.0],
            isr: vec![NODE.0],
            leader: NODE.0,
            partition_id: 0,
            leader_epoch: 0,
            partition_epoch: 0,
            ..Default::default()
        };
        broker.publish(&[MetadataRecord::Topic(topic), MetadataRecord::Partition(partition)]);
        broker
    }

    fn publish(&mut self, records: &[MetadataRecord]) {
        let (image, changes) = self.image.apply(Offset(0), LeaderEpoch(0), 0, records).unwrap();
        self.image = Arc::new(image);
        self.publisher.publish(&self.image, &changes);
    }

    /// The controller makes another the leader, or the same one anew.
    fn elect(&mut self, leader: i32) {
        let change = PartitionChangeRecord { topic_id: TOPIC, partition_id: 0, leader, ..Default::default() };
        self.publish(&[MetadataRecord::PartitionChange(change)]);
    }

    fn partition(&self) -> Arc<Partition> {
        self.publisher.partitions.get(TOPIC, 0).unwrap()
    }
}

#[test]
fn the_coordinator_follows_its_leader_although_the_disk_is_stuck() {
    let mut broker = Broker::new();
    let dir = broker.partition().dir();
    assert!(broker.publisher.groups.has(0));
    dir.detour.open_by_hand();
    broker.elect(NOBODY);
    assert!(broker.partition().is_leader(), "it is told in its turn");
    assert!(!broker.publisher.groups.has(0));
    broker.elect(NODE.0);
    assert!(broker.publisher.groups.has(0));
    broker.elect(NOBODY);
    Detour::run_queued(&dir);
    assert!(!broker.partition().is_leader());
    assert!(!broker.publisher.groups.has(0));
}

#[test]
fn nothing_is_renamed_in_a_directory_that_was_given_up_before_a_deletion_had_its_turn() {
    let mut broker = Broker::new();
    let dir = broker.partition().dir();
    let log = dir.path().join(format!("{OFFSETS_TOPIC}-0"));
    assert_eq!(produce(&broker.partition(), 0, &["a"]), Ok(0));
    assert!(log.is_dir());
    dir.detour.open_by_hand();
    broker
        .publish(&[MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: TOPIC, ..Default::default() })]);
    dir.fail(&"its disk does not answer");
    Detour::run_queued(&dir);
    assert!(log.is_dir(), "it is found to be a stray when the directory can be used again");
}
