//! Indexes of a segment: sorted entries of fixed size, Kafka's files `.index` and `.timeindex`.
//!
//! ```text
//! .index      relative offset u32 │ position u32     the batch at that position ends with that offset
//! .timeindex  timestamp i64 │ relative offset u32    no timestamp up to the end of the batch that ends with that
//!                                                    offset is larger
//! ```
//! Offsets are relative to the segment's base offset. There is an entry about every `index.interval.bytes`.
//!
//! New entries gather in memory and are written a block at a time, and when the segment is done with; so an index costs
//! an append nothing most of the time, and a partition that is not used costs no memory. What is not written yet when
//! the process is killed is made anew by recovery, which reads such a segment anyway. Files are as long as their
//! entries; those of a JVM that was killed are filled up with zeros, which are not taken for entries.

mod offset;
mod time;
mod txn;

use std::io;
use std::sync::Arc;

use ottla_protocol::Offset;
use parking_lot::RwLock;

pub(crate) use offset::OffsetEntry;
pub(crate) use time::TimeEntry;
pub use txn::AbortedTxn;
pub(crate) use txn::TxnIndex;

use crate::disk::{read_full_at, write_all_at};
use crate::file_cache::SegmentFiles;
use crate::names::Kind;

/// Bytes of new entries that gather before they are written.
const BLOCK: usize = 4096;

/// An entry of an index.
pub(crate) trait Entry: Copy + std::fmt::Debug {
    /// Bytes in the file.
    const SIZE: usize;
    /// Which file.
    const KIND: Kind;
    fn encode(&self, base_offset: Offset, out: &mut Vec<u8>);
    /// Reads an entry of [`SIZE`](Self::SIZE) bytes.
    fn decode(base_offset: Offset, bytes: &[u8]) -> Self;
    /// Whether these bytes can only be what fills a file up.
    fn is_filling(bytes: &[u8]) -> bool;
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Index<E> {
    base_offset: Offset,
    state: RwLock<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    /// The file has been looked at.
    loaded: bool,
    /// Entries in the file. The file may be longer, until [`Index::finish`].
    stored: u32,
    /// Entries after those.
    fresh: Vec<E>,
    last: Option<E>,
    /// The file is another index's now: see [`Index::retire`].
    is_retired: bool,
}

impl<E: Entry> Index<E> {
    /// The index of a segment that was just made.
    pub(crate) fn empty(base_offset: Offset) -> Index<E> {
        let state = State { loaded: true, stored: 0, fresh: Vec::new(), last: None, is_retired: false };
        Index { base_offset, state: RwLock::new(state) }
    }

    /// The index of a segment that is there. Its file is looked at when it is used.
    pub(crate) fn existing(base_offset: Offset) -> Index<E> {
        let state = State { loaded: false, stored: 0, fresh: Vec::new(), last: None, is_retired: false };
        Index { base_offset, state: RwLock::new(state) }
    }

    /// Entries in all.
    pub(crate) fn len(&self, files: &Arc<SegmentFiles>) -> io::Result<u32> {
        let count = |state: &State<E>| state.stored + state.fresh.len() as u32;
        // Every append asks.
        let state = self.state.read();
        if state.loaded {
            return Ok(count(&state));
        }
        drop(state);
        self.load(files)?;
        Ok(count(&self.state.read()))
    }

    /// The last entry.
    pub(crate) fn last(&self, files: &Arc<SegmentFiles>) -> io::Result<Option<E>> {
        self.load(files)?;
        Ok(self.state.read().last)
    }

    /// The last entry of those that `is_before` holds for; it must hold for the first ones and no others.
    pub(crate) fn floor(
        &self,
        files: &Arc<SegmentFiles>,
        is_before: impl Fn(&E) -> bool,
    ) -> io::Result<Option<E>> {
        self.load(files)?;
        let stored = {
            let state = self.state.read();
            match state.fresh.partition_point(&is_before) {
                0 => state.stored,
                after => return Ok(Some(state.fresh[after - 1])),
            }
        };
        // Entries in the file do not change; the file is read without holding up an append.
        Ok(self.search(files, stored, is_before)?.1)
    }

