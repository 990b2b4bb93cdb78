//! What a request says about partitions: by name or by topic id, in its order.

use bytestring::ByteString;
use ottla_protocol::TopicId;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::FetchPartition;

use super::list::{FetchList, Index, TopicKey};

/// First version that has the replica's id in a structure of its own.
const VERSION_REPLICA_STATE: i16 = 15;

/// Calls `each` for every partition that the request names, with the topic and its name.
pub(super) fn named(
    request: &FetchRequest,
    uses_topic_ids: bool,
    name_of: &dyn Fn(TopicId) -> Option<ByteString>,
    mut each: impl FnMut(&TopicKey, Option<&ByteString>, &FetchPartition),
) {
    for topic in &request.topics {
        let (key, name) = if uses_topic_ids {
            (TopicKey::Id(topic.topic_id), name_of(topic.topic_id))
        } else {
            (TopicKey::Name(topic.topic.clone()), Some(topic.topic.clone()))
        };
        for asked in &topic.partitions {
            each(&key, name.as_ref(), asked);
        }
    }
}

/// The list of a request that names everything. A partition that is named twice is read once, as it was named last.
pub(super) fn whole(
    request: &FetchRequest,
    uses_topic_ids: bool,
    name_of: &dyn Fn(TopicId) -> Option<ByteString>,
) -> (FetchList, Index) {
    let (mut list, mut index) = (FetchList::default(), Index::default());
    named(request, uses_topic_ids, name_of, |topic, name, asked| {
        list.put(&mut index, topic, name, asked);
    });
    (list, index)
}

/// The partitions that the request forgets.
pub(super) fn forgotten(
    request: &FetchRequest,
    uses_topic_ids: bool,
) -> impl Iterator<Item = (TopicKey, i32)> {
    request.forgotten_topics_data.iter().flat_map(move |topic| {
        let key = match uses_topic_ids {
            true => TopicKey::Id(topic.topic_id),
            false => TopicKey::Name(topic.topic.clone()),
        };
        topic.partitions.iter().map(move |&partition| (key.clone(), partition))
    })
}

/// The reader is a replica.
pub(super) fn is_from_follower(request: &FetchRequest, version: i16) -> bool {
    let replica_id =
        if version >= VERSION_REPLICA_STATE { request.replica_state.replica_id } else { request.replica_id };
    replica_id >= 0
}
