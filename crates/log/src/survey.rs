//! Looks through a whole segment for what is sound in it, also behind places that are not.
//!
//! ```text
//! │ sound  run │ damage │ sound run │ sound, but of another place │ sound run │ tail │
//!   offsets →             growing      offsets do not fit            growing
//! ```
//! A torn write, a flipped bit, a lost block leave batches behind them that are as they were written. Where the next one
//! begins is told by the length of the damaged batch, if that is left; otherwise it is searched for, byte by byte: a
//! header that can be one of this segment, whose checksum is right, and which another header or the end follows, or
//! which is known from earlier. The last rule is there for records that hold batches: without it the inside of a damaged
//! batch could pass for the log. And where a sector ends within the first bytes of a batch, which no checksum covers, the
//! next batch must go on with its offsets: what damaged the sector may have changed them.
//!
//! Blocks that were written to the wrong place hold sound batches whose offsets contradict their neighbours'; and no
//! checksum covers the offset and the leader epoch of a batch. Of all that is sound, the most bytes in which both grow
//! are the log, and bytes that the index knows at their place count double; the rest is damage like any other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use ottla_protocol::records::{BATCH_OVERHEAD, BatchHeader, MAGIC, MAGIC_OFFSET, RecordError};
use ottla_protocol::{LeaderEpoch, Offset};

use crate::LogError;
use crate::damage::Damage;
use crate::disk::{DiskFile, read_full_at};
use crate::names::Kind;
use crate::scan::{HeaderScan, SCAN_CHUNK, ScanError};
use crate::segment::Segment;

/// Bytes between two entries of an index, by default.
const LANDMARK_WEIGHT: u64 = 4096;

/// What a disk writes or loses as a whole.
const SECTOR: u64 = 512;
/// Bytes at the start of a batch that no checksum covers: its offset, its length, its leader epoch.
const UNCHECKED: u64 = 16;
/// More than all bytes that a segment can have.
const BEGINNING_WEIGHT: u64 = 1 << 40;

/// Adjacent sound batches whose offsets grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where the first begins.
    pub(crate) start: u32,
    /// Where the last ends.
    pub(crate) end: u32,
    pub(crate) first_offset: Offset,
    /// The offset after the last.
    pub(crate) end_offset: Offset,
    leader_epoch: LeaderEpoch,
    /// Its bytes, and those that speak for it.
    weight: u64,
}

/// What is known of where batches are, from earlier.
#[derive(Debug, Default)]
pub(crate) struct Landmarks {
    /// What the index says: by position, their last offsets.
    indexed: HashMap<u32, Offset>,
    /// Where sound batches followed damage when somebody last looked.
    resumed: HashSet<u32>,
}

impl Landmarks {
    /// What the index of a segment says, and the file that names its damage; nothing if they cannot be read.
    pub(crate) fn of(segment: &Segment) -> Landmarks {
        let entries = segment.offset_index.entries(&segment.files).unwrap_or_default();
        Landmarks {
            indexed: entries.into_iter().map(|entry| (entry.position, entry.offset)).collect(),
            ..Landmarks::of_damage(segment)
        }
    }

    /// What the file that names a segment's damage says.
    pub(crate) fn of_damage(segment: &Segment) -> Landmarks {
        let resumed = segment.damage().iter().map(Damage::end).collect();
        Landmarks { indexed: HashMap::new(), resumed }
    }

    fn weight(&self, position: u32, header: &BatchHeader) -> u64 {
        if self.knows(position, header) { LANDMARK_WEIGHT } else { 0 }
    }

    /// Whether something else than its own bytes says that a batch is there.
    fn knows(&self, position: u32, header: &BatchHeader) -> bool {
        self.indexed.get(&position) == Some(&header.last_offset()) || self.resumed.contains(&position)
    }
}

/// What a segment holds.
#[derive(Debug)]
pub(crate) struct Survey {
    /// What is sound, in order: of positions and of offsets.
    pub(crate) runs: Vec<Run>,
    /// What is not, between and after them.
    pub(crate) damage: Vec<Damage>,
}

/// Which offsets a segment can hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) base_offset: Offset,
    /// Where the next segment begins, or the log ends; `i64::MAX` if that is not known.
    pub(crate) end_offset: Offset,
}