    /// The first entry of those that `is_before` does not hold for; it must hold for the first ones and no others.
    pub(crate) fn ceiling(
        &self,
        files: &Arc<SegmentFiles>,
        is_before: impl Fn(&E) -> bool,
    ) -> io::Result<Option<E>> {
        self.load(files)?;
        let (stored, fresh) = {
            let state = self.state.read();
            let after = state.fresh.partition_point(&is_before);
            (state.stored, state.fresh.get(after).copied())
        };
        match self.search(files, stored, is_before)?.0 {
            count if count < stored => self.read_slot(files, count).map(Some),
            _ => Ok(fresh),
        }
    }

    /// All entries, as they are: nothing says that they are right.
    pub(crate) fn entries(&self, files: &Arc<SegmentFiles>) -> io::Result<Vec<E>> {
        self.load(files)?;
        let (stored, fresh) = {
            let state = self.state.read();
            (state.stored, state.fresh.clone())
        };
        let mut bytes = Vec::new();
        if stored > 0 {
            self.read_bytes(files, 0, stored, &mut bytes)?;
        }
        let stored = bytes.chunks_exact(E::SIZE).map(|bytes| E::decode(self.base_offset, bytes));
        Ok(stored.chain(fresh).collect())
    }

    /// Adds an entry. It stays in memory until [`store`](Self::store).
    pub(crate) fn push(&self, entry: E) {
        let mut state = self.state.write();
        state.fresh.push(entry);
        state.last = Some(entry);
    }

    /// Writes the gathered entries if there are enough of them.
    pub(crate) fn store_block(&self, files: &Arc<SegmentFiles>) -> io::Result<()> {
        if self.state.read().fresh.len() * E::SIZE < BLOCK {
            return Ok(());
        }
        self.store(files)
    }

    /// Writes all gathered entries.
    fn store(&self, files: &Arc<SegmentFiles>) -> io::Result<()> {
        self.store_into(&mut self.state.write(), files)
    }

    fn store_into(&self, state: &mut State<E>, files: &Arc<SegmentFiles>) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(state.fresh.len() * E::SIZE);
        for entry in &state.fresh {
            entry.encode(self.base_offset, &mut bytes);
        }
        if !bytes.is_empty() {
            let file = files.get_or_create(E::KIND)?;
            write_all_at(&*file, &bytes, &[], u64::from(state.stored) * E::SIZE as u64)?;
            state.stored += state.fresh.len() as u32;
            state.fresh = Vec::new();
        }
        Ok(())
    }

    /// Makes the file exactly what the index is, for the time after this process; and durable if `sync`.
    pub(crate) fn finish(&self, files: &Arc<SegmentFiles>, sync: bool) -> io::Result<()> {
        self.load(files)?;
        let file = files.get_or_create(E::KIND)?;
        let mut state = self.state.write();
        if !state.is_retired {
            self.store_into(&mut state, files)?;
            let len = u64::from(state.stored) * E::SIZE as u64;
            if file.size()? != len {
                file.set_len(len)?;
            }
        }
        drop(state);
        if sync { file.sync() } else { Ok(()) }
    }

    /// Finishes, and leaves the file alone from now on: a new index of the same file takes over. A flush that was begun
    /// before may still come to this one.
    pub(crate) fn retire(&self, files: &Arc<SegmentFiles>) -> io::Result<()> {
        self.finish(files, false)?;
        self.state.write().is_retired = true;
        Ok(())
    }

