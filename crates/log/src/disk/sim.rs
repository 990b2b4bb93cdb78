//! A disk in memory for tests: it forgets what was not synced when the power fails, and fails where it is told to.
//!
//! What a power failure leaves behind is decided by a number, so that every outcome can be had again ([`power`] says
//! what may happen). A sync that fails is as [`RealDisk`](super::RealDisk) makes it: what it should have
//! written is gone, and no later sync writes it.

mod power;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fmt::{Debug, Formatter};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirEntry, Disk, DiskFile, LockGuard, Metadata, OpenMode, Space};

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
/// Is told of every operation before it happens.
type Hook = Arc<dyn Fn(Op, &Path) + Send + Sync>;
/// Names that change together.
type Change = Vec<(String, Option<Inode>)>;

#[derive(Default)]
struct State {
    nodes: HashMap<Inode, Node>,
    next: Inode,
    now_ms: i64,
    capacity: Option<u64>,
    faults: Vec<Fault>,
    changes_left: Option<u64>,
    has_stopped: bool,
    locks: HashSet<PathBuf>,
    /// A write takes at most this many bytes.
    write_bytes_max: Option<usize>,
    hook: Option<Hook>,
    writes: u64,
    syncs: u64,
    open: u64,
}

impl Debug for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Clone, Debug, Default)]
struct FileNode {
    path: PathBuf,
    now: Vec<u8>,
    durable: Vec<u8>,
    /// The smallest size that the file was cut to since it was synced.
    cut_to: Option<usize>,
    modified_ms: i64,
}

#[derive(Clone, Debug, Default)]
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
    /// killed there. A write that is stopped leaves a part of its bytes.
    pub fn stop_after(&self, changes: u64) {
        self.state.lock().changes_left = Some(changes);
    }

    /// Lets every write take at most so many bytes, as the system may.
    pub fn set_write_bytes_max(&self, bytes: usize) {
        self.state.lock().write_bytes_max = Some(bytes.max(1));
    }

    /// Calls `hook` before every operation, on the thread that asks for it: a hook that waits is a disk that stalls.
    pub fn on_call(&self, hook: impl Fn(Op, &Path) + Send + Sync + 'static) {
        self.state.lock().hook = Some(Arc::new(hook));
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
        let nodes = power::after_failure(&state.nodes, seed);
        let state = State { nodes, next: state.next, now_ms: state.now_ms, ..State::default() };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// What the disk holds when only the process ended: everything that was written.
    #[must_use]
    pub fn after_process_kill(&self) -> SimDisk {
        let state = self.state.lock();
        let nodes = state.nodes.clone();
        let state = State { nodes, next: state.next, now_ms: state.now_ms, ..State::default() };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// Tells the hook, which may take its time.
    fn call(&self, op: Op, path: &Path) {
        let hook = self.state.lock().hook.clone();
        if let Some(hook) = hook {
            hook(op, path);
        }
    }
}

impl FileNode {
    fn set_len(&mut self, len: usize) {
        if len < self.now.len() {
            self.cut_to = Some(self.cut_to.map_or(len, |cut_to| cut_to.min(len)));
        }
        self.now.resize(len, 0);
    }

    /// What is here now is on the disk.
    fn synced(&mut self) {
        self.durable.clone_from(&self.now);
        self.cut_to = None;
    }
}

impl DirNode {
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

    /// Bytes of all files that have a name.
    fn used(&self) -> u64 {
        let (mut used, mut dirs) = (0, vec![ROOT]);
        while let Some(inode) = dirs.pop() {
            match &self.nodes[&inode] {
                Node::File(file) => used += file.now.len() as u64,
                Node::Dir(dir) => dirs.extend(dir.now.values()),
            }
        }
        used
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
        self.call(Op::Open, path);
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
        self.call(Op::Rename, from);
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
        self.call(Op::Remove, path);
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
        self.call(Op::SyncDir, dir);
        let mut state = self.state.lock();
        state.check(Op::SyncDir, dir)?;
        let inode = state.find(dir)?;
        let dir = state.dir(inode)?;
        dir.durable = dir.now.clone();
        dir.changes.clear();
        Ok(())
    }

    fn sync_all(&self, dir: &Path) -> io::Result<()> {
        self.call(Op::Sync, dir);
        let mut state = self.state.lock();
        state.check(Op::Sync, dir)?;
        for node in state.nodes.values_mut() {
            match node {
                Node::Dir(dir) => {
                    dir.durable = dir.now.clone();
                    dir.changes.clear();
                }
                Node::File(file) => file.synced(),
            }
        }
        state.syncs += 1;
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

impl SimFile {
    /// The file's path, after the hook has been told.
    fn call(&self, op: Op) -> PathBuf {
        let path = self.disk.state.lock().file(self.inode).path.clone();
        self.disk.call(op, &path);
        path
    }
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
        let path = self.call(Op::Read);
        let mut state = self.disk.state.lock();
        state.check(Op::Read, &path)?;
        let file = state.file(self.inode);
        let rest = file.now.get(position as usize..).unwrap_or_default();
        let count = buffer.len().min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let mut bytes: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        let path = self.call(Op::Write);
        let mut state = self.disk.state.lock();
        let was_stopped = state.has_stopped;
        if let Err(error) = state.count_change() {
            if !was_stopped {
                let part = bytes.len() * (state.writes % 5) as usize / 4;
                state.write(self.inode, &bytes[..part.min(bytes.len())], position);
            }
            return Err(error);
        }
        bytes.truncate(state.write_bytes_max.unwrap_or(bytes.len()));
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
        let path = self.call(Op::SetLen);
        let mut state = self.disk.state.lock();
        state.check(Op::SetLen, &path)?;
        state.file(self.inode).set_len(len as usize);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state.lock().file(self.inode).now.len() as u64)
    }

    fn set_modified(&self, modified_ms: i64) -> io::Result<()> {
        self.disk.state.lock().file(self.inode).modified_ms = modified_ms;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let path = self.call(Op::Sync);
        let mut state = self.disk.state.lock();
        let result = state.check(Op::Sync, &path);
        let has_stopped = state.has_stopped;
        let file = state.file(self.inode);
        if result.is_err() {
            if !has_stopped {
                // What the kernel could not write it drops: the disk's contents are read from now on, within the
                // same size.
                let size = file.now.len();
                file.now.clone_from(&file.durable);
                file.now.resize(size, 0);
            }
            return result;
        }
        file.synced();
        state.syncs += 1;
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
