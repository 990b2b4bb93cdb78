//! DescribeAcls (29): SECURITY_DISABLED, as Kafka answers without an authorizer.
//!
//! Versions: 2 flexible · 3 user resources (KIP-373).

use super::call::{Call, Handled};
use super::table::Entry;
use ottla_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry = Entry { key: ApiKey::DescribeAcls, handle: |_, call| handle(call) };

fn handle(call: &Call) -> Handled {
    let _: DescribeAclsRequest = call.decode()?;
    call.reply(&DescribeAclsResponse {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured on the broker".into()),
        ..DescribeAclsResponse::default()
    })
}
