//! What Kafka 4.3.1 answered to the same batches, and what it wrote.

use ottla_protocol::records::control::EndTransactionMarker;
use ottla_protocol::records::{batches, producer_snapshot};
use ottla_protocol::{ErrorCode, Offset, ProducerEpoch, ProducerId};

use super::{BatchFacts, CompletedTransaction, Decision, Origin, ProducerState};

const NOW: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 86_400_000;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Appended(i64),
    Duplicate(i64),
    Refused(ErrorCode),
}
use Answer::{Appended, Duplicate, Refused};
use ErrorCode::{InvalidProducerEpoch as OldEpoch, OutOfOrderSequenceNumber as OutOfOrder};

fn data(id: i64, epoch: i16, sequence: i32, count: i32) -> BatchFacts {
    BatchFacts {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: sequence,
        last_offset_delta: count - 1,
        is_transactional: false,
        is_control: false,
        marker: None,
    }
}

fn in_transaction(batch: BatchFacts) -> BatchFacts {
    BatchFacts { is_transactional: true, ..batch }
}

fn marker(id: i64, epoch: i16, commit: bool, coordinator_epoch: i32) -> BatchFacts {
    BatchFacts {
        is_control: true,
        marker: Some(EndTransactionMarker { commit, coordinator_epoch }),
        ..in_transaction(data(id, epoch, -1, 1))
    }
}

/// As the host does it: check, append at the end of the log, tell.
fn produce(state: &mut ProducerState, batch: &BatchFacts, origin: Origin) -> Answer {
    match state.check(batch, origin) {
        Decision::Append => {
            let base_offset = state.end_offset();
            state.appended(batch, base_offset, NOW);
            state.check_invariants();
            Appended(base_offset.0)
        }
        Decision::Duplicate(duplicate) => {
            assert_eq!(duplicate.last_offset.0 - duplicate.base_offset.0, i64::from(batch.last_offset_delta));
            assert_eq!(duplicate.timestamp, NOW);
            Duplicate(duplicate.base_offset.0)
        }
        Decision::Reject(refusal) => Refused(refusal.error),
    }
}

/// (producer, epoch, first sequence, records)
type Sent = (i64, i16, i32, i32);

/// Produces batches one after the other.
fn check(batches: &[(Sent, Answer)]) {
    let mut state = ProducerState::new(Offset(0));
    for (step, &((id, epoch, sequence, count), expected)) in batches.iter().enumerate() {
        let answer = produce(&mut state, &data(id, epoch, sequence, count), Origin::Client);
        assert_eq!(answer, expected, "step {step}: {:?}", (id, epoch, sequence, count));
    }
}

#[test]
fn duplicate_of_one_of_the_last_five_batches_returns_its_first_offset() {
    check(&[
        ((10, 0, 0, 2), Appended(0)),
        ((10, 0, 0, 2), Duplicate(0)),
        ((10, 0, 0, 1), Refused(OutOfOrder)),
        ((10, 0, 2, 1), Appended(2)),
        ((10, 0, 3, 1), Appended(3)),
        ((10, 0, 4, 1), Appended(4)),
        ((10, 0, 5, 1), Appended(5)),
        ((10, 0, 0, 2), Duplicate(0)),
        ((10, 0, 6, 1), Appended(6)),
        ((10, 0, 0, 2), Refused(OutOfOrder)),
        ((10, 0, 2, 1), Duplicate(2)),
        ((10, 0, 8, 1), Refused(OutOfOrder)),
        ((10, 0, 5, 1), Duplicate(5)),
    ]);
}

#[test]
fn new_epoch_starts_at_sequence_zero_and_fences_the_old() {
    check(&[
        ((10, 0, 0, 2), Appended(0)),
        ((10, 1, 3, 1), Refused(OutOfOrder)),
        ((10, 1, 0, 1), Appended(2)),
        ((10, 0, 2, 1), Refused(OldEpoch)),
        ((10, 1, 1, 1), Appended(3)),
        ((10, 0, 0, 2), Refused(OldEpoch)),
        ((10, 3, 0, 3), Appended(4)),
    ]);
}

#[test]
fn unknown_producer_starts_at_any_sequence() {
    check(&[
        ((11, 0, 77, 2), Appended(0)),
        ((11, 0, 79, 1), Appended(2)),
        ((11, 0, 77, 2), Duplicate(0)),
        ((12, 5, 9, 1), Appended(3)),
        ((12, 4, 0, 1), Refused(OldEpoch)),
        ((12, 5, 10, 1), Appended(4)),
    ]);
}

#[test]
fn sequence_goes_on_at_zero_after_the_largest() {
    check(&[
        ((13, 0, i32::MAX - 2, 2), Appended(0)),
        ((13, 0, i32::MAX, 1), Appended(2)),
        ((13, 0, 0, 1), Appended(3)),
        ((13, 0, 1, 1), Appended(4)),
        ((13, 0, i32::MAX, 1), Duplicate(2)),
        // A batch across the end.
        ((14, 0, i32::MAX - 1, 4), Appended(5)),
        ((14, 0, 2, 1), Appended(9)),
        ((14, 0, i32::MAX - 1, 4), Duplicate(5)),
        ((14, 0, 4, 1), Refused(OutOfOrder)),
    ]);
}

