//! Images from records: those that a Kafka has written, and those that it never would.

use crate::*;
use bytes::Bytes;
use ottla_protocol::messages::*;
use ottla_protocol::records::batches;
use ottla_protocol::{BrokerId, LeaderEpoch, Offset, ProducerId, Uuid};
use std::sync::Arc;

/// The metadata log of a combined node of Kafka 4.3.1 that was started twice; between the starts, and before, a person made
/// and changed topics, configurations, quotas, credentials and ACLs.
const KAFKA_LOG: &[u8] = include_bytes!("fixtures/kafka-4.3.1.log");
/// The checkpoint that the same node wrote of everything before offset 41.
const KAFKA_CHECKPOINT: &[u8] = include_bytes!("fixtures/kafka-4.3.1-41-1.checkpoint");
const CHECKPOINT_END: Offset = Offset(41);

/// The data batches of a file, with the values of their records; control batches are left out, but their offsets are not.
fn data_batches(file: &'static [u8]) -> Vec<(Batch, Vec<Bytes>)> {
    let mut out = Vec::new();
    for batch in batches(file) {
        let batch = batch.unwrap();
        batch.verify_crc().unwrap();
        if batch.is_control() {
            continue;
        }
        let values: Vec<Bytes> = batch
            .records(1 << 20)
            .unwrap()
            .iter()
            .map(|record| Bytes::copy_from_slice(record.unwrap().value.unwrap()))
            .collect();
        let header = batch.header();
        let content = Batch {
            base_offset: header.base_offset,
            epoch: header.leader_epoch,
            timestamp: header.max_timestamp,
            records: values.iter().map(|value| MetadataRecord::decode(value).unwrap()).collect(),
        };
        out.push((content, values));
    }
    out
}

/// Reads batches as far as `end`; where control batches stood, their offsets are skipped.
fn load(loader: &mut Loader, end: Offset) {
    for (batch, _) in data_batches(KAFKA_LOG) {
        if batch.base_offset >= loader.next_offset() && batch.base_offset < end {
            loader.skip_to(batch.base_offset, batch.epoch, batch.timestamp);
            loader.load(&batch).unwrap();
        }
    }
}

#[test]
fn every_record_that_kafka_wrote_encodes_to_the_same_bytes() {
    let mut names = std::collections::BTreeSet::new();
    for file in [KAFKA_LOG, KAFKA_CHECKPOINT] {
        for (batch, values) in data_batches(file) {
            for (record, value) in batch.records.iter().zip(values) {
                assert_eq!(record.to_bytes(), value, "{record:?}");
                names.insert(record.name());
            }
        }
    }
    assert_eq!(names.len(), 18, "{names:?}");
}

#[test]
fn kafkas_log_and_kafkas_checkpoint_give_the_same_image() {
    let mut from_log = Loader::new(Arc::new(Image::default()));
    load(&mut from_log, CHECKPOINT_END);
    assert_eq!(from_log.next_offset(), CHECKPOINT_END);
    let (image, _) = from_log.publish().unwrap();
    image.check();

    let kafkas: Vec<MetadataRecord> =
        data_batches(KAFKA_CHECKPOINT).into_iter().flat_map(|(batch, _)| batch.records).collect();
    let mut from_checkpoint = Loader::from_snapshot(image.provenance(), &kafkas).unwrap();
    assert_eq!(*from_checkpoint.image(), image);
    // Kafka writes topics and the like in the order of its hash maps, and features of a broker too.
    let is_comparable = |record: &&MetadataRecord| !record.name().starts_with("Register");
    let values = |records: &[MetadataRecord]| {
        let mut values: Vec<Bytes> =
            records.iter().filter(is_comparable).map(MetadataRecord::to_bytes).collect();
        values.sort();
        values
    };
    assert_eq!(values(&image.to_records()), values(&kafkas));
    assert_eq!(image.to_records().len(), kafkas.len());
    assert_eq!(image.to_records()[0].to_bytes(), kafkas[0].to_bytes());

    // The rest of the log on top of either.
    for loader in [&mut from_log, &mut from_checkpoint] {
        load(loader, Offset(i64::MAX));
        loader.publish();
    }
    assert_eq!(from_log.image(), from_checkpoint.image());
}

