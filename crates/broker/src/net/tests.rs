//! Connections over loopback with a service that is not Kafka.

use super::*;
use bytes::Bytes;
use ottla_protocol::codec::Writer;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
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
