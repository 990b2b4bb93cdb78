//! Groups: which there are, what they are like, deleting them.

use std::collections::BTreeMap;

use ottla_client::{CoordinatorKind, Node, Target};
use ottla_protocol::codec::Reader;
use ottla_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DeleteGroupsRequest,
    DescribeGroupsRequest, FindCoordinatorRequest, ListGroupsRequest, consumer_group_describe_response,
    describe_groups_response,
};
use ottla_protocol::{BrokerId, ByteString, ErrorCode};

use super::{Admin, check, retriable};
use crate::failure::Exception;
use crate::java::{MapSize, hash_map_order, string_hash};

/// A group that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupListing {
    pub(crate) id: String,
    /// `Classic`, `Consumer`, `Share`, `Streams`; empty if the broker is too old to tell.
    pub(crate) kind: String,
    pub(crate) protocol: String,
    /// Empty if the broker is too old to tell.
    pub(crate) state: String,
}

/// A group of consumers, classic or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerGroup {
    pub(crate) id: String,
    pub(crate) coordinator: Node,
    pub(crate) assignor: String,
    pub(crate) state: String,
    pub(crate) epoch: Option<i32>,
    pub(crate) target_epoch: Option<i32>,
    pub(crate) members: Vec<Member>,
}

/// A member of a group of consumers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) assignment: Vec<(String, i32)>,
    pub(crate) target: Vec<(String, i32)>,
    pub(crate) epoch: Option<i32>,
    /// Whether it speaks the new protocol, where the broker tells.
    pub(crate) is_upgraded: Option<bool>,
}

impl Admin {
    /// All groups of these types and states (empty lists mean any) on all brokers, in the order in which Kafka's
    /// client has them.
    pub(crate) async fn list_groups(
        &self,
        types: &[&str],
        states: &[&str],
    ) -> Result<Vec<GroupListing>, Exception> {
        let brokers = self.brokers().await?;
        let mut groups: BTreeMap<String, GroupListing> = BTreeMap::new();
        for broker in brokers {
            let texts = |texts: &[&str]| texts.iter().map(|text| ByteString::from(*text)).collect();
            let request = ListGroupsRequest {
                types_filter: texts(types),
                states_filter: texts(states),
                ..Default::default()
            };
            let target = Target::Broker(broker.id);
            let answered = self
                .client
                .call(
                    &target,
                    |_| request.clone(),
                    |response| retriable(response.error_code, "listing groups"),
                )
                .await
                .map_err(|error| Exception::of_client("listGroups", &error))
                .and_then(|response| check(response.error_code, None).map(|()| response));
            let response = answered.map_err(|error| on_broker(error, &broker))?;
            for group in response.groups {
                let listing = GroupListing {
                    id: group.group_id.to_string(),
                    kind: kind_name(&group.group_type).to_string(),
                    protocol: group.protocol_type.to_string(),
                    state: group.group_state.to_string(),
                };
                groups.insert(listing.id.clone(), listing);
            }
        }
        Ok(hash_map_order(groups.into_values().collect(), MapSize::Default, |group| string_hash(&group.id)))
    }

    /// The groups of consumers among these, each with what went wrong in its place.
    pub(crate) async fn describe_consumer_groups(
        &self,
        ids: &[String],
    ) -> Result<Vec<(String, Result<ConsumerGroup, Exception>)>, Exception> {
        let mut described = Vec::new();
        for (target, ids) in self.coordinators(ids).await? {
            described.extend(self.describe_on(&target, ids).await?);
        }
        Ok(hash_map_order(described, MapSize::Default, |(id, _)| string_hash(id)))
    }

    /// Groups by whom to ask for them. One group needs no list of brokers.
    async fn coordinators(&self, ids: &[String]) -> Result<Vec<(Target, Vec<String>)>, Exception> {
        if let [only] = ids {
            return Ok(vec![(Target::group(only), vec![only.clone()])]);
        }
        let found = self.find_coordinators(ids).await?;
        let mut by_node: BTreeMap<BrokerId, Vec<String>> = BTreeMap::new();
        for id in ids {
            let node = match found.get(id) {
                Some(node) => *node,
                None => self.coordinator(id).await?.id,
            };
            let same_node = by_node.entry(node).or_default();
            if !same_node.contains(id) {
                same_node.push(id.clone());
            }
        }
        Ok(by_node.into_iter().map(|(node, ids)| (Target::Broker(node), ids)).collect())
    }

