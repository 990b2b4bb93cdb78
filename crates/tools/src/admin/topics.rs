//! Topics: which there are, what they are like, creating, growing and deleting them.

use std::collections::BTreeMap;

use ottla_client::Target;
use ottla_protocol::messages::{
    ApiKey, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeTopicPartitionsRequest, ListPartitionReassignmentsRequest, MetadataRequest, MetadataResponse,
    create_partitions_request, create_topics_request, delete_topics_request,
    describe_topic_partitions_request, describe_topic_partitions_response,
    list_partition_reassignments_request, metadata_request, metadata_response,
};
use ottla_protocol::{ErrorCode, TopicId};

use super::{Admin, check};
use crate::failure::Exception;

/// How long a node may take to carry an administrative request out, in milliseconds.
const TIMEOUT_MS: i32 = 30_000;

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicListing {
    pub(crate) name: String,
    pub(crate) id: TopicId,
    pub(crate) is_internal: bool,
}

/// A topic and its partitions, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<Partition>,
}

/// A partition; `None` where the cluster is too old to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) index: i32,
    pub(crate) leader: Option<i32>,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
    pub(crate) elr: Option<Vec<i32>>,
    pub(crate) last_known_elr: Option<Vec<i32>>,
}

/// A partition that is being moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reassignment {
    pub(crate) replicas: Vec<i32>,
    pub(crate) adding: Vec<i32>,
    pub(crate) removing: Vec<i32>,
}