    /// Removes all entries but the first ones, those that `is_before` holds for.
    pub(crate) fn truncate(
        &self,
        files: &Arc<SegmentFiles>,
        is_before: impl Fn(&E) -> bool,
    ) -> io::Result<()> {
        self.load(files)?;
        let mut state = self.state.write();
        let kept = state.fresh.partition_point(&is_before);
        state.fresh.truncate(kept);
        if kept > 0 {
            state.last = state.fresh.last().copied();
            return Ok(());
        }
        let (count, last) = self.search(files, state.stored, is_before)?;
        if count < state.stored {
            files.get_or_create(E::KIND)?.set_len(u64::from(count) * E::SIZE as u64)?;
        }
        state.stored = count;
        state.last = last;
        Ok(())
    }

    /// Forgets all entries, to be made anew. The file is as it was until the first of them are written over it. It is
    /// not emptied: a file system may take an emptied file for one that must be on the disk when it is closed, and a
    /// start after a crash empties thousands.
    pub(crate) fn begin_anew(&self) {
        *self.state.write() =
            State { loaded: true, stored: 0, fresh: Vec::new(), last: None, is_retired: false };
    }

    /// Finds out what is in the file, once.
    fn load(&self, files: &Arc<SegmentFiles>) -> io::Result<()> {
        if self.state.read().loaded {
            return Ok(());
        }
        let slots = match files.get(E::KIND) {
            Ok(file) => u32::try_from(file.size()? / E::SIZE as u64).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let (mut low, mut high) = (0, slots);
        // Most files are not filled up: look at the end first.
        if slots > 0 && !self.is_filling(files, slots - 1)? {
            low = slots;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_filling(files, middle)? { high = middle } else { low = middle + 1 }
        }
        let last = match low {
            0 => None,
            count => Some(self.read_slot(files, count - 1)?),
        };
        let mut state = self.state.write();
        if !state.loaded {
            *state = State { loaded: true, stored: low, fresh: Vec::new(), last, is_retired: false };
        }
        Ok(())
    }

    fn is_filling(&self, files: &Arc<SegmentFiles>, slot: u32) -> io::Result<bool> {
        let mut bytes = Vec::new();
        self.read_bytes(files, slot, slot + 1, &mut bytes)?;
        Ok(E::is_filling(&bytes))
    }

    fn read_slot(&self, files: &Arc<SegmentFiles>, slot: u32) -> io::Result<E> {
        let mut bytes = Vec::new();
        self.read_bytes(files, slot, slot + 1, &mut bytes)?;
        Ok(E::decode(self.base_offset, &bytes))
    }

    fn read_bytes(
        &self,
        files: &Arc<SegmentFiles>,
        from: u32,
        to: u32,
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        bytes.resize((to - from) as usize * E::SIZE, 0);
        let file = files.get(E::KIND)?;
        let count = read_full_at(&*file, bytes, u64::from(from) * E::SIZE as u64)?;
        if count < bytes.len() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Among the first `stored` entries of the file: how many `is_before` holds for, and the last of them.
    fn search(
        &self,
        files: &Arc<SegmentFiles>,
        stored: u32,
        is_before: impl Fn(&E) -> bool,
    ) -> io::Result<(u32, Option<E>)> {
        let (mut low, mut high) = (0, stored);
        let mut found = None;
        while (high - low) as usize * E::SIZE > BLOCK {
            let middle = low + (high - low) / 2;
            let entry = self.read_slot(files, middle)?;
            if is_before(&entry) {
                low = middle + 1;
                found = Some(entry);
            } else {
                high = middle;
            }
        }
        let mut bytes = Vec::new();
        if low < high {
            self.read_bytes(files, low, high, &mut bytes)?;
        }
        let mut count = low;
        for bytes in bytes.chunks_exact(E::SIZE) {
            let entry = E::decode(self.base_offset, bytes);
            if !is_before(&entry) {
                break;
            }
            count += 1;
            found = Some(entry);
        }
        Ok((count, found))
    }
}

/// An offset as indexes store it. It fits: a segment is rolled before it does not.
pub(crate) fn relative(base_offset: Offset, offset: Offset) -> u32 {
    u32::try_from(offset.0 - base_offset.0).expect("a segment spans at most 2^31 offsets")
}

#[cfg(test)]
mod tests;
