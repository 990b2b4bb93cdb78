//! Looks through a log that nobody has open: reads all of it, compares every checksum, changes nothing.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::{BatchHeader, producer_snapshot};

use crate::checkpoint;
use crate::damage::{Damage, DamagedRange};
use crate::disk::{Disk, ReadOnlyDisk, read_file};
use crate::epoch_cache::EpochCache;
use crate::error::{LogError, TopicPartition};
use crate::file_cache::{LogContext, SegmentFiles, SharedDir};
use crate::index::{Entry, OffsetEntry, TimeEntry};
use crate::names::{self, DirKind, Kind};
use crate::segment::Segment;
use crate::survey::{Bounds, Landmarks, Run, examine, survey};

/// Files of segments that are open at once.
const OPEN_FILES_MAX: usize = 16;
/// The largest snapshot of producers that is read.
const SNAPSHOT_SIZE_MAX: u64 = 1 << 30;

/// What is known of a log from the directory that it is in.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyFacts {
    /// Its process closed it: then not even its end may be torn.
    pub was_clean: bool,
    /// As the checkpoint has it, or 0.
    pub recovery_point: i64,
    /// As the checkpoint has it, or 0.
    pub high_watermark: i64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFindings {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Number of segments.
    pub segments: usize,
    /// Bytes of all segments.
    pub bytes: u64,
    /// First offset, and the one after the last sound record.
    pub offsets: Range<Offset>,
    /// What is not sound. Offsets that end with `i64::MAX` are those after the last sound record.
    pub damaged: Vec<DamagedRange>,
    /// A write that was not completed before the process ended: the next start cuts it off.
    pub torn_end: Option<DamagedRange>,
    /// Offsets that no segment has. That is damage, or what compaction leaves.
    pub missing: Vec<Range<Offset>>,
    /// Files beside the segments that are not right. The next start makes them anew.
    pub helpers: Vec<HelperTrouble>,
}

/// A file beside the segments that is not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperTrouble {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
}

impl LogFindings {
    /// Whether all records are there, and nothing is wrong beside them.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.helpers.is_empty()
    }
}

/// Whose directory that is, by its name; `None` if it is no partition's.
pub fn partition_of_dir(dir: &Path) -> Option<(TopicPartition, DirKind)> {
    names::parse_partition_dir(dir.file_name()?.to_str()?)
}

/// Looks through the log in a directory.
///
/// # Errors
/// What the disk says.
pub fn verify_log(
    disk: &Arc<dyn Disk>,
    topic_partition: &TopicPartition,
    dir: &Path,
    facts: VerifyFacts,
) -> Result<LogFindings, LogError> {
    let surveyed = SurveyedLog::read(disk, topic_partition, dir)?;
    let mut findings = LogFindings {
        topic_partition: topic_partition.clone(),
        segments: surveyed.segments.len(),
        bytes: surveyed.segments.iter().map(|one| u64::from(one.segment.size())).sum(),
        offsets: surveyed.offsets(),
        damaged: surveyed.damaged(),
        torn_end: None,
        missing: surveyed.missing(),
        helpers: surveyed.check_helpers()?,
    };
    let mark = Offset(facts.recovery_point.max(facts.high_watermark));
    let is_torn = |range: &mut DamagedRange| {
        !facts.was_clean && range.offsets.end == Offset(i64::MAX) && range.offsets.start >= mark
    };
    findings.torn_end = findings.damaged.pop_if(is_torn);
    Ok(findings)
}

/// A segment, and what is in it.
pub(crate) struct SurveyedSegment {
    pub(crate) segment: Segment,
    pub(crate) runs: Vec<Run>,
    damage: Vec<Damage>,
    /// The offset after its last sound batch.
    pub(crate) end_offset: Offset,
}

/// All segments of a log, looked through.
pub(crate) struct SurveyedLog {
    disk: ReadOnlyDisk,
    dir: Arc<SharedDir>,
    pub(crate) segments: Vec<SurveyedSegment>,
    damaged: Vec<DamagedRange>,
    /// Names of all files.
    pub(crate) names: Vec<String>,
}