#[test]
fn the_image_of_kafkas_log_is_what_was_done_to_the_cluster() {
    let mut loader = Loader::new(Arc::new(Image::default()));
    load(&mut loader, Offset(i64::MAX));
    let (image, changes) = loader.publish().unwrap();
    image.check();
    assert!(image.topics().map(|topic| &*topic.name).eq(["late", "orders"]));
    let orders = image.topic_by_name("orders").unwrap();
    assert_eq!(orders.partitions.len(), 5);
    assert!(changes.topics_created.contains(&orders.id));
    // Made and deleted before anybody looked.
    assert!(changes.topics_deleted.is_empty());
    let config = image.config(&ConfigResource::topic("orders"));
    assert_eq!((config.len(), &*config["cleanup.policy"]), (2, "compact"));
    assert_eq!(image.config(&ConfigResource::group("g"))["consumer.session.timeout.ms"], "50000");
    assert_eq!(image.config(&ConfigResource::default_broker())["log.cleaner.threads"], "2");
    assert!(image.config(&ConfigResource::topic("gone")).is_empty());
    assert_eq!(image.features().metadata_version(), Some(MetadataVersion::LATEST));
    assert!(image.features().is_elr_enabled());
    assert_eq!(image.next_producer_id(), ProducerId(1000));
    assert_eq!(image.acls().count(), 1);
    assert_eq!(image.acls().next().unwrap().principal, "User:bob");
    assert!(image.scram_credential("alice", 1).is_some());
    assert!(image.scram_credential("alice", 2).is_none());
    let quotas: Vec<_> = image.client_quotas().collect();
    assert_eq!(quotas.len(), 2);
    assert_eq!((quotas[0].0.get("client-id"), quotas[0].1["consumer_byte_rate"]), (Some(&None), 4096.0));
    assert_eq!(quotas[1].1.len(), 1);
    // It was stopped cleanly in the end.
    let broker = image.broker(BrokerId(1)).unwrap();
    assert!(broker.fenced && broker.in_controlled_shutdown && !broker.is_alive());
    assert_eq!(broker.endpoint("PLAINTEXT").unwrap().port, 21512);
    assert_eq!((broker.features.len(), broker.cordoned_directories.as_deref()), (7, Some(&[][..])));
    assert_eq!(image.alive_brokers().count(), 0);
    assert_eq!(image.controllers().count(), 1);
}

const TOPIC: Uuid = Uuid(*b"an-id-of-a-topic");
const DIRECTORY: Uuid = Uuid(*b"some-directories");

fn topic(name: &str, topic_id: Uuid) -> MetadataRecord {
    TopicRecord { name: name.into(), topic_id, ..Default::default() }.into()
}

fn partition(partition_id: i32) -> PartitionRecord {
    PartitionRecord {
        partition_id,
        topic_id: TOPIC,
        replicas: vec![1, 2],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 5,
        partition_epoch: 7,
        directories: vec![DIRECTORY; 2],
        ..Default::default()
    }
}

fn change(partition_id: i32) -> PartitionChangeRecord {
    PartitionChangeRecord { partition_id, topic_id: TOPIC, ..Default::default() }
}

fn registration(broker_id: i32, broker_epoch: i64) -> MetadataRecord {
    RegisterBrokerRecord { broker_id, broker_epoch, log_dirs: vec![DIRECTORY], ..Default::default() }.into()
}

fn registration_change(broker_id: i32, broker_epoch: i64) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord { broker_id, broker_epoch, ..Default::default() }
}

fn apply(image: &Image, records: &[MetadataRecord]) -> (Image, Changes) {
    let (next, changes) = image.apply(Offset(100), LeaderEpoch(3), 0, records).unwrap();
    next.check();
    (next, changes)
}

