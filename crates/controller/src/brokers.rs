//! Registration of brokers and controllers (KIP-631, KIP-919), and its end.

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::error::{ApiError, ApiResult};
use crate::leadership;
use crate::state::{Outcome, RECORDS_PER_BATCH_MAX};
use ottla_metadata::{KRAFT_VERSION, METADATA_VERSION, MetadataRecord};
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, ErrorCode, Offset, Uuid};

/// What registration looks at besides the image.
pub(crate) struct RegistrationContext {
    /// Whether the present incarnation was heard of lately.
    pub(crate) has_session: bool,
    pub(crate) kraft_version: i16,
    /// Where the next record goes; it becomes the epoch of a new incarnation.
    pub(crate) next_offset: Offset,
    /// Whether the request can tell a clean shutdown (KIP-966).
    pub(crate) detects_clean_shutdown: bool,
}

/// Directory ids below this are reserved (KIP-858).
const RESERVED_DIRS: u128 = 100;

/// Answers BrokerRegistration.
pub(crate) fn register(
    cluster: Cluster<'_>,
    context: RegistrationContext,
    request: &BrokerRegistrationRequest,
) -> Outcome {
    let (records, error, epoch) = match register_records(cluster, &context, request) {
        Ok((records, epoch)) => (records, ErrorCode::None, epoch),
        Err(error) => (Vec::new(), error.code, -1),
    };
    let response =
        BrokerRegistrationResponse { error_code: error.code(), broker_epoch: epoch, ..Default::default() };
    Outcome { records, response: ControllerResponse::BrokerRegistration(response) }
}

fn register_records(
    cluster: Cluster<'_>,
    context: &RegistrationContext,
    request: &BrokerRegistrationRequest,
) -> ApiResult<(Vec<MetadataRecord>, i64)> {
    let id = BrokerId(request.broker_id);
    let existing = cluster.image.broker(id);
    let same_incarnation = existing.filter(|broker| broker.incarnation_id == request.incarnation_id);
    if request.cluster_id != cluster.settings.cluster_id {
        return Err(ApiError::bare(ErrorCode::InconsistentClusterId));
    }
    if context.has_session && same_incarnation.is_none() {
        return Err(ApiError::bare(ErrorCode::DuplicateBrokerRegistration));
    }
    if request.is_migrating_zk_broker {
        return Err(ApiError::bare(ErrorCode::BrokerIdNotRegistered));
    }
    check_directories(cluster, id, &request.log_dirs)?;
    check_features(cluster, context.kraft_version, request)?;

    let mut records = Vec::new();
    let mut record = registration_record(request);
    if let Some(broker) = same_incarnation {
        record.broker_epoch = broker.epoch;
        record.fenced = broker.fenced;
        record.in_controlled_shutdown = broker.in_controlled_shutdown;
    } else {
        // Without a previous registration there is nothing to clean up, whatever the broker says about it.
        let stored_epoch = existing.map_or(-2, |broker| broker.epoch);
        let was_clean = context.detects_clean_shutdown && stored_epoch == request.previous_broker_epoch;
        leadership::on_broker_restarted(cluster, id, was_clean, &mut records);
        // The epoch is the offset of this very record, which comes last: should the records not fit one batch and the
        // controller fail between them, the broker registers again and the rest is done then.
        record.broker_epoch = context.next_offset.0 + records.len() as i64;
    }
    let epoch = record.broker_epoch;
    records.push(record.into());
    Ok((records, epoch))
}

fn registration_record(request: &BrokerRegistrationRequest) -> RegisterBrokerRecord {
    let endpoint =
        |listener: &broker_registration_request::Listener| register_broker_record::BrokerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: listener.security_protocol,
            ..Default::default()
        };
    let feature = |feature: &broker_registration_request::Feature| register_broker_record::BrokerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..Default::default()
    };
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        end_points: request.listeners.iter().map(endpoint).collect(),
        features: request.features.iter().map(feature).collect(),
        rack: request.rack.clone(),
        log_dirs: request.log_dirs.clone(),
        ..Default::default()
    }
}