impl SurveyedLog {
    pub(crate) fn read(
        disk: &Arc<dyn Disk>,
        topic_partition: &TopicPartition,
        dir: &Path,
    ) -> Result<SurveyedLog, LogError> {
        let disk = ReadOnlyDisk(Arc::clone(disk));
        let context = LogContext::new(Arc::new(disk.clone()), OPEN_FILES_MAX);
        let shared = SharedDir::new(topic_partition.clone(), dir.to_owned());
        let entries = disk.list(dir).map_err(shared.io("list", dir))?;
        let mut names: Vec<String> =
            entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect();
        names.sort();
        let mut log = SurveyedLog { disk, dir: shared, segments: Vec::new(), damaged: Vec::new(), names };
        let of_segment = |name: &String| {
            names::split(name).filter(|(_, ending)| *ending == Kind::Log.suffix()).map(|(base, _)| base)
        };
        let bases: Vec<Offset> = log.names.iter().filter_map(of_segment).collect();
        for (index, base_offset) in bases.iter().enumerate() {
            let end_offset = bases.get(index + 1).copied().unwrap_or(Offset(i64::MAX));
            log.survey(&context, Bounds { base_offset: *base_offset, end_offset })?;
        }
        Ok(log)
    }

    fn survey(&mut self, context: &LogContext, bounds: Bounds) -> Result<(), LogError> {
        let files = SegmentFiles::new(context.clone(), self.dir.clone(), bounds.base_offset);
        let path = files.path(Kind::Log);
        let len = self.disk.metadata(&path).map_err(self.dir.io("look at", &path))?.len;
        // What is beyond the size that a segment can have is looked at as damage.
        let size = u32::try_from(len.min(i32::MAX as u64)).expect("within the bound");
        let segment = Segment::existing(files, size);
        let found = survey(&segment, size, bounds, &Landmarks::of(&segment))?;
        let end_offset = found.runs.last().map_or(bounds.base_offset, |run| run.end_offset);
        self.damaged.extend(found.damage.iter().map(|damage| DamagedRange {
            path: path.clone(),
            position: damage.position.into(),
            bytes: damage.bytes.into(),
            offsets: damage.first_offset..damage.end_offset,
            what: damage.what.to_string(),
        }));
        self.segments.push(SurveyedSegment { segment, runs: found.runs, damage: found.damage, end_offset });
        Ok(())
    }

    fn damaged(&self) -> Vec<DamagedRange> {
        self.damaged.clone()
    }

    fn offsets(&self) -> Range<Offset> {
        let first = self.segments.first().map_or(Offset(0), |first| first.segment.base_offset);
        let end = self.segments.iter().map(|one| one.end_offset).max().unwrap_or(first);
        first..end
    }

    /// Offsets between the end of a segment and the beginning of the next one, where that end is sound.
    fn missing(&self) -> Vec<Range<Offset>> {
        let pairs = self.segments.iter().zip(self.segments.iter().skip(1));
        let gaps = pairs.map(|(before, next)| before.end_offset..next.segment.base_offset);
        let is_known =
            |gap: &Range<Offset>| self.damaged.iter().any(|known| known.offsets.contains(&gap.start));
        gaps.filter(|gap| gap.start < gap.end && !is_known(gap)).collect()
    }

    fn check_helpers(&self) -> Result<Vec<HelperTrouble>, LogError> {
        let mut troubles = Vec::new();
        let mut epochs = EpochCache::default();
        for one in &self.segments {
            one.check_indexes(&mut epochs, &mut troubles)?;
        }
        let dir = self.dir.path();
        let mut trouble = |name: &str, what: String| {
            troubles.push(HelperTrouble { path: dir.join(name), what });
        };
        for name in &self.names {
            let Some((offset, ending)) = names::split(name) else { continue };
            if ending == names::SNAPSHOT {
                let bytes = read_file(&self.disk, &dir.join(name), SNAPSHOT_SIZE_MAX);
                let bytes = bytes.map_err(self.dir.io("read", &dir.join(name)))?;
                if let Err(error) = producer_snapshot::decode(&bytes) {
                    trouble(name, error.to_string());
                }
            }
            let is_index =
                [Kind::OffsetIndex, Kind::TimeIndex, Kind::TxnIndex].iter().any(|k| k.suffix() == ending);
            if is_index && self.segments.binary_search_by_key(&offset, |one| one.segment.base_offset).is_err()
            {
                trouble(name, "there is no segment to it".to_owned());
            }
        }
        match checkpoint::read_epochs(&self.disk, &dir) {
            Err(error) => trouble(names::LEADER_EPOCH_CHECKPOINT, error.to_string()),
            Ok(known) => {
                let lacks =
                    |entry: &&crate::EpochEntry| known.epoch_for(entry.start_offset) != Some(entry.epoch);
                // The first one may have begun before.
                if let Some(entry) = epochs.entries().iter().skip(1).find(lacks) {
                    let what = format!(
                        "epoch {} begins at offset {}, which it does not say",
                        entry.epoch, entry.start_offset
                    );
                    trouble(names::LEADER_EPOCH_CHECKPOINT, what);
                }
            }
        }
        if let Err(error) = checkpoint::read_topic_id(&self.disk, &dir) {
            trouble(names::PARTITION_METADATA, error.to_string());
        }
        Ok(troubles)
    }
}

