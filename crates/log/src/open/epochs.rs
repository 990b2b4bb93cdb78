//! Leader epochs, as the file has them or the batches, and what they say of where the log starts.

use std::io;
use std::sync::Arc;

use ottla_protocol::Offset;

use super::Opening;
use crate::checkpoint;
use crate::epoch_cache::EpochCache;
use crate::error::LogError;
use crate::names;
use crate::segment::Segment;

impl Opening<'_> {
    /// The epochs as the file has them; if it is missing or damaged, as the batches have them.
    pub(crate) fn read_epochs(&mut self, segments: &[Arc<Segment>]) -> Result<EpochCache, LogError> {
        let path = self.options.dir.join(names::LEADER_EPOCH_CHECKPOINT);
        let read = checkpoint::read_epochs(self.context.disk(), &self.options.dir);
        // Batches have epochs: a file without any is one that is missing, or lost its contents.
        let is_empty = |epochs: &EpochCache| epochs.entries().is_empty();
        let is_missing =
            read.as_ref().is_ok_and(is_empty) && segments.iter().any(|segment| segment.size() > 0);
        match read {
            Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                Err(self.dir.io("read", &path)(error))
            }
            Ok(epochs) if !is_missing => {
                self.stored_epochs = epochs.clone();
                self.with_older_epochs(epochs, segments)
            }
            damaged => {
                if let Err(error) = damaged {
                    tracing::warn!(path = %path.display(), %error, "making the epochs of a log anew");
                    self.report.rebuilt_epochs = true;
                }
                let mut epochs = EpochCache::default();
                for segment in segments {
                    segment.headers_from(0, |_, header| {
                        epochs.assign_newer(header.leader_epoch, header.base_offset);
                        Ok(true)
                    })?;
                }
                Ok(epochs)
            }
        }
    }

    /// Adds the epochs of batches before the first one that the file knows: the log's start had moved there, and the
    /// process ended before the checkpoint said so.
    fn with_older_epochs(
        &self,
        epochs: EpochCache,
        segments: &[Arc<Segment>],
    ) -> Result<EpochCache, LogError> {
        let (Some(oldest), Some(first)) = (epochs.entries().first(), segments.first()) else {
            return Ok(epochs);
        };
        let start = self.options.log_start_offset.max(first.base_offset);
        if self.options.was_clean || oldest.start_offset <= start {
            return Ok(epochs);
        }
        let mut all = EpochCache::default();
        for segment in segments.iter().take_while(|segment| segment.base_offset < oldest.start_offset) {
            segment.headers_from(0, |_, header| {
                let is_older = header.base_offset < oldest.start_offset;
                if is_older {
                    all.assign_newer(header.leader_epoch, header.base_offset);
                }
                Ok(is_older)
            })?;
        }
        for entry in epochs.entries() {
            all.assign_newer(entry.epoch, entry.start_offset);
        }
        Ok(all)
    }

    /// Where the log starts. Its oldest epoch begins no earlier than that: what was before was forgotten when the start
    /// moved.
    pub(super) fn log_start_offset(&self, end: Offset) -> Offset {
        let known = self.options.log_start_offset;
        let oldest = self.stored_epochs.entries().first().map(|oldest| oldest.start_offset);
        match oldest.filter(|oldest| self.options.log_start_is_lost && *oldest <= end) {
            Some(oldest) if oldest > known => {
                tracing::warn!(partition = %self.options.topic_partition, %oldest, "taking the log's start from its epochs");
                oldest
            }
            _ => known,
        }
    }
}
