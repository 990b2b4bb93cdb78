//! AlterConfigs and IncrementalAlterConfigs (KIP-133, KIP-339). The rules are those of `ottla_config::alter`; here is what
//! they do not know: which resources exist, and what is asked for twice.

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::error::{ApiError, ApiResult, on_wire};
use crate::state::{Outcome, RECORDS_PER_BATCH_MAX};
use ottla_config::alter::{
    AlterConfig, AlterOp, ConfigChange, incremental_alter as alter_incrementally, legacy_alter,
};
use ottla_metadata::{ConfigResource, MetadataRecord, ResourceKind};
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, ByteString, ErrorCode};
use std::collections::BTreeMap;

/// A resource as requests name it.
type Named<'a> = (i8, &'a ByteString);

/// The changes of each resource, or why there are none, in the order of the request.
type Decided<'a> = Vec<(Named<'a>, ApiResult<Vec<ConfigChange>>)>;

/// Answers IncrementalAlterConfigs.
pub(crate) fn incremental_alter(
    cluster: Cluster<'_>,
    forwarded: bool,
    request: &IncrementalAlterConfigsRequest,
) -> Outcome {
    let decide = |resource: &ConfigResource,
                  asked: &incremental_alter_configs_request::AlterConfigsResource| {
        // The last operation on a key counts.
        let mut ops: BTreeMap<&str, AlterConfig> = BTreeMap::new();
        for config in &asked.configs {
            let op = AlterOp::from_id(config.config_operation)?;
            let (name, value) = (config.name.to_string(), config.value.as_ref().map(ByteString::to_string));
            ops.insert(&config.name, AlterConfig { name, op, value });
        }
        let ops: Vec<AlterConfig> = ops.into_values().collect();
        let (stored, context) = (cluster.image.config(resource), cluster.alter_context(forwarded));
        Ok(alter_incrementally(resource.kind, &resource.name, stored, &ops, context)?)
    };
    let asked = request.resources.iter().map(|r| ((r.resource_type, &r.resource_name), r));
    let (records, decided) = settle(cluster, decide_all(cluster, asked, decide), request.validate_only);
    let responses = decided
        .iter()
        .map(|((resource_type, name), outcome)| {
            let (error_code, error_message) = on_wire(outcome);
            incremental_alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: *resource_type,
                resource_name: (*name).clone(),
                ..Default::default()
            }
        })
        .collect();
    let response = IncrementalAlterConfigsResponse { responses, ..Default::default() };
    Outcome { records, response: ControllerResponse::IncrementalAlterConfigs(response) }
}

/// Answers AlterConfigs: all that a resource had set is replaced.
pub(crate) fn alter(cluster: Cluster<'_>, forwarded: bool, request: &AlterConfigsRequest) -> Outcome {
    let decide = |resource: &ConfigResource, asked: &alter_configs_request::AlterConfigsResource| {
        let value = |value: &Option<ByteString>| value.as_ref().map(ByteString::to_string);
        let latest: BTreeMap<String, Option<String>> =
            asked.configs.iter().map(|config| (config.name.to_string(), value(&config.value))).collect();
        let new: Vec<(String, Option<String>)> = latest.into_iter().collect();
        let (stored, context) = (cluster.image.config(resource), cluster.alter_context(forwarded));
        Ok(legacy_alter(resource.kind, &resource.name, stored, &new, context)?)
    };
    let asked = request.resources.iter().map(|r| ((r.resource_type, &r.resource_name), r));
    let (records, decided) = settle(cluster, decide_all(cluster, asked, decide), request.validate_only);
    let responses = decided
        .iter()
        .map(|((resource_type, name), outcome)| {
            let (error_code, error_message) = on_wire(outcome);
            alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: *resource_type,
                resource_name: (*name).clone(),
                ..Default::default()
            }
        })
        .collect();
    let response = AlterConfigsResponse { responses, ..Default::default() };
    Outcome { records, response: ControllerResponse::AlterConfigs(response) }
}

