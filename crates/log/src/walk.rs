//! Walks the batches of a segment, and around what is damaged.

use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::{BatchHeader, RecordError};

use crate::LogError;
use crate::damage::Damage;
use crate::names::Kind;
use crate::scan::{HeaderScan, ScanError};
use crate::segment::Segment;
use crate::survey::Bounds;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step {
    /// A batch, as far as its header tells, and where it begins.
    Batch(u32, BatchHeader),
    /// What cannot be read; the walk goes on behind it.
    Damaged(Damage),
}

/// See the module. Meeting what is not a batch it has the segment looked through, once, and knows the damage then.
pub(crate) struct Walk<'s> {
    segment: &'s Segment,
    scan: HeaderScan,
    damage: Arc<[Damage]>,
    /// No batch from here on begins before it.
    next_offset: Offset,
    has_surveyed: bool,
}

impl<'s> Walk<'s> {
    /// Walks from `position`, where a batch begins, to `end`, where one ends. If the position is within known damage,
    /// the walk begins with that.
    pub(crate) fn new(
        segment: &'s Segment,
        position: u32,
        end: u32,
        chunk_max: usize,
    ) -> Result<Walk<'s>, LogError> {
        let file = segment.files.get(Kind::Log).map_err(segment.files.io("open", Kind::Log))?;
        let damage = segment.damage();
        let within = damage.iter().find(|damage| (damage.position..damage.end()).contains(&position));
        let position = within.map_or(position, |damage| damage.position);
        let scan = HeaderScan::new(file, position.into(), end.into(), chunk_max).skipping_records();
        Ok(Walk { segment, scan, damage, next_offset: segment.base_offset, has_surveyed: false })
    }

    /// The next batch or damage; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, LogError> {
        loop {
            let at = self.scan.position() as u32;
            if let Some(damage) = self.known_at(at) {
                return Ok(Some(self.step_over(damage)));
            }
            let trouble = match self.scan.next() {
                Ok(None) => return Ok(None),
                Ok(Some((_, header))) => match self.check(&header) {
                    Ok(()) => {
                        self.next_offset = header.next_offset();
                        return Ok(Some(Step::Batch(at, header)));
                    }
                    Err(error) => error,
                },
                Err(ScanError::Io(error)) => return Err(self.segment.files.io("read", Kind::Log)(error)),
                Err(ScanError::Bad(error)) => error,
            };
            self.scan.go_to(at.into());
            self.survey(at, &trouble)?;
        }
    }

    /// Whether the first step will be a batch, or known damage: otherwise the position that the walk begins at is not
    /// that of a batch.
    pub(crate) fn begins_well(&mut self, fits: impl Fn(&BatchHeader) -> bool) -> Result<bool, LogError> {
        let at = self.scan.position();
        if self.known_at(at as u32).is_some() {
            return Ok(true);
        }
        let found = self.scan.next();
        self.scan.go_to(at);
        match found {
            Ok(Some((_, header))) => Ok(self.check(&header).is_ok() && fits(&header)),
            Ok(None) | Err(ScanError::Bad(_)) => Ok(false),
            Err(ScanError::Io(error)) => Err(self.segment.files.io("read", Kind::Log)(error)),
        }
    }

    /// Has the segment looked through because of a batch that was just given and cannot be right where it is, and goes
    /// back to it.
    pub(crate) fn look_again(&mut self, at: u32) -> Result<(), LogError> {
        self.has_surveyed = true;
        self.damage = self.segment.find_damage()?;
        let within = self.damage.iter().find(|damage| (damage.position..damage.end()).contains(&at));
        let position = within.map_or(at, |damage| damage.position);
        self.scan.go_to(position.into());
        self.next_offset = self.segment.base_offset;
        Ok(())
    }

    fn check(&self, header: &BatchHeader) -> Result<(), RecordError> {
        let bounds = Bounds { base_offset: self.segment.base_offset, end_offset: self.segment.end_offset() };
        bounds.check(self.next_offset, header)
    }

    fn known_at(&self, position: u32) -> Option<Damage> {
        self.damage.iter().find(|damage| damage.position == position && damage.bytes > 0).cloned()
    }

    fn step_over(&mut self, damage: Damage) -> Step {
        self.scan.go_to(damage.end().into());
        self.next_offset = self.next_offset.max(damage.end_offset.min(self.segment.end_offset()));
        Step::Damaged(damage)
    }

    /// Has the damage found that a place which is not sound belongs to, and goes back to where it begins.
    fn survey(&mut self, at: u32, trouble: &RecordError) -> Result<(), LogError> {
        let error = || self.segment.files.corrupt(at.into(), self.next_offset, trouble.to_string());
        if std::mem::replace(&mut self.has_surveyed, true) {
            return Err(error());
        }
        self.damage = self.segment.find_damage()?;
        let within = self.damage.iter().find(|damage| (damage.position..damage.end()).contains(&at));
        let within = within.ok_or_else(error)?;
        self.scan.go_to(within.position.into());
        Ok(())
    }
}
