//! The group coordinators of this broker: one pure core for each partition of `__consumer_offsets` that it leads.
//!
//! A request is decided on the thread that received it, under the lock of its core; what the core wants written is
//! appended under the same lock, so that the log has the order of the decisions. That a write is committed comes later,
//! from the partition, into the core's [`Outcomes`]; whoever has or takes the lock then tells the core. Cores that wait
//! for time are woken by [`Groups::run_timers`].

mod settings;
#[cfg(test)]
mod tests;

pub(super) use settings::settings;

use super::clock;
use super::images::Images;
use super::partition::{Partition, Ticket, Waiter};
use arc_swap::ArcSwap;
use bytes::Bytes;
use imbl::HashMap;
use ottla_coordinator::group::{
    CoordinatorRecord, DeletedTopic, Effect, GroupCoordinator, GroupRequest, GroupResponse, Input,
    RequestContext, RequestId, Settings, WriteId,
};
use ottla_coordinator::partition_for;
use ottla_protocol::ErrorCode;
use ottla_protocol::records::BatchBuilder;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet, HashMap as Waiting, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// Name of the topic whose partitions are the coordinators' logs.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Largest size of a batch's records when they are read at load.
const LOAD_BYTES_MAX: u64 = 1 << 30;
/// How much of the log one read takes at load (`offsets.load.buffer.size`'s default).
const LOAD_READ_BYTES: u32 = 5 << 20;

/// What a question to a coordinator gives.
pub enum Asked {
    /// The answer.
    Now(GroupResponse),
    /// The answer when something else has happened: other members, time.
    Later(oneshot::Receiver<GroupResponse>),
}

/// All group coordinators of this broker.
pub struct Groups {
    images: Arc<Images>,
    settings: Settings,
    cores: ArcSwap<HashMap<i32, Arc<Core>>>,
    timers: Timers,
}

/// Deadlines of the cores, earliest first.
#[derive(Default)]
struct Timers {
    due: Mutex<BTreeSet<(i64, i32)>>,
    changed: Notify,
}

/// One core with the partition that is its log.
struct Core {
    partition: Arc<Partition>,
    state: Mutex<State>,
    outcomes: Arc<Outcomes>,
}

/// How the writes of a core ended, in their order, until the core is told.
struct Outcomes {
    core: Weak<Core>,
    groups: Weak<Groups>,
    inputs: Mutex<VecDeque<Input>>,
}

impl Waiter for Outcomes {
    fn ended(&self, ticket: u64, outcome: Result<(), ErrorCode>) {
        let write = WriteId(ticket);
        self.inputs.lock().push_back(match outcome {
            // Kafka's coordinators look at the high watermark alone: what it passed cannot be taken back.
            Ok(()) | Err(ErrorCode::NotEnoughReplicasAfterAppend) => Input::Committed { write },
            Err(error) => Input::Failed { write, error },
        });
    }

    fn wake(&self) {
        if let (Some(groups), Some(core)) = (self.groups.upgrade(), self.core.upgrade()) {
            groups.tell(&core);
        }
    }
}

impl Outcomes {
    fn next(&self) -> Option<Input> {
        self.inputs.lock().pop_front()
    }

    fn is_empty(&self) -> bool {
        self.inputs.lock().is_empty()
    }
}

struct State {
    coordinator: GroupCoordinator,
    waiting: Waiting<RequestId, oneshot::Sender<GroupResponse>>,
    next_request: u64,
    /// The deadline that stands in the timers.
    deadline: Option<i64>,
}

impl Groups {
    /// No coordinators yet.
    pub fn new(images: Arc<Images>, settings: Settings) -> Groups {
        Groups { images, settings, cores: ArcSwap::default(), timers: Timers::default() }
    }

    /// Asks the coordinator of a group.
    pub fn ask(&self, group: &str, context: RequestContext, request: GroupRequest) -> Asked {
        let core = self.partition_of(group).and_then(|index| self.cores.load().get(&index).cloned());
        match core {
            Some(core) => self.ask_core(&core, context, request),
            None => Asked::Now(request.error_response(context.api_version, ErrorCode::NotCoordinator)),
        }
    }

    /// Asks all of them.
    pub fn ask_all(&self, context: &RequestContext, request: &GroupRequest) -> Vec<Asked> {
        let cores = self.cores.load();
        cores.values().map(|core| self.ask_core(core, context.clone(), request.clone())).collect()
    }

