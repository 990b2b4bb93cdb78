//! Sessions as real clients would see them. The answers of the first group are those that Kafka 4.3.1 gave to the same
//! requests.

mod eviction;
mod model;

use std::collections::BTreeMap;

use bytestring::ByteString;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
use ottla_protocol::{ErrorCode, Offset, TopicId, Uuid};

use super::{FetchContext, FetchItem, ReadFacts, SessionCache, SessionCacheConfig, TopicKey};

const NAMES: i16 = 11;
const IDS: i16 = 17;
const T: &str = "t";

/// A broker with topic `t`, whose partitions have records from a log start to a high watermark, and one cache shard.
struct Broker {
    cache: SessionCache,
    now: i64,
    partitions: BTreeMap<i32, (i64, i64)>,
    /// Topic ids that have a name.
    names: BTreeMap<TopicId, ByteString>,
    version: i16,
    replica_id: i32,
}

/// What to fetch: (partition, offset).
type Asked<'a> = &'a [(&'a str, i32, i64)];
/// What was answered: (partition, error, high watermark, has records).
type Told = Vec<(i32, ErrorCode, i64, bool)>;

fn ok(partition: i32, high_watermark: i64, has_records: bool) -> (i32, ErrorCode, i64, bool) {
    (partition, ErrorCode::None, high_watermark, has_records)
}

fn failed(partition: i32, error: ErrorCode) -> (i32, ErrorCode, i64, bool) {
    (partition, error, -1, false)
}

fn id_of(topic: &str) -> TopicId {
    let mut id = [0; 16];
    id[..topic.len()].copy_from_slice(topic.as_bytes());
    Uuid(id)
}

impl Broker {
    fn new(slots_max: usize) -> Broker {
        let config = SessionCacheConfig { slots_max, ..SessionCacheConfig::of_shard(0, 8, 0, 7) };
        Broker {
            cache: SessionCache::new(config),
            now: 1_000_000,
            partitions: (0..3).map(|partition| (partition, (0, 0))).collect(),
            names: BTreeMap::from([(id_of(T), T.into())]),
            version: NAMES,
            replica_id: -1,
        }
    }

    fn produce(&mut self, partition: i32) {
        self.partitions.get_mut(&partition).expect("a partition that is there").1 += 1;
    }

    fn request(&self, session: (i32, i32), asked: Asked<'_>, forgotten: &[(&str, i32)]) -> FetchRequest {
        let topic = |&(topic, partition, fetch_offset): &(&str, i32, i64)| FetchTopic {
            topic: topic.into(),
            topic_id: id_of(topic),
            partitions: vec![FetchPartition { partition, fetch_offset, ..FetchPartition::default() }],
            ..FetchTopic::default()
        };
        let forget = |&(topic, partition): &(&str, i32)| ForgottenTopic {
            topic: topic.into(),
            topic_id: id_of(topic),
            partitions: vec![partition],
            ..ForgottenTopic::default()
        };
        FetchRequest {
            session_id: session.0,
            session_epoch: session.1,
            replica_id: self.replica_id,
            replica_state: ReplicaState { replica_id: self.replica_id, ..ReplicaState::default() },
            topics: asked.iter().map(topic).collect(),
            forgotten_topics_data: forgotten.iter().map(forget).collect(),
            ..FetchRequest::default()
        }
    }

    fn begin(
        &mut self,
        session: (i32, i32),
        asked: Asked<'_>,
        forgotten: &[(&str, i32)],
    ) -> Result<FetchContext, ErrorCode> {
        let request = self.request(session, asked, forgotten);
        let names = &self.names;
        self.cache.begin(self.now, &request, self.version, &|id| names.get(&id).cloned())
    }

    fn read(&self, item: &FetchItem) -> ReadFacts {
        let known =
            (item.topic_name.as_deref() == Some(T)).then(|| self.partitions.get(&item.partition)).flatten();
        let failed = |error| ReadFacts {
            slot: item.slot,
            error,
            high_watermark: Offset::NONE,
            log_start_offset: Offset::NONE,
            has_records: false,
            redirects: false,
        };
        match known {
            None if item.topic_name.is_none() => failed(ErrorCode::UnknownTopicId),
            None => failed(ErrorCode::UnknownTopicOrPartition),
            Some(&(start, end)) if item.fetch_offset.0 < start || item.fetch_offset.0 > end => {
                failed(ErrorCode::OffsetOutOfRange)
            }
            Some(&(start, end)) => ReadFacts {
                high_watermark: Offset(end),
                log_start_offset: Offset(start),
                has_records: item.fetch_offset.0 < end,
                ..failed(ErrorCode::None)
            },
        }
    }

    fn finish(&mut self, mut context: FetchContext) -> (ErrorCode, i32, Told) {
        let is_hosted = |read: &ReadFacts| {
            !matches!(read.error, ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition)
        };
        let all: Vec<ReadFacts> = context.list.iter().map(|item| self.read(item)).collect();
        let (mut facts, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_hosted);
        facts.extend(others);
        let mut named = Vec::new();
        let answer = self.cache.finish(self.now, &mut context, &facts, &mut named);
        self.cache.check();
        let told = named.iter().map(|&slot| {
            let read = facts.iter().find(|read| read.slot == slot).expect("named slots are among the facts");
            let partition = context.list.get(slot).expect("and in the list").partition;
            (partition, read.error, read.high_watermark.0, read.has_records)
        });
        (answer.error, answer.session_id, told.collect())
    }

    fn fetch_forgetting(
        &mut self,
        session: (i32, i32),
        asked: Asked<'_>,
        forgotten: &[(&str, i32)],
    ) -> (ErrorCode, i32, Told) {
        let begun = self.begin(session, asked, forgotten);
        self.cache.check();
        match begun {
            Ok(context) => self.finish(context),
            Err(error) => (error, 0, Vec::new()),
        }
    }

    fn fetch(&mut self, session: (i32, i32), asked: Asked<'_>) -> (ErrorCode, i32, Told) {
        self.fetch_forgetting(session, asked, &[])
    }

    /// A new session with these partitions; its id.
    fn open(&mut self, asked: Asked<'_>) -> i32 {
        let (error, id, _) = self.fetch((0, 0), asked);
        assert_eq!(error, ErrorCode::None);
        id
    }

    fn check(&mut self, session: (i32, i32), asked: Asked<'_>, expected: &[(i32, ErrorCode, i64, bool)]) {
        self.check_forgetting(session, asked, &[], session.0, expected);
    }

    fn check_forgetting(
        &mut self,
        session: (i32, i32),
        asked: Asked<'_>,
        forgotten: &[(&str, i32)],
        answered_id: i32,
        expected: &[(i32, ErrorCode, i64, bool)],
    ) {
        let (error, id, told) = self.fetch_forgetting(session, asked, forgotten);
        assert_eq!((error, id), (ErrorCode::None, answered_id), "epoch {}", session.1);
        assert_eq!(told, expected, "epoch {}", session.1);
    }

    fn check_refused(&mut self, session: (i32, i32), error: ErrorCode) {
        assert_eq!(self.fetch(session, &[]), (error, 0, Vec::new()), "session {session:?}");
    }
}

#[test]
fn idle_session_names_nothing() {
    let mut broker = Broker::new(10);
    let (_, id, told) = broker.fetch((0, 0), &[(T, 0, 0), (T, 1, 0), (T, 2, 0)]);
    assert_ne!(id, 0);
    assert_eq!(told, [ok(0, 0, false), ok(1, 0, false), ok(2, 0, false)]);
    broker.check((id, 1), &[], &[]);
    broker.check((id, 2), &[], &[]);
}

#[test]
fn wrong_epochs_and_ids_are_refused_and_change_nothing() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0)]);
    broker.check((id, 1), &[], &[]);
    broker.check_refused((id, 1), ErrorCode::InvalidFetchSessionEpoch);
    broker.check_refused((id, 3), ErrorCode::InvalidFetchSessionEpoch);
    broker.check_refused((id + 1, 1), ErrorCode::FetchSessionIdNotFound);
    broker.check_refused((0, 5), ErrorCode::FetchSessionIdNotFound);
    broker.check_refused((-5, 5), ErrorCode::FetchSessionIdNotFound);
    broker.check((id, 2), &[], &[]);
}

