//! CreateTopics: names, partitions, placement or manual assignment, configurations (KIP-4, KIP-464, KIP-525, KIP-599).

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::error::{ApiError, ApiResult};
use crate::placement;
use crate::random::Random;
use crate::state::{Outcome, RECORDS_PER_BATCH_MAX};
use crate::topic_name::check_topic_name;
use ottla_config::ConfigMap;
use ottla_config::alter::{ConfigChange, create_topic_configs};
use ottla_config::describe::{ConfigEntry, describe_created_topic};
use ottla_metadata::{LeaderRecoveryState, MetadataRecord, Partition, ResourceKind};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, ByteString, ErrorCode, LeaderEpoch, TopicId};
use std::collections::{BTreeMap, BTreeSet};

/// Most partitions that one request may ask for.
const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// The topic of the metadata log itself.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// Partitions of a new topic, by index.
type NewPartitions = BTreeMap<i32, Partition>;

/// Answers CreateTopics.
pub(crate) fn create(
    cluster: Cluster<'_>,
    random: &mut Random,
    forwarded: bool,
    request: &CreateTopicsRequest,
) -> Outcome {
    let answer = |topics| CreateTopicsResponse { topics, ..Default::default() };
    match create_all(cluster, random, forwarded, request) {
        Ok((records, topics)) => {
            Outcome { records, response: ControllerResponse::CreateTopics(answer(topics)) }
        }
        Err(error) => {
            let topics = request.topics.iter().map(|topic| refused(&topic.name, &error)).collect();
            Outcome::answer(ControllerResponse::CreateTopics(answer(topics)))
        }
    }
}

fn create_all(
    cluster: Cluster<'_>,
    random: &mut Random,
    forwarded: bool,
    request: &CreateTopicsRequest,
) -> ApiResult<(Vec<MetadataRecord>, Vec<CreatableTopicResult>)> {
    ApiError::check_timeout(request.timeout_ms)?;
    let names = || request.topics.iter().map(|topic| &topic.name);
    let mut seen = BTreeSet::new();
    let duplicates: BTreeSet<&ByteString> = names().filter(|name| !seen.insert(*name)).collect();
    let is_sound =
        |topic: &&CreatableTopic| !duplicates.contains(&topic.name) && topic.name != METADATA_TOPIC;
    let topics: Vec<&CreatableTopic> = request.topics.iter().filter(is_sound).collect();
    check_partition_count(cluster, &topics)?;

    let mut records = Vec::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in topics {
        let created = check_name(cluster, &topic.name)
            .and_then(|()| create_one(cluster, random, forwarded, topic, &mut records));
        results.push(created.unwrap_or_else(|error| refused(&topic.name, &error)));
        if records.len() > RECORDS_PER_BATCH_MAX {
            return Err(ApiError::too_large());
        }
    }
    let duplicate = ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    results.extend(duplicates.iter().map(|name| refused(name, &duplicate)));
    if names().filter(|name| **name == METADATA_TOPIC).count() == 1 {
        let message = format!("Creation of internal topic {METADATA_TOPIC} is prohibited.");
        results.push(refused(METADATA_TOPIC, &ApiError::new(ErrorCode::InvalidRequest, message)));
    }
    if request.validate_only {
        records.clear();
    }
    Ok((records, results))
}

fn refused(name: &str, error: &ApiError) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.into(),
        error_code: error.code.code(),
        error_message: error.wire_message(),
        ..Default::default()
    }
}

fn check_partition_count(cluster: Cluster<'_>, topics: &[&CreatableTopic]) -> ApiResult<()> {
    let count = |topic: &&CreatableTopic| match topic.num_partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len(),
        -1 => usize::try_from(cluster.config.int("num.partitions")).unwrap_or(0),
        count => usize::try_from(count).unwrap_or(0),
    };
    if topics.iter().map(count).fold(0usize, usize::saturating_add) > PARTITIONS_PER_REQUEST_MAX {
        let message = "Excessively large number of partitions per request.";
        return Err(ApiError::new(ErrorCode::PolicyViolation, message));
    }
    Ok(())
}