    /// The partition of the offsets topic that a group belongs to; nothing while the topic does not exist.
    pub fn partition_of(&self, group: &str) -> Option<i32> {
        let image = self.images.current();
        let count = image.topic_by_name(OFFSETS_TOPIC)?.partitions.len();
        Some(partition_for(group, i32::try_from(count).ok()?))
    }

    /// Whether there is a coordinator of this partition, be it one that is still loading.
    pub(crate) fn has(&self, index: i32) -> bool {
        self.cores.load().contains_key(&index)
    }

    fn ask_core(&self, core: &Core, context: RequestContext, request: GroupRequest) -> Asked {
        let (sender, mut receiver) = oneshot::channel();
        let mut state = core.state.lock();
        let id = RequestId(state.next_request);
        state.next_request += 1;
        state.waiting.insert(id, sender);
        self.step(core, state, Input::Request { id, context, request });
        match receiver.try_recv() {
            Ok(response) => Asked::Now(response),
            Err(_) => Asked::Later(receiver),
        }
    }

    /// Lets a core take in what happened and carries out what follows, until nothing more does.
    fn step(&self, core: &Core, mut state: MutexGuard<'_, State>, input: Input) {
        self.step_locked(core, &mut state, input);
        drop(state);
        self.tell(core);
    }

    /// Tells a core how its writes ended. If somebody else has the core, then that one tells it, when it lets go of it at
    /// the latest.
    fn tell(&self, core: &Core) {
        while !core.outcomes.is_empty() {
            let Some(mut state) = core.state.try_lock() else { return };
            if let Some(input) = core.outcomes.next() {
                self.step_locked(core, &mut state, input);
            }
        }
    }

