//! ListConfigResources (74): which resources have configurations (KIP-1142).
//!
//! Versions: 0 client metrics only (KIP-714, as ListClientMetricsResources) · 1 all types.

use super::call::{Call, Handled};
use super::table::Entry;
use crate::node::images::Images;
use ottla_config::alter::ResourceKind;
use ottla_metadata::Image;
use ottla_protocol::messages::list_config_resources_response::ConfigResource as Listed;
use ottla_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::ListConfigResources, handle: |parts, call| handle(call, &parts.images) };

/// Types that can be listed, in the order of their numbers.
const LISTED: [ResourceKind; 5] = [
    ResourceKind::Topic,
    ResourceKind::Broker,
    ResourceKind::BrokerLogger,
    ResourceKind::ClientMetrics,
    ResourceKind::Group,
];

fn handle(call: &Call, images: &Images) -> Handled {
    let request: ListConfigResourcesRequest = call.decode()?;
    let wanted: Vec<ResourceKind> = if call.version == 0 {
        vec![ResourceKind::ClientMetrics]
    } else if request.resource_types.is_empty() {
        LISTED.to_vec()
    } else {
        let kinds = request.resource_types.iter().map(|id| ResourceKind::from_id(*id));
        match kinds.collect::<Option<Vec<_>>>().filter(|kinds| kinds.iter().all(|kind| LISTED.contains(kind)))
        {
            Some(kinds) => kinds,
            None => {
                return call.reply(&ListConfigResourcesResponse {
                    error_code: ErrorCode::UnsupportedVersion.code(),
                    ..ListConfigResourcesResponse::default()
                });
            }
        }
    };
    let image = images.current();
    let config_resources =
        LISTED.iter().filter(|kind| wanted.contains(kind)).flat_map(|kind| list(*kind, &image));
    call.reply(&ListConfigResourcesResponse {
        config_resources: config_resources.collect(),
        ..ListConfigResourcesResponse::default()
    })
}

fn list(kind: ResourceKind, image: &Image) -> Vec<Listed> {
    let names: Vec<String> = match kind {
        ResourceKind::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
        ResourceKind::Broker | ResourceKind::BrokerLogger => {
            image.brokers().map(|broker| broker.id.to_string()).collect()
        }
        ResourceKind::ClientMetrics | ResourceKind::Group => image
            .configs()
            .filter(|(resource, _)| resource.kind.id() == kind.id())
            .map(|(resource, _)| resource.name.to_string())
            .collect(),
    };
    let listed =
        |name: String| Listed { resource_name: name.into(), resource_type: kind.id(), ..Listed::default() };
    names.into_iter().map(listed).collect()
}