/// A topic of two partitions and a broker.
fn image() -> Image {
    let records = [topic("t", TOPIC), partition(0).into(), partition(1).into(), registration(1, 10)];
    apply(&Image::default(), &records).0
}

#[test]
fn a_change_of_a_partition_changes_what_it_names_and_its_epochs() {
    let before = image();
    let merged = |change: PartitionChangeRecord| {
        let (image, changes) = apply(&before, &[change.into()]);
        assert!(changes.partitions[&TOPIC].contains(&0) && changes.topics_created.is_empty());
        Arc::clone(image.partition(TOPIC, 0).unwrap())
    };
    let base = Partition::clone(before.partition(TOPIC, 0).unwrap());
    let next = Partition { partition_epoch: 8, ..base.clone() };
    assert_eq!(*merged(change(0)), next);
    let isr = merged(PartitionChangeRecord { isr: Some(vec![1]), ..change(0) });
    assert_eq!(*isr, Partition { isr: vec![BrokerId(1)], ..next.clone() });
    // The same leader again is another epoch of it.
    let leader = merged(PartitionChangeRecord { leader: 1, ..change(0) });
    assert_eq!(*leader, Partition { leader_epoch: LeaderEpoch(6), ..next.clone() });
    let nobody = merged(PartitionChangeRecord {
        leader: NO_LEADER,
        isr: Some(vec![]),
        eligible_leader_replicas: Some(vec![1]),
        last_known_elr: Some(vec![1]),
        ..change(0)
    });
    assert_eq!(
        (nobody.leader, &nobody.elr[..], nobody.leader_epoch),
        (None, &[BrokerId(1)][..], LeaderEpoch(6))
    );
    let state = merged(PartitionChangeRecord { leader_recovery_state: 1, ..change(0) });
    assert_eq!(state.leader_recovery_state, LeaderRecoveryState::Recovering);
    let moved = merged(PartitionChangeRecord {
        replicas: Some(vec![1, 2, 3]),
        adding_replicas: Some(vec![3]),
        directories: Some(vec![DIRECTORY, DIRECTORY, Uuid::UNASSIGNED_DIR]),
        ..change(0)
    });
    assert_eq!(moved.directory(BrokerId(3)), Some(Uuid::UNASSIGNED_DIR));
    assert!(moved.is_reassigning());
}

#[test]
fn partitions_of_old_records_are_migrating() {
    let record = PartitionRecord { directories: Vec::new(), ..partition(2) };
    let (image, _) = apply(&image(), &[record.into()]);
    assert_eq!(image.partition(TOPIC, 2).unwrap().directories, [MIGRATING_DIR; 2]);
}

#[test]
fn what_is_untouched_is_shared() {
    let before = image();
    let other = Uuid(*b"another-topic-id");
    let (before, _) = apply(&before, &[topic("u", other)]);
    let (after, _) = apply(&before, &[PartitionChangeRecord { isr: Some(vec![1]), ..change(0) }.into()]);
    assert!(Arc::ptr_eq(before.topic(other).unwrap(), after.topic(other).unwrap()));
    assert!(Arc::ptr_eq(before.partition(TOPIC, 1).unwrap(), after.partition(TOPIC, 1).unwrap()));
    assert!(!Arc::ptr_eq(before.partition(TOPIC, 0).unwrap(), after.partition(TOPIC, 0).unwrap()));
    assert!(Arc::ptr_eq(before.broker(BrokerId(1)).unwrap(), after.broker(BrokerId(1)).unwrap()));
}

#[test]
fn changes_are_net() {
    let remove = || MetadataRecord::from(RemoveTopicRecord { topic_id: TOPIC, ..Default::default() });
    // Made and gone.
    let (_, changes) = apply(&Image::default(), &[topic("t", TOPIC), partition(0).into(), remove()]);
    assert_eq!(changes, Changes::default());
    assert!(changes.is_empty());
    // Gone and made again: another topic.
    let again = Uuid(*b"the-id-once-more");
    let (after, changes) = apply(&image(), &[change(0).into(), remove(), topic("t", again)]);
    assert_eq!(after.topic_id("t"), Some(again));
    assert!(changes.partitions.is_empty());
    assert_eq!(changes.topics_deleted[&TOPIC].partitions.len(), 2);
    assert!(changes.topics_created.contains(&again));
}

