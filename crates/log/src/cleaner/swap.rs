//! Puts compacted segments in the place of those they were made from.
//!
//! ```text
//! new: .cleaned → .swap (from the last one on), names synced     killed before: the old segments
//! old: → .deleted (from the first one on)                        killed from here on: the new ones, completed when
//! new: .swap → the log's names, names synced                       the log is opened
//! ```
//! A JVM does it in the same order, and each completes what the other one began.

use std::sync::Arc;

use crate::append::tell_ends;
use crate::error::LogError;
use crate::file_cache::Naming;
use crate::log::Log;
use crate::segment::Segment;
use crate::truncate::DeletedSegments;

/// Segments that were written anew, and what they were made from. Dropping them leaves files that are removed when the
/// log is opened.
#[derive(Debug)]
#[must_use = "nothing is in place before `Log::replace_segments`"]
pub struct CleanedSegments {
    pub(super) old: Vec<Arc<Segment>>,
    pub(super) new: Vec<Arc<Segment>>,
    pub(super) truncations: u64,
}

/// Whether segments were replaced.
#[derive(Debug)]
pub enum Replaced {
    /// The old ones are to be removed once nobody reads them any more.
    Done(DeletedSegments),
    /// The log has changed meanwhile: it was truncated, or lost some of these segments to retention. What was written
    /// is removed, and the compaction must be begun anew.
    Outdated,
}

impl Log {
    /// Puts compacted segments in place. Readers that are at the old ones go on.
    ///
    /// # Errors
    /// What the disk says. The log is as it was then; or offline, where the disk failed in the middle, and what it is
    /// then is found out when it is opened.
    pub fn replace_segments(&mut self, cleaned: CleanedSegments) -> Result<Replaced, LogError> {
        self.check_online()?;
        let Some(start) = self.place_of(&cleaned) else {
            undo(&cleaned.new)?;
            return Ok(Replaced::Outdated);
        };
        let CleanedSegments { old, new, .. } = cleaned;
        // From the last one on: of those named `.swap`, an opening log removes all behind the first `.cleaned` one.
        if let Err(error) = new.iter().rev().try_for_each(|segment| segment.files.rename(Naming::Swap)) {
            // If some of them stayed while the log goes on, they would replace what it has become.
            self.durable.is_offline |= undo(&new).is_err();
            return Err(error);
        }
        self.sync_names()?;
        let in_place = old
            .iter()
            .try_for_each(|segment| segment.files.mark_deleted())
            .and_then(|()| new.iter().try_for_each(|segment| segment.files.rename(Naming::Current)));
        if let Err(error) = in_place {
            self.durable.is_offline = true;
            return Err(error);
        }
        self.sync_names()?;
        let mut segments = Vec::clone(&self.segments());
        segments.splice(start..start + old.len(), new.iter().cloned());
        tell_ends(&segments, self.log_end_offset());
        self.shared.view.write().segments = Arc::new(segments);
        let gone = |offset| {
            old.iter().any(|segment| segment.base_offset == offset)
                && !new.iter().any(|segment| segment.base_offset == offset)
        };
        self.remove_snapshots(gone)?;
        Ok(Replaced::Done(DeletedSegments { segments: old }))
    }

    /// Where the old segments are in the log, if they are all still there.
    fn place_of(&self, cleaned: &CleanedSegments) -> Option<usize> {
        let segments = self.segments();
        let first = cleaned.old.first()?;
        let start = segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
        let now = segments.get(start..start + cleaned.old.len())?;
        let is_same = now.iter().zip(&cleaned.old).all(|(now, old)| Arc::ptr_eq(now, old));
        let is_closed = start + cleaned.old.len() < segments.len();
        (is_same && is_closed && cleaned.truncations == self.durable.truncations).then_some(start)
    }
}

/// Removes what was written. Those that are named `.swap` already go first: alone they would be put in place.
fn undo(new: &[Arc<Segment>]) -> Result<(), LogError> {
    new.iter().rev().try_for_each(|segment| segment.files.remove_cleaned())
}
