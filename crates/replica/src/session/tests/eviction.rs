//! Which sessions give way to which.

use super::super::EVICTION_MS;
use super::*;

/// Opens a session of so many partitions; 0 if it was refused.
fn open(broker: &mut Broker, partitions: i32) -> i32 {
    let asked: Vec<_> = (0..partitions).map(|partition| (T, partition, 0)).collect();
    broker.open(&asked)
}

fn is_open(broker: &Broker, id: i32) -> bool {
    broker.cache.sessions.contains_key(&id)
}

#[test]
fn full_cache_refuses_sessions_but_answers() {
    let mut broker = Broker::new(1);
    let id = open(&mut broker, 1);
    let (error, refused, told) = broker.fetch((0, 0), &[(T, 0, 0), (T, 1, 0)]);
    assert_eq!((error, refused, told.len()), (ErrorCode::None, 0, 2));
    assert!(is_open(&broker, id));
    assert_eq!(open(&mut Broker::new(0), 1), 0);
}

#[test]
fn session_that_is_not_used_gives_way() {
    let mut broker = Broker::new(2);
    let (unused, used) = (open(&mut broker, 3), open(&mut broker, 1));
    broker.now += EVICTION_MS;
    broker.check((used, 1), &[], &[]);
    assert_eq!(open(&mut broker, 3), 0, "not yet");
    broker.now += 1;
    assert_ne!(open(&mut broker, 1), 0);
    assert!(!is_open(&broker, unused) && is_open(&broker, used));
    assert_eq!(broker.cache.metrics().evictions, 1);
}

#[test]
fn old_session_gives_way_to_one_that_is_not_smaller() {
    let mut broker = Broker::new(1);
    let old = open(&mut broker, 2);
    broker.now += EVICTION_MS + 1;
    broker.check((old, 1), &[], &[]);
    assert_eq!(open(&mut broker, 1), 0, "smaller");
    assert_eq!(open(&mut broker, 2), 0, "as large: ids break the tie for the session that is there");
    assert_ne!(open(&mut broker, 3), 0);
    assert!(!is_open(&broker, old));
}

#[test]
fn followers_push_out_clients_at_any_time_and_never_the_other_way() {
    let mut broker = Broker::new(1);
    let client = open(&mut broker, 3);
    broker.replica_id = 5;
    let follower = open(&mut broker, 1);
    assert!(follower != 0 && !is_open(&broker, client));
    assert_eq!(open(&mut broker, 3), 0, "a young follower is safe from followers");
    broker.now += EVICTION_MS + 1;
    broker.version = NAMES;
    broker.check((follower, 1), &[], &[]);
    broker.replica_id = -1;
    assert_eq!(open(&mut broker, 3), 0, "clients do not push out followers");
    broker.replica_id = 5;
    assert_ne!(open(&mut broker, 3), 0);
}

#[test]
fn metrics_count_sessions_and_partitions() {
    let mut broker = Broker::new(9);
    let id = open(&mut broker, 3);
    open(&mut broker, 2);
    broker.check_forgetting((id, 1), &[], &[(T, 0)], id, &[]);
    let metrics = broker.cache.metrics();
    assert_eq!((metrics.sessions, metrics.partitions), (2, 4));
    broker.cache.close(id);
    assert_eq!(broker.cache.metrics().partitions, 2);
}

#[test]
fn ids_are_of_the_shard() {
    for shard in 0..8 {
        let mut broker = Broker::new(9);
        broker.cache = SessionCache::new(SessionCacheConfig::of_shard(shard, 8, 64, 3));
        for _ in 0..8 {
            let id = open(&mut broker, 1);
            assert!(id > 0 && SessionCacheConfig::shard_of(id, 8) == shard, "{id} in shard {shard}");
        }
        assert_eq!(open(&mut broker, 1), 0, "an eighth of the slots");
    }
    for id in [i32::MIN, -1, 0, 1, i32::MAX] {
        assert!((0..8).contains(&SessionCacheConfig::shard_of(id, 8)));
    }
}
