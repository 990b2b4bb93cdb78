//! One socket to one broker: requests go out in the order they are given, answers are matched by correlation id, and
//! what the broker knows is found out before the first request (KIP-35, KIP-511).
//!
//! Two small tasks own the socket. The connection ends with the last handle to it, with the first answer that is late,
//! and with the first byte that is not Kafka's; whoever waits then is told why.

use crate::config::{Address, ClientConfig};
use crate::{Error, Result};
use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use ottla_protocol::codec::{Message, Piece, Request, Writer, decode_all};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use ottla_protocol::{ApiKey, ErrorCode};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::Future;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// The largest answer that is taken: twice the fetch limit that Java's consumer has, and room for one large batch.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// How many requests go out with one call of the system, if so many wait.
const REQUESTS_AT_ONCE: usize = 16;

/// A connection that has agreed on versions and is ready for requests.
pub struct Connection {
    address: Address,
    client_id: ByteString,
    request_timeout: Duration,
    api_versions: ApiVersionsResponse,
    correlation_id: AtomicI32,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    waiting: Arc<Waiting>,
    tasks: [AbortHandle; 2],
}

impl Connection {
    /// Connects, tries every address of the name, and asks for the broker's versions.
    pub async fn open(address: &Address, config: &ClientConfig) -> Result<Connection> {
        let stream = tokio::time::timeout(config.connect_timeout, dial(address)).await.map_err(|_| {
            Error::Timeout { what: format!("connecting to {address}"), after: config.connect_timeout }
        })??;
        let (reader, writer) = stream.into_split();
        Connection::over(reader, writer, address, config).await
    }

