//! A power cut for real processes: what a library between the program and its disk wrote down
//! (`conformance/faultfs/faultfs.c`) says what had been synced; of the rest, a seed decides what is taken back.
//!
//! The rules are those of the simulated disk of `ottla-log`: blocks of unsynced writes are there, lost, torn or garbage;
//! a file's size is one that it had on the way; of a directory's unsynced changes the first ones are there.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::environment::Environment;
use crate::process;
use crate::random::Random;

/// What a kernel writes together.
const BLOCK: usize = 4096;

/// The library, and the files that it shares with the harness.
#[derive(Debug)]
pub(crate) struct FaultFs {
    library: PathBuf,
    data: PathBuf,
    journal: PathBuf,
    limbo: PathBuf,
    control: PathBuf,
}

impl FaultFs {
    /// Compiles the library. `directory` is the broker's, `data` what is watched in it.
    pub(crate) fn new(environment: &Environment, directory: &Path, data: &Path) -> Result<FaultFs> {
        let library = environment.out("chaos")?.join("faultfs.so");
        let source = environment.program("faultfs/faultfs.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-lpthread");
        process::run(&mut compile, b"", Duration::from_secs(60))?.success()?;
        let limbo = directory.join("limbo");
        fs::create_dir_all(&limbo)?;
        let (journal, control) = (directory.join("journal"), directory.join("control"));
        Ok(FaultFs { library, data: data.to_path_buf(), journal, limbo, control })
    }

    /// Puts the library between a broker and its disk; `has_journal`: so that the power can be cut.
    pub(crate) fn around<'e>(&self, broker: Broker<'e>, has_journal: bool) -> Broker<'e> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let broker = broker
            .variable("LD_PRELOAD", &text(&self.library))
            .variable("FAULTFS_DIR", &text(&self.data))
            .variable("FAULTFS_LIMBO", &text(&self.limbo))
            .variable("FAULTFS_CONTROL", &text(&self.control));
        if has_journal { broker.variable("FAULTFS_JOURNAL", &text(&self.journal)) } else { broker }
    }

    /// What fails from now on, as the library's source describes it.
    pub(crate) fn set_faults(&self, faults: &str) -> Result<()> {
        // Another file, so that its time differs however soon it comes.
        let beside = self.control.with_extension("new");
        fs::write(&beside, faults)?;
        Ok(fs::rename(beside, &self.control)?)
    }

    /// Takes back what had not been synced when the process was killed. Gives how many changes that concerned.
    pub(crate) fn cut_power(&self, seed: u64) -> Result<usize> {
        let bytes = match fs::read(&self.journal) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        ensure!(!bytes.is_empty(), "the library wrote nothing down: the program does not call libc");
        let changes = parse(&bytes)?;
        let mut random = Random::new(seed);
        let files = self.files()?;
        let mut taken = 0;
        for (inode, of_file) in by_file(&changes) {
            let Some(path) = files.get(&inode) else { continue };
            taken += usize::from(
                take_back(path, &of_file, &mut random).with_context(|| path.display().to_string())?,
            );
        }
        taken += self.take_back_names(&changes, &mut random)?;
        fs::remove_file(&self.journal)?;
        fs::remove_dir_all(&self.limbo)?;
        fs::create_dir(&self.limbo)?;
        Ok(taken)
    }

    /// Where every file is, by inode: those that lost their name are in limbo.
    fn files(&self) -> Result<HashMap<u64, PathBuf>> {
        let mut files = HashMap::new();
        let mut dirs = vec![self.limbo.clone(), self.data.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                if metadata.is_dir() {
                    dirs.push(entry.path());
                } else {
                    files.insert(metadata.ino(), entry.path());
                }
            }
        }
        Ok(files)
    }

    fn take_back_names(&self, changes: &[Change], random: &mut Random) -> Result<usize> {
        let mut unsynced: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        for (index, change) in changes.iter().enumerate() {
            // The name of the watched directory itself lies outside, where nobody watches whether it is synced.
            let Some(dir) = change.dir().filter(|dir| dir.starts_with(&self.data)) else { continue };
            let is_synced = changes[index..].iter().any(|sync| {
                sync.a > change.position
                    && (sync.kind == b'Y' || sync.kind == b'D' && Path::new(&sync.path) == dir)
            });
            if !is_synced {
                unsynced.entry(dir.to_path_buf()).or_default().push(index);
            }
        }
        let mut gone: Vec<usize> = Vec::new();
        for of_dir in unsynced.values() {
            let kept = random.below(of_dir.len() as u64 + 1) as usize;
            gone.extend(&of_dir[kept..]);
        }
        gone.sort_unstable();
        for &index in gone.iter().rev() {
            let change = &changes[index];
            let kept = self.limbo.join(change.a.to_string());
            let result = match change.kind {
                b'C' => fs::remove_file(&change.path),
                b'M' => fs::remove_dir_all(&change.path),
                b'X' => fs::create_dir(&change.path),
                b'U' => fs::hard_link(kept, &change.path),
                _ => fs::rename(&change.other, &change.path).and_then(|()| match change.a {
                    0 => Ok(()),
                    _ => fs::hard_link(kept, &change.other),
                }),
            };
            match result {
                // Its directory is gone, or back, by another change.
                Err(error) if [ErrorKind::NotFound, ErrorKind::AlreadyExists].contains(&error.kind()) => {}
                other => other.with_context(|| format!("take back {change:?}"))?,
            }
        }
        Ok(gone.len())
    }
}

