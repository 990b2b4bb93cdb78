//! A disk in memory for tests: it forgets what was not synced when the power fails, and fails where it is told to.
//!
//! What a power failure leaves behind is decided by a number, so that every outcome can be had again. It is as bad as
//! journaling file systems allow: of a file's unsynced writes any sectors may have reached the disk, of a directory's
//! unsynced changes any number of the first ones; a cut has happened or not, and what was written behind it has not
//! reached the disk before it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirEntry, Disk, DiskFile, LockGuard, Metadata, OpenMode, Space};

/// Bytes that reach a disk together or not at all.
const SECTOR: usize = 512;

/// What may be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Opening or making a file.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Syncing a directory.
    SyncDir,
    /// Cutting or filling up a file.
    SetLen,
    /// Renaming.
    Rename,
    /// Removing a file or directory.
    Remove,
}

/// A failure that is waiting to happen.
#[derive(Clone, Debug)]
pub struct Fault {
    /// At which operation.
    pub op: Op,
    /// Only where the path contains this.
    pub path: String,
    /// How many matching operations still succeed.
    pub after: u32,
    /// How many fail then.
    pub times: u32,
    /// With what.
    pub error: io::ErrorKind,
    /// Bytes that a write still puts into the file before it fails.
    pub partial: usize,
}

impl Fault {
    /// The next operation of that kind fails, once.
    pub fn once(op: Op, path: &str, error: io::ErrorKind) -> Fault {
        Fault { op, path: path.to_owned(), after: 0, times: 1, error, partial: 0 }
    }
}

/// See the module. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

type Inode = u64;
/// Names that change together.
type Change = Vec<(String, Option<Inode>)>;

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<Inode, Node>,
    next: Inode,
    now_ms: i64,
    capacity: Option<u64>,
    faults: Vec<Fault>,
    changes_left: Option<u64>,
    has_stopped: bool,
    locks: HashSet<PathBuf>,
    writes: u64,
    syncs: u64,
    open: u64,
}

#[derive(Debug)]
enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Debug, Default)]
struct FileNode {
    path: PathBuf,
    now: Vec<u8>,
    durable: Vec<u8>,
    /// The smallest size that the file was cut to since it was synced.
    cut_to: Option<usize>,
    modified_ms: i64,
}

#[derive(Debug, Default)]
struct DirNode {
    now: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
    changes: Vec<Change>,
}

const ROOT: Inode = 0;

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        let disk = SimDisk::default();
        let mut state = disk.state.lock();
        state.nodes.insert(ROOT, Node::Dir(DirNode::default()));
        state.next = ROOT + 1;
        drop(state);
        disk
    }

    /// Sets the time that changed files get.
    pub fn set_now(&self, now_ms: i64) {
        self.state.lock().now_ms = now_ms;
    }

    /// Sets how many bytes all files may have together; `None` is any number.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Makes something fail.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().faults.push(fault);
    }

    /// Lets `changes` more changes of files and names happen; everything after them fails, as if the process had been
    /// killed there.
    pub fn stop_after(&self, changes: u64) {
        self.state.lock().changes_left = Some(changes);
    }

    /// Whether something failed because of [`stop_after`](Self::stop_after).
    pub fn has_stopped(&self) -> bool {
        self.state.lock().has_stopped
    }

    /// Successful writes so far.
    pub fn writes(&self) -> u64 {
        self.state.lock().writes
    }

    /// Successful syncs of files so far.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Files that are open now, counted by handles.
    pub fn open_files(&self) -> u64 {
        self.state.lock().open
    }

    /// What the disk holds after the power failed now. This disk goes on as if nothing had happened, so that several
    /// outcomes of one moment can be tried. `seed` 0 loses everything that was not synced.
    #[must_use]
    pub fn after_power_failure(&self, seed: u64) -> SimDisk {
        let state = self.state.lock();
        let mut random = Random(seed);
        let mut nodes = HashMap::new();
        // In the order of their numbers, so that the same seed gives the same outcome.
        let mut inodes: Vec<_> = state.nodes.iter().collect();
        inodes.sort_by_key(|(inode, _)| **inode);
        for (&inode, node) in inodes {
            let node = match node {
                Node::File(file) => Node::File(file.after_power_failure(&mut random)),
                Node::Dir(dir) => Node::Dir(dir.after_power_failure(&mut random)),
            };
            nodes.insert(inode, node);
        }
        let state = State { nodes, next: state.next, now_ms: state.now_ms, ..State::default() };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// What the disk holds when only the process ended: everything that was written.
    #[must_use]
    pub fn after_process_kill(&self) -> SimDisk {
        let disk = self.after_power_failure(0);
        let (from, mut to) = (self.state.lock(), disk.state.lock());
        for (inode, node) in &from.nodes {
            let node = match node {
                Node::File(file) => Node::File(FileNode {
                    path: file.path.clone(),
                    now: file.now.clone(),
                    durable: file.durable.clone(),
                    cut_to: file.cut_to,
                    modified_ms: file.modified_ms,
                }),
                Node::Dir(dir) => Node::Dir(DirNode {
                    now: dir.now.clone(),
                    durable: dir.durable.clone(),
                    changes: dir.changes.clone(),
                }),
            };
            to.nodes.insert(*inode, node);
        }
        drop(to);
        disk
    }
}