#[test]
fn a_broker_comes_changes_and_goes() {
    let (image, changes) = apply(&image(), &[registration_change(1, 10).into()]);
    assert!(changes.brokers.contains(&BrokerId(1)));
    let mut image = image;
    let mut step = |record: MetadataRecord| {
        image = apply(&image, &[record]).0;
        image.broker(BrokerId(1)).cloned()
    };
    let unfence = BrokerRegistrationChangeRecord { fenced: -1, ..registration_change(1, 10) };
    assert!(step(unfence.into()).unwrap().is_active());
    let shut_down =
        BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..registration_change(1, 10) };
    let broker = step(shut_down.into()).unwrap();
    assert!(broker.is_alive() && !broker.is_active());
    let dirs = BrokerRegistrationChangeRecord { log_dirs: vec![Uuid::ONE], ..registration_change(1, 10) };
    assert_eq!(step(dirs.into()).unwrap().directories, [Uuid::ONE]);
    let cordoned = BrokerRegistrationChangeRecord {
        cordoned_log_dirs: Some(vec![Uuid::ONE]),
        ..registration_change(1, 10)
    };
    assert!(step(cordoned.into()).unwrap().is_cordoned());
    // The records of before 3.3 do the same as a change of the registration.
    assert!(step(FenceBrokerRecord { id: 1, epoch: 10, ..Default::default() }.into()).unwrap().fenced);
    assert!(!step(UnfenceBrokerRecord { id: 1, epoch: 10, ..Default::default() }.into()).unwrap().fenced);
    let broker = step(registration(1, 50)).unwrap();
    assert!(broker.fenced && !broker.in_controlled_shutdown && !broker.is_cordoned());
    let gone = UnregisterBrokerRecord { broker_id: 1, broker_epoch: 50, ..Default::default() };
    assert_eq!(step(gone.into()), None);
}

#[test]
fn directories_that_cannot_be_read_are_not_online() {
    let image = image();
    let broker = image.broker(BrokerId(1)).unwrap();
    for (dir, online) in [
        (DIRECTORY, true),
        (Uuid::UNASSIGNED_DIR, true),
        (MIGRATING_DIR, true),
        (Uuid::LOST_DIR, false),
        (Uuid(*b"not-a-known-dir!"), false),
    ] {
        assert_eq!(broker.has_online_dir(dir), online, "{dir}");
    }
}

#[test]
fn eligible_replicas_are_cleared_for_one_topic_or_for_all() {
    let eligible = PartitionChangeRecord {
        isr: Some(vec![]),
        leader: NO_LEADER,
        eligible_leader_replicas: Some(vec![1]),
        last_known_elr: Some(vec![1]),
        ..change(0)
    };
    let (before, _) = apply(&image(), &[eligible.into()]);
    for name in ["t", ""] {
        let clear = ClearElrRecord { topic_name: name.into(), ..Default::default() };
        let (after, changes) = apply(&before, &[clear.into()]);
        let partition = after.partition(TOPIC, 0).unwrap();
        assert!(partition.elr.is_empty() && partition.last_known_elr.is_empty());
        assert_eq!(partition.partition_epoch, before.partition(TOPIC, 0).unwrap().partition_epoch + 1);
        assert!(changes.partitions[&TOPIC].iter().eq([&0]));
    }
}

