//! What runs: the parts of a node, their start in order, and their end in the reverse of it.

mod alone;
pub(crate) mod auto_create;
mod cleaner;
pub mod clock;
pub(crate) mod config;
pub(crate) mod controller;
pub(crate) mod detour;
mod dir_assignments;
pub(crate) mod dir_state;
mod disk_space;
mod disk_stalls;
mod dormant;
pub(crate) mod flusher;
pub(crate) mod groups;
pub(crate) mod identity;
pub(crate) mod images;
mod in_process;
mod jobs;
mod leader_recovery;
mod lifecycle;
pub(crate) mod log_dirs;
mod metadata;
mod parallel;
pub(crate) mod partition;
pub(crate) mod partitions;
pub(crate) mod producer_ids;
mod publisher;
mod random;
pub(crate) mod relocations;
pub(crate) mod sessions;
mod untold;
mod waiters;

use crate::api::{Api, Parts};
use crate::net::{ConnectionLimits, Limits, Network, SocketOptions, bind};
use auto_create::AutoCreate;
use cleaner::Cleaner;
use config::Config;
use controller::ControllerHandle;
use dir_assignments::DirAssignments;
use dormant::Opener;
use groups::Groups;
use identity::Identity;
use images::Images;
pub use in_process::InProcess;
use jobs::Jobs;
use leader_recovery::LeaderRecovery;
use lifecycle::Lifecycle;
use log_dirs::LogDirs;
use metadata::{MetadataError, MetadataNode, open_storage};
use ottla_config::{BrokerConfig, Endpoint, Loaded, NetworkSettings, StartError};
use ottla_controller::Controller;
use ottla_protocol::BrokerId;
use partitions::Partitions;
use producer_ids::ProducerIds;
use publisher::Publisher;
use relocations::Relocations;
use sessions::FetchSessions;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a stop waits for disks.
const STOP_MAX: Duration = Duration::from_secs(8);
/// How long it waits for the metadata thread if other disks have taken all the time.
const METADATA_STOP_MAX: Duration = Duration::from_secs(1);

/// A running node.
pub struct Node {
    network: Network,
    api: Arc<Api>,
    lifecycle: Lifecycle,
    jobs: Jobs,
    cleaner: Cleaner,
    groups: Arc<Groups>,
    controller: ControllerHandle,
    metadata: JoinHandle<()>,
    metadata_failed: oneshot::Receiver<MetadataError>,
    partitions: Arc<Partitions>,
    log_dirs: Arc<LogDirs>,
    assignments: Arc<DirAssignments>,
    leader_recovery: Arc<LeaderRecovery>,
    config: Arc<Config>,
    relocations: Arc<Relocations>,
    /// `ottla.disk.stall.max.ms`.
    disk_stall_max_ms: i64,
    node_id: BrokerId,
    /// `controlled.shutdown.enable`.
    controlled_shutdown: bool,
}

/// What a node that has started can be reached by.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Id of the cluster.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: i32,
    /// Addresses that it listens on.
    pub listeners: Vec<String>,
    /// Addresses that clients are told.
    pub advertised: Vec<String>,
    /// Absolute paths of the data.
    pub data: Vec<String>,
}

