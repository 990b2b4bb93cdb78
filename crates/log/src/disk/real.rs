//! The operating system's files.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::FlockOperation;

use super::{DirEntry, Disk, DiskFile, LockGuard, Metadata, OpenMode, Space};

/// Bytes between two probes of whether a file is in the page cache: what the kernel reads ahead by default.
#[cfg(target_os = "linux")]
const PROBE_STEP: usize = 128 << 10;

/// The disk that is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read);
        options.create(matches!(mode, OpenMode::Create | OpenMode::CreateEmpty));
        options.truncate(mode == OpenMode::CreateEmpty);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = std::fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
        Ok(Metadata { is_dir: metadata.is_dir(), len: metadata.len(), modified_ms })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let is_dir = entry.file_type()?.is_dir();
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry { name, is_dir });
            }
        }
        Ok(entries)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // An empty path is the parent of a name in the current directory.
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        File::open(dir)?.sync_all()
    }

    /// A descriptor hears of failed writes since it was opened, as of Linux 5.8: so the one of a locked directory is as old
    /// as its lock.
    fn sync_all(&self, dir: &Path) -> io::Result<()> {
        let watched = held().dirs.get(dir).cloned();
        match watched {
            Some(watched) => Ok(rustix::fs::syncfs(&*watched)?),
            None => Ok(rustix::fs::syncfs(File::open(dir)?)?),
        }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { total: bytes(stat.f_blocks), usable: bytes(stat.f_bavail) })
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        let mut held = held();
        // Asked before the file is opened: closing any descriptor of a file frees the fcntl locks that the process
        // has on it.
        if std::fs::metadata(path).is_ok_and(|metadata| held.locks.contains(&file_id(&metadata))) {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let id = file_id(&file.metadata()?);
                let dir = path.parent().unwrap_or(path).to_owned();
                held.dirs.insert(dir.clone(), Arc::new(File::open(&dir)?));
                held.locks.insert(id);
                Ok(Some(Box::new(RealLock { file: Some(file), id, dir })))
            }
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Device and inode.
type FileId = (u64, u64);

fn file_id(metadata: &std::fs::Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// What this process holds of log directories.
#[derive(Default)]
struct Held {
    /// Their locks: fcntl lets one process take the same lock twice.
    locks: HashSet<FileId>,
    /// Descriptors of the directories around the locks.
    dirs: HashMap<PathBuf, Arc<File>>,
}

fn held() -> MutexGuard<'static, Held> {
    static HELD: LazyLock<Mutex<Held>> = LazyLock::new(Mutex::default);
    HELD.lock()
}

#[derive(Debug)]
struct RealLock {
    file: Option<File>,
    id: FileId,
    /// The directory that it is in.
    dir: PathBuf,
}

impl LockGuard for RealLock {}

impl Drop for RealLock {
    fn drop(&mut self) {
        let mut held = held();
        // Closed before anybody else may take the lock again: closing it later would free theirs.
        self.file = None;
        held.locks.remove(&self.id);
        held.dirs.remove(&self.dir);
    }
}

/// Has the kernel forget what it holds of a file and the disk may not have. If it refuses, there is nothing else to try.
fn drop_pages(file: &File) {
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).ok();
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buffer, position)
    }

    #[cfg(target_os = "linux")]
    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let mut filled = buffers.iter().filter(|buffer| !buffer.is_empty());
        match (filled.next(), filled.next()) {
            (Some(only), None) => Ok(rustix::io::pwrite(&self.0, only, position)?),
            _ => Ok(rustix::io::pwritev(&self.0, buffers, position)?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        match buffers.iter().find(|buffer| !buffer.is_empty()) {
            Some(buffer) => self.0.write_at(buffer, position),
            None => Ok(0),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_modified(&self, modified_ms: i64) -> io::Result<()> {
        let since_1970 = Duration::from_millis(u64::try_from(modified_ms).unwrap_or(0));
        self.0.set_modified(UNIX_EPOCH + since_1970)
    }

    fn sync(&self) -> io::Result<()> {
        // Pages that could not be written count as clean: they would be read as if they were on the disk, and no later
        // sync would write them. Clean pages can be dropped.
        self.0.sync_data().inspect_err(|_| drop_pages(&self.0))
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    /// Asks for single bytes that must not be waited for: the first, the last, and some in between, since the kernel
    /// reads and forgets neighbouring pages together.
    #[cfg(target_os = "linux")]
    fn is_cold(&self, position: u64, len: u64) -> bool {
        let would_wait = |at: u64| {
            let read = rustix::io::preadv2(
                &self.0,
                &mut [IoSliceMut::new(&mut [0])],
                at,
                rustix::io::ReadWriteFlags::NOWAIT,
            );
            // A file system that does not know the flag is taken for one that never waits.
            read == Err(rustix::io::Errno::AGAIN)
        };
        let end = position + len;
        len > 0 && ((position..end).step_by(PROBE_STEP).any(would_wait) || would_wait(end - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{read_full_at, write_all_at};

    #[test]
    fn what_was_just_read_is_not_cold() {
        const SIZE: usize = 3 << 20;
        let dir = tempfile::tempdir().expect("makes");
        let path = dir.path().join("file");
        let file = RealDisk.open(&path, OpenMode::Create).expect("opens");
        write_all_at(&*file, &vec![7; SIZE], &[], 0).expect("writes");
        file.sync().expect("syncs");
        let open = File::open(&path).expect("opens");
        rustix::fs::fadvise(&open, 0, None, rustix::fs::Advice::DontNeed).expect("advises");
        // Some file systems forget nothing; then it is warm, as it is after it was read.
        let was_cold = file.is_cold(0, SIZE as u64);
        assert_eq!(read_full_at(&*file, &mut vec![0; SIZE], 0).expect("reads"), SIZE);
        assert!(!file.is_cold(0, SIZE as u64), "before: {was_cold}");
        println!("cold before it was read: {was_cold}");
        assert!(!file.is_cold(0, 0));
    }
}
