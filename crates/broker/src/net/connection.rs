//! One client's connection: frames in, answers out, in order.
//!
//! Whatever arrived is handled in one go: all whole frames of the buffer become requests, the effects of one are applied
//! before the next begins, and all answers that are ready leave in one write. A connection that does not read its
//! answers is not read from either.

use super::answer::{Answer, Response};
use super::frames::FrameBuffer;
use super::loads::Loads;
use super::mailbox::{Bell, Mailbox};
use super::outbox::Outbox;
use bytes::Bytes;
use ottla_protocol::codec::Writer;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Requests of one connection whose answers are not sent yet.
const IN_FLIGHT_MAX: usize = 128;
/// Bytes of answers that may wait for the socket before no more requests are taken.
const OUTBOX_MAX: usize = 1 << 20;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// Index of the listener that accepted it.
    pub listener: usize,
}

/// Whoever makes answers of frames.
pub(crate) trait Service: Send + Sync + 'static {
    /// State that lives as long as the connection.
    type Session: Send + 'static;
    /// A connection was accepted.
    fn open(&self, peer: Peer) -> Self::Session;
    /// A whole frame arrived. Applies its effects before it returns.
    fn call(&self, session: &mut Self::Session, frame: Bytes) -> Answer;
}

/// Limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `socket.request.max.bytes`.
    pub frame_max: usize,
    /// `connections.max.idle.ms`.
    pub idle: Duration,
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Closed {
    /// The peer closed it.
    ByPeer,
    /// Nothing arrived for `connections.max.idle.ms`.
    Idle,
    /// The peer sent what is not a request; the text says what.
    Refused(String),
    /// The socket failed.
    Io(io::Error),
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Self {
        Closed::Io(error)
    }
}

/// A connection on which no answer is owed.
pub(super) struct Quiet<S: Service> {
    stream: std::net::TcpStream,
    /// What has arrived of the next request.
    frames: FrameBuffer,
    session: S::Session,
}

impl<S: Service> Quiet<S> {
    /// A connection that was just accepted.
    pub(super) fn new(stream: std::net::TcpStream, peer: Peer, service: &S, limits: Limits) -> Quiet<S> {
        Quiet { stream, frames: FrameBuffer::new(limits.frame_max), session: service.open(peer) }
    }
}

/// How a data thread's work on a connection ended.
pub(super) enum Served<S: Service> {
    /// There is no connection any more.
    Closed(Closed),
    /// Another thread goes on with it: the one with this index.
    Shifted(usize, Quiet<S>),
}

/// The data thread that serves.
#[derive(Clone, Copy)]
pub(super) struct OnThread<'l> {
    /// Its index.
    pub index: usize,
    /// What it and the others have to do.
    pub loads: &'l Loads,
    /// How others wake its connections.
    pub mailbox: &'l Arc<Mailbox>,
}

/// Serves a connection until it ends, or another thread is to go on with it.
pub(super) async fn serve<S: Service>(
    quiet: Quiet<S>,
    service: &S,
    limits: Limits,
    thread: OnThread<'_>,
) -> Served<S> {
    let Quiet { stream, frames, session } = quiet;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return Served::Closed(error.into()),
    };
    let mut connection = Connection {
        stream,
        frames,
        answers: VecDeque::new(),
        outbox: Outbox::default(),
        session,
        service,
        closing: None,
        idle: limits.idle,
        last_read: Instant::now(),
        idle_timer: Box::pin(sleep_until(Instant::now() + limits.idle)),
        thread,
        bell: Bell::new(thread.mailbox),
        counted: 0,
    };
    match poll_fn(|cx| connection.poll(cx)).await {
        Err(closed) => Served::Closed(closed),
        Ok(to) => match connection.stream.into_std() {
            Ok(stream) => {
                Served::Shifted(to, Quiet { stream, frames: connection.frames, session: connection.session })
            }
            Err(error) => Served::Closed(error.into()),
        },
    }
}

struct Connection<'s, S: Service> {
    stream: TcpStream,
    frames: FrameBuffer,
    answers: VecDeque<Answer>,
    outbox: Outbox,
    session: S::Session,
    service: &'s S,
    /// Set when no more requests are taken and the connection ends with the last answer.
    closing: Option<Closed>,
    idle: Duration,
    last_read: Instant,
    idle_timer: Pin<Box<Sleep>>,
    thread: OnThread<'s>,
    /// What answers that are not there yet wake it by.
    bell: Arc<Bell>,
    /// The window of the loads in which this connection was counted last.
    counted: u32,
}

