//! When to write a snapshot, and what can be deleted once there is one (KIP-630).

use ottla_protocol::{LeaderEpoch, Offset};
use std::collections::BTreeMap;

/// Name of a snapshot: which part of the log it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// Offset after the last record in it.
    pub end_offset: Offset,
    /// Epoch of that record.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The bootstrap checkpoint of a new quorum: it holds nothing but the first voters.
    pub const BOOTSTRAP: SnapshotId = SnapshotId { end_offset: Offset(0), epoch: LeaderEpoch(0) };
}

/// A snapshot on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name.
    pub id: SnapshotId,
    /// Its size.
    pub bytes: u64,
    /// Time of the last record in it, as its header has it.
    pub last_contained_log_timestamp: i64,
}

/// When snapshots are due and how long they are kept; Kafka's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub max_record_bytes_between_snapshots: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 is "never because of time".
    pub max_snapshot_interval_ms: i64,
    /// `metadata.max.retention.bytes`; negative is "no limit".
    pub max_retention_bytes: i64,
    /// `metadata.max.retention.ms`; negative is "no limit".
    pub max_retention_ms: i64,
}

/// The snapshots and what has happened since the last one.
#[derive(Debug)]
pub(crate) struct Snapshots {
    settings: SnapshotSettings,
    files: BTreeMap<SnapshotId, SnapshotFile>,
    /// The snapshot being written.
    writing: Option<SnapshotId>,
    /// Bytes of batches applied since the last snapshot was begun.
    bytes_since: u64,
    /// When the last snapshot was begun, or the node was started.
    since: i64,
}

impl Snapshots {
    pub(crate) fn new(settings: SnapshotSettings, now: i64, files: Vec<SnapshotFile>) -> Snapshots {
        let files = files.into_iter().map(|file| (file.id, file)).collect();
        Snapshots { settings, files, writing: None, bytes_since: 0, since: now }
    }

    /// The newest one.
    pub(crate) fn latest(&self) -> Option<SnapshotId> {
        self.files.keys().next_back().copied()
    }

    /// Whether a snapshot of what was just applied is to be written. Time alone never is a reason: there must be
    /// something new in it.
    pub(crate) fn on_applied(&mut self, now: i64, end: SnapshotId, bytes: u64) -> Option<SnapshotId> {
        self.bytes_since = self.bytes_since.saturating_add(bytes);
        let interval = self.settings.max_snapshot_interval_ms;
        let is_due = self.bytes_since >= self.settings.max_record_bytes_between_snapshots
            || (interval > 0 && now - self.since >= interval);
        if !is_due || bytes == 0 || self.writing.is_some() || self.latest() >= Some(end) {
            return None;
        }
        self.bytes_since = 0;
        self.since = now;
        self.writing = Some(end);
        Some(end)
    }

    pub(crate) fn on_written(&mut self, file: SnapshotFile) {
        self.writing = None;
        self.files.insert(file.id, file);
    }

    pub(crate) fn on_failed(&mut self, id: SnapshotId) {
        assert_eq!(self.writing, Some(id), "only the snapshot being written can fail");
        self.writing = None;
    }

    /// Which snapshots are too many, and where the log begins without them. One always stays, and the oldest that stays
    /// is where the log begins.
    pub(crate) fn clean(&mut self, now: i64, log_bytes: u64) -> Option<(Offset, Vec<SnapshotId>)> {
        let files: Vec<SnapshotFile> = self.files.values().copied().collect();
        let mut total = files.iter().map(|file| file.bytes).fold(log_bytes, u64::saturating_add);
        let mut kept = files.as_slice();
        while let [oldest, rest @ ..] = kept
            && !rest.is_empty()
            && (self.is_over_size(total) || self.expires_at(oldest).is_some_and(|at| now >= at))
        {
            total -= oldest.bytes;
            kept = rest;
        }
        let deleted: Vec<SnapshotId> = files[..files.len() - kept.len()].iter().map(|file| file.id).collect();
        let log_start_offset = kept.first()?.id.end_offset;
        self.files.retain(|id, _| !deleted.contains(id));
        (!deleted.is_empty()).then_some((log_start_offset, deleted))
    }

    /// When [`Snapshots::clean`] finds something next if nothing happens before.
    pub(crate) fn next_clean(&self) -> Option<i64> {
        let oldest = self.files.values().next().filter(|_| self.files.len() > 1)?;
        self.expires_at(oldest)
    }

    fn is_over_size(&self, total: u64) -> bool {
        u64::try_from(self.settings.max_retention_bytes).is_ok_and(|max| total > max)
    }

    fn expires_at(&self, file: &SnapshotFile) -> Option<i64> {
        let retention = self.settings.max_retention_ms;
        (retention >= 0)
            .then(|| file.last_contained_log_timestamp.saturating_add(retention).saturating_add(1))
    }
}
