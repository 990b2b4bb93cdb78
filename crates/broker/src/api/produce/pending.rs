//! The appends of one Produce request that are not answered for yet.

use super::response;
use crate::net::Answer;
use crate::node::partition::{AppendError, Appended, Partition, Ticket, Waiter};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ProduceResponse;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

/// Collects the appends that wait, in the order in which they were asked for.
#[derive(Default)]
pub(super) struct Pending {
    acks: Arc<Acks>,
    /// By their ticket's number.
    waiting: Vec<(Arc<Partition>, Place)>,
    /// How many of them are not even appended yet.
    late: usize,
}

/// What partitions tell.
#[derive(Default)]
struct Acks {
    /// Ends that were told.
    ended: AtomicUsize,
    /// Those of them that are no good ones, with their ticket's number.
    failed: Mutex<Vec<(u64, ErrorCode)>>,
    /// What became of appends that were made later than the request came.
    late: Mutex<Vec<(u64, Result<Appended, AppendError>)>>,
    told: Notify,
    /// The request is answered, or its connection is gone: what is not appended yet need not be.
    is_over: AtomicBool,
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

/// An append that is made later, by another thread.
pub(super) struct Late {
    acks: Arc<Acks>,
    number: u64,
}

impl Late {
    /// Whether anybody still waits for it.
    ///
    /// # Errors
    /// REQUEST_TIMED_OUT, which the client has been told already.
    pub(super) fn in_time(&self) -> Result<(), AppendError> {
        if self.acks.is_over.load(Ordering::Acquire) {
            Err(ErrorCode::RequestTimedOut.into())
        } else {
            Ok(())
        }
    }

    /// It is made, or not.
    pub(super) fn appended(&self, appended: Result<Appended, AppendError>) {
        let waits = appended.as_ref().is_ok_and(|appended| appended.waits);
        self.acks.late.lock().push((self.number, appended));
        // One end for the append, one for its commit.
        self.acks.ended.fetch_add(if waits { 1 } else { 2 }, Ordering::Release);
        self.acks.wake();
    }
}

impl Pending {
    /// The ticket of the next append.
    pub(super) fn ticket(&self) -> Ticket {
        let waiter: Arc<dyn Waiter> = Arc::clone(&self.acks) as _;
        Ticket { waiter, number: self.waiting.len() as u64 }
    }

    /// The append that got the last ticket is made later.
    pub(super) fn late(&self) -> Late {
        Late { acks: Arc::clone(&self.acks), number: self.waiting.len() as u64 }
    }

    /// The append that got the last ticket waits.
    pub(super) fn waits(&mut self, partition: Arc<Partition>, place: Place) {
        self.waiting.push((partition, place));
    }

    /// The append that got the last ticket is still to be made.
    pub(super) fn waits_for_append(&mut self, partition: Arc<Partition>, place: Place) {
        self.waits(partition, place);
        self.late += 1;
    }

    /// Answers when all have ended, or `timeout_ms` is over: the records of those that have not ended by then stay, and
    /// may be committed later.
    pub(super) fn answer(
        self,
        mut response: ProduceResponse,
        timeout_ms: i32,
        answer: impl FnOnce(&ProduceResponse) -> Answer + Send + 'static,
    ) -> Answer {
        if self.have_ended() {
            self.fill_in(&mut response, &[]);
            return answer(&response);
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
            answer(&response)
        })
    }

    fn have_ended(&self) -> bool {
        self.acks.ended.load(Ordering::Acquire) == self.waiting.len() + self.late
    }

    /// Waits no more; gives the numbers of those that are appended and have not ended. What is not appended yet is answered
    /// as late from the outset.
    fn give_up(&self) -> Vec<u64> {
        self.acks.is_over.store(true, Ordering::Release);
        let waiter: Arc<dyn Waiter> = Arc::clone(&self.acks) as _;
        self.waiting.iter().flat_map(|(partition, _)| partition.give_up(&waiter)).collect()
    }

    /// Offsets stay in the answer beside an error, as with Kafka.
    fn fill_in(&self, answer: &mut ProduceResponse, late: &[u64]) {
        let place_of = |number: u64| usize::try_from(number).ok().and_then(|at| self.waiting.get(at));
        for (number, appended) in std::mem::take(&mut *self.acks.late.lock()) {
            if let Some((partition, place)) = place_of(number) {
                answer.responses[place.topic].partition_responses[place.partition] =
                    response(partition.index, appended);
            }
        }
        let failed = std::mem::take(&mut *self.acks.failed.lock());
        let late = late.iter().map(|number| (*number, ErrorCode::RequestTimedOut));
        for (number, error) in failed.into_iter().chain(late) {
            if let Some((_, place)) = place_of(number) {
                let topic = &mut answer.responses[place.topic];
                topic.partition_responses[place.partition].error_code = error.code();
            }
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
