//! Frames, headers, counts, lengths and tags that are wrong, and other protocols on Kafka's port.

use anyhow::Result;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::*;

use super::Case;
use super::peer::Peer;
use crate::client::body_of;

pub(super) const CASES: &[Case] = &[
    Case { name: "frame_length_minus_one", say: |p| p.bytes(&(-1i32).to_be_bytes(), false) },
    Case { name: "frame_length_most_negative", say: |p| p.bytes(&i32::MIN.to_be_bytes(), false) },
    Case { name: "frame_length_zero", say: |p| p.bytes(&0i32.to_be_bytes(), false) },
    Case { name: "frame_length_largest", say: |p| p.bytes(&i32::MAX.to_be_bytes(), false) },
    Case { name: "frame_length_one_over_the_limit", say: |p| p.bytes(&104_857_601i32.to_be_bytes(), false) },
    Case { name: "frame_begun_and_left_open", say: |p| p.bytes(b"\0\0\0\x64half", false) },
    Case { name: "frame_truncated_by_the_end", say: |p| p.bytes(b"\0\0\0\x64half", true) },
    Case { name: "length_truncated_by_the_end", say: |p| p.bytes(b"\0\0", true) },
    Case { name: "frame_of_three_bytes", say: |p| p.frame(&[0, 18, 0]) },
    Case { name: "frame_that_ends_after_the_version", say: |p| p.frame(&[0, 18, 0, 0]) },
    Case { name: "frame_that_ends_after_the_correlation_id", say: |p| p.frame(&[0, 3, 0, 1, 0, 0, 0, 1]) },
    Case {
        name: "client_id_longer_than_the_frame",
        say: |p| p.frame(&[0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, b'x']),
    },
    Case {
        name: "client_id_of_negative_length",
        say: |p| p.frame(&[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe, b'x']),
    },
    Case { name: "client_id_null", say: |p| p.frame(&[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]) },
    Case {
        name: "client_id_not_utf8",
        say: |p| p.frame(&[0, 3, 0, 1, 0, 0, 0, 1, 0, 2, 0xc3, 0x28, 0, 0, 0, 0]),
    },
    Case { name: "unknown_key", say: |p| p.frame(&header(9999, 0)) },
    Case { name: "negative_key", say: |p| p.frame(&header(-1, 0)) },
    Case { name: "removed_key", say: |p| p.frame(&header(4, 0)) },
    Case { name: "key_of_the_controller", say: |p| p.body(ApiKey::Vote, 0, &[0; 40], 0) },
    Case { name: "key_between_controllers", say: |p| p.body(ApiKey::BrokerHeartbeat, 0, &[0; 40], 0) },
    Case { name: "unknown_version", say: |p| p.frame(&header(3, 99)) },
    Case { name: "negative_version", say: |p| p.frame(&header(3, -1)) },
    Case { name: "version_only_advertised", say: |p| p.frame(&[header(0, 2), vec![0; 10]].concat()) },
    Case { name: "version_no_longer_served", say: |p| p.frame(&[header(1, 3), vec![0; 30]].concat()) },
    Case { name: "version_not_yet_stable", say: |p| p.frame(&[header(22, 6), vec![0; 30]].concat()) },
    Case { name: "api_versions_of_an_unknown_version", say: |p| p.body(ApiKey::ApiVersions, 99, &[], 0) },
    Case { name: "api_versions_of_the_next_version", say: |p| p.body(ApiKey::ApiVersions, 5, &[1, 1, 0], 0) },
    Case { name: "api_versions_of_a_negative_version", say: |p| p.body(ApiKey::ApiVersions, -1, &[], 0) },
    Case { name: "api_versions_with_an_invalid_name", say: |p| api_versions_named(p, " bad name!") },
    Case { name: "api_versions_with_an_empty_name", say: |p| api_versions_named(p, "") },
    Case { name: "array_count_largest", say: |p| p.body(ApiKey::Metadata, 1, &i32::MAX.to_be_bytes(), 1) },
    Case {
        name: "array_count_million",
        say: |p| p.body(ApiKey::Metadata, 1, &1_000_000i32.to_be_bytes(), 1),
    },
    Case { name: "array_count_minus_two", say: |p| p.body(ApiKey::Metadata, 1, &(-2i32).to_be_bytes(), 1) },
    Case {
        name: "compact_array_count_largest",
        say: |p| p.body(ApiKey::Metadata, 12, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0], 12),
    },
    Case {
        name: "compact_array_count_over_the_frame",
        say: |p| p.body(ApiKey::Metadata, 12, &[0xff, 0xff, 0x03, 0, 0, 0], 12),
    },
    Case {
        name: "varint_of_six_bytes",
        say: |p| p.body(ApiKey::Metadata, 12, &[0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0, 0], 12),
    },
    Case {
        name: "varint_overlong_zero",
        say: |p| p.body(ApiKey::Metadata, 12, &[0x80, 0x80, 0x00, 1, 0, 0], 12),
    },
    Case {
        name: "string_longer_than_the_frame",
        say: |p| p.body(ApiKey::Metadata, 1, &[0, 0, 0, 1, 0x7f, 0xff, b'a'], 1),
    },
    Case {
        name: "string_null_where_it_must_not_be",
        say: |p| p.body(ApiKey::Metadata, 1, &[0, 0, 0, 1, 0xff, 0xff], 1),
    },
    Case {
        name: "string_not_utf8",
        say: |p| p.body(ApiKey::Metadata, 4, &[0, 0, 0, 1, 0, 2, 0xc3, 0x28, 0], 4),
    },
    Case { name: "boolean_of_two", say: |p| p.body(ApiKey::Metadata, 4, &[0, 0, 0, 0, 2], 4) },
    Case { name: "body_too_short", say: |p| p.body(ApiKey::Metadata, 4, &[0, 0, 0, 0], 4) },
    Case {
        name: "body_with_trailing_bytes",
        say: |p| p.body(ApiKey::Metadata, 4, &[0, 0, 0, 0, 0, 9, 9, 9], 4),
    },
    Case {
        name: "header_tag_count_largest",
        say: |p| p.frame(&tagged_header(&[0xff, 0xff, 0xff, 0xff, 0x0f])),
    },
    Case { name: "header_tag_count_over_the_frame", say: |p| p.frame(&tagged_header(&[0xff, 0x7f])) },
    Case { name: "header_tag_size_over_the_frame", say: |p| p.frame(&tagged_header(&[1, 0, 0xff, 0x7f, 1])) },
    Case {
        name: "header_tags_that_are_unknown",
        say: |p| p.frame(&api_versions_tagged(&[2, 5, 1, 9, 6, 0])),
    },
    Case { name: "header_tag_twice", say: |p| p.frame(&api_versions_tagged(&[2, 5, 1, 9, 5, 1, 9])) },
    Case { name: "header_tags_unsorted", say: |p| p.frame(&api_versions_tagged(&[2, 6, 1, 9, 5, 1, 9])) },
    Case {
        name: "body_tag_count_over_the_frame",
        say: |p| p.body(ApiKey::Metadata, 12, &[1, 0, 0, 0xff, 0x7f], 12),
    },
    Case { name: "body_tag_twice", say: |p| p.body(ApiKey::Metadata, 12, &[1, 0, 0, 2, 9, 0, 9, 0], 12) },
    Case { name: "body_tags_unsorted", say: |p| p.body(ApiKey::Metadata, 12, &[1, 0, 0, 2, 9, 0, 8, 0], 12) },
    Case {
        name: "body_tag_that_is_unknown",
        say: |p| p.body(ApiKey::DescribeCluster, 1, &[0, 1, 1, 9, 1, 7], 1),
    },
    Case {
        name: "http_request",
        say: |p| p.bytes(b"GET / HTTP/1.1\r\nHost: localhost:9092\r\nAccept: */*\r\n\r\n", false),
    },
    Case {
        name: "tls_client_hello",
        say: |p| p.bytes(&[&[0x16, 3, 1, 0, 0x50, 1, 0, 0, 0x4c, 3, 3][..], &[7; 69]].concat(), false),
    },
    Case { name: "sasl_handshake_without_sasl", say: sasl_handshake },
    Case { name: "sasl_authenticate_without_sasl", say: sasl_authenticate },
    Case { name: "sasl_token_without_a_request", say: |p| p.bytes(b"\0\0\0\x0b\0user\0secret", false) },
];