#[test]
fn partitions_that_gave_records_go_to_the_end() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0), (T, 1, 0), (T, 2, 0)]);
    broker.produce(1);
    broker.check((id, 1), &[], &[ok(1, 1, true)]);
    broker.check((id, 2), &[], &[ok(1, 1, true)]);
    broker.check((id, 3), &[(T, 1, 1)], &[]);
    for partition in 0..3 {
        broker.produce(partition);
    }
    broker.check((id, 4), &[], &[ok(0, 1, true), ok(2, 1, true), ok(1, 2, true)]);
    broker.check((id, 5), &[(T, 0, 1)], &[ok(2, 1, true), ok(1, 2, true)]);
    broker.check((id, 6), &[(T, 1, 2), (T, 2, 1)], &[]);
}

#[test]
fn errors_are_named_each_time_and_their_end_once() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 1, 0), (T, 2, 0)]);
    let out_of_range = failed(2, ErrorCode::OffsetOutOfRange);
    broker.check((id, 1), &[(T, 2, 99)], &[out_of_range]);
    broker.check((id, 2), &[], &[out_of_range]);
    broker.check((id, 3), &[(T, 2, 0)], &[ok(2, 0, false)]);
    broker.check((id, 4), &[], &[]);
    let unknown = failed(9, ErrorCode::UnknownTopicOrPartition);
    broker.check((id, 5), &[(T, 9, 0)], &[unknown]);
    broker.check((id, 6), &[], &[unknown]);
    broker.check_forgetting((id, 7), &[], &[(T, 9)], id, &[]);
    broker.check_forgetting((id, 8), &[], &[(T, 77), ("nix", 0)], id, &[]);
}

