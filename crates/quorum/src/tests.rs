//! The life of a quorum of one.

use crate::*;
use bytes::Bytes;
use ottla_protocol::messages::{DescribeQuorumRequest, describe_quorum_request};
use ottla_protocol::records::{RecordBatch, batches};
use ottla_protocol::{BrokerId, LeaderEpoch, Offset, Uuid};

const NOW: i64 = 1_000_000;

fn local() -> ReplicaKey {
    ReplicaKey { id: BrokerId(1), directory_id: Uuid(*b"directory-of-one") }
}

fn node() -> VoterNode {
    VoterNode::local(vec![("CONTROLLER".into(), "localhost".into(), 9093)])
}

fn settings() -> Settings {
    Settings {
        local: local(),
        endpoints: node(),
        static_voters: VoterSet::default(),
        snapshots: SnapshotSettings {
            max_record_bytes_between_snapshots: 1000,
            max_snapshot_interval_ms: 3_600_000,
            max_retention_bytes: 10_000,
            max_retention_ms: 1_000_000,
        },
    }
}

/// What a freshly formatted directory has.
fn formatted() -> Found {
    let mut voters = Voters::default();
    for record in bootstrap_checkpoint(NOW, &VoterSet::sole(local(), node())).iter().flatten() {
        voters.on_control_record(None, record);
    }
    Found {
        election: ElectionState::NONE,
        log_start_offset: Offset(0),
        log_end_offset: Offset(0),
        log_end_epoch: LeaderEpoch(0),
        log_bytes: 0,
        voters,
        snapshots: vec![snapshot(0, 0)],
    }
}

fn snapshot(end_offset: i64, epoch: i32) -> SnapshotFile {
    let id = SnapshotId { end_offset: Offset(end_offset), epoch: LeaderEpoch(epoch) };
    SnapshotFile { id, bytes: 100, last_contained_log_timestamp: NOW + end_offset }
}

fn step(quorum: &mut Quorum, now: i64, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    quorum.step(now, input, &mut effects);
    quorum.check();
    effects
}

/// Starts it, and makes what it appends durable. Returns the control records it appended.
fn lead(quorum: &mut Quorum) -> Vec<ControlRecord> {
    let effects = step(quorum, NOW, Input::Start);
    let Some(Effect::AppendControl { base_offset, records, .. }) = effects.last() else {
        panic!("{effects:?}");
    };
    let end_offset = Offset(base_offset.0 + records.len() as i64);
    assert_eq!(step(quorum, NOW, Input::Appended { end_offset, bytes: 174 }), []);
    let epoch = quorum.epoch();
    let expect = [Effect::HighWatermark(end_offset), Effect::BecameLeader { epoch }];
    assert_eq!(step(quorum, NOW, Input::Flushed { end_offset }), expect);
    records.clone()
}

