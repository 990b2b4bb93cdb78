//! DeleteGroups (42): empty groups and their offsets (KIP-229).
//!
//! Versions: 2 flexible.

use super::call::{Call, Handled};
use super::group::{answer, context};
use super::table::Entry;
use crate::node::groups::Groups;
use ottla_coordinator::group::{GroupRequest, GroupResponse};
use ottla_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use ottla_protocol::{ApiKey, ByteString};
use std::collections::BTreeSet;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::DeleteGroups, handle: |parts, call| handle(call, &parts.groups) };

fn handle(call: &Call, groups: &Groups) -> Handled {
    let request: DeleteGroupsRequest = call.decode()?;
    let names: BTreeSet<ByteString> = request.groups_names.into_iter().collect();
    let ask = |group: &ByteString| groups.ask(group, context(call), GroupRequest::DeleteGroup(group.clone()));
    let asked = names.iter().map(ask).collect();
    answer(call, asked, |responses| {
        let results = responses.into_iter().filter_map(|response| match response {
            GroupResponse::DeleteGroup(result) => Some(result),
            _ => None,
        });
        DeleteGroupsResponse { results: results.collect(), ..DeleteGroupsResponse::default() }
    })
}
