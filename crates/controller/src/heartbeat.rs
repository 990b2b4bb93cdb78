//! Heartbeats of brokers (KIP-631): fencing, unfencing, controlled shutdown, failed and cordoned directories.

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::error::{ApiError, ApiResult};
use crate::leadership;
use crate::sessions::{Session, Sessions};
use crate::state::Outcome;
use ottla_metadata::{BrokerRegistration, MetadataRecord};
use ottla_protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationChangeRecord,
};
use ottla_protocol::{BrokerId, ErrorCode, Uuid};

/// Where a broker stands, as the controller steers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Serves nobody.
    Fenced,
    /// Serves.
    Unfenced,
    /// Its leaderships move away.
    ControlledShutdown,
    /// May end.
    ShutdownNow,
}

/// Answers BrokerHeartbeat.
pub(crate) fn process(
    cluster: Cluster<'_>,
    sessions: &mut Sessions,
    now: i64,
    request: &BrokerHeartbeatRequest,
) -> Outcome {
    let (records, response) = match process_checked(cluster, sessions, now, request) {
        Ok((records, response)) => (records, response),
        Err(error) => {
            let error_code = error.code.code();
            (Vec::new(), BrokerHeartbeatResponse { error_code, ..Default::default() })
        }
    };
    Outcome { records, response: ControllerResponse::BrokerHeartbeat(response) }
}

fn process_checked(
    cluster: Cluster<'_>,
    sessions: &mut Sessions,
    now: i64,
    request: &BrokerHeartbeatRequest,
) -> ApiResult<(Vec<MetadataRecord>, BrokerHeartbeatResponse)> {
    let id = BrokerId(request.broker_id);
    let broker = check_broker_epoch(cluster, id, request.broker_epoch)?;
    let next = next_state(cluster, sessions, broker, request);
    let session = sessions.0.get_mut(&id).expect("every registered broker has a session");
    let current = state(broker, session);
    session.last_contact = Some(now);
    session.metadata_offset = request.current_metadata_offset;

    let mut records = Vec::new();
    if current != next {
        match next {
            State::Fenced | State::ShutdownNow => leadership::on_broker_fenced(cluster, id, &mut records),
            State::Unfenced => leadership::on_broker_unfenced(cluster, id, &mut records),
            State::ControlledShutdown => {
                leadership::on_controlled_shutdown(cluster, id, &mut records);
            }
        }
    }
    directories_offline(cluster, broker, &request.offline_log_dirs, &mut records);
    directories_cordoned(broker, request.cordoned_log_dirs.as_deref(), &mut records);
    let response = BrokerHeartbeatResponse {
        is_caught_up: request.current_metadata_offset >= session.registration_offset,
        is_fenced: matches!(next, State::Fenced | State::ShutdownNow),
        should_shut_down: next == State::ShutdownNow,
        ..Default::default()
    };
    Ok((records, response))
}

/// The registration of a broker that speaks for its present incarnation.
///
/// # Errors
/// STALE_BROKER_EPOCH.
pub(crate) fn check_broker_epoch<'a>(
    cluster: Cluster<'a>,
    id: BrokerId,
    epoch: i64,
) -> ApiResult<&'a BrokerRegistration> {
    match cluster.image.broker(id) {
        Some(broker) if broker.epoch == epoch => Ok(broker),
        Some(broker) => Err(ApiError::new(
            ErrorCode::StaleBrokerEpoch,
            format!("Expected broker epoch {}, but got broker epoch {epoch}", broker.epoch),
        )),
        None => Err(ApiError::new(
            ErrorCode::StaleBrokerEpoch,
            format!("No broker registration found for broker id {id}"),
        )),
    }
}

fn state(broker: &BrokerRegistration, session: &Session) -> State {
    if session.shutdown_offset.is_some() {
        State::ControlledShutdown
    } else if broker.fenced {
        State::Fenced
    } else {
        State::Unfenced
    }
}

fn next_state(
    cluster: Cluster<'_>,
    sessions: &Sessions,
    broker: &BrokerRegistration,
    request: &BrokerHeartbeatRequest,
) -> State {
    let session = &sessions.0[&broker.id];
    let is_caught_up = request.current_metadata_offset >= session.registration_offset;
    match state(broker, session) {
        State::Fenced if request.want_shut_down => State::ShutdownNow,
        State::Fenced if !request.want_fence && is_caught_up => State::Unfenced,
        State::Unfenced if request.want_fence && request.want_shut_down => State::ShutdownNow,
        State::Unfenced if request.want_fence => State::Fenced,
        State::Unfenced if request.want_shut_down => {
            if cluster.leads_something(broker.id) {
                State::ControlledShutdown
            } else {
                State::ShutdownNow
            }
        }
        State::ControlledShutdown => {
            let is_fenced = |id| cluster.image.broker(id).is_none_or(|broker| broker.fenced);
            let lowest = sessions.lowest_active_offset(is_fenced);
            let has_been_seen = session.shutdown_offset.map(|offset| offset.0) <= lowest || lowest.is_none();
            if has_been_seen && !cluster.leads_something(broker.id) {
                State::ShutdownNow
            } else {
                State::ControlledShutdown
            }
        }
        unchanged => unchanged,
    }
}

/// Takes the broker out of the ISR of what lies in directories that have failed (KIP-858).
fn directories_offline(
    cluster: Cluster<'_>,
    broker: &BrokerRegistration,
    offline: &[Uuid],
    records: &mut Vec<MetadataRecord>,
) {
    let (failed, online): (Vec<Uuid>, Vec<Uuid>) =
        broker.directories.iter().partition(|dir| offline.contains(dir));
    if failed.is_empty() {
        return;
    }
    leadership::on_directories_failed(cluster, broker.id, &failed, records);
    records.push(change(broker, |record| record.log_dirs = online));
}

/// Notes which directories take no new replicas (KIP-1066). A broker does not say before it has caught up.
fn directories_cordoned(
    broker: &BrokerRegistration,
    cordoned: Option<&[Uuid]>,
    records: &mut Vec<MetadataRecord>,
) {
    let Some(cordoned) = cordoned else { return };
    let is_same = |known: &Vec<Uuid>| {
        known.iter().all(|dir| cordoned.contains(dir)) && cordoned.iter().all(|dir| known.contains(dir))
    };
    if !broker.cordoned_directories.as_ref().is_some_and(is_same) {
        records.push(change(broker, |record| record.cordoned_log_dirs = Some(cordoned.to_vec())));
    }
}

/// A change of the broker's registration.
pub(crate) fn change(
    broker: &BrokerRegistration,
    set: impl FnOnce(&mut BrokerRegistrationChangeRecord),
) -> MetadataRecord {
    let mut record = BrokerRegistrationChangeRecord {
        broker_id: broker.id.0,
        broker_epoch: broker.epoch,
        ..Default::default()
    };
    set(&mut record);
    record.into()
}
