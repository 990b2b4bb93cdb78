//! The broker's standing in the cluster: registers, sends heartbeats, leaves.

use super::config::Config;
use super::controller::ControllerHandle;
use super::identity::Identity;
use super::images::Images;
use super::log_dirs::LogDirs;
use super::random;
use ottla_config::{Endpoint, StartError};
use ottla_metadata::FEATURES;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::broker_registration_request::{Feature, Listener};
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Heartbeats until the controller must have let a broker in that has caught up.
const UNFENCE_ATTEMPTS: usize = 100;
/// How long the leaders of a broker that stops may take to move away.
const SHUTDOWN_ATTEMPTS: usize = 20;
const SHUTDOWN_PAUSE: Duration = Duration::from_millis(50);

/// This broker as the controller knows it.
pub(super) struct Lifecycle {
    controller: ControllerHandle,
    identity: Arc<Identity>,
    config: Arc<Config>,
    images: Arc<Images>,
    log_dirs: Arc<LogDirs>,
    /// Epoch of this incarnation.
    pub broker_epoch: Arc<AtomicI64>,
}

impl Lifecycle {
    /// Not registered yet.
    pub(super) fn new(
        controller: ControllerHandle,
        identity: Arc<Identity>,
        config: Arc<Config>,
        images: Arc<Images>,
        log_dirs: Arc<LogDirs>,
        broker_epoch: Arc<AtomicI64>,
    ) -> Lifecycle {
        Lifecycle { controller, identity, config, images, log_dirs, broker_epoch }
    }

    /// Registers, and returns when the controller lets clients in.
    pub(super) async fn join(&self, advertised: &[Endpoint]) -> Result<(), StartError> {
        let refused = |error: ErrorCode| {
            let cause = format!("the controller refused this broker's registration: {error}");
            StartError::new(
                cause,
                "look at the log for the reason; another broker with this node.id may be running",
            )
        };
        let request = self.registration(advertised);
        let response = self.controller.ask(request).await.map_err(refused)?;
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => self.broker_epoch.store(response.broker_epoch, Ordering::SeqCst),
            error => return Err(refused(error)),
        }
        for _ in 0..UNFENCE_ATTEMPTS {
            let response = self.heartbeat(false).await.map_err(refused)?;
            if !response.is_fenced {
                return Ok(());
            }
        }
        Err(StartError::new("the controller keeps this broker fenced", "look at the controller's log"))
    }

    fn registration(&self, advertised: &[Endpoint]) -> BrokerRegistrationRequest {
        let listener = |endpoint: &Endpoint| Listener {
            name: endpoint.listener.as_str().into(),
            host: endpoint.host.clone().unwrap_or_default().into(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol.id(),
            ..Listener::default()
        };
        let features = FEATURES.iter().map(|feature| Feature {
            name: feature.name.into(),
            min_supported_version: feature.supported.min,
            max_supported_version: feature.supported.max,
            ..Feature::default()
        });
        BrokerRegistrationRequest {
            broker_id: self.identity.node_id.0,
            cluster_id: self.identity.cluster_id.clone(),
            incarnation_id: random::uuid(),
            listeners: advertised.iter().map(listener).collect(),
            features: features.collect(),
            rack: self.config.current().roles.rack.as_deref().map(Into::into),
            log_dirs: self.log_dirs.directory_ids(),
            previous_broker_epoch: self.log_dirs.previous_broker_epoch(),
            ..BrokerRegistrationRequest::default()
        }
    }

    async fn heartbeat(&self, want_shut_down: bool) -> Result<BrokerHeartbeatResponse, ErrorCode> {
        let request = BrokerHeartbeatRequest {
            broker_id: self.identity.node_id.0,
            broker_epoch: self.broker_epoch.load(Ordering::SeqCst),
            current_metadata_offset: self.images.current().provenance().end_offset.0 - 1,
            want_fence: false,
            want_shut_down,
            offline_log_dirs: self.log_dirs.offline_ids(),
            cordoned_log_dirs: Some(self.log_dirs.cordoned_ids()),
            ..BrokerHeartbeatRequest::default()
        };
        let response = self.controller.ask(request).await?;
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => Ok(response),
            error => Err(error),
        }
    }

    /// Sends heartbeats for ever; one at once when a log directory failed, so that nobody goes on asking this broker for
    /// what it had.
    pub(super) async fn run(&self) {
        let mut failures = self.log_dirs.failures();
        loop {
            let interval = self.config.current().roles.heartbeat_interval_ms;
            let pause = Duration::from_millis(u64::try_from(interval).unwrap_or(0).max(1));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Ok(()) = failures.changed() => {}
            }
            if let Err(error) = self.heartbeat(false).await {
                tracing::warn!(%error, "the controller did not take a heartbeat");
            }
        }
    }

    /// Leaves: leadership moves to others, where there are any.
    pub(super) async fn leave(&self) {
        for attempt in 0..SHUTDOWN_ATTEMPTS {
            // Where there is nobody to take over, the second question is answered at once.
            if attempt > 1 {
                tokio::time::sleep(SHUTDOWN_PAUSE).await;
            }
            match self.heartbeat(true).await {
                Ok(response) if response.should_shut_down => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the controller could not be told that this broker stops");
                    return;
                }
            }
        }
        tracing::warn!("the controller did not let this broker go in time; it stops all the same");
    }
}
