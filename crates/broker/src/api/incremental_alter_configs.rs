//! IncrementalAlterConfigs (44): changes single values of resources (KIP-339).
//!
//! Versions: 1 flexible.

use super::altering::{Checking, Operation, named_twice, twice};
use super::call::{Call, Handled};
use super::table::Entry;
use crate::net::Answer;
use crate::node::config::Config;
use crate::node::controller::ControllerHandle;
use crate::node::identity::Identity;
use crate::node::images::Images;
use ottla_config::ConfigError;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::IncrementalAlterConfigs,
    handle: |parts, call| handle(call, &parts.images, &parts.config, &parts.identity, &parts.controller),
};

fn handle(
    call: &Call,
    images: &Images,
    config: &Config,
    identity: &Identity,
    controller: &ControllerHandle,
) -> Handled {
    let mut request: IncrementalAlterConfigsRequest = call.decode()?;
    let refused = {
        let image = images.current();
        let checking = Checking { image: &image, config, identity, replaces: false };
        refuse(&request, &checking)
    };
    let is_refused = |resource: &AlterConfigsResource| {
        let same = |other: &AlterConfigsResourceResponse| {
            other.resource_type == resource.resource_type && other.resource_name == resource.resource_name
        };
        refused.iter().any(same)
    };
    request.resources.retain(|resource| !is_refused(resource));
    if request.resources.is_empty() {
        return call.reply(&IncrementalAlterConfigsResponse { responses: refused, ..Default::default() });
    }
    let (reply_to, asking) = (call.reply_to(), controller.ask_at(call.version, request));
    Ok(Answer::later(async move {
        match asking.await {
            Ok(mut response) => {
                response.responses.extend(refused);
                reply_to.with(&response)
            }
            Err(error) => Answer::Close(format!("the controller is not there: {error}")),
        }
    }))
}

/// Answers for the resources that do not get to the controller.
fn refuse(
    request: &IncrementalAlterConfigsRequest,
    checking: &Checking<'_>,
) -> Vec<AlterConfigsResourceResponse> {
    let named = request.resources.iter().map(|resource| (resource.resource_type, &resource.resource_name));
    let repeated = named_twice(named);
    let mut refused: Vec<AlterConfigsResourceResponse> =
        repeated.iter().map(|(kind, name)| response(*kind, name, twice())).collect();
    for resource in &request.resources {
        let (kind, name) = (resource.resource_type, &resource.resource_name);
        if repeated.contains(&(kind, name)) {
            continue;
        }
        let operations: Vec<Operation<'_>> = resource.configs.iter().map(operation).collect();
        if let Err(error) = checking.check(kind, name, &operations) {
            refused.push(response(kind, name, error));
        }
    }
    refused
}

fn operation(config: &AlterableConfig) -> Operation<'_> {
    Operation { name: &config.name, operation: config.config_operation, value: config.value.as_ref() }
}

fn response(
    resource_type: i8,
    name: &ottla_protocol::ByteString,
    error: ConfigError,
) -> AlterConfigsResourceResponse {
    debug_assert_ne!(error.code, ErrorCode::None, "only refusals are answered here");
    AlterConfigsResourceResponse {
        error_code: error.code.code(),
        error_message: Some(error.message.into()),
        resource_type,
        resource_name: name.clone(),
        ..AlterConfigsResourceResponse::default()
    }
}