#[test]
fn moved_log_start_is_named() {
    let mut broker = Broker::new(10);
    broker.produce(0);
    let id = broker.open(&[(T, 0, 1)]);
    broker.partitions.insert(0, (1, 1));
    broker.check((id, 1), &[], &[ok(0, 1, false)]);
    broker.check((id, 2), &[], &[]);
}

#[test]
fn partition_added_and_forgotten_at_once_is_forgotten() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0), (T, 1, 0)]);
    broker.check_forgetting((id, 1), &[(T, 0, 0)], &[(T, 0)], id, &[]);
    broker.produce(0);
    broker.check((id, 2), &[], &[]);
    broker.check((id, 3), &[(T, 0, 1)], &[ok(0, 1, false)]);
}

#[test]
fn session_without_partitions_ends() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0), (T, 1, 0)]);
    broker.check_forgetting((id, 1), &[], &[(T, 0), (T, 1)], 0, &[]);
    broker.check_refused((id, 2), ErrorCode::FetchSessionIdNotFound);
    // What the request names is read all the same.
    let id = broker.open(&[(T, 0, 0)]);
    broker.check_forgetting((id, 1), &[(T, 0, 0)], &[(T, 0)], 0, &[ok(0, 0, false)]);
    broker.check_refused((id, 2), ErrorCode::FetchSessionIdNotFound);
}

#[test]
fn session_may_begin_empty() {
    let mut broker = Broker::new(10);
    broker.produce(1);
    let id = broker.open(&[]);
    assert_ne!(id, 0);
    broker.check((id, 1), &[(T, 1, 0)], &[ok(1, 1, true)]);
}

#[test]
fn errors_come_last_in_the_order_of_a_new_session() {
    let mut broker = Broker::new(10);
    broker.produce(1);
    let expected = [
        ok(1, 1, true),
        failed(0, ErrorCode::OffsetOutOfRange),
        failed(0, ErrorCode::UnknownTopicOrPartition),
        failed(8, ErrorCode::UnknownTopicOrPartition),
    ];
    let (_, id, told) = broker.fetch((0, 0), &[("nix", 0, 0), (T, 1, 0), (T, 8, 0), (T, 0, 77)]);
    assert_eq!(told, expected);
    broker.check((id, 1), &[], &expected);
}

#[test]
fn request_that_begins_or_ends_a_session_closes_the_one_it_names() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 1, 0)]);
    broker.check_forgetting((id, -1), &[(T, 1, 0)], &[], 0, &[ok(1, 0, false)]);
    broker.check_refused((id, 1), ErrorCode::FetchSessionIdNotFound);
    let old = broker.open(&[(T, 1, 0)]);
    let (_, new, _) = broker.fetch((old, 0), &[(T, 1, 0)]);
    assert!(new != 0 && new != old);
    broker.check_refused((old, 1), ErrorCode::FetchSessionIdNotFound);
    broker.check((new, 1), &[], &[]);
}

#[test]
fn versions_without_sessions_have_none() {
    let mut broker = Broker::new(10);
    broker.version = 6;
    broker.check_forgetting((0, 0), &[(T, 1, 0)], &[], 0, &[ok(1, 0, false)]);
    assert_eq!(broker.cache.metrics().sessions, 0);
}

