//! Who waits until what was appended is committed.
//!
//! One list for all of them: a Produce with acks=all, a coordinator's write, the load of a coordinator. Whoever waits is
//! told how it ended exactly once, and of one partition in the order of the offsets.

use super::{Partition, State};
use crate::node::dir_state::DirState;
use ottla_protocol::{ErrorCode, Offset};
use ottla_replica::partition::{self as replica, Acks};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How often a thread that waits looks whether the disk has been given up: who hangs there tells nobody.
const LOOK: Duration = Duration::from_millis(500);

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
    ///
    /// # Errors
    /// Nothing will come of a directory that is given up.
    fn add(&self, until: Until, required: Offset, ticket: Ticket, dir: &DirState) -> Result<(), ErrorCode> {
        let mut lists = self.0.lock();
        // Asked under this lock: a directory is given up first, and then those are told who are in the lists.
        dir.check_online()?;
        let list = match until {
            Until::Committed => &mut lists.committed,
            Until::Flushed => &mut lists.flushed,
        };
        // Nearly always the end: only a batch that comes again waits for less than the one before it.
        let at = list.iter().rposition(|other| other.required <= required).map_or(0, |at| at + 1);
        list.insert(at, Wait { required, ticket });
        Ok(())
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
    /// Lets a ticket wait, unless there is nothing to wait for; true if it waits.
    ///
    /// # Errors
    /// Nothing will come of it: the directory was given up meanwhile. The ticket hears nothing.
    pub(super) fn wait(
        &self,
        state: &mut State,
        until: Until,
        required: Offset,
        ticket: Ticket,
    ) -> Result<bool, ErrorCode> {
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
            self.waits.add(until, required, ticket, &self.dir.load())?;
        }
        Ok(waits)
    }

    /// Takes a waiter whose time is over out of the list; gives the numbers of what it still waited for.
    pub(crate) fn give_up(&self, waiter: &Arc<dyn Waiter>) -> Vec<u64> {
        self.waits.give_up(waiter)
    }

    /// Waits on this thread until everything that is in the log is committed; gives its end. What is asked for while the disk
    /// is stuck comes behind the appends and the changes of the metadata that wait for it.
    ///
    /// # Errors
    /// Why it will not be.
    pub(crate) fn committed(self: &Arc<Self>) -> Result<Offset, ErrorCode> {
        let parked = Arc::new(Parked::default());
        let (this, of_turn) = (Arc::clone(self), Arc::clone(&parked));
        self.dir().when_not_stuck(move || this.park(of_turn));
        parked.outcome(|| self.check_online())
    }

    fn park(self: &Arc<Self>, parked: Arc<Parked>) {
        self.locked(|state| {
            let end = state.log.log_end_offset();
            *parked.end.lock() = end;
            let ticket = Ticket { waiter: Arc::clone(&parked) as Arc<dyn Waiter>, number: 0 };
            match self.wait(state, Until::Committed, end, ticket) {
                Ok(true) => {}
                Ok(false) => parked.ended(0, Ok(())),
                Err(error) => parked.ended(0, Err(error)),
            }
        });
        parked.wake();
    }
}

/// A thread that waits.
#[derive(Default)]
struct Parked {
    /// What it waits for.
    end: Mutex<Offset>,
    outcome: Mutex<Option<Result<(), ErrorCode>>>,
    ended: Condvar,
}

impl Parked {
    fn outcome(&self, check_online: impl Fn() -> Result<(), ErrorCode>) -> Result<Offset, ErrorCode> {
        let mut outcome = self.outcome.lock();
        loop {
            if let Some(outcome) = *outcome {
                return outcome.map(|()| *self.end.lock());
            }
            check_online()?;
            self.ended.wait_for(&mut outcome, LOOK);
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
