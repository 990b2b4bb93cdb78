//! CreateTopics (19): makes topics. The controller decides.
//!
//! Versions: 5 flexible, partition counts and configs in the answer (KIP-525) · 6 quota errors (KIP-599) · 7 topic ids (KIP-516).

use super::call::{Call, Handled};
use super::forward::forward;
use super::table::Entry;
use crate::node::controller::ControllerHandle;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::CreateTopicsRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::CreateTopics, handle: |parts, call| handle(call, &parts.controller) };

fn handle(call: &Call, controller: &ControllerHandle) -> Handled {
    forward::<CreateTopicsRequest>(call, controller)
}
