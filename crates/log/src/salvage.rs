//! The end of a log after a stop that was not clean, or that somebody damaged: what of it is cut off, and what is kept
//! though it cannot be read.
//!
//! A write that was interrupted leaves a torn tail: nothing sound behind it, and nothing that says it was ever flushed.
//! That is cut. Everything else that is not sound is damage and stays: behind it is something that was written later,
//! or a checkpoint says that it was durable. The log goes on behind it, so that no offset is given to another record.

use std::sync::Arc;

use ottla_protocol::Offset;

use crate::LogError;
use crate::append::make_missing;
use crate::damage::{Damage, damaged_ranges_of};
use crate::epoch_cache::EpochCache;
use crate::file_cache::SegmentFiles;
use crate::names;
use crate::open::{Opening, Orphan};
use crate::recovery::{Cut, Recovered, cut_off, recover_segment};
use crate::segment::Segment;

/// What is known of a segment that was looked through.
#[derive(Clone, Copy, Debug)]
struct Facts {
    base_offset: Offset,
    /// The offset after its last sound batch.
    end_offset: Offset,
    size: u32,
    /// Where that batch ends; 0 if there is none.
    sound_end: u32,
}

impl Facts {
    fn has_tail(&self) -> bool {
        self.sound_end < self.size
    }
}

/// What says that something was durable.
#[derive(Clone, Copy, Debug)]
struct Marks {
    recovery_point: Offset,
    high_watermark: Offset,
}

/// What becomes of what is behind a segment's last sound batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is nothing.
    Whole,
    /// It is cut off.
    Cut,
    /// It stays, and is what is left of the offsets up to this one; or nothing is left of them.
    Damaged(Offset),
}

/// What becomes of segments that were looked through, in order. Those behind the last one mentioned go.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    ends: Vec<End>,
    /// The log goes on here, in a new segment.
    goes_on_at: Option<Offset>,
}

/// Decides about segments that follow each other; there is at least one. In a compacted log offsets may be missing
/// between them.
fn plan(segments: &[Facts], marks: Marks, compact: bool) -> Plan {
    let last = segments.iter().rposition(|segment| segment.sound_end > 0).unwrap_or(0);
    let mut ends = Vec::new();
    for (segment, next) in segments.iter().zip(&segments[1..]).take(last) {
        let is_missing = segment.end_offset < next.base_offset;
        ends.push(match segment.has_tail() {
            true if is_missing => End::Damaged(next.base_offset),
            true => End::Cut,
            false if is_missing && !compact => End::Damaged(next.base_offset),
            false => End::Whole,
        });
    }
    let end_offset = segments[last].end_offset;
    // Recovery points may be of before a truncation that was interrupted; then nothing is left behind the end.
    let has_bytes = segments[last..].iter().any(Facts::has_tail);
    let covered = marks.high_watermark.max(if has_bytes { marks.recovery_point } else { end_offset });
    if covered > end_offset {
        let kept: Vec<&Facts> =
            segments[last..].iter().take_while(|segment| segment.base_offset < covered).collect();
        let next = kept.iter().skip(1).map(|next| next.base_offset).chain([covered]);
        for (segment, next) in kept.iter().zip(next) {
            ends.push(if segment.end_offset < next { End::Damaged(next) } else { End::Whole });
        }
        return Plan { ends, goes_on_at: Some(covered) };
    }
    let mut end_offset = segments[last].base_offset;
    for segment in &segments[last..] {
        let is_next = segment.base_offset == end_offset || compact && ends.last() != Some(&End::Cut);
        if !is_next {
            break;
        }
        ends.push(if segment.has_tail() { End::Cut } else { End::Whole });
        end_offset = segment.end_offset;
    }
    Plan { ends, goes_on_at: None }
}

