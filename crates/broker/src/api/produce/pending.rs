//! The appends of one Produce request that are not answered for yet.

use super::super::call::ReplyTo;
use crate::net::Answer;
use crate::node::partition::{Partition, Ticket, Waiter};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ProduceResponse;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Where in the answer a partition stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Index of its topic.
    pub topic: usize,
    /// Index in the topic.
    pub partition: usize,
}

/// Collects the appends that wait, in the order in which they were made.
#[derive(Default)]
pub(super) struct Pending {
    acks: Arc<Acks>,
    /// By their ticket's number.
    waiting: Vec<(Arc<Partition>, Place)>,
}

/// What partitions tell.
#[derive(Default)]
struct Acks {
    /// Ends that were told.
    ended: AtomicUsize,
    /// Those of them that are no good ones, with their ticket's number.
    failed: Mutex<Vec<(u64, ErrorCode)>>,
    told: Notify,
}

impl Waiter for Acks {
    fn ended(&self, ticket: u64, outcome: Result<(), ErrorCode>) {
        if let Err(error) = outcome {
            self.failed.lock().push((ticket, error));
        }
        self.ended.fetch_add(1, Ordering::Release);
    }

    fn wake(&self) {
        self.told.notify_one();
    }
}

impl Pending {
    /// The ticket of the next append.
    pub(super) fn ticket(&self) -> Ticket {
        let waiter: Arc<dyn Waiter> = Arc::clone(&self.acks) as _;
        Ticket { waiter, number: self.waiting.len() as u64 }
    }

    /// The append that got the last ticket waits.
    pub(super) fn waits(&mut self, partition: Arc<Partition>, place: Place) {
        self.waiting.push((partition, place));
    }

    /// Answers when all have ended, or `timeout_ms` is over: the records of those that have not ended by then stay, and
    /// may be committed later.
    pub(super) fn answer(self, mut response: ProduceResponse, timeout_ms: i32, reply_to: ReplyTo) -> Answer {
        if self.have_ended() {
            self.fill_in(&mut response, &[]);
            return reply_to.with(&response);
        }
        Answer::later(async move {
            let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
            let all_ended = async {
                while !self.have_ended() {
                    self.acks.told.notified().await;
                }
            };
            let late = match tokio::time::timeout(timeout, all_ended).await {
                Ok(()) => Vec::new(),
                Err(_) => self.give_up(),
            };
            self.fill_in(&mut response, &late);
            reply_to.with(&response)
        })
    }

    fn have_ended(&self) -> bool {
        self.acks.ended.load(Ordering::Acquire) == self.waiting.len()
    }

    /// Waits no more; gives the numbers of those that have not ended.
    fn give_up(&self) -> Vec<u64> {
        let waiter: Arc<dyn Waiter> = Arc::clone(&self.acks) as _;
        self.waiting.iter().flat_map(|(partition, _)| partition.give_up(&waiter)).collect()
    }

    /// Offsets stay in the answer beside an error, as with Kafka.
    fn fill_in(&self, response: &mut ProduceResponse, late: &[u64]) {
        let failed = std::mem::take(&mut *self.acks.failed.lock());
        let late = late.iter().map(|number| (*number, ErrorCode::RequestTimedOut));
        for (number, error) in failed.into_iter().chain(late) {
            let Some((_, place)) = usize::try_from(number).ok().and_then(|at| self.waiting.get(at)) else {
                continue;
            };
            let topic = &mut response.responses[place.topic];
            topic.partition_responses[place.partition].error_code = error.code();
        }
    }
}

impl Drop for Pending {
    /// A connection that is gone waits for nothing.
    fn drop(&mut self) {
        if !self.have_ended() {
            self.give_up();
        }
    }
}
