//! LeaveGroup (13): members leave a group.
//!
//! Versions: 3 several members at once (KIP-345) · 4 flexible · 5 reason (KIP-800).

use super::call::{Call, Handled};
use super::group::{ask, variant};
use super::table::Entry;
use crate::node::groups::Groups;
use ottla_coordinator::group::GroupRequest;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::LeaveGroupRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::LeaveGroup, handle: |parts, call| handle(call, &parts.groups) };

fn handle(call: &Call, groups: &Groups) -> Handled {
    let request: LeaveGroupRequest = call.decode()?;
    let group = request.group_id.clone();
    ask(call, groups, &group, GroupRequest::LeaveGroup(request), variant!(LeaveGroup))
}