impl Opening<'_> {
    fn marks(&self) -> Marks {
        let options = self.options;
        Marks { recovery_point: options.recovery_point, high_watermark: options.high_watermark }
    }

    /// Whether offsets may be missing between segments and nothing be wrong: it is compacted, or was.
    pub(crate) fn may_lack_offsets(&self) -> bool {
        self.options.config.compact || self.options.cleaned_to.is_some()
    }

    /// Examines the segments that the recovery point does not cover.
    pub(crate) fn recover(&mut self, segments: &mut Vec<Arc<Segment>>) -> Result<(), LogError> {
        let first = self.first_to_recover(segments);
        let Some(from) = segments.get(first).map(|segment| segment.base_offset) else { return Ok(()) };
        // The epochs of the rest are what its batches say: the file may be of a time before they were appended.
        let mut epochs = self.read_epochs(&segments[..first])?;
        epochs.truncate_from_end(from);
        let mut recovered = Vec::new();
        for index in first..segments.len() {
            let next = segments.get(index + 1).map_or(Offset(i64::MAX), |next| next.base_offset);
            recovered.push(self.examine(&segments[index], next, &mut epochs)?);
        }
        let facts: Vec<Facts> =
            segments[first..].iter().zip(&recovered).map(|(segment, one)| facts_of(segment, one)).collect();
        let plan = plan(&facts, self.marks(), self.may_lack_offsets());
        self.carry_out(plan, segments, first, recovered)?;
        self.epochs = Some(epochs);
        // What was taken after the recovery point may not be what the log is now.
        let newer = self.snapshots.split_off(&Offset(from.0.saturating_add(1)));
        for offset in newer {
            self.remove(&names::snapshot_file(offset))?;
        }
        Ok(())
    }

    /// Makes missing indexes anew, of segments that recovery is not going to read.
    pub(crate) fn make_indexes(&mut self, segments: &[Arc<Segment>]) -> Result<(), LogError> {
        let first = self.first_to_recover(segments);
        for index in 0..first {
            let segment = &segments[index];
            if self.without_indexes.contains(&segment.base_offset) {
                let path = segment.files.path(names::Kind::Log);
                tracing::warn!(path = %path.display(), "making the indexes of a segment anew");
                let next = segments.get(index + 1).map_or(Offset(i64::MAX), |next| next.base_offset);
                let mut found = self.examine(segment, next, &mut EpochCache::default())?;
                if found.tail.is_some() {
                    found.damage.push(found.damaged_end(segment, next));
                }
                note_damage(segment, found.damage)?;
                segment.change_txn_index("repair", |index| index.repair(segment.base_offset, next))?;
            }
        }
        Ok(())
    }

    fn examine(
        &mut self,
        segment: &Arc<Segment>,
        next: Offset,
        epochs: &mut EpochCache,
    ) -> Result<Recovered, LogError> {
        let interval = self.options.config.index_interval_bytes;
        recover_segment(segment, next, interval, epochs, &mut self.report)
    }

    fn carry_out(
        &mut self,
        plan: Plan,
        segments: &mut Vec<Arc<Segment>>,
        first: usize,
        recovered: Vec<Recovered>,
    ) -> Result<(), LogError> {
        let mut cuts = Vec::new();
        let last = segments.len() - 1;
        for (index, (mut found, end)) in recovered.into_iter().zip(&plan.ends).enumerate() {
            let segment = &segments[first + index];
            let mut end_offset = found.end_offset;
            match *end {
                End::Whole => {}
                End::Cut => cuts.push((segment.clone(), found.cut(segment))),
                End::Damaged(next) => {
                    found.damage.push(found.damaged_end(segment, next));
                    end_offset = next;
                }
            }
            segment.change_txn_index("repair", |index| index.repair(segment.base_offset, end_offset))?;
            note_damage(segment, found.damage)?;
            if first + index == last {
                // They come with its end; a JVM must find them before.
                if self.without_indexes.contains(&segment.base_offset) {
                    make_missing(segment)?;
                }
                self.recovered_end = Some((found.end_offset, found.first_timestamp));
            }
        }
        let gone = segments.split_off(first + plan.ends.len());
        if !gone.is_empty() {
            let last = &segments[segments.len() - 1];
            self.remove_segments(last.base_offset, &gone)?;
        }
        // Last: without them the next attempt would not know why the segments behind them had to go.
        for (segment, cut) in cuts {
            cut_off(&segment, &cut)?;
            segment.resized_keeping_max(cut.position as u32);
            self.report.cuts.push(cut);
        }
        if let Some(offset) = plan.goes_on_at {
            segments[segments.len() - 1].finish_indexes()?;
            segments.push(self.begin_segment(offset)?);
            self.recovered_end = Some((offset, None));
        }
        Ok(())
    }

    /// After a clean stop: if the end of the last segment is damaged, the log goes on in a new one behind all that a
    /// checkpoint knows of. Gives where it ends.
    pub(crate) fn step_over_damaged_end(
        &mut self,
        segments: &mut Vec<Arc<Segment>>,
        end_offset: Offset,
    ) -> Result<Offset, LogError> {
        let Some(last) = segments.last().cloned() else { return Ok(end_offset) };
        let Marks { recovery_point, high_watermark } = self.marks();
        let mut damage = last.damage().to_vec();
        let tail = damage.pop_if(|damage| damage.end() == last.size() && damage.end_offset >= end_offset);
        let goes_on_at = match &tail {
            // Without a checkpoint it is not known how many records these were; one at least.
            Some(tail) if tail.end_offset > end_offset => {
                recovery_point.max(high_watermark).max(Offset(end_offset.0 + 1))
            }
            _ => high_watermark,
        };
        if goes_on_at <= end_offset {
            return Ok(end_offset);
        }
        let missing = Damage {
            position: last.size(),
            bytes: 0,
            first_offset: end_offset,
            end_offset: goes_on_at,
            what: MISSING.into(),
        };
        damage.push(Damage { end_offset: goes_on_at, ..tail.unwrap_or(missing) });
        note_damage(&last, damage)?;
        segments.push(self.begin_segment(goes_on_at)?);
        Ok(goes_on_at)
    }

    fn begin_segment(&self, base_offset: Offset) -> Result<Arc<Segment>, LogError> {
        let files = SegmentFiles::new(self.context.clone(), self.dir.clone(), base_offset);
        files.remove()?;
        let segment = Arc::new(Segment::empty(files));
        make_missing(&segment)?;
        Ok(segment)
    }

    /// Takes note of segments whose files are gone from the middle of the log, which indexes without a segment tell.
    pub(crate) fn find_missing(&self, segments: &[Arc<Segment>], orphans: &[Orphan]) -> Result<(), LogError> {
        for orphan in orphans {
            let base_offset = orphan.files.base_offset();
            let next = segments.partition_point(|segment| segment.base_offset <= base_offset);
            let (Some(before), Some(next)) = (next.checked_sub(1), segments.get(next)) else { continue };
            let before = &segments[before];
            let (end_offset, _) = before.prepare_for_append()?;
            if end_offset >= next.base_offset || before.damage_at(end_offset).is_some() {
                continue;
            }
            let mut damage = before.damage().to_vec();
            damage.push(Damage {
                position: before.size(),
                bytes: 0,
                first_offset: end_offset,
                end_offset: next.base_offset,
                what: MISSING.into(),
            });
            note_damage(before, damage)?;
        }
        Ok(())
    }

    /// Says in the report what is damaged.
    pub(crate) fn report_damage(&mut self, segments: &[Arc<Segment>]) {
        self.report.damaged = damaged_ranges_of(segments);
    }
}

