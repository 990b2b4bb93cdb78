//! DescribeCluster (60): the cluster's id and its brokers (KIP-700).
//!
//! Versions: 1 endpoint type (KIP-919) · 2 fenced brokers (KIP-1073).

use super::authorized;
use super::call::{Call, Handled};
use super::table::Entry;
use crate::node::identity::Identity;
use crate::node::images::Images;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::DescribeCluster,
    handle: |parts, call| handle(call, &parts.images, &parts.identity),
};

/// `endpoint_type` of brokers; controllers have 2.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

fn handle(call: &Call, images: &Images, identity: &Identity) -> Handled {
    let request: DescribeClusterRequest = call.decode()?;
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refuse(
                call,
                ErrorCode::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
            );
        }
        other => {
            return refuse(
                call,
                ErrorCode::UnsupportedEndpointType,
                &format!("Unsupported endpoint type {other}"),
            );
        }
    }
    let image = images.current();
    let shown = image.brokers().filter(|broker| broker.is_alive() || request.include_fenced_brokers);
    let brokers = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(&call.listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            rack: broker.rack.clone(),
            is_fenced: broker.fenced,
            ..DescribeClusterBroker::default()
        })
    });
    call.reply(&DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: identity.cluster_id.clone(),
        controller_id: identity.node_id.0,
        brokers: brokers.collect(),
        cluster_authorized_operations: authorized::on_cluster(request.include_cluster_authorized_operations),
        ..DescribeClusterResponse::default()
    })
}

fn refuse(call: &Call, error: ErrorCode, message: &str) -> Handled {
    call.reply(&DescribeClusterResponse {
        error_code: error.code(),
        error_message: Some(message.into()),
        ..DescribeClusterResponse::default()
    })
}