#[test]
fn the_first_start_of_a_formatted_directory_writes_what_kafka_writes() {
    let mut quorum = Quorum::open(NOW, settings(), formatted()).unwrap();
    let effects = step(&mut quorum, NOW, Input::Start);
    let [
        Effect::WriteElectionState { state: voted, kraft_version: 1 },
        Effect::WriteElectionState { state: leads, kraft_version: 1 },
        Effect::AppendControl { base_offset: Offset(0), epoch: LeaderEpoch(1), timestamp: NOW, records },
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!((voted.epoch, voted.voted, voted.leader_id), (LeaderEpoch(1), Some(local()), None));
    assert_eq!((leads.epoch, leads.voted, leads.leader_id), (LeaderEpoch(1), None, Some(BrokerId(1))));
    // Sizes of the values in a log that Kafka 4.3.1 wrote for such a node.
    let sizes: Vec<usize> = records.iter().map(|record| record.value().len()).collect();
    assert_eq!(sizes, [19, 5, 55]);
    for record in records {
        assert_eq!(ControlRecord::decode(&record.key(), &record.value()).as_ref(), Ok(record));
    }
}

/// What Kafka 4.3.1 wrote for a node like this one that was started twice.
const KAFKA_LOG: &[u8] = include_bytes!("../../metadata/src/fixtures/kafka-4.3.1.log");

#[test]
fn the_control_records_of_kafkas_log_read_back_as_they_were() {
    let mut voters = Voters::default();
    let mut epochs = Vec::new();
    for batch in batches(KAFKA_LOG).map(Result::unwrap).filter(RecordBatch::is_control) {
        epochs.push(batch.header().leader_epoch);
        let records = batch.records(1 << 20).unwrap();
        for (offset, record) in (batch.base_offset().0..).map(Offset).zip(records.iter()) {
            let record = record.unwrap();
            let (key, value) = (record.key.unwrap(), Bytes::copy_from_slice(record.value.unwrap()));
            let record = ControlRecord::decode(key, &value).unwrap();
            assert_eq!((&*record.key(), record.value()), (key, value));
            voters.on_control_record(Some(offset), &record);
        }
    }
    assert_eq!(epochs, [LeaderEpoch(1), LeaderEpoch(2)]);
    assert_eq!((voters.kraft_version, voters.offset), (1, Some(Offset(2))));
    let set = voters.set.unwrap();
    assert!(set.ids().eq([BrokerId(1)]));
    assert_eq!(VoterSet::from_record(&set.to_record()), set);
}

#[test]
fn each_start_begins_a_new_epoch_and_says_so_before_anything_is_committed() {
    let mut quorum = Quorum::open(NOW, settings(), formatted()).unwrap();
    assert_eq!(lead(&mut quorum).len(), 3);
    assert_eq!(step(&mut quorum, NOW, Input::Shutdown), [Effect::Resigned { epoch: LeaderEpoch(1) }]);

    let found = Found {
        election: quorum.election.clone(),
        log_end_offset: Offset(3),
        log_end_epoch: LeaderEpoch(1),
        voters: quorum.voters().clone(),
        ..formatted()
    };
    let mut again = Quorum::open(NOW, settings(), found).unwrap();
    assert_eq!(again.high_watermark(), None);
    // The log has the voters by now, so that only the change of leader is recorded.
    assert_eq!(lead(&mut again).len(), 1);
    assert_eq!((again.epoch(), again.high_watermark()), (LeaderEpoch(2), Some(Offset(4))));
}

#[test]
fn a_node_that_has_moved_records_where_it_is_reached_now() {
    let mut voters = Voters { kraft_version: 1, ..Default::default() };
    let old = VoterNode::local(vec![("CONTROLLER".into(), "elsewhere".into(), 1)]);
    voters.set = Some(VoterSet::sole(local(), old));
    voters.offset = Some(Offset(2));
    let mut quorum = Quorum::open(NOW, settings(), Found { voters, ..formatted() }).unwrap();
    assert_eq!(lead(&mut quorum).len(), 3);
    assert_eq!(quorum.voter_set(), &VoterSet::sole(local(), node()));
}

#[test]
fn voters_of_the_configuration_count_while_kraft_version_is_zero() {
    let key = ReplicaKey { directory_id: Uuid::ZERO, ..local() };
    let settings = Settings { static_voters: VoterSet::sole(key, node()), ..settings() };
    let found = Found { voters: Voters::default(), snapshots: Vec::new(), ..formatted() };
    let mut quorum = Quorum::open(NOW, settings, found).unwrap();
    assert_eq!(lead(&mut quorum).len(), 1);
}

#[test]
fn a_lost_quorum_state_file_does_not_bring_an_old_epoch_back() {
    let found = Found { log_end_offset: Offset(9), log_end_epoch: LeaderEpoch(7), ..formatted() };
    let mut quorum = Quorum::open(NOW, settings(), found).unwrap();
    lead(&mut quorum);
    assert_eq!(quorum.epoch(), LeaderEpoch(8));
}

#[test]
fn what_this_node_cannot_decide_alone_is_refused() {
    let check = |change: &dyn Fn(&mut Settings, &mut Found), expect: &str| {
        let (mut settings, mut found) = (settings(), formatted());
        change(&mut settings, &mut found);
        let error = Quorum::open(NOW, settings, found).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    let other = ReplicaKey { id: BrokerId(2), directory_id: Uuid(*b"directory-of-two") };
    check(
        &|_, found| drop(found.voters.set.as_mut().unwrap().0.insert(other, node())),
        "a quorum of this node alone",
    );
    // The same node with another disk is another voter.
    check(&|settings, _| settings.local.directory_id = other.directory_id, "a quorum of this node alone");
    check(&|_, found| found.voters.kraft_version = 2, "this build knows 0 and 1");
    check(&|_, found| found.voters.set = None, "neither the log nor a checkpoint");
    check(&|_, found| found.log_start_offset = Offset(5), "records between them are lost");
}

#[test]
fn the_high_watermark_is_what_is_durable_and_never_goes_back() {
    let mut quorum = Quorum::open(NOW, settings(), formatted()).unwrap();
    lead(&mut quorum);
    assert_eq!(step(&mut quorum, NOW, Input::Appended { end_offset: Offset(5), bytes: 10 }), []);
    assert_eq!(step(&mut quorum, NOW, Input::Appended { end_offset: Offset(7), bytes: 10 }), []);
    let flushed = |offset| Input::Flushed { end_offset: Offset(offset) };
    assert_eq!(step(&mut quorum, NOW, flushed(5)), [Effect::HighWatermark(Offset(5))]);
    assert_eq!(step(&mut quorum, NOW, flushed(7)), [Effect::HighWatermark(Offset(7))]);
    assert_eq!(step(&mut quorum, NOW, flushed(5)), []);
}

#[test]
fn a_failed_disk_ends_leadership_for_good() {
    let mut quorum = Quorum::open(NOW, settings(), formatted()).unwrap();
    lead(&mut quorum);
    assert_eq!(step(&mut quorum, NOW, Input::LogFailed), [Effect::Resigned { epoch: LeaderEpoch(1) }]);
    assert_eq!(step(&mut quorum, NOW, Input::Appended { end_offset: Offset(5), bytes: 10 }), []);
    assert_eq!(step(&mut quorum, NOW, Input::Flushed { end_offset: Offset(5) }), []);
    assert_eq!(step(&mut quorum, NOW, Input::Shutdown), []);
    assert_eq!(quorum.high_watermark(), Some(Offset(3)));
}

fn applied(end_offset: i64, bytes: u64) -> Input {
    Input::Applied { end: snapshot(end_offset, 1).id, bytes }
}

#[test]
fn a_snapshot_is_due_after_bytes_or_time_but_never_without_news() {
    let mut quorum = Quorum::open(NOW, settings(), formatted()).unwrap();
    lead(&mut quorum);
    let write = |end_offset| [Effect::WriteSnapshot(snapshot(end_offset, 1).id)];
    assert_eq!(step(&mut quorum, NOW, applied(10, 999)), []);
    assert_eq!(step(&mut quorum, NOW, applied(11, 1)), write(11));
    // One at a time.
    assert_eq!(step(&mut quorum, NOW, applied(20, 5000)), []);
    assert_eq!(step(&mut quorum, NOW, Input::SnapshotWritten(snapshot(11, 1))), []);
    assert_eq!(step(&mut quorum, NOW, applied(21, 1)), write(21));
    // A failed one is no reason to stop; the next is written when it is due.
    assert_eq!(step(&mut quorum, NOW, Input::SnapshotFailed(snapshot(21, 1).id)), []);
    let later = NOW + 3_600_000;
    assert_eq!(step(&mut quorum, later, applied(21, 0)), []);
    assert_eq!(step(&mut quorum, later, applied(22, 1)), write(22));
}

#[test]
fn old_snapshots_go_by_age_and_size_and_the_log_begins_where_the_oldest_left_one_ends() {
    let mut quorum = Quorum::open(NOW, settings(), formatted()).unwrap();
    lead(&mut quorum);
    assert_eq!(quorum.deadline(), None);
    let mut write = |end_offset, bytes, now| {
        let mut effects = step(&mut quorum, now, Input::Appended { end_offset: Offset(end_offset), bytes });
        effects.extend(step(&mut quorum, now, applied(end_offset, 1000)));
        assert_eq!(effects, [Effect::WriteSnapshot(snapshot(end_offset, 1).id)]);
        step(&mut quorum, now, Input::SnapshotWritten(snapshot(end_offset, 1)))
    };
    let clean =
        |start, ids: &[SnapshotId]| Effect::Clean { log_start_offset: Offset(start), delete: ids.to_vec() };
    assert_eq!(write(100, 100, NOW), []);
    // 174 + 100 + 9500 bytes of log and 300 of snapshots are over 10,000 until one of these is gone.
    assert_eq!(write(200, 9500, NOW), [clean(100, &[SnapshotId::BOOTSTRAP])]);
    step(&mut quorum, NOW, Input::Cleaned { log_start_offset: Offset(100), log_bytes: 500 });
    assert_eq!(quorum.deadline(), Some(NOW + 100 + 1_000_000 + 1));
    let due = quorum.deadline().unwrap();
    assert_eq!(step(&mut quorum, due - 1, Input::Timeout), []);
    assert_eq!(step(&mut quorum, due, Input::Timeout), [clean(200, &[snapshot(100, 1).id])]);
    // The last one stays, however old.
    step(&mut quorum, due, Input::Cleaned { log_start_offset: Offset(200), log_bytes: 0 });
    assert_eq!(quorum.deadline(), None);
    assert_eq!(step(&mut quorum, due * 2, Input::Timeout), []);
}

#[test]
fn the_quorum_describes_itself() {
    let mut quorum = Quorum::open(NOW, settings(), formatted()).unwrap();
    let request = |topic: &str| DescribeQuorumRequest {
        topics: vec![describe_quorum_request::TopicData {
            topic_name: topic.into(),
            partitions: vec![Default::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let error =
        |quorum: &Quorum, topic| quorum.describe(NOW, &request(topic), 2).topics[0].partitions[0].error_code;
    assert_eq!(error(&quorum, "__cluster_metadata"), 6);
    lead(&mut quorum);
    assert_eq!(error(&quorum, "t"), 3);
    let answer = quorum.describe(NOW, &request("__cluster_metadata"), 2);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((partition.leader_id, partition.leader_epoch, partition.high_watermark), (1, 1, 3));
    assert_eq!(partition.current_voters[0].log_end_offset, 3);
    assert_eq!(partition.current_voters[0].last_caught_up_timestamp, NOW);
    assert_eq!(answer.nodes[0].listeners[0].port, 9093);
}