#[test]
fn producer_without_an_epoch_is_never_out_of_order() {
    check(&[((15, -1, 0, 1), Appended(0)), ((15, -1, 9, 1), Appended(1)), ((15, 0, 7, 1), Appended(2))]);
}

#[test]
fn producer_stays_known_when_its_records_are_deleted() {
    let mut state = ProducerState::new(Offset(0));
    assert_eq!(produce(&mut state, &data(10, 0, 0, 2), Origin::Client), Appended(0));
    state.advance_start(Offset(2));
    for (sequence, count, expected) in
        [(0, 2, Duplicate(0)), (5, 1, Refused(OutOfOrder)), (2, 1, Appended(2))]
    {
        assert_eq!(produce(&mut state, &data(10, 0, sequence, count), Origin::Client), expected);
    }
}

#[test]
fn transactions_as_kafka_answered_them() {
    let mut state = ProducerState::new(Offset(0));
    let coordinator = |transaction_version| Origin::Coordinator { transaction_version };
    let lso = |state: &ProducerState| state.last_stable_offset(Offset(0), state.end_offset()).0;
    // The host has had the transaction coordinator verify each transaction's first batch.
    let begin = |state: &mut ProducerState, batch: BatchFacts| {
        let base_offset = state.end_offset();
        state.appended(&in_transaction(batch), base_offset, NOW);
        base_offset.0
    };

    assert_eq!(produce(&mut state, &data(900, 0, 0, 2), Origin::Client), Appended(0));
    assert_eq!(begin(&mut state, data(0, 0, 0, 2)), 2);
    assert_eq!(lso(&state), 2);
    let outside = produce(&mut state, &data(0, 0, 2, 1), Origin::Client);
    assert_eq!(outside, Refused(ErrorCode::InvalidTxnState));
    assert_eq!(begin(&mut state, data(1, 0, 0, 1)), 4);
    assert_eq!(produce(&mut state, &data(900, 0, 2, 1), Origin::Client), Appended(5));
    assert_eq!(produce(&mut state, &marker(0, 0, false, 0), coordinator(0)), Appended(6));
    state.on_high_watermark(Offset(7));
    assert_eq!(lso(&state), 4);
    assert_eq!(produce(&mut state, &marker(1, 0, true, 0), coordinator(0)), Appended(7));
    assert_eq!(lso(&state), 4, "the marker is not below the high watermark yet");
    state.on_high_watermark(Offset(8));
    assert_eq!(lso(&state), 8);

    let not_added = produce(&mut state, &in_transaction(data(0, 0, 2, 1)), Origin::Client);
    assert_eq!(not_added, Refused(ErrorCode::InvalidTxnState));
    // An aborted transaction's sequences count.
    assert_eq!(begin(&mut state, data(0, 0, 2, 3)), 8);
    let gap = produce(&mut state, &in_transaction(data(0, 0, 9, 1)), Origin::Client);
    assert_eq!(gap, Refused(OutOfOrder));
    assert_eq!(produce(&mut state, &in_transaction(data(0, 0, 2, 3)), Origin::Client), Duplicate(8));
    // With transaction version 2 the marker has the next epoch, and sequences begin anew.
    assert_eq!(produce(&mut state, &marker(0, 0, true, 0), coordinator(2)), Refused(OldEpoch));
    assert_eq!(produce(&mut state, &marker(0, 1, true, 0), coordinator(2)), Appended(11));
    assert_eq!(produce(&mut state, &marker(0, 1, true, 0), coordinator(2)), Appended(12), "sent again");
    assert_eq!(produce(&mut state, &in_transaction(data(0, 0, 5, 1)), Origin::Client), Refused(OldEpoch));
    let late = produce(&mut state, &marker(0, 2, true, -1), coordinator(2));
    assert_eq!(late, Refused(ErrorCode::TransactionCoordinatorFenced));
}

#[test]
fn coordinators_write_without_sequences() {
    let mut state = ProducerState::new(Offset(0));
    let origin = Origin::Coordinator { transaction_version: 2 };
    let commit = in_transaction(data(5, 3, -1, 1));
    assert_eq!(produce(&mut state, &commit, origin), Appended(0));
    assert_eq!(produce(&mut state, &commit, origin), Appended(1));
    let fenced = produce(&mut state, &in_transaction(data(5, 2, -1, 1)), origin);
    assert_eq!(fenced, Refused(OldEpoch));
}

