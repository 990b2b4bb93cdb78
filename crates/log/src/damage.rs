//! Damage that is known: stretches of a segment whose batches are not what was written.
//!
//! They stay where they are. What is in one of them is answered with [`LogError::Corrupt`]; what is before and behind it
//! is read as ever. Beside the segment a small file names them, so that the next process knows them without reading
//! everything; a JVM takes no notice of it:
//!
//! ```text
//! 00000000000000004711.damaged      0                              version
//!                                   1                              how many
//!                                   8192 4096 4790 4811 unknown magic 0
//!                                   │    │    │    └ offset of the next record that can be read
//!                                   │    │    └ offset of the first that cannot
//!                                   │    └ bytes
//!                                   └ position in the segment's file
//! ```
//! The file is a memory, not a verdict: what it names is looked at again when the log is opened, for the segment may have
//! been changed by another broker or repaired by hand since. Lost, it is made again when the damage is met again.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::Offset;

use crate::checkpoint;
use crate::disk::{read_file, replace_file_unsynced};
use crate::file_cache::ignore_missing;
use crate::names::Kind;
use crate::segment::Segment;
use crate::survey::{Bounds, Landmarks, Survey, is_sound, survey};
use crate::{LogError, LogReader};

/// The largest file that is read: a segment has fewer damaged places than this has bytes.
const SIZE_MAX: u64 = 16 << 20;

/// A stretch of a log that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// The segment's file.
    pub path: PathBuf,
    /// Where in it.
    pub position: u64,
    /// How many bytes of it. None where they are missing from its end.
    pub bytes: u64,
    /// The offsets that cannot be read.
    pub offsets: Range<Offset>,
    /// What was found there.
    pub what: String,
}

/// A stretch of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) position: u32,
    pub(crate) bytes: u32,
    pub(crate) first_offset: Offset,
    /// The offset after its last one.
    pub(crate) end_offset: Offset,
    pub(crate) what: Arc<str>,
}

impl Damage {
    /// The position after its last byte.
    pub(crate) fn end(&self) -> u32 {
        self.position + self.bytes
    }

    pub(crate) fn covers(&self, offset: Offset) -> bool {
        (self.first_offset..self.end_offset).contains(&offset)
    }

    fn to_line(&self) -> String {
        let Damage { position, bytes, first_offset, end_offset, what } = self;
        let what: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{position} {bytes} {first_offset} {end_offset} {what}")
    }

    fn from_line(line: &str) -> Option<Damage> {
        let mut fields = line.splitn(5, ' ');
        Some(Damage {
            position: fields.next()?.parse().ok()?,
            bytes: fields.next()?.parse().ok()?,
            first_offset: Offset(fields.next()?.parse().ok()?),
            end_offset: Offset(fields.next()?.parse().ok()?),
            what: fields.next()?.into(),
        })
    }
}

impl Segment {
    /// The damage that is known, by position.
    pub(crate) fn damage(&self) -> Arc<[Damage]> {
        self.damage.read().clone().unwrap_or_else(|| Arc::new([]))
    }

    /// The known damage that an offset lies in.
    pub(crate) fn damage_at(&self, offset: Offset) -> Option<Damage> {
        let damage = self.damage.read();
        damage.as_ref()?.iter().find(|damage| damage.covers(offset)).cloned()
    }

    /// Where the first known damage behind a position begins.
    pub(crate) fn sound_up_to(&self, position: u32) -> Option<u32> {
        let damage = self.damage.read();
        damage.as_ref()?.iter().map(|damage| damage.position).find(|start| *start >= position)
    }

    /// What reading damage comes to.
    pub(crate) fn corrupt(&self, damage: &Damage) -> LogError {
        self.files.corrupt(damage.position.into(), damage.first_offset, damage.what.to_string())
    }