#[test]
fn what_is_removed_leaves_nothing_behind() {
    let config = |value: Option<&str>| ConfigRecord {
        resource_type: 2,
        resource_name: "t".into(),
        name: "k".into(),
        value: value.map(Into::into),
        ..Default::default()
    };
    let quota = |remove| ClientQuotaRecord {
        entity: vec![client_quota_record::EntityData { entity_type: "user".into(), ..Default::default() }],
        key: "k".into(),
        value: 1.0,
        remove,
        ..Default::default()
    };
    let feature =
        |feature_level| FeatureLevelRecord { name: "f".into(), feature_level, ..Default::default() };
    let token = DelegationTokenRecord { token_id: "id".into(), ..Default::default() };
    let entry = AccessControlEntryRecord { id: TOPIC, ..Default::default() };
    let scram = UserScramCredentialRecord { name: "u".into(), mechanism: 1, ..Default::default() };
    let before = image();
    let added: [MetadataRecord; 6] = [
        config(Some("v")).into(),
        quota(false).into(),
        feature(1).into(),
        token.into(),
        entry.into(),
        scram.into(),
    ];
    let (with, changes) = apply(&before, &added);
    assert_eq!(with.delegation_tokens().count(), 1);
    assert!(changes.features && changes.acls && changes.scram_credentials && changes.delegation_tokens);
    assert_eq!((changes.configs.len(), changes.client_quotas.len()), (1, 1));
    let removed: [MetadataRecord; 6] = [
        config(None).into(),
        quota(true).into(),
        feature(0).into(),
        RemoveDelegationTokenRecord { token_id: "id".into(), ..Default::default() }.into(),
        RemoveAccessControlEntryRecord { id: TOPIC, ..Default::default() }.into(),
        RemoveUserScramCredentialRecord { name: "u".into(), mechanism: 1, ..Default::default() }.into(),
    ];
    let (without, _) = apply(&with, &removed);
    assert_eq!(without.to_records(), before.to_records());
}

#[test]
fn records_that_do_not_fit_are_refused_by_name_and_offset() {
    let check = |record: MetadataRecord, expect: &str| {
        let error = image().apply(Offset(77), LeaderEpoch(0), 0, [&record]).unwrap_err();
        assert_eq!(error.offset, Offset(77));
        let expect = format!("{} at offset 77 of the metadata log {expect}", record.name());
        assert_eq!(error.to_string(), expect);
    };
    let other = Uuid(*b"another-topic-id");
    check(topic("t", other), &format!("creates t, which exists already with id {TOPIC}"));
    check(topic("u", TOPIC), &format!("creates u with id {TOPIC}, which another topic has"));
    let unknown = format!("is for the topic with id {other}, which does not exist");
    check(RemoveTopicRecord { topic_id: other, ..Default::default() }.into(), &unknown);
    check(PartitionRecord { topic_id: other, ..partition(0) }.into(), &unknown);
    check(PartitionChangeRecord { topic_id: other, ..change(0) }.into(), &unknown);
    check(change(9).into(), "is for partition 9 of t, which does not exist");
    check(
        PartitionRecord { directories: vec![DIRECTORY], ..partition(2) }.into(),
        "has 1 directories for 2 replicas",
    );
    check(
        PartitionChangeRecord { replicas: Some(vec![1]), ..change(0) }.into(),
        "has 2 directories for 1 replicas",
    );
    check(
        PartitionChangeRecord { leader_recovery_state: 5, ..change(0) }.into(),
        "has the unknown leader recovery state 5",
    );
    check(registration_change(9, 10).into(), "is for broker 9, which is not registered");
    check(registration_change(1, 11).into(), "is for broker 1 of epoch 11, whose epoch is 10");
    check(
        BrokerRegistrationChangeRecord { fenced: 2, ..registration_change(1, 10) }.into(),
        "has the unknown fencing change 2",
    );
    check(
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: 31, ..Default::default() }
            .into(),
        "sets metadata.version to level 31, which this build does not know",
    );
    check(
        ConfigRecord { resource_type: 99, ..Default::default() }.into(),
        "has the unknown resource type 99",
    );
    check(
        ClearElrRecord { topic_name: "u".into(), ..Default::default() }.into(),
        "is for topic u, which does not exist",
    );
    check(
        RemoveAccessControlEntryRecord { id: other, ..Default::default() }.into(),
        &format!("removes the entry {other}, which does not exist"),
    );
    check(EndTransactionRecord::default().into(), "marks a transaction, which is the loader's business");
}

