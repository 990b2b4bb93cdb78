//! DeleteTopics, by name and by id (KIP-516).

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::error::{ApiError, ApiResult, on_wire};
use crate::state::{Outcome, RECORDS_PER_BATCH_MAX};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, RemoveTopicRecord};
use ottla_protocol::{ByteString, ErrorCode, TopicId, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// Answers DeleteTopics. Versions below 6 name topics in one list, later ones in another, by name or by id.
pub(crate) fn delete(cluster: Cluster<'_>, version: i16, request: &DeleteTopicsRequest) -> Outcome {
    let by_name = |name: &ByteString| DeleteTopicState { name: Some(name.clone()), ..Default::default() };
    let topics: Vec<DeleteTopicState> =
        request.topic_names.iter().map(by_name).chain(request.topics.iter().cloned()).collect();
    let (records, responses) = match delete_all(cluster, version, request.timeout_ms, &topics) {
        Ok((records, responses)) => (records, responses),
        Err(error) => {
            let refuse = |topic: &DeleteTopicState| DeletableTopicResult {
                error_message: None,
                ..result(topic.name.clone(), topic.topic_id, &Err(error.clone()))
            };
            (Vec::new(), topics.iter().map(refuse).collect())
        }
    };
    let response = DeleteTopicsResponse { responses, ..Default::default() };
    Outcome { records, response: ControllerResponse::DeleteTopics(response) }
}

fn delete_all(
    cluster: Cluster<'_>,
    version: i16,
    timeout_ms: i32,
    topics: &[DeleteTopicState],
) -> ApiResult<(Vec<MetadataRecord>, Vec<DeletableTopicResult>)> {
    if !cluster.config.boolean("delete.topic.enable") {
        return Err(match version {
            0..3 => ApiError::new(ErrorCode::InvalidRequest, "This version does not support topic deletion."),
            _ => ApiError::bare(ErrorCode::TopicDeletionDisabled),
        });
    }
    ApiError::check_timeout(timeout_ms)?;
    let mut results = Vec::with_capacity(topics.len());
    let Asked { names, ids, duplicate_ids } = sort_out(topics, &mut results);
    // What is deleted, and the name it is answered with: that of the topic, whichever way it was asked for.
    let mut deleted: BTreeMap<TopicId, ByteString> = BTreeMap::new();
    for id in ids {
        match cluster.image.topic(id) {
            Some(topic) => drop(deleted.insert(id, topic.name.clone())),
            None => results.push(result(None, id, &Err(ApiError::standard(ErrorCode::UnknownTopicId)))),
        }
    }
    let mut ids_named_twice = duplicate_ids;
    for name in names {
        let Some(id) = cluster.image.topic_id(&name) else {
            let error = ApiError::standard(ErrorCode::UnknownTopicOrPartition);
            results.push(result(Some(name), Uuid::ZERO, &Err(error)));
            continue;
        };
        if ids_named_twice.contains(&id) || deleted.insert(id, name.clone()).is_some() {
            ids_named_twice.insert(id);
            deleted.remove(&id);
            let message = "The provided topic name maps to an ID that was already supplied.";
            let error = ApiError::new(ErrorCode::InvalidRequest, message);
            results.push(result(Some(name), id, &Err(error)));
        }
    }
    if deleted.len() > RECORDS_PER_BATCH_MAX {
        return Err(ApiError::too_large());
    }
    let mut records = Vec::with_capacity(deleted.len());
    for (topic_id, name) in deleted {
        records.push(RemoveTopicRecord { topic_id, ..Default::default() }.into());
        results.push(result(Some(name), topic_id, &Ok(())));
    }
    Ok((records, results))
}

/// What was asked for, each once.
#[derive(Default)]
struct Asked {
    names: BTreeSet<ByteString>,
    ids: BTreeSet<TopicId>,
    duplicate_ids: BTreeSet<TopicId>,
}

/// Answers what cannot be meant; what is asked for twice is not done at all.
fn sort_out(topics: &[DeleteTopicState], results: &mut Vec<DeletableTopicResult>) -> Asked {
    let mut asked = Asked::default();
    let mut duplicate_names = BTreeSet::new();
    for topic in topics {
        let id = topic.topic_id;
        match &topic.name {
            None if id == Uuid::ZERO => {
                let message = "Neither topic name nor id were specified.";
                results.push(result(None, id, &Err(ApiError::new(ErrorCode::InvalidRequest, message))));
            }
            None if !asked.ids.insert(id) => drop(asked.duplicate_ids.insert(id)),
            None => {}
            Some(name) if id != Uuid::ZERO => {
                let message = "You may not specify both topic name and topic id.";
                let error = ApiError::new(ErrorCode::InvalidRequest, message);
                results.push(result(Some(name.clone()), id, &Err(error)));
            }
            Some(name) if !asked.names.insert(name.clone()) => drop(duplicate_names.insert(name.clone())),
            Some(_) => {}
        }
    }
    asked.names.retain(|name| !duplicate_names.contains(name));
    asked.ids.retain(|id| !asked.duplicate_ids.contains(id));
    let twice =
        |what: &str| Err(ApiError::new(ErrorCode::InvalidRequest, format!("Duplicate topic {what}.")));
    results.extend(duplicate_names.into_iter().map(|name| result(Some(name), Uuid::ZERO, &twice("name"))));
    results.extend(asked.duplicate_ids.iter().map(|id| result(None, *id, &twice("id"))));
    asked
}

fn result(name: Option<ByteString>, topic_id: TopicId, outcome: &ApiResult<()>) -> DeletableTopicResult {
    let (error_code, error_message) = on_wire(outcome);
    DeletableTopicResult { name, topic_id, error_code, error_message, ..Default::default() }
}
