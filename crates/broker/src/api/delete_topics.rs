//! DeleteTopics (20): deletes topics. The controller decides.
//!
//! Versions: 4 flexible · 5 error message, quota errors (KIP-599) · 6 by topic id (KIP-516).

use super::call::{Call, Handled};
use super::forward::forward;
use super::table::Entry;
use crate::node::controller::ControllerHandle;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::DeleteTopicsRequest;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::DeleteTopics, handle: |parts, call| handle(call, &parts.controller) };

fn handle(call: &Call, controller: &ControllerHandle) -> Handled {
    forward::<DeleteTopicsRequest>(call, controller)
}
