//! The wire format under every message: fixed-width numbers, varints, strings, arrays, tagged fields (KIP-482).
//!
//! A [`Reader`] walks one frame and never copies: strings and bytes are slices that share the frame's memory. It trusts no
//! number of the wire: a length may not exceed what is left, and what arrays of structs take in memory is charged to a
//! budget before it is reserved.
//!
//! A [`Writer`] gathers small fields in one buffer and keeps record bytes as references: shared memory, or a hole that
//! the host fills with a file region.

mod json;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use json::JsonWriter;
pub use reader::{DECODE_BUDGET_MAX, DecodeError, DecodeResult, Reader};
pub use writer::{EncodeError, EncodeResult, Insert, Piece, TagWriter, Writer};

use bytes::Bytes;

/// What every generated message file needs.
pub(crate) mod prelude {
    pub(crate) use super::{
        DecodeResult, EncodeError, EncodeResult, JsonWriter, Reader, Records, TagWriter, UnknownTags, Writer,
    };
    pub(crate) use crate::ids::Uuid;
    pub(crate) use bytes::Bytes;
    pub(crate) use bytestring::ByteString;
}

/// Tagged fields that this version of the schema does not know, as they came. One pointer wide.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::box_collection, reason = "almost always empty, and it is in every struct")]
pub struct UnknownTags(Option<Box<Vec<(u32, Bytes)>>>);

impl UnknownTags {
    fn push(&mut self, tag: u32, value: Bytes) {
        self.0.get_or_insert_default().push((tag, value));
    }

    /// Tag and raw value of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, &Bytes)> {
        self.0.as_deref().map(Vec::as_slice).unwrap_or_default().iter().map(|(tag, value)| (*tag, value))
    }
}

/// Record batches in a message: memory, or a region of a file that only the host can see.
#[derive(Clone, Debug, PartialEq)]
pub enum Records {
    /// Bytes in memory; shares them with the frame when it was decoded.
    Bytes(Bytes),
    /// `len` bytes that are put in when the message is sent; `index` is the sender's own number for them.
    External {
        /// The sender's number of the region.
        index: u32,
        /// How many bytes it has.
        len: u32,
    },
}

impl Default for Records {
    fn default() -> Self {
        Records::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Records::Bytes(bytes)
    }
}

impl Records {
    /// Size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Records::Bytes(bytes) => bytes.len(),
            Records::External { len, .. } => *len as usize,
        }
    }

    /// Whether there is not one byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in memory; a decoded message always has them.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            Records::External { .. } => None,
        }
    }
}

/// What every request and response can do; the inherent methods of the same names do the work.
pub trait Message: Sized {
    /// Reads one at a version that is valid for the message.
    fn decode(r: &mut Reader<'_>, version: i16) -> DecodeResult<Self>;
    /// Writes it at a version that is valid for the message.
    fn encode(&self, w: &mut Writer, version: i16) -> EncodeResult;
}

/// A request, with its key and the type of its answer.
pub trait Request: Message {
    /// The API key.
    const KEY: crate::messages::ApiKey;
    /// What answers it.
    type Response: Message;
}

macro_rules! message {
    ($name:ident) => {
        impl crate::codec::Message for $name {
            fn decode(r: &mut crate::codec::Reader<'_>, version: i16) -> crate::codec::DecodeResult<Self> {
                $name::decode(r, version)
            }
            fn encode(&self, w: &mut crate::codec::Writer, version: i16) -> crate::codec::EncodeResult {
                $name::encode(self, w, version)
            }
        }
    };
}
pub(crate) use message;

macro_rules! request {
    ($key:ident, $request:ident, $response:ident) => {
        impl crate::codec::Request for $request {
            const KEY: crate::messages::ApiKey = crate::messages::ApiKey::$key;
            type Response = $response;
        }
    };
}
pub(crate) use request;

/// A message type by name, for tests and fuzz targets that go over all of them.
pub struct MessageInfo {
    /// The schema's name.
    pub name: &'static str,
    /// `request`, `response`, `header`, `metadata`, `data`, `coordinator-key` or `coordinator-value`.
    pub kind: &'static str,
    /// The API key, where it is a request or a response.
    pub api_key: Option<i16>,
    /// Lowest and highest version.
    pub versions: (i16, i16),
    /// Bytes of the default value.
    pub encode_default: fn(i16) -> Result<Vec<u8>, EncodeError>,
    /// Decodes all of a frame and writes it again.
    pub round_trip: fn(&Bytes, i16) -> Result<Vec<u8>, CodecError>,
    /// Decodes all of a frame and gives its `Debug` form, several lines.
    pub describe: fn(&Bytes, i16) -> Result<String, DecodeError>,
}

/// Either way of failing in a round trip.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the two variants are the two types")]
pub enum CodecError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// A row of the registry.
macro_rules! message_info {
    ($name:ident, $kind:literal, $key:expr, $low:literal, $high:literal) => {
        MessageInfo {
            name: stringify!($name),
            kind: $kind,
            api_key: $key,
            versions: ($low, $high),
            encode_default: |version| {
                let mut w = crate::codec::Writer::default();
                $name::default().encode(&mut w, version)?;
                Ok(w.into_vec())
            },
            round_trip: |frame, version| {
                let message = crate::codec::decode_all(frame, |r| $name::decode(r, version))?;
                let mut w = crate::codec::Writer::default();
                message.encode(&mut w, version)?;
                Ok(w.into_vec())
            },
            describe: |frame, version| {
                Ok(format!("{:#?}", crate::codec::decode_all(frame, |r| $name::decode(r, version))?))
            },
        }
    };
}
pub(crate) use message_info;

/// Decodes a message that must fill the frame.
pub fn decode_all<T>(
    frame: &Bytes,
    decode: impl FnOnce(&mut Reader<'_>) -> DecodeResult<T>,
) -> DecodeResult<T> {
    let mut reader = Reader::new(frame);
    let message = decode(&mut reader)?;
    if reader.is_empty() { Ok(message) } else { Err(DecodeError::Trailing(reader.remaining())) }
}
