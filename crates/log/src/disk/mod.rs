//! Everything that this crate asks of a disk, behind one narrow trait.
//!
//! [`RealDisk`] is the operating system; [`SimDisk`] keeps everything in memory, forgets what was not synced when it
//! is told that the power failed, and fails where it is told to.

mod read_only;
mod real;
mod sim;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

pub use read_only::ReadOnlyDisk;
pub use real::RealDisk;
pub use sim::{Fault, Op, SimDisk};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// For reading and writing; made if it is not there.
    Create,
    /// For reading and writing, empty; made if it is not there.
    CreateEmpty,
}

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// A directory, or a file.
    pub is_dir: bool,
    /// Size of a file in bytes.
    pub len: u64,
    /// Last change of the contents, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name alone. Names that are not UTF-8 are not listed: nothing of Kafka's has one.
    pub name: String,
    /// A directory, or a file.
    pub is_dir: bool,
}

/// Size of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that this process may still use.
    pub usable: u64,
}

/// A file system. Changes of names (create, rename, remove) survive a power failure once the directory that holds the
/// name was synced, contents once the file was.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// What a path is; `NotFound` if it is nothing.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// The entries of a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Makes a directory and those above it; nothing happens if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Renames a file or directory, replacing a file that has the name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and everything in it.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes everything durable that was written to the file system on which a directory is, by whomever: one wait
    /// instead of one for each of thousands of files.
    fn sync_all(&self, dir: &Path) -> io::Result<()>;
    /// How much room there is where `path` is.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Takes the lock that a file stands for, as `FileChannel.tryLock` of the JVM does, and makes the file if it is not
    /// there; `None` if another process, or another part of this one, holds it. Dropping the guard frees it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>>;
}

/// Holds a lock until it is dropped.
pub trait LockGuard: Debug + Send + Sync {}

/// An open file. Every access says where; there is no position.
pub trait DiskFile: Debug + Send + Sync {
    /// Reads at most `buffer.len()` bytes; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes at most the bytes of `buffers`, in their order; may write less.
    fn write_at(&self, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize>;
    /// Cuts the file, or fills it up with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Sets when the contents were changed last, in milliseconds since 1970.
    fn set_modified(&self, modified_ms: i64) -> io::Result<()>;
    /// Makes the contents durable. After an error nothing tells what the disk has; but what it does not have is not read
    /// any more either, so that a process that starts later does not take it for written.
    fn sync(&self) -> io::Result<()>;
    /// The operating system's handle, for handing the contents to a socket.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;
    /// Whether reading there would wait for the disk, as far as can be told without waiting.
    fn is_cold(&self, _position: u64, _len: u64) -> bool {
        false
    }
}

/// Reads until `buffer` is full or the file ends; gives what was read.
pub fn read_full_at(file: &dyn DiskFile, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], position + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Two pieces that are smaller together are copied into one: the system takes one piece for much less than two.
const JOINED_MAX: usize = 2048;

/// Writes two pieces one after the other, all of them.
///
/// # Errors
/// After an error, any part of the bytes may be in the file.
pub fn write_all_at(file: &dyn DiskFile, head: &[u8], body: &[u8], position: u64) -> io::Result<()> {
    let total = head.len() + body.len();
    let mut joined = [0; JOINED_MAX];
    let (head, body) = match joined.get_mut(..total) {
        Some(joined) if !body.is_empty() => {
            let (first, second) = joined.split_at_mut(head.len());
            first.copy_from_slice(head);
            second.copy_from_slice(body);
            (&*joined, &[][..])
        }
        _ => (head, body),
    };
    let mut done = 0;
    while done < total {
        let buffers = [
            IoSlice::new(head.get(done..).unwrap_or_default()),
            IoSlice::new(&body[done.saturating_sub(head.len())..]),
        ];
        match file.write_at(&buffers, position + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The contents of a small file.
///
/// # Errors
/// `FileTooLarge` if it has more than `max` bytes: what is read here is written by brokers and bounded.
pub fn read_file(disk: &dyn Disk, path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let len = file.size()?;
    if len > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; len as usize];
    let count = read_full_at(&*file, &mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Replaces a small file so that after a failure the old or the new contents are there, never a mixture: written
/// beside it, synced, renamed, the directory synced.
pub fn replace_file(disk: &dyn Disk, path: &Path, contents: &[u8]) -> io::Result<()> {
    replace_file_unsynced(disk, path, contents, true)?;
    match path.parent() {
        Some(dir) => disk.sync_dir(dir),
        None => Ok(()),
    }
}

/// The same without syncing the directory, and the file only if `sync`.
pub(crate) fn replace_file_unsynced(
    disk: &dyn Disk,
    path: &Path,
    contents: &[u8],
    sync: bool,
) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = Path::new(&beside);
    let file = disk.open(beside, OpenMode::CreateEmpty)?;
    write_all_at(&*file, contents, &[], 0)?;
    if sync {
        file.sync()?;
    }
    disk.rename(beside, path)
}
