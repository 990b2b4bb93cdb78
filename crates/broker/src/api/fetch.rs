//! Fetch (1): record batches from partitions, at once or when there is enough of them.
//!
//! Versions: 4 isolation level (KIP-98) · 5 log start offset · 7 sessions (KIP-227) · 9 leader epochs (KIP-320) · 10 zstd
//! (KIP-110) · 11 racks (KIP-392) · 12 flexible, diverging epochs (KIP-595) · 13 topic ids (KIP-516) · 14 tiered storage
//! (KIP-405) · 15 replica state (KIP-903) · 16 node endpoints (KIP-951) · 17 directory ids (KIP-853) · 18 high watermark.
//!
//! Records leave as regions of segment files: they are never in our memory on the way to a plaintext socket. Those that
//! are not in the page cache are read and verified on another thread before.

use super::call::{Call, Handled, ReplyTo};
use super::table::Entry;
use super::topics::find_partition;
use crate::net::Answer;
use crate::node::clock;
use crate::node::config::Config;
use crate::node::images::Images;
use crate::node::partition::{ReadAsk, ReadOutcome};
use crate::node::partitions::Partitions;
use crate::node::sessions::FetchSessions;
use ottla_log::FileRegion;
use ottla_metadata::{Image, Topic};
use ottla_protocol::codec::Records;
use ottla_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use ottla_protocol::{ApiKey, ByteString, ErrorCode, Offset, Uuid};
use ottla_replica::budget::{FetchBudget, FetchProgress, ReadLimit, effective_min_bytes, is_complete};
use ottla_replica::partition::fetch::{FetchIsolation, check_isolation_level};
use ottla_replica::session::{FetchContext, FetchItem, ReadFacts, TopicKey};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::Fetch,
    handle: |parts, call| handle(call, &parts.images, &parts.partitions, &parts.sessions, &parts.config),
};

fn handle(
    call: &Call,
    images: &Arc<Images>,
    partitions: &Arc<Partitions>,
    sessions: &Arc<FetchSessions>,
    config: &Config,
) -> Handled {
    let request: FetchRequest = call.decode()?;
    if let Err(refusal) = check_isolation_level(request.isolation_level) {
        return call.reply(&FetchResponse { error_code: refusal.error.code(), ..FetchResponse::default() });
    }
    let image = images.current();
    let name_of = |id| image.topic(id).map(|topic| topic.name.clone());
    let context = match sessions.begin(clock::now_ms(), &request, call.version, &name_of) {
        Ok(context) => context,
        Err(error) => {
            return call.reply(&FetchResponse { error_code: error.code(), ..FetchResponse::default() });
        }
    };
    let fetch_max_bytes = config.current().network.fetch_max_bytes;
    let fetching = Fetching {
        reply_to: call.reply_to(),
        images: Arc::clone(images),
        partitions: Arc::clone(partitions),
        sessions: Arc::clone(sessions),
        isolation: FetchIsolation::of(replica_id(&request, call.version), request.isolation_level),
        min_bytes: effective_min_bytes(request.min_bytes, request.max_bytes, fetch_max_bytes),
        fetch_max_bytes,
        request,
        context,
    };
    let read = fetching.read(&image);
    if fetching.is_complete(&read, fetching.request.max_wait_ms) {
        if read.is_cold() {
            return Ok(Answer::later(fetching.answer_checked(read)));
        }
        return Ok(fetching.answer(read));
    }
    Ok(Answer::later(fetching.wait()))
}

fn replica_id(request: &FetchRequest, version: i16) -> i32 {
    if version >= 15 { request.replica_state.replica_id } else { request.replica_id }
}

/// One Fetch from its first look at the partitions to its answer.
struct Fetching {
    reply_to: ReplyTo,
    images: Arc<Images>,
    partitions: Arc<Partitions>,
    sessions: Arc<FetchSessions>,
    isolation: FetchIsolation,
    min_bytes: i32,
    fetch_max_bytes: i32,
    request: FetchRequest,
    context: FetchContext,
}

/// What one look at all partitions gave.
struct Read {
    partitions: Vec<(u32, Result<ReadOutcome, ErrorCode>)>,
    /// Partitions that do not exist: they come last in the answer, and nobody waits less for their sake.
    unknown: Vec<(u32, Result<ReadOutcome, ErrorCode>)>,
    bytes: u64,
}

impl Read {
    /// Whether some of the records have to come from the disk.
    fn is_cold(&self) -> bool {
        let regions =
            self.partitions.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()?.region.as_ref());
        regions.into_iter().any(FileRegion::is_cold)
    }
}

