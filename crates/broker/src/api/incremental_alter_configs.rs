//! IncrementalAlterConfigs (44): changes single values of resources (KIP-339). The controller decides.
//!
//! Versions: 1 flexible.

use super::call::{Call, Handled};
use super::forward::forward;
use super::table::Entry;
use crate::node::controller::ControllerHandle;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::IncrementalAlterConfigsRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::IncrementalAlterConfigs, handle: |parts, call| handle(call, &parts.controller) };

fn handle(call: &Call, controller: &ControllerHandle) -> Handled {
    forward::<IncrementalAlterConfigsRequest>(call, controller)
}
