//! Closing a partition: the next start need not look into its log then.

use super::Partition;
use ottla_log::LogError;
use ottla_protocol::Offset;
use ottla_protocol::records::producer_snapshot;

impl Partition {
    /// Whether closing it has anything to do.
    pub(in crate::node) fn has_changed(&self) -> bool {
        let state = self.state.lock();
        state.log.has_changed() || state.lacks_snapshot() || self.moving.load().is_some()
    }

    /// Makes everything durable.
    pub fn close(&self, now_ms: i64) -> Result<(), LogError> {
        self.close_copy(now_ms);
        let mut state = self.state.lock();
        state.write_last_snapshot(true)?;
        state.log.flush(now_ms)?;
        state.log.close()
    }

    /// Writes everything, for the page cache to keep.
    pub(in crate::node) fn write_out(&self, now_ms: i64) -> Result<(), LogError> {
        self.close_copy(now_ms);
        let mut state = self.state.lock();
        state.write_last_snapshot(false)?;
        state.log.write_out()
    }

    fn close_copy(&self, now_ms: i64) {
        if let Err(error) = self.close_move(now_ms) {
            tracing::warn!(%error, "cannot close the copy of a log that is being moved; it is begun anew");
        }
    }

    /// The file system has been synced since everything was written.
    pub(in crate::node) fn written_out_is_durable(&self) {
        self.state.lock().log.written_out_is_durable();
    }
}

impl super::State {
    fn lacks_snapshot(&self) -> bool {
        let end_offset = self.log.log_end_offset();
        end_offset > Offset(0) && self.log.snapshots().last() != Some(end_offset)
    }

    /// Keeps what the producers had done, so that nobody has to read it from the log.
    fn write_last_snapshot(&mut self, sync: bool) -> Result<(), LogError> {
        if !self.lacks_snapshot() {
            return Ok(());
        }
        let snapshot = producer_snapshot::encode(&self.producers.snapshot());
        self.log.write_snapshot(self.log.log_end_offset(), &snapshot, sync)
    }
}
