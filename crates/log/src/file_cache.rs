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
    /// What the files are called now. Held while a file is opened by its name, so that a name that is looked for is not
    /// changed meanwhile.
    naming: RwLock<Naming>,
    slots: [Slot; 3],
}

/// What a segment's files are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As a part of the log.
    Current,
    /// To be removed later.
    Deleted,
    /// The cleaner is writing them.
    Cleaned,
    /// The cleaner has written them, and is putting them in place.
    Swap,
}

impl Naming {
    fn ending(self) -> &'static str {
        match self {
            Naming::Current => "",
            Naming::Deleted => names::DELETED,
            Naming::Cleaned => names::CLEANED,
            Naming::Swap => names::SWAP,
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    file: RwLock<Option<Arc<dyn DiskFile>>>,
    used: AtomicBool,
}

impl SegmentFiles {
    pub(crate) fn new(context: LogContext, dir: Arc<SharedDir>, base_offset: Offset) -> Arc<SegmentFiles> {
        SegmentFiles::named(Naming::Current, context, dir, base_offset)
    }

    pub(crate) fn named(
        naming: Naming,
        context: LogContext,
        dir: Arc<SharedDir>,
        base_offset: Offset,
    ) -> Arc<SegmentFiles> {
        let (naming, slots) = (RwLock::new(naming), Default::default());
        Arc::new(SegmentFiles { context, dir, base_offset, naming, slots })
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.context.disk()
    }

    pub(crate) fn topic_partition(&self) -> &TopicPartition {
        &self.dir.topic_partition
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
        self.path_named(*self.naming.read(), kind)
    }

    fn path_named(&self, naming: Naming, kind: Kind) -> PathBuf {
        let mut name = names::segment_file(self.base_offset, kind);
        name.push_str(naming.ending());
        self.dir.join(&name)
    }

    /// Does something with a file's path while it is the file's path.
    pub(crate) fn with_path<T>(&self, kind: Kind, act: impl FnOnce(&Path) -> T) -> T {
        let naming = self.naming.read();
        act(&self.path_named(*naming, kind))
    }

    pub(crate) fn is_deleted(&self) -> bool {
        *self.naming.read() == Naming::Deleted
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
        let file = self.with_path(kind, |path| self.context.disk.open(path, mode))?;
        *place = Some(file.clone());
        drop(place);
        slot.used.store(true, Relaxed);
        self.context.cache.opened(self, kind);
        Ok(file)
    }

    /// Renames the files so that they are no longer part of the log; handles stay good.
    pub(crate) fn mark_deleted(&self) -> Result<(), LogError> {
        self.rename(Naming::Deleted)
    }

    /// Renames the files, batches first: without them indexes are nothing. Handles stay good. After an error some files
    /// have the new name, and all are looked for there.
    pub(crate) fn rename(&self, to: Naming) -> Result<(), LogError> {
        let mut naming = self.naming.write();
        let from = std::mem::replace(&mut *naming, to);
        if from == to {
            return Ok(());
        }
        for kind in Kind::ALL {
            let from = self.path_named(from, kind);
            let renamed = ignore_missing(self.disk().rename(&from, &self.path_named(to, kind)));
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

    /// Removes the files, also where a renaming has failed and some have another name.
    pub(crate) fn remove_cleaned(&self) -> Result<(), LogError> {
        for naming in [Naming::Swap, Naming::Cleaned] {
            for kind in Kind::ALL {
                let path = self.path_named(naming, kind);
                ignore_missing(self.disk().remove_file(&path)).map_err(self.dir.io("remove", &path))?;
            }
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
            Kind::TxnIndex | Kind::Damage => unreachable!("{kind:?} is opened by path"),
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
