//! Producer state against a model that remembers every batch and thinks in sequence numbers without an end.

use std::collections::BTreeMap;

use ottla_protocol::records::control::EndTransactionMarker;
use ottla_protocol::{ErrorCode, Offset, ProducerEpoch, ProducerId};
use proptest::prelude::*;

use super::{BatchFacts, Decision, Origin, ProducerState};

const SEQUENCES: i64 = 1 << 31;
const NOW: i64 = 1_000;

/// The whole log: (batch, base offset), never forgotten.
#[derive(Clone, Debug, Default)]
struct Model {
    log: Vec<(BatchFacts, i64)>,
    high_watermark: i64,
}

/// What the model knows about a producer, found by reading its batches from the first to the last.
#[derive(Clone, Debug, Default)]
struct Known {
    epoch: Option<i16>,
    /// (first sequence, last sequence, base offset) at that epoch.
    batches: Vec<(i64, i64, i64)>,
    open: Option<i64>,
}

impl Model {
    fn end(&self) -> i64 {
        self.log.last().map_or(0, |(batch, base)| base + i64::from(batch.last_offset_delta) + 1)
    }

    fn known(&self, id: ProducerId) -> Known {
        let mut known = Known::default();
        for (batch, base) in self.log.iter().filter(|(batch, _)| batch.producer_id == id) {
            if known.epoch != Some(batch.producer_epoch.0) {
                known.epoch = Some(batch.producer_epoch.0);
                known.batches.clear();
            }
            if batch.is_control {
                known.open = None;
            } else {
                let first = i64::from(batch.base_sequence);
                let last = (first + i64::from(batch.last_offset_delta)) % SEQUENCES;
                known.batches.push((first, last, *base));
                if batch.is_transactional && known.open.is_none() {
                    known.open = Some(*base);
                }
            }
        }
        known
    }

