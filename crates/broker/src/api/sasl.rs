//! SaslHandshake (17) and SaslAuthenticate (36) on a listener without SASL: ILLEGAL_SASL_STATE, as Kafka answers there.
//!
//! Versions of SaslHandshake: 1 tokens travel in SaslAuthenticate (KIP-152). Of SaslAuthenticate: 1 session lifetime
//! (KIP-368) · 2 flexible.

use super::call::{Call, Handled};
use super::table::Entry;
use ottla_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const HANDSHAKE: Entry = Entry { key: ApiKey::SaslHandshake, handle: |_, call| handshake(call) };
pub(super) const AUTHENTICATE: Entry =
    Entry { key: ApiKey::SaslAuthenticate, handle: |_, call| authenticate(call) };

fn handshake(call: &Call) -> Handled {
    let _: SaslHandshakeRequest = call.decode()?;
    let error_code = ErrorCode::IllegalSaslState.code();
    call.reply(&SaslHandshakeResponse { error_code, ..SaslHandshakeResponse::default() })
}

fn authenticate(call: &Call) -> Handled {
    let _: SaslAuthenticateRequest = call.decode()?;
    call.reply(&SaslAuthenticateResponse {
        error_code: ErrorCode::IllegalSaslState.code(),
        error_message: Some("SaslAuthenticate request received after successful authentication".into()),
        ..SaslAuthenticateResponse::default()
    })
}