#[test]
fn producer_ids_never_go_back() {
    let block = |next_producer_id| -> MetadataRecord {
        ProducerIdsRecord { next_producer_id, ..Default::default() }.into()
    };
    let (image, changes) = apply(&Image::default(), &[block(2000)]);
    assert!(changes.producer_ids);
    assert_eq!(image.next_producer_id(), ProducerId(2000));
    assert!(image.apply(Offset(0), LeaderEpoch(0), 0, [&block(1000)]).is_err());
}

fn batch(base_offset: i64, records: &[MetadataRecord]) -> Batch {
    Batch {
        base_offset: Offset(base_offset),
        epoch: LeaderEpoch(1),
        timestamp: 1000 + base_offset,
        records: records.to_vec(),
    }
}

fn begin() -> MetadataRecord {
    BeginTransactionRecord::default().into()
}

fn end() -> MetadataRecord {
    EndTransactionRecord::default().into()
}

fn abort() -> MetadataRecord {
    AbortTransactionRecord::default().into()
}

#[test]
fn a_transaction_is_seen_whole_or_not_at_all() {
    for (last, count) in [(end(), 2), (abort(), 1)] {
        let mut loader = Loader::new(Arc::new(Image::default()));
        loader.load(&batch(0, &[topic("before", Uuid::ONE), begin()])).unwrap();
        loader.load(&batch(2, &[topic("t", TOPIC)])).unwrap();
        assert!(loader.is_in_transaction());
        // What came before it can be seen, and the image ends there.
        let (image, _) = loader.publish().unwrap();
        assert_eq!((image.topic_count(), image.provenance().end_offset), (1, Offset(1)));
        assert_eq!(loader.publish(), None);
        loader.load(&batch(3, &[partition(0).into(), last])).unwrap();
        assert!(!loader.is_in_transaction());
        let (image, changes) = loader.publish().unwrap();
        assert_eq!((image.topic_count(), image.provenance().end_offset), (count, Offset(5)));
        assert_eq!(changes.topics_created.len(), count - 1);
        assert_eq!(image.provenance().last_contained_log_timestamp, 1003);
    }
}

#[test]
fn batches_out_of_order_and_marks_out_of_place_are_refused() {
    let check = |batches: &[Batch], expect: &str| {
        let mut loader = Loader::new(Arc::new(Image::default()));
        let error = batches.iter().try_for_each(|batch| loader.load(batch)).unwrap_err();
        assert!(error.to_string().ends_with(expect), "{error}");
    };
    check(&[batch(1, &[topic("t", TOPIC)])], "was read where offset 0 is due");
    check(&[batch(0, &[begin(), end()]), batch(1, &[begin()])], "was read where offset 2 is due");
    check(&[batch(0, &[begin(), begin()])], "begins a transaction inside another one");
    check(&[batch(0, &[end()])], "ends a transaction that was never begun");
    check(&[batch(0, &[begin(), end(), abort()])], "ends a transaction that was never begun");
}

#[test]
fn control_batches_are_passed_over_and_still_move_the_image_on() {
    let mut loader = Loader::new(Arc::new(Image::default()));
    assert_eq!(loader.publish(), None);
    loader.skip_to(Offset(3), LeaderEpoch(1), 500);
    let (image, changes) = loader.publish().unwrap();
    assert!(changes.is_empty());
    assert_eq!((image.provenance().end_offset, image.provenance().epoch), (Offset(3), LeaderEpoch(1)));
}

#[test]
fn topics_are_listed_by_name_from_any_name_on() {
    let records: Vec<MetadataRecord> = (0..10u8).map(|i| topic(&format!("t{i}"), Uuid([i; 16]))).collect();
    let (image, _) = apply(&Image::default(), &records);
    assert!(image.topics_from("t7").map(|topic| &*topic.name).eq(["t7", "t8", "t9"]));
    assert!(image.topics_from("t65").map(|topic| &*topic.name).eq(["t7", "t8", "t9"]));
    assert_eq!(image.topics_from("").count(), 10);
    assert_eq!(image.topics_from("u").count(), 0);
}