#[test]
fn idle_producers_expire_unless_a_transaction_is_open() {
    let mut state = ProducerState::new(Offset(0));
    state.appended(&data(1, 0, 0, 1), Offset(0), NOW);
    state.appended(&in_transaction(data(2, 0, 0, 1)), Offset(1), NOW);
    assert_eq!(state.remove_expired(NOW + DAY_MS - 1, DAY_MS), 0);
    assert_eq!(state.remove_expired(NOW + DAY_MS, DAY_MS), 1);
    assert_eq!(state.active_producers().map(|producer| producer.producer_id.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn truncation_asks_for_a_reload_unless_nothing_was_cut() {
    let mut state = ProducerState::new(Offset(0));
    state.appended(&data(1, 0, 0, 3), Offset(0), NOW);
    assert!(!state.truncated(Offset(0), Offset(3)));
    assert_eq!(state.producer_count(), 1);
    assert!(state.truncated(Offset(0), Offset(2)));
    assert_eq!((state.producer_count(), state.end_offset()), (0, Offset(0)));
}

#[test]
fn control_batch_that_compaction_emptied_changes_nothing() {
    let mut state = ProducerState::new(Offset(0));
    state.appended(&in_transaction(data(1, 0, 0, 1)), Offset(0), NOW);
    let emptied = BatchFacts { marker: None, ..marker(1, 0, true, 0) };
    assert_eq!(state.appended(&emptied, Offset(1), NOW), None);
    assert_eq!(state.last_stable_offset(Offset(0), Offset(2)), Offset(0));
    state.check_invariants();
}

mod files_of_kafka {
    use super::*;

    const LOGS: [&[u8]; 2] = [
        include_bytes!("../../testdata/transactions/00000000000000000000.log"),
        include_bytes!("../../testdata/transactions/00000000000000000006.log"),
    ];
    const SNAPSHOTS: [(i64, &[u8]); 2] = [
        (6, include_bytes!("../../testdata/transactions/00000000000000000006.snapshot")),
        (14, include_bytes!("../../testdata/transactions/00000000000000000014.snapshot")),
    ];

    /// Takes in the batches from `from` up to `to`, as a host that opens the directory.
    fn replay(state: &mut ProducerState, from: i64, to: i64) -> Vec<CompletedTransaction> {
        let mut completed = Vec::new();
        for batch in LOGS.iter().flat_map(|log| batches(log)) {
            let batch = batch.expect("Kafka's batches are whole");
            if batch.base_offset().0 < from || batch.base_offset().0 >= to {
                continue;
            }
            let marker = batch.is_control().then(|| {
                let records = batch.records(1 << 20).expect("a marker can be read");
                let record = records.iter().next().expect("a marker is a record").expect("which is whole");
                EndTransactionMarker::read(record.key, record.value)
                    .expect("and a marker")
                    .expect("of a transaction")
            });
            let facts = BatchFacts::of_header(batch.header(), marker);
            completed.extend(state.appended(&facts, batch.base_offset(), batch.header().max_timestamp));
            state.check_invariants();
        }
        completed
    }

    #[test]
    fn replay_gives_kafkas_snapshots() {
        let mut state = ProducerState::new(Offset(0));
        let mut from = 0;
        for (offset, bytes) in SNAPSHOTS {
            replay(&mut state, from, offset);
            assert_eq!(state.end_offset(), Offset(offset));
            assert_eq!(producer_snapshot::encode(&state.snapshot()), bytes, "snapshot at {offset}");
            from = offset;
        }
    }

    #[test]
    fn aborted_transaction_is_what_kafkas_index_has() {
        let index = include_bytes!("../../testdata/transactions/00000000000000000006.txnindex");
        let completed = replay(&mut ProducerState::new(Offset(0)), 0, 14);
        let aborted: Vec<_> = completed.iter().filter(|transaction| transaction.is_aborted).collect();
        assert_eq!((completed.len(), aborted.len()), (3, 1));
        let mut entry = 0u16.to_be_bytes().to_vec();
        entry.extend(aborted[0].producer_id.0.to_be_bytes());
        for offset in [aborted[0].first_offset, aborted[0].last_offset, aborted[0].last_stable_offset] {
            entry.extend(offset.0.to_be_bytes());
        }
        assert_eq!(entry, index);
    }

    #[test]
    fn last_stable_offset_is_right_after_every_way_of_opening() {
        for (snapshot, from) in [(None, 0), (Some(SNAPSHOTS[0]), 6), (Some(SNAPSHOTS[1]), 14)] {
            let mut state = ProducerState::new(Offset(0));
            if let Some((offset, bytes)) = snapshot {
                let entries = producer_snapshot::decode(bytes).expect("Kafka's snapshot");
                state.load(Offset(offset), &entries, NOW, DAY_MS);
            }
            replay(&mut state, from, 14);
            state.on_high_watermark(Offset(14));
            state.check_invariants();
            assert_eq!(state.last_stable_offset(Offset(0), Offset(14)), Offset(12), "from {from}");
            assert_eq!(state.producer_count(), 4, "from {from}");
        }
    }
}