/// A record of the journal.
#[derive(Debug)]
struct Change {
    /// Where it stands in the journal.
    position: u64,
    kind: u8,
    inode: u64,
    a: u64,
    b: u64,
    size: u64,
    path: String,
    other: String,
    data: Vec<u8>,
}

impl Change {
    /// The directory whose names it changes.
    fn dir(&self) -> Option<&Path> {
        match self.kind {
            b'C' | b'M' | b'X' | b'U' => Path::new(&self.path).parent(),
            b'R' => Path::new(&self.other).parent(),
            _ => None,
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Change>> {
    let (mut rest, mut changes) = (bytes, Vec::new());
    while let Some((head, mut body)) = rest.split_at_checked(45) {
        let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let len = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes")) as usize;
        let mut take = |count: usize| {
            let (part, after) = body.split_at_checked(count)?;
            body = after;
            Some(part.to_vec())
        };
        // The last one may be torn: the process was killed.
        let (Some(path), Some(other), Some(data)) = (take(len(33)), take(len(37)), take(len(41))) else {
            break;
        };
        changes.push(Change {
            position: (bytes.len() - rest.len()) as u64,
            kind: head[0],
            inode: word(1),
            a: word(9),
            b: word(17),
            size: word(25),
            path: String::from_utf8(path)?,
            other: String::from_utf8(other)?,
            data,
        });
        rest = body;
    }
    Ok(changes)
}

/// The changes of each file's contents, with those that concern all.
fn by_file(changes: &[Change]) -> BTreeMap<u64, Vec<&Change>> {
    let mut files: BTreeMap<u64, Vec<&Change>> = BTreeMap::new();
    for change in changes.iter().filter(|change| matches!(change.kind, b'W' | b'T')) {
        files.entry(change.inode).or_default();
    }
    for change in changes {
        match change.kind {
            b'W' | b'T' | b'S' | b'G' => {
                if let Some(file) = files.get_mut(&change.inode) {
                    file.push(change);
                }
            }
            b'Y' => files.values_mut().for_each(|file| file.push(change)),
            _ => {}
        }
    }
    files
}

/// Changes a file to what the power cut leaves of it; gives whether that is something else.
fn take_back(path: &Path, changes: &[&Change], random: &mut Random) -> Result<bool> {
    let is_durable = |index: usize, write: &Change| {
        let first = changes[index..]
            .iter()
            .find(|sync| matches!(sync.kind, b'S' | b'Y' | b'G') && sync.a > write.position);
        first.is_some_and(|sync| sync.kind != b'G')
    };
    let now = fs::read(path)?;
    let mut durable = now.clone();
    let (mut is_last, mut cut_to) = (true, None);
    for (index, write) in
        changes.iter().enumerate().rev().filter(|(_, change)| matches!(change.kind, b'W' | b'T'))
    {
        if is_durable(index, write) {
            is_last = false;
            continue;
        }
        let start = write.a as usize;
        let end = if write.kind == b'T' { write.size.max(write.a) } else { write.a + write.b } as usize;
        if durable.len() < end {
            durable.resize(end, 0);
        }
        durable[start..end].fill(0);
        durable[start..start + write.data.len()].copy_from_slice(&write.data);
        if is_last {
            durable.resize(write.size as usize, 0);
        }
        if write.kind == b'T' {
            cut_to = Some(cut_to.unwrap_or(usize::MAX).min(start));
        }
    }
    if durable == now {
        return Ok(false);
    }
    let was_given_up = changes.iter().any(|change| change.kind == b'G');
    let left =
        if was_given_up || random.below(10) == 0 { durable } else { mixed(&now, &durable, cut_to, random) };
    fs::write(path, left)?;
    Ok(true)
}

/// Some of what was not synced.
fn mixed(now: &[u8], durable: &[u8], cut_to: Option<usize>, random: &mut Random) -> Vec<u8> {
    let mut left = durable.to_vec();
    let mut writable = now.len();
    match cut_to {
        Some(cut_to) if random.below(2) == 0 => writable = cut_to.min(writable),
        Some(cut_to) => left.truncate(cut_to),
        None => {}
    }
    let synced = left.len();
    let grown = random.below(writable.saturating_sub(synced) as u64 + 1) as usize;
    left.resize(synced + grown, 0);
    let (kept, is_scrambled) = (random.below(5), random.below(4) == 0);
    for start in (0..left.len().min(writable)).step_by(BLOCK) {
        let end = (start + BLOCK).min(left.len()).min(writable);
        let torn = match random.below(16) {
            0 => start + random.below((end - start) as u64) as usize,
            _ if random.below(4) < kept => end,
            _ => start,
        };
        left[start..torn].copy_from_slice(&now[start..torn]);
        if is_scrambled {
            for byte in &mut left[torn.max(synced).min(end)..end] {
                *byte = random.bits() as u8;
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(position: u64, at: u64, len: u64, size: u64, before: &[u8]) -> Change {
        let (path, other) = (String::new(), String::new());
        Change { position, kind: b'W', inode: 1, a: at, b: len, size, path, other, data: before.to_vec() }
    }

    fn sync(position: u64, kind: u8, up_to: u64) -> Change {
        Change { kind, ..write(position, up_to, 0, 0, b"") }
    }

    fn left(now: &[u8], changes: &[Change]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), now).unwrap();
        let changes: Vec<&Change> = changes.iter().collect();
        // Seeds that keep nothing are among these.
        let mut shortest = now.to_vec();
        for seed in 0..100 {
            fs::write(file.path(), now).unwrap();
            take_back(file.path(), &changes, &mut Random::new(seed)).unwrap();
            shortest = shortest.min(fs::read(file.path()).unwrap());
        }
        shortest
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_may_go() {
        let changes = [write(0, 0, 3, 0, b""), sync(50, b'S', 50), write(100, 3, 3, 3, b"")];
        assert_eq!(left(b"abcdef", &changes), b"abc");
        let all = [write(0, 0, 3, 0, b""), write(50, 3, 3, 3, b""), sync(100, b'Y', 100)];
        assert_eq!(left(b"abcdef", &all), b"abcdef");
    }

    #[test]
    fn a_write_that_came_while_a_sync_ran_is_not_synced_by_it() {
        let changes = [write(0, 0, 3, 0, b""), write(50, 3, 3, 3, b""), sync(100, b'S', 50)];
        assert_eq!(left(b"abcdef", &changes), b"abc");
    }

    #[test]
    fn what_a_failed_sync_gave_up_is_not_there_whatever_is_synced_later() {
        let changes =
            [write(0, 0, 3, 0, b""), sync(50, b'G', 50), write(100, 3, 3, 3, b""), sync(150, b'S', 150)];
        assert_eq!(left(b"abcdef", &changes), b"\0\0\0def");
    }
}