impl<S: Service> Connection<'_, S> {
    /// Ends with the thread that is to go on, or with the connection.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Closed>> {
        loop {
            self.take_requests();
            self.collect_answers(cx)?;
            let sent = self.send(cx)?;
            if self.closing.is_some() && self.answers.is_empty() && self.outbox.is_empty() {
                return Poll::Ready(Err(self.closing.take().expect("it was there in the line above")));
            }
            let read = self.receive(cx)?;
            if !sent && !read {
                if let Some(to) = self.take_shift() {
                    return Poll::Ready(Ok(to));
                }
                return self.watch_idleness(cx);
            }
        }
    }

    /// Where to go on, if that is wanted and possible now.
    fn take_shift(&mut self) -> Option<usize> {
        let is_quiet = self.answers.is_empty() && self.outbox.is_empty() && self.closing.is_none();
        is_quiet.then(|| self.thread.loads.take_shift(self.thread.index)).flatten()
    }

    fn has_room(&self) -> bool {
        self.closing.is_none() && self.answers.len() < IN_FLIGHT_MAX && self.outbox.len() < OUTBOX_MAX
    }

    /// Makes requests of the whole frames in the buffer.
    fn take_requests(&mut self) {
        while self.has_room() {
            match self.frames.next() {
                Ok(None) => return,
                Ok(Some(frame)) => match self.service.call(&mut self.session, frame) {
                    Answer::Silent => {}
                    answer => self.answers.push_back(answer),
                },
                Err(error) => {
                    if error == super::frames::FrameError::Http {
                        self.answers.push_back(Answer::Ready(http_hint()));
                    }
                    self.closing = Some(Closed::Refused(error.to_string()));
                }
            }
        }
    }

    /// Moves the answers that are ready to the outbox, up to the first that is not.
    fn collect_answers(&mut self, cx: &mut Context<'_>) -> Result<(), Closed> {
        while let Some(answer) = self.answers.front_mut() {
            if let Answer::Later(future) = answer {
                self.bell.belongs_to(cx);
                let bell = Waker::from(Arc::clone(&self.bell));
                match future.as_mut().poll(&mut Context::from_waker(&bell)) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(done) => {
                        *answer = done;
                        continue;
                    }
                }
            }
            match self.answers.pop_front().expect("the front was just there") {
                Answer::Ready(response) => self.outbox.push(response)?,
                Answer::Close(reason) => {
                    self.answers.clear();
                    self.closing = Some(Closed::Refused(reason));
                }
                Answer::Silent | Answer::Later(_) => {}
            }
        }
        Ok(())
    }

    /// Sends what the socket takes. Whether room was made for more requests.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<bool, Closed> {
        let had_room = self.has_room();
        while !self.outbox.is_empty() {
            match self.outbox.send(&self.stream) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // `send` has cleared the readiness; polling it registers the task, or finds it set again.
                    match self.stream.poll_write_ready(cx) {
                        Poll::Ready(ready) => ready?,
                        Poll::Pending => break,
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(!had_room && self.has_room())
    }

    /// Reads what the socket has. Whether anything came. A read that does not fill the buffer has emptied the socket: the
    /// next one waits without asking the system.
    fn receive(&mut self, cx: &mut Context<'_>) -> Result<bool, Closed> {
        if !self.has_room() {
            return Ok(false);
        }
        match pin!(self.stream.read_buf(self.frames.space())).poll(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(read) => match read? {
                0 => Err(Closed::ByPeer),
                _ => {
                    self.last_read = Instant::now();
                    self.thread.loads.note_active(self.thread.index, &mut self.counted, self.last_read);
                    Ok(true)
                }
            },
        }
    }

    /// Ends a connection on which nothing was asked for too long. One timer that is moved only when it fires.
    fn watch_idleness(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Closed>> {
        loop {
            ready!(self.idle_timer.as_mut().poll(cx));
            let busy = !self.answers.is_empty() || !self.outbox.is_empty();
            let since = if busy { Instant::now() } else { self.last_read };
            if since + self.idle <= Instant::now() {
                return Poll::Ready(Err(Closed::Idle));
            }
            self.idle_timer.as_mut().reset(since + self.idle);
        }
    }
}

/// What a browser or `curl` is told.
fn http_hint() -> Response {
    let body = "This port speaks Kafka's protocol, not HTTP.\n";
    let text = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    Writer::from(text.into_bytes()).into()
}
