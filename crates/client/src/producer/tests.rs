//! The accumulator's promises: batching, order through retries, sequence numbers.

use super::accumulator::Accumulator;
use super::batch::{Batch, Entry, Identity};
use super::*;
use ottla_protocol::{ProducerEpoch, ProducerId};
use std::time::Duration;

/// An accumulator at a time that the test sets.
struct Bench {
    accumulator: Accumulator,
    config: ProducerConfig,
    now: Instant,
}

const ME: Identity = Identity { id: ProducerId(7), epoch: ProducerEpoch(0) };

impl Bench {
    /// Batches of two records, which linger for 10 ms.
    fn new() -> Bench {
        let properties = [("batch.size", "310"), ("linger.ms", "10"), ("delivery.timeout.ms", "60000")];
        let config = ProducerConfig::from_properties(&properties.into_iter().collect()).unwrap();
        let mut accumulator = Accumulator::default();
        accumulator.identify(ME);
        Bench { accumulator, config, now: Instant::now() }
    }

    /// Appends records; says for which the sender has to be woken.
    fn append(&mut self, topic: &str, count: usize) -> Vec<bool> {
        let append = |_| {
            let entry = Entry {
                timestamp: 0,
                key: None,
                value: Some(vec![0; 100].into()),
                headers: Vec::new(),
                callback: Box::new(|_| {}),
            };
            let partition = TopicPartition::new(topic, 0);
            self.accumulator.append(&partition, entry, &self.config, self.now).wake_sender
        };
        (0..count).map(append).collect()
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    /// Takes everything that may leave.
    fn leave(&mut self) -> Vec<Batch> {
        let mut left = Vec::new();
        loop {
            let ready = self.accumulator.ready(&self.config, self.now);
            if ready.is_empty() {
                return left;
            }
            for partition in ready {
                left.extend(self.accumulator.take(&partition, &self.config));
            }
        }
    }

    fn fail(&mut self, batches: Vec<Batch>) {
        for batch in batches {
            self.accumulator.give_back(batch, Some(self.now));
        }
    }

    fn settle(&mut self, batches: &[Batch]) {
        batches.iter().for_each(|batch| self.accumulator.settle(batch));
    }
}

/// Records and first sequence number of each batch.
fn shape(batches: &[Batch]) -> Vec<(usize, i32)> {
    batches.iter().map(|b| (b.entries.len(), b.sequence.map_or(-1, |(_, first)| first))).collect()
}

#[test]
fn the_sender_is_woken_when_a_first_batch_begins_or_becomes_due_and_not_for_those_behind_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.append("t", 7), [true, false, true, false, false, false, false]);
    assert_eq!(bench.append("u", 1), [true]);
    assert!(bench.accumulator.is_quiet());
    assert_eq!(shape(&bench.leave()), [(2, 0), (2, 2), (2, 4)]);
    assert!(!bench.accumulator.is_quiet());
    assert_eq!(bench.append("t", 2), [false, true], "one more in the open batch, and one behind it");
}

#[test]
fn a_batch_leaves_when_it_is_full_or_has_lingered() {
    let mut bench = Bench::new();
    bench.append("t", 1);
    assert_eq!(shape(&bench.leave()), []);
    bench.append("t", 2);
    assert_eq!(shape(&bench.leave()), [(2, 0)], "the third record began a new batch");
    bench.pass(9);
    assert_eq!(shape(&bench.leave()), []);
    bench.pass(1);
    assert_eq!(shape(&bench.leave()), [(1, 2)]);
}

#[test]
fn nothing_lingers_in_a_hurry() {
    let mut bench = Bench::new();
    bench.append("t", 1);
    bench.accumulator.hurry = 1;
    assert_eq!(shape(&bench.leave()), [(1, 0)]);
}

#[test]
fn batches_that_come_back_leave_in_order_one_at_a_time() {
    let mut bench = Bench::new();
    bench.append("t", 7);
    let mut sent = bench.leave();
    assert_eq!(shape(&sent), [(2, 0), (2, 2), (2, 4)]);
    sent.reverse();
    bench.fail(sent);
    for expect in [0, 2, 4] {
        let again = bench.leave();
        assert_eq!(shape(&again), [(2, expect)]);
        bench.settle(&again);
    }
    bench.pass(10);
    assert_eq!(shape(&bench.leave()), [(1, 6)]);
}