fn check_name(cluster: Cluster<'_>, name: &ByteString) -> ApiResult<()> {
    if cluster.image.topic_id(name).is_some() {
        return Err(ApiError::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
    }
    if let Some(other) = cluster.similar_names.find(name) {
        let message = format!("Topic '{name}' collides with existing topic: {other}");
        return Err(ApiError::new(ErrorCode::InvalidTopicException, message));
    }
    check_topic_name(name).map_err(|message| ApiError::new(ErrorCode::InvalidTopicException, message))
}

fn create_one(
    cluster: Cluster<'_>,
    random: &mut Random,
    forwarded: bool,
    topic: &CreatableTopic,
    records: &mut Vec<MetadataRecord>,
) -> ApiResult<CreatableTopicResult> {
    let text = |text: &ByteString| text.to_string();
    let requested: Vec<(String, Option<String>)> =
        topic.configs.iter().map(|config| (text(&config.name), config.value.as_ref().map(text))).collect();
    let configs = create_topic_configs(&topic.name, &requested, cluster.alter_context(forwarded))?;
    let partitions =
        if topic.assignments.is_empty() { place(cluster, random, topic)? } else { assign(cluster, topic)? };
    let topic_id = random.topic_id();
    let result = created(cluster, topic_id, topic, &configs, &partitions);
    write(cluster, topic_id, topic, configs, partitions, records);
    Ok(result)
}

/// Partitions where the request says.
fn assign(cluster: Cluster<'_>, topic: &CreatableTopic) -> ApiResult<NewPartitions> {
    let refuse_request = |message: &str| Err(ApiError::new(ErrorCode::InvalidRequest, message));
    if topic.replication_factor != -1 {
        return refuse_request(
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        );
    }
    if topic.num_partitions != -1 {
        return refuse_request(
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        );
    }
    let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
    let mut partitions = NewPartitions::new();
    let mut replication_factor = None;
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        if partitions.contains_key(&index) {
            return refuse(format!("Found multiple manual partition assignments for partition {index}"));
        }
        let replicas: Vec<BrokerId> = assignment.broker_ids.iter().copied().map(BrokerId).collect();
        check_assignment(cluster, &replicas, replication_factor)?;
        replication_factor = Some(replicas.len());
        partitions.insert(index, assigned_partition(cluster, index, replicas)?);
    }
    if partitions.keys().copied().ne(0..partitions.len() as i32) {
        return refuse("partitions should be a consecutive 0-based integer sequence".to_owned());
    }
    Ok(partitions)
}

/// A partition whose replicas were given by hand.
///
/// # Errors
/// INVALID_REPLICA_ASSIGNMENT if none of them is in service.
pub(crate) fn assigned_partition(
    cluster: Cluster<'_>,
    index: i32,
    replicas: Vec<BrokerId>,
) -> ApiResult<Partition> {
    new_partition(cluster, replicas).ok_or_else(|| {
        let message = format!(
            "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
             controlled shutdown."
        );
        ApiError::new(ErrorCode::InvalidReplicaAssignment, message)
    })
}