impl FileNode {
    fn after_power_failure(&self, random: &mut Random) -> FileNode {
        let mut left = self.durable.clone();
        if random.0 != 0 {
            let mut writable = self.now.len();
            match self.cut_to {
                Some(cut_to) if random.below(2) == 0 => writable = cut_to.min(writable),
                Some(cut_to) => left.truncate(cut_to),
                None => {}
            }
            let grown = writable.saturating_sub(left.len());
            left.resize(left.len() + random.below(grown + 1), 0);
            for start in (0..left.len().min(writable)).step_by(SECTOR) {
                let end = (start + SECTOR).min(left.len()).min(writable);
                if random.below(2) == 1 {
                    left[start..end].copy_from_slice(&self.now[start..end]);
                }
            }
        }
        let (path, modified_ms) = (self.path.clone(), self.modified_ms);
        FileNode { path, now: left.clone(), durable: left, cut_to: None, modified_ms }
    }
}

impl FileNode {
    fn set_len(&mut self, len: usize) {
        if len < self.now.len() {
            self.cut_to = Some(self.cut_to.map_or(len, |cut_to| cut_to.min(len)));
        }
        self.now.resize(len, 0);
    }
}

impl DirNode {
    fn after_power_failure(&self, random: &mut Random) -> DirNode {
        let mut left = self.durable.clone();
        let kept = if random.0 == 0 { 0 } else { random.below(self.changes.len() + 1) };
        for (name, inode) in self.changes[..kept].iter().flatten() {
            apply(&mut left, name, *inode);
        }
        DirNode { now: left.clone(), durable: left, changes: Vec::new() }
    }

    fn change(&mut self, change: Change) {
        for (name, inode) in &change {
            apply(&mut self.now, name, *inode);
        }
        self.changes.push(change);
    }
}

fn apply(names: &mut BTreeMap<String, Inode>, name: &str, inode: Option<Inode>) {
    match inode {
        Some(inode) => names.insert(name.to_owned(), inode),
        None => names.remove(name),
    };
}

/// xorshift; zero stays zero.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

impl State {
    /// Whether the operation is to fail: the error, and what a write still does.
    fn fault(&mut self, op: Op, path: &Path) -> Option<(io::Error, usize)> {
        let text = path.to_string_lossy();
        let fault = self.faults.iter_mut().find(|f| f.op == op && f.times > 0 && text.contains(&f.path))?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        fault.times -= 1;
        Some((fault.error.into(), fault.partial))
    }

    fn check(&mut self, op: Op, path: &Path) -> io::Result<()> {
        let is_change = !matches!(op, Op::Open | Op::Read);
        if is_change || self.has_stopped {
            self.count_change()?;
        }
        self.fault(op, path).map_or(Ok(()), |(error, _)| Err(error))
    }

