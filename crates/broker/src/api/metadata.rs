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
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use ottla_protocol::{ApiKey, BrokerId, ByteString, ErrorCode, TopicId, Uuid};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::Metadata,
    handle: |parts, call| handle(call, &parts.images, &parts.identity, &parts.auto_create),
};

fn handle(
    call: &Call,
    images: &Arc<Images>,
    identity: &Arc<Identity>,
    auto_create: &Arc<AutoCreate>,
) -> Handled {
    let request: MetadataRequest = call.decode()?;
    let view = View { version: call.version, listener: call.listener.clone(), request };
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

/// What a request asks to see.
struct View {
    version: i16,
    listener: ByteString,
    request: MetadataRequest,
}

impl View {
    fn wants_all(&self) -> bool {
        match &self.request.topics {
            None => true,
            Some(topics) => self.version == 0 && topics.is_empty(),
        }
    }

    /// Names that no topic has and that the client lets us make.
    fn topics_to_create(&self, image: &Image) -> Vec<ByteString> {
        if !self.request.allow_auto_topic_creation {
            return Vec::new();
        }
        let names = self.request.topics.iter().flatten().filter_map(|topic| topic.name.clone());
        names.filter(|name| image.topic_id(name).is_none()).collect()
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
        if self.wants_all() {
            return image.topics().map(|topic| self.topic(image, topic)).collect();
        }
        let asked = self.request.topics.iter().flatten();
        asked
            .map(|asked| {
                // An id counts where there is no name.
                let found = match &asked.name {
                    Some(name) => image.topic_by_name(name),
                    None => image.topic(asked.topic_id),
                };
                match (found, &asked.name) {
                    (Some(topic), _) => self.topic(image, topic),
                    (None, None) => self.missing(None, asked.topic_id, ErrorCode::UnknownTopicId),
                    (None, Some(name)) => self.missing(Some(name), Uuid::ZERO, unknown_name(name)),
                }
            })
            .collect()
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
