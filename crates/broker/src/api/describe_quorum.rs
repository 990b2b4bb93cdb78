//! DescribeQuorum (55): leader, voters and observers of the metadata log (KIP-595).
//!
//! Versions: 1 fetch times (KIP-836) · 2 directory ids and endpoints (KIP-853).

use super::call::{Call, Handled};
use super::table::Entry;
use crate::net::Answer;
use crate::node::controller::ControllerHandle;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::DescribeQuorumRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::DescribeQuorum, handle: |parts, call| handle(call, &parts.controller) };

fn handle(call: &Call, controller: &ControllerHandle) -> Handled {
    let request: DescribeQuorumRequest = call.decode()?;
    let (reply_to, asking) = (call.reply_to(), controller.describe_quorum(call.version, request));
    Ok(Answer::later(async move {
        match asking.await {
            Some(response) => reply_to.with(&response),
            None => Answer::Close("the controller is not there".into()),
        }
    }))
}