    /// The coordinators of many groups in one question, as far as the answer is final.
    async fn find_coordinators(&self, ids: &[String]) -> Result<BTreeMap<String, BrokerId>, Exception> {
        const SEVERAL: i16 = 4;
        let failed = |error| Exception::of_client("findCoordinator", &error);
        let connection = self.client.retry(|| self.client.any_broker()).await.map_err(failed)?;
        if connection.version(ApiKey::FindCoordinator).map_err(failed)? < SEVERAL {
            return Ok(BTreeMap::new());
        }
        let request = FindCoordinatorRequest {
            key_type: CoordinatorKind::Group as i8,
            coordinator_keys: ids.iter().map(|id| ByteString::from(id.as_str())).collect(),
            ..Default::default()
        };
        let response = connection.send(&request).await.map_err(failed)?;
        let known = response.coordinators.iter().filter(|found| found.error_code == ErrorCode::None.code());
        Ok(known.map(|found| (found.key.to_string(), BrokerId(found.node_id))).collect())
    }

    /// A group's coordinator.
    async fn coordinator(&self, group: &str) -> Result<Node, Exception> {
        let find = async || self.client.find_coordinator(CoordinatorKind::Group, group).await;
        self.client.retry(find).await.map_err(|error| Exception::of_client("findCoordinator", &error))
    }

    async fn describe_on(
        &self,
        target: &Target,
        ids: Vec<String>,
    ) -> Result<Vec<(String, Result<ConsumerGroup, Exception>)>, Exception> {
        let call = "describeConsumerGroups";
        let coordinator = self.coordinator(ids.first().map_or("", String::as_str)).await?;
        let connection =
            self.client.connection(target).await.map_err(|error| Exception::of_client(call, &error))?;
        let names = |ids: &[String]| ids.iter().map(|id| ByteString::from(id.as_str())).collect::<Vec<_>>();
        let mut described = Vec::new();
        // Whether a group is of the new kind only its coordinator knows; what is not may be a classic one.
        let mut maybe_classic: Vec<(String, Option<String>)> = Vec::new();
        if connection.version(ApiKey::ConsumerGroupDescribe).is_ok() {
            let request = ConsumerGroupDescribeRequest { group_ids: names(&ids), ..Default::default() };
            let answered = self.client.call(
                target,
                |_| request.clone(),
                |response| {
                    response.groups.iter().try_for_each(|group| retriable(group.error_code, &group.group_id))
                },
            );
            let response = answered.await.map_err(|error| Exception::of_client(call, &error))?;
            for group in response.groups {
                let (id, message) =
                    (group.group_id.to_string(), group.error_message.as_deref().map(str::to_string));
                match ErrorCode::from_code(group.error_code) {
                    ErrorCode::None => {
                        let group = consumer_group(group, coordinator.clone());
                        described.push((id, Ok(group)));
                    }
                    ErrorCode::GroupIdNotFound => maybe_classic.push((id, message)),
                    ErrorCode::UnsupportedVersion => maybe_classic.push((id, None)),
                    code => described.push((id, Err(Exception::of_code(code, message.as_deref())))),
                }
            }
        } else {
            maybe_classic = ids.iter().map(|id| (id.clone(), None)).collect();
        }
        if maybe_classic.is_empty() {
            return Ok(described);
        }
        let ids: Vec<String> = maybe_classic.iter().map(|(id, _)| id.clone()).collect();
        let request = DescribeGroupsRequest { groups: names(&ids), ..Default::default() };
        let answered = self.client.call(
            target,
            |_| request.clone(),
            |response| {
                response.groups.iter().try_for_each(|group| retriable(group.error_code, &group.group_id))
            },
        );
        let response = answered.await.map_err(|error| Exception::of_client(call, &error))?;
        for group in response.groups {
            let id = group.group_id.to_string();
            let not_found =
                maybe_classic.iter().find(|(known, _)| *known == id).and_then(|(_, text)| text.clone());
            described.push((id, classic_group(group, coordinator.clone(), not_found)));
        }
        Ok(described)
    }

    /// Deletes groups, each with what went wrong.
    pub(crate) async fn delete_groups(
        &self,
        ids: &[String],
    ) -> Result<Vec<(String, Result<(), Exception>)>, Exception> {
        let mut results = Vec::new();
        for (target, ids) in self.coordinators(ids).await? {
            let request = DeleteGroupsRequest {
                groups_names: ids.iter().map(|id| ByteString::from(id.as_str())).collect(),
                ..Default::default()
            };
            let answered = self.client.call(
                &target,
                |_| request.clone(),
                |response| {
                    response
                        .results
                        .iter()
                        .try_for_each(|result| retriable(result.error_code, &result.group_id))
                },
            );
            let response =
                answered.await.map_err(|error| Exception::of_client("deleteConsumerGroups", &error))?;
            results.extend(
                response
                    .results
                    .iter()
                    .map(|result| (result.group_id.to_string(), check(result.error_code, None))),
            );
        }
        Ok(hash_map_order(results, MapSize::Default, |(id, _)| string_hash(id)))
    }

