//! Listening sockets and the data threads: one single-threaded runtime each, so that a request is read, handled and
//! answered without ever changing threads.

use super::admission::{Admission, ConnectionLimits, Place};
use super::connection::{Closed, Limits, OnThread, Peer, Quiet, Served, Service, serve};
use super::loads::Loads;
use super::mailbox::Mailbox;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How long accepting rests after it failed: out of file descriptors is a state that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What sockets are made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    /// `socket.listen.backlog.size`: connections that may wait to be accepted.
    pub(crate) backlog: i32,
    /// `socket.send.buffer.bytes`; nothing leaves it to the system.
    pub(crate) send_buffer: Option<usize>,
    /// `socket.receive.buffer.bytes`; nothing leaves it to the system.
    pub(crate) receive_buffer: Option<usize>,
}

/// Opens a listening socket; the connections that it accepts have its buffers.
pub(crate) fn bind(address: SocketAddr, options: SocketOptions) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // So that the same port can be bound for IPv4 beside it.
        socket.set_only_v6(true)?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The data threads of a running broker.
pub(crate) struct Network {
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

/// A connection on its way to a data thread.
struct OnTheWay<S: Service> {
    quiet: Quiet<S>,
    peer: Peer,
    place: Place,
}

/// What all data threads share.
struct Shared<S: Service> {
    service: Arc<S>,
    limits: Limits,
    admission: Arc<Admission>,
    /// The way to each thread.
    lanes: Vec<mpsc::UnboundedSender<OnTheWay<S>>>,
    loads: Loads,
}

impl<S: Service> Shared<S> {
    fn send(&self, to: usize, connection: OnTheWay<S>) {
        // Fails only when that thread has stopped: then the process is stopping, and the socket is closed.
        self.lanes[to].send(connection).ok();
    }

    async fn serve(&self, thread: usize, mailbox: &Arc<Mailbox>, connection: OnTheWay<S>) {
        let OnTheWay { quiet, peer, place } = connection;
        let on_thread = OnThread { index: thread, loads: &self.loads, mailbox };
        match serve(quiet, &*self.service, self.limits, on_thread).await {
            Served::Closed(closed) => report(peer, closed),
            Served::Shifted(to, quiet) => self.send(to, OnTheWay { quiet, peer, place }),
        }
    }
}

impl Network {
    /// Starts `threads` data threads that serve what is accepted on `listeners`, each with its index.
    pub(crate) fn start<S: Service>(
        listeners: Vec<(usize, TcpListener)>,
        threads: usize,
        service: Arc<S>,
        limits: Limits,
        connection_limits: ConnectionLimits,
    ) -> io::Result<Network> {
        assert!(threads > 0, "somebody has to serve");
        let (stop, stopped) = watch::channel(false);
        let (lanes, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::unbounded_channel()).unzip();
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtimes = (0..threads).map(|_| runtime()).collect::<io::Result<Vec<_>>>()?;
        let loads = Loads::new(runtimes.iter().map(|runtime| runtime.metrics()));
        let admission = Admission::new(connection_limits);
        let shared = Arc::new(Shared { service, limits, admission, lanes, loads });
        // The last thread accepts for all: it is the last one that a request can hold up.
        let acceptor = runtimes.last().expect("there is one for each thread");
        let mut acceptors = match registered(listeners, acceptor) {
            Ok(acceptors) => Some(acceptors),
            Err(error) => {
                // Whoever starts the node may be on a runtime, where none may be waited for.
                runtimes.into_iter().for_each(Runtime::shutdown_background);
                return Err(error);
            }
        };
        let mut handles = Vec::new();
        for (index, (runtime, receiver)) in runtimes.into_iter().zip(receivers).enumerate() {
            let acceptors = acceptors.take_if(|_| index + 1 == threads).unwrap_or_default();
            let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
            let run = async move {
                for (index, listener) in acceptors {
                    tokio::spawn(accept(listener, index, Arc::clone(&shared)));
                }
                serve_all(index, receiver, shared, stopped).await;
            };
            let name = format!("data-{index}");
            handles.push(std::thread::Builder::new().name(name).spawn(move || runtime.block_on(run))?);
        }
        Ok(Network { threads: handles, stop })
    }

    /// Stops accepting, closes all connections and waits for the threads.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a data thread panicked");
            }
        }
    }
}

/// Has a runtime wait for connections. Here, where an error is a reason not to start: without it nobody would accept.
fn registered(
    listeners: Vec<(usize, TcpListener)>,
    runtime: &Runtime,
) -> io::Result<Vec<(usize, tokio::net::TcpListener)>> {
    let _of_runtime = runtime.enter();
    let register =
        |(index, listener)| Ok::<_, io::Error>((index, tokio::net::TcpListener::from_std(listener)?));
    listeners.into_iter().map(register).collect()
}

/// Turns that connections get when the thread stops.
const LAST_TURNS: usize = 64;

/// Accepts for ever and hands each connection to the first thread that has room.
async fn accept<S: Service>(listener: tokio::net::TcpListener, index: usize, shared: Arc<Shared<S>>) {
    loop {
        let (stream, peer) = match listener.accept().await.and_then(|(stream, address)| {
            stream.set_nodelay(true)?;
            Ok((stream.into_std()?, Peer { address, listener: index }))
        }) {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match shared.admission.admit(peer.address.ip()) {
            Ok(place) => {
                let quiet = Quiet::new(stream, peer, &*shared.service, shared.limits);
                shared.send(shared.loads.first_with_room(Instant::now()), OnTheWay { quiet, peer, place });
            }
            Err(cause) => tracing::info!(peer = %peer.address, cause, "connection refused"),
        }
    }
}

/// One data thread: serves the connections that come down its lane until it is told to stop.
async fn serve_all<S: Service>(
    thread: usize,
    mut lane: mpsc::UnboundedReceiver<OnTheWay<S>>,
    shared: Arc<Shared<S>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mailbox = Mailbox::of_this_thread();
    tokio::spawn(Arc::clone(&mailbox).deliver());
    loop {
        let connection = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            connection = lane.recv() => match connection {
                Some(connection) => connection,
                None => break,
            },
        };
        let (shared, mailbox) = (Arc::clone(&shared), Arc::clone(&mailbox));
        tokio::spawn(async move { shared.serve(thread, &mailbox, connection).await });
    }
    // Answers that are there leave: each turn lets some connections go on.
    for _ in 0..LAST_TURNS {
        tokio::task::yield_now().await;
    }
}

fn report(peer: Peer, closed: Closed) {
    let peer = peer.address;
    match closed {
        Closed::ByPeer => tracing::debug!(%peer, "connection closed by the client"),
        Closed::Idle => tracing::debug!(%peer, "connection closed: idle for too long"),
        Closed::Refused(cause) => {
            tracing::info!(%peer, cause, "connection closed: what it sent is not a valid request")
        }
        Closed::Io(error) => tracing::debug!(%peer, %error, "connection closed: the socket failed"),
    }
}
