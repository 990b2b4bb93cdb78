//! DescribeGroups: one group of it.

use super::GroupResponse;
use super::state::State;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::{ByteString, ErrorCode};

/// The first version that tells a group that is not there from a dead one (KIP-1043).
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

impl State {
    /// The group with its members.
    pub(super) fn described_group(&self, version: i16, id: &ByteString) -> GroupResponse {
        let described = match self.groups.committed(id) {
            Some(group) => group.described(),
            None => {
                let dead =
                    DescribedGroup { group_id: id.clone(), group_state: "Dead".into(), ..Default::default() };
                if version < GROUP_ID_NOT_FOUND_VERSION {
                    dead
                } else {
                    DescribedGroup {
                        error_code: ErrorCode::GroupIdNotFound as i16,
                        error_message: Some(format!("Group {id} not found.").into()),
                        ..dead
                    }
                }
            }
        };
        GroupResponse::DescribeGroup(described)
    }
}

/// The answer that nothing can be said of the group.
pub(super) fn error(id: &ByteString, code: ErrorCode) -> GroupResponse {
    GroupResponse::DescribeGroup(DescribedGroup {
        group_id: id.clone(),
        error_code: code as i16,
        ..Default::default()
    })
}
