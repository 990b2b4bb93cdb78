//! Which segments are there, and what is not sound of the files beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::Offset;

use super::{Opening, Orphan};
use crate::error::LogError;
use crate::file_cache::{SegmentFiles, ignore_missing};
use crate::names::{self, Kind};
use crate::segment::Segment;

impl Opening<'_> {
    /// The segments whose files are there, by base offset, and the snapshots; and indexes without a segment.
    pub(super) fn find_segments(
        &mut self,
        names: &[String],
    ) -> Result<(Vec<Arc<Segment>>, Vec<Orphan>), LogError> {
        let mut kinds: BTreeMap<Offset, Vec<Kind>> = BTreeMap::new();
        for name in names {
            let Some((offset, ending)) = names::split(name) else { continue };
            if ending == names::SNAPSHOT {
                self.snapshots.insert(offset);
            }
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.suffix() == ending) {
                kinds.entry(offset).or_default().push(kind);
            }
        }
        let mut segments = Vec::new();
        let mut orphans = Vec::new();
        for (base_offset, kinds) in kinds {
            let files = SegmentFiles::new(self.context.clone(), self.dir.clone(), base_offset);
            if kinds.contains(&Kind::Log) {
                segments.push(self.find_segment(files, &kinds)?);
            } else {
                orphans.push(Orphan { files, kinds });
            }
        }
        Ok((segments, orphans))
    }

    pub(super) fn remove_orphans(&self, orphans: Vec<Orphan>) -> Result<(), LogError> {
        for Orphan { files, kinds } in orphans {
            for kind in kinds {
                let path = files.path(kind);
                tracing::warn!(path = %path.display(), "removing an index without its segment");
                ignore_missing(self.context.disk().remove_file(&path))
                    .map_err(self.dir.io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn find_segment(&mut self, files: Arc<SegmentFiles>, kinds: &[Kind]) -> Result<Arc<Segment>, LogError> {
        let path = files.path(Kind::Log);
        let len = self.context.disk().metadata(&path).map_err(self.dir.io("look at", &path))?.len;
        let size = u32::try_from(len).ok().filter(|size| *size <= i32::MAX as u32);
        let base_offset = files.base_offset();
        let size = size.ok_or_else(|| files.corrupt(0, base_offset, format!("{len} bytes are too many")))?;
        let segment = Arc::new(Segment::existing(files, size));
        let has_indexes = kinds.contains(&Kind::OffsetIndex) && kinds.contains(&Kind::TimeIndex);
        if !has_indexes && size > 0 {
            self.without_indexes.insert(base_offset);
        }
        if kinds.contains(&Kind::Damage) {
            self.with_damage.push(segment.clone());
        }
        if kinds.contains(&Kind::TxnIndex) {
            self.with_txn_index.push(segment.clone());
        }
        Ok(segment)
    }

    pub(super) fn read_damage(&mut self) -> Result<(), LogError> {
        self.with_damage.drain(..).try_for_each(|segment| segment.read_damage())
    }

    /// Empties indexes of aborted transactions that are not sound, of segments that recovery is not going to read: who
    /// keeps producers' state can fill them again.
    pub(super) fn check_txn_indexes(&mut self, segments: &[Arc<Segment>]) -> Result<(), LogError> {
        let to_recover = segments.get(self.first_to_recover(segments)).map(|segment| segment.base_offset);
        for segment in std::mem::take(&mut self.with_txn_index) {
            if to_recover.is_some_and(|to_recover| segment.base_offset >= to_recover) {
                continue;
            }
            let (base_offset, end_offset) = (segment.base_offset, segment.end_offset());
            if !segment.with_txn_index("read", |index| index.is_sound(base_offset, end_offset))? {
                let path = segment.files.path(Kind::TxnIndex);
                tracing::warn!(path = %path.display(), "an index of aborted transactions is damaged");
                segment.change_txn_index("clear", |index| index.clear())?;
                self.report.cleared_txn_indexes.push(base_offset);
            }
        }
        Ok(())
    }
}
