//! Heartbeat (12): a member is alive, and learns of rebalances.
//!
//! Versions: 3 static members (KIP-345) · 4 flexible.

use super::call::{Call, Handled};
use super::group::{ask, variant};
use super::table::Entry;
use crate::node::groups::Groups;
use ottla_coordinator::group::GroupRequest;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::HeartbeatRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::Heartbeat, handle: |parts, call| handle(call, &parts.groups) };

fn handle(call: &Call, groups: &Groups) -> Handled {
    let request: HeartbeatRequest = call.decode()?;
    let group = request.group_id.clone();
    ask(call, groups, &group, GroupRequest::Heartbeat(request), variant!(Heartbeat))
}
