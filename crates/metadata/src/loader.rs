//! From the committed part of the log to images: batches and snapshots in, images at transaction boundaries out.

use crate::delta::{Changes, Delta, ReplayError};
use crate::image::{Image, Provenance};
use crate::record::MetadataRecord;
use ottla_protocol::{LeaderEpoch, Offset};
use std::sync::Arc;

/// One batch of the metadata log, control batches left out (their offsets are not, see [`Loader::skip_to`]).
#[derive(Clone, Debug)]
pub struct Batch {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Quorum epoch.
    pub epoch: LeaderEpoch,
    /// Append time in milliseconds since 1970.
    pub timestamp: i64,
    /// Its records, at consecutive offsets.
    pub records: Vec<MetadataRecord>,
}

/// What one broker or controller has read of the metadata log.
///
/// Feed it committed batches in order, take an image when all that is at hand was fed. What stands between the two ends
/// of a metadata transaction (KIP-868) is in no image before its end was seen.
#[derive(Debug)]
pub struct Loader {
    /// The last image given out.
    image: Arc<Image>,
    /// What came after it, complete transactions only.
    delta: Option<Delta>,
    /// What the open transaction has written, with offsets.
    transaction: Option<Vec<(Offset, MetadataRecord)>>,
    /// How far has been read.
    read: Provenance,
    /// How far `delta` goes.
    complete: Provenance,
}

impl Loader {
    /// Starts from an image: an empty one, or that of a snapshot.
    pub fn new(image: Arc<Image>) -> Loader {
        let provenance = image.provenance();
        Loader { image, delta: None, transaction: None, read: provenance, complete: provenance }
    }

    /// Starts from the records of a snapshot, whose provenance its name and header give.
    ///
    /// # Errors
    /// A record that does not fit; its offset is its place in the snapshot.
    pub fn from_snapshot<'a>(
        provenance: Provenance,
        records: impl IntoIterator<Item = &'a MetadataRecord>,
    ) -> Result<Loader, ReplayError> {
        let mut delta = Delta::new(&Image::default());
        for (offset, record) in (0..).map(Offset).zip(records) {
            delta.replay(offset, record)?;
        }
        Ok(Loader::new(Arc::new(delta.finish(provenance).0)))
    }

    /// The last image given out.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Offset of the first record that was not read yet.
    pub fn next_offset(&self) -> Offset {
        self.read.end_offset
    }

    /// Whether the end of a transaction is missing. A new leader must abort what the old one left open.
    pub fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Reads one batch.
    ///
    /// # Errors
    /// A batch out of order, or a record that does not fit. The node cannot go on.
    pub fn load(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        let mut offset = batch.base_offset;
        for record in &batch.records {
            let refuse = |reason: String| ReplayError { offset, record: record.name(), reason };
            if offset != self.read.end_offset {
                return Err(refuse(format!("was read where offset {} is due", self.read.end_offset)));
            }
            match (record, &mut self.transaction) {
                (MetadataRecord::BeginTransaction(_), None) => self.transaction = Some(Vec::new()),
                (MetadataRecord::EndTransaction(_), Some(written)) => {
                    let written = std::mem::take(written);
                    self.transaction = None;
                    written.iter().try_for_each(|(offset, record)| self.replay(*offset, record))?;
                }
                (MetadataRecord::AbortTransaction(_), Some(_)) => self.transaction = None,
                (MetadataRecord::BeginTransaction(_), Some(_)) => {
                    return Err(refuse("begins a transaction inside another one".to_owned()));
                }
                (MetadataRecord::EndTransaction(_) | MetadataRecord::AbortTransaction(_), None) => {
                    return Err(refuse("ends a transaction that was never begun".to_owned()));
                }
                (record, Some(written)) => written.push((offset, record.clone())),
                (record, None) => self.replay(offset, record)?,
            }
            offset.0 += 1;
            self.read_to(Provenance {
                end_offset: offset,
                epoch: batch.epoch,
                last_contained_log_timestamp: batch.timestamp,
            });
        }
        Ok(())
    }

    /// Passes over a control batch: its records take offsets, but say nothing about the cluster.
    pub fn skip_to(&mut self, end_offset: Offset, epoch: LeaderEpoch, timestamp: i64) {
        assert!(end_offset >= self.read.end_offset, "the log only goes forward");
        self.read_to(Provenance { end_offset, epoch, last_contained_log_timestamp: timestamp });
    }

    /// The image of all complete transactions that were read, and what is new in it; nothing if nothing was read since.
    pub fn publish(&mut self) -> Option<(Arc<Image>, Changes)> {
        if self.complete == self.image.provenance() {
            return None;
        }
        let delta = self.delta.take().unwrap_or_else(|| Delta::new(&self.image));
        let (image, changes) = delta.finish(self.complete);
        self.image = Arc::new(image);
        Some((self.image.clone(), changes))
    }

    fn replay(&mut self, offset: Offset, record: &MetadataRecord) -> Result<(), ReplayError> {
        self.delta.get_or_insert_with(|| Delta::new(&self.image)).replay(offset, record)
    }

    fn read_to(&mut self, provenance: Provenance) {
        self.read = provenance;
        if self.transaction.is_none() {
            self.complete = provenance;
        }
    }
}
