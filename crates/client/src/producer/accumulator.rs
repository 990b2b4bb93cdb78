//! What waits to be sent, and what may be sent now: the producer's decisions, without clock and socket.
//!
//! Always true, for every partition:
//! - batches leave in the order of their ordinals, and one that came back goes first again;
//! - while a batch that came back is on its way again, no other that came back leaves: the broker sees their sequence
//!   numbers in order;
//! - a batch has a sequence number from its first departure until it is written or failed, or until its partition lost
//!   the sequence; a new identity begins only when no batch has a number of the old one.

use super::ProducerConfig;
use super::batch::{Batch, Entry, Identity};
use crate::TopicPartition;
use ottla_protocol::records::BATCH_OVERHEAD;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Appended {
    /// What is to be sent when has changed: the partition's first batch was begun, was filled, or got one behind it.
    pub(super) wake_sender: bool,
    /// Nothing is left open in the partition.
    pub(super) batch_is_full: bool,
    /// Bytes taken.
    pub(super) bytes: usize,
}

#[derive(Default)]
pub(super) struct Accumulator {
    queues: HashMap<TopicPartition, Queue>,
    /// Bytes of all records that wait or are on their way.
    memory: usize,
    /// Who the producer is now; `None` until it was told, or when it has to ask anew.
    identity: Option<Identity>,
    /// How many wait for batches to leave without lingering: a flush, a close, a send that finds no memory.
    pub(super) hurry: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Batch>,
    /// Ordinals of batches on their way.
    in_flight: BTreeSet<u64>,
    next_ordinal: u64,
    next_sequence: i32,
    /// Sequence numbers have a hole here, or the broker forgot them: this identity is of no use any more.
    lost_sequence: bool,
}

impl Queue {
    /// Whether the first batch may leave as far as order and sequence numbers are concerned.
    fn may_leave(&self, config: &ProducerConfig, identity: Option<Identity>) -> bool {
        let Some(first) = self.waiting.front() else { return false };
        let older_in_flight = self.in_flight.first().is_some_and(|&ordinal| ordinal <= first.ordinal);
        let in_order = first.attempts == 0 || !older_in_flight;
        in_order && (!config.idempotence || identity.is_some() || first.sequence.is_some())
    }

    /// When the first batch may leave: in the past, if it may now.
    fn due(&self, config: &ProducerConfig, hurry: usize) -> Option<Instant> {
        let first = self.waiting.front()?;
        if let Some(retry_at) = first.retry_at {
            return Some(retry_at);
        }
        let full = self.waiting.len() > 1 || first.size >= config.batch_size || first.attempts > 0;
        Some(if full || hurry > 0 { first.created } else { first.created + config.linger })
    }
}

impl Accumulator {
    /// Whether so many bytes more would be too many. One record alone always fits.
    pub(super) fn is_full(&self, bytes: usize, config: &ProducerConfig) -> bool {
        self.memory > 0 && self.memory + bytes > config.buffer_memory
    }