    /// Which offsets it can hold.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { base_offset: self.base_offset, end_offset: self.end_offset() }
    }

    /// Looks through all of it after something in it was met that is not sound, and takes note of the damage. Reads the
    /// whole segment, so this is done once for what is found, not for each read that meets it.
    pub(crate) fn find_damage(&self) -> Result<Arc<[Damage]>, LogError> {
        let (size, bounds) = (self.size(), self.bounds());
        let Survey { damage, .. } = survey(self, size, bounds, &Landmarks::of(self))?;
        for found in &damage {
            let Damage { position, bytes, first_offset, end_offset, what } = found;
            let path = self.files.path(Kind::Log);
            tracing::error!(
                path = %path.display(), position, bytes, %first_offset, %end_offset, %what,
                "a segment is damaged; what is before and behind can be read"
            );
        }
        let missing = self.damage().iter().filter(|damage| damage.bytes == 0).cloned().collect::<Vec<_>>();
        self.set_damage(damage.into_iter().chain(missing).collect());
        if let Err(error) = self.write_damage(false) {
            tracing::warn!(%error, "cannot note the damage beside the segment");
        }
        Ok(self.damage())
    }

    /// Takes note of damage.
    pub(crate) fn set_damage(&self, damage: Vec<Damage>) {
        *self.damage.write() = (!damage.is_empty()).then(|| damage.into());
    }

    /// Writes the file that names the damage, or removes it if there is none.
    pub(crate) fn write_damage(&self, sync: bool) -> Result<(), LogError> {
        let path = self.files.path(Kind::Damage);
        let disk = self.files.disk();
        let damage = self.damage();
        let written = match damage.is_empty() {
            true => ignore_missing(disk.remove_file(&path)),
            false => {
                let text = checkpoint::format(damage.iter().map(Damage::to_line));
                replace_file_unsynced(disk, &path, text.as_bytes(), sync)
            }
        };
        written.map_err(self.files.io("write", Kind::Damage))
    }

    /// Reads the file that names the damage. If that is not what the segment holds now, the segment is looked through.
    pub(crate) fn read_damage(&self) -> Result<(), LogError> {
        let path = self.files.path(Kind::Damage);
        let known: Option<Vec<Damage>> = match read_file(self.files.disk(), &path, SIZE_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.files.io("read", Kind::Damage)(error)),
            Ok(bytes) => checkpoint::parse(&String::from_utf8_lossy(&bytes), Damage::from_line).ok(),
        };
        let known = known.unwrap_or_default();
        self.set_damage(known.clone());
        let mut end = (0, self.base_offset);
        for damage in &known {
            let is_in_order = (damage.position, damage.first_offset) >= end
                && damage.first_offset >= end.1
                && damage.first_offset <= damage.end_offset;
            if !is_in_order || !self.is_still_damaged(damage)? {
                self.set_damage(known.iter().filter(|damage| self.is_missing(damage)).cloned().collect());
                self.find_damage()?;
                return Ok(());
            }
            end = (damage.end(), damage.end_offset);
        }
        Ok(())
    }

    /// Whether records are still missing from the end of the file.
    fn is_missing(&self, damage: &Damage) -> bool {
        let ends = (damage.position, damage.end_offset);
        damage.bytes == 0
            && ends == (self.size(), self.end_offset())
            && damage.first_offset < damage.end_offset
    }

    /// Whether a sound batch is where damage ends, and none where it begins.
    fn is_still_damaged(&self, damage: &Damage) -> Result<bool, LogError> {
        let size = self.size();
        if damage.bytes == 0 {
            return Ok(self.is_missing(damage));
        }
        let Some(end) = damage.position.checked_add(damage.bytes).filter(|end| *end <= size) else {
            return Ok(false);
        };
        let file = self.files.get(Kind::Log).map_err(self.files.io("open", Kind::Log))?;
        let is_sound = |position: u32| {
            let found = is_sound(&file, position.into(), size.into(), self.bounds());
            found.map_err(self.files.io("read", Kind::Log))
        };
        Ok((end == size || is_sound(end)?) && !is_sound(damage.position)?)
    }
}

impl LogReader {
    /// What of the log is known to be damaged, by offset. Empty for a log that is sound as far as anybody has seen.
    pub fn damaged_ranges(&self) -> Vec<DamagedRange> {
        damaged_ranges_of(&self.view().segments)
    }

    /// The offset behind the damage that an offset lies in, if it does: where somebody goes on who must read what is
    /// left.
    pub fn end_of_damage(&self, offset: Offset) -> Option<Offset> {
        let view = self.view();
        let last = view.segments.partition_point(|segment| segment.base_offset <= offset).checked_sub(1)?;
        view.segments[last].damage_at(offset).map(|damage| damage.end_offset)
    }
}

pub(crate) fn damaged_ranges_of(segments: &[Arc<Segment>]) -> Vec<DamagedRange> {
    let ranges = |segment: &Arc<Segment>| {
        let path = segment.files.path(Kind::Log);
        let range = move |damage: &Damage| DamagedRange {
            path: path.clone(),
            position: damage.position.into(),
            bytes: damage.bytes.into(),
            offsets: damage.first_offset..damage.end_offset,
            what: damage.what.to_string(),
        };
        segment.damage().iter().map(range).collect::<Vec<_>>()
    };
    segments.iter().flat_map(ranges).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        let damage = Damage {
            position: 8192,
            bytes: 4096,
            first_offset: Offset(4790),
            end_offset: Offset(4811),
            what: "unknown magic 0".into(),
        };
        assert_eq!(damage.to_line(), "8192 4096 4790 4811 unknown magic 0");
        assert_eq!(Damage::from_line(&damage.to_line()), Some(damage));
        for line in ["", "1 2 3", "1 2 3 4", "-1 2 3 4 x", "a 2 3 4 x"] {
            assert_eq!(Damage::from_line(line), None, "{line}");
        }
    }
}