    fn step_locked(&self, core: &Core, state: &mut State, input: Input) {
        let mut next = Some(input);
        let mut effects = Vec::new();
        while let Some(input) = next {
            state.coordinator.step(clock::now_ms(), input, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Append { write, records } => {
                        let waiter: Arc<dyn Waiter> = Arc::clone(&core.outcomes) as _;
                        core.partition.append(batch(&records), Ticket { waiter, number: write.0 });
                    }
                    Effect::Reply { id, response } => {
                        // The client may be gone; its connection took the receiver with it.
                        state.waiting.remove(&id).map(|sender| sender.send(response).ok());
                    }
                    Effect::Unreadable { offset, reason } => {
                        let partition = core.partition.index;
                        tracing::error!(partition, %offset, reason, "a record of {OFFSETS_TOPIC} cannot be read");
                    }
                }
            }
            next = core.outcomes.next();
        }
        self.timers.move_to(&mut state.deadline, state.coordinator.deadline(), core.partition.index);
    }

    /// This broker leads these partitions of the offsets topic from now on: reads them and serves their groups.
    pub(crate) fn load(self: &Arc<Self>, partitions: Vec<Arc<Partition>>) {
        let mut to_read: BTreeMap<usize, Vec<Arc<Core>>> = BTreeMap::new();
        for partition in partitions {
            let index = partition.index;
            self.unload(index);
            let state = State {
                coordinator: GroupCoordinator::new(self.settings.clone(), super::random::seed()),
                waiting: Waiting::new(),
                next_request: 0,
                deadline: None,
            };
            let core = Arc::new_cyclic(|core| Core {
                partition,
                state: Mutex::new(state),
                outcomes: Arc::new(Outcomes {
                    core: Weak::clone(core),
                    groups: Arc::downgrade(self),
                    inputs: Mutex::default(),
                }),
            });
            self.cores.rcu(|cores| cores.update(index, Arc::clone(&core)));
            // Behind a stuck disk there may be appends that come before.
            if core.partition.is_empty() && !core.partition.is_stuck() {
                self.loaded(&core);
            } else {
                to_read.entry(core.partition.dir().index()).or_default().push(core);
            }
        }
        // So that the metadata thread goes on; until a partition is read, its groups answer that they are loading. One thread
        // for each directory: a disk that does not answer holds up its own.
        to_read.into_values().for_each(|cores| self.read(cores));
    }

    fn read(self: &Arc<Self>, to_read: Vec<Arc<Core>>) {
        let groups = Arc::clone(self);
        let loading = std::thread::Builder::new().name("group-load".into()).spawn(move || {
            for core in to_read {
                if groups.replay(&core) {
                    groups.loaded(&core);
                }
            }
        });
        if let Err(error) = loading {
            tracing::error!(%error, "cannot load groups");
        }
    }

    fn loaded(&self, core: &Core) {
        let state = core.state.lock();
        if self.holds(core) {
            self.step(core, state, Input::Loaded);
        }
    }

    /// Whether this is still the coordinator of its partition: the partition may be let go, or taken anew, while it is
    /// read. Asked under the lock of its state, which [`Groups::unload`] takes only after it has taken it off the list.
    fn holds(&self, core: &Core) -> bool {
        self.cores.load().get(&core.partition.index).is_some_and(|held| std::ptr::eq(&**held, core))
    }

    /// Reads the partition into the coordinator, as far as it is committed when the last of it is; false when it was let go
    /// meanwhile.
    fn replay(&self, core: &Core) -> bool {
        let index = core.partition.index;
        let end = match core.partition.committed() {
            Ok(end) => end,
            Err(error) => {
                tracing::error!(partition = index, %error, "{OFFSETS_TOPIC} cannot be read: it is not committed");
                return false;
            }
        };
        let mut is_held = true;
        let from = core.partition.log_start_offset();
        let read = core.partition.each_batch(from, end, LOAD_READ_BYTES, |batch| {
            if batch.is_control() {
                return ControlFlow::Continue(());
            }
            let mut state = core.state.lock();
            is_held = self.holds(core);
            if !is_held {
                return ControlFlow::Break(());
            }
            match batch.records(LOAD_BYTES_MAX) {
                Ok(records) => {
                    for record in records.iter().flatten() {
                        let input = Input::Replay {
                            offset: record.offset,
                            key: record.key.map(Bytes::copy_from_slice),
                            value: record.value.map(Bytes::copy_from_slice),
                        };
                        self.step_locked(core, &mut state, input);
                    }
                }
                Err(error) => {
                    let offset = batch.base_offset();
                    tracing::error!(partition = index, %offset, %error, "a batch of {OFFSETS_TOPIC} cannot be read");
                }
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = read {
            tracing::error!(partition = index, %error, "{OFFSETS_TOPIC} cannot be read to its end");
        }
        is_held
    }

    /// This broker leads the partition no more.
    pub fn unload(&self, index: i32) {
        if let Some(core) = self.cores.load().get(&index).cloned() {
            self.cores.rcu(|cores| cores.without(&index));
            self.step(&core, core.state.lock(), Input::Unload);
        }
    }

    /// Topics are gone: so are the offsets committed for them.
    pub fn topics_deleted(&self, topics: &[DeletedTopic]) {
        for core in self.cores.load().values() {
            self.step(core, core.state.lock(), Input::TopicsDeleted { topics: topics.to_vec() });
        }
    }

    /// Wakes cores whose time has come. Ends never.
    pub async fn run_timers(&self) {
        loop {
            match self.timers.next() {
                Ok(index) => {
                    if let Some(core) = self.cores.load().get(&index).cloned() {
                        let mut state = core.state.lock();
                        state.deadline = None;
                        self.step(&core, state, Input::Timeout);
                    }
                }
                Err(Some(wait)) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.timers.changed.notified() => {}
                    }
                }
                Err(None) => self.timers.changed.notified().await,
            }
        }
    }
}

impl Timers {
    /// Puts a core's deadline where it belongs.
    fn move_to(&self, current: &mut Option<i64>, deadline: Option<i64>, index: i32) {
        if *current == deadline {
            return;
        }
        let mut due = self.due.lock();
        if let Some(old) = current.take() {
            due.remove(&(old, index));
        }
        if let Some(at) = deadline {
            let is_first = due.first().is_none_or(|(first, _)| at < *first);
            due.insert((at, index));
            if is_first {
                self.changed.notify_one();
            }
        }
        *current = deadline;
    }

    /// The next core that is due, or how long there is none.
    fn next(&self) -> Result<i32, Option<Duration>> {
        let mut due = self.due.lock();
        let Some(&(at, index)) = due.first() else { return Err(None) };
        let wait = at - clock::now_ms();
        if wait > 0 {
            return Err(Some(Duration::from_millis(wait.unsigned_abs())));
        }
        due.pop_first();
        Ok(index)
    }
}

fn batch(records: &[CoordinatorRecord]) -> Vec<u8> {
    let now = clock::now_ms();
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.append(now, Some(&record.key), record.value.as_deref(), &[]);
    }
    builder.build()
}