    fn decide(&self, batch: &BatchFacts) -> Result<Option<i64>, ErrorCode> {
        let known = self.known(batch.producer_id);
        let first = i64::from(batch.base_sequence);
        let last = (first + i64::from(batch.last_offset_delta)) % SEQUENCES;
        let same_epoch = known.epoch == Some(batch.producer_epoch.0);
        if same_epoch {
            let remembered = known.batches.iter().rev().take(5).rev();
            if let Some(found) = remembered.clone().find(|found| (found.0, found.1) == (first, last)) {
                return Ok(Some(found.2));
            }
        }
        if known.epoch.is_some_and(|epoch| batch.producer_epoch.0 < epoch) {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if batch.is_transactional && (known.open.is_none() || !same_epoch) {
            return Err(ErrorCode::InvalidTxnState);
        }
        let follows = match (&known.epoch, known.batches.last()) {
            (None, _) => true,
            (Some(_), Some(before)) if same_epoch => first == (before.1 + 1) % SEQUENCES,
            _ => first == 0,
        };
        if !follows {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        if !batch.is_transactional && known.open.is_some() {
            return Err(ErrorCode::InvalidTxnState);
        }
        Ok(None)
    }

    fn last_stable_offset(&self) -> i64 {
        let mut open = BTreeMap::new();
        let mut lso = self.high_watermark;
        for (batch, base) in &self.log {
            if batch.is_control {
                if let Some(first) = open.remove(&batch.producer_id)
                    && *base >= self.high_watermark
                {
                    lso = lso.min(first);
                }
            } else if batch.is_transactional {
                open.entry(batch.producer_id).or_insert(*base);
            }
        }
        open.values().copied().fold(lso, i64::min)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Produce {
        id: i64,
        epoch: i16,
        sequence: Sequence,
        count: i32,
        transactional: bool,
    },
    /// A batch of a transaction that the coordinator has verified.
    Begin {
        id: i64,
        count: i32,
    },
    End {
        id: i64,
        commit: bool,
        bump: bool,
    },
    HighWatermark(u8),
    Restart {
        snapshot_at: u8,
    },
}

#[derive(Clone, Debug)]
enum Sequence {
    Next,
    /// The batch before the last, as many back.
    Again(usize),
    Any(i32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sequence = prop_oneof![
        4 => Just(Sequence::Next),
        2 => (0..7usize).prop_map(Sequence::Again),
        1 => prop_oneof![0..4, i32::MAX - 6..=i32::MAX].prop_map(Sequence::Any),
    ];
    let produce = (0..3i64, 0..3i16, sequence, 1..4i32, any::<bool>()).prop_map(
        |(id, epoch, sequence, count, transactional)| Step::Produce {
            id,
            epoch,
            sequence,
            count,
            transactional,
        },
    );
    let step = prop_oneof![
        8 => produce,
        2 => (0..3i64, 1..4i32).prop_map(|(id, count)| Step::Begin { id, count }),
        2 => (0..3i64, any::<bool>(), any::<bool>()).prop_map(|(id, commit, bump)| Step::End { id, commit, bump }),
        2 => any::<u8>().prop_map(Step::HighWatermark),
        1 => any::<u8>().prop_map(|snapshot_at| Step::Restart { snapshot_at }),
    ];
    prop::collection::vec(step, 1..60)
}

fn facts(id: i64, epoch: i16, sequence: i64, count: i32) -> BatchFacts {
    BatchFacts {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: (sequence % SEQUENCES) as i32,
        last_offset_delta: count - 1,
        is_transactional: false,
        is_control: false,
        marker: None,
    }
}

fn append(state: &mut ProducerState, model: &mut Model, batch: BatchFacts) {
    let base = model.end();
    state.appended(&batch, Offset(base), NOW);
    model.log.push((batch, base));
}

/// The batch that a step means, in the light of what is known.
fn meant(model: &Model, id: i64, epoch: i16, sequence: &Sequence, count: i32) -> BatchFacts {
    let known = model.known(ProducerId(id));
    let next = known.batches.last().map_or(0, |last| last.1 + 1);
    match sequence {
        Sequence::Next => facts(id, epoch, next, count),
        Sequence::Any(sequence) => facts(id, epoch, i64::from(*sequence), count),
        Sequence::Again(back) => match known.batches.iter().rev().nth(*back) {
            Some(&(first, last, _)) => {
                let count = (last - first).rem_euclid(SEQUENCES) + 1;
                facts(id, known.epoch.unwrap_or(epoch), first, count as i32)
            }
            None => facts(id, epoch, next, count),
        },
    }
}

/// The state of a host that starts with the snapshot at `snapshot_at` and reads the rest of the log.
fn restarted(model: &Model, snapshot_at: i64) -> ProducerState {
    let (before, after): (Vec<_>, Vec<_>) =
        model.log.iter().copied().partition(|(_, base)| *base < snapshot_at);
    let mut old = ProducerState::new(Offset(0));
    for (batch, base) in before {
        old.appended(&batch, Offset(base), NOW);
    }
    let mut state = ProducerState::new(Offset(0));
    state.load(old.end_offset(), &old.snapshot(), NOW, i64::MAX);
    for (batch, base) in after {
        state.appended(&batch, Offset(base), NOW);
    }
    state.on_high_watermark(Offset(model.high_watermark));
    state
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut state, mut model) = (ProducerState::new(Offset(0)), Model::default());
    for step in steps {
        match step {
            Step::Produce { id, epoch, sequence, count, transactional } => {
                let batch = meant(&model, id, epoch, &sequence, count);
                let batch = BatchFacts { is_transactional: transactional, ..batch };
                let decision = match state.check(&batch, Origin::Client) {
                    Decision::Append => Ok(None),
                    Decision::Duplicate(duplicate) => Ok(Some(duplicate.base_offset.0)),
                    Decision::Reject(refusal) => Err(refusal.error),
                };
                prop_assert_eq!(&decision, &model.decide(&batch), "{:?}", batch);
                if decision == Ok(None) {
                    append(&mut state, &mut model, batch);
                }
            }
            Step::Begin { id, count } => {
                let epoch = model.known(ProducerId(id)).epoch.unwrap_or(0);
                let batch = meant(&model, id, epoch, &Sequence::Next, count);
                append(&mut state, &mut model, BatchFacts { is_transactional: true, ..batch });
            }
            Step::End { id, commit, bump } => {
                let epoch = model.known(ProducerId(id)).epoch.unwrap_or(0) + i16::from(bump);
                let marker = Some(EndTransactionMarker { commit, coordinator_epoch: 0 });
                let batch = facts(id, epoch, 0, 1);
                append(
                    &mut state,
                    &mut model,
                    BatchFacts { is_transactional: true, is_control: true, marker, ..batch },
                );
            }
            Step::HighWatermark(part) => {
                let target = model.end() * i64::from(part) / 255;
                model.high_watermark = model.high_watermark.max(target);
                state.on_high_watermark(Offset(model.high_watermark));
            }
            Step::Restart { snapshot_at } => {
                // A snapshot does not have transactions that ended above the high watermark.
                let again = restarted(&model, model.high_watermark * i64::from(snapshot_at) / 255);
                again.check_invariants();
                prop_assert_eq!(again.snapshot(), state.snapshot());
                let lso =
                    |state: &ProducerState| state.last_stable_offset(Offset(0), Offset(model.high_watermark));
                prop_assert_eq!(lso(&again), lso(&state));
            }
        }
        state.check_invariants();
        prop_assert_eq!(state.end_offset().0, model.end());
        let lso = state.last_stable_offset(Offset(0), Offset(model.high_watermark));
        prop_assert_eq!(lso.0, model.last_stable_offset());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decisions_are_those_of_a_model_that_forgets_nothing(steps in steps()) {
        run(steps)?;
    }
}
