//! Copies what is sound of a log that nobody has open into another directory, around what is damaged.
//!
//! Segments have the same bytes, without the damaged ones; a segment whose predecessor lost its end begins where that
//! ends now, so that nothing seems to be missing between the two. Indexes are left to the broker that opens the copy: it
//! has to examine a directory without a note of a clean shutdown anyway.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::producer_snapshot;

use crate::checkpoint;
use crate::disk::{Disk, DiskFile, OpenMode, read_file, read_full_at, write_all_at};
use crate::error::{LogError, TopicPartition};
use crate::names::{self, Kind};
use crate::verify::{SurveyedLog, SurveyedSegment};

/// Bytes that are copied at once.
const CHUNK: usize = 1 << 20;
/// The largest file beside the segments that is copied.
const FILE_SIZE_MAX: u64 = 1 << 30;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedLog {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// First offset, and the one after the last record.
    pub offsets: Range<Offset>,
    /// Bytes of batches.
    pub bytes: u64,
    /// Offsets that are not in the copy.
    pub missing: Vec<Range<Offset>>,
    /// Files beside the segments that were not sound and are not in the copy.
    pub left_out: Vec<PathBuf>,
}

/// Copies the log in `from` to `to`, which is made and must not be there.
///
/// # Errors
/// What the disk says. What was copied until then is left.
pub fn export_log(
    disk: &Arc<dyn Disk>,
    topic_partition: &TopicPartition,
    from: &Path,
    to: &Path,
) -> Result<ExportedLog, LogError> {
    let log = SurveyedLog::read(disk, topic_partition, from)?;
    let export = Export { disk: &**disk, topic_partition, to };
    disk.create_dir(to).map_err(export.io("make", to))?;
    let first = log.segments.first().map_or(Offset(0), |first| first.segment.base_offset);
    let mut exported = ExportedLog {
        topic_partition: topic_partition.clone(),
        offsets: first..first,
        bytes: 0,
        missing: Vec::new(),
        left_out: Vec::new(),
    };
    for segment in log.segments.iter().filter(|segment| !segment.runs.is_empty()) {
        export.copy_segment(segment, &mut exported)?;
    }
    if let Some(behind) = log.segments.last().map(|last| last.segment.base_offset)
        && behind > exported.offsets.end
    {
        exported.missing.push(exported.offsets.end..behind);
    }
    export.copy_helpers(&log, from, &mut exported)?;
    disk.sync_dir(to).map_err(export.io("sync", to))?;
    Ok(exported)
}

struct Export<'e> {
    disk: &'e dyn Disk,
    topic_partition: &'e TopicPartition,
    to: &'e Path,
}

impl Export<'_> {
    fn io<'p>(&self, action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> LogError + 'p {
        let topic_partition = self.topic_partition.clone();
        move |source| LogError::Io { topic_partition, path: path.to_owned(), action, source }
    }

    fn copy_segment(&self, from: &SurveyedSegment, exported: &mut ExportedLog) -> Result<(), LogError> {
        let reach = from.end_offset.0 - exported.offsets.end.0;
        // The first one begins where it did, and so does one that is out of reach of where it could begin.
        let is_first = exported.bytes == 0;
        let base_offset = if is_first || reach > i64::from(i32::MAX) {
            from.segment.base_offset
        } else {
            exported.offsets.end
        };
        let path = self.to.join(names::segment_file(base_offset, Kind::Log));
        let files = &from.segment.files;
        let source = files.get(Kind::Log).map_err(files.io("open", Kind::Log))?;
        let target = self.disk.open(&path, OpenMode::CreateEmpty).map_err(self.io("make", &path))?;
        let mut position = 0;
        let mut next = exported.offsets.end;
        for run in &from.runs {
            let copied = copy(&*source, run.start.into()..run.end.into(), &*target, position);
            position += copied.map_err(self.io("copy to", &path))?;
            exported.missing.extend((next < run.first_offset).then_some(next..run.first_offset));
            next = run.end_offset;
        }
        target.sync().map_err(self.io("sync", &path))?;
        exported.offsets.start = if is_first { base_offset } else { exported.offsets.start };
        exported.bytes += position;
        exported.offsets.end = next;
        Ok(())
    }

    /// Copies the files that say something which the batches do not, if they are sound.
    fn copy_helpers(
        &self,
        log: &SurveyedLog,
        from: &Path,
        exported: &mut ExportedLog,
    ) -> Result<(), LogError> {
        for name in &log.names {
            let is_sound = match names::split(name) {
                Some((offset, names::SNAPSHOT)) if offset <= exported.offsets.end => {
                    let bytes = read_file(self.disk, &from.join(name), FILE_SIZE_MAX);
                    producer_snapshot::decode(&bytes.map_err(self.io("read", &from.join(name)))?).is_ok()
                }
                None if name == names::PARTITION_METADATA => {
                    checkpoint::read_topic_id(self.disk, from).is_ok_and(|id| id.is_some())
                }
                None if name == names::LEADER_EPOCH_CHECKPOINT => {
                    checkpoint::read_epochs(self.disk, from).is_ok()
                }
                _ => continue,
            };
            let path = from.join(name);
            if !is_sound {
                exported.left_out.push(path);
                continue;
            }
            let bytes = read_file(self.disk, &path, FILE_SIZE_MAX).map_err(self.io("read", &path))?;
            let path = self.to.join(name);
            let target = self.disk.open(&path, OpenMode::CreateEmpty).map_err(self.io("make", &path))?;
            write_all_at(&*target, &bytes, &[], 0).map_err(self.io("write", &path))?;
            target.sync().map_err(self.io("sync", &path))?;
        }
        Ok(())
    }
}

/// Copies bytes; gives how many.
fn copy(source: &dyn DiskFile, from: Range<u64>, target: &dyn DiskFile, to: u64) -> std::io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    while from.start + done < from.end {
        let wanted = (from.end - from.start - done).min(CHUNK as u64) as usize;
        let count = read_full_at(source, &mut chunk[..wanted], from.start + done)?;
        if count < wanted {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        write_all_at(target, &chunk[..wanted], &[], to + done)?;
        done += wanted as u64;
    }
    Ok(done)
}
