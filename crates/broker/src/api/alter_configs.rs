//! AlterConfigs (33): replaces all values of a resource; IncrementalAlterConfigs is what clients use. The controller decides.
//!
//! Versions: 2 flexible.

use super::call::{Call, Handled};
use super::forward::forward;
use super::table::Entry;
use crate::node::controller::ControllerHandle;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::AlterConfigsRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::AlterConfigs, handle: |parts, call| handle(call, &parts.controller) };

fn handle(call: &Call, controller: &ControllerHandle) -> Handled {
    forward::<AlterConfigsRequest>(call, controller)
}