impl Fetching {
    fn read(&self, image: &Image) -> Read {
        let mut budget = FetchBudget::new(self.request.max_bytes, self.fetch_max_bytes);
        let mut partitions = Vec::with_capacity(self.context.list.len());
        let mut unknown = Vec::new();
        for item in self.context.list.iter() {
            let topic = match find(image, item) {
                Ok(topic) => topic,
                Err(error) => {
                    unknown.push((item.slot, Err(error)));
                    continue;
                }
            };
            let limit = budget.next(item.partition_max_bytes);
            let outcome = self.read_one(topic, item, limit);
            if let Ok(outcome) = &outcome {
                budget.took(outcome.region.as_ref().map_or(0, FileRegion::len));
            }
            partitions.push((item.slot, outcome));
        }
        Read { partitions, unknown, bytes: budget.bytes_read() }
    }

    fn read_one(&self, topic: &Topic, item: &FetchItem, limit: ReadLimit) -> Result<ReadOutcome, ErrorCode> {
        let partition = find_partition(&self.partitions, topic, item.partition)?;
        partition.read(&ReadAsk {
            fetch_offset: item.fetch_offset,
            current_leader_epoch: item.current_leader_epoch,
            last_fetched_epoch: item.last_fetched_epoch,
            isolation: self.isolation,
            limit,
        })
    }

    fn is_complete(&self, read: &Read, max_wait_ms: i32) -> bool {
        let progress = FetchProgress {
            partitions: read.partitions.len(),
            bytes_read: read.bytes,
            has_error: read.partitions.iter().any(|(_, outcome)| outcome.is_err()),
            has_diverging_epoch: read
                .partitions
                .iter()
                .any(|(_, outcome)| outcome.as_ref().is_ok_and(|outcome| outcome.diverging.is_some())),
            has_preferred_read_replica: false,
        };
        is_complete(&progress, max_wait_ms, self.min_bytes)
    }

    /// Waits until there is enough, or for `max_wait_ms`.
    async fn wait(self) -> Answer {
        let wait = Duration::from_millis(u64::try_from(self.request.max_wait_ms).unwrap_or(0));
        let deadline = tokio::time::Instant::now() + wait;
        let woken = Arc::new(Notify::new());
        loop {
            let registered = self.register(&woken);
            // What came between the last look and the registration woke nobody.
            let read = self.read(&self.images.current());
            if self.is_complete(&read, self.request.max_wait_ms) {
                return self.answer_checked(read).await;
            }
            let late = tokio::select! {
                () = woken.notified() => false,
                () = tokio::time::sleep_until(deadline) => true,
            };
            drop(registered);
            if late {
                let read = self.read(&self.images.current());
                return self.answer_checked(read).await;
            }
        }
    }

    fn register<'w>(&self, woken: &'w Arc<Notify>) -> Registered<'w> {
        let image = self.images.current();
        let found = self.context.list.iter().filter_map(|item| {
            let topic = find(&image, item).ok()?;
            find_partition(&self.partitions, topic, item.partition).ok()
        });
        let partitions: Vec<_> = found.collect();
        for partition in &partitions {
            partition.waiters.add(woken);
        }
        Registered { partitions, woken }
    }

    /// Answers, with records that have to come from the disk read and compared with their checksums first, off the data
    /// thread: it would have to wait, and what the disk gives is not always what was written.
    async fn answer_checked(self, mut read: Read) -> Answer {
        if !read.is_cold() {
            return self.answer(read);
        }
        let image = self.images.current();
        let mut cold = Vec::new();
        for (at, (slot, outcome)) in read.partitions.iter().enumerate() {
            let Ok(ReadOutcome { region: Some(region), .. }) = outcome else { continue };
            let item = self.context.list.get(*slot).filter(|_| region.is_cold());
            let partition = item.and_then(|item| {
                find_partition(&self.partitions, find(&image, item).ok()?, item.partition).ok()
            });
            cold.extend(partition.map(|partition| (at, partition, region.clone())));
        }
        for (at, partition, region) in cold {
            let checked = tokio::task::spawn_blocking(move || partition.verified(region)).await;
            let (_, outcome) = &mut read.partitions[at];
            match (checked.unwrap_or(Err(ErrorCode::UnknownServerError)), outcome) {
                (Ok(sound), Ok(outcome)) => outcome.region = Some(sound),
                (Err(error), outcome) => *outcome = Err(error),
                (Ok(_), Err(_)) => unreachable!("only regions that were found are checked"),
            }
        }
        self.answer(read)
    }

    fn answer(mut self, read: Read) -> Answer {
        let all = || read.partitions.iter().chain(&read.unknown);
        let facts: Vec<ReadFacts> = all().map(|(slot, outcome)| facts(*slot, outcome)).collect();
        let mut named = Vec::with_capacity(facts.len());
        let answer = self.sessions.finish(clock::now_ms(), &mut self.context, &facts, &mut named);
        let mut response = FetchResponse {
            error_code: answer.error.code(),
            session_id: answer.session_id,
            ..FetchResponse::default()
        };
        let mut regions = Vec::new();
        if answer.error == ErrorCode::None {
            let mut outcomes: HashMap<u32, _> = read.partitions.into_iter().chain(read.unknown).collect();
            for slot in named {
                let (Some(item), Some(outcome)) = (self.context.list.get(slot), outcomes.remove(&slot))
                else {
                    continue;
                };
                let data = partition_data(item.partition, outcome, &mut regions);
                push(&mut response.responses, item, data);
            }
        }
        self.reply_to.with_regions(&response, regions)
    }
}