impl Bounds {
    /// Whether a batch may be behind one that ends before `next_offset`.
    pub(crate) fn check(self, next_offset: Offset, header: &BatchHeader) -> Result<(), RecordError> {
        if header.last_offset_delta < 0 || header.record_count < 0 {
            return Err(RecordError::BadBatch("negative count in a header"));
        }
        if header.base_offset < next_offset {
            return Err(RecordError::BadBatch("offset below that of the batch before"));
        }
        if header.last_offset() >= self.end_offset {
            return Err(RecordError::BadBatch("offset beyond that of the segment behind"));
        }
        match header.last_offset().0.checked_sub(self.base_offset.0) {
            Some(relative) if (0..=i64::from(i32::MAX)).contains(&relative) => Ok(()),
            _ => Err(RecordError::BadBatch("offset out of reach of the segment's base offset")),
        }
    }
}

/// Goes through the batches from a position on for as long as they are sound. Gives where that ends, and what is wrong
/// there if it is not the end.
pub(crate) fn examine(
    segment: &Segment,
    from: u32,
    len: u32,
    bounds: Bounds,
    mut visit: impl FnMut(u32, &BatchHeader) -> Result<(), LogError>,
) -> Result<(u32, Option<RecordError>), LogError> {
    if from >= len {
        return Ok((from, None));
    }
    let file = segment.files.get(Kind::Log).map_err(segment.files.io("open", Kind::Log))?;
    let mut scan = HeaderScan::new(file, from.into(), len.into(), SCAN_CHUNK);
    let mut next_offset = bounds.base_offset;
    let mut leader_epoch = LeaderEpoch::NONE;
    loop {
        let at = scan.position() as u32;
        let (position, header) = match scan.next() {
            Ok(None) => return Ok((at, None)),
            Ok(Some(found)) => found,
            Err(ScanError::Io(error)) => return Err(segment.files.io("read", Kind::Log)(error)),
            Err(ScanError::Bad(error)) => return Ok((at, Some(error))),
        };
        if let Err(error) = bounds.check(next_offset, &header) {
            return Ok((at, Some(error)));
        }
        if (LeaderEpoch(0)..leader_epoch).contains(&header.leader_epoch) {
            return Ok((at, Some(RecordError::BadBatch("leader epoch below that of the batch before"))));
        }
        let computed = scan.crc(position, &header).map_err(segment.files.io("read", Kind::Log))?;
        if computed != header.crc {
            return Ok((at, Some(RecordError::BadCrc { stored: header.crc, computed })));
        }
        visit(at, &header)?;
        next_offset = header.next_offset();
        leader_epoch = leader_epoch.max(header.leader_epoch);
    }
}

/// Whether a sound batch follows a place where none is.
pub(crate) fn is_followed(
    segment: &Segment,
    bad: u32,
    len: u32,
    bounds: Bounds,
    landmarks: &Landmarks,
) -> Result<bool, LogError> {
    let file = segment.files.get(Kind::Log).map_err(segment.files.io("open", Kind::Log))?;
    let found = resume(&file, bad.into(), len.into(), bounds, landmarks);
    Ok(found.map_err(segment.files.io("read", Kind::Log))?.is_some())
}

