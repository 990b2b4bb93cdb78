//! Metadata (3): brokers, and topics with their partitions.
//!
//! Versions: 1 racks, null for all topics · 2 cluster id · 4 auto-creation may be declined · 5 offline replicas · 7 leader
//! epochs · 8 authorized operations (KIP-430) · 9 flexible · 10 topic ids (KIP-516) · 11 without the cluster's authorized
//! operations · 12 topics by id · 13 top-level error code (KIP-1102).
//!
//! A topic that is made by asking for it is there in the answer; Kafka lets the client ask again (COMPAT.md).

use super::authorized;
use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::{is_internal, unknown_name};
use crate::net::Answer;
use crate::node::auto_create::AutoCreate;
use crate::node::identity::Identity;
use crate::node::images::Images;
use ottla_metadata::{Image, Partition, Topic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use ottla_protocol::{ApiKey, BrokerId, ByteString, ErrorCode, TopicId, Uuid};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::Metadata,
    handle: |parts, call| handle(call, &parts.images, &parts.identity, &parts.auto_create),
};

/// The first version that asks for topics by id.
const TOPIC_ID_VERSION: i16 = 12;

fn handle(
    call: &Call,
    images: &Arc<Images>,
    identity: &Arc<Identity>,
    auto_create: &Arc<AutoCreate>,
) -> Handled {
    let request: MetadataRequest = call.decode()?;
    let view = View::new(call, request);
    if view.asked == Asked::Invalid {
        return call.reply(&invalid(&view.request));
    }
    let missing = view.topics_to_create(&images.current());
    if missing.is_empty() || !auto_create.is_enabled() {
        return call.reply(&view.response(&images.current(), identity));
    }
    let (reply_to, images, identity) = (call.reply_to(), Arc::clone(images), Arc::clone(identity));
    let creating = Arc::clone(auto_create).create(missing);
    Ok(Answer::later(async move {
        creating.await;
        reply_to.with(&view.response(&images.current(), &identity))
    }))
}

fn invalid(request: &MetadataRequest) -> MetadataResponse {
    let error_code = ErrorCode::InvalidRequest.code();
    let topic = |topic: &MetadataRequestTopic| MetadataResponseTopic {
        error_code,
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    };
    MetadataResponse {
        error_code,
        topics: request.topics.iter().flatten().map(topic).collect(),
        ..MetadataResponse::default()
    }
}

/// The topics that a request is about, each once.
#[derive(Debug, PartialEq)]
enum Asked {
    All,
    /// Where one topic has an id the names of all count for nothing: Java's client leaves them empty.
    Ids(Vec<TopicId>),
    Names(Vec<ByteString>),
    /// A topic without a name, or with an id, before version 12.
    Invalid,
}

fn asked(version: i16, request: &MetadataRequest) -> Asked {
    let Some(topics) = &request.topics else { return Asked::All };
    if version == 0 && topics.is_empty() {
        return Asked::All;
    }
    let mut ids: Vec<TopicId> =
        topics.iter().map(|topic| topic.topic_id).filter(|id| *id != Uuid::ZERO).collect();
    if version < TOPIC_ID_VERSION && (!ids.is_empty() || topics.iter().any(|topic| topic.name.is_none())) {
        return Asked::Invalid;
    }
    if ids.is_empty() {
        let mut names: Vec<ByteString> = topics.iter().filter_map(|topic| topic.name.clone()).collect();
        keep_first(&mut names);
        return Asked::Names(names);
    }
    keep_first(&mut ids);
    Asked::Ids(ids)
}

fn keep_first<T: Ord + Clone>(values: &mut Vec<T>) {
    let mut seen = BTreeSet::new();
    values.retain(|value| seen.insert(value.clone()));
}

/// What a request asks to see.
struct View {
    listener: ByteString,
    asked: Asked,
    request: MetadataRequest,
}

impl View {
    fn new(call: &Call, request: MetadataRequest) -> View {
        View { listener: call.listener.clone(), asked: asked(call.version, &request), request }
    }