const MISSING: &str = "records are missing";

fn facts_of(segment: &Segment, recovered: &Recovered) -> Facts {
    Facts {
        base_offset: segment.base_offset,
        end_offset: recovered.end_offset,
        size: segment.size(),
        sound_end: recovered.sound_end,
    }
}

/// Takes note of a segment's damage, also for the next process.
fn note_damage(segment: &Segment, damage: Vec<Damage>) -> Result<(), LogError> {
    if *segment.damage() == damage {
        return Ok(());
    }
    segment.set_damage(damage);
    segment.write_damage(true)
}

impl Recovered {
    fn cut(&self, segment: &Segment) -> Cut {
        Cut {
            path: segment.files.path(names::Kind::Log),
            position: self.sound_end.into(),
            bytes: u64::from(segment.size() - self.sound_end),
            offset: self.end_offset,
            what: self.tail.clone().unwrap_or_default(),
        }
    }

    /// The offsets after the last sound batch as damage, whether bytes are left of them or not.
    fn damaged_end(&self, segment: &Segment, next: Offset) -> Damage {
        Damage {
            position: self.sound_end,
            bytes: segment.size() - self.sound_end,
            first_offset: self.end_offset,
            end_offset: next,
            what: self.tail.as_deref().unwrap_or(MISSING).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base offset, offset after the last sound batch, size, where that batch ends.
    fn facts(segments: &[(i64, i64, u32, u32)]) -> Vec<Facts> {
        let facts = |&(base, end, size, sound_end): &(i64, i64, u32, u32)| Facts {
            base_offset: Offset(base),
            end_offset: Offset(end),
            size,
            sound_end,
        };
        segments.iter().map(facts).collect()
    }

    #[track_caller]
    fn check(
        segments: &[(i64, i64, u32, u32)],
        (recovery_point, high_watermark): (i64, i64),
        ends: &[End],
        goes_on_at: Option<i64>,
    ) {
        let marks = Marks { recovery_point: Offset(recovery_point), high_watermark: Offset(high_watermark) };
        let expected = Plan { ends: ends.to_vec(), goes_on_at: goes_on_at.map(Offset) };
        assert_eq!(plan(&facts(segments), marks, false), expected);
    }

    use End::{Cut, Damaged, Whole};

    #[test]
    fn what_is_sound_stays() {
        check(&[(0, 10, 100, 100)], (0, 0), &[Whole], None);
        check(&[(0, 10, 100, 100), (10, 10, 0, 0)], (0, 10), &[Whole, Whole], None);
        check(&[(0, 0, 0, 0)], (0, 0), &[Whole], None);
    }

    #[test]
    fn a_torn_tail_is_cut_and_what_is_not_sound_behind_it_goes() {
        check(&[(0, 10, 120, 100)], (10, 10), &[Cut], None);
        check(&[(0, 10, 120, 100), (15, 15, 60, 0)], (0, 0), &[Cut], None);
        check(&[(0, 10, 100, 100), (10, 10, 60, 0), (14, 14, 9, 0)], (0, 0), &[Whole, Cut], None);
        check(&[(0, 0, 50, 0)], (0, 0), &[Cut], None);
    }

    #[test]
    fn what_a_later_segment_follows_stays() {
        check(&[(0, 10, 120, 100), (15, 20, 60, 60)], (0, 0), &[Damaged(Offset(15)), Whole], None);
        check(&[(0, 10, 100, 100), (15, 20, 70, 60)], (0, 0), &[Damaged(Offset(15)), Cut], None);
        // Nothing is missing: bytes of an append that failed.
        check(&[(0, 10, 120, 100), (10, 20, 60, 60)], (0, 0), &[Cut, Whole], None);
    }

    #[test]
    fn what_a_checkpoint_covers_stays_and_the_log_goes_on_behind_it() {
        check(&[(0, 10, 120, 100)], (12, 0), &[Damaged(Offset(12))], Some(12));
        check(&[(0, 10, 120, 100)], (5, 13), &[Damaged(Offset(13))], Some(13));
        check(&[(0, 0, 50, 0)], (0, 7), &[Damaged(Offset(7))], Some(7));
        let (first, second) = ((0, 10, 120, 100), (15, 15, 60, 0));
        check(&[first, second], (20, 0), &[Damaged(Offset(15)), Damaged(Offset(20))], Some(20));
        check(&[first, second], (12, 0), &[Damaged(Offset(12))], Some(12));
        check(&[(0, 10, 100, 100), (10, 10, 0, 0)], (0, 20), &[Whole, Damaged(Offset(20))], Some(20));
    }

    #[test]
    fn a_recovery_point_beyond_a_log_that_was_truncated_says_nothing() {
        check(&[(0, 10, 100, 100)], (15, 10), &[Whole], None);
    }

    #[test]
    fn compacted_segments_may_lack_offsets_between_them() {
        let marks = Marks { recovery_point: Offset(0), high_watermark: Offset(0) };
        let segments = facts(&[(0, 10, 100, 100), (15, 20, 60, 60), (30, 30, 0, 0)]);
        let expected = Plan { ends: vec![Whole; 3], goes_on_at: None };
        assert_eq!(plan(&segments, marks, true), expected);
    }
}
