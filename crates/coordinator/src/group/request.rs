//! Requests for groups, their responses, and the shape of an error in each.

use super::classic::{heartbeat, join, leave, sync};
use super::member_ids::SUFFIX_LEN;
use super::offsets::{commit, delete, fetch};
use super::records::{fits, fits_with};
use super::{RequestContext, Settings, delete_groups, describe_groups, list_groups};
use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::heartbeat_response::HeartbeatResponse;
use ottla_protocol::messages::join_group_request::JoinGroupRequest;
use ottla_protocol::messages::join_group_response::JoinGroupResponse;
use ottla_protocol::messages::leave_group_request::LeaveGroupRequest;
use ottla_protocol::messages::leave_group_response::LeaveGroupResponse;
use ottla_protocol::messages::list_groups_request::ListGroupsRequest;
use ottla_protocol::messages::list_groups_response::ListGroupsResponse;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequest;
use ottla_protocol::messages::offset_commit_response::OffsetCommitResponse;
use ottla_protocol::messages::offset_delete_request::OffsetDeleteRequest;
use ottla_protocol::messages::offset_delete_response::OffsetDeleteResponse;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use ottla_protocol::messages::sync_group_request::SyncGroupRequest;
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;
use ottla_protocol::{ByteString, ErrorCode};

/// The first version of SyncGroup that must say the protocol that the member joined with (KIP-559).
const SYNC_PROTOCOL_VERSION: i16 = 5;

/// A request for a group, decoded and authorised, as it came from the wire but for what is said at the variant.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupRequest {
    /// JoinGroup.
    JoinGroup(JoinGroupRequest),
    /// SyncGroup.
    SyncGroup(SyncGroupRequest),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup; the single member of versions 0 to 2 is where it came.
    LeaveGroup(LeaveGroupRequest),
    /// OffsetCommit. The host has put aside topics and partitions that do not exist or may not be read, and has set both
    /// name and id of each topic that is left, whatever the version; both come back in the response, whose partitions
    /// the host merges with those put aside. If nothing is left it does not ask.
    OffsetCommit(OffsetCommitRequest),
    /// One group of an OffsetFetch; the host splits the request and merges the answers (versions before 8 have one
    /// group). Topics have their names set, from their ids in version 10; those unknown or not authorised are put aside.
    /// A null list of topics asks for all: there the answer's topic ids are zero, to be filled in or left out.
    OffsetFetch {
        /// Which group, which partitions.
        group: OffsetFetchRequestGroup,
        /// `RequireStable` of the request (KIP-447).
        require_stable: bool,
    },
    /// OffsetDelete, without the topics and partitions that do not exist or may not be read.
    OffsetDelete(OffsetDeleteRequest),
    /// One group of a DescribeGroups.
    DescribeGroup(ByteString),
    /// One group of a DeleteGroups; the host asks once for a name that is there twice.
    DeleteGroup(ByteString),
    /// ListGroups, asked of every partition that this broker leads; the host joins the lists.
    ListGroups(ListGroupsRequest),
}

/// The answer to a [`GroupRequest`]: the variant of the same name, ready to be encoded at the request's version.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupResponse {
    /// JoinGroup.
    JoinGroup(JoinGroupResponse),
    /// SyncGroup.
    SyncGroup(SyncGroupResponse),
    /// Heartbeat.
    Heartbeat(HeartbeatResponse),
    /// LeaveGroup.
    LeaveGroup(LeaveGroupResponse),
    /// OffsetCommit.
    OffsetCommit(OffsetCommitResponse),
    /// One group of an OffsetFetch.
    OffsetFetch(OffsetFetchResponseGroup),
    /// OffsetDelete.
    OffsetDelete(OffsetDeleteResponse),
    /// One group of a DescribeGroups; `authorized_operations` is the host's to fill in.
    DescribeGroup(DescribedGroup),
    /// One group of a DeleteGroups.
    DeleteGroup(DeletableGroupResult),
    /// The groups of this partition.
    ListGroups(ListGroupsResponse),
}

