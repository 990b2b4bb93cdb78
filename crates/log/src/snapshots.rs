//! Producer snapshots in a log's directory: bytes at an offset. What is in them belongs to the layer that keeps
//! producers' state.

use ottla_protocol::Offset;

use crate::disk::{OpenMode, read_file, write_all_at};
use crate::error::LogError;
use crate::index::AbortedTxn;
use crate::log::Log;
use crate::names;

/// The largest snapshot that is read: twenty million producers.
const SIZE_MAX: u64 = 1 << 30;

impl Log {
    /// Keeps a snapshot of producers' state as of an offset; one that is there is replaced. `sync` makes it durable,
    /// which a snapshot taken with a new segment need not be: one that is damaged is recognised, and an older one used.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_snapshot(&mut self, offset: Offset, bytes: &[u8], sync: bool) -> Result<(), LogError> {
        self.check_online()?;
        self.make_dir()?;
        let path = self.shared.dir.join(&names::snapshot_file(offset));
        let write = || {
            let file = self.context.disk().open(&path, OpenMode::CreateEmpty)?;
            write_all_at(&*file, bytes, &[], 0)?;
            if sync { file.sync() } else { Ok(()) }
        };
        write().map_err(self.shared.dir.io("write", &path))?;
        self.snapshots.insert(offset);
        self.durable.is_untouched = false;
        self.durable.names_changed = true;
        Ok(())
    }

    /// The newest snapshot at or before an offset.
    ///
    /// # Errors
    /// What the disk says.
    pub fn latest_snapshot(&self, at_most: Offset) -> Result<Option<(Offset, Vec<u8>)>, LogError> {
        let Some(&offset) = self.snapshots.range(..=at_most).next_back() else { return Ok(None) };
        let path = self.shared.dir.join(&names::snapshot_file(offset));
        let bytes = read_file(self.context.disk(), &path, SIZE_MAX);
        Ok(Some((offset, bytes.map_err(self.shared.dir.io("read", &path))?)))
    }

    /// The offsets of all snapshots.
    pub fn snapshots(&self) -> impl Iterator<Item = Offset> + '_ {
        self.snapshots.iter().copied()
    }

    /// Removes a snapshot: one that turned out to be damaged.
    ///
    /// # Errors
    /// What the disk says.
    pub fn remove_snapshot(&mut self, offset: Offset) -> Result<(), LogError> {
        self.remove_snapshots(|snapshot| snapshot == offset)
    }

    /// Removes snapshots that nothing will be rebuilt from: all but those at the start of a segment, and the newest.
    ///
    /// # Errors
    /// What the disk says.
    pub fn remove_old_snapshots(&mut self) -> Result<(), LogError> {
        let segments = self.segments();
        let newest = self.snapshots.last().copied();
        self.remove_snapshots(|snapshot| {
            let of_segment = segments.binary_search_by_key(&snapshot, |segment| segment.base_offset).is_ok();
            !of_segment && Some(snapshot) != newest
        })
    }

    /// Notes a transaction that was aborted, in the index of the segment that holds its marker. One that is noted
    /// already is not noted twice, so that building producers' state anew after recovery may note all it meets.
    ///
    /// # Errors
    /// What the disk says.
    pub fn append_aborted_txn(&mut self, aborted: &AbortedTxn) -> Result<(), LogError> {
        self.check_online()?;
        let segments = self.segments();
        let index = segments.partition_point(|segment| segment.base_offset <= aborted.last_offset);
        let segment = &segments[index.saturating_sub(1)];
        segment.change_txn_index("append to", |index| {
            let last = index.last()?.map(|entry| entry.last_offset);
            if last.is_some_and(|last| last >= aborted.last_offset) { Ok(()) } else { index.append(aborted) }
        })?;
        self.durable.names_changed = true;
        Ok(())
    }
}
