//! FindCoordinator (10): which broker coordinates a group.
//!
//! Versions: 1 transactions · 3 flexible · 4 several keys (KIP-699) · 5 TRANSACTION_ABORTABLE (KIP-890) · 6 share groups.
//!
//! The offsets topic is made by the first question, and the answer waits for it. Transactions and share groups have no
//! coordinators yet: COORDINATOR_NOT_AVAILABLE.

use super::call::{Call, Handled};
use super::table::Entry;
use crate::net::Answer;
use crate::node::auto_create::AutoCreate;
use crate::node::groups::{Groups, OFFSETS_TOPIC};
use crate::node::images::Images;
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::{ApiKey, ByteString, ErrorCode, Uuid};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::FindCoordinator,
    handle: |parts, call| handle(call, &parts.images, &parts.groups, &parts.auto_create),
};

/// First version with several keys.
const BATCHED: i16 = 4;
/// First version that knows share groups.
const SHARE_GROUPS: i16 = 6;

/// `key_type`.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

fn handle(call: &Call, images: &Arc<Images>, groups: &Arc<Groups>, auto_create: &Arc<AutoCreate>) -> Handled {
    let request: FindCoordinatorRequest = call.decode()?;
    let exists = images.current().topic_id(OFFSETS_TOPIC).is_some();
    let finding = Finding {
        version: call.version,
        listener: call.listener.clone(),
        request,
        images: Arc::clone(images),
        groups: Arc::clone(groups),
    };
    if exists || finding.request.key_type != GROUP {
        return call.reply(&finding.response());
    }
    let (reply_to, creating) = (call.reply_to(), Arc::clone(auto_create).create_internal(OFFSETS_TOPIC));
    Ok(Answer::later(async move {
        creating.await;
        reply_to.with(&finding.response())
    }))
}

struct Finding {
    version: i16,
    listener: ByteString,
    request: FindCoordinatorRequest,
    images: Arc<Images>,
    groups: Arc<Groups>,
}

impl Finding {
    fn response(&self) -> FindCoordinatorResponse {
        if self.version >= BATCHED {
            // Of several keys only those of a type that there is not get a message.
            let find = |key| match self.find(key) {
                refused if !self.is_known_type() => refused,
                found => Coordinator { error_message: Some("".into()), ..found },
            };
            let coordinators = self.request.coordinator_keys.iter().map(find).collect();
            return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
        }
        let found = self.find(&self.request.key);
        FindCoordinatorResponse {
            error_code: found.error_code,
            error_message: found.error_message,
            node_id: found.node_id,
            host: found.host,
            port: found.port,
            ..FindCoordinatorResponse::default()
        }
    }

    /// Whether there is such a type, whatever the version.
    fn is_known_type(&self) -> bool {
        (GROUP..=SHARE).contains(&self.request.key_type)
    }

    fn find(&self, key: &ByteString) -> Coordinator {
        match self.request.key_type {
            GROUP => self.find_group(key),
            TRANSACTION => refusal(key, ErrorCode::CoordinatorNotAvailable),
            SHARE if self.version >= SHARE_GROUPS && is_share_key(key) => {
                refusal(key, ErrorCode::CoordinatorNotAvailable)
            }
            _ => refusal(key, ErrorCode::InvalidRequest),
        }
    }

    fn find_group(&self, key: &ByteString) -> Coordinator {
        let image = self.images.current();
        let leader = self
            .groups
            .partition_of(key)
            .and_then(|index| image.topic_by_name(OFFSETS_TOPIC)?.partitions.get(&index)?.leader);
        let endpoint = leader.and_then(|leader| {
            let broker = image.broker(leader)?;
            Some((leader, broker.endpoint(&self.listener).filter(|_| broker.is_alive())?))
        });
        match endpoint {
            Some((leader, endpoint)) => Coordinator {
                key: key.clone(),
                node_id: leader.0,
                host: endpoint.host.clone(),
                port: endpoint.port.into(),
                // Kafka says so where it could say nothing.
                error_message: Some(ErrorCode::None.message().into()),
                ..Coordinator::default()
            },
            None => refusal(key, ErrorCode::CoordinatorNotAvailable),
        }
    }
}

/// Whether it is `group:topic id:partition`.
fn is_share_key(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let (partition, topic, group) = (parts.next(), parts.next(), parts.next());
    partition.is_some_and(|partition| partition.parse::<u32>().is_ok())
        && topic.is_some_and(|topic| Uuid::parse(topic).is_some())
        && group.is_some_and(|group| !group.is_empty())
}

fn refusal(key: &ByteString, error: ErrorCode) -> Coordinator {
    Coordinator {
        key: key.clone(),
        node_id: -1,
        port: -1,
        error_code: error.code(),
        error_message: Some(error.message().into()),
        ..Coordinator::default()
    }
}