    /// Names that no topic has and that the client lets us make.
    fn topics_to_create(&self, image: &Image) -> Vec<ByteString> {
        match &self.asked {
            Asked::Names(names) if self.request.allow_auto_topic_creation => {
                names.iter().filter(|name| image.topic_id(name).is_none()).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    fn response(&self, image: &Image, identity: &Identity) -> MetadataResponse {
        MetadataResponse {
            brokers: image.alive_brokers().filter_map(|broker| self.broker(broker)).collect(),
            cluster_id: Some(identity.cluster_id.clone()),
            controller_id: identity.node_id.0,
            topics: self.topics(image),
            cluster_authorized_operations: authorized::on_cluster(
                self.request.include_cluster_authorized_operations,
            ),
            ..MetadataResponse::default()
        }
    }

    fn broker(&self, broker: &ottla_metadata::BrokerRegistration) -> Option<MetadataResponseBroker> {
        let endpoint = broker.endpoint(&self.listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id.0,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            rack: broker.rack.clone(),
            ..MetadataResponseBroker::default()
        })
    }

    fn topics(&self, image: &Image) -> Vec<MetadataResponseTopic> {
        let by_id = |id: &TopicId| match image.topic(*id) {
            Some(topic) => self.topic(image, topic),
            None => self.missing(None, *id, ErrorCode::UnknownTopicId),
        };
        let by_name = |name: &ByteString| match image.topic_by_name(name) {
            Some(topic) => self.topic(image, topic),
            None => self.missing(Some(name), Uuid::ZERO, unknown_name(name)),
        };
        match &self.asked {
            Asked::All => image.topics().map(|topic| self.topic(image, topic)).collect(),
            Asked::Ids(ids) => ids.iter().map(by_id).collect(),
            Asked::Names(names) => names.iter().map(by_name).collect(),
            Asked::Invalid => unreachable!("answered before topics are looked up"),
        }
    }

    fn topic(&self, image: &Image, topic: &Topic) -> MetadataResponseTopic {
        MetadataResponseTopic {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: is_internal(&topic.name),
            partitions: topic
                .partitions
                .iter()
                .map(|(index, partition)| self.partition(image, *index, partition))
                .collect(),
            topic_authorized_operations: authorized::on_topic(
                self.request.include_topic_authorized_operations,
            ),
            ..MetadataResponseTopic::default()
        }
    }

    fn missing(
        &self,
        name: Option<&ByteString>,
        topic_id: TopicId,
        error: ErrorCode,
    ) -> MetadataResponseTopic {
        MetadataResponseTopic {
            error_code: error.code(),
            name: name.cloned(),
            topic_id,
            is_internal: name.is_some_and(|name| is_internal(name)),
            topic_authorized_operations: authorized::on_topic(
                self.request.include_topic_authorized_operations,
            ),
            ..MetadataResponseTopic::default()
        }
    }

    fn partition(&self, image: &Image, index: i32, partition: &Partition) -> MetadataResponsePartition {
        let reachable = |id: &BrokerId| {
            image
                .broker(*id)
                .is_some_and(|broker| broker.is_alive() && broker.endpoint(&self.listener).is_some())
        };
        let leader = partition.leader.filter(|leader| reachable(leader));
        let error = if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
        let numbers = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
        MetadataResponsePartition {
            error_code: error.code(),
            partition_index: index,
            leader_id: leader.map_or(-1, |leader| leader.0),
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: numbers(&partition.replicas),
            isr_nodes: numbers(&partition.isr),
            offline_replicas: partition.replicas.iter().filter(|id| !reachable(id)).map(|id| id.0).collect(),
            ..MetadataResponsePartition::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TopicId = Uuid([1; 16]);

    fn check(version: i16, topics: &[(TopicId, Option<&'static str>)], expected: Asked) {
        let topic = |&(topic_id, name): &(TopicId, Option<&'static str>)| MetadataRequestTopic {
            topic_id,
            name: name.map(ByteString::from_static),
            ..MetadataRequestTopic::default()
        };
        let topics = Some(topics.iter().map(topic).collect());
        assert_eq!(asked(version, &MetadataRequest { topics, ..MetadataRequest::default() }), expected);
    }

    #[test]
    fn one_id_makes_names_count_for_nothing() {
        check(12, &[(A, Some(""))], Asked::Ids(vec![A]));
        check(12, &[(A, None), (Uuid::ZERO, Some("t")), (A, Some("t"))], Asked::Ids(vec![A]));
    }

    #[test]
    fn a_name_is_answered_once() {
        let names = [(Uuid::ZERO, Some("t")), (Uuid::ZERO, Some("u")), (Uuid::ZERO, Some("t"))];
        check(1, &names, Asked::Names(vec!["t".into(), "u".into()]));
        check(12, &[(Uuid::ZERO, None)], Asked::Names(vec![]));
    }

    #[test]
    fn an_empty_list_is_all_topics_in_version_0_only() {
        check(0, &[], Asked::All);
        check(1, &[], Asked::Names(vec![]));
    }

    #[test]
    fn ids_and_absent_names_are_invalid_before_version_12() {
        check(10, &[(A, Some("t"))], Asked::Invalid);
        check(11, &[(Uuid::ZERO, None)], Asked::Invalid);
    }
}
