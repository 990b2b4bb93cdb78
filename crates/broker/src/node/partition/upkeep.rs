//! What happens to a partition by the clock, by configuration and at its end.

use super::open::{log_config, replica_settings};
use super::{Partition, State, clock};
use ottla_config::{BrokerSettings, TopicSettings};
use ottla_log::{DeletedLog, DeletedSegments, LogError, RetentionPolicy, deletable_segments};
use ottla_protocol::{ErrorCode, Offset, Uuid};
use ottla_replica::partition::{Input, Registration};
use std::sync::Arc;

/// What checkpoint files say about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    /// Everything before it is on disk.
    pub recovery_point: Offset,
    /// First offset that may be read.
    pub log_start_offset: Offset,
    /// Everything before it is committed.
    pub high_watermark: Offset,
    /// Up to where it is compacted, if it ever was.
    pub cleaned_to: Option<Offset>,
}

/// What the partition has not been told yet.
#[derive(Default)]
pub(super) struct News {
    registration: Option<Registration>,
    settings: Option<(Arc<TopicSettings>, Arc<BrokerSettings>)>,
}

impl Partition {
    /// The metadata has the partition like this now. Behind an append that hangs it is told of that in its turn: who tells
    /// has others to tell.
    pub(in crate::node) fn register_in_turn(self: &Arc<Self>, registration: Registration) {
        self.tell_in_turn(|news| news.registration = Some(registration));
    }

    /// The topic's or the broker's configuration changed; told like that.
    pub(in crate::node) fn configure_in_turn(
        self: &Arc<Self>,
        settings: Arc<TopicSettings>,
        broker: Arc<BrokerSettings>,
    ) {
        self.tell_in_turn(|news| news.settings = Some((settings, broker)));
    }

    /// Only the newest waits for the disk, in the turn of the oldest: however long that hangs, it is one for each partition.
    fn tell_in_turn(self: &Arc<Self>, note: impl FnOnce(&mut News)) {
        let dir = self.dir();
        let waits_already = {
            let mut news = self.news.lock();
            let waits_already = news.is_some();
            note(news.get_or_insert_default());
            waits_already
        };
        if waits_already && dir.is_stuck() {
            return;
        }
        let this = Arc::clone(self);
        dir.when_not_stuck(move || this.hear());
    }

    fn hear(self: &Arc<Self>) {
        let Some(News { registration, settings }) = self.news.lock().take() else { return };
        if let Some(registration) = registration {
            self.register(registration, clock::now_ms());
        }
        if let Some((settings, broker)) = settings {
            self.configure(settings, &broker, clock::now_ms());
        }
    }

    /// The topic's or the broker's configuration changed.
    pub fn configure(self: &Arc<Self>, settings: Arc<TopicSettings>, broker: &BrokerSettings, now_ms: i64) {
        self.locked(|state| {
            state.log.set_config(log_config(&settings));
            let replica = replica_settings(&settings, broker);
            self.step(state, now_ms, Input::SettingsChanged(replica));
            self.settings.store(settings);
        });
    }

    /// Deletes segments that are too old or too many. Their files are still there, renamed.
    pub fn enforce_retention(self: &Arc<Self>, now_ms: i64) -> Result<DeletedSegments, LogError> {
        if !self.is_online() {
            return Ok(DeletedSegments::default());
        }
        let settings = self.settings();
        let policy = RetentionPolicy {
            delete: settings.cleanup_policy.delete,
            retention_ms: settings.retention_ms,
            retention_bytes: settings.retention_bytes,
        };
        self.locked(|state| self.delete_segments(state, &policy, now_ms))
    }

    fn delete_segments(
        &self,
        state: &mut State,
        policy: &RetentionPolicy,
        now_ms: i64,
    ) -> Result<DeletedSegments, LogError> {
        let facts = state.log.segment_facts()?;
        let (start, high_watermark) = (state.log.log_start_offset(), state.replica.high_watermark());
        let count = deletable_segments(&facts, policy, start, high_watermark, now_ms);
        if count == 0 {
            return Ok(DeletedSegments::default());
        }
        if count >= facts.len() {
            state.roll(now_ms)?;
        }
        let deleted = state.log.delete_segments(count, now_ms)?;
        let log_start_offset = state.log.log_start_offset();
        state.producers.advance_start(log_start_offset);
        self.step(state, now_ms, Input::LogStartAdvanced { log_start_offset });
        tracing::info!(topic = %self.topic, partition = self.index, count, %log_start_offset, "deleted old segments");
        Ok(deleted)
    }

    /// Forgets producers that have been silent for `expiration_ms`.
    pub fn forget_producers(&self, now_ms: i64, expiration_ms: i64) {
        self.state.lock().producers.remove_expired(now_ms, expiration_ms);
    }

    /// What the checkpoint files say about it.
    pub fn checkpointed(&self) -> Checkpointed {
        let state = self.state.lock();
        Checkpointed {
            recovery_point: state.log.recovery_point(),
            log_start_offset: state.log.log_start_offset(),
            high_watermark: state.replica.high_watermark(),
            cleaned_to: state.log.cleaned_to(),
        }
    }

    /// Takes the partition's directory away. Reads that are under way go on.
    pub fn delete(&self, unique: Uuid) -> Result<DeletedLog, LogError> {
        let (deleted, told) = {
            let mut state = self.state.lock();
            let deleted = state.log.delete(u128::from_be_bytes(unique.0));
            state.is_deleted |= deleted.is_ok();
            (deleted, self.waits.fail(ErrorCode::UnknownTopicOrPartition))
        };
        for waiter in told {
            waiter.wake();
        }
        self.waiters.wake();
        deleted
    }
}