    /// The same on a stream that is there.
    async fn over(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        address: &Address,
        config: &ClientConfig,
    ) -> Result<Connection> {
        let (outgoing, queue) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::new(address.clone()));
        let tasks = [
            tokio::spawn(write_requests(writer, queue, Arc::clone(&waiting))).abort_handle(),
            tokio::spawn(read_answers(reader, Arc::clone(&waiting))).abort_handle(),
        ];
        let mut connection = Connection {
            address: address.clone(),
            client_id: config.client_id.as_str().into(),
            request_timeout: config.request_timeout,
            api_versions: ApiVersionsResponse::default(),
            correlation_id: AtomicI32::new(0),
            outgoing,
            waiting,
            tasks,
        };
        connection.api_versions = connection.negotiate().await?;
        Ok(connection)
    }

    /// Where it goes to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the broker said about its versions and features.
    pub fn api_versions(&self) -> &ApiVersionsResponse {
        &self.api_versions
    }

    /// Whether it ended; the next request would fail.
    pub fn is_closed(&self) -> bool {
        self.waiting.inner.lock().ended.is_some()
    }

    /// The highest version of a request that both sides know.
    pub fn version(&self, key: ApiKey) -> Result<i16> {
        self.version_up_to(key, i16::MAX)
    }

    /// The highest version of a request that both sides know and that is not above `most`.
    pub fn version_up_to(&self, key: ApiKey, most: i16) -> Result<i16> {
        let theirs = self.api_versions.api_keys.iter().find(|api| api.api_key == key.code());
        let theirs = theirs.map(|api| (api.min_version, api.max_version));
        let (low, high) = key.versions();
        let highest = |(least, greatest): (i16, i16)| {
            let version = greatest.min(high).min(most);
            (version >= least.max(low)).then_some(version)
        };
        theirs.and_then(highest).ok_or_else(|| Error::UnsupportedVersion {
            key,
            address: self.address.to_string(),
            theirs,
        })
    }

    /// Sends a request at the highest common version and waits for the answer.
    pub async fn send<R: Request>(&self, request: &R) -> Result<R::Response> {
        self.send_at(self.version(R::KEY)?, request).await
    }

    /// The same at a given version.
    pub async fn send_at<R: Request>(&self, version: i16, request: &R) -> Result<R::Response> {
        self.submit(version, request, self.request_timeout)?.await
    }

    /// Puts a request in the queue now and gives what waits for its answer: the order of calls is the order on the
    /// wire. The connection ends when the answer takes longer than `timeout`.
    pub fn submit<R: Request>(
        &self,
        version: i16,
        request: &R,
        timeout: Duration,
    ) -> Result<impl Future<Output = Result<R::Response>> + Send + use<R>> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(version, request, Reply::Answer(reply))?;
        let waiting = Arc::clone(&self.waiting);
        let header_version = R::KEY.response_header_version(version);
        Ok(async move {
            let frame = waiting.answer(answer, R::KEY, timeout).await?;
            let decoded = decode_all(&frame, |r| {
                ResponseHeader::decode(r, header_version)?;
                <R::Response as Message>::decode(r, version)
            });
            decoded.map_err(|cause| Error::Answer {
                key: R::KEY,
                address: waiting.address.to_string(),
                cause,
            })
        })
    }

    /// For a request that is not answered (Produce with acks 0): waits until the system has taken the bytes.
    pub fn submit_unanswered<R: Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<impl Future<Output = Result<()>> + Send + use<R>> {
        let (reply, written) = oneshot::channel();
        self.enqueue(version, request, Reply::Written(reply))?;
        let waiting = Arc::clone(&self.waiting);
        Ok(async move { written.await.map_err(|_| waiting.why_ended()) })
    }

    fn enqueue<R: Request>(&self, version: i16, request: &R, reply: Reply) -> Result<()> {
        let correlation_id = self.correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let header = RequestHeader {
            request_api_key: R::KEY.code(),
            request_api_version: version,
            correlation_id,
            client_id: Some(self.client_id.clone()),
            ..RequestHeader::default()
        };
        let mut w = Writer::default();
        let start = w.begin_frame();
        header
            .encode(&mut w, R::KEY.request_header_version(version))
            .and_then(|()| request.encode(&mut w, version))
            .map_err(|cause| Error::Request { key: R::KEY, version, cause })?;
        w.end_frame(start);
        let outgoing = Outgoing { correlation_id, frame: w, reply };
        self.outgoing.send(outgoing).map_err(|_| self.waiting.why_ended())
    }

    /// Asks for versions with the newest request; an older broker answers version 0 and lists what it knows of it.
    async fn negotiate(&self) -> Result<ApiVersionsResponse> {
        let mut version = ApiKey::ApiVersions.versions().1;
        loop {
            let response = self.ask_versions(version).await?;
            match ErrorCode::from_code(response.error_code) {
                ErrorCode::None => return Ok(response),
                ErrorCode::UnsupportedVersion if version > 0 => {
                    let own = response.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions.code());
                    version = own.map_or(0, |api| api.max_version).clamp(0, version - 1);
                }
                code => return Err(Error::broker(code, format!("asking {} for its versions", self.address))),
            }
        }
    }

    async fn ask_versions(&self, version: i16) -> Result<ApiVersionsResponse> {
        let request = ApiVersionsRequest {
            client_software_name: "ottla".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
            ..ApiVersionsRequest::default()
        };
        let (reply, answer) = oneshot::channel();
        let key = ApiKey::ApiVersions;
        self.enqueue(version, &request, Reply::Answer(reply))?;
        let frame = self.waiting.answer(answer, key, self.request_timeout).await?;
        // The header is the correlation id alone at all versions; the code after it tells which body follows.
        let unsupported = frame.get(4..6) == Some(&ErrorCode::UnsupportedVersion.code().to_be_bytes()[..]);
        let version = if unsupported { 0 } else { version };
        let body = frame.slice(4.min(frame.len())..);
        decode_all(&body, |r| ApiVersionsResponse::decode(r, version)).map_err(|cause| Error::Answer {
            key,
            address: self.address.to_string(),
            cause,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.address)
    }
}

/// A request on its way out.
struct Outgoing {
    correlation_id: i32,
    frame: Writer,
    reply: Reply,
}

/// Whom to tell what.
enum Reply {
    /// The answer's frame, without its length.
    Answer(oneshot::Sender<Bytes>),
    /// That the request was written.
    Written(oneshot::Sender<()>),
}

/// Who waits for answers, in the order of the requests, and why nobody can any more.
struct Waiting {
    address: Address,
    inner: Mutex<WaitingInner>,
}

#[derive(Default)]
struct WaitingInner {
    queue: VecDeque<(i32, oneshot::Sender<Bytes>)>,
    ended: Option<Error>,
}

impl Waiting {
    fn new(address: Address) -> Waiting {
        Waiting { address, inner: Mutex::default() }
    }

    /// Lines up for an answer; says no when the connection has ended.
    fn push(&self, correlation_id: i32, reply: oneshot::Sender<Bytes>) -> bool {
        let mut inner = self.inner.lock();
        if inner.ended.is_none() {
            inner.queue.push_back((correlation_id, reply));
        }
        inner.ended.is_none()
    }