/// A request header of version 1, nothing after it.
fn header(key: i16, version: i16) -> Vec<u8> {
    crate::raw::request_v1(key, version, &[])
}

/// An ApiVersions header of version 2 whose tagged fields are `tags`, nothing after it.
fn tagged_header(tags: &[u8]) -> Vec<u8> {
    [&header(18, 3)[..], tags].concat()
}

/// A whole ApiVersions request whose header has `tags`.
fn api_versions_tagged(tags: &[u8]) -> Vec<u8> {
    let request = ApiVersionsRequest {
        client_software_name: "harness".into(),
        client_software_version: "1".into(),
        ..ApiVersionsRequest::default()
    };
    let body = body_of(3, &request).expect("version 3 has these fields");
    [tagged_header(tags), body].concat()
}

fn api_versions_named(p: &mut Peer, name: &'static str) -> Result<()> {
    p.ask(
        3,
        &ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: "1".into(),
            ..ApiVersionsRequest::default()
        },
    )
}

fn sasl_handshake(p: &mut Peer) -> Result<()> {
    p.ask(1, &SaslHandshakeRequest { mechanism: "PLAIN".into() })?;
    p.ask(0, &SaslHandshakeRequest { mechanism: "NONE".into() })
}

fn sasl_authenticate(p: &mut Peer) -> Result<()> {
    p.ask(
        2,
        &SaslAuthenticateRequest {
            auth_bytes: b"\0user\0secret"[..].into(),
            ..SaslAuthenticateRequest::default()
        },
    )
}
