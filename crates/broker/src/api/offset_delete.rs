//! OffsetDelete (47): committed offsets of a group for single partitions (KIP-496).

use super::call::{Call, Handled};
use super::group::{answer, context};
use super::table::Entry;
use crate::node::groups::Groups;
use crate::node::images::Images;
use ottla_coordinator::group::{GroupRequest, GroupResponse};
use ottla_metadata::Image;
use ottla_protocol::messages::OffsetDeleteRequest;
use ottla_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::OffsetDelete, handle: |parts, call| handle(call, &parts.images, &parts.groups) };

fn handle(call: &Call, images: &Images, groups: &Groups) -> Handled {
    let mut request: OffsetDeleteRequest = call.decode()?;
    let mut refused = Vec::new();
    let image = images.current();
    request.topics.retain_mut(|topic| {
        refused.extend(refuse_missing(topic, &image));
        !topic.partitions.is_empty()
    });
    let group = request.group_id.clone();
    let asked = groups.ask(&group, context(call), GroupRequest::OffsetDelete(request));
    answer(call, vec![asked], move |responses| {
        let mut response = responses
            .into_iter()
            .find_map(|response| match response {
                GroupResponse::OffsetDelete(response) => Some(response),
                _ => None,
            })
            .unwrap_or_default();
        // An error for the whole group stands alone.
        if response.error_code == ErrorCode::None.code() {
            response.topics.extend(refused);
        }
        response
    })
}

/// Takes partitions that do not exist out of the topic and answers for them.
fn refuse_missing(topic: &mut OffsetDeleteRequestTopic, image: &Image) -> Option<OffsetDeleteResponseTopic> {
    let found = image.topic_by_name(&topic.name);
    let exists = |index: i32| found.is_some_and(|found| found.partitions.contains_key(&index));
    let missing = topic.partitions.iter().filter(|one| !exists(one.partition_index));
    let partitions: Vec<OffsetDeleteResponsePartition> = missing
        .map(|one| OffsetDeleteResponsePartition {
            partition_index: one.partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
        })
        .collect();
    topic.partitions.retain(|one| exists(one.partition_index));
    (!partitions.is_empty()).then(|| OffsetDeleteResponseTopic { name: topic.name.clone(), partitions })
}
