//! Who this process is.

use ottla_protocol::{BrokerId, ByteString};

/// Cluster and node, fixed for the life of the process.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The cluster's id, in text.
    pub cluster_id: ByteString,
    /// `node.id`.
    pub node_id: BrokerId,
}
