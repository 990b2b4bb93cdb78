//! Open files of segments: opened when needed, closed again when there are too many.
//!
//! A broker may have hundreds of thousands of segment files; only those in use are open. The bound is for the whole
//! process. Whoever holds a handle, a fetch answer being sent, say, keeps that file open beyond the bound.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use ottla_protocol::Offset;
use parking_lot::{Mutex, RwLock};

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::error::{LogError, TopicPartition};
use crate::names::{self, Kind};

/// What all logs of a process share: the disk, and the bound on open files.
#[derive(Clone, Debug)]
pub struct LogContext {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) cache: Arc<FileCache>,
}

impl LogContext {
    /// Logs on `disk` with at most about `open_files_max` files open.
    pub fn new(disk: Arc<dyn Disk>, open_files_max: usize) -> LogContext {
        LogContext { disk, cache: Arc::new(FileCache::new(open_files_max)) }
    }

    /// The disk.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }
}

/// Remembers which slots hold an open file, and empties the ones not used lately when there are too many (the clock
/// algorithm: a slot used since it was last looked at gets a second chance).
#[derive(Debug)]
pub(crate) struct FileCache {
    max: usize,
    /// Slots that hold a file, each once.
    open: Mutex<VecDeque<(Weak<SegmentFiles>, Kind)>>,
}

impl FileCache {
    fn new(max: usize) -> FileCache {
        FileCache { max: max.max(1), open: Mutex::default() }
    }

    fn opened(&self, files: &Arc<SegmentFiles>, kind: Kind) {
        let mut open = self.open.lock();
        open.push_back((Arc::downgrade(files), kind));
        // Each slot is looked at once at most twice: after its second chance it is not used any more, or is in use.
        let mut looks = 2 * open.len();
        while open.len() > self.max && looks > 0 {
            looks -= 1;
            let Some((weak, kind)) = open.pop_front() else { break };
            let Some(files) = weak.upgrade() else { continue };
            let slot = files.slot(kind);
            // A slot that is locked is being used. Waiting for it could mean waiting for a stalled disk.
            match slot.file.try_write() {
                Some(mut file) if !slot.used.swap(false, Relaxed) => drop(file.take()),
                _ => open.push_back((weak, kind)),
            }
        }
    }
}

/// A log's directory, whose name may change while its files are used.
#[derive(Debug)]
pub(crate) struct SharedDir {
    pub(crate) topic_partition: TopicPartition,
    path: RwLock<PathBuf>,
}

impl SharedDir {
    pub(crate) fn new(topic_partition: TopicPartition, path: PathBuf) -> Arc<SharedDir> {
        Arc::new(SharedDir { topic_partition, path: RwLock::new(path) })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.read().clone()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.read().join(name)
    }

    pub(crate) fn set(&self, path: PathBuf) {
        *self.path.write() = path;
    }

    /// Makes an error of what the disk said about a path.
    pub(crate) fn io<'p>(
        &'p self,
        action: &'static str,
        path: &'p Path,
    ) -> impl FnOnce(io::Error) -> LogError + 'p {
        move |source| LogError::Io {
            topic_partition: self.topic_partition.clone(),
            path: path.to_owned(),
            action,
            source,
        }
    }
}

/// The files of one segment.
#[derive(Debug)]
pub(crate) struct SegmentFiles {
    context: LogContext,
    dir: Arc<SharedDir>,
    base_offset: Offset,
    /// The files have been renamed to be removed later.
    deleted: AtomicBool,
    slots: [Slot; 3],
}

#[derive(Debug, Default)]
struct Slot {
    file: RwLock<Option<Arc<dyn DiskFile>>>,
    used: AtomicBool,
}

impl SegmentFiles {
    pub(crate) fn new(context: LogContext, dir: Arc<SharedDir>, base_offset: Offset) -> Arc<SegmentFiles> {
        let slots = Default::default();
        Arc::new(SegmentFiles { context, dir, base_offset, deleted: AtomicBool::new(false), slots })
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.context.disk()
    }

    pub(crate) fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// Makes an error of what the disk said about a file.
    pub(crate) fn io(&self, action: &'static str, kind: Kind) -> impl FnOnce(io::Error) -> LogError + '_ {
        move |source| LogError::Io {
            topic_partition: self.dir.topic_partition.clone(),
            path: self.path(kind),
            action,
            source,
        }
    }

    /// The segment's file does not hold what was written.
    pub(crate) fn corrupt(&self, position: u64, offset: Offset, what: String) -> LogError {
        LogError::Corrupt {
            topic_partition: self.dir.topic_partition.clone(),
            path: self.path(Kind::Log),
            position,
            offset,
            what,
        }
    }

    pub(crate) fn path(&self, kind: Kind) -> PathBuf {
        let mut name = names::segment_file(self.base_offset, kind);
        if self.is_deleted() {
            name.push_str(names::DELETED);
        }
        self.dir.join(&name)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Relaxed)
    }

    /// An existing file, open for reading and writing.
    pub(crate) fn get(self: &Arc<Self>, kind: Kind) -> io::Result<Arc<dyn DiskFile>> {
        self.get_or_open(kind, OpenMode::Write)
    }

    /// The same, made if it is not there.
    pub(crate) fn get_or_create(self: &Arc<Self>, kind: Kind) -> io::Result<Arc<dyn DiskFile>> {
        self.get_or_open(kind, OpenMode::Create)
    }

    fn get_or_open(self: &Arc<Self>, kind: Kind, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let slot = self.slot(kind);
        if let Some(file) = &*slot.file.read() {
            if !slot.used.load(Relaxed) {
                slot.used.store(true, Relaxed);
            }
            return Ok(file.clone());
        }
        let mut place = slot.file.write();
        if let Some(file) = &*place {
            return Ok(file.clone());
        }
        let file = self.context.disk.open(&self.path(kind), mode)?;
        *place = Some(file.clone());
        drop(place);
        slot.used.store(true, Relaxed);
        self.context.cache.opened(self, kind);
        Ok(file)
    }

    /// Renames the files so that they are no longer part of the log; handles stay good.
    pub(crate) fn mark_deleted(&self) -> Result<(), LogError> {
        let from = Kind::ALL.map(|kind| self.path(kind));
        if self.deleted.swap(true, Relaxed) {
            return Ok(());
        }
        for (from, kind) in from.into_iter().zip(Kind::ALL) {
            let renamed = ignore_missing(self.disk().rename(&from, &self.path(kind)));
            renamed.map_err(self.dir.io("rename", &from))?;
        }
        Ok(())
    }

    /// Removes the files.
    pub(crate) fn remove(&self) -> Result<(), LogError> {
        for kind in Kind::ALL {
            let path = self.path(kind);
            ignore_missing(self.disk().remove_file(&path)).map_err(self.dir.io("remove", &path))?;
        }
        self.close();
        Ok(())
    }

    /// Lets go of all handles.
    pub(crate) fn close(&self) {
        for slot in &self.slots {
            slot.file.write().take();
        }
    }

    fn slot(&self, kind: Kind) -> &Slot {
        &self.slots[match kind {
            Kind::Log => 0,
            Kind::OffsetIndex => 1,
            Kind::TimeIndex => 2,
            Kind::TxnIndex => unreachable!("transaction indexes are opened by path"),
        }]
    }
}

/// A file that is not there need not be renamed or removed.
pub(crate) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether there is something of that name.
pub(crate) fn exists(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    match disk.metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
