//! Who may vote, and how the log says so.

use crate::control_record::ControlRecord;
use ottla_protocol::messages::{VotersRecord, voters_record};
use ottla_protocol::{BrokerId, ByteString, Offset, Uuid};
use std::collections::BTreeMap;

/// Levels of kraft.version that this build can run at.
const KRAFT_VERSIONS: (i16, i16) = (0, 1);

/// Identity of a voter: a node that comes back with an empty disk has another directory id, and is another voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    /// `node.id`.
    pub id: BrokerId,
    /// Id of the metadata directory; zero where it is not known (kraft.version 0).
    pub directory_id: Uuid,
}

/// Where a voter is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoterNode {
    /// Name, host and port of each of its controller listeners.
    pub endpoints: Vec<(ByteString, ByteString, u16)>,
    /// Levels of kraft.version that it can run at.
    pub kraft_versions: (i16, i16),
}

impl VoterNode {
    /// This node, reached at these listeners.
    pub fn local(endpoints: Vec<(ByteString, ByteString, u16)>) -> VoterNode {
        VoterNode { endpoints, kraft_versions: KRAFT_VERSIONS }
    }
}

/// The voters of the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct VoterSet(pub BTreeMap<ReplicaKey, VoterNode>);

impl VoterSet {
    /// A quorum of one.
    pub fn sole(key: ReplicaKey, node: VoterNode) -> VoterSet {
        VoterSet(BTreeMap::from([(key, node)]))
    }

    /// Whether the replica votes. A voter whose directory is not known is recognised by its id alone.
    pub fn is_voter(&self, replica: ReplicaKey) -> bool {
        self.0.keys().any(|voter| {
            voter.id == replica.id
                && (voter.directory_id == replica.directory_id || voter.directory_id == Uuid::ZERO)
        })
    }

    /// Whether the replica votes and nobody else does.
    pub fn is_only_voter(&self, replica: ReplicaKey) -> bool {
        self.0.len() == 1 && self.is_voter(replica)
    }

    /// The ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = BrokerId> {
        self.0.keys().map(|key| key.id)
    }

    /// The set that a record holds.
    pub fn from_record(record: &VotersRecord) -> VoterSet {
        let voter = |voter: &voters_record::Voter| {
            let key = ReplicaKey { id: BrokerId(voter.voter_id), directory_id: voter.voter_directory_id };
            let endpoint = |e: &voters_record::Endpoint| (e.name.clone(), e.host.clone(), e.port);
            let feature = &voter.k_raft_version_feature;
            let node = VoterNode {
                endpoints: voter.endpoints.iter().map(endpoint).collect(),
                kraft_versions: (feature.min_supported_version, feature.max_supported_version),
            };
            (key, node)
        };
        VoterSet(record.voters.iter().map(voter).collect())
    }

    /// The record that holds the set.
    pub fn to_record(&self) -> VotersRecord {
        let endpoint = |(name, host, port): &(ByteString, ByteString, u16)| voters_record::Endpoint {
            name: name.clone(),
            host: host.clone(),
            port: *port,
            ..Default::default()
        };
        let voter = |(key, node): (&ReplicaKey, &VoterNode)| voters_record::Voter {
            voter_id: key.id.0,
            voter_directory_id: key.directory_id,
            endpoints: node.endpoints.iter().map(endpoint).collect(),
            k_raft_version_feature: voters_record::KRaftVersionFeature {
                min_supported_version: node.kraft_versions.0,
                max_supported_version: node.kraft_versions.1,
                ..Default::default()
            },
            ..Default::default()
        };
        VotersRecord { version: 0, voters: self.0.iter().map(voter).collect(), ..Default::default() }
    }
}

/// What the newest snapshot and the log say about the voters. Records count from when they are appended, not from when
/// they are committed (KIP-853).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Voters {
    /// Level of kraft.version: 0 has voters from the configuration, 1 has them in the log.
    pub kraft_version: i16,
    /// The last set recorded.
    pub set: Option<VoterSet>,
    /// Where the log itself has it; nothing while only the bootstrap checkpoint of a new quorum does.
    pub offset: Option<Offset>,
}

impl Voters {
    /// Takes note of a control record that was read or appended; `offset` is nothing for those of the checkpoint at (0, 0),
    /// and for those of later checkpoints the last offset they contain.
    pub fn on_control_record(&mut self, offset: Option<Offset>, record: &ControlRecord) {
        match record {
            ControlRecord::KRaftVersion(record) => self.kraft_version = record.k_raft_version,
            ControlRecord::KRaftVoters(record) => {
                self.set = Some(VoterSet::from_record(record));
                self.offset = offset;
            }
            ControlRecord::LeaderChange(_)
            | ControlRecord::SnapshotHeader(_)
            | ControlRecord::SnapshotFooter(_) => {}
        }
    }
}