#[test]
fn a_batch_that_comes_back_waits_for_older_ones() {
    let mut bench = Bench::new();
    bench.append("t", 5);
    let mut sent = bench.leave();
    let first = sent.remove(0);
    bench.fail(sent);
    assert_eq!(shape(&bench.leave()), [], "the first is still on its way");
    bench.settle(&[first]);
    assert_eq!(shape(&bench.leave()), [(2, 2)]);
}

#[test]
fn new_batches_leave_while_one_is_on_its_way_again() {
    let mut bench = Bench::new();
    bench.append("t", 3);
    let sent = bench.leave();
    bench.fail(sent);
    bench.pass(10);
    assert_eq!(shape(&bench.leave()), [(2, 0), (1, 2)]);
}

#[test]
fn a_batch_that_is_too_large_is_sent_as_two_under_its_numbers() {
    let mut bench = Bench::new();
    bench.append("t", 5);
    let mut sent = bench.leave();
    let second = sent.remove(1);
    bench.accumulator.give_back_split(sent.remove(0));
    let again = bench.leave();
    assert_eq!(shape(&again), [(1, 0)]);
    bench.settle(&again);
    let again = bench.leave();
    assert_eq!(shape(&again), [(1, 1)]);
    bench.settle(&again);
    bench.settle(&[second]);
    bench.pass(10);
    let last = bench.leave();
    assert_eq!(shape(&last), [(1, 4)]);
    bench.settle(&last);
    assert!(bench.accumulator.is_idle());
    assert!(
        !bench.accumulator.is_full(bench.config.buffer_memory, &bench.config),
        "all memory is free again"
    );
}

#[test]
fn a_new_identity_waits_until_the_old_one_has_nothing_open() {
    let mut bench = Bench::new();
    bench.append("lost", 5);
    bench.append("other", 3);
    let sent = bench.leave();
    let (lost, other): (Vec<Batch>, Vec<Batch>) =
        sent.into_iter().partition(|batch| batch.partition.topic == "lost");
    assert_eq!((shape(&lost), shape(&other)), (vec![(2, 0), (2, 2)], vec![(2, 0)]));
    bench.accumulator.lose_sequence(&TopicPartition::new("lost", 0));
    bench.fail(lost);
    bench.fail(other);
    assert!(!bench.accumulator.wants_identity(), "a batch of the other topic has a number");
    let other = bench.leave();
    assert_eq!(shape(&other), [(2, 0)], "only that one may leave, under the old identity");
    bench.settle(&other);
    assert!(bench.accumulator.wants_identity());
    let next = Identity { id: ProducerId(8), epoch: ProducerEpoch(0) };
    bench.accumulator.identify(next);
    bench.pass(10);
    let again = bench.leave();
    let by_topic = |topic: &str| {
        again.iter().filter(|b| b.partition.topic == topic).map(|b| b.sequence).collect::<Vec<_>>()
    };
    assert_eq!(by_topic("lost"), [Some((next, 0))]);
    assert_eq!(by_topic("other"), [Some((next, 0))]);
}

#[test]
fn what_waited_too_long_is_taken_out() {
    let mut bench = Bench::new();
    bench.append("t", 1);
    bench.pass(30_000);
    bench.append("t", 2);
    bench.pass(29_999);
    let timeout = bench.config.delivery_timeout;
    assert_eq!(shape(&bench.accumulator.expire(timeout, bench.now)), []);
    bench.pass(1);
    let expired = bench.accumulator.expire(timeout, bench.now);
    assert_eq!(shape(&expired), [(2, -1)]);
    bench.settle(&expired);
    assert_eq!(shape(&bench.leave()), [(1, 0)]);
}

#[test]
fn the_next_look_is_at_the_end_of_lingering_or_at_the_timeout() {
    let mut bench = Bench::new();
    assert_eq!(bench.accumulator.next_look(&bench.config, bench.now), None);
    let start = bench.now;
    bench.append("t", 1);
    let look = |bench: &Bench| bench.accumulator.next_look(&bench.config, bench.now).map(|at| at - start);
    assert_eq!(look(&bench), Some(Duration::from_millis(10)));
    bench.pass(10);
    assert_eq!(look(&bench), Some(Duration::from_secs(60)), "due, but nobody takes it");
}
