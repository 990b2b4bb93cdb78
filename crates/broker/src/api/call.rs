//! One request on its way through a handler: what its header says, its body still undecoded.

use crate::net::{Answer, Peer, Response};
use bytes::Bytes;
use ottla_log::FileRegion;
use ottla_protocol::codec::{DecodeError, EncodeError, Message, Reader, Request, Writer};
use ottla_protocol::frame::{read_request_header, write_response_header};
use ottla_protocol::{ApiKey, ByteString};

/// Why a request gets no answer but the end of its connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The bytes are not what the header promises.
    #[error("{key:?} version {version}: {error}")]
    Malformed {
        /// Which request.
        key: ApiKey,
        /// Its version.
        version: i16,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The key is none of Kafka's, or not served here.
    #[error("unknown API key {0}")]
    UnknownKey(i16),
    /// The version is outside of what ApiVersions says.
    #[error("{key:?} version {version} is not served")]
    UnknownVersion {
        /// Which request.
        key: ApiKey,
        /// Its version.
        version: i16,
    },
    /// Not even a header.
    #[error("a request of {0} bytes is too short for a header")]
    NoHeader(usize),
}

/// What a handler gives back.
pub(super) type Handled = Result<Answer, Refusal>;

/// Which answer a request gets: enough to write it later, from anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyTo {
    key: ApiKey,
    /// Version of the request, hence of the answer.
    pub version: i16,
    correlation_id: i32,
}

impl ReplyTo {
    /// The answer, ready to be sent.
    ///
    /// # Panics
    /// When a field has a value that the version cannot carry: a handler that does not know its versions.
    pub(super) fn with<M: Message>(self, message: &M) -> Answer {
        self.with_regions(message, Vec::new())
    }

    /// The answer with file regions in the places of its external records.
    pub(super) fn with_regions<M: Message>(self, message: &M, regions: Vec<FileRegion>) -> Answer {
        let frame = self.encode(message).unwrap_or_else(|error| {
            panic!("the answer to {:?} version {} cannot be written: {error}", self.key, self.version)
        });
        Answer::Ready(Response { frame, regions })
    }

    fn encode<M: Message>(self, message: &M) -> Result<Writer, EncodeError> {
        let mut w = Writer::default();
        let start = w.begin_frame();
        write_response_header(&mut w, self.key, self.version, self.correlation_id)?;
        message.encode(&mut w, self.version)?;
        w.end_frame(start);
        Ok(w)
    }
}

/// A request whose key and version are served.
pub(super) struct Call {
    frame: Bytes,
    /// Where the body begins.
    body: usize,
    key: ApiKey,
    /// Version of the request.
    pub version: i16,
    correlation_id: i32,
    /// `client.id`, where there is one.
    pub client_id: Option<ByteString>,
    /// Name of the listener on which it came: clients are told the addresses of that one.
    pub listener: ByteString,
    peer: Peer,
}

impl Call {
    /// Reads the header.
    pub(super) fn parse(
        frame: Bytes,
        key: ApiKey,
        version: i16,
        peer: Peer,
        listener: ByteString,
    ) -> Result<Call, Refusal> {
        let mut reader = Reader::new(&frame);
        let header = read_request_header(&mut reader, key, version).map_err(|error| Refusal::Malformed {
            key,
            version,
            error,
        })?;
        let body = frame.len() - reader.remaining();
        let (correlation_id, client_id) = (header.correlation_id, header.client_id);
        Ok(Call { frame, body, key, version, correlation_id, client_id, listener, peer })
    }

    /// Reads the body. Bytes behind it are let pass, as Kafka does.
    pub(super) fn decode<R: Request>(&self) -> Result<R, Refusal> {
        debug_assert_eq!(R::KEY, self.key, "the table pairs keys and handlers");
        let body = self.frame.slice(self.body..);
        let mut reader = Reader::new(&body);
        R::decode(&mut reader, self.version).map_err(|error| self.malformed(error))
    }

    /// The refusal for a body that cannot be read.
    pub(super) fn malformed(&self, error: DecodeError) -> Refusal {
        Refusal::Malformed { key: self.key, version: self.version, error }
    }

    /// Where the answer goes.
    pub(super) fn reply_to(&self) -> ReplyTo {
        ReplyTo { key: self.key, version: self.version, correlation_id: self.correlation_id }
    }

    /// Answers at once.
    pub(super) fn reply<M: Message>(&self, message: &M) -> Handled {
        Ok(self.reply_to().with(message))
    }

    /// `client.id`, or nothing.
    pub(super) fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// The client's address as group members and logs show it.
    pub(super) fn client_host(&self) -> String {
        // The JVM prints an address as "/127.0.0.1".
        format!("/{}", self.peer.address.ip().to_canonical())
    }
}
