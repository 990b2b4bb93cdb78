//! JoinGroup (11): a member joins a group and waits for the others.
//!
//! Versions: 1 rebalance timeout · 4 member id required (KIP-394) · 5 static members (KIP-345) · 6 flexible · 7 protocol type ·
//! 8 reason (KIP-800) · 9 skip assignment (KIP-814).

use super::call::{Call, Handled};
use super::group::{ask, variant};
use super::table::Entry;
use crate::node::groups::Groups;
use ottla_coordinator::group::GroupRequest;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::JoinGroupRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::JoinGroup, handle: |parts, call| handle(call, &parts.groups) };

fn handle(call: &Call, groups: &Groups) -> Handled {
    let request: JoinGroupRequest = call.decode()?;
    let group = request.group_id.clone();
    ask(call, groups, &group, GroupRequest::JoinGroup(request), variant!(JoinGroup))
}