/// The topic of a partition that exists.
fn find<'i>(image: &'i Image, item: &FetchItem) -> Result<&'i Arc<Topic>, ErrorCode> {
    let topic = match &item.topic {
        TopicKey::Id(id) => image.topic(*id).ok_or(ErrorCode::UnknownTopicId)?,
        TopicKey::Name(name) => image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
    };
    let exists = topic.partitions.contains_key(&item.partition);
    exists.then_some(topic).ok_or(ErrorCode::UnknownTopicOrPartition)
}

/// A fetch in the lists of its partitions; taken out when it is dropped, answered or not.
struct Registered<'w> {
    partitions: Vec<Arc<crate::node::partition::Partition>>,
    woken: &'w Arc<Notify>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.waiters.remove(self.woken);
        }
    }
}

fn facts(slot: u32, outcome: &Result<ReadOutcome, ErrorCode>) -> ReadFacts {
    match outcome {
        Ok(outcome) => ReadFacts {
            slot,
            error: ErrorCode::None,
            high_watermark: outcome.offsets.high_watermark,
            log_start_offset: outcome.offsets.log_start_offset,
            has_records: outcome.region.is_some(),
            redirects: outcome.diverging.is_some(),
        },
        Err(error) => ReadFacts {
            slot,
            error: *error,
            high_watermark: Offset::NONE,
            log_start_offset: Offset::NONE,
            has_records: false,
            redirects: false,
        },
    }
}

fn partition_data(
    partition_index: i32,
    outcome: Result<ReadOutcome, ErrorCode>,
    regions: &mut Vec<FileRegion>,
) -> PartitionData {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            return PartitionData {
                partition_index,
                error_code: error.code(),
                high_watermark: -1,
                // Null where the partition was asked, empty where there is none to ask.
                aborted_transactions: is_unknown(error).then(Vec::new),
                records: Some(Records::default()),
                ..PartitionData::default()
            };
        }
    };
    let aborted = outcome.aborted.map(|aborted| {
        let entry = |(producer_id, first_offset): (ottla_protocol::ProducerId, Offset)| AbortedTransaction {
            producer_id: producer_id.0,
            first_offset: first_offset.0,
            ..AbortedTransaction::default()
        };
        aborted.into_iter().map(entry).collect()
    });
    let diverging = outcome.diverging.map(|end| EpochEndOffset {
        epoch: end.leader_epoch.0,
        end_offset: end.end_offset.0,
        ..EpochEndOffset::default()
    });
    PartitionData {
        partition_index,
        high_watermark: outcome.offsets.high_watermark.0,
        last_stable_offset: outcome.offsets.last_stable_offset.0,
        log_start_offset: outcome.offsets.log_start_offset.0,
        diverging_epoch: diverging.unwrap_or_default(),
        aborted_transactions: aborted,
        records: Some(outcome.region.map_or_else(Records::default, |region| external(region, regions))),
        ..PartitionData::default()
    }
}

/// Whether a partition was not even looked at.
fn is_unknown(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId)
}

fn external(region: FileRegion, regions: &mut Vec<FileRegion>) -> Records {
    let index = u32::try_from(regions.len()).expect("an answer has fewer partitions than that");
    let len = u32::try_from(region.len()).expect("a region is not larger than the request's limit");
    regions.push(region);
    Records::External { index, len }
}

/// Adds a partition to the last topic, or to a new one.
fn push(responses: &mut Vec<FetchableTopicResponse>, item: &FetchItem, data: PartitionData) {
    let (topic, topic_id) = match &item.topic {
        TopicKey::Name(name) => (name.clone(), Uuid::ZERO),
        TopicKey::Id(id) => (ByteString::new(), *id),
    };
    match responses.last_mut() {
        Some(last) if last.topic == topic && last.topic_id == topic_id => last.partitions.push(data),
        _ => responses.push(FetchableTopicResponse {
            topic,
            topic_id,
            partitions: vec![data],
            ..FetchableTopicResponse::default()
        }),
    }
}
