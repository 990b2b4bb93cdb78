//! What stands around every message: the request and response headers, and which version of them a request uses.

use crate::codec::{DecodeResult, EncodeResult, Reader, Writer};
use crate::messages::{ApiKey, RequestHeader, ResponseHeader};

/// The part of every request header that is readable before anything is known about the request: key, version and
/// correlation id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPrefix {
    /// Number of the API, known or not.
    pub api_key: i16,
    /// Version of the request.
    pub api_version: i16,
    /// Number that the answer repeats.
    pub correlation_id: i32,
}

impl RequestPrefix {
    /// Size in bytes.
    pub const LEN: usize = 8;

    /// Reads it without moving on in the frame; `None` when the frame is too short.
    pub fn peek(frame: &[u8]) -> Option<RequestPrefix> {
        let &[k0, k1, v0, v1, c0, c1, c2, c3] = frame.first_chunk::<{ Self::LEN }>()?;
        Some(RequestPrefix {
            api_key: i16::from_be_bytes([k0, k1]),
            api_version: i16::from_be_bytes([v0, v1]),
            correlation_id: i32::from_be_bytes([c0, c1, c2, c3]),
        })
    }
}

impl ApiKey {
    /// Whether this version of the request has compact lengths and tagged fields.
    pub fn is_flexible(self, version: i16) -> bool {
        self.flexible_from().is_some_and(|from| version >= from)
    }

    /// Version of the header in front of a request.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// Version of the header in front of the answer. ApiVersions keeps the old one for ever, so that a client that does
    /// not know the broker's versions yet can read it (KIP-511).
    pub fn response_header_version(self, version: i16) -> i16 {
        i16::from(self != ApiKey::ApiVersions && self.is_flexible(version))
    }
}

/// Reads the header of a request whose key is known.
pub fn read_request_header(r: &mut Reader<'_>, key: ApiKey, version: i16) -> DecodeResult<RequestHeader> {
    RequestHeader::decode(r, key.request_header_version(version))
}

/// Writes the header of an answer.
pub fn write_response_header(w: &mut Writer, key: ApiKey, version: i16, correlation_id: i32) -> EncodeResult {
    let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
    header.encode(w, key.response_header_version(version))
}