#[test]
fn partition_named_twice_is_read_once_as_named_last() {
    let mut broker = Broker::new(10);
    broker.produce(1);
    broker.check_forgetting(
        (0, -1),
        &[(T, 1, 0), (T, 2, 0), (T, 1, 1)],
        &[],
        0,
        &[ok(1, 1, false), ok(2, 0, false)],
    );
}

#[test]
fn unknown_topic_ids_are_errors_until_they_get_a_name() {
    let mut broker = Broker::new(10);
    broker.version = IDS;
    broker.names.clear();
    let unknown = failed(1, ErrorCode::UnknownTopicId);
    let (_, id, told) = broker.fetch((0, 0), &[(T, 1, 0)]);
    assert_eq!(told, [unknown]);
    broker.check((id, 1), &[], &[unknown]);
    broker.names.insert(id_of(T), T.into());
    broker.check((id, 2), &[], &[ok(1, 0, false)]);
    // The name stays when the topic goes: then it is the partition that is unknown.
    broker.names.clear();
    broker.check((id, 3), &[], &[]);
}

#[test]
fn session_keeps_to_names_or_to_topic_ids() {
    let mut broker = Broker::new(10);
    for (first, second) in [(IDS, NAMES), (NAMES, IDS)] {
        broker.version = first;
        let id = broker.open(&[(T, 1, 0)]);
        broker.version = second;
        broker.check_refused((id, 1), ErrorCode::FetchSessionTopicIdError);
        broker.version = first;
        broker.check((id, 1), &[], &[]);
    }
}

#[test]
fn epoch_goes_on_at_one_after_the_largest() {
    assert_eq!(super::next_epoch(i32::MAX), 1);
    assert_eq!(super::next_epoch(0), 1);
    assert_eq!(super::next_epoch(-1), -1);
}

#[test]
fn second_request_of_an_epoch_fails_and_the_first_is_answered() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0)]);
    let first = broker.begin((id, 1), &[], &[]).expect("the right epoch");
    assert_eq!(broker.begin((id, 1), &[], &[]).err(), Some(ErrorCode::InvalidFetchSessionEpoch));
    // A reader that did not wait for the answer before its next request.
    let second = broker.begin((id, 2), &[], &[]).expect("the right epoch");
    assert_eq!(broker.finish(first), (ErrorCode::InvalidFetchSessionEpoch, id, vec![]));
    assert_eq!(broker.finish(second), (ErrorCode::None, id, vec![]));
}

#[test]
fn records_of_a_request_whose_session_was_closed_meanwhile_are_answered() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0), (T, 1, 0)]);
    let waiting = broker.begin((id, 1), &[], &[]).expect("the right epoch");
    broker.cache.close(id);
    broker.produce(1);
    assert_eq!(broker.finish(waiting), (ErrorCode::None, id, vec![ok(1, 1, true)]));
    broker.check_refused((id, 2), ErrorCode::FetchSessionIdNotFound);
}

#[test]
fn slots_are_used_again_and_stay_while_their_partition_does() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0), (T, 1, 0), (T, 2, 0)]);
    let slots = |context: &FetchContext| {
        context.list.iter().map(|item| (item.partition, item.slot)).collect::<Vec<_>>()
    };
    let context = broker.begin((id, 1), &[], &[(T, 1)]).expect("the right epoch");
    assert_eq!(slots(&context), [(0, 0), (2, 2)]);
    let context = broker.begin((id, 2), &[("u", 7, 0)], &[]).expect("the right epoch");
    assert_eq!(slots(&context), [(0, 0), (2, 2), (7, 1)]);
    assert_eq!(context.list.get(1).map(|item| &item.topic), Some(&TopicKey::Name("u".into())));
}

#[test]
fn list_in_use_does_not_change_under_the_next_request() {
    let mut broker = Broker::new(10);
    let id = broker.open(&[(T, 0, 0), (T, 1, 0)]);
    let held = broker.begin((id, 1), &[], &[]).expect("the right epoch");
    let next = broker.begin((id, 2), &[(T, 0, 5)], &[(T, 1)]).expect("the right epoch");
    assert_eq!(held.list.iter().map(|item| item.fetch_offset.0).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(next.list.iter().map(|item| item.fetch_offset.0).collect::<Vec<_>>(), [5]);
}