    /// Whether nothing waits and nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.queues.values().all(|queue| queue.waiting.is_empty() && queue.in_flight.is_empty())
    }

    /// Whether nothing is on its way, so that no answer will make the sender look at what waits.
    pub(super) fn is_quiet(&self) -> bool {
        self.queues.values().all(|queue| queue.in_flight.is_empty())
    }

    /// Whether anything waits.
    pub(super) fn has_waiting(&self) -> bool {
        self.queues.values().any(|queue| !queue.waiting.is_empty())
    }

    /// Adds a record to the partition's last batch, or begins one.
    pub(super) fn append(
        &mut self,
        partition: &TopicPartition,
        entry: Entry,
        config: &ProducerConfig,
        now: Instant,
    ) -> Appended {
        let queue = self.queues.entry(partition.clone()).or_default();
        let bytes = entry.size();
        let open = queue.waiting.back().is_some_and(|last| {
            last.attempts == 0 && last.sequence.is_none() && last.size + bytes <= config.batch_size
        });
        if !open {
            let mut batch = Batch::new(partition.clone(), queue.next_ordinal, now);
            // As many as there will be, if all are like this one; not so many that few would waste much.
            batch.entries.reserve((config.batch_size / bytes).min(256));
            queue.waiting.push_back(batch);
            queue.next_ordinal += 1;
        }
        let last = queue.waiting.back_mut().expect("there is an open batch now");
        last.push(entry);
        let batch_is_full = last.size >= config.batch_size;
        self.memory += bytes;
        let wake_sender = match queue.waiting.len() {
            1 => !open || batch_is_full,
            2 => !open,
            // The first has been due for long, and the sender knows.
            _ => false,
        };
        Appended { wake_sender, batch_is_full, bytes }
    }

    /// The partitions whose first batch may leave now.
    pub(super) fn ready(&self, config: &ProducerConfig, now: Instant) -> Vec<TopicPartition> {
        let due = |queue: &Queue| queue.due(config, self.hurry).is_some_and(|due| due <= now);
        let may_leave = |queue: &Queue| queue.may_leave(config, self.identity);
        let ready = self.queues.iter().filter(|(_, queue)| may_leave(queue) && due(queue));
        ready.map(|(partition, _)| partition.clone()).collect()
    }

    /// When something becomes due or too old that is not yet.
    pub(super) fn next_look(&self, config: &ProducerConfig, now: Instant) -> Option<Instant> {
        let later = |queue: &Queue| {
            let due = queue.due(config, self.hurry)?;
            let expires = queue.waiting.front()?.created + config.delivery_timeout;
            Some(if due > now { due.min(expires) } else { expires })
        };
        self.queues.values().filter_map(later).min()
    }

    /// The size of the batch that [`Accumulator::take`] would give.
    pub(super) fn first_size(&self, partition: &TopicPartition) -> Option<usize> {
        self.queues.get(partition)?.waiting.front().map(|batch| batch.size)
    }

    /// Takes the first batch of a partition out to be sent.
    pub(super) fn take(&mut self, partition: &TopicPartition, config: &ProducerConfig) -> Option<Batch> {
        let identity = self.identity;
        let queue = self.queues.get_mut(partition).filter(|queue| queue.may_leave(config, identity))?;
        let mut batch = queue.waiting.pop_front()?;
        if batch.sequence.is_none()
            && let Some(identity) = identity
        {
            batch.sequence = Some((identity, queue.next_sequence));
            queue.next_sequence = batch.next_sequence(queue.next_sequence);
        }
        batch.attempts += 1;
        batch.retry_at = None;
        queue.in_flight.insert(batch.ordinal);
        Some(batch)
    }

    /// A batch that was taken is over, written or failed: it holds no memory any more.
    pub(super) fn settle(&mut self, batch: &Batch) {
        if let Some(queue) = self.queues.get_mut(&batch.partition) {
            queue.in_flight.remove(&batch.ordinal);
        }
        self.memory -= batch.size - BATCH_OVERHEAD;
    }

    /// A batch that was taken goes back to where it was, not to be sent again before `retry_at`.
    pub(super) fn give_back(&mut self, mut batch: Batch, retry_at: Option<Instant>) {
        let Some(queue) = self.queues.get_mut(&batch.partition) else { return };
        queue.in_flight.remove(&batch.ordinal);
        batch.retry_at = retry_at;
        if queue.lost_sequence {
            batch.sequence = None;
        }
        let place = queue.waiting.partition_point(|other| other.ordinal < batch.ordinal);
        queue.waiting.insert(place, batch);
    }

    /// A batch that was taken and is too large goes back as two, which take the sequence numbers that it had: the
    /// broker has refused it, so nobody has seen them.
    pub(super) fn give_back_split(&mut self, batch: Batch) {
        let sequence = batch.sequence;
        let (partition, attempts) = (batch.partition.clone(), batch.attempts);
        let Some(queue) = self.queues.get_mut(&partition) else { return };
        queue.in_flight.remove(&batch.ordinal);
        let [mut first, mut second] = batch.split();
        if let Some((identity, base)) = sequence {
            first.sequence = Some((identity, base));
            second.sequence = Some((identity, first.next_sequence(base)));
        }
        let place = queue.waiting.partition_point(|other| other.ordinal < first.ordinal);
        for mut half in [second, first] {
            half.attempts = attempts;
            queue.waiting.insert(place, half);
        }
    }

    /// Takes out what has waited longer than `delivery.timeout.ms`; each is to be settled.
    pub(super) fn expire(&mut self, delivery_timeout: Duration, now: Instant) -> Vec<Batch> {
        self.take_while(|batch| batch.created + delivery_timeout <= now)
    }

    /// Takes out everything that waits, because the producer cannot go on; each is to be settled.
    pub(super) fn drain(&mut self) -> Vec<Batch> {
        self.take_while(|_| true)
    }

    fn take_while(&mut self, condition: impl Fn(&Batch) -> bool) -> Vec<Batch> {
        let mut taken = Vec::new();
        for queue in self.queues.values_mut() {
            while let Some(batch) = queue.waiting.pop_front_if(|batch| condition(batch)) {
                queue.in_flight.insert(batch.ordinal);
                taken.push(batch);
            }
        }
        taken
    }

    /// Whether a batch that was taken has none before it whose fate is open.
    pub(super) fn is_oldest(&self, batch: &Batch) -> bool {
        self.queues.get(&batch.partition).is_none_or(|queue| {
            let older = |ordinal: Option<u64>| ordinal.is_some_and(|ordinal| ordinal < batch.ordinal);
            !older(queue.in_flight.first().copied())
                && !older(queue.waiting.front().map(|first| first.ordinal))
        })
    }

    /// A partition's sequence has a hole, or the broker has forgotten it: the producer needs another identity. What
    /// waits there gets new numbers under it; other partitions first settle what has numbers of the old one.
    pub(super) fn lose_sequence(&mut self, partition: &TopicPartition) {
        self.identity = None;
        if let Some(queue) = self.queues.get_mut(partition) {
            queue.lost_sequence = true;
            for batch in &mut queue.waiting {
                batch.sequence = None;
            }
        }
    }

    /// Whether to ask for an identity now.
    pub(super) fn wants_identity(&self) -> bool {
        let unsettled = |queue: &Queue| {
            !queue.in_flight.is_empty() || queue.waiting.iter().any(|batch| batch.sequence.is_some())
        };
        self.identity.is_none() && self.has_waiting() && !self.queues.values().any(unsettled)
    }

    /// Takes an identity; all sequences begin at 0.
    pub(super) fn identify(&mut self, identity: Identity) {
        self.identity = Some(identity);
        for queue in self.queues.values_mut() {
            queue.next_sequence = 0;
            queue.lost_sequence = false;
        }
    }
}
