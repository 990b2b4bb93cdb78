//! The sessions of one shard of the broker: made, continued, closed, pushed out.

use std::collections::{BTreeSet, HashMap};

use bytestring::ByteString;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::{ErrorCode, Offset, TopicId};

use super::list::Index;
use super::merge;
use super::{
    ContextKind, EVICTION_MS, FINAL_EPOCH, FetchContext, FetchList, INITIAL_EPOCH, INVALID_SESSION_ID,
    ReadFacts, SessionAnswer, next_epoch,
};

/// First version with topic ids.
const VERSION_TOPIC_IDS: i16 = 13;
/// First version with sessions.
const VERSION_SESSIONS: i16 = 7;

/// What a shard may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCacheConfig {
    /// Sessions at most.
    pub slots_max: usize,
    /// See [`EVICTION_MS`].
    pub eviction_ms: i64,
    /// Smallest id it gives, at least 1.
    pub first_id: i32,
    /// Largest id it gives.
    pub last_id: i32,
    /// Seed of the ids. They are not secrets, but two runs should not give the same ones.
    pub seed: u64,
}

/// What metrics want to know of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCacheMetrics {
    /// `NumIncrementalFetchSessions`.
    pub sessions: usize,
    /// `NumIncrementalFetchPartitionsCached`.
    pub partitions: usize,
    /// `IncrementalFetchSessionEvictionsPerSec`, as a count.
    pub evictions: u64,
}

/// The fetch sessions of one shard. Shard view; the host keeps each shard behind its own lock and finds it with
/// [`SessionCacheConfig::shard_of`].
#[derive(Clone, Debug)]
pub struct SessionCache {
    config: SessionCacheConfig,
    pub(super) sessions: HashMap<i32, Session>,
    /// By (time of last use, id).
    last_used: BTreeSet<(i64, i32)>,
    /// Sessions that any new one may push out, least valuable first.
    evictable_by_all: BTreeSet<Value>,
    /// Sessions that a follower's new one may push out.
    evictable_by_privileged: BTreeSet<Value>,
    random: u64,
    partitions: usize,
    evictions: u64,
}

/// What a session is worth: followers' more than clients', larger ones more than small ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    privileged: bool,
    size: usize,
    session_id: i32,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    privileged: bool,
    uses_topic_ids: bool,
    created_ms: i64,
    last_used_ms: i64,
    /// The epoch that the next request must have.
    epoch: i32,
    list: FetchList,
    index: Index,
    /// By slot: what the reader was told last.
    told: Vec<Told>,
    /// Some topic id has no name yet.
    has_unresolved: bool,
    /// Partitions when it was last used; what the trees and the count have.
    size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    high_watermark: Offset,
    log_start_offset: Offset,
}

impl Told {
    const NOTHING: Told = Told { high_watermark: Offset::NONE, log_start_offset: Offset::NONE };
}

impl SessionCacheConfig {
    /// The config of one of `shards` shards which together hold `slots_max`
    /// (`max.incremental.fetch.session.cache.slots`).
    pub fn of_shard(shard: i32, shards: i32, slots_max: usize, seed: u64) -> SessionCacheConfig {
        assert!(0 <= shard && shard < shards, "shard {shard} of {shards}");
        let range = i32::MAX / shards;
        SessionCacheConfig {
            slots_max: slots_max / shards as usize,
            eviction_ms: EVICTION_MS,
            first_id: (shard * range).max(1),
            last_id: shard * range + range - 1,
            seed: seed.wrapping_add(shard as u64),
        }
    }

    /// The shard that a session of this id would be in. Any number has one.
    pub fn shard_of(session_id: i32, shards: i32) -> i32 {
        (session_id.max(0) / (i32::MAX / shards)).min(shards - 1)
    }
}

impl SessionCache {
    /// An empty cache.
    pub fn new(config: SessionCacheConfig) -> SessionCache {
        assert!(1 <= config.first_id && config.first_id <= config.last_id, "ids are above 0: {config:?}");
        SessionCache {
            config,
            sessions: HashMap::new(),
            last_used: BTreeSet::new(),
            evictable_by_all: BTreeSet::new(),
            evictable_by_privileged: BTreeSet::new(),
            random: config.seed,
            partitions: 0,
            evictions: 0,
        }
    }

