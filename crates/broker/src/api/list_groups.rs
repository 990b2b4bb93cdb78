//! ListGroups (16): the groups of this broker's coordinators.
//!
//! Versions: 3 flexible · 4 states (KIP-518) · 5 types (KIP-848).

use super::call::{Call, Handled};
use super::group::{answer, context};
use super::table::Entry;
use crate::node::groups::Groups;
use ottla_coordinator::group::{GroupRequest, GroupResponse};
use ottla_protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::ListGroups, handle: |parts, call| handle(call, &parts.groups) };

fn handle(call: &Call, groups: &Groups) -> Handled {
    let request: ListGroupsRequest = call.decode()?;
    let asked = groups.ask_all(&context(call), &GroupRequest::ListGroups(request));
    answer(call, asked, |responses| {
        let mut all = ListGroupsResponse::default();
        for response in responses {
            let GroupResponse::ListGroups(list) = response else { continue };
            // A coordinator that is loading makes the whole list one that is not complete.
            if list.error_code != ErrorCode::None.code() {
                all.error_code = list.error_code;
            }
            all.groups.extend(list.groups);
        }
        all
    })
}