    /// Hands an answer to the first in the queue.
    fn pop(&self, frame: Bytes) -> Result<()> {
        let correlation_id = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        let mut inner = self.inner.lock();
        match inner.queue.pop_front() {
            Some((expected, reply)) if correlation_id == Some(expected) => {
                // Nobody may be interested any more.
                let _ = reply.send(frame);
                Ok(())
            }
            other => {
                let expected = other.map(|(id, _)| id);
                Err(self
                    .not_kafka(format!("it answers request {correlation_id:?} where {expected:?} was due")))
            }
        }
    }

    /// Ends it: the first reason counts, and everybody who waits gets it.
    fn end(&self, why: Error) {
        let mut inner = self.inner.lock();
        inner.ended.get_or_insert(why);
        inner.queue.clear();
    }

    fn why_ended(&self) -> Error {
        let ended = self.inner.lock().ended.clone();
        ended.unwrap_or_else(|| Error::Disconnected { address: self.address.to_string(), cause: None })
    }

    async fn answer(
        &self,
        answer: oneshot::Receiver<Bytes>,
        key: ApiKey,
        timeout: Duration,
    ) -> Result<Bytes> {
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(_)) => Err(self.why_ended()),
            Err(_) => {
                let what = format!("waiting for {} to answer {}", self.address, key.name());
                let late = Error::Timeout { what, after: timeout };
                self.end(late.clone());
                Err(late)
            }
        }
    }

    fn not_kafka(&self, reason: String) -> Error {
        Error::Frame { address: self.address.to_string(), reason }
    }

    fn disconnected(&self, cause: Option<std::io::Error>) -> Error {
        Error::Disconnected { address: self.address.to_string(), cause: cause.map(Arc::new) }
    }
}

/// Connects to the first address of the name that takes the connection.
async fn dial(address: &Address) -> Result<TcpStream> {
    let failed = |cause| Error::Connect { address: address.to_string(), cause: Arc::new(cause) };
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(failed)?;
    // Requests are written whole; waiting for more bytes would only delay them.
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

async fn write_requests(
    mut socket: impl AsyncWrite + Unpin,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    waiting: Arc<Waiting>,
) {
    let mut requests = Vec::new();
    while queue.recv_many(&mut requests, REQUESTS_AT_ONCE).await > 0 {
        let (mut frames, mut unanswered) = (Vec::new(), Vec::new());
        for Outgoing { correlation_id, frame, reply } in requests.drain(..) {
            match reply {
                Reply::Answer(reply) => {
                    if !waiting.push(correlation_id, reply) {
                        return;
                    }
                }
                Reply::Written(written) => unanswered.push(written),
            }
            frames.push(frame);
        }
        if let Err(cause) = write_frames(&mut socket, &frames).await {
            return waiting.end(waiting.disconnected(Some(cause)));
        }
        for written in unanswered {
            let _ = written.send(());
        }
    }
}

/// Writes frames from where their bytes are.
async fn write_frames(mut socket: impl AsyncWrite + Unpin, frames: &[Writer]) -> std::io::Result<()> {
    let pieces = frames.iter().flat_map(Writer::pieces).filter_map(|piece| match piece {
        Piece::Bytes(bytes) => Some(IoSlice::new(bytes)),
        Piece::External { .. } => None,
    });
    let mut pieces: Vec<IoSlice<'_>> = pieces.collect();
    let mut rest = pieces.as_mut_slice();
    while !rest.is_empty() {
        match socket.write_vectored(rest).await? {
            0 => return Err(std::io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut rest, written),
        }
    }
    Ok(())
}

async fn read_answers(mut socket: impl AsyncRead + Unpin, waiting: Arc<Waiting>) {
    let mut buffer = BytesMut::with_capacity(64 << 10);
    let why = loop {
        match socket.read_buf(&mut buffer).await {
            Ok(0) => break waiting.disconnected(None),
            Ok(_) => {}
            Err(cause) => break waiting.disconnected(Some(cause)),
        }
        if let Err(why) = take_frames(&mut buffer, &waiting) {
            break why;
        }
        // Grows with what came, not with what a length promises.
        buffer.reserve(buffer.len().clamp(16 << 10, 4 << 20));
    };
    waiting.end(why);
}

fn take_frames(buffer: &mut BytesMut, waiting: &Waiting) -> Result<()> {
    while let Some(length) = buffer.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) {
        let length = usize::try_from(length).ok().filter(|&length| length <= ANSWER_BYTES_MAX);
        let length = length.ok_or_else(|| waiting.not_kafka(String::from("a frame of impossible length")))?;
        if buffer.len() < 4 + length {
            break;
        }
        buffer.advance(4);
        waiting.pop(buffer.split_to(length).freeze())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