    /// Takes in a request at `now` (milliseconds): what to read. `name_of` gives the name of a topic id in the current
    /// image; it is asked only about ids without a name so far.
    ///
    /// # Errors
    /// The answer's error, to be sent with session id 0 and without partitions: FETCH_SESSION_ID_NOT_FOUND,
    /// INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
    pub fn begin(
        &mut self,
        now: i64,
        request: &FetchRequest,
        version: i16,
        name_of: &dyn Fn(TopicId) -> Option<ByteString>,
    ) -> Result<FetchContext, ErrorCode> {
        let uses_topic_ids = version >= VERSION_TOPIC_IDS;
        let (session_id, epoch) = match version {
            VERSION_SESSIONS.. => (request.session_id, request.session_epoch),
            _ => (INVALID_SESSION_ID, FINAL_EPOCH),
        };
        if epoch != INITIAL_EPOCH && epoch != FINAL_EPOCH {
            return self.continue_session(now, request, session_id, epoch, uses_topic_ids, name_of);
        }
        self.close(session_id);
        let (list, index) = merge::whole(request, uses_topic_ids, name_of);
        let kind = match epoch {
            FINAL_EPOCH => ContextKind::Sessionless,
            _ => ContextKind::Full {
                index,
                uses_topic_ids,
                privileged: merge::is_from_follower(request, version),
            },
        };
        Ok(FetchContext { kind, list })
    }

    /// Ends a request at `now`: `named` gets the slots of the partitions that the answer names, in the order of `facts`.
    ///
    /// `facts` are in the order of the answer: first what was read, errors among it, then what was refused before that
    /// (unknown topics and partitions, no permission). The shard must be that of [`FetchContext::session_id`]; a request
    /// without one may be ended in any shard, and the host should take them in turn, for the new session stays there.
    pub fn finish(
        &mut self,
        now: i64,
        context: &mut FetchContext,
        facts: &[ReadFacts],
        named: &mut Vec<u32>,
    ) -> SessionAnswer {
        named.clear();
        match &mut context.kind {
            ContextKind::Sessionless => {
                named.extend(facts.iter().map(|read| read.slot));
                SessionAnswer { error: ErrorCode::None, session_id: INVALID_SESSION_ID }
            }
            ContextKind::Full { index, uses_topic_ids, privileged } => {
                named.extend(facts.iter().map(|read| read.slot));
                let index = std::mem::take(index);
                let mut list = context.list.clone();
                list.move_to_end(named);
                let session = Session::new(now, *privileged, *uses_topic_ids, list, index, facts);
                SessionAnswer { error: ErrorCode::None, session_id: self.try_insert(now, session) }
            }
            &mut ContextKind::Incremental { session_id, next_epoch } => {
                self.finish_incremental(session_id, next_epoch, facts, named)
            }
        }
    }

    /// Closes a session, if it is there.
    pub fn close(&mut self, session_id: i32) {
        if let Some(session) = self.sessions.remove(&session_id) {
            let value = session.value(session_id);
            self.last_used.remove(&(session.last_used_ms, session_id));
            self.evictable_by_all.remove(&value);
            self.evictable_by_privileged.remove(&value);
            self.partitions -= session.size;
        }
    }

    /// What it holds.
    pub fn metrics(&self) -> SessionCacheMetrics {
        SessionCacheMetrics {
            sessions: self.sessions.len(),
            partitions: self.partitions,
            evictions: self.evictions,
        }
    }

    /// Asserts invariant 5 and that all views of the sessions agree.
    pub fn check(&self) {
        assert!(self.sessions.len() <= self.config.slots_max, "{} sessions", self.sessions.len());
        assert_eq!(self.sessions.len(), self.last_used.len(), "each session has one time of use");
        for (&id, session) in &self.sessions {
            assert!(self.last_used.contains(&(session.last_used_ms, id)), "session {id} has a time of use");
            session.list.check(&session.index);
        }
        let partitions: usize = self.sessions.values().map(|session| session.size).sum();
        assert_eq!(self.partitions, partitions, "partitions are counted");
    }