    /// The brokers that are alive.
    pub(crate) async fn brokers(&self) -> Result<Vec<Node>, Exception> {
        let failed = |error| Exception::of_client("findAllBrokers", &error);
        let known = self.client.retry(async || self.client.refresh(Some(&[])).await).await.map_err(failed)?;
        Ok(known.brokers.values().cloned().collect())
    }
}

/// How Kafka's client calls a type of group, of which brokers write the name small.
fn kind_name(kind: &str) -> &'static str {
    const KINDS: [&str; 4] = ["Classic", "Consumer", "Share", "Streams"];
    let known = KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(kind));
    known.unwrap_or(if kind.is_empty() { "" } else { "Unknown" })
}

fn on_broker(error: Exception, broker: &Node) -> Exception {
    let node = format!(
        "{}:{} (id: {} rack: {} isFenced: false)",
        broker.address.host,
        broker.address.port,
        broker.id,
        broker.rack.as_deref().unwrap_or("null")
    );
    Exception { message: Some(format!("Error listing groups on {node}: {}", error.text())), ..error }
}

fn consumer_group(
    group: consumer_group_describe_response::DescribedGroup,
    coordinator: Node,
) -> ConsumerGroup {
    let member = |member: consumer_group_describe_response::Member| Member {
        id: member.member_id.to_string(),
        instance_id: member.instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assignment: assignment(&member.assignment),
        target: assignment(&member.target_assignment),
        epoch: Some(member.member_epoch),
        is_upgraded: (member.member_type != -1).then_some(member.member_type == 1),
    };
    ConsumerGroup {
        id: group.group_id.to_string(),
        coordinator,
        assignor: group.assignor_name.to_string(),
        state: group.group_state.to_string(),
        epoch: Some(group.group_epoch),
        target_epoch: Some(group.assignment_epoch),
        members: group.members.into_iter().map(member).collect(),
    }
}

fn assignment(assignment: &consumer_group_describe_response::Assignment) -> Vec<(String, i32)> {
    let partitions = assignment.topic_partitions.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (topic.topic_name.to_string(), *partition))
    });
    partitions.collect()
}

fn classic_group(
    group: describe_groups_response::DescribedGroup,
    coordinator: Node,
    not_found: Option<String>,
) -> Result<ConsumerGroup, Exception> {
    let code = ErrorCode::from_code(group.error_code);
    let message = group.error_message.as_deref().map(str::to_string);
    // What the newer request said of a group that is not there is the better text.
    let message = if code == ErrorCode::GroupIdNotFound { not_found.or(message) } else { message };
    check(group.error_code, message.as_deref())?;
    let protocol = group.protocol_type.to_string();
    if !protocol.is_empty() && protocol != "consumer" {
        let text = format!("GroupId {} is not a consumer group ({protocol}).", group.group_id);
        return Err(Exception::illegal_argument(text));
    }
    let mut members = Vec::new();
    for member in group.members {
        members.push(Member {
            id: member.member_id.to_string(),
            instance_id: member.group_instance_id.map(|id| id.to_string()),
            client_id: member.client_id.to_string(),
            host: member.client_host.to_string(),
            assignment: classic_assignment(&member.member_assignment)?,
            ..Member::default()
        });
    }
    Ok(ConsumerGroup {
        id: group.group_id.to_string(),
        coordinator,
        assignor: group.protocol_data.to_string(),
        state: group.group_state.to_string(),
        epoch: None,
        target_epoch: None,
        members,
    })
}

/// What the leader of a classic group wrote for a member: two bytes of version, then the assignment.
fn classic_assignment(bytes: &bytes::Bytes) -> Result<Vec<(String, i32)>, Exception> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    const NEWEST: i16 = 3;
    let mut reader = Reader::new(bytes);
    let decoded =
        reader.i16().and_then(|version| ConsumerProtocolAssignment::decode(&mut reader, version.min(NEWEST)));
    let decoded = decoded.map_err(|error| {
        Exception::new("org.apache.kafka.common.protocol.types.SchemaException", error.to_string())
    })?;
    let partitions = decoded
        .assigned_partitions
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic.to_string(), *partition)));
    Ok(partitions.collect())
}
