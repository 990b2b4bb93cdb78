//! One partition of `__consumer_offsets`: the entry points.

use super::classic::ClassicGroup;
use super::member_ids::MemberIds;
use super::records::{self, Record};
use super::request::{of_append, of_append_to_fetch};
use super::state::State;
use super::timers::{Timer, Timers};
use super::turn::Turn;
use super::writes::{Caller, Continuation, Write, Writes};
use super::{Effect, GroupRequest, Input, RequestContext, Settings, WriteId};
use bytes::Bytes;
use ottla_protocol::{ByteString, ErrorCode, Offset};

/// Groups and committed offsets of one partition of `__consumer_offsets`, on the broker that leads it. Made when the
/// broker becomes leader, dropped when it is leader no more.
#[derive(Debug)]
pub struct GroupCoordinator {
    pub(super) state: State,
    pub(super) timers: Timers,
    pub(super) writes: Writes,
    settings: Settings,
    member_ids: MemberIds,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Up to the record at this offset, -1 before the first.
    Loading(Offset),
    Active,
    Unloaded,
}

impl GroupCoordinator {
    /// An empty coordinator that waits for the replay of its partition. `seed` is where the ids of new members come from:
    /// a random number.
    pub fn new(settings: Settings, seed: u64) -> GroupCoordinator {
        GroupCoordinator {
            state: State::default(),
            timers: Timers::default(),
            writes: Writes::default(),
            settings,
            member_ids: MemberIds::new(seed),
            phase: Phase::Loading(Offset::NONE),
        }
    }

    /// Takes in what happened at `now`, in milliseconds of wall-clock time, and adds what follows from it to `effects`.
    /// Whatever is due at `now` happens too, after the input: who is heard of in time is not failed.
    pub fn step(&mut self, now: i64, input: Input, effects: &mut Vec<Effect>) {
        if let Input::Replay { offset, key, value } = input {
            return self.replay(now, offset, key, value, effects);
        }
        let mut turn = Turn {
            now,
            settings: &self.settings,
            timers: &mut self.timers,
            writes: &mut self.writes,
            member_ids: &mut self.member_ids,
            effects,
        };
        match input {
            Input::Replay { .. } => unreachable!("it was served above"),
            Input::Loaded => {
                assert!(matches!(self.phase, Phase::Loading(_)), "a partition is loaded once");
                self.phase = Phase::Active;
                self.state.on_loaded(&mut turn);
            }
            Input::Request { id, context, request } => {
                let caller = Caller { id, version: context.api_version };
                let refusal = request.refusal(&context, turn.settings).or_else(|| match self.phase {
                    Phase::Active => None,
                    Phase::Loading(_) => Some(match request {
                        // The member shall not fail for our sake.
                        GroupRequest::Heartbeat(_) => request.error_response(caller.version, ErrorCode::None),
                        _ => request.error_response(caller.version, ErrorCode::CoordinatorLoadInProgress),
                    }),
                    Phase::Unloaded => {
                        Some(request.error_response(caller.version, ErrorCode::NotCoordinator))
                    }
                });
                match refusal {
                    Some(response) => turn.reply(caller, response),
                    None => self.state.serve(&mut turn, caller, &context, request),
                }
            }
            Input::Committed { write } => {
                if let Some(ended) = turn.writes.end(write) {
                    turn.timers.cancel(&Timer::Write(write));
                    self.state.on_committed(&mut turn, write, ended);
                }
            }
            Input::Failed { write, error } => {
                if let Some(mut ended) = turn.writes.end(write) {
                    turn.timers.cancel(&Timer::Write(write));
                    self.state.roll_back(&mut turn, write, &ended, of_append(error));
                    self.state.on_not_committed(&mut turn, &mut ended, error);
                }
            }
            Input::TopicsDeleted { topics } => {
                if self.phase == Phase::Active {
                    self.state.delete_offsets_of_topics(&mut turn, &topics);
                }
            }
            Input::Timeout => {}
            Input::Unload => {
                self.phase = Phase::Unloaded;
                self.state.on_unloaded(&mut turn);
            }
        }
        self.state.run_due(&mut turn);
    }

    /// When to be called again with [`Input::Timeout`] if nothing else happens, in milliseconds of wall-clock time:
    /// after the `now` of the last step.
    pub fn deadline(&self) -> Option<i64> {
        self.timers.deadline()
    }

    fn replay(
        &mut self,
        now: i64,
        offset: Offset,
        key: Option<Bytes>,
        value: Option<Bytes>,
        effects: &mut Vec<Effect>,
    ) {
        match &mut self.phase {
            Phase::Loading(last) => {
                assert!(*last < offset, "records are replayed in order: {offset} comes after {last}");
                *last = offset;
            }
            Phase::Active | Phase::Unloaded => panic!("a record is replayed before the partition is loaded"),
        }
        let Some(key) = key else { return };
        let result = match records::read(&key, value.as_ref()) {
            Ok(record) => self.state.replay(now, record),
            Err(unreadable) => Err(unreadable.to_string()),
        };
        if let Err(reason) = result {
            effects.push(Effect::Unreadable { offset, reason });
        }
    }
}

impl State {
    /// A record of the log.
    fn replay(&mut self, now: i64, record: Record) -> Result<(), String> {
        match record {
            Record::Offset(key, value) => {
                if value.is_some() && self.groups.is_unknown(&key.group) {
                    self.groups.put_of_log(ClassicGroup::new(ByteString::from(&*key.group), 0, now));
                }
                self.offsets.put_of_log(&key, value);
            }
            Record::Group(id, Some(value)) => {
                let id = ByteString::from(&*id);
                let group = ClassicGroup::of_log(id, &value).ok_or("two members share an id")?;
                self.groups.put_of_log(group);
            }
            Record::Group(id, None) => self.groups.remove_of_log(&id),
            Record::Other => {}
        }
        Ok(())
    }