/// Decides resource by resource. One that is named twice is refused once, and not changed.
fn decide_all<'a, R: 'a>(
    cluster: Cluster<'_>,
    asked: impl Iterator<Item = (Named<'a>, &'a R)>,
    decide: impl Fn(&ConfigResource, &'a R) -> ApiResult<Vec<ConfigChange>>,
) -> Decided<'a> {
    let mut once: Vec<(Named<'a>, Option<&'a R>)> = Vec::new();
    let mut places: BTreeMap<Named<'a>, usize> = BTreeMap::new();
    for (named, resource) in asked {
        match places.get(&named) {
            Some(place) => once[*place].1 = None,
            None => {
                places.insert(named, once.len());
                once.push((named, Some(resource)));
            }
        }
    }
    let decide_one = |(named, asked): (Named<'a>, Option<&'a R>)| {
        let (resource_type, name) = named;
        let outcome = match (ResourceKind::from_id(resource_type), asked) {
            (None, _) => {
                let message = format!("Unknown resource type {resource_type}.");
                Err(ApiError::new(ErrorCode::UnsupportedVersion, message))
            }
            (Some(_), None) => Err(ApiError::new(ErrorCode::InvalidRequest, "Duplicate resource.")),
            (Some(kind), Some(asked)) => {
                let resource = ConfigResource { kind, name: name.clone() };
                decide(&resource, asked)
                    .and_then(|changes| check_exists(cluster, &resource).map(|()| changes))
            }
        };
        (named, outcome)
    };
    once.into_iter().map(decide_one).collect()
}

/// Whether there is such a thing to configure. Groups and subscriptions may be configured before they exist.
fn check_exists(cluster: Cluster<'_>, resource: &ConfigResource) -> ApiResult<()> {
    let name = &resource.name;
    match resource.kind {
        ResourceKind::Topic if cluster.image.topic_id(name).is_none() => Err(ApiError::new(
            ErrorCode::UnknownTopicOrPartition,
            format!("The topic '{name}' does not exist."),
        )),
        ResourceKind::Broker if !name.is_empty() => {
            let Ok(id) = name.parse().map(BrokerId) else {
                return Err(ApiError::new(ErrorCode::InvalidRequest, format!("Invalid broker name {name}")));
            };
            let is_node = cluster.image.broker(id).is_some()
                || cluster.image.controller(id).is_some()
                || id == cluster.settings.node_id;
            let message = || format!("No node with id {id} found.");
            if is_node { Ok(()) } else { Err(ApiError::new(ErrorCode::BrokerIdNotRegistered, message())) }
        }
        _ => Ok(()),
    }
}

/// The records of all that was decided, all of them or, if they are too many, none.
fn settle<'a>(
    cluster: Cluster<'_>,
    mut decided: Decided<'a>,
    validate_only: bool,
) -> (Vec<MetadataRecord>, Decided<'a>) {
    let mut records = Vec::new();
    let mut clears = Vec::new();
    for ((resource_type, resource_name), outcome) in &decided {
        for change in outcome.iter().flatten() {
            let record = ConfigRecord {
                resource_type: *resource_type,
                resource_name: (*resource_name).clone(),
                name: change.name.as_str().into(),
                value: change.value.as_deref().map(ByteString::from),
                ..Default::default()
            };
            records.push(record.into());
            if change.name == "min.insync.replicas" {
                clears.push(clear_elr(*resource_type, resource_name));
            }
        }
    }
    if cluster.image.features().is_elr_enabled() {
        records.append(&mut clears);
    }
    if records.len() > RECORDS_PER_BATCH_MAX {
        records.clear();
        decided.iter_mut().for_each(|(_, outcome)| *outcome = Err(ApiError::too_large()));
    }
    if validate_only {
        records.clear();
    }
    (records, decided)
}

/// Who was eligible by the old `min.insync.replicas` may not be by the new one (KIP-966): nobody is, until ISRs change.
fn clear_elr(resource_type: i8, resource_name: &ByteString) -> MetadataRecord {
    let of_topic = resource_type == ResourceKind::Topic.id();
    let topic_name = if of_topic { resource_name.clone() } else { ByteString::new() };
    ClearElrRecord { topic_name, ..Default::default() }.into()
}