impl GroupRequest {
    /// The answer that says `error` and nothing else, in the shape that Kafka gives it at `version`: for the host too,
    /// when there is no coordinator to ask (`NOT_COORDINATOR`) or the client may not (`GROUP_AUTHORIZATION_FAILED`).
    pub fn error_response(&self, version: i16, error: ErrorCode) -> GroupResponse {
        match self {
            GroupRequest::JoinGroup(_) => join::error(version, "", error),
            GroupRequest::SyncGroup(_) => sync::error(error),
            GroupRequest::Heartbeat(_) => heartbeat::answer(error),
            GroupRequest::LeaveGroup(_) => leave::answer(version, error, Vec::new()),
            GroupRequest::OffsetCommit(request) => commit::error(request, error),
            GroupRequest::OffsetFetch { group, .. } => fetch::error(group, version, error),
            GroupRequest::OffsetDelete(_) => delete::error(error),
            GroupRequest::DescribeGroup(group) => describe_groups::error(group, error),
            GroupRequest::DeleteGroup(group) => delete_groups::answer(group, error),
            GroupRequest::ListGroups(_) => list_groups::error(error),
        }
    }

    /// The answer to a request that cannot be right, whatever the state of its group.
    pub(super) fn refusal(&self, context: &RequestContext, settings: &Settings) -> Option<GroupResponse> {
        let version = context.api_version;
        if let GroupRequest::SyncGroup(request) = self
            && version >= SYNC_PROTOCOL_VERSION
            && (request.protocol_type.is_none() || request.protocol_name.is_none())
        {
            return Some(sync::error(ErrorCode::InconsistentGroupProtocol));
        }
        if self.group_id().is_some_and(|group| group.is_empty()) {
            return Some(match self {
                GroupRequest::JoinGroup(request) => {
                    join::error(version, &request.member_id, ErrorCode::InvalidGroupId)
                }
                _ => self.error_response(version, ErrorCode::InvalidGroupId),
            });
        }
        let GroupRequest::JoinGroup(request) = self else { return None };
        let timeouts = settings.group_min_session_timeout_ms..=settings.group_max_session_timeout_ms;
        if !timeouts.contains(&request.session_timeout_ms) {
            return Some(join::error(version, &request.member_id, ErrorCode::InvalidSessionTimeout));
        }
        let prefix = request.group_instance_id.as_ref().unwrap_or(&context.client_id);
        let names = request.protocols.iter().map(|protocol| &protocol.name);
        // A member id that could not be sent, or not be written.
        let is_too_long = !fits_with(prefix, SUFFIX_LEN)
            || !names.chain([&request.protocol_type, &context.client_id]).all(|text| fits(text));
        is_too_long.then(|| join::error(version, "", ErrorCode::UnknownServerError))
    }

    /// The group, where an empty id is no id: Kafka lets offsets be kept for it, and lets it be looked at and deleted.
    fn group_id(&self) -> Option<&ByteString> {
        match self {
            GroupRequest::JoinGroup(request) => Some(&request.group_id),
            GroupRequest::SyncGroup(request) => Some(&request.group_id),
            GroupRequest::Heartbeat(request) => Some(&request.group_id),
            GroupRequest::LeaveGroup(request) => Some(&request.group_id),
            GroupRequest::OffsetDelete(request) => Some(&request.group_id),
            GroupRequest::OffsetCommit(_)
            | GroupRequest::OffsetFetch { .. }
            | GroupRequest::DescribeGroup(_)
            | GroupRequest::DeleteGroup(_)
            | GroupRequest::ListGroups(_) => None,
        }
    }
}

impl GroupResponse {
    /// The answer with an error in place of what it says: it was made before its write, which did not succeed.
    pub(super) fn into_error(self, version: i16, error: ErrorCode) -> GroupResponse {
        match self {
            GroupResponse::OffsetCommit(mut response) => {
                for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    partition.error_code = error as i16;
                }
                GroupResponse::OffsetCommit(response)
            }
            GroupResponse::LeaveGroup(_) => leave::answer(version, error, Vec::new()),
            GroupResponse::OffsetDelete(_) => delete::error(error),
            GroupResponse::DeleteGroup(response) => delete_groups::answer(&response.group_id, error),
            response @ (GroupResponse::JoinGroup(_)
            | GroupResponse::SyncGroup(_)
            | GroupResponse::Heartbeat(_)
            | GroupResponse::OffsetFetch(_)
            | GroupResponse::DescribeGroup(_)
            | GroupResponse::ListGroups(_)) => {
                unreachable!("an answer of this kind does not wait for a write: {response:?}")
            }
        }
    }
}

/// What a client is told of an append that failed: errors of the coordinator's partition are none of the client's.
pub(super) fn of_append(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        error => error,
    }
}

/// The same for OffsetFetch: its clients before 3.9 do not know COORDINATOR_NOT_AVAILABLE.
pub(super) fn of_append_to_fetch(error: ErrorCode) -> ErrorCode {
    match of_append(error) {
        ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
        error => error,
    }
}