    fn on_loaded(&mut self, turn: &mut Turn<'_>) {
        let without_group: Vec<ByteString> = self.offsets.groups().cloned().collect();
        for id in without_group {
            self.adopt(turn.now, &id);
        }
        for group in self.groups.iter_written_mut() {
            group.compute_subscribed_topics();
            group.begin_sessions(turn);
            if group.is_over(turn.settings.group_max_size) {
                group.prepare_rebalance(turn);
            }
        }
        schedule_expiration(turn);
    }

    fn serve(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        context: &RequestContext,
        request: GroupRequest,
    ) {
        match request {
            GroupRequest::JoinGroup(request) => self.join_group(turn, caller, context, request),
            GroupRequest::SyncGroup(request) => self.sync_group(turn, caller, request),
            GroupRequest::Heartbeat(request) => self.heartbeat(turn, caller, &request),
            GroupRequest::LeaveGroup(request) => self.leave_group(turn, caller, request),
            GroupRequest::OffsetCommit(request) => self.commit_offsets(turn, caller, &request),
            GroupRequest::OffsetFetch { group, require_stable } => {
                self.fetch_offsets(turn, caller, group, require_stable);
            }
            GroupRequest::OffsetDelete(request) => self.delete_offsets(turn, caller, &request),
            GroupRequest::DescribeGroup(id) => {
                let response = self.described_group(caller.version, &id);
                turn.reply(caller, response);
            }
            GroupRequest::DeleteGroup(id) => self.delete_group(turn, caller, &id),
            GroupRequest::ListGroups(request) => {
                let response = self.listed_groups(&request);
                turn.reply(caller, response);
            }
        }
    }

    /// What a write did is in the log: now others may know of it.
    fn on_committed(&mut self, turn: &mut Turn<'_>, id: WriteId, write: Write) {
        self.commit(turn.now, id, &write);
        match write.continuation {
            Some(Continuation::Sync(sync)) => {
                if let Some(group) = self.incarnation_mut(&sync.group, sync.incarnation) {
                    group.on_sync_committed(turn, sync);
                }
            }
            Some(Continuation::StaticJoin(join)) => {
                if let Some(group) = self.incarnation_mut(&join.group, join.incarnation) {
                    group.on_static_join_committed(turn, join);
                }
            }
            None => {}
        }
        for (caller, response) in write.replies {
            turn.reply(caller, response);
        }
        for (caller, group) in write.fetches {
            turn.reply(caller, self.fetched_offsets(&group));
        }
    }

    /// Those who wait for a write have waited in vain.
    fn on_not_committed(&mut self, turn: &mut Turn<'_>, write: &mut Write, error: ErrorCode) {
        match write.continuation.take() {
            Some(Continuation::Sync(sync)) => {
                if let Some(group) = self.incarnation_mut(&sync.group, sync.incarnation) {
                    group.on_sync_failed(turn, &sync, of_append(error));
                }
            }
            Some(Continuation::StaticJoin(join)) => {
                if let Some(group) = self.incarnation_mut(&join.group, join.incarnation) {
                    group.on_static_join_failed(turn, join, of_append(error));
                }
            }
            None => {}
        }
        for (caller, response) in write.replies.drain(..) {
            turn.reply(caller, response.into_error(caller.version, of_append(error)));
        }
        for (caller, group) in write.fetches.drain(..) {
            let error = of_append_to_fetch(error);
            turn.reply(caller, super::offsets::fetch::error(&group, caller.version, error));
        }
    }

    fn on_unloaded(&mut self, turn: &mut Turn<'_>) {
        for group in self.groups.iter_written_mut() {
            group.fail_waiting(turn, ErrorCode::NotCoordinator);
        }
        let writes: Vec<Write> = turn.writes.drain().collect();
        for mut write in writes {
            write.continuation = None;
            self.on_not_committed(turn, &mut write, ErrorCode::NotCoordinator);
        }
        self.clear();
        turn.timers.clear();
    }

    /// The group, unless it has ended since.
    fn incarnation_mut(&mut self, id: &str, incarnation: u64) -> Option<&mut ClassicGroup> {
        self.groups.written_mut(id).filter(|group| group.incarnation() == incarnation)
    }

    /// Does all that is due.
    fn run_due(&mut self, turn: &mut Turn<'_>) {
        while let Some(timer) = turn.timers.pop_due(turn.now) {
            match timer {
                Timer::Session { group, member } => {
                    if let Some(group) = self.groups.written_mut(&group) {
                        group.on_session_timeout(turn, &member);
                    }
                }
                Timer::Join(group) => {
                    if let Some(group) = self.groups.written_mut(&group) {
                        group.on_join_timeout(turn);
                    }
                }
                Timer::Sync(group) => {
                    if let Some(group) = self.groups.written_mut(&group) {
                        group.on_sync_timeout(turn);
                    }
                }
                Timer::Write(write) => {
                    // It may still be committed; what it did waits for that.
                    if let Some(mut waited_for) = turn.writes.get_mut(write).map(Write::take_waiting) {
                        self.on_not_committed(turn, &mut waited_for, ErrorCode::RequestTimedOut);
                    }
                }
                Timer::Expiration => {
                    self.expire(turn);
                    schedule_expiration(turn);
                }
            }
        }
    }
}

fn schedule_expiration(turn: &mut Turn<'_>) {
    // An interval of less would never let the step end.
    let interval = turn.settings.offsets_retention_check_interval_ms.max(1);
    turn.timers.schedule(Timer::Expiration, turn.now.saturating_add(interval));
}