impl Node {
    /// Starts everything; clients are served when it returns.
    pub async fn start(loaded: Loaded) -> Result<(Node, Ready), StartError> {
        let Loaded { config: layers, settings, .. } = loaded;
        alone::check(&settings)?;
        clock::check(clock::now_ms())?;
        // Before anything is written: a port that is taken is the most usual reason not to start.
        let (sockets, bound) =
            bind_all(&settings.listeners.listeners, socket_options(&layers, &settings.network))?;
        let log_dirs = Arc::new(LogDirs::open(&settings)?);
        let node_id = BrokerId(settings.roles.node_id);
        let identity = Arc::new(Identity { cluster_id: log_dirs.cluster_id().into(), node_id });

        let images = Arc::new(Images::default());
        let partitions = Arc::new(Partitions::default());
        let config = Arc::new(Config::new(layers, settings));
        let settings = config.current().clone();
        let groups = Arc::new(Groups::new(Arc::clone(&images), groups::settings(&settings)));
        let assignments = Arc::new(DirAssignments::default());
        let leader_recovery = Arc::new(LeaderRecovery::default());
        let opener = Opener { log_dirs: Arc::clone(&log_dirs), config: Arc::clone(&config), node_id };
        let relocations = Arc::new(Relocations::new(
            Arc::clone(&log_dirs),
            Arc::clone(&partitions),
            Arc::clone(&assignments),
            Arc::clone(&images),
            node_id,
        ));
        let publisher = Publisher {
            opener: Arc::new(opener),
            relocations: Arc::clone(&relocations),
            assignments: Arc::clone(&assignments),
            leader_recovery: Arc::clone(&leader_recovery),
            images: Arc::clone(&images),
            partitions: Arc::clone(&partitions),
            log_dirs: Arc::clone(&log_dirs),
            groups: Arc::clone(&groups),
            config: Arc::clone(&config),
            identity: Arc::clone(&identity),
            without_room: parking_lot::Mutex::default(),
        };
        let (commands, inbox) = mpsc::channel();
        let controller = ControllerHandle::new(commands);
        let formatted = open_storage(&settings, &log_dirs, node_id)?;
        let core = Controller::new(ottla_controller::Settings {
            node_id,
            cluster_id: identity.cluster_id.to_string(),
            config: config.layers().as_ref().clone(),
            bootstrap: formatted.bootstrap.clone(),
            seed: random::seed(),
        });
        let mut node = MetadataNode::new(formatted, core, publisher);
        node.start().map_err(MetadataError::into_start_error)?;
        let (metadata, metadata_failed) = spawn_metadata(node, inbox)?;

        tracing::info!("Transitioning from STARTING to RECOVERY");
        let broker_epoch = Arc::new(AtomicI64::new(-1));
        let lifecycle = Lifecycle::new(
            controller.clone(),
            Arc::clone(&identity),
            Arc::clone(&config),
            Arc::clone(&images),
            Arc::clone(&log_dirs),
            Arc::clone(&broker_epoch),
        );
        let advertised = with_bound_ports(&settings.listeners.advertised, &bound);
        lifecycle.join(&advertised).await?;
        log_dirs.put_strays_aside();
        tracing::info!("Transitioning from RECOVERY to RUNNING");

        let parts = Parts {
            images: Arc::clone(&images),
            partitions: Arc::clone(&partitions),
            controller: controller.clone(),
            groups: Arc::clone(&groups),
            auto_create: Arc::new(AutoCreate::new(controller.clone(), Arc::clone(&config))),
            sessions: Arc::new(FetchSessions::new(
                settings.network.max_incremental_fetch_session_cache_slots,
            )),
            producer_ids: Arc::new(ProducerIds::new(controller.clone(), node_id, broker_epoch)),
            config: Arc::clone(&config),
            identity: Arc::clone(&identity),
            log_dirs: Arc::clone(&log_dirs),
            relocations: Arc::clone(&relocations),
        };
        let names =
            settings.listeners.listeners.iter().map(|listener| listener.listener.as_str().into()).collect();
        let limits = Limits {
            frame_max: usize::try_from(settings.network.socket_request_max_bytes).unwrap_or(0),
            idle: Duration::from_millis(
                u64::try_from(settings.network.connections_max_idle_ms).unwrap_or(u64::MAX),
            ),
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let api = Arc::new(Api::new(parts, names));
        let network =
            Network::start(sockets, threads, Arc::clone(&api), limits, connection_limits(&settings.network))
                .map_err(|error| {
                    StartError::new(
                        format!("cannot start data threads: {error}"),
                        "raise the process's limits",
                    )
                })?;
        let ready = Ready {
            cluster_id: identity.cluster_id.to_string(),
            node_id: node_id.0,
            listeners: bound.iter().map(|(_, address)| address.to_string()).collect(),
            advertised: advertised.iter().map(address_of).collect(),
            data: log_dirs.paths(),
        };
        let cleaner = Cleaner::start(Arc::clone(&partitions), Arc::clone(&log_dirs), Arc::clone(&config))
            .map_err(|error| {
                let cause = format!("cannot start the cleaner's thread: {error}");
                StartError::new(cause, "raise the process's limits")
            })?;
        let jobs = Jobs::new(Arc::clone(&partitions), Arc::clone(&log_dirs), Arc::clone(&config), images);
        let node = Node {
            network,
            api,
            lifecycle,
            jobs,
            cleaner,
            groups,
            controller,
            metadata,
            metadata_failed,
            partitions,
            log_dirs,
            assignments,
            leader_recovery,
            config: Arc::clone(&config),
            relocations,
            disk_stall_max_ms: settings.log.disk_stall_max_ms,
            node_id,
            controlled_shutdown: settings.roles.controlled_shutdown_enable,
        };
        Ok((node, ready))
    }

    /// A client that needs no socket.
    pub fn in_process(&self) -> InProcess {
        InProcess::new(Arc::clone(&self.api))
    }

    /// Does the node's work in the background; ends when the node cannot go on.
    pub async fn run(&mut self) -> StartError {
        tokio::select! {
            () = self.lifecycle.run() => unreachable!("heartbeats do not end"),
            () = self.jobs.run() => unreachable!("jobs do not end"),
            () = self.assignments.run(&self.controller, self.node_id, &self.lifecycle.broker_epoch) => {
                unreachable!("there is always more to tell")
            }
            () = self.leader_recovery.run(&self.controller, self.node_id, &self.lifecycle.broker_epoch) => {
                unreachable!("there is always more to tell")
            }
            () = self.relocations.run() => unreachable!("there may always be another move"),
            () = disk_stalls::watch(&self.log_dirs, &self.partitions, self.disk_stall_max_ms) => {
                unreachable!("looking for stalls does not end")
            }
            failure = self.log_dirs.cannot_go_on() => failure,
            () = self.groups.run_timers() => unreachable!("timers do not end"),
            failure = &mut self.metadata_failed => match failure {
                Ok(error) => error.into_start_error(),
                Err(_) => StartError::new("the metadata thread ended", "look at the log for the reason"),
            },
        }
    }

    /// Stops in the reverse order of the start, so that what is on disk tells the next start that all is well. A disk that
    /// does not answer is not waited for longer than [`STOP_MAX`].
    pub async fn stop(self) {
        let deadline = clock::now() + STOP_MAX;
        let can_go_on = self.log_dirs.why_not_go_on().is_none();
        if can_go_on {
            let epoch = &self.lifecycle.broker_epoch;
            if let Err(error) = self.assignments.tell_all(&self.controller, self.node_id, epoch).await {
                tracing::warn!(%error, "the controller was not told of the directories of all partitions");
            }
        }
        if self.controlled_shutdown && can_go_on {
            tokio::time::timeout_at(deadline.into(), self.lifecycle.leave()).await.ok();
        }
        // Acknowledgements that wait for a disk leave before the connections end.
        self.log_dirs.drain(deadline);
        self.network.stop();
        let broker_epoch = self.lifecycle.broker_epoch.load(std::sync::atomic::Ordering::SeqCst);
        self.controller.stop();
        if can_go_on {
            self.cleaner.stop();
        }
        self.log_dirs.drain(deadline);
        // The metadata thread is not waited for where it may hang on a disk that failed.
        let deadline = deadline.max(clock::now() + METADATA_STOP_MAX);
        while can_go_on && !self.metadata.is_finished() && clock::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let is_clean = self.metadata.is_finished() && self.metadata.join().is_ok();
        let threads = self.config.current().log.num_recovery_threads_per_data_dir;
        let threads = usize::try_from(threads).unwrap_or(1);
        self.log_dirs.close(&self.partitions, threads, broker_epoch, is_clean);
    }
}

fn spawn_metadata(
    node: MetadataNode,
    inbox: mpsc::Receiver<controller::Command>,
) -> Result<(JoinHandle<()>, oneshot::Receiver<MetadataError>), StartError> {
    let (failed, failure) = oneshot::channel();
    let run = move || {
        if let Err(error) = node.run(&inbox) {
            tracing::error!(%error, "the metadata log failed; this node stops");
            // Nobody listens when the node is stopping anyway.
            failed.send(error).ok();
        }
    };
    let thread = std::thread::Builder::new().name("metadata".into()).spawn(run);
    let thread = thread.map_err(|error| {
        StartError::new(format!("cannot start the metadata thread: {error}"), "raise the process's limits")
    })?;
    Ok((thread, failure))
}

/// Buffers are fixed only where somebody asked for it: the system's own grow with the connection, which Kafka's default
/// of 100 KiB would prevent (COMPAT.md).
fn socket_options(layers: &BrokerConfig, network: &NetworkSettings) -> SocketOptions {
    // −1 is the system's own.
    let bytes = |key, bytes: i32| usize::try_from(bytes).ok().filter(|_| layers.is_set(key));
    SocketOptions {
        backlog: network.socket_listen_backlog_size,
        send_buffer: bytes("socket.send.buffer.bytes", network.socket_send_buffer_bytes),
        receive_buffer: bytes("socket.receive.buffer.bytes", network.socket_receive_buffer_bytes),
    }
}

fn connection_limits(network: &NetworkSettings) -> ConnectionLimits {
    let count = |count: i32| usize::try_from(count).unwrap_or(0);
    let overrides = network.max_connections_per_ip_overrides.iter();
    ConnectionLimits {
        all: count(network.max_connections),
        per_ip: count(network.max_connections_per_ip),
        // Names of hosts are looked up once.
        overrides: overrides
            .flat_map(|(host, limit)| {
                let found = (host.as_str(), 0).to_socket_addrs().into_iter().flatten();
                found.map(|address| (address.ip(), count(*limit)))
            })
            .collect(),
    }
}

/// Sockets with the index of their listener, and what each listener is bound to.
type Bound = (Vec<(usize, TcpListener)>, Vec<(String, SocketAddr)>);

fn bind_all(listeners: &[Endpoint], options: SocketOptions) -> Result<Bound, StartError> {
    let (mut sockets, mut bound) = (Vec::new(), Vec::new());
    for (index, listener) in listeners.iter().enumerate() {
        for address in addresses(listener)? {
            let failed = |error: std::io::Error| {
                let cause = format!("cannot listen on {address} ({}): {error}", listener.listener);
                StartError::new(
                    cause,
                    "stop the program that uses the port, or set `listeners` to another one",
                )
            };
            let socket = match bind(address, options) {
                // What the machine does not have is left out, as long as something is left.
                Err(error) if is_absent(&error) && !sockets.is_empty() => continue,
                other => other.map_err(failed)?,
            };
            bound.push((listener.listener.clone(), socket.local_addr().map_err(failed)?));
            sockets.push((index, socket));
        }
    }
    Ok((sockets, bound))
}

/// Whether the machine has no such address, or no such kind of address at all.
fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn addresses(listener: &Endpoint) -> Result<Vec<SocketAddr>, StartError> {
    let mut found = Vec::new();
    for host in listener.bind_hosts() {
        let resolved = (host, listener.port).to_socket_addrs().map_err(|error| {
            let cause = format!("the host {host} of listener {} is not known: {error}", listener.listener);
            StartError::new(cause, "set `listeners` to an address of this machine")
        })?;
        found.extend(resolved.filter(|address| !found.contains(address)).collect::<Vec<_>>());
    }
    Ok(found)
}

/// Advertised endpoints; a port of 0 becomes the one that the listener got.
fn with_bound_ports(advertised: &[Endpoint], bound: &[(String, SocketAddr)]) -> Vec<Endpoint> {
    let with_port = |endpoint: &Endpoint| {
        let mut endpoint = endpoint.clone();
        if endpoint.port == 0
            && let Some((_, address)) = bound.iter().find(|(name, _)| *name == endpoint.listener)
        {
            endpoint.port = address.port();
        }
        endpoint
    };
    advertised.iter().map(with_port).collect()
}

fn address_of(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.host.as_deref().unwrap_or_default(), endpoint.port)
}
