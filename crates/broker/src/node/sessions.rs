//! The fetch sessions of this broker, in shards so that connections do not wait for each other.

use super::random;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::{ByteString, ErrorCode, TopicId};
use ottla_replica::session::{FetchContext, ReadFacts, SessionAnswer, SessionCache, SessionCacheConfig};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

/// Shards, as many as Kafka has.
const SHARDS: i32 = 8;

/// All fetch sessions.
pub struct FetchSessions {
    shards: Vec<Mutex<SessionCache>>,
    /// The shard that gets the next new session.
    next: AtomicI32,
}

impl FetchSessions {
    /// Room for `slots` sessions (`max.incremental.fetch.session.cache.slots`).
    pub fn new(slots: i32) -> FetchSessions {
        let slots = usize::try_from(slots).unwrap_or(0);
        let shard =
            |shard| SessionCache::new(SessionCacheConfig::of_shard(shard, SHARDS, slots, random::seed()));
        FetchSessions {
            shards: (0..SHARDS).map(|index| Mutex::new(shard(index))).collect(),
            next: AtomicI32::new(0),
        }
    }

    fn shard(&self, index: i32) -> &Mutex<SessionCache> {
        &self.shards[usize::try_from(index).expect("shards count from zero")]
    }

    /// Takes in a request: what to read.
    pub fn begin(
        &self,
        now_ms: i64,
        request: &FetchRequest,
        version: i16,
        name_of: &dyn Fn(TopicId) -> Option<ByteString>,
    ) -> Result<FetchContext, ErrorCode> {
        self.shard(SessionCacheConfig::shard_of(request.session_id, SHARDS))
            .lock()
            .begin(now_ms, request, version, name_of)
    }

    /// Ends a request: what the answer names, and its session.
    pub fn finish(
        &self,
        now_ms: i64,
        context: &mut FetchContext,
        facts: &[ReadFacts],
        named: &mut Vec<u32>,
    ) -> SessionAnswer {
        let shard = match context.session_id() {
            Some(id) => SessionCacheConfig::shard_of(id, SHARDS),
            None => self.next.fetch_add(1, Ordering::Relaxed).rem_euclid(SHARDS),
        };
        self.shard(shard).lock().finish(now_ms, context, facts, named)
    }
}
