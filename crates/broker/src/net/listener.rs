//! Listening sockets and the data threads: one single-threaded runtime each, so that a request is read, handled and
//! answered without ever changing threads.

use super::admission::{Admission, ConnectionLimits, Place};
use super::connection::{Closed, Limits, Peer, Service, serve};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

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
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    place: Place,
}

/// The way to one data thread.
struct Lane {
    sender: mpsc::UnboundedSender<Accepted>,
    connections: Arc<AtomicUsize>,
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
        let mut lanes = Vec::new();
        let mut receivers = Vec::new();
        for _ in 0..threads {
            let (sender, receiver) = mpsc::unbounded_channel();
            let connections = Arc::new(AtomicUsize::new(0));
            receivers.push((receiver, Arc::clone(&connections)));
            lanes.push(Lane { sender, connections });
        }
        let lanes = Arc::new(lanes);
        let admission = Admission::new(connection_limits);
        let mut listeners = Some(listeners);
        let mut handles = Vec::new();
        for (index, (receiver, connections)) in receivers.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
            // The first thread accepts for all.
            let listeners = listeners.take().unwrap_or_default();
            let (service, lanes, stopped) = (Arc::clone(&service), Arc::clone(&lanes), stopped.clone());
            let admission = Arc::clone(&admission);
            let run = async move {
                for (index, listener) in listeners {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    tokio::spawn(accept(listener, index, Arc::clone(&lanes), Arc::clone(&admission)));
                }
                drop(lanes);
                serve_all(receiver, connections, service, limits, stopped).await;
                Ok::<(), io::Error>(())
            };
            let thread = std::thread::Builder::new().name(format!("data-{index}")).spawn(move || {
                if let Err(error) = runtime.block_on(run) {
                    tracing::error!(%error, "a data thread could not start");
                }
            })?;
            handles.push(thread);
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

/// Turns that connections get when the thread stops.
const LAST_TURNS: usize = 64;

/// Accepts for ever and hands each connection to the thread that has the fewest.
async fn accept(
    listener: tokio::net::TcpListener,
    index: usize,
    lanes: Arc<Vec<Lane>>,
    admission: Arc<Admission>,
) {
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
        match admission.admit(peer.address.ip()) {
            Ok(place) => {
                let lane = lanes.iter().min_by_key(|lane| lane.connections.load(Ordering::Relaxed));
                let lane = lane.expect("there is at least one data thread");
                lane.connections.fetch_add(1, Ordering::Relaxed);
                // Fails only when that thread has stopped: then the process is stopping, and the socket is closed.
                lane.sender.send(Accepted { stream, peer, place }).ok();
            }
            Err(cause) => tracing::info!(peer = %peer.address, cause, "connection refused"),
        }
    }
}

/// One data thread: serves the connections that come down its lane until it is told to stop.
async fn serve_all<S: Service>(
    mut lane: mpsc::UnboundedReceiver<Accepted>,
    connections: Arc<AtomicUsize>,
    service: Arc<S>,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let Accepted { stream, peer, place } = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            connection = lane.recv() => match connection {
                Some(connection) => connection,
                None => break,
            },
        };
        let (service, connections) = (Arc::clone(&service), Arc::clone(&connections));
        tokio::spawn(async move {
            let _ended = (Counted(connections), place);
            match tokio::net::TcpStream::from_std(stream) {
                Ok(stream) => report(peer, serve(stream, peer, &*service, limits).await),
                Err(error) => report(peer, Closed::Io(error)),
            }
        });
    }
    // Answers that are there leave: each turn lets some connections go on.
    for _ in 0..LAST_TURNS {
        tokio::task::yield_now().await;
    }
}

/// Takes a connection out of its thread's count when it ends, however it ends.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
