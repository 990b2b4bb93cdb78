//! Closing a log: its files become what the next process expects.
//!
//! One log at a time waits for the disk several times. Where thousands have changed, all of them
//! [write](Log::write_out) what they have, the [whole file system is synced](crate::disk::Disk::sync_all) once, and all of
//! them [take note](Log::written_out_is_durable) of it.

use crate::checkpoint;
use crate::error::LogError;
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::Log;

impl Log {
    /// Whether the files are not what the next process expects: something is to be written, or only the page cache has
    /// it.
    pub fn has_changed(&self) -> bool {
        let durable = &self.durable;
        !durable.is_untouched
            && (self.log_end_offset() > durable.recovery_point
                || durable.names_changed
                || durable.epochs_changed
                || self.active.is_changed
                || self.active.is_ragged)
    }

    /// Makes the files what the next process expects, durably. Call [`flush`](Log::flush) before it; an error leaves
    /// the log as it is, to be recovered when it is opened again.
    ///
    /// # Errors
    /// What the disk says.
    pub fn close(&mut self) -> Result<(), LogError> {
        self.check_online()?;
        if self.durable.is_untouched {
            return Ok(());
        }
        self.finish_active(true)?;
        self.write_epochs(true)?;
        if std::mem::take(&mut self.durable.names_changed) {
            self.sync_names()?;
        }
        self.close_files();
        Ok(())
    }

    /// Makes the files what the next process expects, for the page cache to keep.
    ///
    /// # Errors
    /// What the disk says; the log is to be recovered then.
    pub fn write_out(&mut self) -> Result<(), LogError> {
        self.check_online()?;
        if self.durable.is_untouched {
            return Ok(());
        }
        let segments = self.segments();
        let (_, done) = segments.split_last().expect("a log has a segment");
        let recovery_point = self.durable.recovery_point;
        let from = self.durable.indexes_behind.map_or(recovery_point, |behind| behind.min(recovery_point));
        let first = done.partition_point(|segment| segment.base_offset <= from);
        for segment in &done[first.saturating_sub(1)..] {
            let files = &segment.files;
            segment.offset_index.finish(files, false).map_err(files.io("write", OffsetEntry::KIND))?;
            segment.time_index.finish(files, false).map_err(files.io("write", TimeEntry::KIND))?;
        }
        self.finish_active(false)?;
        self.write_epochs(false)?;
        self.close_files();
        Ok(())
    }

    /// The file system has been synced since [`write_out`](Log::write_out), and nothing was appended meanwhile.
    pub fn written_out_is_durable(&mut self) {
        let end_offset = self.log_end_offset();
        let durable = &mut self.durable;
        durable.recovery_point = durable.recovery_point.max(end_offset);
        durable.indexes_behind = None;
        durable.names_changed = false;
        durable.dir_made = false;
        durable.topic_id_written = false;
    }

    fn close_files(&self) {
        for segment in self.segments().iter() {
            segment.files.close();
        }
    }

    fn write_epochs(&mut self, sync: bool) -> Result<(), LogError> {
        if !std::mem::take(&mut self.durable.epochs_changed) {
            return Ok(());
        }
        let epochs = self.epochs();
        let dir = self.dir();
        checkpoint::write_epochs(self.context.disk(), &dir, &epochs, sync).map_err(|error| {
            self.durable.epochs_changed = true;
            self.shared.dir.io("write the epochs in", &dir)(error)
        })?;
        self.durable.names_changed = true;
        Ok(())
    }
}
