//! ApiVersions (18): which keys and versions this listener serves, and the cluster's features (KIP-35, KIP-584).
//!
//! Versions: 3 flexible, client software (KIP-511), features · 4 features whose lowest level is 0 (KIP-1022).
//! A version that is not served gets a version 0 answer with UNSUPPORTED_VERSION and the range of this key alone.

use super::call::{Call, Handled};
use super::table::{Entry, TABLE};
use crate::net::{Answer, Response};
use crate::node::images::Images;
use ottla_metadata::{FEATURES, Image, KRAFT_VERSION};
use ottla_protocol::codec::Writer;
use ottla_protocol::frame::write_response_header;
use ottla_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ByteString, ErrorCode};

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::ApiVersions, handle: |parts, call| handle(call, &parts.images) };

/// First version that names the client.
const CLIENT_SOFTWARE: i16 = 3;
/// First version that may name features whose lowest level is 0.
const LEVEL_ZERO: i16 = 4;

fn handle(call: &Call, images: &Images) -> Handled {
    let request: ApiVersionsRequest = call.decode()?;
    let named = [&request.client_software_name, &request.client_software_version];
    if call.version >= CLIENT_SOFTWARE && !named.iter().all(|name| is_software_name(name)) {
        let error_code = ErrorCode::InvalidRequest.code();
        return call.reply(&ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() });
    }
    call.reply(&response(call.version, &images.current(), images.kraft_version()))
}

fn response(version: i16, image: &Image, kraft_version: i16) -> ApiVersionsResponse {
    let supported = FEATURES.iter().filter(|feature| version >= LEVEL_ZERO || feature.supported.min > 0);
    let kraft = (kraft_version > 0).then(|| (ByteString::from_static(KRAFT_VERSION), kraft_version));
    let finalized = image.features().iter().map(|(name, level)| (name.clone(), level)).chain(kraft);
    let finalized = finalized.map(|(name, level)| FinalizedFeatureKey {
        name,
        max_version_level: level,
        min_version_level: level,
        ..FinalizedFeatureKey::default()
    });
    ApiVersionsResponse {
        api_keys: TABLE.iter().map(|entry| range(entry.key)).collect(),
        supported_features: supported
            .map(|feature| SupportedFeatureKey {
                name: feature.name.into(),
                min_version: feature.supported.min,
                max_version: feature.supported.max,
                ..SupportedFeatureKey::default()
            })
            .collect(),
        finalized_features_epoch: image.provenance().end_offset.0 - 1,
        finalized_features: finalized.collect(),
        ..ApiVersionsResponse::default()
    }
}

fn range(key: ApiKey) -> ApiVersion {
    let (min_version, max_version) = super::table::advertised(key);
    ApiVersion { api_key: key.code(), min_version, max_version, ..ApiVersion::default() }
}

/// Letters and digits, with dots and dashes between them.
fn is_software_name(name: &str) -> bool {
    let ends = [name.chars().next(), name.chars().next_back()];
    ends.iter().all(|end| end.is_some_and(|c| c.is_ascii_alphanumeric()))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}

/// The answer to a version that is not served.
pub(super) fn unsupported_version(correlation_id: i32) -> Answer {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: vec![range(ApiKey::ApiVersions)],
        ..ApiVersionsResponse::default()
    };
    let mut w = Writer::default();
    let start = w.begin_frame();
    let written = write_response_header(&mut w, ApiKey::ApiVersions, 0, correlation_id)
        .and_then(|()| response.encode(&mut w, 0));
    written.expect("version 0 can carry the error and a range");
    w.end_frame(start);
    Answer::Ready(Response::from(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_are_as_kip_511_has_them() {
        for name in ["apache-kafka-java", "4.3.1", "a", "v1.0-rc1"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-", "a-", ".1", "a b", "é"] {
            assert!(!is_software_name(name), "{name}");
        }
    }
}
