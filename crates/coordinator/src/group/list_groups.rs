//! ListGroups: the groups of this partition.

use super::GroupResponse;
use super::classic::ClassicGroup;
use super::state::State;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::list_groups_request::ListGroupsRequest;
use ottla_protocol::messages::list_groups_response::ListGroupsResponse;

impl State {
    /// The groups that pass the filters for states (KIP-518) and types (KIP-848), whatever the case of their letters.
    pub(super) fn listed_groups(&self, request: &ListGroupsRequest) -> GroupResponse {
        let states: Vec<String> =
            request.states_filter.iter().map(|state| state.to_lowercase().trim().to_owned()).collect();
        let passes = |group: &&ClassicGroup| {
            let state = group.state().name().to_lowercase();
            states.is_empty() || states.contains(&state)
        };
        let wants_classic = request.types_filter.is_empty()
            || request.types_filter.iter().any(|kind| kind.to_lowercase() == "classic");
        let groups = if wants_classic {
            self.groups.iter_committed().filter(passes).map(ClassicGroup::listed).collect()
        } else {
            Vec::new()
        };
        GroupResponse::ListGroups(ListGroupsResponse { groups, ..Default::default() })
    }
}

/// The answer that nothing can be said. A partition that this broker does not lead has no groups to be listed here.
pub(super) fn error(code: ErrorCode) -> GroupResponse {
    let error_code = if code == ErrorCode::NotCoordinator { 0 } else { code as i16 };
    GroupResponse::ListGroups(ListGroupsResponse { error_code, ..Default::default() })
}