/// Checks a list of replicas given by hand: registered brokers, each once, as many as the other partitions have.
///
/// # Errors
/// INVALID_REPLICA_ASSIGNMENT with the reason.
pub(crate) fn check_assignment(
    cluster: Cluster<'_>,
    replicas: &[BrokerId],
    replication_factor: Option<usize>,
) -> ApiResult<()> {
    let refuse = |what: String| {
        let message = format!("The manual partition assignment includes {what}");
        Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message))
    };
    if replicas.is_empty() {
        return refuse("an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for id in sorted {
        if cluster.image.broker(id).is_none() {
            return refuse(format!("broker {id}, but no such broker is registered."));
        }
        if previous == Some(id) {
            return refuse(format!("the broker {id} more than once."));
        }
        previous = Some(id);
    }
    match replication_factor {
        Some(expected) if expected != replicas.len() => refuse(format!(
            "a partition with {} replica(s), but this is not consistent with previous partitions, which have \
             {expected} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// Partitions where the placement says.
fn place(cluster: Cluster<'_>, random: &mut Random, topic: &CreatableTopic) -> ApiResult<NewPartitions> {
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
    }
    let num_partitions = match topic.num_partitions {
        -1 => cluster.config.int("num.partitions"),
        count => count,
    };
    let Some(count) = usize::try_from(num_partitions).ok().filter(|count| *count > 0) else {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(ApiError::new(ErrorCode::InvalidPartitions, message));
    };
    let replication_factor = match topic.replication_factor {
        -1 => i16::try_from(cluster.config.int("default.replication.factor")).unwrap_or(i16::MAX),
        factor => factor,
    };
    let unable = |reason: &str| {
        let message = format!("Unable to replicate the partition {replication_factor} time(s): {reason}");
        ApiError::new(ErrorCode::InvalidReplicationFactor, message)
    };
    let placed = placement::place(cluster, random, count, replication_factor)
        .map_err(|error| unable(error.message.as_deref().unwrap_or_default()))?;
    let nobody = || unable("All brokers are currently fenced or in controlled shutdown.");
    let partitions = placed.into_iter().map(|replicas| new_partition(cluster, replicas).ok_or_else(nobody));
    (0..).zip(partitions).map(|(index, partition)| Ok((index, partition?))).collect()
}

/// A partition that begins: its ISR is who of the replicas is in service, and the first of them leads. Nothing if there
/// is none.
pub(crate) fn new_partition(cluster: Cluster<'_>, replicas: Vec<BrokerId>) -> Option<Partition> {
    let isr: Vec<BrokerId> = replicas.iter().copied().filter(|id| cluster.is_active(*id)).collect();
    Some(Partition {
        directories: replicas.iter().map(|id| cluster.default_dir(*id)).collect(),
        replicas,
        leader: Some(*isr.first()?),
        isr,
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch(0),
        partition_epoch: 0,
    })
}

fn created(
    cluster: Cluster<'_>,
    topic_id: TopicId,
    topic: &CreatableTopic,
    configs: &[ConfigChange],
    partitions: &NewPartitions,
) -> CreatableTopicResult {
    let set: ConfigMap =
        configs.iter().filter_map(|config| Some((config.name.clone(), config.value.clone()?))).collect();
    let entry = |entry: ConfigEntry| CreatableTopicConfigs {
        name: entry.name.into(),
        value: entry.value.filter(|_| !entry.sensitive).map(ByteString::from),
        read_only: entry.read_only,
        config_source: entry.source as i8,
        is_sensitive: entry.sensitive,
        ..Default::default()
    };
    let replication_factor = partitions.values().next().map_or(0, |partition| partition.replicas.len());
    CreatableTopicResult {
        name: topic.name.clone(),
        topic_id,
        error_code: ErrorCode::None.code(),
        error_message: None,
        num_partitions: partitions.len() as i32,
        replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
        configs: Some(describe_created_topic(cluster.config, &set).into_iter().map(entry).collect()),
        ..Default::default()
    }
}

/// Topic first, then its configuration, then its partitions.
fn write(
    cluster: Cluster<'_>,
    topic_id: TopicId,
    topic: &CreatableTopic,
    configs: Vec<ConfigChange>,
    partitions: NewPartitions,
    records: &mut Vec<MetadataRecord>,
) {
    let name = topic.name.clone();
    records.push(TopicRecord { name: name.clone(), topic_id, ..Default::default() }.into());
    let sets_min_isr = configs.iter().any(|config| config.name == "min.insync.replicas");
    for config in configs {
        let record = ConfigRecord {
            resource_type: ResourceKind::Topic.id(),
            resource_name: name.clone(),
            name: config.name.into(),
            value: config.value.map(ByteString::from),
            ..Default::default()
        };
        records.push(record.into());
    }
    if sets_min_isr && cluster.image.features().is_elr_enabled() {
        records.push(ClearElrRecord { topic_name: name, ..Default::default() }.into());
    }
    let partitions = partitions.iter();
    records.extend(partitions.map(|(index, partition)| partition.to_record(topic_id, *index).into()));
}
