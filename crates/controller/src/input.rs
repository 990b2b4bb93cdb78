//! What the controller is told.

use ottla_metadata::Image;
use ottla_protocol::messages::*;
use ottla_protocol::{LeaderEpoch, Offset};
use std::sync::Arc;

/// The host's number of a request; the reply carries it back.
pub type RequestId = u64;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// This node leads the quorum, and `image` holds everything that is committed.
    BecameLeader {
        /// Epoch of the quorum: that of all records until [`Input::Resigned`].
        epoch: LeaderEpoch,
        /// What the committed log gives.
        image: Arc<Image>,
        /// Where the next record goes.
        next_offset: Offset,
        /// Level of kraft.version.
        kraft_version: i16,
        /// Whether the log ends inside a metadata transaction ([`ottla_metadata::Loader::is_in_transaction`]).
        in_transaction: bool,
    },
    /// This node does not lead any more. What was written and not committed does not count.
    Resigned,
    /// Everything before this offset is committed, and the host has published the image of it.
    Committed {
        /// The high watermark.
        offset: Offset,
    },
    /// A request of a broker, a tool or a client.
    Request {
        /// The host's number.
        id: RequestId,
        /// Version of the request; some rules depend on it.
        version: i16,
        /// Whether a broker has received and checked it first (it came in an Envelope, or from this very process).
        forwarded: bool,
        /// What is asked.
        request: ControllerRequest,
    },
    /// The time of [`crate::Controller::deadline`] has come.
    Timeout,
}

/// What can be asked of the active controller.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are Kafka's requests by name")]
pub enum ControllerRequest {
    BrokerRegistration(BrokerRegistrationRequest),
    BrokerHeartbeat(BrokerHeartbeatRequest),
    UnregisterBroker(UnregisterBrokerRequest),
    ControllerRegistration(ControllerRegistrationRequest),
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    CreatePartitions(CreatePartitionsRequest),
    AlterConfigs(AlterConfigsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    AllocateProducerIds(AllocateProducerIdsRequest),
    AlterPartition(AlterPartitionRequest),
    AssignReplicasToDirs(AssignReplicasToDirsRequest),
    ElectLeaders(ElectLeadersRequest),
    ListPartitionReassignments(ListPartitionReassignmentsRequest),
}