impl SurveyedSegment {
    /// Visits the headers of all that is sound.
    pub(crate) fn each_batch(
        &self,
        mut visit: impl FnMut(u32, &BatchHeader) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let bounds = Bounds { base_offset: self.segment.base_offset, end_offset: Offset(i64::MAX) };
        for run in &self.runs {
            examine(&self.segment, run.start, run.end, bounds, &mut visit)?;
        }
        Ok(())
    }

    /// Compares the indexes with the batches, and takes note of these' epochs.
    fn check_indexes(
        &self,
        epochs: &mut EpochCache,
        troubles: &mut Vec<HelperTrouble>,
    ) -> Result<(), LogError> {
        let Segment { files, offset_index, time_index, .. } = &self.segment;
        let mut trouble =
            |kind: Kind, what: String| troubles.push(HelperTrouble { path: files.path(kind), what });
        let mut offsets: BTreeMap<u32, Offset> = BTreeMap::new();
        let mut times: BTreeMap<Offset, i64> = BTreeMap::new();
        let unread = |error: io::Error| format!("cannot be read: {error}");
        match offset_index.entries(files) {
            Ok(entries) => offsets.extend(entries.iter().map(|entry| (entry.position, entry.offset))),
            Err(error) => trouble(OffsetEntry::KIND, unread(error)),
        }
        match time_index.entries(files) {
            Ok(entries) => times.extend(entries.iter().map(|entry| (entry.offset, entry.timestamp))),
            Err(error) => trouble(TimeEntry::KIND, unread(error)),
        }
        let mut max = i64::MIN;
        self.each_batch(|position, header| {
            epochs.assign_newer(header.leader_epoch, header.base_offset);
            max = max.max(header.max_timestamp);
            let last_offset = header.last_offset();
            if offsets.get(&position) == Some(&last_offset) {
                offsets.remove(&position);
            }
            // Entries of a JVM may point at any record of their batch.
            let spoken_of: Vec<Offset> =
                times.range(header.base_offset..=last_offset).map(|(at, _)| *at).collect();
            for offset in spoken_of {
                if times.get(&offset).is_some_and(|timestamp| *timestamp <= max) {
                    times.remove(&offset);
                }
            }
            Ok(())
        })?;
        // Entries for what is damaged may be right.
        for damage in &self.damage {
            offsets.retain(|position, _| !(damage.position..damage.end()).contains(position));
            times.retain(|offset, _| !damage.covers(*offset));
        }
        if let Some((position, offset)) = offsets.first_key_value() {
            trouble(OffsetEntry::KIND, format!("no batch at {position} ends with offset {offset}"));
        }
        if let Some((offset, timestamp)) = times.first_key_value() {
            trouble(TimeEntry::KIND, format!("no batch with offset {offset} has the timestamp {timestamp}"));
        }
        let base = self.segment.base_offset;
        let end = Offset(i64::MAX);
        let has_txn_index = files.disk().metadata(&files.path(Kind::TxnIndex)).is_ok();
        if has_txn_index && !self.segment.with_txn_index("read", |index| index.is_sound(base, end))? {
            trouble(Kind::TxnIndex, "not an index of aborted transactions".to_owned());
        }
        Ok(())
    }
}
