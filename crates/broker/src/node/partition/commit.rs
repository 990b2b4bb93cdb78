//! Who waits until what was appended is committed.
//!
//! One list for all of them: a Produce with acks=all, a coordinator's write, the load of a coordinator. Whoever waits is
//! told how it ended exactly once, and of one partition in the order of the offsets.

use super::{Partition, State};
use ottla_protocol::{ErrorCode, Offset};
use ottla_replica::partition::{self as replica, Acks};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;

/// Whoever waits.
pub(crate) trait Waiter: Send + Sync {
    /// What the waiter knows as `ticket` has ended. Called under the partition's lock: takes note, and returns.
    fn ended(&self, ticket: u64, outcome: Result<(), ErrorCode>);

    /// Called after one or more ends, when the caller's partition is not locked.
    fn wake(&self);
}

/// A waiter with the number by which it knows what it waits for.
#[derive(Clone)]
pub(crate) struct Ticket {
    /// Who.
    pub waiter: Arc<dyn Waiter>,
    /// Its number for it.
    pub number: u64,
}

/// What has to happen with the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The high watermark passes them.
    Committed,
    /// They are on this broker's disk: `flush.messages` asks for it.
    Flushed,
}

/// The waiters of one partition.
#[derive(Default)]
pub(super) struct Waits(Mutex<Lists>);

/// Each is ordered by offset.
#[derive(Default)]
struct Lists {
    committed: VecDeque<Wait>,
    flushed: VecDeque<Wait>,
}

struct Wait {
    /// End of the records: what the high watermark has to reach.
    required: Offset,
    ticket: Ticket,
}

impl Waits {
    /// Adds a waiter. The caller holds the partition's lock and has seen that there is something to wait for.
    pub(super) fn add(&self, until: Until, required: Offset, ticket: Ticket) {
        let mut lists = self.0.lock();
        let list = match until {
            Until::Committed => &mut lists.committed,
            Until::Flushed => &mut lists.flushed,
        };
        // Nearly always the end: only a batch that comes again waits for less than the one before it.
        let at = list.iter().rposition(|other| other.required <= required).map_or(0, |at| at + 1);
        list.insert(at, Wait { required, ticket });
    }

    /// Tells those whose wait is over; the caller wakes them when it has let go of the lock.
    pub(super) fn settle(
        &self,
        replica: &replica::Partition,
        flushed_offset: Offset,
    ) -> Vec<Arc<dyn Waiter>> {
        let mut told = Vec::new();
        let mut lists = self.0.lock();
        while let Some(first) = lists.committed.front() {
            let outcome = match replica.acks(first.required) {
                Acks::Pending => break,
                Acks::Done => Ok(()),
                Acks::Failed(error) => Err(error),
            };
            tell(lists.committed.pop_front(), outcome, &mut told);
        }
        while lists.flushed.front().is_some_and(|first| first.required <= flushed_offset) {
            tell(lists.flushed.pop_front(), Ok(()), &mut told);
        }
        told
    }

    /// Tells all that nothing will come.
    pub(super) fn fail(&self, error: ErrorCode) -> Vec<Arc<dyn Waiter>> {
        let mut told = Vec::new();
        let mut lists = self.0.lock();
        let Lists { committed, flushed } = &mut *lists;
        for wait in committed.drain(..).chain(flushed.drain(..)) {
            tell(Some(wait), Err(error), &mut told);
        }
        told
    }

    /// Takes all waits of a waiter out, untold; gives their numbers.
    fn give_up(&self, waiter: &Arc<dyn Waiter>) -> Vec<u64> {
        let mut numbers = Vec::new();
        let mut lists = self.0.lock();
        let mut keep = |wait: &Wait| {
            let is_other = !Arc::ptr_eq(&wait.ticket.waiter, waiter);
            if !is_other {
                numbers.push(wait.ticket.number);
            }
            is_other
        };
        lists.committed.retain(&mut keep);
        lists.flushed.retain(&mut keep);
        numbers
    }
}

fn tell(wait: Option<Wait>, outcome: Result<(), ErrorCode>, told: &mut Vec<Arc<dyn Waiter>>) {
    let Some(Wait { ticket, .. }) = wait else { return };
    ticket.waiter.ended(ticket.number, outcome);
    // One who waits for much is woken once.
    if told.last().is_none_or(|last| !Arc::ptr_eq(last, &ticket.waiter)) {
        told.push(ticket.waiter);
    }
}

impl Partition {
    /// Lets a ticket wait, unless there is nothing to wait for.
    pub(super) fn wait(&self, state: &mut State, until: Until, required: Offset, ticket: Ticket) -> bool {
        let waits = match until {
            Until::Committed => {
                let acks = state.replica.acks(required);
                // What has ended badly is told like what ends later.
                state.has_moved |= matches!(acks, Acks::Failed(_));
                acks != Acks::Done
            }
            Until::Flushed => state.flushed_offset < required,
        };
        if waits {
            self.waits.add(until, required, ticket);
        }
        waits
    }

    /// Takes a waiter whose time is over out of the list; gives the numbers of what it still waited for.
    pub(crate) fn give_up(&self, waiter: &Arc<dyn Waiter>) -> Vec<u64> {
        self.waits.give_up(waiter)
    }

    /// Waits on this thread until everything that is in the log now is committed; gives its end.
    ///
    /// # Errors
    /// Why it will not be.
    pub(crate) fn committed(self: &Arc<Self>) -> Result<Offset, ErrorCode> {
        let parked = Arc::new(Parked::default());
        let waits = self.locked(|state| {
            let end = state.log.log_end_offset();
            let ticket = Ticket { waiter: Arc::clone(&parked) as Arc<dyn Waiter>, number: 0 };
            self.wait(state, Until::Committed, end, ticket).then_some(end).ok_or(end)
        });
        match waits {
            Ok(end) => parked.outcome().map(|()| end),
            Err(end) => Ok(end),
        }
    }
}

/// A thread that waits.
#[derive(Default)]
struct Parked {
    outcome: Mutex<Option<Result<(), ErrorCode>>>,
    ended: Condvar,
}

impl Parked {
    fn outcome(&self) -> Result<(), ErrorCode> {
        let mut outcome = self.outcome.lock();
        loop {
            if let Some(outcome) = *outcome {
                return outcome;
            }
            self.ended.wait(&mut outcome);
        }
    }
}

impl Waiter for Parked {
    fn ended(&self, _: u64, outcome: Result<(), ErrorCode>) {
        *self.outcome.lock() = Some(outcome);
    }

    fn wake(&self) {
        self.ended.notify_one();
    }
}