    fn continue_session(
        &mut self,
        now: i64,
        request: &FetchRequest,
        session_id: i32,
        epoch: i32,
        uses_topic_ids: bool,
        name_of: &dyn Fn(TopicId) -> Option<ByteString>,
    ) -> Result<FetchContext, ErrorCode> {
        let session = self.sessions.get_mut(&session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != uses_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.update(request, name_of);
        if session.list.is_empty() {
            self.close(session_id);
            let (list, _) = merge::whole(request, uses_topic_ids, name_of);
            return Ok(FetchContext { kind: ContextKind::Sessionless, list });
        }
        session.epoch = next_epoch(epoch);
        let context = FetchContext {
            kind: ContextKind::Incremental { session_id, next_epoch: session.epoch },
            list: session.list.clone(),
        };
        self.touch(now, session_id);
        Ok(context)
    }

    fn finish_incremental(
        &mut self,
        session_id: i32,
        next_epoch: i32,
        facts: &[ReadFacts],
        named: &mut Vec<u32>,
    ) -> SessionAnswer {
        let Some(session) = self.sessions.get_mut(&session_id) else {
            // It was closed or pushed out while the request waited. The records are good all the same; the reader
            // learns with its next request.
            named.extend(facts.iter().filter(|read| read.must_be_named()).map(|read| read.slot));
            return SessionAnswer { error: ErrorCode::None, session_id };
        };
        if session.epoch != next_epoch {
            return SessionAnswer { error: ErrorCode::InvalidFetchSessionEpoch, session_id };
        }
        session.tell(facts, named);
        SessionAnswer { error: ErrorCode::None, session_id }
    }

    /// The id of the new session, or 0 if there is no room for it.
    fn try_insert(&mut self, now: i64, session: Session) -> i32 {
        if self.sessions.len() >= self.config.slots_max && !self.try_evict(now, session.value(0)) {
            return INVALID_SESSION_ID;
        }
        let session_id = self.new_id();
        self.last_used.insert((session.last_used_ms, session_id));
        self.partitions += session.size;
        self.sessions.insert(session_id, session);
        self.touch(now, session_id);
        session_id
    }

    /// Makes room for a session of that value: one that was not used for long goes, or one that is worth less.
    fn try_evict(&mut self, now: i64, newcomer: Value) -> bool {
        let Some(&(last_used_ms, oldest)) = self.last_used.first() else { return false };
        let evicted = if now.saturating_sub(last_used_ms) > self.config.eviction_ms {
            oldest
        } else {
            let evictable =
                if newcomer.privileged { &self.evictable_by_privileged } else { &self.evictable_by_all };
            match evictable.first() {
                Some(least) if newcomer >= *least => least.session_id,
                _ => return false,
            }
        };
        self.close(evicted);
        self.evictions += 1;
        true
    }

    /// A session was used. Clients' sessions are a follower's to push out at any time; young ones are safe otherwise.
    fn touch(&mut self, now: i64, session_id: i32) {
        let Some(session) = self.sessions.get_mut(&session_id) else { return };
        let before = session.value(session_id);
        self.last_used.remove(&(session.last_used_ms, session_id));
        self.evictable_by_all.remove(&before);
        self.evictable_by_privileged.remove(&before);
        self.partitions -= session.size;

        session.last_used_ms = now;
        session.size = session.list.len();
        let value = session.value(session_id);
        let is_old = now.saturating_sub(session.created_ms) > self.config.eviction_ms;
        self.last_used.insert((now, session_id));
        self.partitions += session.size;
        if is_old {
            self.evictable_by_all.insert(value);
        }
        if is_old || !session.privileged {
            self.evictable_by_privileged.insert(value);
        }
    }

    fn new_id(&mut self) -> i32 {
        let count = i64::from(self.config.last_id) - i64::from(self.config.first_id) + 1;
        loop {
            let id = self.config.first_id + (next_random(&mut self.random) % count as u64) as i32;
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

impl Session {
    fn new(
        now: i64,
        privileged: bool,
        uses_topic_ids: bool,
        list: FetchList,
        index: Index,
        facts: &[ReadFacts],
    ) -> Session {
        let mut told = vec![Told::NOTHING; list.slots_end()];
        for read in facts {
            told[read.slot as usize] = read.told();
        }
        let has_unresolved = list.iter().any(|item| item.topic_name.is_none());
        let size = list.len();
        let epoch = next_epoch(INITIAL_EPOCH);
        let (created_ms, last_used_ms) = (now, now);
        Session {
            privileged,
            uses_topic_ids,
            created_ms,
            last_used_ms,
            epoch,
            list,
            index,
            told,
            has_unresolved,
            size,
        }
    }

    fn value(&self, session_id: i32) -> Value {
        Value { privileged: self.privileged, size: self.size, session_id }
    }

    /// Takes in what the request changes: partitions named again or anew, and forgotten ones.
    fn update(&mut self, request: &FetchRequest, name_of: &dyn Fn(TopicId) -> Option<ByteString>) {
        merge::named(request, self.uses_topic_ids, name_of, |topic, name, asked| {
            let (slot, added) = self.list.put(&mut self.index, topic, name, asked);
            self.told.resize(self.list.slots_end(), Told::NOTHING);
            if added {
                self.told[slot as usize] = Told::NOTHING;
                self.has_unresolved |= name.is_none();
            }
        });
        self.list.remove(&mut self.index, merge::forgotten(request, self.uses_topic_ids));
        if self.has_unresolved {
            self.has_unresolved = self.list.resolve(name_of);
        }
    }

    fn tell(&mut self, facts: &[ReadFacts], named: &mut Vec<u32>) {
        let mut moved = Vec::new();
        for read in facts {
            let Some(told) = self.told.get_mut(read.slot as usize) else { continue };
            let now = read.told();
            if !read.must_be_named() && *told == now {
                continue;
            }
            // After an error the reader is told again when it is over.
            let high_watermark =
                if read.error == ErrorCode::None { now.high_watermark } else { Offset::NONE };
            *told = Told { high_watermark, ..now };
            named.push(read.slot);
            if read.has_records {
                moved.push(read.slot);
            }
        }
        self.list.move_to_end(&moved);
    }
}

impl ReadFacts {
    fn must_be_named(&self) -> bool {
        self.has_records || self.redirects || self.error != ErrorCode::None
    }

    fn told(&self) -> Told {
        Told { high_watermark: self.high_watermark, log_start_offset: self.log_start_offset }
    }
}

/// SplitMix64.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
