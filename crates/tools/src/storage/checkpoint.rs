//! The bytes of the two files that formatting leaves beside `meta.properties`.
//!
//! ```text
//! bootstrap.checkpoint:                  control batch (header), data batch (features), control batch (footer)
//! 0…0-0…0.checkpoint of the quorum:      control batch (header, kraft.version, voters), control batch (footer)
//! ```

use ottla_metadata::MetadataRecord;
use ottla_protocol::LeaderEpoch;
use ottla_protocol::messages::FeatureLevelRecord;
use ottla_quorum::{ControlRecord, SnapshotWriter, VoterSet, bootstrap_checkpoint};

/// What the first controller of a new cluster writes into the metadata log.
pub(super) fn bootstrap(features: &[(&'static str, i16)], now_ms: i64) -> Vec<u8> {
    let record = |(name, feature_level): &(&'static str, i16)| {
        let record =
            FeatureLevelRecord { name: (*name).into(), feature_level: *feature_level, ..Default::default() };
        MetadataRecord::from(record).to_bytes()
    };
    SnapshotWriter::new(LeaderEpoch(0), now_ms)
        .control(&[ControlRecord::snapshot_header(0)])
        .data(features, record)
        .control(&[ControlRecord::snapshot_footer()])
        .finish()
}

/// The voters of a new quorum that can grow.
pub(super) fn voters(voters: &VoterSet, now_ms: i64) -> Vec<u8> {
    let writer = SnapshotWriter::new(LeaderEpoch(0), now_ms);
    bootstrap_checkpoint(now_ms, voters).iter().fold(writer, |writer, batch| writer.control(batch)).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::records::batches;
    use ottla_protocol::{BrokerId, Uuid};
    use ottla_quorum::{ReplicaKey, VoterNode};

    /// Base offset, number of records and kind of each batch.
    #[track_caller]
    fn check(bytes: &[u8], size: usize, expected: &[(i64, usize, bool)]) {
        let shape = batches(bytes).map(|batch| {
            let batch = batch.expect("well-formed");
            batch.verify_crc().expect("sound");
            let count = batch.last_offset().0 - batch.base_offset().0 + 1;
            (batch.base_offset().0, count as usize, batch.is_control())
        });
        assert_eq!(shape.collect::<Vec<_>>(), expected);
        assert_eq!(bytes.len(), size);
    }

    #[test]
    fn the_files_have_the_shape_and_size_of_kafkas() {
        let features = [
            ("metadata.version", 30),
            ("eligible.leader.replicas.version", 1),
            ("group.version", 1),
            ("share.version", 1),
            ("streams.version", 1),
            ("transaction.version", 2),
        ];
        let now_ms = 1_795_519_347_399;
        check(&bootstrap(&features, now_ms), 411, &[(0, 1, true), (1, 6, false), (7, 1, true)]);
        let key = ReplicaKey { id: BrokerId(3), directory_id: Uuid::ONE };
        let node = VoterNode::local(vec![("CONTROLLER".into(), "127.0.0.1".into(), 21911)]);
        check(&voters(&VoterSet::sole(key, node), now_ms), 241, &[(0, 3, true), (3, 1, true)]);
    }
}
