//! A client of requests as such: any message at any version, one connection, no retries, no cleverness.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ottla_protocol::codec::{Message, Reader, Request, Writer, decode_all};
use ottla_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};

use crate::raw::{Answer, Connection};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(15);

/// The correlation id of every request; one request is on the way at a time.
const CORRELATION_ID: i32 = 77;

/// The frame of a request, without its length.
pub fn frame_of(key: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: key.code(),
        request_api_version: version,
        correlation_id: CORRELATION_ID,
        client_id: Some("harness".into()),
        ..RequestHeader::default()
    };
    let mut w = Writer::default();
    header
        .encode(&mut w, key.request_header_version(version))
        .expect("this header has a form at every version");
    let mut frame = w.into_vec();
    frame.extend(body);
    frame
}

/// The body of a request, or why it has no form at this version.
pub fn body_of<R: Request>(version: i16, request: &R) -> Result<Vec<u8>> {
    let mut w = Writer::default();
    request.encode(&mut w, version).with_context(|| format!("write {} v{version}", R::KEY.name()))?;
    Ok(w.into_vec())
}

/// The body of an answer: its header taken off, its correlation id checked.
pub fn answer_body(key: ApiKey, version: i16, frame: Vec<u8>) -> Result<Bytes> {
    let frame = Bytes::from(frame);
    let mut reader = Reader::new(&frame);
    let header = ResponseHeader::decode(&mut reader, key.response_header_version(version))?;
    ensure!(header.correlation_id == CORRELATION_ID, "the answer is to another request");
    let rest = reader.remaining();
    Ok(frame.slice(frame.len() - rest..))
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Connects to a broker on the loopback address.
    pub fn open(port: u16) -> Result<Client> {
        Client::open_patient(port, LIMIT)
    }

    /// Connects; an answer may take as long as `limit`.
    pub fn open_patient(port: u16, limit: Duration) -> Result<Client> {
        Ok(Client { connection: Connection::open(port, limit)? })
    }

    /// Sends a request and decodes the answer.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        let body = self.ask_bytes(R::KEY, version, &body_of(version, request)?)?;
        decode_all(&body, |r| R::Response::decode(r, version))
            .with_context(|| format!("answer to {} v{version}", R::KEY.name()))
    }

    /// Sends a request's body and returns the answer's.
    pub fn ask_bytes(&mut self, key: ApiKey, version: i16, body: &[u8]) -> Result<Bytes> {
        self.connection.send_frame(&frame_of(key, version, body));
        match self.connection.answer() {
            Answer::Frame(frame) => answer_body(key, version, frame),
            Answer::Closed => bail!("the broker closed the connection on {} v{version}", key.name()),
            Answer::Silence => bail!("no answer to {} v{version} within {LIMIT:?}", key.name()),
        }
    }
}
