//! Opening a partition: its log, and what its producers had done.

use super::clean::CleanerState;
use super::commit::Waits;
use super::flush::{FlushState, flushed_offset};
use super::{Partition, State};
use crate::node::dormant::Place;
use crate::node::log_dirs::LogDirs;
use crate::node::waiters::Waiters;
use arc_swap::{ArcSwap, ArcSwapOption};
use ottla_config::{BrokerSettings, TopicSettings};
use ottla_log::{AbortedTxn, Log, LogConfig, LogError, TopicPartition};
use ottla_protocol::records::control::EndTransactionMarker;
use ottla_protocol::records::{RecordBatch, producer_snapshot};
use ottla_protocol::{BrokerId, Offset};
use ottla_replica::partition::{self as replica, FlushAcksAll, LogOffsets};
use ottla_replica::producer::{BatchFacts, CompletedTransaction, ProducerState};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;

/// Largest control batch that is looked into; they have one small record.
const CONTROL_BYTES_MAX: u64 = 1 << 16;

impl Partition {
    /// Opens the partition's log where it is, or begins a new one there.
    pub(in crate::node) fn open_at(
        log_dirs: &LogDirs,
        broker: &BrokerSettings,
        node_id: BrokerId,
        place: &Place,
        settings: Arc<TopicSettings>,
        now_ms: i64,
    ) -> Result<Partition, LogError> {
        let Place { topic, topic_id, index, located } = place;
        let topic_partition = TopicPartition::new(&**topic, *index);
        let opened =
            log_dirs.open_located(topic_partition, *topic_id, located, log_config(&settings), now_ms)?;
        let mut log = opened.log;
        let expiration_ms = broker.log.producer_id_expiration_ms.into();
        let mut producers = read_producers(&mut log, opened.replay_from, now_ms, expiration_ms)?;
        producers.on_high_watermark(opened.high_watermark);
        let offsets = LogOffsets {
            log_start_offset: log.log_start_offset(),
            log_end_offset: log.log_end_offset(),
            flushed_offset: flushed_offset(&log),
            high_watermark: opened.high_watermark,
        };
        let replica = replica::Partition::new(node_id, replica_settings(&settings, broker), offsets);
        let state = State {
            log,
            replica,
            producers,
            effects: Vec::new(),
            flushed_offset: offsets.flushed_offset,
            wants_flush: false,
            has_moved: false,
            is_deleted: false,
        };
        Ok(Partition {
            topic: topic.clone(),
            topic_id: *topic_id,
            index: *index,
            dir: ArcSwap::new(opened.dir),
            waiters: Waiters::default(),
            waits: Waits::default(),
            flush: FlushState::default(),
            settings: ArcSwap::new(settings),
            reader: ArcSwap::from_pointee(state.log.reader()),
            moving: ArcSwapOption::empty(),
            cleaner: CleanerState::default(),
            news: Mutex::default(),
            view: RwLock::new(state.view()),
            state: Mutex::new(state),
        })
    }
}

/// The producers' state: the newest snapshot that can be read, and the batches after it. Transactions that were aborted
/// after `replay_from`, if there is such an offset, are noted again.
fn read_producers(
    log: &mut Log,
    replay_from: Option<Offset>,
    now_ms: i64,
    expiration_ms: i64,
) -> Result<ProducerState, LogError> {
    let mut producers = ProducerState::new(log.log_start_offset());
    let at_most = replay_from.unwrap_or(log.log_end_offset());
    while let Some((offset, bytes)) = log.latest_snapshot(at_most)? {
        match producer_snapshot::decode(&bytes) {
            Ok(entries) => {
                producers.load(offset, &entries, now_ms, expiration_ms);
                break;
            }
            Err(error) => {
                tracing::warn!(partition = %log.topic_partition(), %offset, %error, "a producer snapshot is damaged");
                log.remove_snapshot(offset)?;
            }
        }
    }
    let from = producers.end_offset();
    let mut aborted = Vec::new();
    if from < log.log_end_offset() {
        log.replay(from, |batch| {
            let header = &batch.header;
            let facts = BatchFacts::of_header(header, marker_of(batch.control.as_deref()));
            let ended = producers.appended(&facts, header.base_offset, header.max_timestamp);
            aborted.extend(ended.filter(|ended| ended.is_aborted));
            Ok(())
        })?;
    }
    for transaction in aborted {
        log.append_aborted_txn(&index_entry(&transaction))?;
    }
    producers.remove_expired(now_ms, expiration_ms);
    Ok(producers)
}

/// The marker in a control batch, if it is one that ends a transaction and can be read.
fn marker_of(control: Option<&[u8]>) -> Option<EndTransactionMarker> {
    let batch = RecordBatch::first(control?).ok()?;
    let records = batch.records(CONTROL_BYTES_MAX).ok()?;
    let record = records.iter().next()?.ok()?;
    EndTransactionMarker::read(record.key, record.value).ok()?
}

fn index_entry(transaction: &CompletedTransaction) -> AbortedTxn {
    AbortedTxn {
        producer_id: transaction.producer_id,
        first_offset: transaction.first_offset,
        last_offset: transaction.last_offset,
        last_stable_offset: transaction.last_stable_offset,
    }
}

/// A topic's settings as its logs want them.
pub(super) fn log_config(settings: &TopicSettings) -> LogConfig {
    let size = |bytes: i32| u32::try_from(bytes).unwrap_or(0);
    LogConfig {
        segment_bytes: size(settings.segment_bytes),
        segment_ms: settings.segment_ms,
        segment_jitter_ms: settings.segment_jitter_ms,
        segment_index_bytes: size(settings.segment_index_bytes),
        index_interval_bytes: size(settings.index_interval_bytes),
        flush_messages: settings.flush_messages,
        flush_ms: settings.flush_ms,
        compact: settings.cleanup_policy.compact,
    }
}

/// A topic's and the broker's settings as the replica wants them. `flush.messages=1` means in Kafka that nothing counts
/// before it is flushed, whoever else has it.
pub(super) fn replica_settings(settings: &TopicSettings, broker: &BrokerSettings) -> replica::Settings {
    replica::Settings {
        min_insync_replicas: settings.min_insync_replicas,
        flush_acks_all: match broker.log.flush_acks_all {
            _ if settings.flush_messages == 1 => FlushAcksAll::Always,
            ottla_config::FlushAcksAll::Auto => FlushAcksAll::Auto,
            ottla_config::FlushAcksAll::Always => FlushAcksAll::Always,
            ottla_config::FlushAcksAll::Never => FlushAcksAll::Never,
        },
        replica_lag_time_max_ms: broker.replication.lag_time_max_ms,
    }
}
