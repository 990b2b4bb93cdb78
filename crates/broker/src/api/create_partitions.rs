//! CreatePartitions (37): adds partitions to topics (KIP-195). The controller decides.
//!
//! Versions: 2 flexible · 3 quota errors (KIP-599).

use super::call::{Call, Handled};
use super::forward::forward;
use super::table::Entry;
use crate::node::controller::ControllerHandle;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::CreatePartitionsRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::CreatePartitions, handle: |parts, call| handle(call, &parts.controller) };

fn handle(call: &Call, controller: &ControllerHandle) -> Handled {
    forward::<CreatePartitionsRequest>(call, controller)
}