/// Looks through the first `len` bytes of a segment.
pub(crate) fn survey(
    segment: &Segment,
    len: u32,
    bounds: Bounds,
    landmarks: &Landmarks,
) -> Result<Survey, LogError> {
    let mut runs: Vec<Run> = Vec::new();
    let mut troubles: BTreeMap<u32, RecordError> = BTreeMap::new();
    let mut from = 0;
    while from < len {
        let (end, trouble) = examine(segment, from, len, bounds, |at, header| {
            let size = header.size() as u32;
            let weight = u64::from(size) + landmarks.weight(at, header);
            match runs.last_mut() {
                // Offsets that are left out begin a new run: what is behind may be of another place.
                Some(run) if run.is_continued_by(at, header) => {
                    run.end = at + size;
                    run.end_offset = header.next_offset();
                    run.weight += weight;
                }
                _ => runs.push(Run {
                    start: at,
                    end: at + size,
                    first_offset: header.base_offset,
                    end_offset: header.next_offset(),
                    leader_epoch: header.leader_epoch,
                    weight,
                }),
            }
            Ok(())
        })?;
        let Some(trouble) = trouble else { break };
        troubles.entry(end).or_insert(trouble);
        let file = segment.files.get(Kind::Log).map_err(segment.files.io("open", Kind::Log))?;
        let next = match end > from {
            // Sound in itself: its offsets begin anew.
            true if is_sound(&file, end.into(), len.into(), bounds).unwrap_or(false) => Some(end),
            _ => resume(&file, end.into(), len.into(), bounds, landmarks)
                .map_err(segment.files.io("read", Kind::Log))?
                .map(|at| at as u32),
        };
        let Some(next) = next else { break };
        from = next;
    }
    // What goes on from the segment's beginning without a gap is not given up for anything behind it.
    let mut beginning = (0, bounds.base_offset);
    let goes_on = |run: &&Run| {
        let is_next = (run.start, run.first_offset) == beginning;
        beginning = if is_next { (run.end, run.end_offset) } else { beginning };
        is_next
    };
    let first = runs.iter().take_while(goes_on).count();
    let beginning_end = first.checked_sub(1).map_or(0, |last| runs[last].end);
    let weight = |run: &Run| run.weight + if run.end <= beginning_end { BEGINNING_WEIGHT } else { 0 };
    let runs = most_in_order(runs, |run| (run.first_offset.0, run.end_offset.0), weight);
    let epoch = |run: &Run| i64::from(run.leader_epoch.0);
    let runs = most_in_order(runs, |run| (epoch(run), epoch(run)), |run| run.weight);
    Ok(Survey { damage: between(&runs, len, bounds, &troubles), runs })
}

impl Run {
    fn is_continued_by(&self, position: u32, header: &BatchHeader) -> bool {
        (self.end, self.end_offset, self.leader_epoch) == (position, header.base_offset, header.leader_epoch)
    }
}

/// Of runs in the order of their positions, those with the most weight in which something grows: none begins before the
/// one before it ends.
fn most_in_order(
    runs: Vec<Run>,
    span: impl Fn(&Run) -> (i64, i64),
    weight: impl Fn(&Run) -> u64,
) -> Vec<Run> {
    // By what a choice of runs ends with: its bytes, and its last run. Bytes grow from entry to entry.
    let mut best: BTreeMap<i64, (u64, usize)> = BTreeMap::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(runs.len());
    for (index, run) in runs.iter().enumerate() {
        let (first, end) = span(run);
        let (bytes, last) = match best.range(..=first).next_back() {
            Some((_, (bytes, last))) => (*bytes, Some(*last)),
            None => (0, None),
        };
        before.push(last);
        let bytes = bytes + weight(run);
        if best.range(..=end).next_back().is_some_and(|(_, (other, _))| *other >= bytes) {
            continue;
        }
        let worse = best.range(end..).take_while(|(_, (other, _))| *other <= bytes).map(|(end, _)| *end);
        for end in worse.collect::<Vec<_>>() {
            best.remove(&end);
        }
        best.insert(end, (bytes, index));
    }
    let mut chosen = Vec::new();
    let mut next = best.last_key_value().map(|(_, (_, last))| *last);
    while let Some(index) = next {
        chosen.push(runs[index]);
        next = before[index];
    }
    chosen.reverse();
    chosen
}

/// What is between the runs, and behind the last.
fn between(runs: &[Run], len: u32, bounds: Bounds, troubles: &BTreeMap<u32, RecordError>) -> Vec<Damage> {
    let mut damage = Vec::new();
    let mut position = 0;
    let mut first_offset = bounds.base_offset;
    let ends = runs.iter().map(|run| (run.start, run.first_offset, run.end, run.end_offset));
    for (start, end_offset, next, next_offset) in
        ends.chain([(len, bounds.end_offset, len, bounds.end_offset)])
    {
        if start > position {
            let what = troubles.range(position..start).next().map(|(_, error)| error.to_string());
            let what = what.unwrap_or_else(|| "batches of another place".to_owned());
            damage.push(Damage {
                position,
                bytes: start - position,
                first_offset,
                end_offset,
                what: what.into(),
            });
        }
        (position, first_offset) = (next, next_offset);
    }
    damage
}