/// Every broker names its online directories, and none that stands for something else or is another broker's.
fn check_directories(cluster: Cluster<'_>, id: BrokerId, dirs: &[Uuid]) -> ApiResult<()> {
    let is_reserved = |dir: &Uuid| u128::from_be_bytes(dir.0) < RESERVED_DIRS;
    let is_repeated = |(index, dir): (usize, &Uuid)| dirs[..index].contains(dir);
    let is_taken = |dir: &Uuid| {
        cluster.image.brokers().any(|broker| broker.id != id && broker.directories.contains(dir))
    };
    let is_bad = dirs.is_empty()
        || dirs.iter().any(is_reserved)
        || dirs.iter().enumerate().any(is_repeated)
        || dirs.iter().any(is_taken);
    if is_bad { Err(ApiError::bare(ErrorCode::InvalidRegistration)) } else { Ok(()) }
}

/// The broker can run at every finalized level; one that it does not name it runs at level 0 only.
fn check_features(
    cluster: Cluster<'_>,
    kraft_version: i16,
    request: &BrokerRegistrationRequest,
) -> ApiResult<()> {
    let finalized_level = |name: &str| match name {
        KRAFT_VERSION => kraft_version,
        name => cluster.image.features().level(name),
    };
    let fits = |feature: &broker_registration_request::Feature| {
        let range = feature.min_supported_version..=feature.max_supported_version;
        range.contains(&finalized_level(&feature.name))
    };
    let is_named = |name: &str| request.features.iter().any(|feature| feature.name == name);
    if !request.features.iter().all(fits) {
        return Err(ApiError::bare(ErrorCode::UnsupportedVersion));
    }
    if !is_named(METADATA_VERSION) {
        return Err(ApiError::bare(ErrorCode::InvalidRegistration));
    }
    let finalized = cluster.image.features().iter().map(|(name, _)| &**name);
    let quorum = (kraft_version > 0).then_some(KRAFT_VERSION);
    if finalized.chain(quorum).all(is_named) {
        Ok(())
    } else {
        Err(ApiError::bare(ErrorCode::UnsupportedVersion))
    }
}

/// Answers UnregisterBroker: the broker is out of every ISR and ELR, and forgotten.
pub(crate) fn unregister(cluster: Cluster<'_>, request: &UnregisterBrokerRequest) -> Outcome {
    let (records, error) = match unregister_records(cluster, BrokerId(request.broker_id)) {
        Ok(records) => (records, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let response = UnregisterBrokerResponse {
        error_code: error.as_ref().map_or(ErrorCode::None, |error| error.code).code(),
        error_message: error.and_then(|error| error.wire_message()),
        ..Default::default()
    };
    Outcome { records, response: ControllerResponse::UnregisterBroker(response) }
}

fn unregister_records(cluster: Cluster<'_>, id: BrokerId) -> ApiResult<Vec<MetadataRecord>> {
    let Some(broker) = cluster.image.broker(id) else {
        let message = format!("Broker ID {id} is not currently registered");
        return Err(ApiError::new(ErrorCode::BrokerIdNotRegistered, message));
    };
    let mut records = Vec::new();
    leadership::on_broker_unregistered(cluster, id, &mut records);
    let (broker_id, broker_epoch) = (id.0, broker.epoch);
    records.push(UnregisterBrokerRecord { broker_id, broker_epoch, ..Default::default() }.into());
    if records.len() > RECORDS_PER_BATCH_MAX { Err(ApiError::too_large()) } else { Ok(records) }
}

/// Answers ControllerRegistration.
pub(crate) fn register_controller(request: &ControllerRegistrationRequest) -> Outcome {
    let endpoint = |listener: &controller_registration_request::Listener| {
        register_controller_record::ControllerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: listener.security_protocol,
            ..Default::default()
        }
    };
    let feature =
        |feature: &controller_registration_request::Feature| register_controller_record::ControllerFeature {
            name: feature.name.clone(),
            min_supported_version: feature.min_supported_version,
            max_supported_version: feature.max_supported_version,
            ..Default::default()
        };
    let record = RegisterControllerRecord {
        controller_id: request.controller_id,
        incarnation_id: request.incarnation_id,
        zk_migration_ready: false,
        end_points: request.listeners.iter().map(endpoint).collect(),
        features: request.features.iter().map(feature).collect(),
        ..Default::default()
    };
    let response = ControllerRegistrationResponse { error_message: None, ..Default::default() };
    Outcome { records: vec![record.into()], response: ControllerResponse::ControllerRegistration(response) }
}
