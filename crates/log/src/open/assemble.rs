//! The log, made of what was found.

use std::sync::Arc;

use ottla_protocol::{Offset, TopicId};
use parking_lot::RwLock;

use super::Opening;
use crate::append::{jitter, make_missing, tell_ends};
use crate::error::LogError;
use crate::file_cache::SegmentFiles;
use crate::log::{Active, Durable, Log, Shared, View};
use crate::names;
use crate::segment::Segment;

impl Opening<'_> {
    pub(super) fn assemble(
        &mut self,
        mut segments: Vec<Arc<Segment>>,
        topic_id: Option<TopicId>,
    ) -> Result<Log, LogError> {
        let options = self.options;
        let mut epochs = match self.epochs.take() {
            Some(epochs) => epochs,
            None => self.read_epochs(&segments)?,
        };
        let mut names_changed = false;
        let mut end = options.log_start_offset;
        let mut first_timestamp = None;
        if let Some(last) = segments.last() {
            (end, first_timestamp) = match self.recovered_end {
                Some(found) => found,
                None => last.prepare_for_append()?,
            };
        }
        let stepped = self.step_over_damaged_end(&mut segments, end)?;
        if stepped > end {
            (end, first_timestamp) = (stepped, None);
            names_changed = true;
        }
        if end < options.log_start_offset {
            tracing::warn!(
                partition = %options.topic_partition,
                %end,
                log_start_offset = %options.log_start_offset,
                "the log ends before its start, beginning it anew there"
            );
            self.remove_segments(options.log_start_offset, &segments)?;
            segments.clear();
            epochs.clear();
            end = options.log_start_offset;
            first_timestamp = None;
            names_changed = true;
        }
        let is_untouched = segments.is_empty() && end == Offset(0) && self.snapshots.is_empty();
        if segments.is_empty() {
            let segment = Segment::empty(SegmentFiles::new(self.context.clone(), self.dir.clone(), end));
            // The place of an empty log that does not begin at 0 is known from its file alone.
            if end > Offset(0) {
                make_missing(&segment)?;
                names_changed = true;
            }
            segments.push(Arc::new(segment));
        }
        epochs.truncate_from_end(end);
        let log_start_offset = self.log_start_offset(end);
        epochs.truncate_from_start(log_start_offset);
        self.remove_stray_snapshots(&segments, end)?;
        if end < options.recovery_point && !options.was_clean {
            tracing::warn!(
                partition = %options.topic_partition,
                %end,
                recovery_point = %options.recovery_point,
                "the log ends before what was flushed"
            );
            self.report.missing_before = Some(options.recovery_point);
        }
        let segment = segments[segments.len() - 1].clone();
        let recovery_point = if options.was_clean { end } else { options.recovery_point.min(end) };
        let view = View {
            log_start_offset: log_start_offset.max(segments[0].base_offset),
            end_offset: end,
            end_position: segment.size(),
            segments: Arc::new(segments),
        };
        tell_ends(&view.segments, end);
        self.report_damage(&view.segments);
        let epochs_changed = epochs != self.stored_epochs;
        self.report.end_offset = end;
        Ok(Log {
            context: self.context.clone(),
            shared: Arc::new(Shared {
                dir: self.dir.clone(),
                view: RwLock::new(view),
                epochs: RwLock::new(epochs),
            }),
            config: options.config,
            topic_id,
            active: Active {
                jitter_ms: jitter(
                    options.config.segment_jitter_ms,
                    &options.topic_partition,
                    segment.base_offset,
                ),
                segment,
                since_ms: options.now_ms,
                first_timestamp,
                bytes_since_index: 0,
                is_ragged: false,
                is_index_behind: false,
                // The indexes that recovery made are not written whole yet.
                is_changed: self.recovered_end.is_some(),
            },
            durable: Durable {
                recovery_point,
                indexes_behind: None,
                is_untouched,
                last_flush_ms: options.now_ms,
                names_changed: names_changed || !options.was_clean,
                dir_is_missing: false,
                dir_made: false,
                topic_id_written: false,
                epochs_changed,
                epoch_is_empty: false,
                truncations: 0,
                is_offline: false,
            },
            snapshots: std::mem::take(&mut self.snapshots),
            // Behind the end it speaks of records that are lost.
            cleaned_to: options.cleaned_to.filter(|cleaned_to| *cleaned_to <= end),
        })
    }

    /// Removes snapshots beyond the end, and those that belong to no segment; of these the newest stays if it is newer
    /// than all segments.
    fn remove_stray_snapshots(&mut self, segments: &[Arc<Segment>], end: Offset) -> Result<(), LogError> {
        let of_segment = |offset: &Offset| segments.iter().any(|segment| segment.base_offset == *offset);
        let last_base = segments[segments.len() - 1].base_offset;
        let newest = self.snapshots.range(..=end).next_back().copied().filter(|newest| *newest > last_base);
        let is_stray = |offset: &Offset| *offset > end || !of_segment(offset) && Some(*offset) != newest;
        let stray: Vec<Offset> = self.snapshots.iter().copied().filter(is_stray).collect();
        for offset in stray {
            self.remove(&names::snapshot_file(offset))?;
            self.snapshots.remove(&offset);
        }
        Ok(())
    }
}