/// Where the next sound batch begins after a place where none is.
fn resume(
    file: &Arc<dyn DiskFile>,
    bad: u64,
    end: u64,
    bounds: Bounds,
    landmarks: &Landmarks,
) -> io::Result<Option<u64>> {
    // The header may be whole, and only records be damaged.
    if let Some(header) = plausible(file, bad, end, bounds)? {
        let behind = bad + header.size() as u64;
        if behind == end {
            return Ok(None);
        }
        let next = plausible(file, behind, end, bounds)?;
        let goes_on = next.is_some_and(|next| next.base_offset == header.next_offset());
        if goes_on && is_sound(file, behind, end, bounds)? {
            return Ok(Some(behind));
        }
    }
    search(file, bad + 1, end, bounds, landmarks)
}

/// Searches for a sound batch, byte by byte.
fn search(
    file: &Arc<dyn DiskFile>,
    from: u64,
    end: u64,
    bounds: Bounds,
    landmarks: &Landmarks,
) -> io::Result<Option<u64>> {
    let mut chunk = vec![0; SCAN_CHUNK];
    let mut at = from;
    while at + BATCH_OVERHEAD as u64 <= end {
        let wanted = chunk.len().min((end - at) as usize);
        let count = read_full_at(&**file, &mut chunk[..wanted], at)?;
        let bytes = &chunk[..count];
        if bytes.len() < BATCH_OVERHEAD {
            return Ok(None);
        }
        let candidates = bytes.len() - BATCH_OVERHEAD + 1;
        // Files of a JVM may be filled up with a gigabyte of zeros.
        let is_zero = bytes.iter().all(|byte| *byte == 0);
        for offset in 0..if is_zero { 0 } else { candidates } {
            if bytes[offset + MAGIC_OFFSET] != MAGIC as u8 {
                continue;
            }
            let Ok(header) = BatchHeader::parse(&bytes[offset..]) else { continue };
            let position = at + offset as u64;
            if bounds.check(bounds.base_offset, &header).is_err() {
                continue;
            }
            let is_confirmed =
                landmarks.knows(position as u32, &header) || leads_on(file, position, &header, end, bounds)?;
            if is_confirmed && is_sound(file, position, end, bounds)? {
                return Ok(Some(position));
            }
        }
        at += candidates as u64;
    }
    Ok(None)
}

/// Whether what is behind a batch speaks for it: another one that goes on with its offsets; or, if its offset cannot have
/// been changed by what happened to the sector before, the end, or one with larger offsets.
fn leads_on(
    file: &Arc<dyn DiskFile>,
    position: u64,
    header: &BatchHeader,
    end: u64,
    bounds: Bounds,
) -> io::Result<bool> {
    let behind = position + header.size() as u64;
    let next = plausible(file, behind, end, bounds)?.map(|next| next.base_offset);
    if next == Some(header.next_offset()) {
        return Ok(true);
    }
    let is_whole = position / SECTOR == (position + UNCHECKED - 1) / SECTOR;
    Ok(is_whole && (behind == end || next.is_some_and(|next| next > header.next_offset())))
}

/// Whether a sound batch that can be one of this segment is at a position.
pub(crate) fn is_sound(
    file: &Arc<dyn DiskFile>,
    position: u64,
    end: u64,
    bounds: Bounds,
) -> io::Result<bool> {
    let mut scan = HeaderScan::new(file.clone(), position, end, BATCH_OVERHEAD);
    match scan.next() {
        Ok(Some((at, header))) if bounds.check(bounds.base_offset, &header).is_ok() => {
            let mut scan = HeaderScan::new(file.clone(), at, end, SCAN_CHUNK.min(header.size()));
            Ok(scan.crc(at, &header)? == header.crc)
        }
        Ok(_) | Err(ScanError::Bad(_)) => Ok(false),
        Err(ScanError::Io(error)) => Err(error),
    }
}

/// The header at a position, if it can be one of this segment and its batch is within the file.
fn plausible(
    file: &Arc<dyn DiskFile>,
    position: u64,
    end: u64,
    bounds: Bounds,
) -> io::Result<Option<BatchHeader>> {
    let mut scan = HeaderScan::new(file.clone(), position, end, BATCH_OVERHEAD);
    match scan.next() {
        Ok(Some((_, header))) => Ok(bounds.check(bounds.base_offset, &header).is_ok().then_some(header)),
        Ok(None) | Err(ScanError::Bad(_)) => Ok(None),
        Err(ScanError::Io(error)) => Err(error),
    }
}