    /// One more change, if one may still happen.
    fn count_change(&mut self) -> io::Result<()> {
        match &mut self.changes_left {
            None => Ok(()),
            Some(0) => {
                self.has_stopped = true;
                Err(io::Error::other("the process was stopped"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn dir(&mut self, inode: Inode) -> io::Result<&mut DirNode> {
        match self.nodes.get_mut(&inode) {
            Some(Node::Dir(dir)) => Ok(dir),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn file(&mut self, inode: Inode) -> &mut FileNode {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(file)) => file,
            _ => unreachable!("an open file stays"),
        }
    }

    fn find(&mut self, path: &Path) -> io::Result<Inode> {
        let mut inode = ROOT;
        for name in names(path) {
            inode = *self.dir(inode)?.now.get(name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(inode)
    }

    /// The directory that holds a path's last name, and that name.
    fn parent<'p>(&mut self, path: &'p Path) -> io::Result<(Inode, &'p str)> {
        let name = path.file_name().and_then(OsStr::to_str).ok_or(io::ErrorKind::InvalidInput)?;
        let dir = self.find(path.parent().unwrap_or(Path::new("")))?;
        Ok((dir, name))
    }

    fn add(&mut self, dir: Inode, name: &str, node: Node) -> io::Result<Inode> {
        self.count_change()?;
        let inode = self.next;
        self.next += 1;
        self.nodes.insert(inode, node);
        self.dir(dir)?.change(vec![(name.to_owned(), Some(inode))]);
        Ok(inode)
    }

    fn used(&self) -> u64 {
        let size = |node: &Node| if let Node::File(file) = node { file.now.len() as u64 } else { 0 };
        self.nodes.values().map(size).sum()
    }

    fn write(&mut self, inode: Inode, bytes: &[u8], position: u64) {
        let now_ms = self.now_ms;
        let file = self.file(inode);
        let start = position as usize;
        let end = start + bytes.len();
        if file.now.len() < end {
            file.now.resize(end, 0);
        }
        file.now[start..end].copy_from_slice(bytes);
        file.modified_ms = now_ms;
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.check(Op::Open, path)?;
        let inode = match state.find(path) {
            Ok(inode) => inode,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !matches!(mode, OpenMode::Create | OpenMode::CreateEmpty) {
                    return Err(error);
                }
                let (dir, name) = state.parent(path)?;
                let node =
                    FileNode { path: path.to_owned(), modified_ms: state.now_ms, ..FileNode::default() };
                state.add(dir, name, Node::File(node))?
            }
            Err(error) => return Err(error),
        };
        match state.nodes.get_mut(&inode) {
            Some(Node::File(file)) if mode == OpenMode::CreateEmpty => file.set_len(0),
            Some(Node::File(_)) => {}
            _ => return Err(io::ErrorKind::IsADirectory.into()),
        }
        state.open += 1;
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut state = self.state.lock();
        let inode = state.find(path)?;
        Ok(match &state.nodes[&inode] {
            Node::File(file) => {
                Metadata { is_dir: false, len: file.now.len() as u64, modified_ms: file.modified_ms }
            }
            Node::Dir(_) => Metadata { is_dir: true, len: 0, modified_ms: 0 },
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut state = self.state.lock();
        let inode = state.find(dir)?;
        let names = state.dir(inode)?.now.clone();
        let entry = |(name, inode): (String, Inode)| DirEntry {
            name,
            is_dir: matches!(state.nodes[&inode], Node::Dir(_)),
        };
        Ok(names.into_iter().map(entry).collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut inode = ROOT;
        for name in names(dir) {
            inode = match state.dir(inode)?.now.get(name) {
                Some(&there) => there,
                None => state.add(inode, name, Node::Dir(DirNode::default()))?,
            };
        }
        state.dir(inode).map(|_| ())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check(Op::Rename, from)?;
        let inode = state.find(from)?;
        let (from_dir, from_name) = state.parent(from)?;
        let (to_dir, to_name) = state.parent(to)?;
        let removed = (from_name.to_owned(), None);
        let added = (to_name.to_owned(), Some(inode));
        if from_dir == to_dir {
            state.dir(from_dir)?.change(vec![removed, added]);
        } else {
            state.dir(to_dir)?.change(vec![added]);
            state.dir(from_dir)?.change(vec![removed]);
        }
        if let Some(Node::File(file)) = state.nodes.get_mut(&inode) {
            file.path = to.to_owned();
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check(Op::Remove, path)?;
        state.find(path)?;
        let (dir, name) = state.parent(path)?;
        state.dir(dir)?.change(vec![(name.to_owned(), None)]);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.remove_file(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check(Op::SyncDir, dir)?;
        let inode = state.find(dir)?;
        let dir = state.dir(inode)?;
        dir.durable = dir.now.clone();
        dir.changes.clear();
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let state = self.state.lock();
        let total = state.capacity.unwrap_or(1 << 40);
        Ok(Space { total, usable: total.saturating_sub(state.used()) })
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.open(path, OpenMode::Create)?;
        let free = self.state.lock().locks.insert(path.to_owned());
        let guard = || Box::new(SimLock { disk: self.clone(), path: path.to_owned() }) as Box<dyn LockGuard>;
        Ok(free.then(guard))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state.lock().locks.remove(&self.path);
    }
}

struct SimFile {
    disk: SimDisk,
    inode: Inode,
}

impl std::fmt::Debug for SimFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimFile({})", self.inode)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.state.lock().open -= 1;
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.disk.state.lock();
        let path = state.file(self.inode).path.clone();
        state.check(Op::Read, &path)?;
        let file = state.file(self.inode);
        let rest = file.now.get(position as usize..).unwrap_or_default();
        let count = buffer.len().min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let bytes: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        let mut state = self.disk.state.lock();
        let path = state.file(self.inode).path.clone();
        state.count_change()?;
        if let Some((error, partial)) = state.fault(Op::Write, &path) {
            state.write(self.inode, &bytes[..partial.min(bytes.len())], position);
            return Err(error);
        }
        let grows = (position + bytes.len() as u64).saturating_sub(state.file(self.inode).now.len() as u64);
        if state.capacity.is_some_and(|capacity| state.used() + grows > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.write(self.inode, &bytes, position);
        state.writes += 1;
        Ok(bytes.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let path = state.file(self.inode).path.clone();
        state.check(Op::SetLen, &path)?;
        state.file(self.inode).set_len(len as usize);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state.lock().file(self.inode).now.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let path = state.file(self.inode).path.clone();
        state.check(Op::Sync, &path)?;
        let file = state.file(self.inode);
        file.durable = file.now.clone();
        file.cut_to = None;
        state.syncs += 1;
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
