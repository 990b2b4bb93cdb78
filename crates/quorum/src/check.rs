//! What always holds.

use crate::snapshot::SnapshotId;
use crate::state::{Quorum, Role};

impl Quorum {
    /// Asserts the invariants that the crate's documentation numbers.
    pub fn check(&self) {
        assert!(self.election.epoch >= self.log_end.epoch, "1: {:?} {:?}", self.election, self.log_end);
        assert!(self.flushed <= self.log_end.offset, "2: {} {:?}", self.flushed, self.log_end);
        assert!(self.high_watermark.is_none_or(|hw| hw <= self.flushed), "2: {:?}", self.high_watermark);
        if let Role::Leader(leader) = &self.role {
            let hw = self.high_watermark;
            assert!(hw.is_none_or(|hw| hw > leader.epoch_start_offset), "3: {hw:?} {leader:?}");
            assert_eq!(hw.is_some(), leader.is_announced, "3: {leader:?}");
            assert_eq!(self.election.leader_id, Some(self.settings.local.id));
        }
        let snapshot = self.snapshots.latest().unwrap_or(SnapshotId::BOOTSTRAP);
        assert!(self.log_start_offset <= snapshot.end_offset, "4: {} {snapshot:?}", self.log_start_offset);
        assert!(self.log_start_offset <= self.log_end.offset);
    }
}
