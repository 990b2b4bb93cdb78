//! SyncGroup (14): the leader of a group hands out the assignment, the others wait for theirs.
//!
//! Versions: 3 static members (KIP-345) · 4 flexible · 5 protocol type and name (KIP-559).

use super::call::{Call, Handled};
use super::group::{ask, variant};
use super::table::Entry;
use crate::node::groups::Groups;
use ottla_coordinator::group::GroupRequest;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::SyncGroupRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::SyncGroup, handle: |parts, call| handle(call, &parts.groups) };

fn handle(call: &Call, groups: &Groups) -> Handled {
    let request: SyncGroupRequest = call.decode()?;
    let group = request.group_id.clone();
    ask(call, groups, &group, GroupRequest::SyncGroup(request), variant!(SyncGroup))
}
