//! What the controller wants done.

use crate::input::RequestId;
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::*;
use ottla_protocol::{ErrorCode, LeaderEpoch, Offset};

/// Something for the host to do. Effects are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append the records as one batch: either all of them get into the log or none.
    Append {
        /// Epoch of the batch.
        epoch: LeaderEpoch,
        /// Offset of the first record: the end of the log.
        base_offset: Offset,
        /// The records, at most 10,000.
        records: Vec<MetadataRecord>,
    },
    /// Answer a request. `Err` is NOT_CONTROLLER: the asker has to find the active controller.
    Reply {
        /// The host's number of the request.
        id: RequestId,
        /// The answer.
        response: Result<ControllerResponse, ErrorCode>,
    },
}

/// The answer to a [`crate::ControllerRequest`] of the same name.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are Kafka's responses by name")]
pub enum ControllerResponse {
    BrokerRegistration(BrokerRegistrationResponse),
    BrokerHeartbeat(BrokerHeartbeatResponse),
    UnregisterBroker(UnregisterBrokerResponse),
    ControllerRegistration(ControllerRegistrationResponse),
    CreateTopics(CreateTopicsResponse),
    DeleteTopics(DeleteTopicsResponse),
    CreatePartitions(CreatePartitionsResponse),
    AlterConfigs(AlterConfigsResponse),
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    AllocateProducerIds(AllocateProducerIdsResponse),
    AlterPartition(AlterPartitionResponse),
    AssignReplicasToDirs(AssignReplicasToDirsResponse),
    ElectLeaders(ElectLeadersResponse),
    ListPartitionReassignments(ListPartitionReassignmentsResponse),
}