impl Admin {
    /// All topics that one may see, by name, and the brokers that are alive.
    pub(crate) async fn list_topics(&self) -> Result<(Vec<TopicListing>, Vec<i32>), Exception> {
        let request =
            MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() };
        let response = self.ask("listTopics", request).await?;
        Ok((listings(&response), live_brokers(&response)))
    }

    /// The same for one topic.
    pub(crate) async fn list_topic(&self, name: &str) -> Result<(Vec<TopicListing>, Vec<i32>), Exception> {
        let topic = metadata_request::MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response = self.ask("listTopics", request).await?;
        Ok((listings(&response), live_brokers(&response)))
    }

    /// All topics with their partitions, and whether they are Kafka's own.
    pub(crate) async fn topics_of_metadata(&self) -> Result<Vec<(Topic, bool)>, Exception> {
        let request =
            MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() };
        let response = self.ask("listTopics", request).await?;
        let exists =
            |topic: &metadata_response::MetadataResponseTopic| topic.error_code == ErrorCode::None.code();
        let topics = response.topics.into_iter().filter(exists);
        topics
            .map(|topic| (topic.is_internal, topic))
            .map(|(internal, topic)| Ok((topic_of_metadata(topic)?, internal)))
            .collect()
    }

    /// The topic of an id.
    pub(crate) async fn describe_topic_id(&self, id: TopicId) -> Result<Topic, Exception> {
        let topic = metadata_request::MetadataRequestTopic { topic_id: id, name: None, ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response = self.ask("describeTopicsWithIds", request).await?;
        let topic = response.topics.into_iter().next();
        let topic = topic.ok_or_else(|| Exception::of_code(ErrorCode::UnknownTopicId, None))?;
        topic_of_metadata(topic)
    }

    /// Topics by name, in the order of `names`, which are sorted. Asks for at most `limit` partitions at a time.
    pub(crate) async fn describe_topics(
        &self,
        names: &[String],
        limit: i32,
    ) -> Result<Vec<Topic>, Exception> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let call = "describeTopicPartitions";
        let connection = self
            .client
            .retry(|| self.client.any_broker())
            .await
            .map_err(|error| Exception::of_client(call, &error))?;
        if connection.version(ApiKey::DescribeTopicPartitions).is_err() {
            return self.describe_topics_by_metadata(names).await;
        }
        let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
        let mut cursor: Option<describe_topic_partitions_request::Cursor> = None;
        loop {
            let from = cursor.as_ref().map_or(0, |cursor| {
                names.iter().position(|name| *cursor.topic_name == **name).unwrap_or_default()
            });
            let request = DescribeTopicPartitionsRequest {
                topics: names[from..]
                    .iter()
                    .map(|name| describe_topic_partitions_request::TopicRequest {
                        name: name.as_str().into(),
                        ..Default::default()
                    })
                    .collect(),
                response_partition_limit: limit,
                cursor: cursor.take(),
                ..Default::default()
            };
            let response = self.ask(call, request).await?;
            for topic in response.topics {
                let topic = topic_of_description(topic)?;
                match topics.get_mut(&topic.name) {
                    Some(begun) => begun.partitions.extend(topic.partitions),
                    None => drop(topics.insert(topic.name.clone(), topic)),
                }
            }
            match response.next_cursor {
                Some(next) => {
                    cursor = Some(describe_topic_partitions_request::Cursor {
                        topic_name: next.topic_name,
                        partition_index: next.partition_index,
                        ..Default::default()
                    });
                }
                None => return Ok(topics.into_values().collect()),
            }
        }
    }

    async fn describe_topics_by_metadata(&self, names: &[String]) -> Result<Vec<Topic>, Exception> {
        let topic = |name: &String| metadata_request::MetadataRequestTopic {
            name: Some(name.as_str().into()),
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: Some(names.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response = self.ask("describeTopics", request).await?;
        response.topics.into_iter().map(topic_of_metadata).collect()
    }

    /// Those of the partitions that are being moved, by topic and partition.
    pub(crate) async fn list_reassignments(
        &self,
        topics: &[Topic],
    ) -> Result<BTreeMap<(String, i32), Reassignment>, Exception> {
        let topics = topics.iter().map(|topic| {
            list_partition_reassignments_request::ListPartitionReassignmentsTopics {
                name: topic.name.as_str().into(),
                partition_indexes: topic.partitions.iter().map(|partition| partition.index).collect(),
                ..Default::default()
            }
        });
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: TIMEOUT_MS,
            topics: Some(topics.collect()),
            ..Default::default()
        };
        let response = self.ask("listPartitionReassignments", request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        let mut reassignments = BTreeMap::new();
        for topic in response.topics {
            for partition in topic.partitions {
                let reassignment = Reassignment {
                    replicas: partition.replicas,
                    adding: partition.adding_replicas,
                    removing: partition.removing_replicas,
                };
                reassignments.insert((topic.name.to_string(), partition.partition_index), reassignment);
            }
        }
        Ok(reassignments)
    }

    /// Creates one topic.
    pub(crate) async fn create_topic(
        &self,
        topic: create_topics_request::CreatableTopic,
    ) -> Result<(), Exception> {
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS, ..Default::default() };
        let response = self.ask("createTopics", request).await?;
        response.topics.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
    }

    /// Raises the number of partitions of topics.
    pub(crate) async fn create_partitions(
        &self,
        topics: Vec<create_partitions_request::CreatePartitionsTopic>,
    ) -> Result<(), Exception> {
        let request = CreatePartitionsRequest { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
        let response = self.ask("createPartitions", request).await?;
        response.results.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
    }

    /// Deletes topics; tells of the first that could not be deleted.
    pub(crate) async fn delete_topics(&self, names: &[String]) -> Result<(), Exception> {
        let make = |version: i16| {
            let mut request = DeleteTopicsRequest { timeout_ms: TIMEOUT_MS, ..Default::default() };
            if version >= 6 {
                let topic = |name: &String| delete_topics_request::DeleteTopicState {
                    name: Some(name.as_str().into()),
                    ..Default::default()
                };
                request.topics = names.iter().map(topic).collect();
            } else {
                request.topic_names = names.iter().map(|name| name.as_str().into()).collect();
            }
            request
        };
        let response = self.client.call(&Target::Any, make, |_| Ok(())).await;
        let response = response.map_err(|error| Exception::of_client("deleteTopics", &error))?;
        response
            .responses
            .iter()
            .try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
    }
}

fn listings(response: &MetadataResponse) -> Vec<TopicListing> {
    let exists =
        |topic: &&metadata_response::MetadataResponseTopic| topic.error_code == ErrorCode::None.code();
    let listing = |topic: &metadata_response::MetadataResponseTopic| TopicListing {
        name: topic.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        id: topic.topic_id,
        is_internal: topic.is_internal,
    };
    let mut listings: Vec<TopicListing> = response.topics.iter().filter(exists).map(listing).collect();
    listings.sort_by(|a, b| a.name.cmp(&b.name));
    listings
}

fn live_brokers(response: &MetadataResponse) -> Vec<i32> {
    response.brokers.iter().map(|broker| broker.node_id).collect()
}

fn topic_of_description(
    topic: describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic,
) -> Result<Topic, Exception> {
    check(topic.error_code, None)?;
    let partition =
        |partition: describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition| Partition {
            index: partition.partition_index,
            leader: known_node(partition.leader_id),
            replicas: partition.replica_nodes,
            isr: partition.isr_nodes,
            elr: Some(partition.eligible_leader_replicas.unwrap_or_default()),
            last_known_elr: Some(partition.last_known_elr.unwrap_or_default()),
        };
    Ok(Topic {
        name: topic.name.map(|name| name.to_string()).unwrap_or_default(),
        id: topic.topic_id,
        partitions: sorted(topic.partitions.into_iter().map(partition).collect()),
    })
}

fn topic_of_metadata(topic: metadata_response::MetadataResponseTopic) -> Result<Topic, Exception> {
    check(topic.error_code, None)?;
    let partition = |partition: metadata_response::MetadataResponsePartition| Partition {
        index: partition.partition_index,
        leader: known_node(partition.leader_id),
        replicas: partition.replica_nodes,
        isr: partition.isr_nodes,
        elr: None,
        last_known_elr: None,
    };
    Ok(Topic {
        name: topic.name.map(|name| name.to_string()).unwrap_or_default(),
        id: topic.topic_id,
        partitions: sorted(topic.partitions.into_iter().map(partition).collect()),
    })
}

fn sorted(mut partitions: Vec<Partition>) -> Vec<Partition> {
    partitions.sort_by_key(|partition| partition.index);
    partitions
}

fn known_node(id: i32) -> Option<i32> {
    (id >= 0).then_some(id)
}
