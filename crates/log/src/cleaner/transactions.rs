//! What compaction must know of transactions while it goes through a log: which batches were aborted, and which markers
//! still mark something (KIP-98).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use ottla_protocol::records::RecordBatch;
use ottla_protocol::records::control::ControlRecordType;
use ottla_protocol::{Offset, ProducerId};

use crate::index::AbortedTxn;

/// Largest size of a marker's records; they have one small record.
const MARKER_BYTES_MAX: u64 = 1 << 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct CleanedTransactions {
    /// Producers whose transaction has data on the way and was not aborted.
    committed: HashSet<ProducerId>,
    /// Producers whose transaction was aborted, with whether any of its data is still there.
    aborted: HashMap<ProducerId, (AbortedTxn, bool)>,
    /// Aborted transactions to come, by their first offset.
    to_come: BinaryHeap<Reverse<(Offset, Offset, ProducerId, Offset)>>,
}

/// What is to be done with a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// Nothing depends on it any more.
    Unneeded,
    /// There is data that it decides about; if it was aborted, readers are to be told.
    Needed(Option<AbortedTxn>),
}

impl CleanedTransactions {
    /// Takes note of aborted transactions that have data from here on.
    pub(crate) fn expect(&mut self, aborted: impl IntoIterator<Item = AbortedTxn>) {
        self.to_come.extend(aborted.into_iter().map(|txn| {
            Reverse((txn.first_offset, txn.last_offset, txn.producer_id, txn.last_stable_offset))
        }));
    }

    /// A batch of data is met; says whether it was aborted, so that nobody reads it.
    pub(crate) fn on_data(&mut self, batch: &RecordBatch<'_>) -> bool {
        self.begin_up_to(batch.last_offset());
        if !batch.header().attributes.is_transactional() {
            return false;
        }
        let producer_id = batch.header().producer_id;
        match self.aborted.get_mut(&producer_id) {
            Some((_, has_data)) => {
                *has_data = true;
                true
            }
            None => {
                self.committed.insert(producer_id);
                false
            }
        }
    }

    /// A control batch is met.
    pub(crate) fn on_control(&mut self, batch: &RecordBatch<'_>) -> Marker {
        self.begin_up_to(batch.last_offset());
        let producer_id = batch.header().producer_id;
        match control_type(batch) {
            // One that was emptied earlier.
            None => Marker::Unneeded,
            Some(ControlRecordType::Abort) => match self.aborted.remove(&producer_id) {
                Some((txn, true)) => Marker::Needed(Some(txn)),
                _ => Marker::Unneeded,
            },
            Some(ControlRecordType::Commit) if !self.committed.remove(&producer_id) => Marker::Unneeded,
            Some(_) => Marker::Needed(None),
        }
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(&Reverse((first_offset, last_offset, producer_id, last_stable_offset))) =
            self.to_come.peek()
            && first_offset <= offset
        {
            self.to_come.pop();
            let txn = AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset };
            self.aborted.entry(producer_id).or_insert((txn, false));
        }
    }
}

/// What the first record of a control batch says; `None` if there is none. What cannot be read is kept, as a kind that
/// is not known is.
fn control_type(batch: &RecordBatch<'_>) -> Option<ControlRecordType> {
    let unknown = ControlRecordType::Unknown(-1);
    let Ok(records) = batch.records(MARKER_BYTES_MAX) else { return Some(unknown) };
    let record = records.iter().next()?;
    Some(record.and_then(|record| ControlRecordType::from_key(record.key)).unwrap_or(unknown))
}
