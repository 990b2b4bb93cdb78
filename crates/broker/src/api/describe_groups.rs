//! DescribeGroups (15): state and members of groups.
//!
//! Versions: 3 authorized operations (KIP-430) · 4 static members (KIP-345) · 5 flexible · 6 error message, unknown groups
//! are an error (KIP-1043).

use super::authorized;
use super::call::{Call, Handled};
use super::group::{answer, context};
use super::table::Entry;
use crate::node::groups::Groups;
use ottla_coordinator::group::{GroupRequest, GroupResponse};
use ottla_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::DescribeGroups, handle: |parts, call| handle(call, &parts.groups) };

fn handle(call: &Call, groups: &Groups) -> Handled {
    let request: DescribeGroupsRequest = call.decode()?;
    let ask = |group: &ottla_protocol::ByteString| {
        groups.ask(group, context(call), GroupRequest::DescribeGroup(group.clone()))
    };
    let asked = request.groups.iter().map(ask).collect();
    let with_operations = request.include_authorized_operations;
    answer(call, asked, move |responses| {
        let described = responses.into_iter().filter_map(|response| match response {
            GroupResponse::DescribeGroup(mut group) => {
                let known = group.error_code == ErrorCode::None.code();
                group.authorized_operations = authorized::on_group(with_operations && known);
                Some(group)
            }
            _ => None,
        });
        DescribeGroupsResponse { groups: described.collect(), ..DescribeGroupsResponse::default() }
    })
}
