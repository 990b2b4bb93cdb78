//! Connections over loopback with a service that is not Kafka.

use super::*;
use bytes::Bytes;
use ottla_protocol::codec::Writer;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

const SYSTEM: SocketOptions = SocketOptions { backlog: 16, send_buffer: None, receive_buffer: None };

fn unlimited() -> ConnectionLimits {
    ConnectionLimits { all: usize::MAX, per_ip: usize::MAX, overrides: Default::default() }
}

/// Echoes each frame. A frame `wait` is answered when the next frame arrives on any connection; `close` ends.
#[derive(Default)]
struct Echo {
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

impl Service for Echo {
    type Session = ();

    fn open(&self, _: Peer) {}

    fn call(&self, (): &mut (), frame: Bytes) -> Answer {
        for waiting in self.waiting.lock().unwrap().drain(..) {
            waiting.send(()).ok();
        }
        let reply = Response::from(Writer::from(framed(&frame)));
        match &frame[..] {
            b"close" => Answer::Close("asked to".into()),
            b"silent" => Answer::Silent,
            b"wait" => {
                let (sender, receiver) = oneshot::channel();
                self.waiting.lock().unwrap().push(sender);
                Answer::later(async move {
                    receiver.await.ok();
                    Answer::Ready(reply)
                })
            }
            _ => Answer::Ready(reply),
        }
    }
}

#[tokio::test]
async fn a_socket_that_cannot_be_waited_for_stops_the_start() {
    // Nobody can wait for a file.
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open("Cargo.toml")
        .unwrap();
    let listener = TcpListener::from(OwnedFd::from(file));
    let limits = Limits { frame_max: 1 << 20, idle: Duration::from_secs(60) };
    let network = Network::start(vec![(0, listener)], 2, Arc::new(Echo::default()), limits, unlimited());
    assert!(network.is_err());
}

/// Sends the bytes in one go and gives all that comes back until the end of the connection.
fn check(sent: &[u8], expected: &[u8]) {
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into(), SYSTEM).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { frame_max: 1 << 20, idle: Duration::from_secs(60) };
    let network =
        Network::start(vec![(0, listener)], 2, Arc::new(Echo::default()), limits, unlimited()).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(sent).unwrap();
    let mut received = Vec::new();
    // A refusal may reset the connection when bytes are left unread.
    let end = stream.read_to_end(&mut received);
    assert_eq!(received, expected, "{end:?}");
    network.stop();
}

#[test]
fn answers_leave_in_the_order_of_the_requests() {
    let frames = [&b"wait"[..], b"one", b"wait", b"silent", b"two"].map(framed).concat();
    let expected = [&b"wait"[..], b"one", b"wait", b"two"].map(framed).concat();
    check(&[frames, framed(b"close")].concat(), &expected);
}

#[test]
fn a_large_frame_comes_back_whole() {
    let large = framed(&vec![7; 1 << 20]);
    check(&[&large[..], &framed(b"close")].concat(), &large);
}

#[test]
fn a_refused_frame_ends_the_connection_behind_the_earlier_answers() {
    check(&[&framed(b"one")[..], &[0xff; 4]].concat(), &framed(b"one"));
}

#[test]
fn http_is_told_what_the_port_speaks() {
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into(), SYSTEM).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { frame_max: 1 << 20, idle: Duration::from_secs(60) };
    let network =
        Network::start(vec![(0, listener)], 1, Arc::new(Echo::default()), limits, unlimited()).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut text = [0; 12];
    stream.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"HTTP/1.1 400");
    network.stop();
}

/// Works for a while on each frame, and answers with the number of the thread.
struct Worker {
    threads: Mutex<Vec<std::thread::ThreadId>>,
}

impl Service for Worker {
    type Session = u32;

    fn open(&self, _: Peer) -> u32 {
        0
    }

    fn call(&self, calls: &mut u32, frame: Bytes) -> Answer {
        (0..100_000).for_each(|step| {
            std::hint::black_box(step);
        });
        assert_eq!(
            u32::from_be_bytes(frame[..].try_into().unwrap()),
            *calls,
            "a request was lost, or came twice"
        );
        *calls += 1;
        let this = std::thread::current().id();
        let mut threads = self.threads.lock().unwrap();
        let index = threads.iter().position(|other| *other == this).unwrap_or_else(|| {
            threads.push(this);
            threads.len() - 1
        });
        Answer::Ready(Writer::from(framed(&[u8::try_from(index).unwrap()])).into())
    }
}

#[test]
fn connections_of_a_full_thread_go_on_another_one_with_all_their_requests() {
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into(), SYSTEM).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { frame_max: 1 << 20, idle: Duration::from_secs(60) };
    let worker = Arc::new(Worker { threads: Mutex::default() });
    let network = Network::start(vec![(0, listener)], 2, worker, limits, unlimited()).unwrap();
    let client = || {
        let mut stream = TcpStream::connect(address).unwrap();
        // Two requests are always on their way, of which the second arrives in two parts.
        let mut threads = HashSet::new();
        for call in (0..20_000u32).step_by(2) {
            let second = framed(&(call + 1).to_be_bytes());
            stream.write_all(&[&framed(&call.to_be_bytes())[..], &second[..6]].concat()).unwrap();
            stream.write_all(&second[6..]).unwrap();
            let mut answers = [0; 10];
            stream.read_exact(&mut answers).unwrap();
            threads.extend([answers[4], answers[9]]);
            if threads.len() == 2 {
                return true;
            }
        }
        false
    };
    let moved = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).filter(|moved| *moved).count()
    });
    assert!(moved > 0, "one thread did it all");
    network.stop();
}
