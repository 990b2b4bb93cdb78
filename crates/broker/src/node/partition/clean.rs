//! Compaction of a partition: the facts that the cleaner decides on, and putting in place what it wrote.

use super::Partition;
use ottla_config::TopicSettings;
use ottla_log::LogError;
use ottla_log::cleaner::{
    CleanedSegments, CleanerMemory, Cleaning, CompactionPolicy, CompactionRange, LastRecord, Replaced,
    compaction_range,
};
use ottla_protocol::Offset;
use parking_lot::Mutex;
use std::sync::Arc;

/// How a partition stands with the cleaner.
#[derive(Debug, Default)]
pub(super) struct CleanerState(Mutex<Standing>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// It may be compacted when it is due.
    #[default]
    Free,
    /// A thread is at it.
    InProgress,
    /// It is left alone until then, in milliseconds since 1970.
    Resting(i64),
    /// Compaction met damage. It is left alone until the broker is started again.
    Uncleanable,
}

impl CleanerState {
    /// Keeps the cleaner away for as long as the guard lives; `None` if it is at work.
    pub(super) fn hold_off(&self) -> Option<impl Sized + '_> {
        let standing = self.0.lock();
        (*standing != Standing::InProgress).then_some(standing)
    }
}

impl Partition {
    /// What compacting it now would be about; `None` if it is not to be compacted: not now, or not at all.
    pub(crate) fn compaction_due(self: &Arc<Self>, now_ms: i64) -> Result<Option<CompactionRange>, LogError> {
        let settings = self.settings();
        // The last segment is never compacted.
        if !settings.cleanup_policy.compact || self.reader.load().segment_count() < 2 || !self.is_online() {
            return Ok(None);
        }
        match *self.cleaner.0.lock() {
            Standing::InProgress | Standing::Uncleanable => return Ok(None),
            Standing::Resting(until_ms) if now_ms < until_ms => return Ok(None),
            Standing::Resting(_) | Standing::Free => {}
        }
        // What supersedes a record must be durable before that goes; segments that are done usually are.
        self.flush_if_due(now_ms);
        let (last_stable_offset, flushed_offset, cleaned_to) = {
            let state = self.state.lock();
            (state.offsets().last_stable_offset, state.log.recovery_point(), state.log.cleaned_to())
        };
        let policy = policy(&settings);
        let facts = self.reader.load().compaction_facts(
            &policy,
            last_stable_offset,
            flushed_offset,
            cleaned_to,
            now_ms,
        )?;
        Ok(Some(compaction_range(&facts, &policy, now_ms)).filter(|range| range.is_due(&policy)))
    }

    /// Begins to compact it, if nobody else has.
    pub(crate) fn begin_cleaning(
        &self,
        range: CompactionRange,
        memory: CleanerMemory,
        now_ms: i64,
    ) -> Result<Option<Cleaning>, LogError> {
        let mut standing = self.cleaner.0.lock();
        if matches!(*standing, Standing::InProgress | Standing::Uncleanable) {
            return Ok(None);
        }
        let state = self.state.lock();
        let last_records = state.producers.last_records().map(|(producer_id, last)| {
            let (last_data_offset, producer_epoch) = (last.last_data_offset, last.producer_epoch);
            (producer_id, LastRecord { last_data_offset, producer_epoch })
        });
        let last_records = last_records.collect();
        let policy = policy(&self.settings());
        let cleaning = state.log.prepare_cleaning(range, policy, last_records, memory, now_ms)?;
        *standing = Standing::InProgress;
        Ok(Some(cleaning))
    }

    /// Puts compacted segments in place.
    pub(crate) fn replace_segments(&self, cleaned: CleanedSegments) -> Result<Replaced, LogError> {
        self.state.lock().log.replace_segments(cleaned)
    }

    /// It is compacted up to an offset.
    pub(crate) fn cleaned(&self, end: Offset) {
        self.state.lock().log.set_cleaned_to(end);
    }

    /// A compaction has ended, well or not.
    pub(crate) fn end_cleaning(&self) {
        let mut standing = self.cleaner.0.lock();
        if *standing == Standing::InProgress {
            *standing = Standing::Free;
        }
    }

    /// It is not compacted before `until_ms`.
    pub(crate) fn rest_from_cleaning(&self, until_ms: i64) {
        *self.cleaner.0.lock() = Standing::Resting(until_ms);
    }

    /// It is not compacted any more.
    pub(crate) fn mark_uncleanable(&self) {
        *self.cleaner.0.lock() = Standing::Uncleanable;
    }
}

fn policy(settings: &TopicSettings) -> CompactionPolicy {
    let size = |bytes: i32| u32::try_from(bytes).unwrap_or(0);
    CompactionPolicy {
        min_cleanable_dirty_ratio: settings.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: settings.min_compaction_lag_ms,
        max_compaction_lag_ms: settings.max_compaction_lag_ms,
        delete_retention_ms: settings.delete_retention_ms,
        segment_bytes: size(settings.segment_bytes),
        segment_index_bytes: size(settings.segment_index_bytes),
    }
}
