//! A connection against a peer that the test plays, over memory; time is the test's.

use super::*;
use ottla_protocol::codec::EncodeResult;
use ottla_protocol::frame::{RequestPrefix, read_request_header};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use tokio::io::{DuplexStream, duplex};

/// The other end.
struct Peer(DuplexStream);

impl Peer {
    /// The next request: key, version, correlation id.
    async fn request(&mut self) -> RequestPrefix {
        let length = self.0.read_u32().await.unwrap();
        let mut frame = vec![0; length as usize];
        self.0.read_exact(&mut frame).await.unwrap();
        let prefix = RequestPrefix::peek(&frame).unwrap();
        let key = ApiKey::from_code(prefix.api_key).unwrap();
        let frame = Bytes::from(frame);
        let header =
            read_request_header(&mut ottla_protocol::codec::Reader::new(&frame), key, prefix.api_version);
        assert_eq!(header.unwrap().client_id.as_deref(), Some("tester"));
        prefix
    }

    /// Answers with a body behind a header of this version.
    async fn answer(
        &mut self,
        correlation_id: i32,
        header_version: i16,
        body: impl FnOnce(&mut Writer) -> EncodeResult,
    ) {
        let mut w = Writer::default();
        let start = w.begin_frame();
        let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
        header.encode(&mut w, header_version).unwrap();
        body(&mut w).unwrap();
        w.end_frame(start);
        self.0.write_all(&w.into_vec()).await.unwrap();
    }

    /// Answers ApiVersions with some versions of two requests.
    async fn versions(&mut self, version: i16, code: ErrorCode) {
        let request = self.request().await;
        assert_eq!((request.api_key, request.api_version), (ApiKey::ApiVersions.code(), version));
        let known = |key: ApiKey, min_version, max_version| ApiVersion {
            api_key: key.code(),
            min_version,
            max_version,
            ..ApiVersion::default()
        };
        let response = ApiVersionsResponse {
            error_code: code.code(),
            api_keys: vec![known(ApiKey::ApiVersions, 0, 2), known(ApiKey::Metadata, 5, 9)],
            ..ApiVersionsResponse::default()
        };
        let body_version = if code.is_err() { 0 } else { version };
        self.answer(request.correlation_id, 0, |w| response.encode(w, body_version)).await;
    }

    async fn metadata(&mut self, correlation_id: i32, controller_id: i32) {
        let response = MetadataResponse { controller_id, ..MetadataResponse::default() };
        self.answer(correlation_id, 1, |w| response.encode(w, 9)).await;
    }
}

/// A connection after its negotiation.
async fn connected() -> (Connection, Peer) {
    let (ours, theirs) = duplex(1 << 16);
    let mut peer = Peer(theirs);
    let (connection, ()) = tokio::join!(open(ours), peer.versions(4, ErrorCode::None));
    (connection.unwrap(), peer)
}

async fn open(stream: DuplexStream) -> Result<Connection> {
    let properties = [("bootstrap.servers", "h:1"), ("client.id", "tester"), ("request.timeout.ms", "1000")];
    let config = ClientConfig::from_properties(&properties.into_iter().collect()).unwrap();
    let (reader, writer) = tokio::io::split(stream);
    Connection::over(reader, writer, &config.bootstrap.addresses()[0], &config).await
}

#[tokio::test]
async fn the_highest_common_version_is_taken() {
    let (connection, _peer) = connected().await;
    assert_eq!(connection.version(ApiKey::Metadata).unwrap(), 9);
    assert_eq!(connection.version_up_to(ApiKey::Metadata, 7).unwrap(), 7);
    let check = |result: Result<i16>, expect: &str| assert_eq!(result.unwrap_err().to_string(), expect);
    check(
        connection.version_up_to(ApiKey::Metadata, 4),
        "h:1 knows Metadata only in versions 5 to 9, not in 0 to 13",
    );
    check(
        connection.version(ApiKey::Fetch),
        "h:1 does not know Fetch: the broker is too old, or a controller, for this",
    );
}

#[tokio::test]
async fn an_older_broker_is_asked_again_in_its_version() {
    let (ours, theirs) = duplex(1 << 16);
    let mut peer = Peer(theirs);
    let (connection, ()) = tokio::join!(open(ours), async {
        peer.versions(4, ErrorCode::UnsupportedVersion).await;
        peer.versions(2, ErrorCode::None).await;
    });
    assert_eq!(connection.unwrap().version(ApiKey::Metadata).unwrap(), 9);
}

#[tokio::test]
async fn requests_are_pipelined_and_answered_in_order() {
    let (connection, mut peer) = connected().await;
    let request = MetadataRequest::default();
    let submit = || connection.submit(9, &request, Duration::from_secs(1)).unwrap();
    let (first, second) = (submit(), submit());
    let (one, two) = (peer.request().await.correlation_id, peer.request().await.correlation_id);
    peer.metadata(one, 1).await;
    peer.metadata(two, 2).await;
    assert_eq!(second.await.unwrap().controller_id, 2);
    assert_eq!(first.await.unwrap().controller_id, 1);
}

#[tokio::test]
async fn an_answer_to_something_else_ends_the_connection_for_all() {
    let (connection, mut peer) = connected().await;
    let request = MetadataRequest::default();
    let submit = || connection.submit(9, &request, Duration::from_secs(1)).unwrap();
    let (first, second) = (submit(), submit());
    let one = peer.request().await.correlation_id;
    peer.metadata(one + 1, 1).await;
    for answer in [first.await, second.await, connection.send(&request).await] {
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::Frame { .. }), "{error}");
    }
    assert!(connection.is_closed());
}

#[tokio::test]
async fn what_is_no_frame_ends_the_connection() {
    for length in [-1, i32::MAX, i32::from_be_bytes(*b"HTTP")] {
        let (connection, mut peer) = connected().await;
        peer.0.write_i32(length).await.unwrap();
        let error = connection.send(&MetadataRequest::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "h:1 does not speak Kafka here: a frame of impossible length");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_decode_is_the_requests_problem_alone() {
    let (connection, mut peer) = connected().await;
    let request = MetadataRequest::default();
    let (answer, ()) = tokio::join!(connection.send(&request), async {
        let id = peer.request().await.correlation_id;
        peer.answer(id, 1, |w| {
            w.i8(7);
            Ok(())
        })
        .await;
    });
    assert!(matches!(answer.unwrap_err(), Error::Answer { key: ApiKey::Metadata, .. }));
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_ends_the_connection() {
    let (connection, _peer) = connected().await;
    let error = connection.send(&MetadataRequest::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "waiting for h:1 to answer Metadata took longer than 1000 ms");
    assert!(error.is_retriable());
    assert!(connection.is_closed());
}

#[tokio::test]
async fn a_broker_that_goes_away_is_told_to_who_waits() {
    let (connection, mut peer) = connected().await;
    let request = MetadataRequest::default();
    let (answer, ()) = tokio::join!(connection.send(&request), async {
        peer.request().await;
        drop(peer);
    });
    assert_eq!(answer.unwrap_err().to_string(), "h:1 closed the connection");
}
